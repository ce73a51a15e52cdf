/* Tasks: presets on the reference items of six SuperGLUE tasks, few-shot prompts, thinking, what is
 * refused, and the figures of a trial's answers.
 */
#include "lab/scores.h"
#include "lab/workload.h"

#include "shared.h"
#include "temp.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD                                                                                       \
    "study: x\nfactors: {shots: [0, 2], mode: [on, off]}\nrepetitions: 1\n"                        \
    "engine: {kind: openai, base_url: 'http://127.0.0.1:1/v1'}\nload: {}\n"

struct world {
    char dir[TEMP_PATH];
    struct pji_study study;
    struct pji_workload workload;
};

static pj_status world_open(struct world *w, const char *task, struct pj_error *err)
{
    char text[4096], path[TEMP_PATH + 16];
    *w = (struct world){0};
    *err = (struct pj_error){0};
    temp_open(w->dir);
    snprintf(text, sizeof text, HEAD "task: %s\n", task);
    temp_write(w->dir, "s.yaml", text);
    temp_write(w->dir, "i.jsonl",
               "{\"id\":\"a\",\"q\":\"one\",\"label\":true}\n"
               "{\"id\":\"b\",\"q\":\"two\",\"label\":false}\n");
    temp_write(w->dir, "spaced.jsonl", "{\"id\":\"z\",\"q\":\" one\\t\",\"label\":true}\n");
    temp_write(w->dir, "e.jsonl",
               "{\"id\":\"x\",\"q\":\"three\",\"label\":false}\n"
               "{\"id\":\"y\",\"q\":\"four\",\"label\":true}\n");
    snprintf(path, sizeof path, "%s/s.yaml", w->dir);
    pj_status st = pji_study_read(&w->study, path, err);
    return st ? st : pji_workload_read(&w->workload, &w->study, err);
}

static void world_close(struct world *w)
{
    pji_workload_fini(&w->workload);
    pji_study_fini(&w->study);
    temp_close(w->dir);
}

static void superglue(void **state)
{
    static const struct {
        const char *file, *preset;
        size_t first; /* items whose answer is the first label's */
    } tasks[] = {{"BoolQ", "boolq", 52}, {"CB", "cb", 57},   {"COPA", "copa", 40},
                 {"RTE", "rte", 40},     {"WSC", "wsc", 34}, {"WiC", "wic", 39}};
    (void)state;
    for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++) {
        char path[1024], name[64], task[2048];
        struct world w;
        struct pj_error err;
        snprintf(name, sizeof name, "data/superglue/%s.jsonl", tasks[i].file);
        if (!pjt_shared(path, sizeof path, name)) {
            print_message("no %s: skipped\n", path);
            skip();
        }
        if (path[0] != '/') {
            char *full = realpath(path, NULL);
            snprintf(path, sizeof path, "%s", full ? full : "");
            free(full);
        }
        snprintf(task, sizeof task, "{preset: %s, items: %s}", tasks[i].preset, path);
        if (world_open(&w, task, &err) != PJ_OK)
            fail_msg("%s", err.text);
        const struct pji_workload_task *t = &w.workload.tasks[0];
        size_t first = 0;
        assert_int_equal(t->items.n, 80);
        for (size_t k = 0; k < t->items.n; k++) {
            first += strcmp(t->items.items[k].gold, t->choices[0]) == 0;
            assert_null(strchr(t->prompts[k], '{'));
            assert_non_null(strstr(t->prompts[k], "\nAnswer:"));
        }
        assert_int_equal(first, tasks[i].first);
        world_close(&w);
    }
}

static char *first_prompt(const struct world *w, const char *shots, const char *mode, char **extra)
{
    const char *levels[] = {shots, mode};
    struct pji_task_run run;
    struct pj_error err = {0};
    if (pji_task_run_make(&run, &w->study, &w->workload.tasks[0], levels, 1, NULL, &err))
        fail_msg("%s", err.text);
    char *text = strdup(run.specs[0].prompt);
    *extra = run.extra ? strdup(run.extra) : NULL;
    pji_task_run_fini(&run);
    return text;
}

