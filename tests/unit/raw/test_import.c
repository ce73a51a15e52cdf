/* Raw runs in forms that nobody showed us: what is whole comes out right, what is not is failed
 * with its reason and leaves the others alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/error.h"
#include "fake_tree.h"
#include "raw/import.h"
#include "store/store.h"
#include "temp.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct words { /* what the import said */
    char text[8192];
};

static void take_word(void *context, enum pji_log_level level, const char *text)
{
    struct words *words = context;
    size_t len = strlen(words->text);
    (void)level;
    snprintf(words->text + len, sizeof words->text - len, "%s\n", text);
}

struct fixture {
    char dir[TEMP_PATH], runs[TEMP_PATH + 16], out[TEMP_PATH + 16];
    struct words words;
    struct pji_log log;
    struct pji_import_result result;
    struct pji_store *store;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    temp_open(f->dir);
    snprintf(f->runs, sizeof f->runs, "%s/runs", f->dir);
    snprintf(f->out, sizeof f->out, "%s/study", f->dir);
    f->log = (struct pji_log){take_word, &f->words};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    pji_store_close(f->store, NULL);
    temp_close(f->dir);
    free(f);
    return 0;
}

static pj_status import_with(struct fixture *f, bool decimal_comma, struct pj_error *err)
{
    const struct pji_import_options options = {
        .dir = f->runs, .out = f->out, .decimal_comma = decimal_comma, .log = &f->log};
    return pji_import_greenlab(&options, &f->result, err);
}

static void import(struct fixture *f, bool decimal_comma)
{
    struct pj_error err = {0};
    if (import_with(f, decimal_comma, &err))
        fail_msg("%s", err.text);
    assert_int_equal(pji_store_open(&f->store, f->out, PJI_STORE_READ, NULL, NULL), 0);
}

/* ---- looking into the study ---- */

struct look {
    struct pji_store *store;
    const char *run, *metric;
    char name[128];
    double value;
    bool found;
    char reason[64];
    enum pji_trial_state state;
};

static pj_status on_fact(void *context, const char *key, const char *value, struct pj_error *err)
{
    struct look *look = context;
    (void)err;
    if (strcmp(key, "run_id") == 0)
        snprintf(look->name, sizeof look->name, "%s", value);
    return PJ_OK;
}

static pj_status on_metric(void *context, const struct pji_metric_row *row, struct pj_error *err)
{
    struct look *look = context;
    (void)err;
    if (strcmp(row->name, look->metric) == 0) {
        look->value = row->value;
        look->found = true;
    }
    return PJ_OK;
}

static pj_status on_trial(void *context, const struct pji_trial *trial, struct pj_error *err)
{
    struct look *look = context;
    int64_t attempt = 0;
    pji_store_last_attempt(look->store, trial->id, &attempt, err);
    pji_store_each_fact(look->store, attempt, on_fact, look, err);
    if (strcmp(look->name, look->run) != 0)
        return PJ_OK;
    look->state = trial->state;
    snprintf(look->reason, sizeof look->reason, "%s", trial->reason);
    return look->metric != NULL ? pji_store_each_metric(look->store, attempt, on_metric, look, err)
                                : PJ_OK;
}

static double metric(struct fixture *f, const char *run, const char *name)
{
    struct look look = {.store = f->store, .run = run, .metric = name, .value = (double)NAN};
    assert_int_equal(pji_store_each_trial(f->store, on_trial, &look, NULL), 0);
    if (!look.found)
        fail_msg("%s has no %s", run, name);
    return look.value;
}

static void check_failed(struct fixture *f, const char *run, const char *reason)
{
    struct look look = {.store = f->store, .run = run};
    assert_int_equal(pji_store_each_trial(f->store, on_trial, &look, NULL), 0);
    assert_int_equal(look.state, PJI_TRIAL_FAILED);
    assert_string_equal(look.reason, reason);
}

