/* sources/cpu_model.h - the power of processors from their utilisation: a pure function, used by
 * the source model_cpu and by `perjoule model cpu`.
 *
 * P(U) = TDP (a + (f - a) U^c), U in 0...1 over all hardware threads. a (idle), f (full load) and c
 * depend on the cores of a socket: few-core parts idle near nothing, raise their clock with the
 * load and rarely reach their TDP; many-core parts keep a large uncore awake and run into their
 * power limit long before all cores are busy. The interval is a band between two more such curves
 * (docs/cpu-model.md: data, fit, what leaving a machine out gives).
 */
#ifndef PJI_SOURCES_CPU_MODEL_H
#define PJI_SOURCES_CPU_MODEL_H

#include "core/error.h"

#include <stdbool.h>

/* Share of the TDP at utilisation U: idle + (full - idle) U^exponent. */
struct pji_cpu_curve {
    double idle, full, exponent;
};

struct pji_cpu_model {
    double tdp_w;              /* all sockets together: best guess and the range it lies in */
    double tdp_lo_w, tdp_hi_w; /* equal to tdp_w for a known CPU */
    struct pji_cpu_curve value, low, high; /* low and high: the 95 % interval */
};

struct pji_cpu_power {
    double value_w;
    double u_w;        /* k=1, common to all windows of a machine: half the band / 1.96 */
    double lo_w, hi_w; /* 95 % */
};

/* A CPU whose TDP (of one socket) is known. cores: of one socket. PJ_EINVAL when a figure is not
 * positive or there are fewer threads than cores. */
pj_status pji_cpu_model_known(struct pji_cpu_model *model, double tdp_w, int sockets, int cores,
                              int threads, struct pj_error *err);
/* A CPU that the table does not know, or a share of one (virtual machine): TDP for each core from a
 * documented range. */
void pji_cpu_model_unknown(struct pji_cpu_model *model, int sockets, int cores,
                           bool virtual_machine);
/* The c of the curve for sockets of that many cores. */
double pji_cpu_model_exponent(int cores);
/* utilisation is clamped to 0...1. */
void pji_cpu_model_power(const struct pji_cpu_model *model, double utilisation,
                         struct pji_cpu_power *out);
/* The state of knowledge when the utilisation is unknown: all of 0...1 is possible. */
void pji_cpu_model_any(const struct pji_cpu_model *model, struct pji_cpu_power *out);

#endif
