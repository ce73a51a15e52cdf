/* The table of a study: columns, order, missing results in CSV and JSON. */
#include <stdio.h>

#include "plan.h"
#include "store/export.h"
#include "temp.h"

#include "core/csv.h"
#include "core/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
    char parent[TEMP_PATH], dir[256];
    struct pji_store *store;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    temp_open(f->parent);
    f->store = make_store(f->parent, f->dir, sizeof f->dir);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    must(pji_store_close(f->store, ERR));
    temp_close(f->parent);
    free(f);
    return 0;
}

static pj_status collect(void *context, const char *text, size_t len, struct pj_error *err)
{
    pji_str_addn(context, text, len);
    return pji_str_ok(context, err);
}

static char *exported(struct pji_store *store, enum pji_export_format format)
{
    struct pji_str out = {0};
    must(pji_store_export(store, format, collect, &out, ERR));
    char *text = pji_str_take(&out);
    assert_non_null(text);
    return text;
}

static void add_results(struct fixture *f, int64_t attempt, double j_per_token)
{
    struct pji_metric_row rows[] = {
        {"energy", "requests", 8, 0, 0, "", ""},
        {"energy", "j_per_token", j_per_token, 0.3, 0.4, "modelled", ""},
        {"energy", "ttft_s", (double)NAN, 0, 0, "", "no request succeeded"},
        {"", "size", 7, 0, 0, "", ""}, /* named like a factor */
    };
    struct pji_energy_row total = {
        .phase = "idle", .task = "", .name = "total", .domain = "machine", .set = "a,b"};
    struct pji_energy_row part = {
        .phase = "idle", .task = "", .name = "package-0", .domain = "package", .set = ""};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        must(pji_store_add_metric(f->store, attempt, &rows[i], ERR));
    total.energy = (struct pj_energy){
        .value_j = 12.5, .u_ind_j = 3, .u_com_j = 4, .origin = PJ_ORIGIN_COUNTER};
    part.energy = total.energy;
    must(pji_store_add_energy(f->store, attempt, &part, ERR));
    must(pji_store_add_energy(f->store, attempt, &total, ERR));
    total.phase = "measure";
    total.task = "energy";
    total.energy = (struct pj_energy){.origin = PJ_ORIGIN_MISSING, .reason = "gpu unread"};
    must(pji_store_add_energy(f->store, attempt, &total, ERR));
    must(pji_store_add_gate(f->store, attempt, &(struct pji_gate_row){"gap", "flag", "x"}, ERR));
    must(pji_store_add_gate(f->store, attempt, &(struct pji_gate_row){"gap", "flag", "y"}, ERR));
    must(pji_store_add_gate(f->store, attempt, &(struct pji_gate_row){"odd", "note", "z"}, ERR));
}

static void fill(struct fixture *f)
{
    int64_t a = start(f->store, 1);
    add_results(f, a, 99.0); /* of an attempt that failed: superseded below */
    must(pji_store_end_attempt(f->store, a, PJI_TRIAL_FAILED, "load", false, 1, 1, ERR));
    a = start(f->store, 1);
    add_results(f, a, 0.1 + 0.2);
    must(pji_store_end_attempt(f->store, a, PJI_TRIAL_DONE, "", false, 1, 1, ERR));
    a = start(f->store, 2);
    must(pji_store_end_attempt(f->store, a, PJI_TRIAL_FAILED, "meter_lost, \"twice\"", false, 1, 1,
                               ERR));
    start(f->store, 3);
}

static const char head[] =
    "trial,size,mode,repetition,block,state,reason,attempt,start_utc,flags,result.size,"
    "energy.j_per_token,energy.j_per_token_u,energy.j_per_token_origin,energy.requests,"
    "energy.ttft_s,total.idle.energy_j,total.idle.energy_j_u,total.idle.energy_j_origin,"
    "total.measure.energy.energy_j,total.measure.energy.energy_j_u,"
    "total.measure.energy.energy_j_origin\r\n";

static void test_csv(void **state)
{
    struct fixture *f = *state;
    static const char done[] =
        "1,1,2.0,1,1,done,,2,1970-01-01T00:00:00Z,gap,7,0.30000000000000004,0.5,modelled,8,,12.5,5,"
        "counter,,,missing\r\n";
    static const char failed[] =
        "2,1,2,1,1,failed,\"meter_lost, \"\"twice\"\"\",1,1970-01-01T00:00:00Z,,,,,,,,,,,,,\r\n";
    static const char *const lines[] = {done, failed, "3,3B,2.0,1,1,running,,1,,,,,,,,,,,,,,\r\n",
                                        "4,3B,2,1,1,planned,,,,,,,,,,,,,,,,\r\n"};
    fill(f);
    char *text = exported(f->store, PJI_EXPORT_CSV), *at = text;
    assert_int_equal(strncmp(at, head, strlen(head)), 0);
    at += strlen(head);
    for (size_t i = 0; i < 4; i++) {
        if (strncmp(at, lines[i], strlen(lines[i])) != 0)
            fail_msg("%s\nnot\n%s", at, lines[i]);
        at += strlen(lines[i]);
    }
    assert_string_equal(at, "");
    char *again = exported(f->store, PJI_EXPORT_CSV);
    assert_string_equal(text, again);
    free(again);
    free(text);
}

