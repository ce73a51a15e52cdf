/* load: of a study: which keys a kind knows and needs, and the schedule that a trial gets. */
#include "lab/workload.h"

#include "temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD   "study: x\nfactors: {rate: [2, 4], shape: [constant, poisson]}\nrepetitions: 2\n"
#define ENGINE "engine: {kind: openai, base_url: 'http://127.0.0.1:1/v1'}\ntask: {items: i.jsonl}\n"

static const struct {
    const char *load, *says; /* says NULL: it is right */
} rows[] = {
    {"{kind: closed, concurrency: 2}", NULL},
    {"{kind: constant, rate: $rate}", NULL},
    {"{kind: poisson, rate: 0.5, concurrency: 8, requests: 100}", NULL},
    {"{kind: gamma, rate: 10, burstiness: 0.5}", NULL},
    {"{kind: on-off, rate: 10, on: 1s, off: 500ms}", NULL},
    {"{kind: ramp, from: 0, to: $rate, over: 1m}", NULL},
    {"{kind: $shape, rate: $rate}", NULL},
    {"{kind: '${shape}', rate: 1, burstiness: 2}", NULL}, /* of no use to these two, perhaps */
    {"{kind: trace, times: t.csv, field: at, unit: ms, speed: 2}", NULL},
    {"{slo: {ttft: 500ms, tpot: 50ms, e2e: 10s}}", NULL},
    {"{kind: Poisson, rate: 1}", "unknown load kind 'Poisson'"},
    {"{kind: on_off, rate: 1, on: 1s, off: 1s}", "unknown load kind 'on_off'"},
    {"{kind: [closed]}", "load kind must be a single value"},
    {"{kind: }", "load kind is empty"},
    {"{kind: poisson}", "a poisson load needs 'rate'"},
    {"{kind: gamma, rate: 1}", "a gamma load needs 'burstiness'"},
    {"{kind: ramp, from: 1, over: 1s}", "a ramp load needs 'to'"},
    {"{kind: trace}", "a trace load needs 'times'"},
    {"{kind: on-off, rate: 1, on: 1s}", "a on-off load needs 'off'"},
    {"{kind: closed, rate: 1}", "'rate' has no meaning for a closed load"},
    {"{kind: constant, rate: 1, burstiness: 1}", "'burstiness' has no meaning"},
    {"{kind: constant, rate: 0}", "above 0"},
    {"{kind: constant, rate: -1}", "above 0"},
    {"{kind: constant, rate: nan}", "'nan'"},
    {"{kind: constant, rate: 0x2}", "'0x2'"},
    {"{kind: constant, rate: '1,5'}", "'1,5'"},
    {"{kind: constant, rate: 1e9}", "at most 1000000"},
    {"{kind: constant, rate: [1]}", ""},
    {"{kind: constant, rate: ''}", ""},
    {"{kind: constant, rate: 10, requests: 0}", "requests must be a whole number"},
    {"{kind: constant, rate: 10, concurrency: 2.0}", "'2.0'"},
    {"{kind: ramp, from: 1, to: 0, over: 1s}", "to must be a number"},
    {"{kind: ramp, from: 1, to: 2, over: 10}", "has no unit"},
    {"{kind: on-off, rate: 1, on: 0s, off: 1s}", "on must be at least"},
    {"{kind: trace, times: '${shape}.csv'}", "times cannot name factor 'shape'"},
    {"{kind: trace, times: t.csv, unit: min}", "unit must be s, ms, us or ns"},
    {"{kind: trace, times: t.csv, speed: 0}", "speed must be"},
    {"{kind: trace, times: []}", "times must be a single value"},
    {"{slo: {}}", "slo is empty"},
    {"{slo: 500ms}", "slo must be a mapping"},
    {"{slo: {tfft: 1s}}", "did you mean 'ttft'?"},
    {"{slo: {ttft: 0s}}", "slo ttft must be at least"},
    {"{slo: {ttft: fast}}", "not a duration"},
    {"{rates: 1}", "did you mean 'rate'?"},
};

static void keys_belong_to_kinds(void **state)
{
    bool good = true;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[1024];
        struct pji_study study;
        struct pj_error err = {0};
        snprintf(text, sizeof text, HEAD ENGINE "load: %s\n", rows[i].load);
        pj_status st = pji_study_parse(&study, text, strlen(text), "s.yaml", &err);
        bool right = rows[i].says ? st == PJ_EINVAL && strstr(err.text, rows[i].says) &&
                                        strncmp(err.text, "s.yaml:6:", 9) == 0
                                  : st == PJ_OK;
        if (!right)
            print_error("%s: %s\n", rows[i].load, err.text);
        good = good && right;
        pji_study_fini(&study);
    }
    assert_true(good);
}

struct world {
    char dir[TEMP_PATH], path[TEMP_PATH + 16];
    struct pji_study study;
    struct pji_workload workload;
};

