/* Power gauges: integration by hold, lags, gaps, impossible values; and the mean of other gauges.
 */
#include "feed.h"

#include <errno.h>

static struct pji_series s;

static int open_power(void **state)
{
    (void)state;
    struct pji_channel c = power_channel();
    series_open(&s, &c, true);
    return 0;
}

static int close_series(void **state)
{
    (void)state;
    pji_series_fini(&s);
    return 0;
}

static void power_is_held(void **state)
{
    (void)state;
    put(&s, 0, 100000);
    put(&s, 20 * MS, 100000); /* equal values count */
    put(&s, 40 * MS, 300000);
    put(&s, 60 * MS, 50000);
    put(&s, 80 * MS, 50000);
    assert_near(total(&s).value_j, 2 + 2 + 6 + 1, 1e-12);
    assert_int_equal(total(&s).origin, PJ_ORIGIN_INTEGRATED);
    assert_near(window(&s, 10 * MS, 50 * MS).value_j, 1 + 2 + 3, 1e-12);
    assert_near(window(&s, 60 * MS, 80 * MS).value_j, 1, 1e-12);
    assert_int_equal(window(&s, 60 * MS, 80 * MS).quality, 0);
}

static void power_sums_are_exact(void **state)
{
    (void)state;
    int64_t t = 0, pj = 0;
    for (int i = 0; i < 100000; i++) {
        put(&s, t, 333333 + i % 7);
        int64_t step = 20 * MS + i % 11;
        pj += i < 99999 ? (333333 + i % 7) * step : 0;
        t += step;
    }
    assert_true(s.total_uj == pj / 1000000 && s.rest_pj == pj % 1000000);
}

static void the_lag_of_a_sensor_moves_the_window(void **state)
{
    (void)state;
    s.channel.lag_ns = 20 * MS;
    for (int i = 0; i < 100; i++) {
        put(&s, i * 20 * MS, i < 50 ? 100000 : 600000);
    }
    assert_near(window(&s, 980 * MS, 1080 * MS).value_j, 60, 1e-9);
    assert_near(window(&s, 880 * MS, 980 * MS).value_j, 10, 1e-9);
    assert_near(window(&s, 1900 * MS, 1980 * MS).value_j, 48, 1e-9);
    assert_int_equal(window(&s, 1900 * MS, 1980 * MS).quality, 0);
}

static void an_unknown_rest_of_the_lag_matters_at_changes_only(void **state)
{
    (void)state;
    s.channel.lag_ns = 20 * MS;
    s.channel.average_ns = 20 * MS;
    for (int i = 0; i < 200; i++) {
        put(&s, i * 20 * MS, i >= 50 && i < 100 ? 600000 : 100000);
    }
    s.channel.edge_u_ns = 5 * MS;
    double on_edge = window(&s, 980 * MS, 1980 * MS).u_ind_j;
    double steady = window(&s, 2500 * MS, 3500 * MS).u_ind_j;
    assert_true(on_edge > 500 * 5e-3 * 0.7 && on_edge < 2 * 500 * 5e-3 * 1.5);
    assert_true(steady < 0.01);
}

static void gaps_of_power_are_bridged(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        put(&s, i * 20 * MS, 200000);
    }
    put(&s, 1980 * MS, 400000); /* a second is missing */
    put(&s, 2000 * MS, 400000);
    struct pj_energy e = total(&s);
    assert_near(e.value_j, 196 + 300 + 8, 1e-6);
    assert_int_equal(e.quality, PJ_QUALITY_BRIDGED);
    assert_true(e.u_ind_j > 150 && e.u_ind_j < 250); /* 0 to 700 W */
    assert_int_equal(window(&s, 100 * MS, 900 * MS).quality, 0);
    assert_int_equal(window(&s, 100 * MS, 1500 * MS).quality, PJ_QUALITY_BRIDGED);
    assert_int_equal(window(&s, 1985 * MS, 2000 * MS).quality, 0);
}

static void slow_polling_is_no_gap(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        put(&s, i * 1000 * MS, 200000);
    }
    assert_int_equal(total(&s).quality, 0);
    put_status(&s, 20000 * MS, PJI_READ_FAILED, EIO);
    put(&s, 21000 * MS, 200000);
    assert_int_equal(total(&s).quality, PJ_QUALITY_BRIDGED);
}

