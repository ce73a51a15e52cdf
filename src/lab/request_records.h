/* lab/request_records.h - a request of a phase, and what its answer is worth, as records. */
#ifndef PJI_LAB_REQUEST_RECORDS_H
#define PJI_LAB_REQUEST_RECORDS_H

#include "lab/records.h"
#include "lab/scores.h"

/* The i-th request of the phase. */
pj_status pji_request_store(struct pji_store *store, int64_t attempt,
                            const struct pji_phase_data *phase, size_t i, struct pj_error *err);
/* Its answer, added to scores; nothing where the task has no gold labels. */
pj_status pji_answer_store(struct pji_store *store, int64_t attempt,
                           const struct pji_phase_data *phase, size_t i, struct pji_scores *scores,
                           struct pj_error *err);

#endif
