/* analysis/conclusion.h - which p-values a conclusion is drawn from: every family of comparisons in
 * the results of an analysis, adjusted by one method, compared with one alpha.
 *
 * A family is what one table of results compares together: all pairs of dunn, wilcoxon, ttest,
 * signedrank, mcnemar or equivalence; the consecutive, polynomial or pairwise contrasts of one
 * factor (within each combination of the other factors where the means are taken within them); one
 * correlation for each group. Its p is dunn's p, wilcoxon's and signedrank's exact p where every
 * pair has one, else the normal p with continuity correction, ttest's Welch p, mcnemar's exact p,
 * Spearman's p of the t approximation. Adjustments: stats/adjust.h; Tukey is that of all pairwise
 * contrasts of k means with a common variance, P(Q(k, df) > |t| sqrt 2) (J. W. Tukey 1953; C. Y.
 * Kramer 1956 for unequal n), and exists for pairwise contrasts only.
 */
#ifndef PJI_ANALYSIS_CONCLUSION_H
#define PJI_ANALYSIS_CONCLUSION_H

#include "core/error.h"

#include <jansson.h>
#include <stdbool.h>

struct pji_adjustment {
    const char *name; /* as in a study file: "Holm" */
    const char *long_name;
    const char *suffix; /* of the columns of results that hold it: "_holm", or "" */
};

/* The i-th adjustment, the first is the default; NULL past the last. */
const struct pji_adjustment *pji_adjustment_at(size_t i);
/* By name, capitals do not matter; NULL: the default. PJ_EINVAL: there is none of this name. */
pj_status pji_adjustment_find(const char *name, const struct pji_adjustment **out,
                              struct pj_error *err);

/* {"adjust", "alpha", "families": {"dunn": {"A - B": {"p", "p_adjusted", "below_alpha"}}}}. A
 * family in which a p is missing has no p_adjusted: it would be adjusted for too few comparisons.
 */
pj_status pji_conclude(const json_t *results, const struct pji_adjustment *adjustment, double alpha,
                       json_t **out, struct pj_error *err);

#endif
