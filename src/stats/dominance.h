/* stats/dominance.h - Cliff's delta and Vargha and Delaney's A.
 *
 * delta = P(X > Y) - P(X < Y) over all pairs (N. Cliff 1993, doi:10.1037/0033-2909.114.3.494),
 * A = (delta + 1)/2 (A. Vargha and H. D. Delaney 2000). Unbiased variance of delta: Cliff (1996),
 * from the row and column means of the matrix of signs. Asymmetric interval with Student's t on
 * n1 + n2 - 2 degrees of freedom: D. Feng and N. Cliff (2004, doi:10.22237/jmasm/1099267560).
 */
#ifndef PJI_STATS_DOMINANCE_H
#define PJI_STATS_DOMINANCE_H

#include "stats/condition.h"

#include <stddef.h>

struct pji_dominance {
    double delta, vargha_delaney_A;
    double var_unbiased, ci_low, ci_high;
};

/* PJI_STATS_FEW: an empty sample, or n1 or n2 = 1 (delta only); PJI_STATS_UNDEFINED: |delta| = 1
 * (no variance, no interval) or a variance <= 0 (no interval). O(n log n). */
pj_status pji_dominance(const double *x, size_t n1, const double *y, size_t n2, double level,
                        struct pji_dominance *out, struct pj_error *err);

#endif
