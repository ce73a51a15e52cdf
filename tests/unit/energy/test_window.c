/* Windows of counters: values by hand, edges, lags, companions, missing ones. */
#include "feed.h"

#include <errno.h>

static struct pji_series s, u;

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
    pji_series_fini(&u);
    return 0;
}

/* ---- counters ---- */

/* 100 W for a second, then 300 W for a second, a reading each 100 ms. */
static void ramp(void)
{
    int64_t value = 500;
    for (int i = 0; i <= 20; i++) {
        put(&s, i * 100 * MS, value);
        value += i < 10 ? 10000000 : 30000000;
    }
}

static void edges_at_readings_are_exact(void **state)
{
    (void)state;
    ramp();
    assert_true(window(&s, 0, 2000 * MS).value_j == 400);
    assert_true(window(&s, 300 * MS, 1200 * MS).value_j == 70 + 60);
    assert_true(window(&s, 0, 2000 * MS).value_j == total(&s).value_j);
    assert_int_equal(window(&s, 0, 2000 * MS).quality, 0);
    assert_true(window(&s, 700 * MS, 700 * MS).value_j == 0);
}

static void inside_a_step_is_interpolated(void **state)
{
    (void)state;
    ramp();
    assert_near(window(&s, 250 * MS, 1750 * MS).value_j, 75 + 225, 1e-9);
    /* a step whose mean lies between its neighbours' holds a change: there an edge is least known
     */
    put(&s, 2100 * MS, 400000500 + 20000000);
    put(&s, 2200 * MS, 400000500 + 30000000);
    put(&s, 2300 * MS, 400000500 + 40000000);
    double steady = window(&s, 350 * MS, 1650 * MS).u_ind_j;
    struct pj_energy changing = window(&s, 350 * MS, 2050 * MS);
    assert_near(changing.value_j, 65 + 300 + 10, 1e-9);
    assert_true(changing.u_ind_j > 1.5 * steady);
    assert_true(1.96 * changing.u_ind_j > 5); /* 300 W first and 100 W then: 5 J more */
    /* both edges in one step */
    struct pj_energy part = window(&s, 320 * MS, 370 * MS);
    assert_near(part.value_j, 5, 1e-9);
    assert_true(part.u_ind_j > 0 && part.u_ind_j < 1);
}

static void contiguous_windows_add_up(void **state)
{
    (void)state;
    ramp();
    double sum = 0;
    for (int i = 0; i < 37; i++) {
        sum += window(&s, i * 54 * MS, (i + 1) * 54 * MS).value_j;
    }
    assert_near(sum, window(&s, 0, 37 * 54 * MS).value_j, 1e-9);
}

static void components_by_hand(void **state)
{
    (void)state;
    ramp();
    s.channel.quantum = 100000; /* 0.1 J */
    s.channel.edge_u_ns = 2 * MS;
    struct pj_energy e = window(&s, 300 * MS, 600 * MS); /* 100 W at both edges */
    double quantum = 0.1 / sqrt(6), phase = 100 * 1e-3 / sqrt(6), edge = 0;
    /* at both ends the power may be 9.5 % off the steps' mean, and 2 ms of lag are not known */
    double ripple = hypot(2 * 9.5, 2 * 9.5) / sqrt(12) * 2e-3;
    assert_near(e.u_ind_j, sqrt(quantum * quantum + phase * phase + ripple * ripple), 1e-9);
    /* from 100 W to 300 W the age of the readings does not cancel */
    e = window(&s, 300 * MS, 1700 * MS);
    phase = hypot(100, 300) * 1e-3 / sqrt(12);
    double late = 200 * 1e-3 / 2;
    edge = hypot(200, hypot(2 * 9.5, 2 * 28.5) / sqrt(12)) * 2e-3; /* moved by 2 ms */
    assert_near(e.u_ind_j, sqrt(quantum * quantum + phase * phase + late * late + edge * edge),
                1e-6);
}

static void common_part_by_hand(void **state)
{
    (void)state;
    s.channel.gain_rel = 0.03;
    s.channel.offset_mw = 500;
    ramp();
    struct pj_energy e = window(&s, 0, 2000 * MS);
    assert_near(e.u_gain_j, 12, 1e-9);
    assert_near(e.u_com_j, hypot(12, 1), 1e-9);
    e = total(&s);
    assert_near(e.u_gain_j, 12, 1e-9);
    assert_near(e.u_com_j, hypot(12, 1), 1e-9);
}

static void a_companion_carries_the_common_part(void **state)
{
    (void)state;
    struct pji_channel c = counter_channel();
    c.role = PJI_ROLE_UNCERTAINTY;
    c.modulus = 0;
    series_open(&u, &c, true);
    s.channel.gain_rel = 0.03;
    ramp();
    for (int i = 0; i <= 20; i++) {
        put(&u, i * 100 * MS, i * INT64_C(2000000));
    }
    struct pj_energy e;
    pji_series_window(&s, &u, 500 * MS, 1500 * MS, &e);
    assert_near(e.value_j, 200, 1e-9);
    assert_near(e.u_com_j, 20, 1e-9);
    assert_true(e.u_gain_j == 0);
    pji_series_total(&s, &u, &e);
    assert_near(e.u_com_j, 40, 1e-9);
}

static void a_companion_that_was_not_read(void **state)
{
    (void)state;
    struct pji_channel c = counter_channel();
    c.role = PJI_ROLE_UNCERTAINTY;
    series_open(&u, &c, true);
    ramp();
    struct pj_energy e;
    pji_series_window(&s, &u, 500 * MS, 1500 * MS, &e);
    assert_int_equal(e.origin, PJ_ORIGIN_MISSING);
    assert_non_null(strstr(e.reason, "uncertainty"));
    s.channel.gain_rel = 0.03; /* the channel's own statement serves instead */
    pji_series_window(&s, &u, 500 * MS, 1500 * MS, &e);
    assert_near(e.u_com_j, 6, 1e-9);
}

