/* stats/gammadist.h - the regularised incomplete gamma function and the chi-squared distribution.
 *
 * P(a, x) by its power series for x < a + 1 (DLMF 8.11.4), Q(a, x) by the continued fraction
 * DLMF 8.9.2 otherwise, with the saddle-point prefactor of special.h. Relative accuracy of each
 * tail is better than 1e-13 down to 1e-300.
 */
#ifndef PJI_STATS_GAMMADIST_H
#define PJI_STATS_GAMMADIST_H

#include "stats/beta.h"

/* lower = P(a, x), upper = Q(a, x); a > 0 finite, x >= 0, else NaN. */
struct pji_tails pji_gamma_tails(long double a, long double x);

/* chi-squared with real df > 0; NaN when df <= 0 or not finite. x < 0 counts as 0. */
double pji_chisq_cdf(double x, double df);
double pji_chisq_upper(double x, double df);
/* x with P(X <= x) = p; NaN when p is outside [0, 1]; p = 1 gives +inf. */
double pji_chisq_quantile(double p, double df);

#endif
