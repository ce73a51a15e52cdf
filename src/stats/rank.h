/* stats/rank.h - mid-ranks.
 *
 * Equal values share the mean of their ranks (M. G. Kendall 1945, doi:10.1093/biomet/33.3.239);
 * equality is exact (no rounding before comparing).
 */
#ifndef PJI_STATS_RANK_H
#define PJI_STATS_RANK_H

#include "stats/condition.h"

#include <stdbool.h>
#include <stddef.h>

struct pji_ties {
    double cubes; /* sum of t^3 - t over groups of t equal values */
    bool any;     /* some values are equal */
};

/* ranks[i] in 1 … n of x[i]; ties may be NULL. */
pj_status pji_rank(const double *x, size_t n, double *ranks, struct pji_ties *ties,
                   struct pj_error *err);

#endif