static void check(struct fixture *f, const char *run, const struct fake_truth *truth)
{
    double cpu_j = metric(f, run, "cpu_package_j");
    if (!(fabs(cpu_j - truth->cpu_j) < 1e-6 * truth->cpu_j))
        fail_msg("%s: CPU %.9g J, not %.9g J", run, cpu_j, truth->cpu_j);
    assert_true(fabs(metric(f, run, "gpu_j_trapezoid") - truth->gpu_j) < 1e-6 * truth->gpu_j);
    assert_int_equal((int)metric(f, run, "counter_wraps"), truth->wraps);
    assert_int_equal((int)metric(f, run, "output_tokens"), 828);
    /* 11…51 s after the whole second that the first sample lies in */
    assert_true(fabs(metric(f, run, "dur_s") - 39.8) < 1e-9);
}

static pj_status on_finding(void *context, const struct pji_finding_row *row, struct pj_error *err)
{
    struct words *words = context;
    size_t len = strlen(words->text);
    (void)err;
    snprintf(words->text + len, sizeof words->text - len, "[%s %s %s] %s\n", row->code,
             row->subject, row->consequence, row->detail);
    return PJ_OK;
}

static void findings(struct fixture *f, struct words *words)
{
    words->text[0] = '\0';
    assert_int_equal(pji_store_each_finding(f->store, on_finding, words, NULL), 0);
}

/* ---- forms ---- */

static void test_forms(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"run_0_repetition_0", "run_0_repetition_1",
                                        "run_0_repetition_2", "run_0_repetition_3",
                                        "run_0_repetition_4"};
    struct fake_run forms[5];
    struct fake_truth truth[5];
    for (int i = 0; i < 5; i++)
        forms[i] = fake_plain();
    forms[1].crlf = forms[1].bom = true;
    forms[2].reversed = true;
    forms[2].separator = ';';
    forms[3].prompts_ms = true;
    forms[3].separator = '\t';
    forms[4].gpus = 3;
    for (int i = 0; i < 5; i++) {
        forms[i].cpu_w += i; /* not copies of each other */
        truth[i] = fake_write(f->runs, names[i], &forms[i]);
    }
    import(f, false);
    assert_int_equal(f->result.done, 5);
    for (int i = 0; i < 5; i++)
        check(f, names[i], &truth[i]);
}

static void test_wraps_of_each_package(void **state)
{
    struct fixture *f = *state;
    struct fake_run run = fake_plain();
    run.packages = 2;
    run.modulus_j = 1024;
    struct fake_truth several = fake_write(f->runs, "run_1_repetition_0", &run);
    run.modulus_j = 65536;
    run.start_j = 65436; /* package 1 begins at its wrap, package 0 wraps 100 J later */
    struct fake_truth odd = fake_write(f->runs, "run_1_repetition_1", &run);
    run.packages = 1;
    run.modulus_j = 262144;
    run.start_j = 262100;
    struct fake_truth one = fake_write(f->runs, "run_1_repetition_2", &run);
    assert_true(several.wraps >= 6 && odd.wraps >= 1 && one.wraps == 1);
    import(f, false);
    check(f, "run_1_repetition_0", &several);
    check(f, "run_1_repetition_1", &odd);
    check(f, "run_1_repetition_2", &one);
    struct words words;
    findings(f, &words);
    assert_non_null(strstr(words.text, "[counter_wrapped run_1_repetition_0 flag]"));
    assert_non_null(strstr(words.text, "at 262144 J"));
    assert_non_null(strstr(words.text, "at 65536 J"));
    assert_non_null(strstr(words.text, "at 1024 J"));
}

static void test_decimal_comma_in_one_file(void **state)
{
    struct fixture *f = *state;
    struct fake_run run = fake_plain();
    struct fake_truth plain = fake_write(f->runs, "run_2_repetition_0", &run);
    run.comma = true;
    run.cpu_w = 60;
    struct fake_truth comma = fake_write(f->runs, "run_2_repetition_1", &run);
    import(f, false);
    assert_int_equal(f->result.done, 1);
    check(f, "run_2_repetition_0", &plain);
    check_failed(f, "run_2_repetition_1", "decimal_comma");
    assert_non_null(strstr(f->words.text, "run_2_repetition_1/energibridge.csv:3, column"));
    assert_non_null(strstr(f->words.text, "'1013,88"));
    assert_non_null(strstr(f->words.text, "--decimal-comma"));
    pji_store_close(f->store, NULL);
    temp_close(f->out);
    import(f, true);
    assert_int_equal(f->result.done, 2);
    check(f, "run_2_repetition_0", &plain);
    check(f, "run_2_repetition_1", &comma);
}

