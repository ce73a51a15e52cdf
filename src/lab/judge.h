/* lab/judge.h - scores that another model or a person gave to the answers of a study.
 *
 * They stand in a column of their own, judge_score, and are never accuracy: a judge did not look at
 * a gold label. The file is CSV with the columns trial and score, and task where the study has
 * several; one row for each score. What a trial gets is the mean of its scores and their number
 * (judge_scores); rows of trials that are not done are refused.
 */
#ifndef PJI_LAB_JUDGE_H
#define PJI_LAB_JUDGE_H

#include "store/store.h"

struct pji_judge_result {
    size_t scores, trials;
};

/* All or nothing, and once for each task of a trial: PJ_EINVAL with file and line. The SHA-256 of
 * the file becomes the fact judge_score[.TASK].sha256 of each attempt. */
pj_status pji_judge_import(struct pji_store *store, const char *path,
                           struct pji_judge_result *result, struct pj_error *err);

#endif
