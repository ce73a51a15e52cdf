/* Arrival processes: their distributions by Kolmogorov-Smirnov on 100 000 draws, their seeds, what
 * they refuse; and the traces that are replayed.
 */
#include "load/arrival.h"
#include "load/times.h"

#include "stats/gammadist.h"
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

enum { N = 100001 };

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Asymptotic p of the one-sample test (M. A. Stephens 1970's correction for finite n). */
static double ks_p(double *u, size_t n)
{
    double d = 0, root = sqrt((double)n), p = 0;
    qsort(u, n, sizeof *u, by_value);
    for (size_t i = 0; i < n; i++) {
        d = fmax(d, fabs(u[i] - (double)i / (double)n));
        d = fmax(d, fabs(u[i] - (double)(i + 1) / (double)n));
    }
    double lambda = (root + 0.12 + 0.11 / root) * d;
    for (int k = 1; k <= 100; k++)
        p += (k % 2 ? 2.0 : -2.0) * exp(-2.0 * lambda * lambda * k * k);
    return p;
}

static int64_t *schedule(const struct pji_arrival *a, size_t n, uint64_t seed)
{
    struct pj_error err = {0};
    int64_t *due = NULL;
    if (pji_arrival_schedule(a, n, seed, "test", &due, &err) != PJ_OK)
        fail_msg("%s", err.text);
    assert_int_equal(due[0], 0);
    for (size_t i = 1; i < n; i++)
        assert_true(due[i] >= due[i - 1]);
    return due;
}

static void check_gaps(const struct pji_arrival *a, double shape)
{
    int64_t *due = schedule(a, N, 11);
    double *u = calloc(N, sizeof *u);
    assert_non_null(u);
    for (size_t i = 1; i < N; i++)
        u[i - 1] =
            pji_chisq_cdf((double)(due[i] - due[i - 1]) * 2e-9 * a->rate_per_s * shape, 2 * shape);
    double p = ks_p(u, N - 1);
    if (!(p > 0.01))
        fail_msg("%s, shape %g: p = %g", pji_arrival_name(a->kind), shape, p);
    /* drawn, not rescaled: the last one is near n/rate, but not at it */
    double mean_s = (double)due[N - 1] * 1e-9 / (N - 1) * a->rate_per_s;
    assert_true(fabs(mean_s - 1) < 5 / sqrt(shape * N));
    assert_true(mean_s != 1);
    free(u);
    free(due);
}

static void gaps_are_drawn_from_their_distribution(void **state)
{
    (void)state;
    struct pji_arrival a = {.kind = PJI_ARRIVAL_POISSON, .rate_per_s = 40};
    check_gaps(&a, 1);
    /* slow, so that gaps of a nanosecond, where due times are whole, are rare at small shapes */
    a = (struct pji_arrival){.kind = PJI_ARRIVAL_GAMMA, .rate_per_s = 0.05};
    static const double shapes[] = {0.3, 0.5, 1, 2, 10};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        a.burstiness = shapes[i];
        check_gaps(&a, shapes[i]);
    }
}

static void constant_is_exact(void **state)
{
    (void)state;
    struct pji_arrival a = {.kind = PJI_ARRIVAL_CONSTANT, .rate_per_s = 8};
    int64_t *due = schedule(&a, 1000, 1);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(due[i], (int64_t)i * 125000000);
    free(due);
}

static void off_periods_are_empty(void **state)
{
    (void)state;
    struct pji_arrival a = {
        .kind = PJI_ARRIVAL_ON_OFF, .rate_per_s = 50, .on_ns = 2000000000, .off_ns = 3000000000};
    int64_t *due = schedule(&a, N, 3);
    double *u = calloc(N, sizeof *u);
    assert_non_null(u);
    int64_t last = 0;
    for (size_t i = 1; i < N; i++) {
        int64_t period = due[i] / 5000000000, within = due[i] % 5000000000;
        assert_true(within <= 2000000000);
        int64_t on_time = period * 2000000000 + within;
        u[i - 1] = 1 - exp(-(double)(on_time - last) * 1e-9 * 50);
        last = on_time;
    }
    assert_true(ks_p(u, N - 1) > 0.01);
    free(u);
    free(due);
}