static void world_open(struct world *w, const char *load, const char *trace)
{
    char text[1024];
    struct pj_error err = {0};
    temp_open(w->dir);
    snprintf(text, sizeof text, HEAD ENGINE "load: %s\n", load);
    temp_write(w->dir, "s.yaml", text);
    temp_write(w->dir, "i.jsonl",
               "{\"id\":\"a\",\"prompt\":\"p\"}\n{\"id\":\"b\",\"prompt\":\"q\"}\n"
               "{\"id\":\"c\",\"prompt\":\"r\"}\n");
    if (trace)
        temp_write(w->dir, "t.csv", trace);
    snprintf(w->path, sizeof w->path, "%s/s.yaml", w->dir);
    if (pji_study_read(&w->study, w->path, &err) != PJ_OK ||
        pji_workload_read(&w->workload, &w->study, &err) != PJ_OK)
        fail_msg("%s", err.text);
}

static void world_close(struct world *w)
{
    pji_workload_fini(&w->workload);
    pji_study_fini(&w->study);
    temp_close(w->dir);
}

static void make(struct world *w, const char *rate, const char *shape, int64_t repetition,
                 struct pji_task_run *run)
{
    const char *levels[] = {rate, shape};
    struct pj_error err = {0};
    if (pji_task_run_make(run, &w->study, &w->workload.tasks[0], levels, repetition, NULL, &err))
        fail_msg("%s", err.text);
}

static void a_trial_has_its_schedule(void **state)
{
    struct world w;
    struct pji_task_run a, b, c;
    (void)state;
    world_open(&w, "{kind: $shape, rate: $rate, requests: 7, slo: {e2e: 2s}}", NULL);
    make(&w, "4", "constant", 1, &a);
    assert_int_equal(a.n, 7);
    assert_int_equal(a.due_ns[6], 1500000000);
    assert_int_equal(a.load.slo.e2e_ns, 2000000000);
    assert_int_equal(a.load.concurrency, 0);
    for (size_t i = 3; i < a.n; i++) /* the items go round in one order */
        assert_string_equal(a.specs[i].item, a.specs[i - 3].item);
    assert_string_not_equal(a.specs[0].item, a.specs[1].item);
    pji_task_run_fini(&a);
    /* treatments of one repetition share the draws; another repetition has its own */
    make(&w, "2", "poisson", 1, &a);
    make(&w, "4", "poisson", 1, &b);
    make(&w, "2", "poisson", 2, &c);
    for (size_t i = 0; i < 7; i++)
        assert_true(llabs(a.due_ns[i] - 2 * b.due_ns[i]) <= 1);
    assert_string_not_equal(a.schedule_sha256, c.schedule_sha256);
    assert_int_equal(strlen(a.schedule_sha256), 64);
    pji_task_run_fini(&a);
    pji_task_run_fini(&b);
    pji_task_run_fini(&c);
    world_close(&w);
}

static void a_trace_sends_one_request_for_each_time(void **state)
{
    struct world w;
    struct pji_task_run run;
    (void)state;
    world_open(&w, "{kind: trace, times: t.csv, unit: ms, speed: 2}", "t\n500\n1000\n1500\n5000\n");
    make(&w, "2", "poisson", 1, &run);
    assert_int_equal(run.n, 4);
    assert_int_equal(run.due_ns[3], 2250000000);
    pji_task_run_fini(&run);
    world_close(&w);
}

static void a_closed_loop_has_none(void **state)
{
    struct world w;
    struct pji_task_run run;
    (void)state;
    world_open(&w, "{}", NULL);
    make(&w, "2", "poisson", 1, &run);
    assert_int_equal(run.n, 3);
    assert_null(run.due_ns);
    assert_string_equal(run.schedule_sha256, "");
    assert_int_equal(run.load.concurrency, 1);
    pji_task_run_fini(&run);
    world_close(&w);
}

static void a_wrong_trace_is_found_by_check(void **state)
{
    struct pji_study study;
    struct pj_error err = {0};
    char dir[TEMP_PATH], path[TEMP_PATH + 16];
    (void)state;
    temp_open(dir);
    temp_write(dir, "s.yaml", HEAD ENGINE "load: {kind: trace, times: t.csv}\n");
    temp_write(dir, "i.jsonl", "{\"prompt\":\"p\"}\n");
    snprintf(path, sizeof path, "%s/s.yaml", dir);
    assert_int_equal(pji_study_read(&study, path, &err), PJ_EINVAL);
    assert_non_null(strstr(err.text, "s.yaml:6:28: "));
    assert_non_null(strstr(err.text, "t.csv"));
    pji_study_fini(&study);
    temp_write(dir, "t.csv", "t\n2\n1\n");
    err = (struct pj_error){0};
    assert_int_equal(pji_study_read(&study, path, &err), PJ_EINVAL);
    assert_non_null(strstr(err.text, "t.csv:3: "));
    pji_study_fini(&study);
    temp_close(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_belong_to_kinds),
        cmocka_unit_test(a_trial_has_its_schedule),
        cmocka_unit_test(a_trace_sends_one_request_for_each_time),
        cmocka_unit_test(a_closed_loop_has_none),
        cmocka_unit_test(a_wrong_trace_is_found_by_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