static void outside_the_readings(void **state)
{
    (void)state;
    ramp();
    struct pj_energy e = window(&s, -50 * MS, 1000 * MS);
    assert_near(e.value_j, 105, 1e-9);
    assert_int_equal(e.quality, PJ_QUALITY_EDGE);
    assert_true(e.u_ind_j > 5);
    e = window(&s, 1000 * MS, 2050 * MS);
    assert_near(e.value_j, 315, 1e-9);
    assert_int_equal(e.quality, PJ_QUALITY_EDGE);
    /* farther than a step, up to a second, when the other edge lies inside */
    double near_j = e.u_ind_j;
    e = window(&s, 1000 * MS, 2400 * MS);
    assert_near(e.value_j, 420, 1e-9);
    assert_int_equal(e.quality, PJ_QUALITY_EDGE);
    assert_true(e.u_ind_j > 6 * near_j);
    e = window(&s, -1001 * MS, 2000 * MS);
    assert_int_equal(e.origin, PJ_ORIGIN_MISSING);
    assert_non_null(strstr(e.reason, "before the first"));
    e = window(&s, 0, 3001 * MS);
    assert_int_equal(e.origin, PJ_ORIGIN_MISSING);
    assert_non_null(strstr(e.reason, "after the last"));
    e = window(&s, 2001 * MS, 2101 * MS);
    assert_int_equal(e.origin, PJ_ORIGIN_MISSING);
    assert_non_null(strstr(e.reason, "after the last"));
    e = window(&s, INT64_MIN, INT64_MAX);
    assert_int_equal(e.origin, PJ_ORIGIN_MISSING);
    e = window(&s, 500 * MS, 400 * MS);
    assert_int_equal(e.origin, PJ_ORIGIN_MISSING);
}

static void nothing_read_is_missing(void **state)
{
    (void)state;
    assert_int_equal(window(&s, 0, 1).origin, PJ_ORIGIN_MISSING);
    put_status(&s, 0, PJI_READ_FAILED, EACCES);
    assert_string_equal(window(&s, 0, 1).reason, "every read failed (EACCES)");
    put(&s, 1, 5);
    assert_int_equal(window(&s, 0, 1).origin, PJ_ORIGIN_MISSING);
}

static void readings_that_never_came_leave_a_gap(void **state)
{
    (void)state;
    ramp();
    put(&s, 4000 * MS, 400000500 + 200000000); /* two seconds dropped */
    struct pj_energy e = window(&s, 0, 4000 * MS);
    assert_near(e.value_j, 600, 1e-9); /* a counter lost nothing */
    assert_int_equal(e.quality, 0);
    e = window(&s, 0, 3000 * MS);
    assert_near(e.value_j, 500, 1e-9);
    assert_int_equal(e.quality, PJ_QUALITY_BRIDGED);
    assert_true(1.96 * e.u_ind_j > 100); /* all before or all after */
}

static void the_lag_of_a_counter_moves_the_window(void **state)
{
    (void)state;
    s.channel.lag_ns = 100 * MS;
    ramp(); /* the power rose at 900 ms */
    assert_near(window(&s, 900 * MS, 1000 * MS).value_j, 30, 1e-9);
    assert_true(total(&s).value_j == 400);
}

/* A counter that steps every 100 ms, read every 20 ms: the phase is found, and edges between two
 * steps are better known than the distance of readings. */
static void the_phase_of_slow_refresh_is_found(void **state)
{
    (void)state;
    s.channel.refresh_ns = 100 * MS;
    for (int i = 0; i < 300; i++) {
        int64_t t = i * 20 * MS + i * MS / 3; /* our readings drift against its steps */
        int64_t steps = (t + 63 * MS) / (100 * MS);
        put(&s, t, steps * 10000000);
    }
    struct pj_energy e = window(&s, 2000 * MS, 4000 * MS);
    assert_near(e.value_j, 200, 0.5);
    assert_int_equal(e.quality, 0);
    assert_true(s.points[s.n - 2].phase_ns < 10 * MS);
    assert_true(e.u_ind_j < 1);
}

static void a_series_without_points_knows_its_total_only(void **state)
{
    (void)state;
    struct pji_channel c = counter_channel();
    pji_series_fini(&s);
    series_open(&s, &c, false);
    ramp();
    assert_true(window(&s, 0, 2000 * MS).value_j == 400);
    struct pj_energy e = window(&s, 0, 1000 * MS);
    assert_int_equal(e.quality, PJ_QUALITY_BRIDGED);
    assert_true(fabs(e.value_j - 100) <= 1.96 * e.u_ind_j);
}

#define with_counter(f) cmocka_unit_test_setup_teardown(f, open_counter, close_series)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_counter(edges_at_readings_are_exact),
        with_counter(inside_a_step_is_interpolated),
        with_counter(contiguous_windows_add_up),
        with_counter(components_by_hand),
        with_counter(common_part_by_hand),
        with_counter(a_companion_carries_the_common_part),
        with_counter(a_companion_that_was_not_read),
        with_counter(outside_the_readings),
        with_counter(nothing_read_is_missing),
        with_counter(readings_that_never_came_leave_a_gap),
        with_counter(the_lag_of_a_counter_moves_the_window),
        with_counter(the_phase_of_slow_refresh_is_found),
        with_counter(a_series_without_points_knows_its_total_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
