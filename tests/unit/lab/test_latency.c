/* Latencies and goodput against figures worked out by hand: scheduled and actual send, chunks of
 * one read, chunks of several tokens, failures, limits.
 */
#include "lab/latency.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MS INT64_C(1000000)

struct figure {
    char name[48], reason[80];
    double value;
};
struct figures {
    struct figure items[64];
    size_t n;
};

static pj_status keep(void *context, const char *name, double value, const char *reason)
{
    struct figures *f = context;
    struct figure *figure = &f->items[f->n++];
    snprintf(figure->name, sizeof figure->name, "%s", name);
    snprintf(figure->reason, sizeof figure->reason, "%s", reason);
    figure->value = value;
    assert_int_equal(isnan(value), reason[0] != '\0'); /* missing says why, and only missing */
    return PJ_OK;
}

static double get(const struct figures *f, const char *name)
{
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->items[i].name, name) == 0)
            return f->items[i].value;
    fail_msg("no figure %s", name);
    return 0;
}

static void near(const struct figures *f, const char *name, double value)
{
    if (!(fabs(get(f, name) - value) < 1e-12))
        fail_msg("%s is %.12g, not %.12g", name, get(f, name), value);
}

static void run(const struct pji_request_record *records, size_t n, const struct pji_slo *slo,
                struct figures *out)
{
    struct pji_latency l = {0};
    *out = (struct figures){0};
    for (size_t i = 0; i < n; i++)
        assert_int_equal(pji_latency_add(&l, &records[i], slo, false, 0, NULL), PJ_OK);
    assert_int_equal(pji_latency_each(&l, slo, 2.0, keep, out, NULL), PJ_OK);
    pji_latency_fini(&l);
}

/* Due at 100 ms, sent at 150, text at 200, 210, 210, 240 ms. */
static int64_t stamps[] = {200 * MS, 210 * MS, 210 * MS, 240 * MS};

static struct pji_request_record request(int64_t tokens)
{
    return (struct pji_request_record){.scheduled_ns = 100 * MS,
                                       .sent_ns = 150 * MS,
                                       .first_token_ns = 200 * MS,
                                       .last_token_ns = 240 * MS,
                                       .prompt_tokens = 3,
                                       .cached_tokens = -1,
                                       .output_tokens = tokens,
                                       .token_ns = stamps,
                                       .n_tokens = 4};
}

static void figures_of_one_request(void **state)
{
    (void)state;
    const struct pji_request_record r = request(4);
    struct figures f;
    run(&r, 1, &(struct pji_slo){0}, &f);
    near(&f, "ttft_s", 0.050);
    near(&f, "ttft_sched_s", 0.100);
    near(&f, "e2e_s", 0.090);
    near(&f, "e2e_sched_s", 0.140);
    near(&f, "send_lag_s", 0.050);
    near(&f, "tpot_s", 0.040 / 3);
    near(&f, "itl_s", 0.020); /* 10 and 30 ms; the gap inside one read has no length */
    near(&f, "itl_shared_share", 1.0 / 3);
    near(&f, "tokens_per_chunk", 1);
    near(&f, "requests_one_read", 0);
    for (size_t i = 0; i < f.n; i++) /* no limit was stated: no goodput */
        assert_null(strstr(f.items[i].name, "goodput"));
}

/* A chunk of several tokens is one stamp; no zero is put in for the others. */
static void nothing_is_padded(void **state)
{
    (void)state;
    const struct pji_request_record r = request(8);
    struct figures f;
    run(&r, 1, &(struct pji_slo){0}, &f);
    near(&f, "tpot_s", 0.040 / 7);
    near(&f, "itl_s", 0.020);
    near(&f, "tokens_per_chunk", 2);
}

/* An answer that came as a whole has an end and no first token: it keeps no limit on that. */
static void whole_answers(void **state)
{
    (void)state;
    struct pji_request_record r = request(-1);
    struct figures f;
    r.first_token_ns = 0;
    r.n_tokens = 0;
    r.token_ns = NULL;
    run(&r, 1, &(struct pji_slo){.e2e_ns = 140 * MS}, &f);
    near(&f, "e2e_s", 0.090);
    near(&f, "e2e_sched_s", 0.140);
    near(&f, "slo_met_share", 1);
    assert_true(isnan(get(&f, "ttft_s")) && isnan(get(&f, "itl_s")) && isnan(get(&f, "tpot_s")));
    run(&r, 1, &(struct pji_slo){.e2e_ns = 139 * MS}, &f);
    near(&f, "slo_met_share", 0);
    run(&r, 1, &(struct pji_slo){.ttft_ns = 1000 * MS}, &f);
    near(&f, "slo_met_share", 0);
}

