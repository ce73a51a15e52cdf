/* lab/extend.h - more repetitions and more levels for a study that exists already.
 *
 * An extension changes `repetitions`, `exclude` and the levels of factors, and nothing else; no
 * cell that was planned may go. Trials that exist keep their number, cell, block and repetition:
 * not one existing row is written. New trials follow in new blocks. Block k of the extension holds
 * every cell that still lacks k repetitions or more, so that new levels meet old ones in a block as
 * long as the old ones get repetitions too. Its order is drawn from the stream "order/extension/N"
 * of the seed (N: first, second, … extension), and its digest stands beside the study's.
 */
#ifndef PJI_LAB_EXTEND_H
#define PJI_LAB_EXTEND_H

#include "lab/design.h"
#include "lab/workload.h"
#include "store/store.h"

struct pji_extension {
    int64_t number; /* 1: the first of this study */
    size_t new_trials, new_cells, new_levels;
    size_t alone; /* new cells none of whose blocks holds a cell that was there before */
    char sha256[65];
};

/* study: the new file, read and checked; workload: its items. Refuses with the reason (PJ_EINVAL)
 * what is no extension, also when there is nothing to add. One transaction. */
pj_status pji_study_extend(struct pji_store *store, const struct pji_study *study,
                           const struct pji_workload *workload, struct pji_extension *out,
                           struct pj_error *err);

#endif
