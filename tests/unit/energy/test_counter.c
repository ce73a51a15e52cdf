/* Repair of energy counters: every kind of fault by hand, with the truth known to the count. */
#include "feed.h"

#include <errno.h>

static struct pji_series s;

static int open_counter(void **state)
{
    (void)state;
    struct pji_channel c = counter_channel();
    series_open(&s, &c, true);
    return 0;
}

static int close_series(void **state)
{
    (void)state;
    pji_series_fini(&s);
    return 0;
}

/* 100 W, a reading each 100 ms: 10 J each; leaves off at t = n * 100 ms. */
static int64_t steady(int64_t first_uj, int n)
{
    for (int i = 0; i <= n; i++) {
        put(&s, i * 100 * MS, first_uj + i * INT64_C(10000000));
    }
    return first_uj + n * INT64_C(10000000);
}

static void total_is_exact_to_the_count(void **state)
{
    (void)state;
    put(&s, 5 * MS, 123456789);
    put(&s, 10 * MS, 123456790);
    struct pj_energy e = total(&s);
    assert_true(e.value_j == 1e-6);
    assert_int_equal(e.origin, PJ_ORIGIN_COUNTER);
    assert_int_equal(e.quality, 0);
    assert_true(e.u_ind_j > 0);
    assert_string_equal(e.com_id, "rapl:package-0");
}

static void total_keeps_large_sums_exact(void **state)
{
    (void)state;
    int64_t value = 7, sum = 0;
    for (int i = 0; i < 2000; i++) {
        put(&s, i * 1000 * MS, value);
        int64_t step = 250000001 + i % 3;
        value = (value + step) % s.channel.modulus;
        sum += i < 1999 ? step : 0;
    }
    assert_true(s.total_uj == sum);
    assert_true(total(&s).value_j == (double)sum / 1e6);
    assert_int_equal(total(&s).quality, PJ_QUALITY_WRAP);
}

static void wrap_is_repaired_with_the_modulus(void **state)
{
    (void)state;
    int64_t m = s.channel.modulus;
    put(&s, 0, m - 4000000);
    put(&s, 100 * MS, 6000000);
    struct pj_energy e = total(&s);
    assert_true(e.value_j == 10.0);
    assert_int_equal(e.quality, PJ_QUALITY_WRAP);
    assert_true(e.u_ind_j < 0.3);
}

static void reset_is_bridged_and_never_negative(void **state)
{
    (void)state;
    int64_t at = steady(90000000000, 10);
    assert_true(at > 0);
    put(&s, 1100 * MS, 5000000); /* the driver was reloaded: 5 J since */
    put(&s, 1200 * MS, 15000000);
    struct pj_energy e = total(&s);
    assert_near(e.value_j, 120, 1e-9);
    assert_int_equal(e.quality, PJ_QUALITY_RESET | PJ_QUALITY_BRIDGED);
    /* the bridged 100 ms can have held 5 to 50 J */
    assert_true(e.u_ind_j > 10 && e.u_ind_j < 50);
    assert_near(window(&s, 0, 1000 * MS).value_j, 100, 1e-9);
    assert_int_equal(window(&s, 0, 1000 * MS).quality, 0);
    assert_int_equal(window(&s, 1000 * MS, 1100 * MS).quality,
                     PJ_QUALITY_RESET | PJ_QUALITY_BRIDGED);
}

static void reset_as_the_very_first_step(void **state)
{
    (void)state;
    put(&s, 0, 90000000000);
    put(&s, 100 * MS, 5000000);
    put(&s, 200 * MS, 15000000);
    put(&s, 300 * MS, 25000000);
    struct pj_energy e = total(&s);
    assert_near(e.value_j, 30, 1e-9);
    assert_true(e.quality & PJ_QUALITY_BRIDGED);
    assert_true(e.quality & PJ_QUALITY_RESET);
}

static void small_step_back_is_not_a_wrap(void **state)
{
    (void)state;
    int64_t at = steady(90000000000, 10);
    put(&s, 1100 * MS, at - 3);
    put(&s, 1200 * MS, at - 3 + 10000000);
    struct pj_energy e = total(&s);
    assert_near(e.value_j, 120, 1e-9);
    assert_int_equal(e.quality, PJ_QUALITY_RESET | PJ_QUALITY_BRIDGED);
}

static void one_impossible_reading_loses_nothing(void **state)
{
    (void)state;
    int64_t at = steady(1000, 10);
    put(&s, 1100 * MS, 4294967295); /* 4.3 kJ in 100 ms: a sentinel */
    put(&s, 1200 * MS, at + 20000000);
    struct pj_energy e = total(&s);
    assert_near(e.value_j, 120, 1e-9);
    assert_int_equal(e.quality, PJ_QUALITY_CAPPED);
    assert_true(e.u_ind_j < 1);
}

