/* stats/beta.h - the regularised incomplete beta function, both tails at once.
 *
 * Definition: I_x(a, b) = B(a, b)^-1 * integral of t^(a-1) (1-t)^(b-1) over 0…x (DLMF 8.17.2).
 * Evaluated by the continued fraction DLMF 8.17.22, even part, on the side of the mean where it
 * converges, with the saddle-point prefactor of special.h. Relative accuracy of the smaller tail
 * is better than 1e-13 down to 1e-300 for a + b up to 1e12; the time grows as the square root of
 * the smaller parameter at worst.
 */
#ifndef PJI_STATS_BETA_H
#define PJI_STATS_BETA_H

struct pji_tails {
    long double lower;
    long double upper;
};

/* x + y must be 1; both are given so that a caller who knows the small one exactly loses nothing.
 * a, b > 0 and finite, 0 <= x <= 1; otherwise both tails are NaN. */
struct pji_tails pji_beta_tails(long double a, long double b, long double x, long double y);

/* x^a y^b / B(a, b): x (1-x) times the density. */
long double pji_beta_kernel(long double a, long double b, long double x, long double y);

#endif
