/* lab/metering.h - the meter as a child process whose trace is read from a pipe.
 *
 * `perjoule record` runs in its own session (a terminal's Ctrl-C does not reach it) and on its own
 * core where there are at least four; a thread of ours drains the pipe into the trace file and into
 * memory. It ends when we close its standard input, so it also ends when we die. A meter that ends
 * early or falls silent is `lost`: a trial's failed(meter_lost), never a wrong number.
 */
#ifndef PJI_LAB_METERING_H
#define PJI_LAB_METERING_H

#include "energy/trace.h"
#include "evidence/gpu.h"
#include "evidence/sensors.h"
#include "platform/process.h"

#include <stdbool.h>

struct pji_metering;

struct pji_metering_config {
    const char *perjoule;   /* the meter program */
    const char *root;       /* --root for it, NULL: the machine */
    const char *trace_path; /* file that gets every byte of the trace */
    int64_t interval_ns;
    int64_t silence_ns; /* nothing arrived for so long: lost */
    pj_status (*on_process)(void *context, const char *role, int64_t pid, uint64_t start_ticks,
                            struct pj_error *err);
    void *context;
    /* Told of the power now, as pji_metering_power_w, after readings arrived; on the thread that
     * drains the pipe. May be NULL. */
    void (*on_power)(void *context, double power_w);
    void *power_context;
};

/* Starts the meter and waits (at most silence_ns) until its first reading arrived. */
pj_status pji_metering_start(struct pji_metering **out, const struct pji_metering_config *config,
                             struct pj_error *err);
/* Asks for a reading right now: call it at the edges of a window. Never blocks, never fails:
 * without the extra reading the edge is interpolated, and u says so. */
void pji_metering_mark(struct pji_metering *metering);
/* What state the GPUs are in: asks the meter to look and waits for its answer (at most 2 s). Before
 * a window and after it, never inside. False: none came, and `looks` is empty. */
bool pji_metering_look(struct pji_metering *metering, struct pji_gpu_looks *looks);
/* Readable once the meter is lost. */
int pji_metering_lost_fd(const struct pji_metering *metering);
/* Sum of the latest power of the channels that may enter a total, W; NaN before two readings. */
double pji_metering_power_w(struct pji_metering *metering);
/* Sum of the cumulative energy of those channels that are measured (no model, no constant) at a
 * time near now, J, from some beginning of their own: each one goes on with its latest power from
 * its latest reading, because slow instruments are read seldom. NaN while it is unknown and where
 * there is none. */
double pji_metering_energy_j(struct pji_metering *metering, int64_t t_ns);
/* Adds the latest temperature of each instrument that tells one. */
void pji_metering_temps(struct pji_metering *metering, struct pji_temps *temps);
/* Ends the meter, waits for its footer and hands out the trace (moved; the caller frees it with
 * pji_trace_fini). PJ_EPEER when the meter was lost or its trace is incomplete, PJ_ENOSPC when the
 * trace file could not be written. Frees `metering` in every case. */
pj_status pji_metering_stop(struct pji_metering *metering, struct pji_trace *trace,
                            struct pj_error *err);

#endif
