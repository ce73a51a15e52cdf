/* The thirty raw runs of the GreenLab study give the values of expected.csv, and the findings that
 * its authors did not have. Needs ../shared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "raw/import.h"
#include "raw/runs_table.h"
#include "shared.h"
#include "store/store.h"
#include "temp.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct golden {
    const struct pji_runs_table *expected;
    size_t row;
    size_t compared;
    char run[128];
};

static const struct {
    const char *metric, *column;
    double rel;
} compared[] = {
    {"n_samples", "n_samples", 0},
    {"duration_s", "duration_s", 1e-12},
    {"counter_wraps", "counter_wraps", 0},
    {"cpu_package_j", "cpu_package_j", 1e-9},
    {"gpu_j_trapezoid", "gpu_j_trapezoid", 1e-9},
    {"gpu_j_left_hold", "gpu_j_left_hold", 1e-9},
    {"output_tokens", "published_tokens", 0},
};

static pj_status on_metric(void *context, const struct pji_metric_row *row, struct pj_error *err)
{
    struct golden *g = context;
    for (size_t i = 0; i < sizeof compared / sizeof compared[0]; i++) {
        double expected = 0;
        size_t column = 0;
        if (strcmp(row->name, compared[i].metric) != 0)
            continue;
        if (pji_table_find(&g->expected->table, compared[i].column, &column, err) ||
            pji_table_number(&g->expected->table, g->row, column, &expected, err))
            return PJ_EINVAL;
        if (!(fabs(row->value - expected) <= compared[i].rel * expected)) {
            fprintf(stderr, "%s %s: %.12g, expected %.12g\n", g->run, row->name, row->value,
                    expected);
            return PJ_EINVAL;
        }
        g->compared++;
    }
    return PJ_OK;
}

static pj_status on_fact(void *context, const char *key, const char *value, struct pj_error *err)
{
    struct golden *g = context;
    (void)err;
    if (strcmp(key, "run_id") == 0)
        snprintf(g->run, sizeof g->run, "%s", value);
    return PJ_OK;
}

static pj_status count_code(void *context, const struct pji_finding_row *row, struct pj_error *err)
{
    const char **codes = context;
    (void)err;
    for (; *codes != NULL; codes++) {
        if (strcmp(*codes, row->code) == 0)
            *codes = "found";
    }
    return PJ_OK;
}

static pj_status on_energy(void *context, const struct pji_energy_row *row, struct pj_error *err)
{
    double *sum_j = context;
    (void)err;
    if (strcmp(row->name, "total") != 0)
        return PJ_OK;
    assert_true(row->energy.origin == PJ_ORIGIN_INTEGRATED);
    assert_true(row->energy.u_ind_j > 0 && row->energy.u_com_j > 0);
    *sum_j += strcmp(row->phase, "trial") == 0 ? -row->energy.value_j : row->energy.value_j;
    return PJ_OK;
}

static void check_runs(struct pji_store *store, struct golden *g)
{
    for (int64_t attempt = 1; attempt <= 30; attempt++) {
        double rest_j = 0;
        assert_int_equal(pji_store_each_fact(store, attempt, on_fact, g, NULL), 0);
        g->row = pji_runs_table_row(g->expected, 0, g->run, -1, -1);
        assert_true(g->row < g->expected->table.rows);
        assert_int_equal(pji_store_each_metric(store, attempt, on_metric, g, NULL), 0);
        /* load, measure and unload add up to the whole recording */
        assert_int_equal(pji_store_each_energy(store, attempt, on_energy, &rest_j, NULL), 0);
        assert_true(fabs(rest_j) < 1e-6);
    }
    assert_int_equal(g->compared, 30 * sizeof compared / sizeof compared[0]);
}

static void test_thirty_runs(void **state)
{
    (void)state;
    char dir[TEMP_PATH], out[TEMP_PATH + 16], shared[512], expected[600];
    struct pji_import_result result;
    struct pji_runs_table table;
    struct pji_store *store = NULL;
    struct pj_error err = {0};
    if (!pjt_shared(shared, sizeof shared, "greenlab/expected.csv")) {
        print_message("SKIP: %s is not there\n", shared);
        skip();
    }
    *strrchr(shared, '/') = '\0';
    temp_open(dir);
    snprintf(out, sizeof out, "%s/study", dir);
    snprintf(expected, sizeof expected, "%s/expected.csv", shared);
    const struct pji_import_options options = {.dir = shared, .out = out};
    if (pji_import_greenlab(&options, &result, &err))
        fail_msg("%s", err.text);
    assert_int_equal(result.done, 30);
    assert_int_equal(pji_import_greenlab(&options, &result, NULL), PJ_EBUSY);
    assert_int_equal(pji_runs_table_read(&table, expected, NULL), 0);
    assert_int_equal(pji_store_open(&store, out, PJI_STORE_READ, NULL, NULL), 0);
    struct golden golden = {.expected = &table};
    check_runs(store, &golden);
    const char *codes[] = {
        "cpu_counted_twice",      "counter_wrapped",    "implausible_energy", "identical_outputs",
        "outputs_depend_on_date", "judge_not_accuracy", "factor_aliased",     NULL};
    assert_int_equal(pji_store_each_finding(store, count_code, codes, NULL), 0);
    for (size_t i = 0; codes[i] != NULL; i++)
        assert_string_equal(codes[i], "found");
    assert_int_equal(pji_store_close(store, NULL), 0);
    pji_runs_table_fini(&table);
    temp_close(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_thirty_runs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
