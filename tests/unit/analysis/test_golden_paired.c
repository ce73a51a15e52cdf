/* The numbers of the reference table that come from pairs, residuals and lists of p-values, and
 * what the reader of the table must see. */
#include "golden_model.h"
#include "golden_world.h"

#include "analysis/layout.h"
#include "analysis/paired.h"
#include "stats/adjust.h"
#include "stats/kruskal.h"
#include "stats/moments.h"
#include "stats/quantile.h"

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

/* "signedrank/table/response/A - B": the same task, and the same repetition where there is one */
static json_t *compute_signedrank(const struct world *world, const char *id)
{
    struct address a;
    split_id(id, &a);
    const struct golden_table *t = table_of(world, a.part[1]);
    const double *y = golden_column(t, a.part[2]);
    const struct golden_factor *generation = golden_factor(t, "generation");
    const struct golden_factor *task = golden_factor(t, "task");
    const double *repetition = t->n > 30 ? golden_column(t, "repetition") : NULL;
    size_t first = a.part[3][0] == '2' ? 0 : 1;
    double x1[900];
    double x2[900];
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++) {
        for (size_t j = 0; j < t->n; j++) {
            if (generation->code[i] == first && generation->code[j] == first + 1 &&
                task->code[i] == task->code[j] && (!repetition || repetition[i] == repetition[j])) {
                x1[n] = y[i];
                x2[n++] = y[j];
            }
        }
    }
    struct pj_error err = {0};
    json_t *out = NULL;
    ensure(pji_paired_signedrank(x1, x2, n, &out, NULL, &err), &err);
    return out;
}

/* "correlation/table/x~y/generation|all" */
static json_t *compute_correlation(const struct world *world, const char *id)
{
    static const size_t zeros[900];
    struct address a;
    split_id(id, &a);
    const struct golden_table *t = table_of(world, a.part[1]);
    char x[64];
    snprintf(x, sizeof x, "%s", a.part[2]);
    char *y = strchr(x, '~');
    *y++ = '\0';
    const char *levels[GOLDEN_LEVELS] = {"all"};
    struct pji_by by = {golden_column(t, x), zeros, t->n, 1, levels};
    if (strcmp(a.part[3], "all")) {
        const struct golden_factor *f = golden_factor(t, a.part[3]);
        by.code = f->code;
        by.k = f->k;
        for (size_t i = 0; i < f->k; i++)
            levels[i] = f->level[i];
    }
    struct pj_error err = {0};
    json_t *out = NULL;
    ensure(pji_by_correlation(&by, golden_column(t, y), &out, NULL, &err), &err);
    return out;
}

/* means of the runs of one task and generation, tasks as blocks */
static json_t *compute_friedman(const struct world *world, const char *id)
{
    bool accuracy = strstr(id, "accuracy") != NULL;
    const struct golden_table *t = &world->run;
    const double *y = golden_column(t, accuracy ? "accuracy" : "energy");
    const struct golden_factor *generation = golden_factor(t, "generation");
    const struct golden_factor *task = golden_factor(t, "task");
    double cell[24] = {0};
    double count[24] = {0};
    const char *names[4];
    for (size_t i = 0; i < t->n; i++) {
        cell[task->code[i] * 4 + generation->code[i]] += y[i];
        count[task->code[i] * 4 + generation->code[i]] += 1;
    }
    for (size_t i = 0; i < 24; i++) {
        cell[i] /= count[i];
        if (accuracy)
            cell[i] = rint(cell[i] * 100) / 100;
    }
    for (size_t i = 0; i < 4; i++)
        names[i] = generation->level[i];
    struct pj_error err = {0};
    json_t *out = NULL;
    ensure(pji_paired_friedman(cell, 6, names, 4, &out, NULL, &err), &err);
    return out;
}

static json_t *numbers(const double *x, size_t n)
{
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(array, json_real(x[i]));
    return array;
}

