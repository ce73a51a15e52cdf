/* stats/root.h - a zero of a continuous function inside a bracket.
 *
 * R. P. Brent, Algorithms for Minimization without Derivatives (1973), chapter 4: inverse quadratic
 * interpolation guarded by bisection, to the last bit that the function can resolve.
 */
#ifndef PJI_STATS_ROOT_H
#define PJI_STATS_ROOT_H

typedef double pji_root_fn(double x, const void *ctx);

/* f(lo) and f(hi) must differ in sign or be zero; NaN when they do not. */
double pji_root(pji_root_fn *f, const void *ctx, double lo, double hi);

/* The zero of an increasing (rising = 1) or decreasing (rising = 0) function: the bracket is grown
 * from `start` by `step`, doubling, at most 200 times; NaN when no sign change was found. */
double pji_root_monotone(pji_root_fn *f, const void *ctx, double start, double step, int rising);

#endif
