/* stats/normal.h - the standard normal distribution.
 *
 * Tails are erfc(|z|/sqrt 2)/2. The quantile starts from the rational approximation 26.2.23 of
 * Abramowitz and Stegun (1964; error 4.5e-4) and takes Halley steps on the small tail, or on the
 * central area near p = 1/2, until it is exact to rounding, for p down to the smallest double.
 */
#ifndef PJI_STATS_NORMAL_H
#define PJI_STATS_NORMAL_H

double pji_normal_cdf(double z);       /* P(Z <= z) */
double pji_normal_upper(double z);     /* P(Z > z), relative accuracy in the tail */
double pji_normal_two_sided(double z); /* P(|Z| >= |z|) */

/* z with P(Z <= z) = p; p = 0 and 1 give -inf and +inf; NaN outside [0, 1]. */
double pji_normal_quantile(double p);

#endif
