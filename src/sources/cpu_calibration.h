/* sources/cpu_calibration.h - what was once measured of a processor, for the times when its
 * counters cannot be read: its power idle and with all hardware threads busy.
 */
#ifndef PJI_SOURCES_CPU_CALIBRATION_H
#define PJI_SOURCES_CPU_CALIBRATION_H

#include "core/json.h"
#include "sources/cpu_info.h"
#include "sources/cpu_model.h"

enum { PJI_CPU_KEY = 128 };

struct pji_cpu_calibration {
    char key[PJI_CPU_KEY];       /* pji_cpu_key: a calibration holds for equal processors */
    double idle_w, full_w;       /* all sockets together, at utilisation 0 and 1 */
    double gain_rel;             /* k=1 of the counters */
    double idle_load, full_load; /* utilisation while it was measured */
    double dur_s;                /* of each of the two measurements */
    char source[24];             /* instrument: "rapl_powercap" */
    char date[24];               /* "2026-11-21T17:00:00Z" */
};

/* Vendor, family, model, stepping, microcode, name, sockets, cores and threads, virtual or not;
 * `rooted`: of a tree that stands for a machine. */
void pji_cpu_key(const struct pji_cpu_info *cpu, bool rooted, char key[PJI_CPU_KEY]);

/* From two mean powers at two utilisations, along the model's curve for that number of cores.
 * PJ_EUNSUPPORTED with a sentence when they do not tell idle from full: the higher one is less than
 * 1.3 times the lower one, which no processor at full load is known to be. */
pj_status pji_cpu_calibrate(struct pji_cpu_calibration *out, double low_w, double low_load,
                            double high_w, double high_load, int cores, struct pj_error *err);

/* The model of a calibrated processor: its own two ends, and between and beyond them a band that
 * allows for other work than the one measured (docs/cpu-model.md). PJ_EINVAL when a figure makes no
 * sense. */
pj_status pji_cpu_model_calibrated(struct pji_cpu_model *model,
                                   const struct pji_cpu_calibration *calibration, int cores,
                                   struct pj_error *err);

json_t *pji_cpu_calibration_to_json(const struct pji_cpu_calibration *calibration);
pj_status pji_cpu_calibration_from_json(struct pji_cpu_calibration *out, const json_t *object,
                                        struct pj_error *err);

#endif