static json_t *compute_padjust(const struct world *world, const char *id)
{
    static const double p[11] = {0.0004, 0.011, 0.011, 0.019, 0.03, 0.04,
                                 0.2,    0.76,  0.041, 1e-17, 1};
    static const struct {
        const char *key;
        enum pji_adjust method;
    } methods[] = {
        {"input", PJI_ADJUST_NONE},
        {"BH", PJI_ADJUST_BH},
        {"BY", PJI_ADJUST_BY},
        {"holm", PJI_ADJUST_HOLM},
        {"hochberg", PJI_ADJUST_HOCHBERG},
        {"hommel", PJI_ADJUST_HOMMEL},
        {"bonferroni", PJI_ADJUST_BONFERRONI},
    };
    struct pj_error err = {0};
    json_t *out = json_object();
    if (strstr(id, "study")) {
        json_decref(out);
        const struct golden_factor *f = golden_factor(&world->run, "config");
        const char *levels[GOLDEN_LEVELS];
        for (size_t i = 0; i < f->k; i++)
            levels[i] = f->level[i];
        struct pji_by by = {golden_column(&world->run, "j_per_b"), f->code, 30, f->k, levels};
        ensure(pji_by_dunn(&by, &out, NULL, &err), &err);
        return out;
    }
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        double adjusted[11];
        ensure(pji_adjust_p(methods[i].method, p, 11, adjusted, &err), &err);
        json_object_set_new(out, methods[i].key, numbers(adjusted, 11));
    }
    return out;
}

static json_t *compute_shapiro_residuals(const struct world *world, const char *id)
{
    struct address a;
    struct golden_model m;
    struct pj_error err = {0};
    json_t *out = NULL;
    split_id(id, &a);
    golden_model(table_of(world, a.part[1]), a.part[2], false, &m);
    ensure(pji_shapiro_residuals(m.model.y, &m.model.terms, &out, NULL, &err), &err);
    return out;
}

static double epsilon_sq(const struct golden_table *t, const char *response, const char *by)
{
    const struct golden_factor *f = golden_factor(t, by);
    struct pji_groups groups = {golden_column(t, response), f->code, t->n, f->k};
    struct pji_kruskal k;
    struct pj_error err = {0};
    ensure(pji_kruskal(&groups, &k, &err), &err);
    pji_kruskal_fini(&k);
    return k.epsilon2_rank;
}

/* level of generation → mean of scale * x / (y or 1) */
static json_t *generation_means(const struct golden_table *t, const double *x, const double *y,
                                double scale)
{
    const struct golden_factor *g = golden_factor(t, "generation");
    json_t *out = json_object();
    for (size_t l = 0; l < g->k; l++) {
        double values[900];
        size_t n = 0;
        for (size_t i = 0; i < t->n; i++) {
            if (g->code[i] == l)
                values[n++] = y ? x[i] / (scale * y[i]) : scale * x[i];
        }
        pji_put(out, g->level[l], pji_mean(values, n));
    }
    return out;
}

static json_t *compute_study(const struct world *world, const char *id)
{
    (void)id;
    const double *energy = golden_column(&world->rep, "energy");
    const double *time_s = golden_column(&world->rep, "time_s");
    json_t *out = json_object();
    pji_put(out, "rq11_epsilon_sq", epsilon_sq(&world->run, "energy", "generation"));
    pji_put(out, "rq12_epsilon_sq", epsilon_sq(&world->run, "j_per_b", "config"));
    pji_put_object(out, "rq32_duration_as_published_mean",
                   generation_means(&world->rep, time_s, NULL, 100));
    pji_put_object(out, "rq32_power_as_published_mean",
                   generation_means(&world->rep, energy, time_s, 100));
    pji_put_object(out, "rq32_power_true_mean",
                   generation_means(&world->rep, golden_column(&world->rep, "power"), NULL, 1));
    return out;
}

static size_t distinct(const struct golden_table *t, const char *name)
{
    double x[900];
    memcpy(x, golden_column(t, name), t->n * sizeof *x);
    pji_sort(x, t->n);
    size_t count = 1;
    for (size_t i = 1; i < t->n; i++)
        count += x[i] != x[i - 1];
    return count;
}

