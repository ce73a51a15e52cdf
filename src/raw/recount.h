/* raw/recount.h - the records of an imported run made again from the raw files that its study
 * keeps.
 */
#ifndef PJI_RAW_RECOUNT_H
#define PJI_RAW_RECOUNT_H

#include "raw/run.h"

/* What is common to the runs of one study: which domains any of them recorded, and how numbers are
 * written. */
struct pji_raw_recount {
    struct pji_raw_domains domains;
    bool decimal_comma;
};
/* false: the study was not imported from raw runs of the GreenLab kind. */
pj_status pji_raw_recount_begin(struct pji_raw_recount *recount, struct pji_store *store,
                                bool *imported, struct pj_error *err);
/* Records of `attempt` of `store` into a running attempt of another. PJ_EINVAL: the files cannot be
 * read as a run (err says why). */
pj_status pji_raw_recount_run(const struct pji_raw_recount *recount, struct pji_store *store,
                              int64_t attempt, struct pji_store *into, int64_t into_attempt,
                              struct pj_error *err);

#endif
