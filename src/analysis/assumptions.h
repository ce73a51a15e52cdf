/* analysis/assumptions.h - which route a comparison takes: the assumptions of the parametric tests
 * on three scales, and a recommendation by rule.
 *
 * Normal: Shapiro-Wilk of the residuals of the fixed part, p >= alpha. Equal variances: Brown and
 * Forsythe's test between the cells of the factors, p >= alpha. The rule, for the scales raw, log
 * and sqrt in this order: the first on which both hold → "parametric" there; else the first with
 * normal residuals → "welch" there; else "rank". docs/statistics.md.
 */
#ifndef PJI_ANALYSIS_ASSUMPTIONS_H
#define PJI_ANALYSIS_ASSUMPTIONS_H

#include "stats/design.h"

#include <jansson.h>

/* y is untransformed. code: cell of each row among k; k = 1: variances have nothing to differ
 * between. *out: recommended_scale, route, reason, and raw, log, sqrt → shapiro_W, shapiro_p,
 * levene_F, levene_p, normal, equal_variances (what does not exist is left out). */
pj_status pji_assumptions(const double *y, const struct pji_terms *terms, const size_t *code,
                          size_t k, double alpha, json_t **out, struct pj_error *err);

#endif
