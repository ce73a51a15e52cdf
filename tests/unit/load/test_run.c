/* The request loop against the stub: what a record says, who sends when, how a run ends. */
#include "fixture.h"

#include "temp.h"

#include <jansson.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void check_good(const struct pji_request_record *r, int64_t tokens)
{
    if (r->error)
        fail_msg("request %zu failed: %s", r->spec, r->error);
    assert_int_equal(r->http_status, 200);
    assert_int_equal(r->output_tokens, tokens);
    assert_int_equal(r->n_tokens, tokens);
    assert_true(r->scheduled_ns > 0 && r->scheduled_ns <= r->sent_ns);
    assert_true(r->sent_ns < r->first_token_ns);
    assert_true(r->first_token_ns == r->token_ns[0]);
    assert_true(r->last_token_ns == r->token_ns[r->n_tokens - 1]);
    for (size_t i = 1; i < r->n_tokens; i++)
        assert_true(r->token_ns[i] >= r->token_ns[i - 1]);
}

static void record_holds_every_field(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, ARGS("--ttft-ms", "20", "--itl-ms", "5", "--cached", "2"), 1, 1);
    assert_int_equal(fixture_run(&f), PJ_OK);
    const struct pji_request_record *r = &f.result.records[0];
    check_good(r, 8);
    assert_int_equal(r->spec, 0);
    assert_int_equal(r->stream, 0);
    assert_int_equal(r->prompt_tokens, 3);
    assert_int_equal(r->cached_tokens, 2);
    assert_string_equal(r->finish, "length");
    assert_null(r->reasoning);
    assert_true(strlen(r->text) > 16);
    assert_true(r->first_token_ns - r->sent_ns >= 20000000);
    assert_true(r->last_token_ns - r->first_token_ns >= 7 * 4000000);
    assert_true(f.result.start_ns == r->sent_ns);
    assert_true(f.result.end_ns >= r->last_token_ns);
    assert_true(f.result.client_cpu_ns > 0);
    assert_int_equal(f.result.n_done, 1);
    assert_int_equal(f.result.n_failed, 0);
    fixture_close(&f);
}

static void same_prompt_same_text(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NO_ARGS, 3, 2);
    f.specs[2].prompt = f.specs[0].prompt;
    assert_int_equal(fixture_run(&f), PJ_OK);
    assert_string_equal(f.result.records[0].text, f.result.records[2].text);
    assert_string_not_equal(f.result.records[0].text, f.result.records[1].text);
    fixture_close(&f);
}

static void chat_with_reasoning(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, ARGS("--reasoning", "3", "--empty-first", "--usage-each"), 2, 1);
    f.specs[0].api = f.specs[1].api = PJI_API_CHAT;
    assert_int_equal(fixture_run(&f), PJ_OK);
    check_good(&f.result.records[0], 8);
    assert_non_null(f.result.records[0].reasoning);
    assert_non_null(f.result.records[0].text);
    fixture_close(&f);
}

static void several_tokens_in_a_chunk_are_one_stamp(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, ARGS("--tokens-per-chunk", "3"), 1, 1);
    assert_int_equal(fixture_run(&f), PJ_OK);
    assert_int_equal(f.result.records[0].n_tokens, 3); /* 3 + 3 + 2 */
    assert_int_equal(f.result.records[0].output_tokens, 8);
    fixture_close(&f);
}

static void what_arrives_in_one_read_shares_a_stamp(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NO_ARGS, 1, 1); /* the stub writes the whole answer at once */
    assert_int_equal(fixture_run(&f), PJ_OK);
    const struct pji_request_record *r = &f.result.records[0];
    check_good(r, 8);
    assert_true(r->token_ns[0] == r->token_ns[7]);
    fixture_close(&f);
}

static void usage_that_is_not_told_is_unknown(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, ARGS("--no-usage"), 1, 1);
    assert_int_equal(fixture_run(&f), PJ_OK);
    const struct pji_request_record *r = &f.result.records[0];
    assert_null(r->error);
    assert_int_equal(r->prompt_tokens, -1);
    assert_int_equal(r->cached_tokens, -1);
    assert_int_equal(r->output_tokens, -1);
    assert_int_equal(r->n_tokens, 8);
    fixture_close(&f);
}

static void whole_answers(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NO_ARGS, 2, 1);
    f.specs[0].whole = f.specs[1].whole = true;
    f.specs[1].api = PJI_API_CHAT;
    assert_int_equal(fixture_run(&f), PJ_OK);
    for (size_t i = 0; i < 2; i++) {
        const struct pji_request_record *r = &f.result.records[i];
        assert_null(r->error);
        assert_int_equal(r->output_tokens, 8);
        assert_int_equal(r->n_tokens, 0);
        assert_int_equal(r->first_token_ns, 0); /* unknown, not fast */
        assert_true(r->last_token_ns > r->sent_ns);
        assert_non_null(r->text);
    }
    fixture_close(&f);
}

