/* Right study files: values, defaults, levels filled in, items files, durations, forecasts. */
#include <stdio.h>

#include "lab/forecast.h"
#include "temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MUST(call)                                                                                 \
    do {                                                                                           \
        struct pj_error must_err = {0};                                                            \
        if (call)                                                                                  \
            fail_msg("%s: %s", #call, must_err.text);                                              \
    } while (0)
#define ERR (&must_err)

static void parse(struct pji_study *study, const char *text)
{
    MUST(pji_study_parse(study, text, strlen(text), "some/dir/s.yaml", ERR));
}

static const char demo[] =
    "study: batching\n"
    "question: Does serving in parallel cut the energy of a token?\n"
    "factors:\n"
    "  concurrency: [1, 4]\n"
    "  length: [\"32\", 2.0]\n"
    "exclude:\n"
    "  - {concurrency: 4, length: [2.0]}\n"
    "repetitions: 5\n"
    "order: {seed: 18446744073709551615, blocks: none}\n"
    "engine: {kind: llamacpp, server: [python3, run.py], model: m.gguf, slots: 4,\n"
    "         args: [--ctx, $length, 'a${concurrency}b${length}', '$$concurrency', 'x$${y}$']}\n"
    "load: {kind: closed, concurrency: $concurrency}\n"
    "task:\n"
    "  - {name: energy, items: e.jsonl, prompt: 'Q: {q}', max_tokens: 48, ignore_eos: true}\n"
    "  - name: accuracy\n"
    "    items: /abs/a.jsonl\n"
    "    gold: label\n"
    "    choices: [yes, no]\n"
    "    stop: \"\\n\"\n"
    "    max_tokens: ${concurrency}\n"
    "    temperature: 0.5\n"
    "    seed: 9\n"
    "    limit: 3\n"
    "    api: chat\n"
    "    extra: {cache_prompt: false, n: 1, text: '1', deep: [1.5, null, {a: $concurrency}]}\n"
    "phases: {warmup: 250ms, idle: 1.5s, cooldown: 2m}\n"
    "limits: {engine_start: 1h, request: 10s, trial: 5m, engine_stop: 3s, meter: 2s, attempts: 7}\n"
    "meter: {interval: 20ms}\n";

static void test_values(void **state)
{
    struct pji_study s;
    (void)state;
    parse(&s, demo);
    assert_string_equal(s.name, "batching");
    assert_string_equal(s.dir, "some/dir");
    assert_int_equal(s.n_factors, 2);
    assert_string_equal(s.factors[1].levels[0], "32");
    assert_string_equal(s.factors[1].levels[1], "2.0"); /* as written */
    assert_int_equal(s.repetitions, 5);
    assert_true(s.seed == UINT64_MAX);
    assert_string_equal(s.blocks, "none");
    assert_string_equal(s.engine->kind, "llamacpp");
    assert_int_equal(s.n_tasks, 2);
    assert_int_equal(s.phases.warmup_ns, 250000000);
    assert_int_equal(s.phases.idle_ns, 1500000000);
    assert_int_equal(s.phases.cooldown_ns, 120000000000);
    assert_int_equal(s.limits.engine_start_ns, 3600000000000);
    assert_int_equal(s.limits.attempts, 7);
    assert_int_equal(s.meter_interval_ns, 20000000);
    assert_int_equal(s.warnings.n, 0);
    assert_string_equal(s.text, demo);
    struct pji_plan plan;
    MUST(pji_plan_make(&plan, &s, ERR));
    assert_int_equal(plan.n_cells, 3);
    pji_plan_fini(&plan);
    pji_study_fini(&s);
}

static void test_settings(void **state)
{
    static const char *const levels[] = {"4", "32"};
    struct pji_study s;
    struct pji_setting *settings = NULL;
    size_t n = 0;
    (void)state;
    parse(&s, demo);
    MUST(pji_study_settings(&s, levels, &settings, &n, ERR));
    assert_int_equal(n, 4);
    assert_string_equal(settings[0].key, "server");
    assert_true(settings[0].is_list);
    assert_string_equal(settings[1].values[0], "m.gguf");
    assert_false(settings[1].is_list);
    assert_int_equal(settings[3].n, 5);
    assert_int_equal(settings[3].line, 11);
    assert_string_equal(settings[3].values[1], "32");
    assert_string_equal(settings[3].values[2], "a4b32");
    assert_string_equal(settings[3].values[3], "$concurrency");
    assert_string_equal(settings[3].values[4], "x${y}$");
    pji_settings_free(settings, n);
    pji_study_fini(&s);
}

static void test_tasks(void **state)
{
    static const char *const levels[] = {"4", "32"};
    struct pji_study s;
    struct pji_task_values v;
    struct pji_load_values load;
    (void)state;
    parse(&s, demo);
    MUST(pji_study_task(&s, 0, levels, &v, ERR));
    assert_string_equal(v.name, "energy");
    assert_string_equal(v.items_path, "some/dir/e.jsonl");
    assert_string_equal(v.prompt, "Q: {q}");
    assert_int_equal(v.max_tokens, 48);
    assert_true(v.ignore_eos && !v.gold && !v.stop && !v.extra && v.api == PJI_API_COMPLETIONS);
    assert_true(v.temperature >= 0 && v.temperature <= 0);
    assert_true(v.seed == UINT64_MAX); /* the order's */
    pji_task_values_fini(&v);
    MUST(pji_study_task(&s, 1, levels, &v, ERR));
    assert_string_equal(v.items_path, "/abs/a.jsonl");
    assert_string_equal(v.prompt, "{prompt}");
    assert_string_equal(v.gold, "label");
    assert_int_equal(v.n_choices, 2);
    assert_string_equal(v.choices[0], "yes");
    assert_string_equal(v.stop, "\n");
    assert_int_equal(v.max_tokens, 4);
    assert_int_equal(v.limit, 3);
    assert_true(v.seed == 9 && v.api == PJI_API_CHAT && !v.ignore_eos);
    assert_string_equal(v.extra, "{\"cache_prompt\": false, \"n\": 1, \"text\": \"1\", "
                                 "\"deep\": [1.5, null, {\"a\": 4}]}");
    pji_task_values_fini(&v);
    MUST(pji_study_load(&s, levels, &load, ERR));
    assert_int_equal(load.concurrency, 4);
    pji_study_fini(&s);
}

static void test_defaults(void **state)
{
    struct pji_study s;
    struct pji_task_values v;
    struct pji_load_values load;
    (void)state;
    parse(&s, "study: x\nfactors: {size: [a]}\nrepetitions: 1\n"
              "engine: {kind: command, run: [echo, $size]}\n");
    assert_int_equal(s.phases.warmup_ns + s.phases.idle_ns + s.phases.cooldown_ns, 0);
    assert_string_equal(s.question, "");
    assert_true(s.seed == 1);
    assert_string_equal(s.blocks, "repetition");
    assert_int_equal(s.n_tasks, 0);
    assert_null(s.load_node);
    assert_int_equal(s.limits.engine_start_ns, 300000000000);
    assert_int_equal(s.limits.request_ns, 120000000000);
    assert_int_equal(s.limits.trial_ns, 3600000000000);
    assert_int_equal(s.limits.engine_stop_ns, 15000000000);
    assert_int_equal(s.limits.meter_ns, 10000000000);
    assert_int_equal(s.limits.attempts, 3);
    assert_int_equal(s.meter_interval_ns, 100000000);
    pji_study_fini(&s);
    parse(&s, "study: x\nfactors: {size: [a]}\nrepetitions: 1\nload: {}\ntask: {items: i}\n"
              "engine: {kind: openai, base_url: 'http://127.0.0.1:1/v1', model: $size}\n");
    assert_int_equal(s.phases.warmup_ns, 2000000000);
    assert_int_equal(s.phases.idle_ns, 2000000000);
    assert_int_equal(s.phases.cooldown_ns, 0);
    MUST(pji_study_task(&s, 0, NULL, &v, ERR));
    assert_string_equal(v.name, "task");
    assert_int_equal(v.max_tokens, 128);
    assert_true(v.seed == 1 && v.limit == 0);
    pji_task_values_fini(&v);
    MUST(pji_study_load(&s, NULL, &load, ERR));
    assert_int_equal(load.concurrency, 1);
    pji_study_fini(&s);
}

static void test_warnings(void **state)
{
    struct pji_study s;
    (void)state;
    parse(&s, "study: x\nrepetitions: 1\nfactors:\n  a: [1]\n  size: [b]\n  c: [2]\n"
              "engine: {kind: openai, base_url: 'http://127.0.0.1:1/v1', model: $size}\n"
              "load: {}\ntask: {items: i, max_tokens: $c}\n");
    assert_int_equal(s.warnings.n, 1);
    assert_int_equal(s.warnings.items[0].line, 4);
    assert_non_null(strstr(s.warnings.items[0].text, "factor 'a' is never used"));
    pji_study_fini(&s);
    parse(&s, "study: x\nrepetitions: 1\nfactors: {a: [1]}\n"
              "engine: {kind: command, run: [env]}\n");
    assert_int_equal(s.warnings.n, 1);
    assert_non_null(strstr(s.warnings.items[0].text, "environment variable PERJOULE_FACTOR_A"));
    pji_study_fini(&s);
}

/* A bad level matters only where a cell has it. */
static void test_excluded_levels_are_not_checked(void **state)
{
    static const char text[] = "study: x\nrepetitions: 1\nfactors: {n: [1, many], m: [a, b]}\n%s"
                               "engine: {kind: openai, base_url: 'http://127.0.0.1:1/v1',"
                               " model: $m}\nload: {concurrency: $n}\ntask: {items: i}\n";
    char file[512];
    struct pji_study s;
    (void)state;
    snprintf(file, sizeof file, text, "exclude: [{n: many}]\n");
    parse(&s, file);
    pji_study_fini(&s);
    snprintf(file, sizeof file, text, "exclude: [{n: many, m: a}]\n");
    assert_int_equal(pji_study_parse(&s, file, strlen(file), "s.yaml", NULL), PJ_EINVAL);
    assert_non_null(strstr(s.errors.items[0].text, "not 'many'"));
    pji_study_fini(&s);
}

/* ---- items files ---- */

static void read_items_study(const char *dir, const char *task, pj_status want, const char *says)
{
    char text[1024], path[128];
    struct pji_study s;
    struct pj_error err = {0};
    snprintf(text, sizeof text,
             "study: x\nfactors: {m: [a]}\nrepetitions: 1\nload: {}\n"
             "engine: {kind: openai, base_url: 'http://127.0.0.1:1/v1', model: $m}\ntask: {%s}\n",
             task);
    temp_write(dir, "s.yaml", text);
    snprintf(path, sizeof path, "%s/s.yaml", dir);
    pj_status st = pji_study_read(&s, path, &err);
    if (st != want || (says && !strstr(err.text, says)))
        fail_msg("%s: %d %s", task, st, err.text);
    pji_study_fini(&s);
}

static void test_items(void **state)
{
    char dir[TEMP_PATH], fifo[128];
    (void)state;
    temp_open(dir);
    temp_write(dir, "data/good.jsonl",
               "{\"id\":\"1\",\"q\":\"a\",\"y\":\"yes\"}\n"
               "{\"id\":\"2\",\"q\":\"b\",\"y\":\"no\"}\n");
    temp_write(dir, "torn.jsonl", "{\"q\":\"a\"}\n{\"q\":\n");
    temp_write(dir, "empty.jsonl", "");
    snprintf(fifo, sizeof fifo, "%s/fifo", dir);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    read_items_study(dir, "items: data/good.jsonl, prompt: '{q}'", PJ_OK, NULL);
    read_items_study(dir, "items: data/good.jsonl, prompt: '{q}', gold: y, choices: [Yes, no]",
                     PJ_OK, NULL);
    read_items_study(dir, "items: none.jsonl, prompt: '{q}'", PJ_EINVAL, "s.yaml:6:15: ");
    read_items_study(dir, "items: none.jsonl, prompt: '{q}'", PJ_EINVAL, "none.jsonl");
    read_items_study(dir, "items: data/good.jsonl, prompt: '{qq}'", PJ_EINVAL, "s.yaml:6:40: ");
    read_items_study(dir, "items: data/good.jsonl", PJ_EINVAL, "prompt");
    read_items_study(dir, "items: data/good.jsonl, prompt: '{q}', gold: z", PJ_EINVAL, "z");
    read_items_study(dir, "items: data/good.jsonl, prompt: '{q}', gold: y, choices: [a, no]",
                     PJ_EINVAL, "not among the choices");
    read_items_study(dir, "items: torn.jsonl, prompt: '{q}'", PJ_EINVAL, "torn.jsonl");
    read_items_study(dir, "items: empty.jsonl, prompt: '{q}'", PJ_EINVAL, "s.yaml:6:15: ");
    read_items_study(dir, "items: fifo, prompt: '{q}'", PJ_EINVAL, "not a regular file");
    read_items_study(dir, "items: data, prompt: '{q}'", PJ_EINVAL, "not a regular file");
    temp_close(dir);
}

/* ---- durations ---- */

static void test_durations(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {{"0s", 0},
                {"0", 0},
                {"250ms", 250000000},
                {"1.5s", 1500000000},
                {"10s", 10000000000},
                {"5m", 300000000000},
                {"5min", 300000000000},
                {"2h", 7200000000000},
                {"10us", 10000},
                {"1000h", 3600000000000000}};
    static const char *const bad[] = {"",    "s",    "10",   "-1s",    "1 s",
                                      "1s ", "1e3s", "1d",   "1.2.3s", "1,5s",
                                      "inf", "nans", "0x1s", "1001h",  "99999999999999999999h",
                                      "1S"};
    int64_t ns = 0;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        MUST(pji_duration_parse(good[i].text, &ns, ERR));
        assert_int_equal(ns, good[i].ns);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (pji_duration_parse(bad[i], &ns, NULL) != PJ_EINVAL)
            fail_msg("'%s' was taken for %lld ns", bad[i], (long long)ns);
}

/* ---- forecast ---- */

static void test_forecast(void **state)
{
    char dir[TEMP_PATH], path[128];
    struct pji_study s;
    struct pji_workload workload;
    struct pji_plan plan;
    struct pji_forecast f;
    (void)state;
    temp_open(dir);
    temp_write(dir, "i.jsonl", "{\"q\":\"a\"}\n{\"q\":\"b\"}\n{\"q\":\"c\"}\n{\"q\":\"d\"}\n");
    temp_write(dir, "s.yaml",
               "study: x\nfactors: {c: [1, 2]}\nrepetitions: 3\nload: {concurrency: $c}\n"
               "engine: {kind: openai, base_url: 'http://127.0.0.1:1/v1'}\n"
               "task: {items: i.jsonl, prompt: '{q}', max_tokens: 10}\n"
               "phases: {warmup: 1s, idle: 2s, cooldown: 3s}\n"
               "limits: {trial: 10s, engine_stop: 1s}\n");
    snprintf(path, sizeof path, "%s/s.yaml", dir);
    MUST(pji_study_read(&s, path, ERR));
    MUST(pji_workload_read(&workload, &s, ERR));
    MUST(pji_plan_make(&plan, &s, ERR));
    MUST(pji_forecast_make(&f, &s, &plan, &workload, 0, ERR));
    assert_int_equal(f.requests, 6 * 4);
    assert_int_equal(f.tokens_most, 6 * 4 * 10);
    assert_true(fabs(f.least_s - 36) < 1e-9);
    assert_true(fabs(f.most_s - 66) < 1e-9);
    assert_true(isnan(f.expected_s));
    /* 40 tokens a trial at 5 tok/s: 8 s alone, 4 s with two in flight */
    MUST(pji_forecast_make(&f, &s, &plan, &workload, 5, ERR));
    assert_true(fabs(f.expected_s - (36 + 3 * 8 + 3 * 4)) < 1e-9);
    double ticks = f.expected_s / 0.1;
    assert_true(fabs(f.disk_b - (24 * PJI_FORECAST_REQUEST_B + 240 * PJI_FORECAST_TOKEN_B +
                                 ticks * PJI_FORECAST_TICK_B + 6 * PJI_FORECAST_TRIAL_B)) < 1);
    pji_plan_fini(&plan);
    pji_workload_fini(&workload);
    pji_study_fini(&s);
    temp_close(dir);
}

static void test_rest(void **state)
{
    static const char head[] = "study: x\nfactors: {c: [1, 2]}\nrepetitions: 3\n"
                               "engine: {kind: command, run: [echo, $c]}\n";
    struct pji_study s;
    struct pji_workload none = {0};
    struct pji_plan plan;
    struct pji_forecast f;
    char text[400];
    (void)state;
    snprintf(text, sizeof text, "%s", head);
    MUST(pji_study_parse(&s, text, strlen(text), "s.yaml", ERR));
    assert_false(s.baseline.asked || s.phases.settle);
    pji_study_fini(&s);
    snprintf(text, sizeof text,
             "%sbaseline: 30s\nphases: {cooldown: {until: settled, max: 2m, over: 5s}}\n", head);
    MUST(pji_study_parse(&s, text, strlen(text), "s.yaml", ERR));
    assert_true(s.baseline.asked && s.phases.settle && s.phases.cooldown_ns == 0);
    assert_int_equal(s.baseline.idle_ns, 30000000000);
    assert_int_equal(s.baseline.every_ns, 900000000000);
    assert_int_equal(s.phases.settle_most_ns, 120000000000);
    assert_int_equal(s.phases.settle_over_ns, 5000000000);
    MUST(pji_plan_make(&plan, &s, ERR));
    MUST(pji_forecast_make(&f, &s, &plan, &none, 0, ERR));
    /* two baselines in each of 3 blocks, 5 s of looking before each of 6 trials */
    assert_true(fabs(f.least_s - (3 * 2 * 30 + 6 * 5)) < 1e-9);
    pji_plan_fini(&plan);
    pji_study_fini(&s);
    snprintf(text, sizeof text,
             "%sbaseline: {idle: 20s, before: block, every: 5m}\nphases: {cooldown: {until: "
             "settled}}\n",
             head);
    MUST(pji_study_parse(&s, text, strlen(text), "s.yaml", ERR));
    assert_int_equal(s.baseline.idle_ns, 20000000000);
    assert_int_equal(s.baseline.every_ns, 300000000000);
    assert_int_equal(s.phases.settle_most_ns, 600000000000);
    assert_int_equal(s.phases.settle_over_ns, 60000000000);
    pji_study_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),   cmocka_unit_test(test_settings),
        cmocka_unit_test(test_tasks),    cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_warnings), cmocka_unit_test(test_excluded_levels_are_not_checked),
        cmocka_unit_test(test_items),    cmocka_unit_test(test_durations),
        cmocka_unit_test(test_forecast), cmocka_unit_test(test_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
