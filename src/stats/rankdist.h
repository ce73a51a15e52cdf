/* stats/rankdist.h - exact null distributions of rank statistics without ties.
 *
 * Counts of equally likely arrangements, by recurrences that only add (relative accuracy of every
 * tail), as probabilities in long double. Each returns both tails including the point itself:
 * lower = P(X <= x), upper = P(X >= x).
 */
#ifndef PJI_STATS_RANKDIST_H
#define PJI_STATS_RANKDIST_H

#include "stats/beta.h"
#include "stats/condition.h"

#include <stddef.h>

/* The largest table that is computed, in additions; beyond it PJI_STATS_TOO_LARGE. */
#define PJI_RANKDIST_WORK 4e9

struct pji_rankdist {
    long double *p; /* probability of 0 … max */
    size_t max;
};

/* Rank sum of the first of two samples minus its minimum (Mann and Whitney 1947): 0 … m n. */
pj_status pji_rankdist_sum(size_t m, size_t n, struct pji_rankdist *out, struct pj_error *err);
/* Signed-rank sum (Wilcoxon 1945): 0 … n (n + 1)/2. */
pj_status pji_rankdist_signed(size_t n, struct pji_rankdist *out, struct pj_error *err);
/* Number of discordant pairs (Kendall 1938): 0 … n (n - 1)/2. */
pj_status pji_rankdist_kendall(size_t n, struct pji_rankdist *out, struct pj_error *err);
/* Sum of squared rank differences (Spearman) by enumeration of all orders, n <= 10; only even
 * values have probability: 0 … (n^3 - n)/3. */
pj_status pji_rankdist_spearman(size_t n, struct pji_rankdist *out, struct pj_error *err);

void pji_rankdist_fini(struct pji_rankdist *dist);

struct pji_tails pji_rankdist_tails(const struct pji_rankdist *dist, double x);

/* Smallest x with P(X <= x) >= p, 0 < p < 1. */
size_t pji_rankdist_quantile(const struct pji_rankdist *dist, double p);

/* min(1, 2 min(P(X <= x), P(X >= x))) */
double pji_rankdist_two_sided(const struct pji_rankdist *dist, double x);

#endif
