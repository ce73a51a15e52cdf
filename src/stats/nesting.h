/* stats/nesting.h - which factors of a model are nested within others.
 *
 * A factor is nested within another when each of its levels occurs with one level of the other in
 * the data, or when it enters the model only in terms that code the other by all of its levels (as
 * in a + a:b). This is how R's emmeans (R. V. Lenth, version 1.8.4 of 2023, .find_nests) finds it;
 * of two factors that are each within the other, the first is nested within the second.
 */
#ifndef PJI_STATS_NESTING_H
#define PJI_STATS_NESTING_H

#include "stats/design.h"
#include "stats/emm.h"

struct pji_nesting {
    size_t within[PJI_VARIABLES][PJI_VARIABLES]; /* of each variable, those it is nested within */
    size_t count[PJI_VARIABLES];
    size_t order[PJI_VARIABLES]; /* the variables that are nested, as they were found */
    size_t nested;
};

/* The variables of the grid: factors that a term uses, and covariates with several values in the
 * grid. */
bool pji_in_grid(const struct pji_design *design, const struct pji_grid *grid, size_t v);

/* Level of row i in a variable of the grid. */
size_t pji_grid_level(const struct pji_design *design, const struct pji_grid *grid, size_t v,
                      size_t i);

pj_status pji_nesting_find(const struct pji_design *design, const struct pji_grid *grid,
                           struct pji_nesting *out, struct pj_error *err);

#endif
