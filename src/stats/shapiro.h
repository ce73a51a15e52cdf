/* stats/shapiro.h - the Shapiro-Wilk test of normality.
 *
 * W and its significance as in P. Royston, Remark AS R94, Applied Statistics 44 (1995) 547
 * (doi:10.2307/2986146), complete samples: the two outermost weights from polynomials in 1/sqrt n,
 * the rest proportional to Blom's normal scores, p from a normalising transformation of 1 - W
 * (n = 3 exact, 4 to 11, 12 and more).
 */
#ifndef PJI_STATS_SHAPIRO_H
#define PJI_STATS_SHAPIRO_H

#include "stats/condition.h"

#include <stddef.h>

struct pji_shapiro {
    size_t n;
    double W;
    double p;
};

/* PJI_STATS_FEW: n < 3; PJI_STATS_CONSTANT: all values equal; PJI_STATS_TOO_LARGE: n > 5000, where
 * the approximation was never fitted. W and p are then missing. */
pj_status pji_shapiro_wilk(const double *x, size_t n, struct pji_shapiro *out,
                           struct pj_error *err);

#endif