static void any_split_gives_the_same_record(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NO_ARGS, 1, 1);
    assert_int_equal(fixture_run(&f), PJ_OK);
    char *whole = strdup(f.result.records[0].text);
    fixture_close(&f);
    fixture_open(&f, ARGS("--split", "1", "--dribble-ms", "0", "--crlf"), 1, 1);
    assert_int_equal(fixture_run(&f), PJ_OK);
    check_good(&f.result.records[0], 8);
    assert_string_equal(f.result.records[0].text, whole);
    fixture_close(&f);
    free(whole);
}

/* Edges of the requests in time order: +1 sent, -1 ended. */
struct edge {
    int64_t t_ns;
    int step;
};

static int compare_edges(const void *a, const void *b)
{
    const struct edge *x = a, *y = b;
    if (x->t_ns != y->t_ns)
        return x->t_ns < y->t_ns ? -1 : 1;
    return x->step - y->step;
}

static long ask_count(const struct fixture *f, const char *key)
{
    char url[128];
    char *body = NULL;
    long status = 0;
    snprintf(url, sizeof url, "%s/stub/counts", f->stub.root_url);
    assert_int_equal(pji_http_get(url, NULL, INT64_C(5000000000), 4096, &body, &status, NULL), 0);
    json_t *counts = json_loads(body, 0, NULL);
    long value = (long)json_integer_value(json_object_get(counts, key));
    json_decref(counts);
    free(body);
    return value;
}

static void closed_loop_keeps_n_in_flight(void **state)
{
    (void)state;
    enum { N = 60, STREAMS = 5 };
    struct fixture f;
    struct edge edges[2 * N];
    int streams[STREAMS] = {0};
    fixture_open(&f, ARGS("--ttft-ms", "2", "--itl-ms", "1"), N, STREAMS);
    assert_int_equal(fixture_run(&f), PJ_OK);
    assert_int_equal(f.result.n_done, N);
    for (size_t i = 0; i < N; i++) {
        const struct pji_request_record *r = &f.result.records[i];
        check_good(r, 8);
        assert_true(r->stream >= 0 && r->stream < STREAMS);
        streams[r->stream]++;
        edges[2 * i] = (struct edge){r->sent_ns, 1};
        edges[2 * i + 1] = (struct edge){r->last_token_ns, -1};
        /* the slot's previous request had ended when this one was scheduled */
        for (size_t k = 0; k < i; k++)
            if (f.result.records[k].stream == r->stream)
                assert_true(f.result.records[k].last_token_ns <= r->scheduled_ns);
    }
    qsort(edges, 2 * N, sizeof *edges, compare_edges);
    int in_flight = 0, most = 0;
    for (size_t i = 0; i < 2 * N; i++) {
        in_flight += edges[i].step;
        most = in_flight > most ? in_flight : most;
    }
    assert_int_equal(most, STREAMS);
    for (int i = 0; i < STREAMS; i++)
        assert_true(streams[i] >= N / STREAMS / 2);
    assert_int_equal(ask_count(&f, "in_flight_max"), STREAMS); /* the server's own witness */
    assert_int_equal(ask_count(&f, "requests"), N);
    assert_int_equal(ask_count(&f, "opened"), STREAMS + 3); /* keep-alive; three for the counts */
    fixture_close(&f);
}

/* Whether any other answer was read between two times. */
static bool read_between(const struct fixture *f, size_t but, int64_t from_ns, int64_t to_ns)
{
    for (size_t i = 0; i < f->result.n; i++)
        for (size_t k = 0; i != but && k < f->result.records[i].n_tokens; k++)
            if (f->result.records[i].token_ns[k] > from_ns &&
                f->result.records[i].token_ns[k] < to_ns)
                return true;
    return false;
}

/* While work remains, a stream that ended sends again before anything else is read: there is one
 * thread, so the order of the stamps is proof whatever the machine's load. */
static void closed_loop_never_idles(void **state)
{
    (void)state;
    enum { N = 60, STREAMS = 6 };
    struct fixture f;
    fixture_open(&f, ARGS("--ttft-ms", "2", "--itl-ms", "1"), N, STREAMS);
    assert_int_equal(fixture_run(&f), PJ_OK);
    for (size_t i = 0; i < N; i++) {
        const struct pji_request_record *r = &f.result.records[i];
        check_good(r, 8);
        assert_false(read_between(&f, i, r->scheduled_ns, r->sent_ns));
        if (i > 0)
            assert_true(r->sent_ns >= f.result.records[i - 1].sent_ns);
    }
    fixture_close(&f);
}

