/* analysis/paired.h - results of paired values and of residuals, laid out as the group of the same
 * name in the reference values. Same rules as analysis/by.h.
 */
#ifndef PJI_ANALYSIS_PAIRED_H
#define PJI_ANALYSIS_PAIRED_H

#include "analysis/by.h"
#include "stats/design.h"

#include <jansson.h>

/* One pair of treatments: x[i] and y[i] belong together; differences are x - y. */
pj_status pji_paired_signedrank(const double *x, const double *y, size_t n, json_t **out,
                                json_t *omitted, struct pj_error *err);

/* x against by->y in each group, level → numbers; spearman_t_p_bh is adjusted over the groups. */
pj_status pji_by_correlation(const struct pji_by *by, const double *x, json_t **out,
                             json_t *omitted, struct pj_error *err);

/* y[block * treatments + treatment]. */
pj_status pji_paired_friedman(const double *y, size_t blocks, const char *const *treatment,
                              size_t treatments, json_t **out, json_t *omitted,
                              struct pj_error *err);

/* raw, log, log1p, sqrt → Shapiro-Wilk of the residuals of the transformed response. */
pj_status pji_shapiro_residuals(const double *y, const struct pji_terms *terms, json_t **out,
                                json_t *omitted, struct pj_error *err);

#endif
