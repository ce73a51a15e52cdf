/* stats/hac.h - weighted least squares of a few columns over a series in time, with a covariance
 * that holds when the errors are neither equal nor independent.
 *
 * beta = (X'WX)^-1 X'Wy. Its covariance is the sandwich (X'WX)^-1 S (X'WX)^-1 with Bartlett weights
 * 1 - l / (lags + 1) on the autocovariances of the scores x_i w_i e_i (W. K. Newey and K. D. West
 * 1987, doi:10.2307/1913610), times n / (n - p). With lags 0 it is White's. `lags` must span what
 * is correlated; with few spans in the series the estimate itself is uncertain, and df says how
 * much: n / (lags + 1) - p blocks, at least 1, for Student's t.
 *
 * The condition number is that of the weighted columns, each scaled to length 1 (D. A. Belsley,
 * E. Kuh and R. E. Welsch, Regression Diagnostics, 1980, section 3.2: above 30 coefficients cannot
 * be told apart).
 */
#ifndef PJI_STATS_HAC_H
#define PJI_STATS_HAC_H

#include "stats/condition.h"
#include "stats/matrix.h"

enum { PJI_HAC_COLUMNS = 8, PJI_HAC_CONDITION = 30 };

struct pji_hac {
    size_t n, p;
    double beta[PJI_HAC_COLUMNS];
    double cov[PJI_HAC_COLUMNS * PJI_HAC_COLUMNS]; /* element (i, j) is cov[i + j * p] */
    double condition;
    double rss;   /* weighted */
    double sigma; /* sqrt(rss / (n - p)) */
    double df;
    double *residual; /* n, not weighted */
};

/* weight NULL: all 1; else n positive numbers. x has at most PJI_HAC_COLUMNS columns. Always to be
 * given to pji_hac_fini unless negative. Conditions: PJI_STATS_FEW (n <= p), PJI_STATS_DEFICIENT
 * (the columns depend on each other): only `condition` is filled. */
pj_status pji_hac_fit(struct pji_hac *fit, const struct pji_matrix *x, const double *y,
                      const double *weight, size_t lags, struct pj_error *err);
void pji_hac_fini(struct pji_hac *fit);

/* By how much the errors of a series are fewer than its values: 1 + 2 sum of the autocorrelations
 * up to the first that is not positive, at most `lags`; at least 1. */
double pji_inflation(const double *residual, size_t n, size_t lags);

#endif