static void shots_and_thinking(void **state)
{
    struct world w;
    struct pj_error err;
    char *extra = NULL;
    (void)state;
    if (world_open(&w,
                   "{items: i.jsonl, prompt: \"Q: {q}\\nA:\", gold: label, labels: {\"true\": "
                   "aye, \"false\": nay}, examples: e.jsonl, shots: $shots, api: chat, thinking: "
                   "$mode, extra: {top_k: 1}}",
                   &err) != PJ_OK)
        fail_msg("%s", err.text);
    assert_string_equal(w.workload.tasks[0].items.items[0].gold, "aye");
    char *none = first_prompt(&w, "0", "on", &extra);
    assert_int_equal(strncmp(none, "Q: ", 3), 0);
    assert_non_null(strstr(extra, "\"enable_thinking\": true"));
    assert_non_null(strstr(extra, "\"top_k\": 1"));
    free(extra);
    char *two = first_prompt(&w, "2", "off", &extra);
    assert_int_equal(strncmp(two, "Q: three\nA: nay\n\nQ: four\nA: aye\n\nQ: ", 36), 0);
    assert_string_equal(two + strlen(two) - strlen(none), none);
    assert_non_null(strstr(extra, "\"enable_thinking\": false"));
    free(extra);
    free(none);
    free(two);
    world_close(&w);
}

static void what_is_refused(void **state)
{
    static const struct {
        const char *task, *says;
    } bad[] = {
        {"{preset: bolq, items: i.jsonl}", "unknown preset 'bolq': known are boolq, cb"},
        {"{preset: boolq, items: i.jsonl}", "passage"},
        {"{items: i.jsonl, prompt: '{q}', gold: label, scorer: best}", "unknown scorer 'best'"},
        {"{items: i.jsonl, prompt: '{q}', scorer: exact}", "a scorer needs gold"},
        {"{items: i.jsonl, prompt: '{q}', gold: label, scorer: binary}", "needs choices"},
        {"{items: i.jsonl, prompt: '{q}', gold: label, scorer: binary, choices: ['true', "
         "'false'], positive: yes}",
         "which of them is the positive class"},
        {"{items: i.jsonl, prompt: '{q}', gold: label, positive: 'true'}", "no meaning"},
        {"{items: i.jsonl, prompt: '{q}', gold: label, tolerance: 0.1}", "no meaning"},
        {"{items: i.jsonl, prompt: '{q}', gold: label, scorer: numeric}",
         "i.jsonl:1: the gold label 'true' is not a number"},
        {"{items: i.jsonl, prompt: '{q}', gold: label, scorer: numeric, tolerance: 1}", "share"},
        {"{items: i.jsonl, prompt: '{q}', gold: label, scorer: f1, choices: [a]}",
         "takes no choices"},
        {"{items: i.jsonl, prompt: '{q}', gold: label, labels: {\"true\": yes}}",
         "gold label 'false' of item 'b' is not among the labels"},
        {"{items: i.jsonl, prompt: '{q}', gold: label, labels: []}", "labels must map"},
        {"{items: i.jsonl, prompt: '{q}', gold: label, labels: {\"true\": yes}, choices: [yes]}",
         "labels say the choices already"},
        {"{items: i.jsonl, prompt: '{q}', gold: label, shots: 1}", "needs examples"},
        {"{items: i.jsonl, prompt: '{q}', gold: label, examples: e.jsonl, shots: 3}",
         "wants 3 shots, its examples are 2"},
        {"{items: i.jsonl, prompt: '{q}', gold: label, examples: i.jsonl, shots: 1}",
         "its answer would be shown"},
        {"{items: i.jsonl, prompt: '{q}', gold: label, examples: none.jsonl}", "none.jsonl"},
        {"{items: i.jsonl, prompt: '{q}', thinking: on}", "write api: chat"},
        {"{items: i.jsonl, prompt: '{q}', thinking: yes, api: chat}", "off or on"},
        {"{items: i.jsonl, prompt: '{q}', gold: label, scorer: $mode}", "unknown scorer '$mode'"},
        {"{items: i.jsonl, prompt: '{q}', window: stedy}",
         "s.yaml:6:47: window must be whole_task or steady, not 'stedy'"},
        {"{items: i.jsonl, prompt: '{q}', window: $mode}", "window must be whole_task or steady"},
        {"{items: i.jsonl, prompt: '{q}', window: [steady]}", "window"},
        {"[{name: a, items: i.jsonl, prompt: '{q}'}, {name: b, items: i.jsonl, prompt: '{q}', "
         "window: steady}]",
         "window is steady here and whole_task in task 'a'"},
        {"[{name: a, items: i.jsonl, prompt: '{q}', window: steady}, {name: b, items: i.jsonl, "
         "prompt: '{q}'}]",
         "window is whole_task here and steady in task 'a'"},
        {"{items: i.jsonl, prompt: '{q}', gold: label, scorers: f1}", "did you mean 'scorer'?"},
    };
    bool good = true;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct world w;
        struct pj_error err;
        if (world_open(&w, bad[i].task, &err) == PJ_OK || !strstr(err.text, bad[i].says)) {
            print_error("%s: %s\n", bad[i].task, err.text);
            good = false;
        }
        world_close(&w);
    }
    assert_true(good);
}