/* ---- faults ---- */

static void cut(const struct fixture *f, const char *run, const char *file, long bytes)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s/%s", f->runs, run, file);
    FILE *stream = fopen(path, "r+");
    assert_non_null(stream);
    assert_int_equal(fseek(stream, 0, SEEK_END), 0);
    long size = ftell(stream);
    assert_int_equal(ftruncate(fileno(stream), bytes >= 0 ? bytes : size + bytes), 0);
    fclose(stream);
}

static void test_faults(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *file;
        long bytes; /* kept; negative: cut off; -1000: the file is removed */
        const char *reason;
    } faults[] = {
        {"energibridge.csv", -1000, "missing_file"},
        {"energibridge-summary.txt", -1000, "missing_file"},
        {"prompts_out.tsv", -1000, "missing_file"},
        {"energibridge.csv", 0, "empty_file"},
        {"energibridge-summary.txt", 0, "empty_file"},
        {"prompts_out.tsv", 0, "empty_file"},
        {"energibridge.csv", -20, "torn_file"},
        {"energibridge-summary.txt", 30, "torn_file"},
        {"prompts_out.tsv", -15, "torn_file"},
        {"prompts_out.tsv", -1, "torn_file"},
        {"energibridge.csv", 76, "no_samples"},
    };
    enum { N = sizeof faults / sizeof faults[0] };
    char name[N][32];
    struct fake_run run = fake_plain();
    struct fake_truth whole = fake_write(f->runs, "run_3_repetition_0", &run);
    for (int i = 0; i < N; i++) {
        snprintf(name[i], sizeof name[i], "run_3_repetition_%d", i + 1);
        run.cpu_w += 1;
        fake_write(f->runs, name[i], &run);
        char path[512];
        snprintf(path, sizeof path, "%s/%s/%s", f->runs, name[i], faults[i].file);
        if (faults[i].bytes == -1000)
            assert_int_equal(unlink(path), 0);
        else
            cut(f, name[i], faults[i].file, faults[i].bytes);
    }
    import(f, false);
    assert_int_equal(f->result.done, 1);
    assert_int_equal(f->result.failed, N);
    check(f, "run_3_repetition_0", &whole);
    for (int i = 0; i < N; i++) {
        check_failed(f, name[i], faults[i].reason);
        assert_non_null(strstr(f->words.text, name[i]));
    }
}

/* Cut inside the last field, with as many fields as the header: harmless only where it is unused.
 */
static void test_cut_inside_the_last_field(void **state)
{
    struct fixture *f = *state;
    struct fake_run run = fake_plain();
    struct fake_truth harmless = fake_write(f->runs, "run_3_repetition_0", &run);
    cut(f, "run_3_repetition_0", "energibridge.csv", -4); /* USED_SWAP */
    run.reversed = true;
    run.cpu_w = 50;
    fake_write(f->runs, "run_3_repetition_1", &run);
    cut(f, "run_3_repetition_1", "energibridge.csv", -2); /* Delta: unused too */
    import(f, false);
    assert_int_equal(f->result.done, 2);
    check(f, "run_3_repetition_0", &harmless);
    pji_store_close(f->store, NULL);
    f->store = NULL;
    temp_close(f->out);
    temp_write(f->runs, "run_3_repetition_2/energibridge-summary.txt",
               "Energy consumption in joules: 1 for 60 sec of execution.");
    temp_write(f->runs, "run_3_repetition_2/prompts_out.tsv",
               "start\tend\n1760581920\t1760581921\n");
    temp_write(f->runs, "run_3_repetition_2/energibridge.csv",
               "Time,PACKAGE_ENERGY (J)\n1760581919000,100\n1760581922000,1");
    import(f, false);
    check_failed(f, "run_3_repetition_2", "torn_file");
}

