/* lab/scores.h - the answers of one task in one trial: each scored against its gold label, and the
 * figures over all of them (docs/metrics.md).
 */
#ifndef PJI_LAB_SCORES_H
#define PJI_LAB_SCORES_H

#include "lab/workload.h"
#include "load/load.h"
#include "task/score.h"

struct pji_scores {
    enum pji_scorer_kind kind;
    const char *positive;
    size_t answers, parsable, correct;
    double f1; /* sum over answers */
    struct pji_binary binary;
};

/* A request that failed or said nothing is an unparsable answer, and wrong. pji_scored_fini in
 * every case. */
pj_status pji_scores_add(struct pji_scores *scores, const struct pji_workload_task *task,
                         const struct pji_item *item, const struct pji_request_record *record,
                         struct pji_scored *out, struct pj_error *err);

/* Calls put for each figure, NaN with a reason where it is not defined. */
typedef pj_status pji_scores_sink(void *context, const char *name, double value,
                                  const char *reason);
pj_status pji_scores_each(const struct pji_scores *scores, pji_scores_sink *put, void *context);

#endif
