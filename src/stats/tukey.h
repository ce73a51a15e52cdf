/* stats/tukey.h - the studentized range distribution.
 *
 * q = (max - min of k independent standard normals)/S, S^2 = chi^2(df)/df. P(range > w) is
 * k times the integral of phi(z) (Phi(z)^(k-1) - (Phi(z) - Phi(z - w))^(k-1)): positive everywhere,
 * so the upper tail keeps its relative accuracy; the density of S is integrated as in
 * noncentral.h (H. O. Hartley 1942, Biometrika 32, 309; M. D. Copenhaver and B. Holland 1988,
 * doi:10.1080/00949658808811082). Better than 1e-12 relative down to 1e-300; the lower tail below
 * q = 1e-4 loses digits.
 */
#ifndef PJI_STATS_TUKEY_H
#define PJI_STATS_TUKEY_H

/* k >= 2 means, df > 0 or INFINITY; else NaN. q < 0 counts as 0. */
double pji_tukey_cdf(double q, double k, double df);
double pji_tukey_upper(double q, double k, double df);
/* q with P(Q <= q) = p; NaN outside [0, 1]; p = 1 gives +inf. */
double pji_tukey_quantile(double p, double k, double df);

#endif
