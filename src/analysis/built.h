/* analysis/built.h - a model as the statistics take it, made from a table and a formula
 * (room-internal).
 */
#ifndef PJI_ANALYSIS_BUILT_H
#define PJI_ANALYSIS_BUILT_H

#include "analysis/frame.h"
#include "analysis/model.h"

struct pji_built {
    struct pji_model model;
    struct pji_formula formula;
    struct pji_frame frame;
    double *y;
    struct pji_variable variable[PJI_FORMULA_VARIABLES];
    const char *name[PJI_FORMULA_VARIABLES];
    const char *const *level[PJI_FORMULA_VARIABLES];
    struct pji_factor factor[PJI_FORMULA_VARIABLES];
    double *covariate[PJI_FORMULA_VARIABLES];
    double grid[PJI_FORMULA_VARIABLES][2];
    struct pji_factor random;
    size_t left_out; /* rows without a value in some variable */
};

struct pji_build_options {
    const char *const *factor; /* columns that are factors although they are numbers */
    size_t factors;
    const struct pji_level_order *order;
    size_t orders;
};

/* keep: rows of the table that may take part; cleared where a variable has no value. */
pj_status pji_built_init(struct pji_built *built, const struct pji_table *table, bool *keep,
                         const char *formula, const struct pji_build_options *options,
                         struct pj_error *err);
void pji_built_fini(struct pji_built *built);

/* The order listed for a column, or NULL. */
const struct pji_level_order *pji_order_of(const struct pji_build_options *options,
                                           const char *column);

#endif
