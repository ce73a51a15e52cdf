/* stats/fisher.h - Fisher's F and the beta distribution.
 *
 * P(F > f) = I_y(d2/2, d1/2) with y = d2/(d2 + d1 f) (DLMF 8.17.2). d2 = INFINITY (and anything
 * above 1e12) is chi-squared(d1)/d1. NaN when d1 or d2 <= 0, d1 infinite, or f NaN; f < 0 is 0.
 */
#ifndef PJI_STATS_FISHER_H
#define PJI_STATS_FISHER_H

double pji_f_cdf(double f, double d1, double d2);
double pji_f_upper(double f, double d1, double d2);
/* f with P(F <= f) = p; NaN outside [0, 1]; p = 1 gives +inf. */
double pji_f_quantile(double p, double d1, double d2);

/* Beta(a, b) on [0, 1]; a, b > 0 finite, else NaN; x outside [0, 1] is moved to the nearer end. */
double pji_beta_cdf(double x, double a, double b);
double pji_beta_upper(double x, double a, double b);
double pji_beta_quantile(double p, double a, double b);

#endif
