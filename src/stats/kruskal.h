/* stats/kruskal.h - Kruskal-Wallis and Dunn's comparisons.
 *
 * H is the between-group sum of squares of the mid-ranks over their variance (W. H. Kruskal and
 * W. A. Wallis 1952, doi:10.1080/01621459.1952.10483441, with their tie correction), referred to
 * chi-squared(k - 1). epsilon2_rank = H/(n - 1), eta2_H = (H - k + 1)/(n - k) (M. Tomczak and
 * E. Tomczak 2014). Dunn (1964, doi:10.1080/00401706.1964.10490181):
 * z = (mean rank i - mean rank j) / sqrt((n(n+1)/12 - sum(t^3-t)/(12(n-1))) (1/n_i + 1/n_j)).
 */
#ifndef PJI_STATS_KRUSKAL_H
#define PJI_STATS_KRUSKAL_H

#include "stats/groups.h"

struct pji_kruskal {
    size_t n, k;
    double H, df, p, epsilon2_rank, eta2_H, tie_correction;
    double *mean_rank; /* of each group */
    double *count;     /* values in each group */
    double variance;   /* of one mean rank times its n: the bracket in Dunn's formula */
};

/* Fills out, to be given to pji_kruskal_fini also after a condition: PJI_STATS_FEW (one group:
 * mean ranks only), PJI_STATS_CONSTANT (all values equal), PJI_STATS_SATURATED (n = k: no
 * eta2_H). */
pj_status pji_kruskal(const struct pji_groups *groups, struct pji_kruskal *out,
                      struct pj_error *err);
void pji_kruskal_fini(struct pji_kruskal *kruskal);

struct pji_dunn {
    double z, p;
};

/* Group i against group j of a finished Kruskal-Wallis; p two-sided, unadjusted.
 * PJI_STATS_CONSTANT: all values equal. */
pj_status pji_dunn(const struct pji_kruskal *kruskal, size_t i, size_t j, struct pji_dunn *out);

#endif
