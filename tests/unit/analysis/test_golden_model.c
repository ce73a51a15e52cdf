/* Every number of the reference table that comes from a linear model, group by group. */
#include "golden_model.h"
#include "golden_world.h"

#include "analysis/layout.h"
#include "stats/gammadist.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void ensure(pj_status rc, const struct pj_error *err)
{
    if (rc)
        fail_msg("status %d: %s", rc, err->text);
}

static size_t variable_of(const struct golden_model *m, const char *name)
{
    for (size_t v = 0; v < m->model.terms.variables; v++) {
        if (!strcmp(m->name[v], name))
            return v;
    }
    fail_msg("no variable %s", name);
    return 0;
}

/* generation and size, type I of a rank-deficient design: {term: {…}} with two study keys */
static json_t *type_one(const struct world *world)
{
    struct golden_model m;
    struct pj_error err = {0};
    json_t *all = NULL;
    golden_model(&world->run, "j_per_b~generation*size", false, &m);
    ensure(pji_model_factorial(&m.model, &all, NULL, &err), &err);
    json_t *rows = json_incref(json_object_get(all, "typeI"));
    const char *name;
    json_t *row;
    json_object_foreach(rows, name, row)
    {
        double ss = json_number_value(json_object_get(row, "ss"));
        double sse = json_number_value(json_object_get(all, "ss_residual"));
        double dfe = json_number_value(json_object_get(all, "df_residual"));
        double df = json_number_value(json_object_get(row, "df"));
        pji_put(row, "ss_residual", sse);
        pji_put(row, "df_residual", dfe);
        pji_put(row, "omega2_partial_as_in_study", (ss - df * sse / dfe) / (ss + sse + sse / dfe));
    }
    json_decref(all);
    return rows;
}

static json_t *compute_factorial(const struct world *world, const char *id)
{
    struct address a;
    struct golden_model m;
    struct pj_error err = {0};
    json_t *out = NULL;
    if (strstr(id, "(typeI)"))
        return type_one(world);
    split_id(id, &a);
    golden_model(table_of(world, a.part[1]), a.part[2], false, &m);
    ensure(pji_model_factorial(&m.model, &out, NULL, &err), &err);
    return out;
}

static json_t *compute_lm(const struct world *world, const char *id)
{
    struct address a;
    struct golden_model m;
    struct pj_error err = {0};
    json_t *out = NULL;
    split_id(id, &a);
    golden_model(table_of(world, a.part[1]), a.part[2], false, &m);
    ensure(pji_model_lm(&m.model, &out, NULL, &err), &err);
    return out;
}

static json_t *compute_contrast(const struct world *world, const char *id)
{
    struct address a;
    struct golden_model m;
    struct pj_error err = {0};
    json_t *out = NULL;
    char formula[128];
    split_id(id, &a);
    snprintf(formula, sizeof formula, "%s", a.part[2]);
    char *by = strchr(formula, '|');
    if (by)
        *by = '\0';
    golden_model(table_of(world, a.part[1]), formula, false, &m);
    size_t factor = by ? variable_of(&m, by + 1) : 0;
    struct pji_model_spec spec = {0, &factor, by ? 1 : 0};
    ensure(pji_model_contrast(&m.model, &spec, &out, NULL, &err), &err);
    return out;
}

/* "lmm/table/formula": the formula of a mixed model; one of them has log(tokens) */
static void mixed(const struct world *world, const struct address *a, struct golden_model *m)
{
    const char *formula = a->part[2];
    if (strstr(formula, "+tokens"))
        formula = "ept~generation+log_tokens";
    golden_model(table_of(world, a->part[1]), formula, true, m);
}

static json_t *compute_lmm(const struct world *world, const char *id)
{
    struct address a;
    struct golden_model m;
    struct pj_error err = {0};
    json_t *out = NULL;
    split_id(id, &a);
    mixed(world, &a, &m);
    ensure(pji_model_lmm(&m.model, &out, NULL, &err), &err);
    return out;
}

static json_t *compute_lmm_type3(const struct world *world, const char *id)
{
    struct address a;
    struct golden_model m;
    struct pj_error err = {0};
    json_t *out = NULL;
    split_id(id, &a);
    mixed(world, &a, &m);
    ensure(pji_model_lmm_type3(&m.model, &out, NULL, &err), &err);
    return out;
}

static json_t *emmeans(const struct world *world, const struct address *a, const char *spec_text,
                       const char *ddf)
{
    struct golden_model m;
    struct pj_error err = {0};
    json_t *out = NULL;
    mixed(world, a, &m);
    const char *by = strchr(spec_text, '|');
    size_t factor = by ? variable_of(&m, by + 1) : 0;
    struct pji_model_spec spec = {0, &factor, by ? 1 : 0};
    enum pji_ddf method =
        strcmp(ddf, "kenward-roger") ? PJI_DDF_SATTERTHWAITE : PJI_DDF_KENWARD_ROGER;
    ensure(pji_model_lmm_emmeans(&m.model, &spec, method, &out, NULL, &err), &err);
    return out;
}

static json_t *compute_lmm_emmeans(const struct world *world, const char *id)
{
    struct address a;
    split_id(id, &a);
    return emmeans(world, &a, a.part[3], a.part[4]);
}