static void one_zero_reading_loses_nothing(void **state)
{
    (void)state;
    int64_t at = steady(90000000000, 10);
    put(&s, 1100 * MS, 0);
    put(&s, 1200 * MS, at + 20000000);
    put(&s, 1300 * MS, at + 30000000);
    struct pj_energy e = total(&s);
    assert_near(e.value_j, 130, 1e-9);
    assert_int_equal(e.quality, PJ_QUALITY_RESET);
}

static void values_outside_the_range_are_refused(void **state)
{
    (void)state;
    int64_t at = steady(1000, 10);
    put(&s, 1100 * MS, -1);
    put(&s, 1150 * MS, INT64_MAX);
    put(&s, 1175 * MS, INT64_MIN);
    put(&s, 1200 * MS, at + 20000000);
    struct pj_energy e = total(&s);
    assert_near(e.value_j, 120, 1e-9);
    assert_int_equal(e.quality, PJ_QUALITY_CAPPED);
}

static void jump_that_stays_is_bridged(void **state)
{
    (void)state;
    int64_t at = steady(1000, 10) + INT64_C(40000000000);
    put(&s, 1100 * MS, at);
    put(&s, 1200 * MS, at + 10000000);
    put(&s, 1300 * MS, at + 20000000);
    struct pj_energy e = total(&s);
    assert_near(e.value_j, 130, 1e-9);
    assert_int_equal(e.quality, PJ_QUALITY_CAPPED | PJ_QUALITY_BRIDGED);
}

static void failed_readings_lose_nothing_of_a_counter(void **state)
{
    (void)state;
    int64_t at = steady(1000, 10);
    put_status(&s, 1100 * MS, PJI_READ_FAILED, EIO);
    put_status(&s, 1200 * MS, PJI_READ_FAILED, EIO);
    put(&s, 1300 * MS, at + 30000000);
    put(&s, 1400 * MS, at + 40000000);
    assert_near(total(&s).value_j, 140, 1e-9);
    assert_int_equal(total(&s).quality, 0);
    assert_int_equal(window(&s, 1000 * MS, 1300 * MS).quality, 0);
    struct pj_energy inside = window(&s, 0, 1150 * MS);
    assert_int_equal(inside.quality, PJ_QUALITY_BRIDGED);
    assert_near(inside.value_j, 115, 1e-9);
    assert_true(inside.u_ind_j > window(&s, 0, 950 * MS).u_ind_j);
}

static void failed_at_the_end_is_bridged(void **state)
{
    (void)state;
    steady(1000, 10);
    put_status(&s, 1500 * MS, PJI_READ_FAILED, EIO);
    struct pj_energy e = total(&s);
    assert_near(e.value_j, 150, 1e-9);
    assert_int_equal(e.quality, PJ_QUALITY_BRIDGED);
    assert_true(e.u_ind_j > 50);
}

static void failed_at_the_start_is_bridged(void **state)
{
    (void)state;
    put_status(&s, -500 * MS, PJI_READ_FAILED, EIO);
    steady(1000, 10);
    struct pj_energy e = total(&s);
    assert_near(e.value_j, 150, 1e-9);
    assert_int_equal(e.quality, PJ_QUALITY_BRIDGED);
}

static void never_read_is_missing_with_its_reason(void **state)
{
    (void)state;
    assert_int_equal(total(&s).origin, PJ_ORIGIN_MISSING);
    assert_string_equal(total(&s).reason, "never read");
    put_status(&s, 0, PJI_READ_FAILED, EIO);
    put_status(&s, 1, PJI_READ_FAILED, EIO);
    assert_string_equal(total(&s).reason, "every read failed (EIO)");
    put(&s, 2, 5);
    assert_int_equal(total(&s).origin, PJ_ORIGIN_MISSING);
    assert_non_null(strstr(total(&s).reason, "only one reading"));
}

static void gone_ends_the_series(void **state)
{
    (void)state;
    int64_t at = steady(1000, 10);
    put_status(&s, 1100 * MS, PJI_READ_GONE, ENODEV);
    put(&s, 1200 * MS, at + 20000000); /* nothing comes after gone */
    struct pj_energy e = total(&s);
    assert_near(e.value_j, 100, 1e-9);
    assert_int_equal(e.quality, PJ_QUALITY_PARTIAL);
    assert_non_null(strstr(e.reason, "ENODEV"));
    e = window(&s, 500 * MS, 2000 * MS);
    assert_near(e.value_j, 50, 1e-9);
    assert_int_equal(e.quality, PJ_QUALITY_PARTIAL);
    e = window(&s, 1500 * MS, 2000 * MS);
    assert_int_equal(e.origin, PJ_ORIGIN_MISSING);
    assert_non_null(strstr(e.reason, "ENODEV"));
}

