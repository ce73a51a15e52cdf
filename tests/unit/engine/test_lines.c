/* A program that answers items (docs/engines.md): what it may do, and everything that it may do
 * wrong. The programs are shell scripts: ids are counted from 1, so they need not read JSON.
 */
#include "actor.h"
#include "bench.h"
#include "load/jsonl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MS_NS INT64_C(1000000)
#define READY "echo '{\"ready\": true}'; "
/* a line for each item; $i is its id */
#define EACH(body) READY "i=0; while read -r l; do i=$((i+1)); " body "; done"
#define SAY(text)  "echo \"" text "\""

enum { ITEMS = 6 };

struct stage {
    struct bench b;
    struct pji_request_spec specs[ITEMS];
    struct pji_load_plan plan;
    struct pji_load_result result;
    struct pj_error err;
};

static void set_up(struct stage *s, const char *script)
{
    *s = (struct stage){0};
    bench_open(&s->b, "command");
    free(s->b.state);
    s->b.ops = pji_engine_speaking("command", "jsonl");
    s->b.state = calloc(1, s->b.ops->state_size);
    bench_set_list(&s->b, "run", (const char *const[]){"sh", "-c", script, NULL});
    bench_set(&s->b, "protocol", "jsonl");
    for (size_t i = 0; i < ITEMS; i++)
        s->specs[i] = (struct pji_request_spec){
            .item = "x", .members = "\"task\":\"t\",\"item\":{\"a\":1}", .prompt = "p"};
    s->plan = (struct pji_load_plan){.specs = s->specs,
                                     .n = ITEMS,
                                     .concurrency = 1,
                                     .request_timeout_ns = 60000 * MS_NS,
                                     .stop_fd = -1};
}

static void tear_down(struct stage *s)
{
    pji_load_result_fini(&s->result);
    assert_int_equal(bench_stop(&s->b), PJ_OK);
    assert_int_equal(bench_stop(&s->b), PJ_OK);
    assert_int_equal(actor_left(s->b.mark), 0);
    bench_close(&s->b);
}

static pj_status run(struct stage *s)
{
    pji_load_result_fini(&s->result);
    s->plan.lines = s->b.ops->lines(s->b.state);
    s->err = (struct pj_error){0};
    return pji_load_run(&s->plan, &s->result, &s->err);
}

static void start_and_run(struct stage *s, const char *script)
{
    set_up(s, script);
    bench_must_start(&s->b);
    if (run(s) != PJ_OK)
        fail_msg("%s", s->err.text);
}

/* ---- what it may do ---- */

static void test_answers(void **state)
{
    (void)state;
    struct stage s;
    start_and_run(&s, EACH(SAY("{\\\"id\\\":$i,\\\"output\\\":\\\"o$i\\\"}")));
    for (size_t i = 0; i < ITEMS; i++) {
        const struct pji_request_record *r = &s.result.records[i];
        char wanted[8];
        snprintf(wanted, sizeof wanted, "o%zu", i + 1);
        assert_null(r->error);
        assert_string_equal(r->text, wanted);
        assert_true(r->sent_ns >= r->scheduled_ns && r->last_token_ns > r->sent_ns);
        assert_int_equal(r->first_token_ns, 0); /* it came as a whole */
        assert_int_equal(r->output_tokens, -1);
    }
    assert_int_equal(run(&s), PJ_OK); /* the next phase: ids go on */
    assert_string_equal(s.result.records[0].text, "o7");
    tear_down(&s);
}

static void test_what_it_is_given(void **state)
{
    (void)state;
    struct stage s;
    char text[512] = "";
    set_up(&s, EACH("printf '%s\\n' \"$l\" >> got; " SAY("{\\\"id\\\":$i,\\\"output\\\":0}")));
    s.specs[0].prompt = "a \"b\"\n\xc3\xa4";
    s.specs[1].prompt = NULL;
    s.plan.n = 2;
    bench_must_start(&s.b);
    assert_int_equal(run(&s), PJ_OK);
    char path[TEMP_PATH + 8];
    snprintf(path, sizeof path, "%s/got", s.b.dir);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(text, "{\"id\":1,\"task\":\"t\",\"item\":{\"a\":1},\"prompt\":\"a "
                              "\\\"b\\\"\\n\xc3\xa4\"}\n{\"id\":2,\"task\":\"t\",\"item\":{\"a\":"
                              "1}}\n");
    tear_down(&s);
}

