/* stats/pairwise.h - exact order statistics of all pairwise differences or means.
 *
 * The k-th smallest of n m numbers x_i - y_j without storing them: for sorted x and y the number
 * of pairs <= v takes one walk, and v is bisected over the doubles themselves (at most 64 walks).
 * The medians are the estimates of J. L. Hodges and E. L. Lehmann (1963,
 * doi:10.1214/aoms/1177704172); the averages are those of J. E. Walsh (1949).
 */
#ifndef PJI_STATS_PAIRWISE_H
#define PJI_STATS_PAIRWISE_H

#include <stddef.h>

/* k-th smallest (1 <= k <= n m) of x_i - y_j; x and y ascending and finite. */
double pji_difference_select(const double *x, size_t n, const double *y, size_t m, size_t k);
/* Their median: the mean of the two middle ones when n m is even. */
double pji_difference_median(const double *x, size_t n, const double *y, size_t m);

/* Median of the n (n + 1)/2 Walsh averages (d_i + d_j)/2, i <= j; d ascending and finite. */
double pji_walsh_median(const double *d, size_t n);

#endif