/* exp of the mean and of its limits; the standard error by the delta method */
static json_t *compute_lmm_backtransform(const struct world *world, const char *id)
{
    struct address a;
    split_id(id, &a);
    json_t *log_scale = emmeans(world, &a, "generation", "satterthwaite");
    json_t *out = json_object();
    const char *level;
    json_t *mean;
    json_object_foreach(json_object_get(log_scale, "means"), level, mean)
    {
        json_t *o = json_object();
        double value = exp(json_number_value(json_object_get(mean, "emmean")));
        pji_put(o, "response", value);
        pji_put(o, "se", value * json_number_value(json_object_get(mean, "se")));
        pji_put(o, "ci95_low", exp(json_number_value(json_object_get(mean, "ci95_low"))));
        pji_put(o, "ci95_high", exp(json_number_value(json_object_get(mean, "ci95_high"))));
        pji_put_object(out, level, o);
    }
    json_decref(log_scale);
    return out;
}

static json_t *compute_lmm_ml(const struct world *world, const char *id)
{
    const struct golden_table *table = strstr(id, "/all/") ? &world->rep : &world->unbalanced;
    static const char *const formula[] = {"log_energy~generation*task",
                                          "log_energy~generation+task"};
    static const char *const key[] = {"full", "additive"};
    json_t *out = json_object();
    double deviance[2];
    double parameters[2];
    for (size_t i = 0; i < 2; i++) {
        struct golden_model m;
        struct pj_error err = {0};
        json_t *fit = NULL;
        golden_model(table, formula[i], true, &m);
        ensure(pji_model_lmm_ml(&m.model, &fit, NULL, &err), &err);
        deviance[i] = json_number_value(json_object_get(fit, "deviance"));
        parameters[i] = json_number_value(json_object_get(fit, "n_par"));
        pji_put_object(out, key[i], fit);
    }
    json_t *lrt = json_object();
    pji_put(lrt, "chi2", deviance[1] - deviance[0]);
    pji_put(lrt, "df", parameters[0] - parameters[1]);
    pji_put(lrt, "p", pji_chisq_upper(deviance[1] - deviance[0], parameters[0] - parameters[1]));
    pji_put_object(out, "lrt", lrt);
    return out;
}

/* the response centred within runs plus the index of the generation: no variance between runs */
static json_t *compute_lmm_boundary(const struct world *world, const char *id)
{
    (void)id;
    const struct golden_table *t = &world->rep;
    const double *ept = golden_column(t, "ept");
    const struct golden_factor *run = golden_factor(t, "run");
    const struct golden_factor *generation = golden_factor(t, "generation");
    double mean[30] = {0};
    double y[900];
    for (size_t i = 0; i < t->n; i++)
        mean[run->code[i]] += ept[i] / 30;
    for (size_t i = 0; i < t->n; i++)
        y[i] = ept[i] - mean[run->code[i]] + (double)generation->code[i] + 1;
    struct golden_model m;
    struct pj_error err = {0};
    json_t *out = NULL;
    golden_model(t, "ept~generation", true, &m);
    m.model.y = y;
    ensure(pji_model_lmm(&m.model, &out, NULL, &err), &err);
    return out;
}

/* "energy~generation*task+(1|run)" */
static void art_model(const struct world *world, const struct address *a, struct golden_model *m)
{
    char formula[128];
    snprintf(formula, sizeof formula, "%s", a->part[2]);
    char *random = strstr(formula, "+(1|run)");
    if (random)
        *random = '\0';
    golden_model(table_of(world, a->part[1]), formula, random != NULL, m);
}

static json_t *compute_art(const struct world *world, const char *id)
{
    struct address a;
    struct golden_model m;
    struct pj_error err = {0};
    json_t *out = NULL;
    split_id(id, &a);
    art_model(world, &a, &m);
    ensure(pji_model_art(&m.model, &out, NULL, &err), &err);
    return out;
}

/* pairs of the 24 cells: the pairwise table with its p_bh named after the size of the family */
static json_t *cells(const struct world *world)
{
    struct golden_model m;
    struct pj_error err = {0};
    json_t *table = NULL;
    golden_model(&world->rep, "energy~generation:task", true, &m);
    ensure(pji_model_art_contrast(&m.model, 0, &table, NULL, &err), &err);
    json_t *pairs = json_incref(json_object_get(table, "pairwise"));
    const char *name;
    json_t *pair;
    json_object_foreach(pairs, name, pair)
        json_object_set(pair, "p_bh_276", json_object_get(pair, "p_bh"));
    json_decref(table);
    return pairs;
}

static json_t *compute_art_contrast(const struct world *world, const char *id)
{
    struct address a;
    struct golden_model m;
    struct pj_error err = {0};
    json_t *out = NULL;
    split_id(id, &a);
    if (!strcmp(a.part[3], "cells"))
        return cells(world);
    art_model(world, &a, &m);
    ensure(pji_model_art_contrast(&m.model, variable_of(&m, a.part[3]), &out, NULL, &err), &err);
    return out;
}

#define GROUP(name)                                                                                \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        check_group(state, #name, compute_##name);                                                 \
    }

GROUP(factorial)
GROUP(lm)
GROUP(contrast)
GROUP(lmm)
GROUP(lmm_type3)
GROUP(lmm_emmeans)
GROUP(lmm_backtransform)
GROUP(lmm_ml)
GROUP(lmm_boundary)
GROUP(art)
GROUP(art_contrast)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_factorial),    cmocka_unit_test(test_lm),
        cmocka_unit_test(test_contrast),     cmocka_unit_test(test_lmm),
        cmocka_unit_test(test_lmm_type3),    cmocka_unit_test(test_lmm_emmeans),
        cmocka_unit_test(test_lmm_ml),       cmocka_unit_test(test_lmm_backtransform),
        cmocka_unit_test(test_lmm_boundary), cmocka_unit_test(test_art),
        cmocka_unit_test(test_art_contrast),
    };
    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