static void more_than_one_wrap_is_flagged(void **state)
{
    (void)state;
    int64_t at = steady(1000, 10);
    /* an hour at up to 500 W: 1.8 MJ, the counter holds 262 kJ; at 100 W it wrapped once */
    int64_t truth = INT64_C(360000000000);
    put(&s, 1000 * MS + 3600000 * MS, (at + truth) % s.channel.modulus);
    struct pj_energy e = total(&s);
    assert_true(e.quality & PJ_QUALITY_AMBIGUOUS);
    assert_near(e.value_j, 100 + 360000, 1);
    assert_true(e.u_ind_j > 2 * 262144 / 3.4641);
}

static void long_gap_without_cap_uses_the_mean_power(void **state)
{
    (void)state;
    s.channel.cap_mw = 0;
    int64_t at = steady(1000, 10);
    put(&s, 1000 * MS + 3600000 * MS, (at + INT64_C(360000000000)) % s.channel.modulus);
    struct pj_energy e = total(&s);
    assert_true(e.quality & PJ_QUALITY_AMBIGUOUS);
    assert_near(e.value_j, 100 + 360000, 1);
}

static void short_gap_is_not_ambiguous(void **state)
{
    (void)state;
    int64_t at = steady(1000, 10);
    put(&s, 1000 * MS + 500000 * MS, at + INT64_C(50000000000));
    assert_int_equal(total(&s).quality, 0);
    assert_near(total(&s).value_j, 50100, 1e-6);
}

static void stall_that_catches_up_is_exact(void **state)
{
    (void)state;
    int64_t at = steady(1000, 50);
    for (int i = 51; i < 90; i++) {
        put(&s, i * 100 * MS, at);
    }
    assert_true(total(&s).quality & PJ_QUALITY_STALLED);
    put(&s, 9000 * MS, at + 400000000);
    struct pj_energy e = total(&s);
    assert_near(e.value_j, 900, 1e-9);
    assert_int_equal(e.quality, PJ_QUALITY_STALLED);
    assert_true(e.u_ind_j < 1);
    /* inside it nobody knows when: spread evenly, and said */
    e = window(&s, 5000 * MS, 7000 * MS);
    assert_near(e.value_j, 200, 1e-6);
    assert_true(e.u_ind_j > 50);
    assert_int_equal(e.quality, PJ_QUALITY_STALLED | PJ_QUALITY_BRIDGED);
}

static void stall_that_lost_energy_says_so(void **state)
{
    (void)state;
    int64_t at = steady(1000, 50);
    for (int i = 51; i < 90; i++) {
        put(&s, i * 100 * MS, at);
    }
    put(&s, 9000 * MS, at + 10000000);
    put(&s, 9100 * MS, at + 20000000);
    struct pj_energy e = total(&s);
    assert_near(e.value_j, 520, 1e-9); /* counted, nothing is added */
    assert_int_equal(e.quality, PJ_QUALITY_STALLED);
    assert_true(e.value_j + 1.96 * e.u_ind_j > 910);
}

/* A package that took nothing for seconds is a counter that does not count. */
static void a_dead_counter_is_no_bare_zero(void **state)
{
    (void)state;
    s.channel.domain_kind = PJI_DOMAIN_PACKAGE;
    s.channel.refresh_ns = 1 * MS;
    s.channel.cap_mw = 0;
    for (int i = 0; i <= 15; i++)
        put(&s, i * 100 * MS, 777000);
    assert_false(total(&s).quality & PJ_QUALITY_STALLED); /* not yet: too short to tell */
    for (int i = 16; i <= 30; i++)
        put(&s, i * 100 * MS, 777000);
    struct pj_energy e = total(&s);
    assert_true(e.value_j == 0);
    assert_int_equal(e.quality, PJ_QUALITY_STALLED);
    assert_true(e.u_ind_j > 1000);
    e = window(&s, 500 * MS, 1500 * MS);
    assert_true((e.quality & PJ_QUALITY_STALLED) && e.u_ind_j > 500);
    s.channel.domain_kind = PJI_DOMAIN_UNCORE; /* a graphics unit that is off may take nothing */
    assert_false(total(&s).quality & PJ_QUALITY_STALLED);
    s.channel.domain_kind = PJI_DOMAIN_PACKAGE;
    put(&s, 3100 * MS, 778000); /* it counts after all */
    assert_false(total(&s).quality & PJ_QUALITY_STALLED);
}