static void test_missing_domain_is_invalid(void **state)
{
    struct fixture *f = *state;
    struct fake_run run = fake_plain();
    fake_write(f->runs, "run_4_repetition_0", &run);
    run.gpus = 0;
    fake_write(f->runs, "run_4_repetition_1", &run);
    import(f, false);
    assert_int_equal(f->result.done, 1);
    assert_int_equal(f->result.invalid, 1);
    assert_non_null(strstr(f->words.text, "gpu-0"));
}

static void test_copies_and_names(void **state)
{
    struct fixture *f = *state;
    struct fake_run run = fake_plain();
    fake_write(f->runs, "run_5_repetition_0", &run);
    fake_write(f->runs, "again/run_5_repetition_0", &run);
    run.cpu_w = 44;
    struct fake_truth odd = fake_write(f->runs, "monday/llama trial", &run);
    temp_write(f->runs, "notes/readme.txt", "nothing");
    import(f, false);
    assert_int_equal(f->result.runs, 3);
    assert_int_equal(f->result.done, 2);
    check(f, "monday/llama trial", &odd);
    assert_non_null(strstr(f->words.text, "copy_of_another_run"));
    struct words words;
    findings(f, &words);
    assert_non_null(strstr(words.text, "treatment_unknown"));
}

static void test_nothing_is_left_behind(void **state)
{
    struct fixture *f = *state;
    struct pj_error err = {0};
    temp_write(f->runs, "run_6_repetition_0/energibridge.csv", "Time\n1\n");
    assert_int_equal(import_with(f, false, &err), PJ_EINVAL);
    assert_true(access(f->out, F_OK) != 0);
    struct fake_run run = fake_plain();
    fake_write(f->runs, "run_6_repetition_0", &run);
    import(f, false);
    pji_error_clear(&err);
    assert_int_equal(import_with(f, false, &err), PJ_EBUSY);
    assert_non_null(strstr(err.text, "exists already"));
    temp_write(f->dir, "empty/file", "");
    snprintf(f->runs, sizeof f->runs, "%s/empty", f->dir);
    snprintf(f->out, sizeof f->out, "%s/other", f->dir);
    pji_error_clear(&err);
    assert_int_equal(import_with(f, false, &err), PJ_EINVAL);
    assert_true(access(f->out, F_OK) != 0);
}

/* ---- findings ---- */

static void test_outputs(void **state)
{
    struct fixture *f = *state;
    struct fake_run run = fake_plain();
    char name[32];
    /* run 0: always the same; run 6: by the day; run 12: each its own */
    for (int i = 0; i < 4; i++) {
        run.cpu_w += 1;
        run.day = i / 2;
        run.answers = 0;
        snprintf(name, sizeof name, "run_4_repetition_%d", i);
        fake_write(f->runs, name, &run);
        run.cpu_w += 1;
        run.answers = run.day;
        snprintf(name, sizeof name, "run_10_repetition_%d", i);
        fake_write(f->runs, name, &run);
        run.cpu_w += 1;
        run.answers = i;
        snprintf(name, sizeof name, "run_16_repetition_%d", i);
        fake_write(f->runs, name, &run);
    }
    import(f, false);
    struct words words;
    findings(f, &words);
    assert_non_null(strstr(words.text, "[identical_outputs study flag] 4 runs of 1 treatments (2 "
                                       "7B WiC)"));
    assert_non_null(strstr(words.text, "[outputs_depend_on_date study forbids] the answers of 4 "
                                       "runs of 1 treatments (3 8B WiC)"));
    assert_non_null(strstr(words.text, "[judge_not_accuracy accuracy forbids]"));
    assert_non_null(strstr(words.text, "12 of 96 answers"));
    /* 3 and 3.1 are both 8B: they alone can be compared */
    assert_non_null(strstr(words.text, "[factor_aliased generation forbids] generation is aliased "
                                       "with model_size: in 2 of 3 pairs of its levels (2 - 3, 2 - "
                                       "3.1)"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_forms, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wraps_of_each_package, setup, teardown),
        cmocka_unit_test_setup_teardown(test_decimal_comma_in_one_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut_inside_the_last_field, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing_domain_is_invalid, setup, teardown),
        cmocka_unit_test_setup_teardown(test_copies_and_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_is_left_behind, setup, teardown),
        cmocka_unit_test_setup_teardown(test_outputs, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
