/* Everything a server can do wrong: an error record with a sentence, never a fast success. */
#include "fixture.h"

#include <stdlib.h>

static void check_bad(const struct pji_request_record *r, const char *says)
{
    assert_non_null(r->error);
    assert_contains(r->error, says);
    assert_true(r->sent_ns > 0);
}

/* Every second request meets the fault; the others are as good as ever. */
static void every_second(const char *option, bool whole, const char *says)
{
    struct fixture f;
    fixture_open(&f, ARGS(option, "2", "--itl-ms", "1"), 8, 3);
    for (size_t i = 0; i < f.plan.n; i++)
        f.specs[i].whole = whole;
    assert_int_equal(fixture_run(&f), PJ_OK);
    assert_int_equal(f.result.n_done, 8);
    assert_int_equal(f.result.n_failed, 4);
    for (size_t i = 0; i < f.plan.n; i++) {
        const struct pji_request_record *r = &f.result.records[i];
        if (r->error) {
            check_bad(r, says);
        } else {
            assert_int_equal(r->output_tokens, 8);
            assert_non_null(r->text);
        }
    }
    fixture_close(&f);
}

static void http_errors(void **state)
{
    (void)state;
    every_second("--fail-every", false, "HTTP 500: planned failure");
    every_second("--fail-every", true, "HTTP 500: planned failure");
}

static void broken_streams(void **state)
{
    (void)state;
    every_second("--cut-every", false, "broke before the answer was complete");
    every_second("--reset-every", false, "broke before the answer was complete");
}

static void streams_without_an_end(void **state)
{
    (void)state;
    every_second("--no-done-every", false, "ended without [DONE]");
}

static void garbage(void **state)
{
    (void)state;
    every_second("--garbage-every", false, "not a JSON object: {\"choices\"");
    every_second("--garbage-every", true, "not a JSON object");
    every_second("--html-every", false, "sent no event stream although one was asked for: <html>");
    every_second("--html-every", true, "sent no JSON object although one was asked for: <html>");
}

static void errors_inside_the_stream(void **state)
{
    (void)state;
    every_second("--error-every", false, "inside its answer: the model ran out of memory");
}

static void empty_answers(void **state)
{
    (void)state;
    every_second("--empty-every", false, "without any text");
    every_second("--empty-every", true, "without any text");
}

static void a_server_that_will_not_stream(void **state)
{
    (void)state;
    every_second("--no-stream-every", false, "sent no event stream although one was asked for");
}

static void part_of_a_broken_answer_is_kept(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, ARGS("--cut-every", "1", "--itl-ms", "2"), 1, 1);
    assert_int_equal(fixture_run(&f), PJ_OK);
    const struct pji_request_record *r = &f.result.records[0];
    check_bad(r, "broke");
    assert_int_equal(r->http_status, 200);
    assert_int_equal(r->n_tokens, 4);
    assert_int_equal(r->output_tokens, -1); /* the usage never came */
    assert_non_null(r->text);
    fixture_close(&f);
}

static void silent_servers_time_out(void **state)
{
    (void)state;
    static const char *const options[] = {"--stall-every", "--hang-every"};
    static const char *const says[] = {"no answer from", "not complete within 0.500 s"};
    for (int i = 0; i < 2; i++) {
        struct fixture f;
        fixture_open(&f, ARGS(options[i], "2"), 4, 4);
        f.plan.request_timeout_ns = INT64_C(500000000);
        assert_int_equal(fixture_run(&f), PJ_OK);
        assert_int_equal(f.result.n_failed, 2);
        for (size_t k = 0; k < 4; k++)
            if (f.result.records[k].error)
                check_bad(&f.result.records[k], says[i]);
        assert_true(f.result.end_ns - f.result.start_ns >= INT64_C(500000000));
        fixture_close(&f);
    }
}

static void a_server_that_dies(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, ARGS("--die-every", "6", "--itl-ms", "1"), 10, 2);
    assert_int_equal(fixture_run(&f), PJ_OK);
    assert_int_equal(f.result.n_done, 10);
    assert_true(f.result.n_failed >= 5);
    for (size_t i = 0; i < 4; i++)
        assert_null(f.result.records[i].error);
    for (size_t i = 5; i < 10; i++)
        assert_non_null(f.result.records[i].error);
    assert_contains(f.result.records[9].error, "cannot connect");
    fixture_close(&f);
}

static void keys_are_sent_and_never_told(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, ARGS("--api-key", "sk-very-secret"), 40, 2);
    assert_int_equal(fixture_run(&f), PJ_OK);
    check_bad(&f.result.records[0], "HTTP 401: Invalid API Key");
    f.endpoint.bearer = "sk-very-secret";
    assert_int_equal(fixture_run(&f), PJ_OK);
    assert_null(f.result.records[0].error);
    f.endpoint.bearer = "Invalid API Key"; /* the server's words are the key: masked */
    assert_int_equal(fixture_run(&f), PJ_OK);
    check_bad(&f.result.records[0], "HTTP 401: (API key)");
    f.endpoint.bearer = "two\nlines";
    assert_int_equal(fixture_run(&f), PJ_OK);
    assert_int_equal(f.result.n_failed, 40); /* none could even be sent */
    assert_contains(f.result.records[39].error, "control character");
    assert_null(strstr(f.result.records[0].error, "two"));
    assert_int_equal(f.result.records[0].sent_ns, 0);
    fixture_close(&f);
}

/* A server may answer with what it was sent: the key is no part of an answer that is kept. */
static void keys_in_answers_are_not_kept(void **state)
{
    (void)state;
    struct fixture f;
    char key[7] = "";
    fixture_open(&f, NO_ARGS, 3, 1);
    assert_int_equal(fixture_run(&f), PJ_OK);
    size_t len = strlen(f.result.records[0].text);
    assert_true(len > 10);
    memcpy(key, f.result.records[0].text + 2, sizeof key - 1);
    f.endpoint.bearer = key;
    assert_int_equal(fixture_run(&f), PJ_OK);
    for (size_t i = 0; i < 3; i++)
        assert_null(strstr(f.result.records[i].text, key));
    assert_int_equal(strlen(f.result.records[0].text), len);
    assert_memory_equal(f.result.records[0].text + 2, "******", 6);
    fixture_close(&f);
}

static void nobody_there(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NO_ARGS, 50, 4);
    stub_close(&f.stub);
    assert_int_equal(fixture_run(&f), PJ_OK);
    assert_int_equal(f.result.n_failed, 50);
    check_bad(&f.result.records[49], "cannot connect to http://127.0.0.1:");
    assert_int_equal(f.result.records[49].first_token_ns, 0);
    assert_null(f.result.records[49].text);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_errors),
        cmocka_unit_test(broken_streams),
        cmocka_unit_test(streams_without_an_end),
        cmocka_unit_test(garbage),
        cmocka_unit_test(errors_inside_the_stream),
        cmocka_unit_test(empty_answers),
        cmocka_unit_test(a_server_that_will_not_stream),
        cmocka_unit_test(part_of_a_broken_answer_is_kept),
        cmocka_unit_test(silent_servers_time_out),
        cmocka_unit_test(a_server_that_dies),
        cmocka_unit_test(keys_are_sent_and_never_told),
        cmocka_unit_test(keys_in_answers_are_not_kept),
        cmocka_unit_test(nobody_there),
    };
    return cmocka_run_group_tests_name("load/faults", tests, NULL, NULL);
}
