/* stats/mcnemar.h - paired yes/no answers of two treatments.
 *
 * b items only the first got right, c only the second. Q. McNemar (1947, doi:10.1007/BF02295996):
 * (b - c)^2/(b + c) on one df, with A. L. Edwards' (1948) correction (|b - c| - 1)^2/(b + c);
 * exact: b is binomial(b + c, 1/2) when the treatments do not differ.
 */
#ifndef PJI_STATS_MCNEMAR_H
#define PJI_STATS_MCNEMAR_H

#include "stats/condition.h"

#include <stddef.h>

struct pji_mcnemar {
    double chi2, p, chi2_cc, p_cc;
    double p_exact; /* two-sided, twice the smaller tail, at most 1 */
};

/* PJI_STATS_FEW: b + c = 0 (no p). */
pj_status pji_mcnemar(size_t b, size_t c, struct pji_mcnemar *out);

/* P(X <= k) for X binomial(n, p), 0 <= p <= 1 (NaN otherwise), by the incomplete beta function. */
double pji_binomial_cdf(size_t k, size_t n, double p);

#endif
