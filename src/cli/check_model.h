/* cli/check_model.h - the model that the section `analysis` of a study file plans, where it names
 * several factors: their main effects with all interactions. It has one coefficient for each
 * combination of their levels, and those that the plan lacks cannot be estimated: an interaction
 * is then aliased with others or with a main effect, even where no two factors are.
 */
#ifndef PJI_CLI_CHECK_MODEL_H
#define PJI_CLI_CHECK_MODEL_H

#include "cli/check_audit.h"

struct pji_check_model {
    bool *factors; /* one flag for each factor of the study; NULL: no such model is planned */
    size_t n_factors;
    double columns;      /* of the model: combinations of the levels in the plan */
    size_t rank;         /* combinations that are in the plan */
    int64_t residual_df; /* of its trials, beside blocks where they are part of it */
};

pj_status pji_check_model_make(struct pji_check_model *model, const struct pji_check_audit *c,
                               struct pj_error *err);
void pji_check_model_fini(struct pji_check_model *model);
void pji_check_model_print(const struct pji_check_model *model, const struct pji_check_audit *c);
/* Adds "model", null where none is planned. */
void pji_check_model_json(const struct pji_check_model *model, const struct pji_check_audit *c,
                          json_t *root);

#endif
