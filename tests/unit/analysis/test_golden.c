/* Every number of the reference table (issue: the oracle), group by group, through the functions
 * that make the program's own output. Skipped where the shared folder is absent. */
#include "golden_world.h"

#include "analysis/by.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* rows of one task and two generations: "generation[task=CB]" */
static void restrict_to_task(const struct golden_table *from, const char *task,
                             struct golden_table *to)
{
    const struct golden_factor *t = golden_factor(from, "task");
    const struct golden_factor *g = golden_factor(from, "generation");
    bool *keep = calloc(from->n, sizeof *keep);
    assert_non_null(keep);
    for (size_t i = 0; i < from->n; i++) {
        const char *generation = g->level[g->code[i]];
        keep[i] = !strncmp(t->level[t->code[i]], task, strlen(t->level[t->code[i]])) &&
                  (!strcmp(generation, "3") || !strcmp(generation, "3.1"));
    }
    golden_subset(from, keep, to);
    free(keep);
}

static json_t *run_by(pji_by_fn *fn, const struct golden_table *table, const char *response,
                      const char *factor)
{
    static const size_t zeros[900];
    const char *levels[GOLDEN_LEVELS] = {"all"};
    struct pji_by by = {golden_column(table, response), zeros, table->n, 1, levels};
    if (strcmp(factor, "all")) {
        const struct golden_factor *f = golden_factor(table, factor);
        by.code = f->code;
        by.k = f->k;
        for (size_t i = 0; i < f->k; i++)
            levels[i] = f->level[i];
    }
    json_t *out = NULL;
    struct pj_error err = {0};
    if (fn(&by, &out, NULL, &err))
        fail_msg("%s", err.text);
    return out;
}

static json_t *by_address(const struct world *world, const char *id, pji_by_fn *fn)
{
    struct address a;
    split_id(id, &a);
    const struct golden_table *table = table_of(world, a.part[1]);
    const char *task = strstr(a.part[3], "[task=");
    if (!task)
        return run_by(fn, table, a.part[2], a.part[3]);
    struct golden_table part;
    restrict_to_task(table, task + strlen("[task="), &part);
    json_t *out = run_by(fn, &part, a.part[2], "generation");
    golden_free(&part);
    return out;
}

#define GROUP(name, fn)                                                                            \
    static json_t *compute_##name(const struct world *world, const char *id)                       \
    {                                                                                              \
        return by_address(world, id, fn);                                                          \
    }                                                                                              \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        check_group(state, #name, compute_##name);                                                 \
    }

GROUP(descriptive, pji_by_descriptive)
GROUP(levene, pji_by_levene)
GROUP(oneway, pji_by_oneway)
GROUP(kruskal, pji_by_kruskal)
GROUP(dunn, pji_by_dunn)
GROUP(wilcoxon, pji_by_wilcoxon)
GROUP(cliff, pji_by_cliff)
GROUP(ttest, pji_by_ttest)

/* the first n rows: "n3": {n, W, p}, … */
static json_t *shapiro_first(const struct world *world)
{
    json_t *out = json_object();
    for (size_t n = 3; n <= 900; n++) {
        char key[16];
        bool keep[900] = {false};
        struct golden_table first;
        for (size_t i = 0; i < n; i++)
            keep[i] = true;
        if (n > 13 && n != 20 && n != 50 && n != 100 && n != 500 && n != 900)
            continue;
        golden_subset(&world->rep, keep, &first);
        json_t *got = run_by(pji_by_shapiro, &first, "energy", "all");
        snprintf(key, sizeof key, "n%zu", n);
        json_object_set(out, key, json_object_get(json_object_get(got, "raw"), "all"));
        json_decref(got);
        golden_free(&first);
    }
    return out;
}

static json_t *compute_shapiro(const struct world *world, const char *id)
{
    if (strstr(id, "/first_n"))
        return shapiro_first(world);
    if (!strstr(id, "/run") && !strstr(id, "/ties"))
        return by_address(world, id, pji_by_shapiro);
    /* these two entries have no transform level */
    if (strstr(id, "shapiro/run"))
        return by_address(world, id, pji_by_shapiro);
    bool ties = strstr(id, "/ties") != NULL;
    json_t *got = run_by(pji_by_shapiro, &world->rep, ties ? "accuracy" : "energy",
                         ties ? "generation" : "run");
    json_t *raw = json_incref(json_object_get(got, "raw"));
    json_decref(got);
    return raw;
}

static void test_shapiro(void **state)
{
    check_group(state, "shapiro", compute_shapiro);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_descriptive), cmocka_unit_test(test_shapiro),
        cmocka_unit_test(test_levene),      cmocka_unit_test(test_oneway),
        cmocka_unit_test(test_kruskal),     cmocka_unit_test(test_dunn),
        cmocka_unit_test(test_wilcoxon),    cmocka_unit_test(test_cliff),
        cmocka_unit_test(test_ttest),
    };
    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
