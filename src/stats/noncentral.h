/* stats/noncentral.h - the noncentral t and F distributions and limits for their noncentrality.
 *
 * t: T = (Z + ncp)/S with S^2 = chi^2(df)/df, so P(T > t) is the integral of the normal tail at
 * t s - ncp over the density of S: every term positive, hence both tails keep their relative
 * accuracy (N. L. Johnson, S. Kotz, N. Balakrishnan, Continuous Univariate Distributions 2, 1995,
 * chapter 31). F: Poisson mixture of central beta tails (chapter 30), summed outwards from its
 * largest term. Both better than 1e-12 relative down to 1e-300.
 */
#ifndef PJI_STATS_NONCENTRAL_H
#define PJI_STATS_NONCENTRAL_H

/* df > 0 (INFINITY: normal with mean ncp), ncp finite; else NaN. */
double pji_nct_cdf(double t, double df, double ncp);
double pji_nct_upper(double t, double df, double ncp);

/* d1, d2 > 0 finite, ncp >= 0 finite (lambda, the sum of squared standardised means); else NaN. */
double pji_ncf_cdf(double f, double d1, double d2, double ncp);
double pji_ncf_upper(double f, double d1, double d2, double ncp);

/* The ncp for which P(T <= t) = p, 0 < p < 1. With p = 1 - a/2 and a/2 this gives the lower and
 * upper confidence limit (J. H. Steiger and R. T. Fouladi 1997). */
double pji_nct_ncp(double t, double df, double p);

/* As pji_nct_ncp, but with the normal approximation 26.7.10 of Abramowitz and Stegun (1964) in
 * place of the exact distribution where |ncp| > 37.62: the convention of R (its pt switches there)
 * and so of the limits of d and g that are published. The exact root differs by about one percent.
 */
double pji_nct_ncp_conventional(double t, double df, double p);

/* As pji_nct_ncp, for F; 0 when even ncp = 0 gives P(F <= f) <= p. */
double pji_ncf_ncp(double f, double d1, double d2, double p);

#endif