static void a_run_without_a_refresh_is_no_bare_zero(void **state)
{
    (void)state;
    s.channel.refresh_ns = 100 * MS; /* a GPU's counter, a command of 20 ms, at most 500 W */
    put(&s, 0, 777000);
    put(&s, 20 * MS, 777000);
    struct pj_energy e = total(&s);
    assert_true(e.value_j == 0);
    assert_int_equal(e.quality, PJ_QUALITY_STALLED);
    assert_true(1.96 * e.u_ind_j > 10 && e.u_ind_j < 10);
    s.channel.cap_mw = 0;
    e = total(&s);
    assert_int_equal(e.origin, PJ_ORIGIN_COUNTER); /* 2 kW at most */
    assert_int_equal(e.quality, PJ_QUALITY_STALLED);
    assert_true(1.96 * e.u_ind_j > 40 && e.u_ind_j < 40);
    s.channel.refresh_ns = MS; /* one that refreshed all the time: it was 0 */
    e = total(&s);
    assert_int_equal(e.origin, PJ_ORIGIN_COUNTER);
    assert_true(e.value_j == 0 && e.u_ind_j < 0.5e-3 * 500 && e.quality == 0);
}

static void repeated_and_earlier_time_stamps_are_ignored(void **state)
{
    (void)state;
    put(&s, 100 * MS, 1000);
    put(&s, 100 * MS, 5000);
    put(&s, 50 * MS, 7000);
    put(&s, 200 * MS, 9000);
    assert_near(total(&s).value_j, 0.008, 1e-12);
    assert_int_equal(s.n, 2);
}

static void suspend_is_counted_and_marked(void **state)
{
    (void)state;
    int64_t at = steady(1000, 10);
    pji_series_suspend(&s, 300 * 1000 * MS); /* five minutes at 2 W */
    put(&s, 1100 * MS, at + 610000000);
    struct pj_energy e = total(&s);
    assert_near(e.value_j, 710, 1e-9);
    assert_int_equal(e.quality, PJ_QUALITY_SUSPEND);
}

static void bounded_series_allocates_nothing(void **state)
{
    (void)state;
    struct pji_series b;
    struct pji_channel c = counter_channel();
    series_open(&b, &c, false);
    const struct pji_point *points = b.points;
    size_t cap = b.cap;
    for (int i = 0; i < 10000; i++) {
        put(&b, i * MS, (i * INT64_C(100000) / 3) % c.modulus);
    }
    assert_ptr_equal(b.points, points);
    assert_int_equal(b.cap, cap);
    assert_null(b.marks);
    assert_int_equal(b.n, 2);
    assert_true(total(&b).value_j == (double)(9999 * INT64_C(100000) / 3) / 1e6);
    pji_series_fini(&b);
}

static void role_and_kind_must_agree(void **state)
{
    (void)state;
    struct pji_series b;
    struct pj_error err = {0};
    struct pji_channel c = counter_channel();
    c.kind = PJI_GAUGE;
    assert_int_equal(pji_series_init(&b, &c, true, &err), PJ_EINVAL);
    assert_non_null(strstr(err.text, "rapl:package-0"));
}

static void times_out_of_range_are_refused(void **state)
{
    (void)state;
    struct pj_error err = {0};
    struct pji_reading r = {.t_ns = INT64_MAX, .value = 1};
    assert_int_equal(pji_series_add(&s, &r, &err), PJ_EINVAL);
    r.t_ns = INT64_MIN;
    assert_int_equal(pji_series_add(&s, &r, NULL), PJ_EINVAL);
}

#define with_counter(f) cmocka_unit_test_setup_teardown(f, open_counter, close_series)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_counter(total_is_exact_to_the_count),
        with_counter(total_keeps_large_sums_exact),
        with_counter(wrap_is_repaired_with_the_modulus),
        with_counter(reset_is_bridged_and_never_negative),
        with_counter(reset_as_the_very_first_step),
        with_counter(small_step_back_is_not_a_wrap),
        with_counter(one_impossible_reading_loses_nothing),
        with_counter(one_zero_reading_loses_nothing),
        with_counter(values_outside_the_range_are_refused),
        with_counter(jump_that_stays_is_bridged),
        with_counter(failed_readings_lose_nothing_of_a_counter),
        with_counter(failed_at_the_end_is_bridged),
        with_counter(failed_at_the_start_is_bridged),
        with_counter(never_read_is_missing_with_its_reason),
        with_counter(gone_ends_the_series),
        with_counter(more_than_one_wrap_is_flagged),
        with_counter(long_gap_without_cap_uses_the_mean_power),
        with_counter(short_gap_is_not_ambiguous),
        with_counter(stall_that_catches_up_is_exact),
        with_counter(stall_that_lost_energy_says_so),
        with_counter(a_dead_counter_is_no_bare_zero),
        with_counter(a_run_without_a_refresh_is_no_bare_zero),
        with_counter(repeated_and_earlier_time_stamps_are_ignored),
        with_counter(suspend_is_counted_and_marked),
        with_counter(bounded_series_allocates_nothing),
        with_counter(role_and_kind_must_agree),
        with_counter(times_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
