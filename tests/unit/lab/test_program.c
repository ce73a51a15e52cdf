/* What a program that answers items is given, and what its answers count. */
#include "lab/program.h"

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

static const char study_text[] =
    "study: x\nfactors: {n: [1]}\nrepetitions: 1\n"
    "engine: {kind: command, run: [x], protocol: jsonl}\nload: {kind: closed, requests: 3}\n"
    "task: {name: seg, items: i.jsonl, gold: truth.label%s}\n";

struct world {
    char dir[TEMP_PATH];
    struct pji_study study;
    struct pji_workload workload;
    struct pji_task_run run;
};

static void open_world(struct world *w, const char *more)
{
    static const char *const levels[] = {"1"};
    char text[600], path[TEMP_PATH + 16];
    struct pj_error err = {0};
    *w = (struct world){0};
    temp_open(w->dir);
    temp_write(
        w->dir, "i.jsonl",
        "{\"id\": \"a\", \"file\": \"x.png\", \"truth\": {\"label\": \"yes\", \"by\": \"me\"}}\n"
        "{\"id\": \"b\", \"file\": \"\xc3\xa4\\n\", \"truth.label\": \"no\"}\n");
    snprintf(text, sizeof text, study_text, more);
    snprintf(path, sizeof path, "%s/s.yaml", w->dir);
    if (pji_study_parse(&w->study, text, strlen(text), path, &err) ||
        pji_study_check_items(&w->study, &err) ||
        pji_workload_read(&w->workload, &w->study, &err) ||
        pji_task_run_make(&w->run, &w->study, &w->workload.tasks[0], levels, 1, NULL, &err))
        fail_msg("%s", err.text);
}

static void close_world(struct world *w)
{
    pji_task_run_fini(&w->run);
    pji_workload_fini(&w->workload);
    pji_study_fini(&w->study);
    temp_close(w->dir);
}

static void items_without_gold(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, "");
    assert_string_equal(w.workload.tasks[0].members[0],
                        "\"task\":\"seg\",\"item\":{\"id\": \"a\", \"file\": \"x.png\", \"truth\": "
                        "{\"by\": \"me\"}}");
    assert_string_equal(w.workload.tasks[0].members[1],
                        "\"task\":\"seg\",\"item\":{\"id\": \"b\", \"file\": \"\xc3\xa4\\n\"}");
    assert_int_equal(w.run.n, 3);
    for (size_t i = 0; i < w.run.n; i++) {
        assert_string_equal(w.run.specs[i].prompt, ""); /* none was asked for */
        assert_ptr_equal(w.run.specs[i].members, w.workload.tasks[0].members[w.run.items[i]]);
    }
    close_world(&w);
    open_world(&w, ", prompt: 'see {file}'");
    assert_string_equal(w.workload.tasks[0].prompts[0], "see x.png");
    close_world(&w);
}

struct seen {
    char name[4][PJI_COUNT_NAME];
    double sum[4];
    size_t n;
};

static pj_status keep(void *context, const char *name, double sum, const char *why_none)
{
    struct seen *s = context;
    assert_int_equal(isnan(sum), why_none[0] != '\0');
    snprintf(s->name[s->n], sizeof s->name[s->n], "%s", name);
    s->sum[s->n++] = sum;
    return PJ_OK;
}

static void counts_are_whole_or_missing(void **state)
{
    (void)state;
    struct pji_count first[] = {{"pixel", 10}, {"mask", 2}};
    struct pji_count second[] = {{"pixel", 5.5}};
    struct pji_count lost[] = {{"pixel", 1e6}};
    char error[] = "x";
    const struct pji_request_record records[] = {
        {.sent_ns = 1, .counts = first, .n_counts = 2},
        {.sent_ns = 1, .counts = second, .n_counts = 1},
        {.sent_ns = 1, .counts = lost, .n_counts = 1, .error = error},
        {.sent_ns = 0, .counts = lost, .n_counts = 1},
    };
    struct pji_tally tally = {0};
    struct seen seen = {0};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pji_tally_add(&tally, &records[i], NULL), PJ_OK);
    assert_int_equal(pji_tally_each(&tally, keep, &seen), PJ_OK);
    assert_int_equal(seen.n, 2);
    assert_string_equal(seen.name[0], "pixel");
    assert_true(seen.sum[0] == 15.5); /* failed ones are in no sum */
    assert_true(isnan(seen.sum[1]));  /* not every answer told it */
    pji_tally_fini(&tally);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_without_gold),
        cmocka_unit_test(counts_are_whole_or_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
