/* stats/special.h - the pieces from which the distributions are built, in long double.
 *
 * A tail of 1e-300 is exp(-690): a relative error of 1e-12 there leaves 1.4e-15 for the logarithm,
 * which is why everything below is carried in long double (64-bit mantissa on x86, 113-bit on
 * aarch64) and rounded once at the end. The saddle-point form of the densities (no difference of
 * large logarithms) follows C. Loader, Fast and Accurate Computation of Binomial Probabilities
 * (2000).
 */
#ifndef PJI_STATS_SPECIAL_H
#define PJI_STATS_SPECIAL_H

/* Error of Stirling's formula: ln Gamma(x) - (x - 1/2) ln x + x - ln(2 pi)/2, x > 0 (DLMF 5.11.1).
 */
long double pji_stirling_error(long double x);

/* Deviance x ln(x/m) + m - x for x >= 0, m > 0, without cancellation near x = m. */
long double pji_deviance(long double x, long double m);

/* ln(1 + x) - x without cancellation, x > -1. */
long double pji_log1p_minus(long double x);

#endif