/* The last of three is answered first; two wait. */
static void test_any_order(void **state)
{
    (void)state;
    struct stage s;
    set_up(&s, READY "read -r a; read -r b; read -r c; for i in 3 1 2; do " SAY(
                   "{\\\"id\\\":$i,\\\"output\\\":$i}") "; done; cat > /dev/null");
    s.plan.n = 3;
    s.plan.concurrency = 3;
    bench_must_start(&s.b);
    assert_int_equal(run(&s), PJ_OK);
    assert_string_equal(s.result.records[2].text, "3");
    assert_true(s.result.records[2].last_token_ns <= s.result.records[0].last_token_ns);
    assert_int_equal(s.result.records[1].stream, 1);
    tear_down(&s);
}

static void test_outputs_and_counts(void **state)
{
    (void)state;
    struct stage s;
    set_up(&s, READY "read -r a; echo '{\"id\":1,\"output\":{\"a\":[1,true]},\"counts\":{\"pixel\":"
                     "65536,\"output_tokens\":3,\"prompt_tokens\":9,\"mask\":0.5},\"more\":1}';"
                     "read -r a; printf '{\"id\":2,\"output\":\"\",\"error\":null}\\r\\n';"
                     "read -r a; echo '{\"id\":3,\"error\":\"out of memory\"}'; cat >/dev/null");
    s.plan.n = 3;
    bench_must_start(&s.b);
    assert_int_equal(run(&s), PJ_OK);
    const struct pji_request_record *r = s.result.records;
    assert_string_equal(r[0].text, "{\"a\": [1, true]}");
    assert_int_equal(r[0].n_counts, 2);
    assert_string_equal(r[0].counts[0].name, "pixel");
    assert_true(r[0].counts[0].value == 65536.0);
    assert_int_equal(r[0].output_tokens, 3);
    assert_int_equal(r[0].prompt_tokens, 9);
    assert_null(r[1].error); /* nothing found is an answer */
    assert_null(r[1].text);
    assert_non_null(strstr(r[2].error, "the program reported an error: out of memory"));
    assert_int_equal(s.result.n_failed, 1);
    tear_down(&s);
}

static void test_open_loop(void **state)
{
    (void)state;
    struct stage s;
    int64_t due_ns[ITEMS];
    set_up(&s, EACH(SAY("{\\\"id\\\":$i,\\\"output\\\":0}")));
    for (int i = 0; i < ITEMS; i++)
        due_ns[i] = i * 2 * MS_NS;
    s.plan.concurrency = 0;
    s.plan.due_ns = due_ns;
    bench_must_start(&s.b);
    assert_int_equal(run(&s), PJ_OK);
    const struct pji_request_record *r = s.result.records;
    assert_int_equal(r[5].scheduled_ns - r[0].scheduled_ns, 10 * MS_NS);
    assert_true(r[5].sent_ns >= r[5].scheduled_ns);
    tear_down(&s);
}

/* An answer after its time is dropped; its item has failed, the others have not. */
static void test_late_answer(void **state)
{
    (void)state;
    struct stage s;
    set_up(&s, EACH("[ $i = 2 ] && sleep 0.6; " SAY("{\\\"id\\\":$i,\\\"output\\\":$i}")));
    s.plan.n = 3;
    s.plan.request_timeout_ns = 300 * MS_NS;
    bench_must_start(&s.b);
    assert_int_equal(run(&s), PJ_OK);
    assert_non_null(strstr(s.result.records[1].error, "deadline: no answer within 0.3 s"));
    s.plan.request_timeout_ns = 60000 * MS_NS;
    assert_int_equal(run(&s), PJ_OK); /* whatever was late has come by now */
    assert_int_equal(s.result.n_failed, 0);
    bench_facts(&s.b);
    assert_string_not_equal(bench_fact(&s.b, "engine.late_answers"), "");
    tear_down(&s);
}

static void test_facts_and_end_of_input(void **state)
{
    (void)state;
    struct stage s;
    char path[TEMP_PATH + 8];
    set_up(&s,
           "echo '{\"ready\": true, \"name\": \"unet\", \"version\": \"2.0\"}'; cat > /dev/null; "
           "sleep 0.1; touch ended");
    s.b.env.stop_grace_ns = 30000 * MS_NS;
    bench_must_start(&s.b);
    bench_facts(&s.b);
    assert_string_equal(bench_fact(&s.b, "engine.kind"), "command");
    assert_string_equal(bench_fact(&s.b, "engine.protocol"), "jsonl");
    assert_string_equal(bench_fact(&s.b, "engine.name"), "unet");
    assert_string_equal(bench_fact(&s.b, "engine.version"), "2.0");
    assert_non_null(strstr(bench_fact(&s.b, "engine.command"), "sh -c"));
    assert_int_equal(bench_stop(&s.b), PJ_OK);
    snprintf(path, sizeof path, "%s/ended", s.b.dir);
    assert_int_equal(access(path, F_OK), 0); /* it could finish */
    tear_down(&s);
}

