/* stats/groups.h - values of one response in k groups.
 *
 * The caller gives one value and one group number for each row; functions that need the values of
 * a group together split them, which keeps the order of rows inside a group.
 */
#ifndef PJI_STATS_GROUPS_H
#define PJI_STATS_GROUPS_H

#include "stats/condition.h"

#include <stddef.h>

struct pji_groups {
    const double *y;    /* n finite values */
    const size_t *code; /* group of each row, 0 … k - 1 */
    size_t n;
    size_t k; /* number of groups; every one must have a row */
};

struct pji_split {
    double *values; /* all values, group after group */
    size_t *start;  /* k + 1 offsets into values */
    size_t *row;    /* row in the caller's order of each value */
    size_t k;
};

/* Checks (finite values, codes in range, no empty group: else PJ_EINVAL) and splits. */
pj_status pji_split_init(struct pji_split *split, const struct pji_groups *groups,
                         struct pj_error *err);
void pji_split_fini(struct pji_split *split);

static inline const double *pji_split_get(const struct pji_split *split, size_t group)
{
    return split->values + split->start[group];
}

static inline size_t pji_split_n(const struct pji_split *split, size_t group)
{
    return split->start[group + 1] - split->start[group];
}

#endif