static void more_streams_than_work(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NO_ARGS, 3, 64);
    assert_int_equal(fixture_run(&f), PJ_OK);
    assert_int_equal(f.result.n_done, 3);
    assert_int_equal(f.result.n_failed, 0);
    f.plan.n = 0;
    assert_int_equal(fixture_run(&f), PJ_OK);
    assert_int_equal(f.result.n, 0);
    assert_int_equal(f.result.start_ns, 0);
    fixture_close(&f);
}

/* More streams than one shard of net/http.c holds. */
static void hundreds_of_streams(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, ARGS("--ttft-ms", "1500"), 400, 300); /* time to open them all */
    assert_int_equal(fixture_run(&f), PJ_OK);
    assert_int_equal(f.result.n_failed, 0);
    assert_int_equal(ask_count(&f, "requests"), 400);
    assert_int_equal(ask_count(&f, "in_flight_max"), 300);
    assert_int_equal(ask_count(&f, "opened"), 300 + 3); /* 100 took up a free connection */
    fixture_close(&f);
}

static void open_loop_sends_when_due(void **state)
{
    (void)state;
    enum { N = 20 };
    struct fixture f;
    int64_t due[N];
    for (int i = 0; i < N; i++)
        due[i] = i / 2 * INT64_C(7000000); /* pairs, 7 ms apart */
    fixture_open(&f, ARGS("--ttft-ms", "60"), N, 0);
    f.plan.due_ns = due;
    assert_int_equal(fixture_run(&f), PJ_OK);
    int64_t zero_ns = f.result.records[0].scheduled_ns;
    for (size_t i = 0; i < N; i++) {
        const struct pji_request_record *r = &f.result.records[i];
        check_good(r, 8);
        assert_true(r->scheduled_ns == zero_ns + due[i]);
    }
    assert_true(ask_count(&f, "in_flight_max") > 4); /* nobody waits for answers */
    fixture_close(&f);
}

static void open_loop_with_a_cap_counts_the_wait(void **state)
{
    (void)state;
    enum { N = 6 };
    struct fixture f;
    int64_t due[N] = {0};
    fixture_open(&f, ARGS("--ttft-ms", "10"), N, 2);
    f.plan.due_ns = due;
    assert_int_equal(fixture_run(&f), PJ_OK);
    assert_int_equal(ask_count(&f, "in_flight_max"), 2);
    const struct pji_request_record *last = &f.result.records[N - 1];
    assert_true(last->scheduled_ns == f.result.records[0].scheduled_ns);
    assert_true(last->sent_ns - last->scheduled_ns >= 2 * INT64_C(10000000));
    fixture_close(&f);
}

static void stop_lets_the_rest_finish(void **state)
{
    (void)state;
    struct fixture f;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    fixture_open(&f, ARGS("--ttft-ms", "300"), 20, 2);
    f.plan.stop_fd = ends[0];
    assert_int_equal(fixture_run(&f), PJ_ECANCELED);
    assert_contains(f.err.text, "2 of 20");
    assert_int_equal(f.result.n_done, 2);
    check_good(&f.result.records[0], 8);
    check_good(&f.result.records[1], 8);
    assert_int_equal(f.result.records[2].sent_ns, 0);
    assert_null(f.result.records[2].error);
    close(ends[0]);
    close(ends[1]);
    fixture_close(&f);
}

static void deadline_is_an_error_of_what_was_in_flight(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, ARGS("--ttft-ms", "1", "--itl-ms", "10000"), 5, 2);
    f.plan.deadline_ns = now_ns() + INT64_C(300000000);
    assert_int_equal(fixture_run(&f), PJ_ETIMEOUT);
    assert_contains(f.err.text, "0 of 5");
    assert_int_equal(f.result.n_done, 2);
    assert_int_equal(f.result.n_failed, 2);
    for (size_t i = 0; i < 2; i++)
        assert_contains(f.result.records[i].error, "deadline");
    assert_int_equal(f.result.records[2].sent_ns, 0);
    fixture_close(&f);
}

static void progress_counts(void *context, size_t done, size_t failed, int64_t output_tokens)
{
    int64_t *seen = context;
    assert_true((int64_t)done >= seen[0]);
    seen[0] = (int64_t)done;
    seen[1] = (int64_t)failed;
    seen[2] = output_tokens;
}

static void progress_ends_at_the_truth(void **state)
{
    (void)state;
    struct fixture f;
    int64_t seen[3] = {0};
    fixture_open(&f, ARGS("--fail-every", "5", "--tokens-per-chunk", "3"), 10, 3);
    f.plan.progress = progress_counts;
    f.plan.progress_context = seen;
    assert_int_equal(fixture_run(&f), PJ_OK);
    assert_int_equal(seen[0], 10);
    assert_int_equal(seen[1], 2);
    assert_int_equal(seen[2], 8 * 8);
    fixture_close(&f);
}

