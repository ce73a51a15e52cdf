/* stats/wilcoxon.h - Wilcoxon's rank-sum (Mann-Whitney) and signed-rank tests.
 *
 * Rank sum: W counts pairs x > y, ties half (rank sum of x minus its minimum). Normal p-values with
 * the tie-corrected variance n1 n2/12 (N + 1 - sum(t^3-t)/(N(N-1))), with and without a continuity
 * correction of 1/2 (M. Hollander and D. A. Wolfe, Nonparametric Statistical Methods, 1999,
 * chapter 4). Exact p without ties. The shift estimate of Hodges and Lehmann (1963) is the median
 * of all x - y; its exact interval takes the order statistics of those differences at the quantile
 * of W (Bauer 1972). Signed rank: V adds the ranks of |d| with d > 0, zeros dropped first
 * (Wilcoxon's way); variance n(n+1)(2n+1)/24 - sum(t^3-t)/48. The pseudo-median is the median of
 * the Walsh averages.
 */
#ifndef PJI_STATS_WILCOXON_H
#define PJI_STATS_WILCOXON_H

#include "stats/condition.h"

#include <stdbool.h>
#include <stddef.h>

struct pji_rank_sum {
    size_t n1, n2;
    double W;
    bool ties;
    double p_normal_cc, p_normal_nocc;
    double hodges_lehmann;
    double p_exact, hl_low, hl_high; /* missing when has_exact is false */
    bool has_exact;
};

/* Exact values are computed when there are no ties and both n < exact_below. level is that of the
 * interval. PJI_STATS_FEW: an empty sample; PJI_STATS_CONSTANT: all values equal (no p).
 * A table that would be too large leaves has_exact false. */
pj_status pji_rank_sum(const double *x, size_t n1, const double *y, size_t n2, size_t exact_below,
                       double level, struct pji_rank_sum *out, struct pj_error *err);

struct pji_signed_rank {
    size_t n, zeros;
    double V, p_normal_cc, p_normal_nocc;
    double pseudo_median; /* of all differences */
    double p_exact;       /* missing when has_exact is false */
    bool has_exact;       /* no zeros, no equal |d|, n < exact_below */
};

/* Of differences d. PJI_STATS_FEW: none; PJI_STATS_CONSTANT: all are zero (no p). */
pj_status pji_signed_rank(const double *d, size_t n, size_t exact_below,
                          struct pji_signed_rank *out, struct pj_error *err);

#endif
