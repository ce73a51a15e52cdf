/* What the gates are told of the client: how late requests left through its own fault. */
#include "lab/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#define MS INT64_C(1000000)

enum { N = 6 };

/* Due every 10 ms, each answered after 50 ms. */
static struct pji_request_record request(int64_t i, int64_t sent_ms)
{
    return (struct pji_request_record){.scheduled_ns = (100 + 10 * i) * MS,
                                       .sent_ns = sent_ms * MS,
                                       .first_token_ns = (sent_ms + 20) * MS,
                                       .last_token_ns = (sent_ms + 50) * MS,
                                       .end_ns = (sent_ms + 50) * MS,
                                       .output_tokens = -1,
                                       .prompt_tokens = -1};
}

static void lags_of(struct pji_request_record *records, int64_t cap, enum pji_arrival_kind kind,
                    const double *want_ms)
{
    struct pji_phase_data phase = {.load = {.records = records, .n = N}};
    struct pji_trial_data data = {0};
    struct pji_latency latency = {0};
    struct pji_client_state client;
    struct pji_sample lags = {0};
    phase.run.load.concurrency = cap;
    phase.run.load.arrival.kind = kind;
    for (size_t i = 0; i < N; i++)
        assert_int_equal(
            pji_latency_add(&latency, &records[i], &phase.run.load.slo, false, 0, NULL), PJ_OK);
    assert_int_equal(pji_client_of(&client, &lags, &phase, &data, &latency, NULL), PJ_OK);
    assert_int_equal(client.n_lags, N);
    for (size_t i = 0; i < N; i++)
        if (!(fabs(client.lag_s[i] * 1e3 - want_ms[i]) < 1e-9))
            fail_msg("request %zu: %g ms, not %g", i, client.lag_s[i] * 1e3, want_ms[i]);
    assert_true(fabs(client.ttft_p50_s - 0.020) < 1e-12);
    assert_true(fabs(client.answer_p50_s - 0.050) < 1e-12);
    free(lags.values);
    pji_latency_fini(&latency);
}

/* Two at a time, two of 50 ms each: the fifth may leave 100 ms after the first. */
static void what_the_load_holds_back(void **state)
{
    (void)state;
    static const int64_t sent_ms[N] = {100, 110, 150, 163, 200, 213};
    struct pji_request_record records[N];
    for (int64_t i = 0; i < N; i++)
        records[i] = request(i, sent_ms[i]);
    /* 110 + 50 = 160 was when the fourth could have left */
    lags_of(records, 2, PJI_ARRIVAL_CONSTANT, (const double[]){0, 0, 0, 3, 0, 0});
    lags_of(records, 0, PJI_ARRIVAL_CONSTANT, (const double[]){0, 0, 30, 33, 60, 63});
    /* more slots than were ever needed hold nothing back */
    lags_of(records, 7, PJI_ARRIVAL_POISSON, (const double[]){0, 0, 30, 33, 60, 63});
    /* a closed loop's due time is that of its stream already */
    for (int64_t i = 0; i < N; i++)
        records[i].scheduled_ns = (sent_ms[i] - 1) * MS;
    lags_of(records, 2, PJI_ARRIVAL_CLOSED, (const double[]){1, 1, 1, 1, 1, 1});
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_the_load_holds_back)};
    return cmocka_run_group_tests_name("lab/client", tests, NULL, NULL);
}
