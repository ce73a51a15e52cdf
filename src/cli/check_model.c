#include "cli/check_model.h"

#include "core/array.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pj_status count(void *context, const char *const *levels, struct pj_error *err)
{
    size_t *n = context;
    (void)levels;
    (void)err;
    (*n)++;
    return PJ_OK;
}

static size_t mark_factors(struct pji_check_model *model, const struct pji_study *study,
                           const json_t *names)
{
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(names); i++)
        for (size_t f = 0; f < study->n_factors; f++)
            if (strcmp(study->factors[f].name, json_string_value(json_array_get(names, i))) == 0)
                model->factors[f] = true;
    for (size_t f = 0; f < study->n_factors; f++)
        n += model->factors[f] ? 1 : 0;
    return n;
}

pj_status pji_check_model_make(struct pji_check_model *model, const struct pji_check_audit *c,
                               struct pj_error *err)
{
    *model = (struct pji_check_model){.n_factors = c->study->n_factors, .columns = 1};
    json_t *plan = c->study->analysis ? json_loads(c->study->analysis, 0, NULL) : NULL;
    if (!plan)
        return PJ_OK;
    const char *blocks = json_string_value(json_object_get(plan, "blocks"));
    bool within = blocks && strcmp(blocks, "block") == 0;
    model->factors = pji_zalloc(c->study->n_factors + 1, sizeof *model->factors, err);
    size_t n = model->factors ? mark_factors(model, c->study, json_object_get(plan, "factors")) : 0;
    pj_status st = model->factors ? PJ_OK : PJ_ENOMEM;
    json_decref(plan);
    if (st == PJ_OK && n < 2) {
        pji_check_model_fini(model);
        return PJ_OK;
    }
    for (size_t f = 0; f < c->study->n_factors && st == PJ_OK; f++)
        model->columns *= model->factors[f] ? (double)c->audit.tests[f].levels : 1.0;
    if (st == PJ_OK)
        st = pji_study_each_combination(c->study, model->factors, count, &model->rank, err);
    model->residual_df = (int64_t)c->plan->n_trials - (int64_t)model->rank -
                         (within ? (int64_t)c->plan->n_blocks - 1 : 0);
    return st;
}

void pji_check_model_fini(struct pji_check_model *model)
{
    free(model->factors);
    *model = (struct pji_check_model){0};
}

void pji_check_model_print(const struct pji_check_model *model, const struct pji_check_audit *c)
{
    const char *between = "";
    if (!model->factors)
        return;
    printf("test       ");
    for (size_t f = 0; f < model->n_factors; f++) {
        if (!model->factors[f])
            continue;
        printf("%s%s", between, c->study->factors[f].name);
        between = " * ";
    }
    printf(", as planned with all interactions: ");
    if (model->columns > (double)model->rank)
        printf("%zu of %.0f combinations are in the plan, so effects of it are aliased with "
               "others; ",
               model->rank, model->columns);
    if (model->residual_df > 0)
        printf("residual df %lld\n", (long long)model->residual_df);
    else
        printf("no residual df\n");
}

void pji_check_model_json(const struct pji_check_model *model, const struct pji_check_audit *c,
                          json_t *root)
{
    json_t *out = model->factors ? json_object() : json_null(), *names = json_array();
    for (size_t f = 0; f < model->n_factors; f++)
        if (model->factors && model->factors[f])
            json_array_append_new(names, json_string(c->study->factors[f].name));
    json_object_set_new(root, "model", out);
    if (!model->factors) {
        json_decref(names);
        return;
    }
    json_object_set_new(out, "factors", names);
    json_object_set_new(out, "columns", pji_json_num(model->columns));
    json_object_set_new(out, "rank", json_integer((json_int_t)model->rank));
    json_object_set_new(out, "residual_df",
                        json_integer(model->residual_df > 0 ? model->residual_df : 0));
}