static json_t *level_counts(const struct golden_table *t, const char *factor)
{
    const struct golden_factor *f = golden_factor(t, factor);
    json_t *out = json_object();
    for (size_t l = 0; l < f->k; l++) {
        size_t count = 0;
        for (size_t i = 0; i < t->n; i++)
            count += f->code[i] == l;
        pji_put_count(out, f->level[l], count);
    }
    return out;
}

static json_t *parse_rep(const struct golden_table *t)
{
    static const char *const sums[][2] = {{"sum_energy", "energy"},
                                          {"sum_tokens", "tokens"},
                                          {"sum_duration_s", "duration_s"},
                                          {"sum_time_s", "time_s"},
                                          {"sum_accuracy", "accuracy"}};
    static const char *const kinds[][2] = {{"distinct_energy", "energy"},
                                           {"distinct_tokens", "tokens"},
                                           {"distinct_duration_s", "duration_s"},
                                           {"distinct_accuracy", "accuracy"},
                                           {"distinct_accuracy_rounded10", "accuracy_r10"}};
    json_t *out = json_object();
    pji_put_count(out, "rows", t->n);
    pji_put_count(out, "complete_rows", t->n);
    pji_put_count(out, "runs", golden_factor(t, "run")->k);
    for (size_t i = 0; i < 5; i++) {
        pji_put(out, sums[i][0], pji_sum(golden_column(t, sums[i][1]), t->n));
        pji_put_count(out, kinds[i][0], distinct(t, kinds[i][1]));
    }
    double gap = 0;
    for (size_t i = 0; i < t->n; i++)
        gap = fmax(gap, fabs(golden_column(t, "time_s")[i] - golden_column(t, "duration_s")[i]));
    pji_put(out, "max_abs_time_minus_duration", gap);
    pji_put_object(out, "rows_by_generation", level_counts(t, "generation"));
    pji_put_object(out, "rows_by_task", level_counts(t, "task"));
    pji_put_object(out, "rows_by_size", level_counts(t, "size"));
    pji_put_object(out, "rows_by_cell", level_counts(t, "generation:task"));
    return out;
}

static json_t *compute_parse(const struct world *world, const char *id)
{
    if (strstr(id, "/rep"))
        return parse_rep(&world->rep);
    json_t *out = json_object();
    if (strstr(id, "/unbalanced")) {
        const struct golden_table *t = &world->unbalanced;
        pji_put_count(out, "rows", t->n);
        pji_put(out, "sum_energy", pji_sum(golden_column(t, "energy"), t->n));
        pji_put_object(out, "rows_by_run", level_counts(t, "run"));
        pji_put_object(out, "rows_by_cell", level_counts(t, "generation:task"));
        return out;
    }
    json_t *energy = json_object();
    json_t *j_per_b = json_object();
    for (size_t r = 0; r < 30; r++) {
        char name[8];
        snprintf(name, sizeof name, "%zu", r);
        pji_put(energy, name, golden_column(&world->run, "energy")[r]);
        pji_put(j_per_b, name, golden_column(&world->run, "j_per_b")[r]);
    }
    pji_put_count(out, "rows", world->run.n);
    pji_put_object(out, "energy", energy);
    pji_put_object(out, "j_per_b", j_per_b);
    return out;
}

#define GROUP(name)                                                                                \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        check_group(state, #name, compute_##name);                                                 \
    }

GROUP(parse)
GROUP(shapiro_residuals)
GROUP(signedrank)
GROUP(correlation)
GROUP(friedman)
GROUP(padjust)
GROUP(study)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),      cmocka_unit_test(test_shapiro_residuals),
        cmocka_unit_test(test_signedrank), cmocka_unit_test(test_correlation),
        cmocka_unit_test(test_friedman),   cmocka_unit_test(test_padjust),
        cmocka_unit_test(test_study),
    };
    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