/* Only what is shown may not be asked, and only what is asked may not be shown. */
static void examples_beyond_the_limit(void **state)
{
    static const char *const good[] = {
        "{items: i.jsonl, prompt: '{q}', gold: label, examples: i.jsonl, shots: 0}",
        "{items: e.jsonl, prompt: '{q}', gold: label, limit: 1, examples: spaced.jsonl, shots: 1}",
        "{items: i.jsonl, prompt: '{q}', gold: label, limit: 1, examples: e.jsonl, shots: $shots}",
    };
    static const char *const bad[] = {
        "{items: i.jsonl, prompt: 'Q {q} ?', gold: label, examples: spaced.jsonl, shots: 1}",
        "{items: i.jsonl, prompt: '{q}', gold: label, limit: 2, examples: i.jsonl, shots: $shots}",
    };
    struct world w;
    struct pj_error err;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (world_open(&w, good[i], &err) != PJ_OK)
            fail_msg("%s: %s", good[i], err.text);
        world_close(&w);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_not_equal(world_open(&w, bad[i], &err), PJ_OK);
        assert_non_null(strstr(err.text, ".jsonl:1: this example is also item 'a' of "));
        world_close(&w);
    }
}

static void the_window(void **state)
{
    static const struct {
        const char *task;
        bool steady;
    } good[] = {{"{items: i.jsonl, prompt: '{q}'}", false},
                {"{items: i.jsonl, prompt: '{q}', window: whole_task}", false},
                {"[{name: a, items: i.jsonl, prompt: '{q}', window: steady}, {name: b, items: "
                 "i.jsonl, prompt: '{q}', window: steady}]",
                 true}};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct world w;
        struct pj_error err;
        if (world_open(&w, good[i].task, &err) != PJ_OK)
            fail_msg("%s", err.text);
        assert_int_equal(pji_study_steady(&w.study), good[i].steady);
        world_close(&w);
    }
}

static pj_status near(void *context, const char *name, double value, const char *reason)
{
    static const struct {
        const char *name;
        double value;
    } rows[] = {{"accuracy_share", 1.0 / 3}, {"coverage_share", 2.0 / 3}, {"precision_share", 0.5},
                {"recall_share", 0.5},       {"f1_share", 0.5},           {"positive_share", 1}};
    size_t *n = context;
    assert_int_equal(isnan(value), reason[0] != '\0');
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].name, name) == 0) {
            assert_true(fabs(value - rows[i].value) < 1e-12);
            (*n)++;
        }
    return PJ_OK;
}

/* "aye" right, "aye" wrong, and one that failed although its text is right. */
static void figures_of_a_trial(void **state)
{
    struct world w;
    struct pj_error err;
    struct pji_scores scores = {0};
    struct pji_scored scored;
    char aye[] = "Aye.", broken[] = "cut off";
    struct pji_request_record good = {.text = aye}, bad = {.text = aye, .error = broken};
    size_t n = 0;
    (void)state;
    if (world_open(&w,
                   "{items: i.jsonl, prompt: '{q}', gold: label, scorer: binary, labels: "
                   "{\"true\": aye, \"false\": nay}, positive: aye}",
                   &err) != PJ_OK)
        fail_msg("%s", err.text);
    const struct pji_workload_task *t = &w.workload.tasks[0];
    const struct pji_request_record *answers[] = {&good, &good, &bad};
    const size_t items[] = {0, 1, 0};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(
            pji_scores_add(&scores, t, &t->items.items[items[i]], answers[i], &scored, NULL),
            PJ_OK);
        assert_int_equal(scored.correct, i == 0);
        pji_scored_fini(&scored);
    }
    assert_int_equal(pji_scores_each(&scores, near, &n), PJ_OK);
    assert_int_equal(n, 6);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(superglue),
        cmocka_unit_test(shots_and_thinking),
        cmocka_unit_test(examples_beyond_the_limit),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(the_window),
        cmocka_unit_test(figures_of_a_trial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
