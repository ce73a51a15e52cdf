/* raw/run.h - one run: its three files read, its energies computed; and its records in the store.
 *
 * The measured window runs from the first sample at or after the start of the first prompt to the
 * last one at or before the end of the last prompt: phase `measure`. Before it lies `load` (the
 * model), after it `unload`; `trial` is the whole recording. Edges are samples, so that the three
 * phases add up to the whole.
 */
#ifndef PJI_RAW_RUN_H
#define PJI_RAW_RUN_H

#include "raw/energies.h"
#include "raw/prompts.h"
#include "raw/tree.h"
#include "store/store.h"

enum pji_raw_phase { PJI_RAW_WHOLE, PJI_RAW_LOAD, PJI_RAW_MEASURE, PJI_RAW_UNLOAD, PJI_RAW_PHASES };
extern const char *const pji_raw_phase_names[PJI_RAW_PHASES];

struct pji_raw_run {
    struct pji_raw_samples samples;
    struct pji_raw_prompts prompts;
    struct pji_raw_summary summary;
    struct pji_raw_energies energies;
    size_t first, last; /* samples of the measured window */
    int64_t max_gap_ns; /* between two samples of it */
    struct pji_raw_window windows[PJI_RAW_PHASES];
    const char *reason; /* of a failure, one word; NULL: none */
};

/* Reads and computes. Files are looked for in `folder`, messages call them `shown`/NAME. A failure
 * that is the run's own (a missing, torn or wrong file) leaves run->reason; pji_raw_run_fini in
 * every case. */
pj_status pji_raw_run_read(struct pji_raw_run *run, const char *folder, const char *shown,
                           bool decimal_comma, const struct pji_raw_domains *expected,
                           struct pj_error *err);
void pji_raw_run_fini(struct pji_raw_run *run);

int64_t pji_raw_run_start(const struct pji_raw_run *run, enum pji_raw_phase phase);
int64_t pji_raw_run_end(const struct pji_raw_run *run, enum pji_raw_phase phase);

/* GPU energy over samples first…last, W times s: each value held until the next time stamp; and
 * each value times a fixed interval, as many samples as there are. NaN without a GPU's power. */
double pji_raw_gpu_hold_j(const struct pji_raw_run *run, size_t first, size_t last);
double pji_raw_gpu_rows_j(const struct pji_raw_run *run, size_t first, size_t last,
                          double interval_s);

/* Phases, energies, requests, figures, facts. invalid_reason gets the codes of gates that make the
 * run invalid, comma-separated. */
pj_status pji_raw_run_store(const struct pji_raw_run *run, struct pji_store *store, int64_t attempt,
                            struct pji_str *invalid_reason, struct pj_error *err);

#endif
