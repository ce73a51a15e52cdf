/* stats/integrate.h - integral over the whole line of a positive function with one peak.
 *
 * The trapezoidal rule on an analytic function that falls off on both sides converges
 * exponentially in 1/step (L. N. Trefethen and J. A. C. Weideman, SIAM Review 56 (2014) 385,
 * doi:10.1137/130932132). The step is halved until two results agree to 1e-10 relative;
 * halving squares the error.
 */
#ifndef PJI_STATS_INTEGRATE_H
#define PJI_STATS_INTEGRATE_H

/* Natural logarithm of the integrand; -inf where it is 0. */
typedef long double pji_log_fn(long double u, const void *ctx);

/* Where a unimodal log_f has its maximum; the search starts at `start` with steps of `scale`. */
long double pji_peak(pji_log_fn *log_f, const void *ctx, long double start, long double scale);

/* Integral of exp(log_f) over the line, `peak` from pji_peak; scale is only a first guess of the
 * peak's width. */
long double pji_integrate(pji_log_fn *log_f, const void *ctx, long double peak, long double scale);

#endif