static void check_csv_shape(const char *text, size_t rows)
{
    FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    struct pji_csv *csv = NULL;
    struct pji_csv_row row;
    size_t n = 0, width = 0;
    must(pji_csv_open(&csv, file, "export", ',', ERR));
    while (pji_csv_read(csv, &row, NULL) == 0) {
        assert_true(n == 0 || row.n == width);
        width = row.n;
        n++;
    }
    assert_int_equal(n, rows);
    pji_csv_close(csv);
    fclose(file);
}

static void test_empty_study(void **state)
{
    struct fixture *f = *state;
    char *text = exported(f->store, PJI_EXPORT_CSV);
    assert_non_null(strstr(text, "trial,size,mode,repetition,block,state,reason,attempt,"
                                 "start_utc,flags\r\n1,1,2.0,1,1,planned,,,,\r\n"));
    check_csv_shape(text, 5);
    free(text);
    fill(f);
    text = exported(f->store, PJI_EXPORT_CSV);
    check_csv_shape(text, 5);
    free(text);
}

static const char *string_at(const json_t *object, const char *a, const char *b, const char *c)
{
    const json_t *at = json_object_get(object, a);
    at = b ? json_object_get(at, b) : at;
    at = c ? json_object_get(at, c) : at;
    const char *text = json_string_value(at);
    return text ? text : "(none)";
}

static void test_json(void **state)
{
    struct fixture *f = *state;
    must(pji_store_put_meta(f->store, "study", "a \"name\"", ERR));
    fill(f);
    char *text = exported(f->store, PJI_EXPORT_JSON);
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    assert_string_equal(string_at(root, "study", NULL, NULL), "a \"name\"");
    assert_true(json_is_null(json_object_get(root, "question")));
    const json_t *trials = json_object_get(root, "trials"), *t = json_array_get(trials, 0);
    assert_int_equal(json_array_size(trials), 4);
    assert_string_equal(string_at(t, "factors", "mode", NULL), "2.0");
    const json_t *results = json_object_get(t, "results");
    const json_t *figure = json_object_get(results, "energy.j_per_token");
    assert_true(json_real_value(json_object_get(figure, "value")) == 0.1 + 0.2);
    assert_true(json_number_value(json_object_get(figure, "u")) == 0.5);
    assert_true(json_number_value(json_object_get(figure, "u_ind")) == 0.3);
    assert_string_equal(string_at(figure, "origin", NULL, NULL), "modelled");
    figure = json_object_get(results, "energy.ttft_s");
    assert_true(json_is_null(json_object_get(figure, "value")));
    assert_string_equal(string_at(figure, "reason", NULL, NULL), "no request succeeded");
    figure = json_object_get(results, "total.measure.energy.energy_j");
    assert_true(json_is_null(json_object_get(figure, "value")));
    assert_null(json_object_get(figure, "u"));
    assert_string_equal(string_at(figure, "origin", NULL, NULL), "missing");
    assert_string_equal(string_at(figure, "reason", NULL, NULL), "gpu unread");
    t = json_array_get(trials, 1);
    assert_string_equal(string_at(t, "reason", NULL, NULL), "meter_lost, \"twice\"");
    assert_string_equal(string_at(t, "results", "energy.requests", "reason"),
                        "the trial has no such record");
    t = json_array_get(trials, 3);
    assert_true(json_is_null(json_object_get(t, "attempt")));
    assert_string_equal(string_at(t, "results", "energy.requests", "reason"),
                        "the trial has not run yet");
    assert_int_equal(json_object_size(json_object_get(t, "results")), json_object_size(results));
    json_decref(root);
    free(text);
}

static pj_status refuse(void *context, const char *text, size_t len, struct pj_error *err)
{
    int *calls = context;
    (void)text;
    (void)len;
    return ++*calls == 3 ? pji_fail(err, PJ_EIO, "no more") : PJ_OK;
}

static void test_sink_fails(void **state)
{
    struct fixture *f = *state;
    int calls = 0;
    assert_int_equal(pji_store_export(f->store, PJI_EXPORT_CSV, refuse, &calls, NULL), PJ_EIO);
    assert_int_equal(calls, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_csv, setup, teardown),
        cmocka_unit_test_setup_teardown(test_empty_study, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sink_fails, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
