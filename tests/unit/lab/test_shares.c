/* Shares of requests: they add up to the window's energy for any load, and are what the rule says.
 */
#include "course.h"

#include "lab/shares.h"

static struct pji_request_record record(int64_t sent_ms, int64_t end_ms)
{
    return (struct pji_request_record){.sent_ns = sent_ms * MS, .end_ns = end_ms * MS};
}

static void share(const struct course *course, const struct pji_load_result *load, int64_t start_ms,
                  int64_t end_ms, struct pji_share *shares, struct pj_energy *total)
{
    struct pji_prng rng;
    struct pji_series series;
    struct pji_channel channel = sensor_channel(SENSOR_RAPL);
    bool in_total = true;
    pji_prng_init(&rng, 1, "shares");
    course_read(course, SENSOR_RAPL, &rng, course_end_ns(course), &series);
    struct pji_trace trace = {.header = {.channels = &channel, .n_channels = 1}, .series = &series};
    pji_series_window(&series, NULL, start_ms * MS, end_ms * MS, total);
    assert_int_not_equal(total->origin, PJ_ORIGIN_MISSING);
    total->u_com_j = 0.05 * total->value_j;
    assert_int_equal(
        pji_shares_make(shares, &trace, &in_total, total, load, start_ms * MS, end_ms * MS, NULL),
        PJ_OK);
    pji_series_fini(&series);
}

static void near(double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance))
        fail_msg("%.9g is not %.9g", a, b);
}

/* 100 W. 1 s alone, 1 s two of them, 1 s the other alone, 1 s none, and one that was never sent. */
static void the_rule(void **state)
{
    (void)state;
    struct course course;
    struct pji_request_record r[3] = {record(1000, 3000), record(2000, 4000), record(0, 0)};
    struct pji_load_result load = {.records = r, .n = 3};
    struct pji_share shares[3];
    struct pj_energy total;
    course_init(&course, 7000 * MS);
    course_until(&course, 6000 * MS, 100);
    r[1].error = (char[]){"broken"}; /* it was in flight all the same */
    share(&course, &load, 1000, 5000, shares, &total);
    near(shares[0].energy_j, 100 + 50 + 50, 0.01);
    near(shares[1].energy_j, 50 + 100 + 50, 0.01);
    assert_false(shares[2].given);
    near(shares[0].u_com_j, 10, 0.01);
    assert_true(shares[0].u_ind_j > 0 && shares[0].u_ind_j < 2);
    course_fini(&course);
}

static void only_the_window_is_shared(void **state)
{
    (void)state;
    struct course course;
    struct pji_request_record r[3] = {record(1000, 3000), record(2500, 4500), record(4800, 5000)};
    struct pji_load_result load = {.records = r, .n = 3};
    struct pji_share shares[3];
    struct pj_energy total;
    course_init(&course, 7000 * MS);
    course_until(&course, 6000 * MS, 100);
    share(&course, &load, 2000, 4000, shares, &total);
    near(shares[0].energy_j, 50 + 25, 0.01);
    near(shares[1].energy_j, 25 + 100, 0.01);
    assert_false(shares[2].given);
    course_fini(&course);
}

static void they_add_up(void **state)
{
    (void)state;
    enum { N = 300 };
    struct pji_prng rng;
    pji_prng_init(&rng, 2, "add up");
    for (int round = 0; round < 20; round++) {
        struct course course;
        struct pji_request_record *r = calloc(N, sizeof *r);
        struct pji_share *shares = calloc(N, sizeof *shares);
        struct pji_load_result load = {.records = r, .n = N};
        struct pj_energy total;
        double sum_j = 0;
        assert_true(r != NULL && shares != NULL);
        course_init(&course, 32000 * MS);
        for (int64_t t = 100; t <= 31000; t += 100)
            course_until(&course, t * MS, 80 + 600 * pji_prng_unit(&rng));
        for (size_t i = 0; i < N; i++) {
            int64_t sent_ms = (int64_t)pji_prng_below(&rng, 28000) + 500;
            r[i] = record(sent_ms, sent_ms + (int64_t)pji_prng_below(&rng, 2000));
        }
        share(&course, &load, 2000, 29000, shares, &total);
        for (size_t i = 0; i < N; i++) {
            sum_j += shares[i].given ? shares[i].energy_j : 0;
            assert_true(!shares[i].given || (shares[i].energy_j >= 0 && shares[i].u_ind_j >= 0));
        }
        near(sum_j, total.value_j, 1e-6 * total.value_j);
        course_fini(&course);
        free(shares);
        free(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rule),
        cmocka_unit_test(only_the_window_is_shared),
        cmocka_unit_test(they_add_up),
    };
    return cmocka_run_group_tests_name("shares", tests, NULL, NULL);
}