/* All text in one read: the time per token was not seen, and is not 0. */
static void one_read_has_no_tpot(void **state)
{
    (void)state;
    struct pji_request_record r = request(4);
    int64_t same[] = {200 * MS, 200 * MS, 200 * MS, 200 * MS};
    struct figures f;
    r.last_token_ns = r.first_token_ns;
    r.token_ns = same;
    run(&r, 1, &(struct pji_slo){.tpot_ns = 17 * MS}, &f);
    assert_true(isnan(get(&f, "tpot_s")));
    assert_true(isnan(get(&f, "itl_s")));
    near(&f, "requests_one_read", 1);
    near(&f, "itl_shared_share", 1);
    near(&f, "slo_met_share", 1); /* 50 ms from the send over 3 tokens is within 17 ms */
    run(&r, 1, &(struct pji_slo){.tpot_ns = 16 * MS}, &f);
    near(&f, "slo_met_share", 0);
}

static void failed_requests_are_never_fast(void **state)
{
    (void)state;
    struct pji_request_record r[3] = {request(4), request(4), request(4)};
    const struct pji_slo slo = {.ttft_ns = 1000 * MS};
    char error[] = "HTTP 500";
    struct figures f;
    r[1].error = error;
    r[1].first_token_ns = r[1].last_token_ns = r[1].sent_ns;
    r[2].sent_ns = 0; /* never sent */
    r[2].error = NULL;
    run(r, 3, &slo, &f);
    near(&f, "ttft_s", 0.050);
    near(&f, "slo_met_share", 1.0 / 3);
    near(&f, "goodput_per_s", 0.5);
    r[0].error = error;
    run(r, 3, &slo, &f);
    assert_true(isnan(get(&f, "ttft_s")));
    near(&f, "goodput_per_s", 0);
}

/* Limits hold from the time a request was due, so a client that sends late gains nothing. */
static void limits_count_from_the_schedule(void **state)
{
    (void)state;
    const struct pji_request_record r = request(4);
    struct figures f;
    run(&r, 1, &(struct pji_slo){.ttft_ns = 100 * MS}, &f);
    near(&f, "slo_met_share", 1);
    run(&r, 1, &(struct pji_slo){.ttft_ns = 100 * MS - 1}, &f);
    near(&f, "slo_met_share", 0);
    run(&r, 1, &(struct pji_slo){.e2e_ns = 140 * MS, .ttft_ns = 100 * MS}, &f);
    near(&f, "slo_met_share", 1);
    run(&r, 1, &(struct pji_slo){.e2e_ns = 139 * MS, .ttft_ns = 100 * MS}, &f);
    near(&f, "slo_met_share", 0);
    run(&r, 1, &(struct pji_slo){.tpot_ns = 13 * MS}, &f);
    near(&f, "slo_met_share", 0);
    run(&r, 1, &(struct pji_slo){.tpot_ns = 14 * MS}, &f);
    near(&f, "slo_met_share", 1);
}

static void short_and_uncounted_answers(void **state)
{
    (void)state;
    struct pji_request_record r = request(1);
    const struct pji_slo slo = {.tpot_ns = 1};
    struct figures f;
    r.n_tokens = 1;
    r.last_token_ns = r.first_token_ns;
    run(&r, 1, &slo, &f); /* one token: no time per output token, the limit does not bind */
    near(&f, "slo_met_share", 1);
    assert_true(isnan(get(&f, "tpot_s")));
    near(&f, "requests_one_read", 0);
    r = request(-1);
    run(&r, 1, &slo, &f); /* cannot be judged: not good */
    near(&f, "slo_met_share", 0);
    assert_true(isnan(get(&f, "tokens_per_chunk")));
    run(NULL, 0, &slo, &f);
    assert_true(isnan(get(&f, "slo_met_share")));
}

/* The sum of what only some requests told would be the sum of none. */
static void prompts_that_nobody_counted(void **state)
{
    (void)state;
    struct pji_request_record told = request(4), untold = request(4), failed = request(4);
    struct pji_latency l = {0};
    untold.prompt_tokens = failed.prompt_tokens = -1;
    failed.error = (char[]){"cut off"};
    assert_int_equal(pji_latency_add(&l, &told, &(struct pji_slo){0}, false, 0, NULL), PJ_OK);
    assert_int_equal(pji_latency_add(&l, &failed, &(struct pji_slo){0}, false, 0, NULL), PJ_OK);
    assert_int_equal(l.prompt_tokens, 3);
    assert_int_equal(l.unprompted, 0);
    assert_int_equal(pji_latency_add(&l, &untold, &(struct pji_slo){0}, false, 0, NULL), PJ_OK);
    assert_int_equal(l.unprompted, 1);
    pji_latency_fini(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_of_one_request),
        cmocka_unit_test(nothing_is_padded),
        cmocka_unit_test(whole_answers),
        cmocka_unit_test(one_read_has_no_tpot),
        cmocka_unit_test(failed_requests_are_never_fast),
        cmocka_unit_test(limits_count_from_the_schedule),
        cmocka_unit_test(short_and_uncounted_answers),
        cmocka_unit_test(prompts_that_nobody_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
