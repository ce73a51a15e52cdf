/* stats/student.h - Student's t distribution with real df > 0; df = INFINITY is the normal.
 *
 * P(T > t) = I_x(df/2, 1/2)/2 with x = df/(df + t^2), t >= 0 (DLMF 8.17.2). For df above 1e8 the
 * normalising transformation of G. W. Hill (1970, CACM Algorithm 395, doi:10.1145/355598.355599)
 * is exact to rounding. NaN when df <= 0 or an argument is NaN.
 */
#ifndef PJI_STATS_STUDENT_H
#define PJI_STATS_STUDENT_H

double pji_t_cdf(double t, double df);
double pji_t_upper(double t, double df);
double pji_t_two_sided(double t, double df); /* P(|T| >= |t|) */

/* t with P(T <= t) = p; p = 0 and 1 give -inf and +inf; NaN outside [0, 1]. */
double pji_t_quantile(double p, double df);

#endif
