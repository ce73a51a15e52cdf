/* analysis/model.h - everything that is computed of one linear model.
 *
 * A model is a response, fixed terms over named variables and perhaps one random intercept. Each
 * function returns, in *out, one object laid out as the group of the same name in the reference
 * values; what cannot be computed is left out and its reason added to `omitted` (may be NULL).
 * Negative statuses are errors of the input.
 */
#ifndef PJI_ANALYSIS_MODEL_H
#define PJI_ANALYSIS_MODEL_H

#include "stats/design.h"
#include "stats/emm.h"

#include <jansson.h>

struct pji_model {
    const double *y;
    struct pji_terms terms;
    const char *const *name;         /* of each variable, as in the formula: "log(tokens)" */
    const char *const *const *level; /* of each factor, its level names; NULL for covariates */
    struct pji_grid grid;            /* covariate values of the reference grid */
    const size_t *group;             /* random intercept: group of each row, or NULL */
    size_t groups;
    const char *const *group_level; /* names of the groups */
    struct pji_model_fits *fits;    /* keeps the mixed model's fit between calls, or NULL */
};

/* The fit of a mixed model that several results are made of; zero at first, given back with
 * pji_model_fits_fini. Not for two models. */
struct pji_model_fits {
    void *mixed;
};
void pji_model_fits_fini(struct pji_model_fits *fits);

pj_status pji_model_factorial(const struct pji_model *model, json_t **out, json_t *omitted,
                              struct pj_error *err);
pj_status pji_model_lm(const struct pji_model *model, json_t **out, json_t *omitted,
                       struct pj_error *err);
/* One factor, within each combination of the levels of the factors in by[]. */
struct pji_model_spec {
    size_t factor;
    const size_t *by;
    size_t bys;
};
pj_status pji_model_contrast(const struct pji_model *model, const struct pji_model_spec *spec,
                             json_t **out, json_t *omitted, struct pj_error *err);

/* Mixed models: model->group is set. */
enum pji_ddf { PJI_DDF_SATTERTHWAITE, PJI_DDF_KENWARD_ROGER };
pj_status pji_model_lmm(const struct pji_model *model, json_t **out, json_t *omitted,
                        struct pj_error *err);
pj_status pji_model_lmm_type3(const struct pji_model *model, json_t **out, json_t *omitted,
                              struct pj_error *err);
pj_status pji_model_lmm_emmeans(const struct pji_model *model, const struct pji_model_spec *spec,
                                enum pji_ddf ddf, json_t **out, json_t *omitted,
                                struct pj_error *err);
/* Maximum likelihood: loglik, deviance, n_par, aic, bic, var_group, var_residual. */
pj_status pji_model_lmm_ml(const struct pji_model *model, json_t **out, json_t *omitted,
                           struct pj_error *err);

/* Aligned rank transform of the full factorial of the model's factors. */
pj_status pji_model_art(const struct pji_model *model, json_t **out, json_t *omitted,
                        struct pj_error *err);
pj_status pji_model_art_contrast(const struct pji_model *model, size_t factor, json_t **out,
                                 json_t *omitted, struct pj_error *err);

/* "generation:task" for term t, "generation3:taskCB" for a column of a treatment-coded design;
 * the caller frees. NULL when out of memory. */
char *pji_model_term_name(const struct pji_model *model, uint32_t term);
char *pji_model_column_name(const struct pji_model *model, const struct pji_design *design,
                            size_t column);

/* Parts of the table of marginal means and contrasts. */
enum { PJI_TABLE_POLY = 1, PJI_TABLE_PAIRWISE = 2, PJI_TABLE_HEDGES = 4 };
struct pji_emm_table {
    const struct pji_model *model;
    const struct pji_design *design;
    const struct pji_estimator *fit;
    const struct pji_model_spec *spec;
    unsigned parts;
    double sigma, df_residual; /* of the linear model, for PJI_TABLE_HEDGES */
    const char *path;          /* of this table among the omissions */
};
pj_status pji_emm_table(const struct pji_emm_table *table, json_t **out, json_t *omitted,
                        struct pj_error *err);

#endif