static void spool_has_a_line_for_each(void **state)
{
    (void)state;
    struct fixture f;
    char dir[TEMP_PATH], path[128], *line = NULL;
    size_t cap = 0, lines = 0;
    temp_open(dir);
    snprintf(path, sizeof path, "%s/spool.jsonl", dir);
    fixture_open(&f, ARGS("--fail-every", "4"), 8, 3);
    f.plan.spool_path = path;
    f.plan.phase = "measure";
    f.specs[0].item = "quote \" and \\ and \x01 and \xff";
    assert_int_equal(fixture_run(&f), PJ_OK);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    for (; getline(&line, &cap, file) > 0; lines++) {
        json_t *o = json_loads(line, 0, NULL);
        assert_non_null(o);
        assert_string_equal(json_string_value(json_object_get(o, "phase")), "measure");
        size_t spec = (size_t)json_integer_value(json_object_get(o, "spec"));
        const struct pji_request_record *r = &f.result.records[spec];
        assert_int_equal(json_integer_value(json_object_get(o, "sent_ns")), r->sent_ns);
        assert_int_equal(json_array_size(json_object_get(o, "token_ns")), r->n_tokens);
        const char *error = json_string_value(json_object_get(o, "error"));
        assert_int_equal(error != NULL, r->error != NULL);
        assert_int_equal(json_is_null(json_object_get(o, "output_tokens")), r->error != NULL);
        json_decref(o);
    }
    assert_int_equal(lines, 8);
    free(line);
    fclose(file);
    fixture_close(&f);
    temp_close(dir);
}

static void full_disk_ends_the_spool_not_the_run(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NO_ARGS, 4, 2);
    f.plan.spool_path = "/dev/full";
    assert_int_equal(fixture_run(&f), PJ_ENOSPC);
    assert_contains(f.err.text, "/dev/full");
    assert_int_equal(f.result.n_done, 4);
    assert_int_equal(f.result.n_failed, 0);
    f.plan.spool_path = "/nonexistent/spool";
    assert_int_equal(fixture_run(&f), PJ_ENOTFOUND);
    assert_int_equal(f.result.n_done, 0);
    fixture_close(&f);
}

static void wrong_plans_are_refused(void **state)
{
    (void)state;
    struct fixture f;
    int64_t due[2] = {5, 4};
    fixture_open(&f, NO_ARGS, 2, 0);
    assert_int_equal(fixture_run(&f), PJ_EINVAL);
    f.plan.due_ns = due;
    assert_int_equal(fixture_run(&f), PJ_EINVAL);
    assert_contains(f.err.text, "due before");
    f.plan.due_ns = NULL;
    f.plan.concurrency = 1;
    f.specs[1].extra = "{\"stream\": false}";
    assert_int_equal(fixture_run(&f), PJ_EINVAL);
    assert_contains(f.err.text, "\"stream\"");
    f.specs[1].extra = "[1]";
    assert_int_equal(fixture_run(&f), PJ_EINVAL);
    f.specs[1].extra = "{";
    assert_int_equal(fixture_run(&f), PJ_EINVAL);
    f.specs[1].extra = NULL;
    f.specs[1].prompt = NULL;
    assert_int_equal(fixture_run(&f), PJ_EINVAL);
    assert_contains(f.err.text, "item-1");
    assert_int_equal(ask_count(&f, "requests"), 0);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(record_holds_every_field),
        cmocka_unit_test(same_prompt_same_text),
        cmocka_unit_test(chat_with_reasoning),
        cmocka_unit_test(several_tokens_in_a_chunk_are_one_stamp),
        cmocka_unit_test(what_arrives_in_one_read_shares_a_stamp),
        cmocka_unit_test(usage_that_is_not_told_is_unknown),
        cmocka_unit_test(whole_answers),
        cmocka_unit_test(any_split_gives_the_same_record),
        cmocka_unit_test(closed_loop_keeps_n_in_flight),
        cmocka_unit_test(closed_loop_never_idles),
        cmocka_unit_test(more_streams_than_work),
        cmocka_unit_test(hundreds_of_streams),
        cmocka_unit_test(open_loop_sends_when_due),
        cmocka_unit_test(open_loop_with_a_cap_counts_the_wait),
        cmocka_unit_test(stop_lets_the_rest_finish),
        cmocka_unit_test(deadline_is_an_error_of_what_was_in_flight),
        cmocka_unit_test(progress_ends_at_the_truth),
        cmocka_unit_test(spool_has_a_line_for_each),
        cmocka_unit_test(full_disk_ends_the_spool_not_the_run),
        cmocka_unit_test(wrong_plans_are_refused),
    };
    return cmocka_run_group_tests_name("load/run", tests, NULL, NULL);
}
