/* stats/moments.h - mean, variance and the checks that every function makes of its input.
 *
 * Sums run in long double and deviations are taken from the mean in a second pass, so results are
 * exact to rounding for any data whose deviations are representable.
 */
#ifndef PJI_STATS_MOMENTS_H
#define PJI_STATS_MOMENTS_H

#include "stats/condition.h"

#include <stddef.h>

double pji_sum(const double *x, size_t n);
double pji_mean(const double *x, size_t n);       /* n >= 1; NaN when n = 0 */
double pji_variance(const double *x, size_t n);   /* divisor n - 1; NaN when n < 2 */
double pji_central_ss(const double *x, size_t n); /* sum of (x - mean)^2; 0 when n = 0 */

/* PJ_EINVAL naming the first value that is NaN or infinite; `what` starts the sentence. */
pj_status pji_check_finite(const double *x, size_t n, const char *what, struct pj_error *err);

#endif