/* Of an instrument that does not state its period: an edge right before a tick, then ticks. */
static void a_short_first_step_is_not_the_cadence(void **state)
{
    (void)state;
    s.channel.refresh_ns = 0;
    put(&s, 0, 200000);
    put(&s, MS, 200000);
    for (int i = 1; i <= 50; i++) {
        put(&s, MS + i * 100 * MS, 200000);
    }
    assert_int_equal(total(&s).quality, 0);
    assert_near(total(&s).value_j, 0.2 + 1000, 1e-9);
    /* a failed reading between two ticks is still a gap */
    put_status(&s, MS + 5100 * MS, PJI_READ_FAILED, EIO);
    put(&s, MS + 5200 * MS, 200000);
    assert_int_equal(total(&s).quality, PJ_QUALITY_BRIDGED);
}

static void a_slower_cadence_is_a_gap_only_at_first(void **state)
{
    (void)state;
    s.channel.refresh_ns = 0;
    for (int i = 0; i < 20; i++) {
        put(&s, i * 10 * MS, 200000);
    }
    for (int i = 1; i <= 40; i++) {
        put(&s, 190 * MS + i * 200 * MS, 200000);
    }
    assert_int_equal(window(&s, 190 * MS, 390 * MS).quality, PJ_QUALITY_BRIDGED);
    assert_int_equal(window(&s, 4190 * MS, 8190 * MS).quality, 0);
    assert_near(total(&s).value_j, 0.2 * 8190, 1e-6);
}

static void impossible_power_is_refused(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        put(&s, i * 20 * MS, i == 25 ? 4294967295 : i == 30 ? -5 : 200000);
    }
    struct pj_energy e = total(&s);
    assert_near(e.value_j, 196, 1e-9);
    assert_int_equal(e.quality, PJ_QUALITY_CAPPED);
    assert_int_equal(window(&s, 0, 400 * MS).quality, 0);
    assert_int_equal(window(&s, 400 * MS, 900 * MS).quality, PJ_QUALITY_CAPPED);
}

static void power_without_a_value_is_missing(void **state)
{
    (void)state;
    put(&s, 0, -1);
    assert_int_equal(total(&s).origin, PJ_ORIGIN_MISSING);
    assert_int_equal(window(&s, 0, 10).origin, PJ_ORIGIN_MISSING);
    put(&s, 20 * MS, 100000);
    assert_near(window(&s, 20 * MS, 30 * MS).value_j, 1, 1e-9); /* held, as far as it may */
    assert_int_equal(window(&s, 20 * MS, 30 * MS).quality, PJ_QUALITY_EDGE);
    assert_int_equal(window(&s, 20 * MS, 60 * MS).origin, PJ_ORIGIN_MISSING);
}

static void huge_power_never_overflows(void **state)
{
    (void)state;
    s.channel.cap_mw = 1e300;
    put(&s, 0, INT64_MAX);
    put(&s, INT64_C(1) << 62, INT64_MAX);
    struct pj_energy e = total(&s);
    assert_true(e.value_j > 0);
}

/* ---- AUX ---- */

static void the_mean_of_a_gauge_is_weighted(void **state)
{
    (void)state;
    s.channel.role = PJI_ROLE_AUX;
    put(&s, 0, 40);
    put(&s, 100 * MS, 50);
    put(&s, 400 * MS, 60);
    assert_near(pji_series_mean(&s, 0, 400 * MS), (40 + 3 * 50) / 4.0, 1e-12);
    assert_near(pji_series_mean(&s, -100 * MS, 200 * MS), 45, 1e-12);
    assert_near(pji_series_mean(&s, 500 * MS, 600 * MS), 60, 1e-12);
    assert_true(isnan(pji_series_mean(&s, -100 * MS, 0)));
    assert_true(isnan(pji_series_mean(&s, 100 * MS, 100 * MS)));
    assert_int_equal(window(&s, 0, 1).origin, PJ_ORIGIN_MISSING);
    assert_int_equal(total(&s).origin, PJ_ORIGIN_MISSING);
}

#define with_power(f) cmocka_unit_test_setup_teardown(f, open_power, close_series)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_power(power_is_held),
        with_power(power_sums_are_exact),
        with_power(the_lag_of_a_sensor_moves_the_window),
        with_power(an_unknown_rest_of_the_lag_matters_at_changes_only),
        with_power(gaps_of_power_are_bridged),
        with_power(slow_polling_is_no_gap),
        with_power(a_short_first_step_is_not_the_cadence),
        with_power(a_slower_cadence_is_a_gap_only_at_first),
        with_power(impossible_power_is_refused),
        with_power(power_without_a_value_is_missing),
        with_power(huge_power_never_overflows),
        with_power(the_mean_of_a_gauge_is_weighted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
