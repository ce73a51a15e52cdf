/* cli/run_series.h - the energies of one run: a series for each channel whose memory does not grow,
 * lagging instruments cut to the run (energy/clip.h). `measure` feeds it as readings come, `replay`
 * feeds it from the trace that measure wrote, in the same order: the totals are the same to the
 * bit.
 *
 * In a trace the run is marked by the events PJI_RUN_START and PJI_RUN_END.
 */
#ifndef PJI_CLI_RUN_SERIES_H
#define PJI_CLI_RUN_SERIES_H

#include "energy/clip.h"
#include "energy/trace.h"

#define PJI_RUN_START "run_start"
#define PJI_RUN_END   "run_end"

struct pji_run_series {
    struct pji_series *series; /* n: one for each channel */
    struct pji_clip *clips;    /* n */
    size_t n, cap_series, cap_clips;
    int64_t start_ns, end_ns; /* of the run, 0 until known */
};

/* Zero-initialise; fini also after a failure. */
pj_status pji_run_series_init(struct pji_run_series *run, const struct pji_channel *channels,
                              size_t n, struct pj_error *err);
/* The same channels and more behind them, also when the run has begun or ended: those are cut to it
 * as well. */
pj_status pji_run_series_extend(struct pji_run_series *run, const struct pji_channel *channels,
                                size_t n, struct pj_error *err);
void pji_run_series_fini(struct pji_run_series *run);

/* The baseline was read; the run begins. Then: the run ended; the last readings follow. */
void pji_run_series_start(struct pji_run_series *run, int64_t start_ns);
void pji_run_series_end(struct pji_run_series *run, int64_t end_ns);
void pji_run_series_suspend(struct pji_run_series *run, int64_t dur_ns);
pj_status pji_run_series_add(struct pji_run_series *run, const struct pji_reading *reading,
                             struct pj_error *err);
/* No reading will come any more. */
pj_status pji_run_series_finish(struct pji_run_series *run, struct pj_error *err);

/* Feeds it from a trace; pji_run_series_finish after it. run->start_ns stays 0 where the trace has
 * no PJI_RUN_START: such a trace is not of one run, and its series hold nothing of lagging
 * channels. */
struct pji_trace_visitor pji_run_series_visitor(struct pji_run_series *run);

#endif