/* The cumulated rate at the arrivals is a unit Poisson process. */
static void check_ramp(double from, double to)
{
    const double over = 600;
    struct pji_arrival a = {
        .kind = PJI_ARRIVAL_RAMP, .rate_per_s = from, .to_rate_per_s = to, .over_ns = 600000000000};
    int64_t *due = schedule(&a, N, 5);
    double *u = calloc(N, sizeof *u), last = 0;
    assert_non_null(u);
    for (size_t i = 1; i < N; i++) {
        double t = (double)due[i] * 1e-9;
        double sum = t < over ? from * t + (to - from) * t * t / (2 * over)
                              : (from + to) / 2 * over + to * (t - over);
        u[i - 1] = 1 - exp(-(sum - last));
        last = sum;
    }
    assert_true(ks_p(u, N - 1) > 0.01);
    free(u);
    free(due);
}

static void ramps_follow_their_rate(void **state)
{
    (void)state;
    check_ramp(1, 200);
    check_ramp(0, 100);
    check_ramp(200, 10);
    check_ramp(50, 50);
}

static void one_seed_one_schedule(void **state)
{
    (void)state;
    struct pji_arrival a = {.kind = PJI_ARRIVAL_POISSON, .rate_per_s = 10};
    char first[65], again[65], other[65];
    int64_t *due = schedule(&a, 100, 1);
    assert_int_equal(pji_arrival_digest(due, 100, first, NULL), PJ_OK);
    free(due);
    due = schedule(&a, 100, 1);
    assert_int_equal(pji_arrival_digest(due, 100, again, NULL), PJ_OK);
    free(due);
    due = schedule(&a, 100, 2);
    assert_int_equal(pji_arrival_digest(due, 100, other, NULL), PJ_OK);
    free(due);
    assert_string_equal(first, again);
    assert_string_not_equal(first, other);
    /* printf 'perjoule schedule 1\n0\n125000000\n' | sha256sum */
    a = (struct pji_arrival){.kind = PJI_ARRIVAL_CONSTANT, .rate_per_s = 8};
    due = schedule(&a, 2, 1);
    assert_int_equal(pji_arrival_digest(due, 2, first, NULL), PJ_OK);
    assert_string_equal(first, "937d9b08f71510cd9553fcdfcbb3449596704e39af31a958d22c8d77903b74e4");
    free(due);
}

static void wrong_parameters_are_refused(void **state)
{
    (void)state;
    const struct pji_arrival bad[] = {
        {.kind = PJI_ARRIVAL_POISSON, .rate_per_s = 0},
        {.kind = PJI_ARRIVAL_POISSON, .rate_per_s = (double)NAN},
        {.kind = PJI_ARRIVAL_CONSTANT, .rate_per_s = -1},
        {.kind = PJI_ARRIVAL_GAMMA, .rate_per_s = 1},
        {.kind = PJI_ARRIVAL_ON_OFF, .rate_per_s = 1},
        {.kind = PJI_ARRIVAL_RAMP, .rate_per_s = 1, .over_ns = 1},
        {.kind = PJI_ARRIVAL_TRACE, .speed = 0},
        {.kind = PJI_ARRIVAL_TRACE, .speed = 1},
        {.kind = PJI_ARRIVAL_CONSTANT, .rate_per_s = 1e-9},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct pj_error err = {0};
        int64_t *due = NULL;
        assert_int_equal(pji_arrival_schedule(&bad[i], 10, 1, "test", &due, &err), PJ_EINVAL);
        assert_null(due);
        assert_true(err.text[0] != '\0');
    }
    int64_t *due = NULL;
    struct pji_arrival closed = {.kind = PJI_ARRIVAL_CLOSED};
    assert_int_equal(pji_arrival_schedule(&closed, 10, 1, "test", &due, NULL), PJ_OK);
    assert_null(due);
}

/* ---- traces ---- */

static pj_status read_text(const char *text, const char *field, double unit_ns,
                           struct pji_times *times, struct pj_error *err)
{
    char dir[TEMP_PATH], path[TEMP_PATH + 8];
    temp_open(dir);
    temp_write(dir, "trace", text);
    snprintf(path, sizeof path, "%s/trace", dir);
    *err = (struct pj_error){0};
    pj_status status = pji_times_read(times, path, field, unit_ns, err);
    temp_close(dir);
    return status;
}

static void check_times(const char *text, const char *field, double unit_ns)
{
    struct pji_times times;
    struct pj_error err;
    if (read_text(text, field, unit_ns, &times, &err) != PJ_OK)
        fail_msg("%s: %s", text, err.text);
    assert_int_equal(times.n, 3);
    assert_int_equal(times.times_ns[0], 0);
    assert_int_equal(times.times_ns[1], 1500000000);
    assert_int_equal(times.times_ns[2], 1500000000);
    assert_int_equal(strlen(times.sha256), 64);
    pji_times_fini(&times);
}

