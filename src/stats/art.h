/* stats/art.h - the aligned rank transform.
 *
 * J. O. Wobbrock, L. Findlater, D. Gergle, J. J. Higgins (2011, doi:10.1145/1978942.1978963): to
 * test one effect of a full factorial, every response is replaced by its residual from the cell
 * mean plus the estimate of that effect alone (sums of means over the effect's factors with
 * alternating signs), and the results are ranked. The ranks then enter the full model, of which
 * only the effect aligned for is read. Contrasts within one factor are those of its model (L. A.
 * Elkin et al. 2021, doi:10.1145/3472749.3474784).
 */
#ifndef PJI_STATS_ART_H
#define PJI_STATS_ART_H

#include "stats/condition.h"
#include "stats/design.h"

/* aligned and ranks: n values each. `factors` is the mask of all factors of the full factorial,
 * term a subset of it. Aligned values are rounded to 8 decimals before ranking (as ARTool does),
 * so that values equal but for rounding tie; where a double has no 8th decimal they stay as they
 * are. PJ_EINVAL: a variable is a covariate. */
pj_status pji_art_ranks(const struct pji_terms *model, uint32_t factors, uint32_t term,
                        const double *y, double *aligned, double *ranks, struct pj_error *err);

#endif
