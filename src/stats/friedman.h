/* stats/friedman.h - Friedman's test of k treatments in b complete blocks.
 *
 * Mid-ranks within blocks; chi^2 = 12 sum (R_j - b(k+1)/2)^2 / (b k (k+1) - sum(t^3-t)/(k-1)), on
 * k - 1 df (M. Friedman 1937; tie correction W. J. Conover 1999). Kendall's W = chi^2/(b (k-1)).
 */
#ifndef PJI_STATS_FRIEDMAN_H
#define PJI_STATS_FRIEDMAN_H

#include "stats/condition.h"

#include <stddef.h>

struct pji_friedman {
    size_t blocks, treatments;
    double chi2, df, p, kendalls_w;
    double *rank_sum; /* of each treatment */
};

/* y[block * treatments + treatment], finite. To be given to pji_friedman_fini also after a
 * condition: PJI_STATS_FEW (no block or fewer than two treatments), PJI_STATS_CONSTANT (every
 * block has equal values only). */
pj_status pji_friedman(const double *y, size_t blocks, size_t treatments, struct pji_friedman *out,
                       struct pj_error *err);
void pji_friedman_fini(struct pji_friedman *friedman);

#endif