/* ---- what it may do wrong: at the start ---- */

static void test_bad_starts(void **state)
{
    (void)state;
    static const struct {
        const char *script, *says;
    } rows[] = {
        {"echo hello; cat", "first line must be {\"ready\": true}, not 'hello'"},
        {"echo '{\"ready\": 1}'; cat", "first line must be"},
        {"echo '[]'; cat", "first line must be"},
        {"echo '{\"error\": \"no GPU here\"}'; cat", "cannot begin: no GPU here"},
        {"echo 'the reason' >&2; exit 3", "ended with exit code 3 before it was ready; its log "
                                          "ends: the reason"},
        {"exec >&-; exec sleep 1000", "closed its standard output before it was ready"},
        {"printf '{\"ready\"'; exec >&-; exec sleep 1000", "ended in the middle of a line"},
        {"cat /dev/zero", "a line of more than 4194304 bytes"},
        {"sleep 1000", "not ready after 0.3 s"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct stage s;
        set_up(&s, rows[i].script);
        if (strcmp(rows[i].script, "sleep 1000") == 0)
            s.b.env.start_deadline_ns = 300 * MS_NS;
        assert_true(bench_start(&s.b) < 0);
        if (strstr(s.b.err.text, rows[i].says) == NULL)
            fail_msg("%s: %s", rows[i].script, s.b.err.text);
        assert_int_equal(actor_left(s.b.mark), 0);
        tear_down(&s);
    }
}

/* ---- and later ---- */

#define GOOD1 "read -r a; echo '{\"id\":1,\"output\":0}'; read -r a; "

static void test_broken_conversations(void **state)
{
    (void)state;
    static const struct {
        const char *script, *code, *says;
    } rows[] = {
        {READY GOOD1 "echo oops; cat", "line_malformed", "not a JSON object: 'oops'"},
        {READY GOOD1 "echo; cat", "line_malformed", "not a JSON object"},
        {READY GOOD1 "echo '{\"id\":2}'; cat", "line_malformed", "needs an output or an error"},
        {READY GOOD1 "echo '{\"output\":2}'; cat", "line_malformed", "needs the id"},
        {READY GOOD1 "echo '{\"id\":\"2\",\"output\":2}'; cat", "line_malformed", "needs the id"},
        {READY GOOD1 "echo '{\"id\":2,\"id\":2,\"output\":2}'; cat", "line_malformed", "duplicate"},
        {READY GOOD1 "printf '{\"id\":2,\"output\":\"\\377\"}\\n'; cat", "line_malformed",
         "\"?\"}'"},
        {READY GOOD1 "printf '{\"id\":2,\"output\":\"a\\\\u0000b\"}\\n'; cat", "line_malformed",
         "u0000"},
        {READY GOOD1 "echo '{\"id\":2,\"output\":0,\"counts\":[1]}'; cat", "line_malformed",
         "counts is not an object"},
        {READY GOOD1 "echo '{\"id\":2,\"output\":0,\"counts\":{\"pixel\":-1}}'; cat",
         "line_malformed", "the count 'pixel' is not a number"},
        {READY GOOD1 "echo '{\"id\":2,\"output\":0,\"counts\":{\"token\":1}}'; cat",
         "line_malformed", "'token' cannot name a count"},
        {READY GOOD1 "echo '{\"id\":2,\"output\":0,\"counts\":{\"A b\":1}}'; cat", "line_malformed",
         "'A b' cannot name a count"},
        {READY GOOD1 "echo '{\"id\":2,\"output\":0,\"counts\":{\"output_tokens\":1.5}}'; cat",
         "line_malformed", "not a whole number"},
        {READY GOOD1 "echo '{\"id\":3,\"output\":0}'; cat", "id_unknown",
         "answered id 3, which it was not given"},
        {READY GOOD1 "echo '{\"id\":-9223372036854775808,\"output\":0}'; cat", "id_unknown", "id"},
        {READY GOOD1 "echo '{\"id\":1,\"output\":0}'; cat", "id_duplicate", "id 1 twice"},
        {READY "yes '{\"id\":77,\"output\":1}'", "id_unknown", "id 77"},
        {READY "cat /dev/zero", "line_too_long", "more than 4194304 bytes"},
        {READY GOOD1 "exit 5", "engine_died", "ended before all items were answered"},
        {READY GOOD1 "kill -KILL $$", "engine_died", "ended before"},
        /* what it leaves behind holds the pipe open */
        {READY GOOD1 "sleep 1000 & exit 0", "engine_died", "ended before"},
        {READY GOOD1 "exec >&-; exec sleep 1000", "output_closed", "closed its output"},
        {READY GOOD1 "printf '{\"id\":2,'; exit 0", "line_malformed", "middle of a line"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct stage s;
        set_up(&s, rows[i].script);
        bench_must_start(&s.b);
        assert_int_equal(run(&s), PJ_EPEER);
        if (strstr(s.err.text, rows[i].says) == NULL ||
            strcmp(s.plan.lines->failure, rows[i].code) != 0)
            fail_msg("%s: %s: %s", rows[i].script, s.plan.lines->failure, s.err.text);
        for (size_t k = 0; k < ITEMS; k++) { /* what was sent has an end */
            const struct pji_request_record *r = &s.result.records[k];
            assert_true(r->sent_ns == 0 || r->error != NULL || r->last_token_ns > 0);
        }
        tear_down(&s);
    }
}

static void fill_pipe(struct stage *s, char *prompt, size_t n)
{
    memset(prompt, 'x', n - 1);
    prompt[n - 1] = '\0';
    for (size_t i = 0; i < ITEMS; i++)
        s->specs[i].prompt = prompt;
}

static void test_blocked_and_closed_input(void **state)
{
    (void)state;
    static const struct {
        const char *script, *code, *says;
    } rows[] = {
        {READY "sleep 1000", "input_blocked", "has not read its standard input for 0.3 s"},
        {READY "exec 0<&-; sleep 1000", "input_closed", "closed its standard input"},
    };
    static char prompt[1 << 20];
    for (size_t i = 0; i < 2; i++) {
        struct stage s;
        set_up(&s, rows[i].script);
        fill_pipe(&s, prompt, sizeof prompt);
        s.plan.request_timeout_ns = 300 * MS_NS;
        bench_must_start(&s.b);
        usleep(100000); /* the second has closed it by then */
        assert_int_equal(run(&s), PJ_EPEER);
        if (strstr(s.err.text, rows[i].says) == NULL ||
            strcmp(s.plan.lines->failure, rows[i].code) != 0)
            fail_msg("%s: %s", s.plan.lines->failure, s.err.text);
        tear_down(&s);
    }
}

/* A slow reader of long items is none that blocks. */
static void test_long_items(void **state)
{
    (void)state;
    static char prompt[1 << 20];
    struct stage s;
    set_up(&s, READY "for i in 1 2 3 4 5 6; do head -n 1 | wc -c > size; " SAY(
                   "{\\\"id\\\":$i,\\\"output\\\":0}") "; done; cat > /dev/null");
    fill_pipe(&s, prompt, sizeof prompt);
    s.plan.n = 1; /* head may read ahead */
    bench_must_start(&s.b);
    assert_int_equal(run(&s), PJ_OK);
    assert_int_equal(s.result.n_failed, 0);
    tear_down(&s);
}

static void test_stopped(void **state)
{
    (void)state;
    struct stage s;
    set_up(&s, EACH("sleep 0.2; " SAY("{\\\"id\\\":$i,\\\"output\\\":0}")));
    bench_must_start(&s.b);
    s.plan.stop_fd = s.b.stop_pipe[0];
    assert_int_equal(write(s.b.stop_pipe[1], "x", 1), 1);
    assert_int_equal(run(&s), PJ_ECANCELED); /* what was sent could finish */
    assert_true(s.result.n_done < ITEMS);
    assert_int_equal(s.result.n_failed, 0);
    tear_down(&s);
}

static void test_settings(void **state)
{
    (void)state;
    struct stage s;
    set_up(&s, "true");
    assert_int_equal(bench_check(&s.b), PJ_OK);
    s.b.n = 1;
    assert_int_equal(bench_check(&s.b), PJ_EINVAL);
    bench_set(&s.b, "protocol", "xml");
    assert_int_equal(bench_check(&s.b), PJ_EINVAL);
    assert_non_null(strstr(s.b.err.text, "'protocol' of a command: 'xml'"));
    tear_down(&s);
}

int main(int argc, char **argv)
{
    int code = 0;
    if (actor_play(argc, argv, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_what_it_is_given),
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_outputs_and_counts),
        cmocka_unit_test(test_open_loop),
        cmocka_unit_test(test_late_answer),
        cmocka_unit_test(test_facts_and_end_of_input),
        cmocka_unit_test(test_bad_starts),
        cmocka_unit_test(test_broken_conversations),
        cmocka_unit_test(test_blocked_and_closed_input),
        cmocka_unit_test(test_long_items),
        cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_settings),
    };
    return cmocka_run_group_tests_name("lines", tests, NULL, NULL);
}