static void traces_are_read(void **state)
{
    (void)state;
    check_times("t\n1\n2.5\n2.5\n", NULL, 1e9);
    check_times("1\r\n2.5\r\n2.5", NULL, 1e9);
    check_times("user,timestamp,len\na,1000,3\n\"b,c\",2500,4\nd,2500,5\n", NULL, 1e6);
    check_times("user,at\na,1700000001\nb,1700000002.5\nc,1700000002.5\n", "at", 1e9);
    check_times("{\"timestamp\": 0, \"hash_ids\": [1]}\n\n{\"timestamp\": 1500}\n"
                "{\"timestamp\": 1.5e3}",
                NULL, 1e6);
    check_times("{\"a\": 7}\n{\"a\": 8.5}\n{\"a\": 8.5}\n", "a", 1e9);
    check_times("\xef\xbb\xbf{\"t\": 1}\n{\"t\": 2.5}\n{\"t\": 2.5}\n", NULL, 1e9);
    /* no unit stated: seconds, or what the name says */
    check_times("t\n1\n2.5\n2.5\n", NULL, 0);
    check_times("timestamp_ns,n\n7,1\n1500000007,1\n1500000007,2\n", NULL, 0);
    check_times("{\"timestamp_ns\": 0}\n{\"timestamp_ns\": 15e8}\n{\"timestamp_ns\": 15e8}\n", NULL,
                0);
}

static void wrong_traces_are_refused_with_their_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *field, *says;
    } bad[] = {
        {"t\n1\n0.5\n", NULL, "trace:3: the time 0.5 is before"},
        {"t\n1\nnan\n", NULL, "trace:3: 'nan' is not a time"},
        {"t\n1\n2024-01-01 00:00:00\n", NULL, "trace:3: '2024-01-01"},
        {"t\n1\n\"1,5\"\n", NULL, "trace:3: '1,5' is not a time"},
        {"t\n0,5\n1,5\n", NULL, "trace:2: a line of 2 fields below one of 1: are there decimal"},
        {"timestamp;n\n0,5;3\n1,5;4\n", NULL, "trace:2: a line of 2 fields below one of 1"},
        {"t,n\n0,3\n1,5,4\n", NULL, "trace:3: a line of 3 fields below one of 2"},
        {"n,t\n3,0\n4\n", NULL, "trace:3: a line of 1 fields below one of 2"},
        {"t,n,t\n0,1,2\n", NULL, "two columns 't'"},
        {"[{\"t\": 1}]\n", NULL, "is a JSON array"},
        {"a,b\n1,2\n", NULL, "which column holds the times"},
        {"a,b\n1,2\n", "c", "has no column 'c': it has a, b"},
        {"timestamp,b\n,2\n", NULL, "trace:2: the time is missing"},
        {"t\n", NULL, "holds no time"},
        {"", NULL, "holds no time"},
        {"t\n0\n1e12\n", NULL, "is the unit right?"},
        {"{\"t\": 1}\n{\"t\": \"2\"}\n", NULL, "trace:2: 't' is not a number"},
        {"{\"x\": 1}\n", NULL, "trace:1: 'timestamp' is not a number"},
        {"{\"t\": 1}\n[2]\n", NULL, "trace:2: not a JSON object"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct pji_times times;
        struct pj_error err;
        if (read_text(bad[i].text, bad[i].field, 1e9, &times, &err) == PJ_OK)
            fail_msg("accepted: %s", bad[i].text);
        if (!strstr(err.text, bad[i].says))
            fail_msg("%s: %s", bad[i].text, err.text);
    }
    struct pji_times times;
    assert_int_not_equal(pji_times_read(&times, "/dev/null", NULL, 1e9, NULL), PJ_OK);
    assert_int_not_equal(pji_times_read(&times, "/no/such", NULL, 1e9, NULL), PJ_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gaps_are_drawn_from_their_distribution),
        cmocka_unit_test(constant_is_exact),
        cmocka_unit_test(off_periods_are_empty),
        cmocka_unit_test(ramps_follow_their_rate),
        cmocka_unit_test(one_seed_one_schedule),
        cmocka_unit_test(wrong_parameters_are_refused),
        cmocka_unit_test(traces_are_read),
        cmocka_unit_test(wrong_traces_are_refused_with_their_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
