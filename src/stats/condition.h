/* stats/condition.h - what the functions of stats/ answer when a number does not exist.
 *
 * Rules of this room. Input that no definition covers (a level outside (0, 1), a value that is not
 * finite, a negative count) is PJ_EINVAL. Input that is fine but too poor for a number is not an
 * error: the function returns one of the positive conditions below, fills what does exist and puts
 * NaN in every double that does not. So NaN never comes without a condition, and a caller that
 * prints a table prints the condition's reason instead. Functions of one distribution (cdf,
 * quantile) return NaN for parameters outside their documented domain and nowhere else.
 *
 * Nothing in this room reads files, keeps state, prints, or knows a unit. All functions are safe
 * to call from any thread.
 */
#ifndef PJI_STATS_CONDITION_H
#define PJI_STATS_CONDITION_H

#include "core/error.h"

enum pji_stats_condition {
    PJI_STATS_FEW = 1,       /* too few values (or groups) for the number */
    PJI_STATS_CONSTANT = 2,  /* no variation: a variance of zero is in a denominator */
    PJI_STATS_UNDEFINED = 3, /* the definition has no value here (log of 0, |delta| = 1, …) */
    PJI_STATS_DEFICIENT = 4, /* rank-deficient design: some coefficients cannot be estimated */
    PJI_STATS_SINGULAR = 5,  /* a variance component is estimated as exactly zero */
    PJI_STATS_SATURATED = 6, /* as many coefficients as rows: no residual degree of freedom */
    PJI_STATS_TOO_LARGE = 7  /* the exact answer would take too long: use the asymptotic one */
};

/* One phrase for people, e.g. "too few values"; never NULL. */
const char *pji_stats_reason(pj_status condition);

#endif
