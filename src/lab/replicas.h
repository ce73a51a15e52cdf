/* lab/replicas.h - gates that look across the repetitions of a treatment: a trial that is done is
 * held against the first one of its cell that is done.
 *
 *   identical_outputs (note)  every answer is byte for byte what that repetition gave: repetitions
 *                             then replicate the measurement, not the model's answers
 *   prompt_changed (flag)     the server made something else of the same prompts: the rendered
 *                             prompts differ (facts prompt.TASK.rendered_sha256), or the numbers of
 *                             prompt tokens that it counted
 *
 * What is said stays true whatever trials follow.
 */
#ifndef PJI_LAB_REPLICAS_H
#define PJI_LAB_REPLICAS_H

#include "store/store.h"

/* Adds the gates of a trial whose records are stored; inside the caller's transaction. */
pj_status pji_replicas_judge(struct pji_store *store, int64_t trial, int64_t attempt,
                             struct pj_error *err);

#endif
