/* Readings of a lagging instrument, cut to a window as they come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/units.h"
#include "energy/clip.h"
#include "energy/series.h"

#include <errno.h>
#include <math.h>

static const int64_t ms = PJI_NS_PER_MS;

static struct pji_channel gauge(int64_t lag_ns)
{
    return (struct pji_channel){.name = "g",
                                .kind = PJI_GAUGE,
                                .role = PJI_ROLE_POWER,
                                .refresh_ns = 20 * ms,
                                .lag_ns = lag_ns,
                                .companion = -1};
}

static struct pji_channel counter(int64_t lag_ns)
{
    return (struct pji_channel){.name = "c",
                                .kind = PJI_COUNTER,
                                .role = PJI_ROLE_ENERGY,
                                .refresh_ns = 100 * ms,
                                .lag_ns = lag_ns,
                                .companion = -1};
}

struct rig {
    struct pji_clip clip;
    struct pji_series series;
    size_t n; /* readings that came out */
    struct pji_reading first, last;
};

static void setup(struct rig *rig, struct pji_channel channel)
{
    *rig = (struct rig){0};
    pji_clip_init(&rig->clip, &channel);
    assert_int_equal(pji_series_init(&rig->series, &channel, false, NULL), PJ_OK);
}

static void pass(struct rig *rig, const struct pji_reading *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (rig->n++ == 0)
            rig->first = out[i];
        rig->last = out[i];
        assert_int_equal(pji_series_add(&rig->series, &out[i], NULL), PJ_OK);
    }
}

static void add(struct rig *rig, int64_t t_ns, enum pji_reading_status status, int64_t value)
{
    struct pji_reading reading = {.t_ns = t_ns, .status = status, .value = value}, out[2];
    pass(rig, out, pji_clip_add(&rig->clip, &reading, out));
}

static struct pj_energy finish(struct rig *rig)
{
    struct pji_reading out;
    struct pj_energy energy;
    pass(rig, &out, pji_clip_finish(&rig->clip, &out));
    pji_series_total(&rig->series, NULL, &energy);
    pji_series_fini(&rig->series);
    return energy;
}

/* 100 W until 1 s, 500 W until 2 s, 100 W after; a sample each 20 ms describes the 20 ms before. */
static int64_t step_mw(int64_t t_ns)
{
    return t_ns > 1000 * ms && t_ns <= 2000 * ms ? 500000 : 100000;
}

static void a_gauge_is_cut_at_both_edges(void **state)
{
    struct rig rig;
    (void)state;
    setup(&rig, gauge(20 * ms));
    for (int64_t t = 0; t <= 940 * ms; t += 20 * ms)
        add(&rig, t, PJI_READ_OK, step_mw(t));
    assert_int_equal(rig.n, 0); /* nothing before the window is known */
    pji_clip_start(&rig.clip, 990 * ms);
    for (int64_t t = 960 * ms; t <= 1980 * ms; t += 20 * ms)
        add(&rig, t, PJI_READ_OK, step_mw(t));
    pji_clip_end(&rig.clip, 2010 * ms);
    for (int64_t t = 2000 * ms; t <= 2200 * ms; t += 20 * ms)
        add(&rig, t, PJI_READ_OK, step_mw(t));
    assert_int_equal(rig.first.t_ns, 1010 * ms);
    assert_int_equal(rig.last.t_ns, 2030 * ms);
    struct pj_energy energy = finish(&rig);
    assert_true(fabs(energy.value_j - 502.0) < 1e-9); /* 1 s at 500 W, 20 ms at 100 W */
    assert_int_equal(energy.quality, 0);
}

static void a_counter_is_cut_in_proportion(void **state)
{
    struct rig rig;
    (void)state;
    setup(&rig, counter(50 * ms));
    add(&rig, 0, PJI_READ_OK, 1000000);
    pji_clip_start(&rig.clip, 0);
    add(&rig, 200 * ms, PJI_READ_OK, 21000000); /* 100 W */
    add(&rig, 400 * ms, PJI_READ_OK, 41000000);
    pji_clip_end(&rig.clip, 500 * ms);
    add(&rig, 600 * ms, PJI_READ_OK, 61000000);
    add(&rig, 800 * ms, PJI_READ_OK, 161000000);
    assert_int_equal(rig.first.t_ns, 50 * ms);
    assert_int_equal(rig.first.value, 6000000);
    assert_int_equal(rig.last.t_ns, 550 * ms);
    assert_true(fabs(finish(&rig).value_j - 50.0) < 1e-9);
}

static void without_lag_readings_are_the_edges(void **state)
{
    struct rig rig;
    (void)state;
    setup(&rig, counter(0));
    add(&rig, 5 * ms, PJI_READ_OK, 1000000);
    pji_clip_start(&rig.clip, 6 * ms);
    add(&rig, 100 * ms, PJI_READ_OK, 3000000);
    pji_clip_end(&rig.clip, 150 * ms);
    add(&rig, 151 * ms, PJI_READ_OK, 4000000);
    add(&rig, 200 * ms, PJI_READ_OK, 9000000); /* settling is not the window */
    assert_int_equal(rig.n, 3);
    assert_true(fabs(finish(&rig).value_j - 3.0) < 1e-9);
}

static void an_end_that_was_not_reached_is_bridged(void **state)
{
    struct rig rig;
    (void)state;
    setup(&rig, gauge(20 * ms));
    add(&rig, 0, PJI_READ_OK, 100000);
    pji_clip_start(&rig.clip, 0);
    for (int64_t t = 20 * ms; t <= 600 * ms; t += 20 * ms)
        add(&rig, t, PJI_READ_OK, 100000);
    pji_clip_end(&rig.clip, 1000 * ms);
    struct pj_energy energy = finish(&rig);
    assert_int_equal(energy.quality, PJ_QUALITY_BRIDGED);
    assert_true(fabs(energy.value_j - 100.0) < 2 * pj_energy_u(&energy));
    assert_true(energy.u_ind_j > 1.0);
}

static void a_beginning_that_was_not_read_is_bridged(void **state)
{
    struct rig rig;
    (void)state;
    setup(&rig, gauge(20 * ms));
    pji_clip_start(&rig.clip, 0);
    for (int64_t t = 400 * ms; t <= 1100 * ms; t += 20 * ms)
        add(&rig, t, PJI_READ_OK, 100000);
    assert_int_equal(rig.first.status, PJI_READ_FAILED);
    assert_int_equal(rig.first.t_ns, 20 * ms);
    pji_clip_end(&rig.clip, 1000 * ms);
    add(&rig, 1120 * ms, PJI_READ_OK, 100000);
    struct pj_energy energy = finish(&rig);
    assert_int_equal(energy.quality, PJ_QUALITY_BRIDGED);
    assert_true(fabs(energy.value_j - 100.0) < 2 * pj_energy_u(&energy));
}

static void failures_at_the_edges_stay_failures(void **state)
{
    struct rig rig;
    (void)state;
    setup(&rig, gauge(20 * ms));
    add(&rig, 0, PJI_READ_OK, 100000);
    add(&rig, 20 * ms, PJI_READ_FAILED, EIO);
    pji_clip_start(&rig.clip, 10 * ms);
    add(&rig, 60 * ms, PJI_READ_OK, 100000);
    assert_int_equal(rig.first.status, PJI_READ_FAILED);
    assert_int_equal(rig.first.t_ns, 30 * ms);
    add(&rig, 80 * ms, PJI_READ_FAILED, EIO);
    pji_clip_end(&rig.clip, 100 * ms);
    add(&rig, 140 * ms, PJI_READ_OK, 100000);
    assert_int_equal(rig.last.status, PJI_READ_FAILED);
    assert_int_equal(rig.last.t_ns, 120 * ms);
    add(&rig, 160 * ms, PJI_READ_OK, 900000);
    assert_int_equal(rig.last.t_ns, 120 * ms);
    (void)finish(&rig);
}

static void a_channel_that_went_needs_no_end(void **state)
{
    struct rig rig;
    struct pji_reading out;
    (void)state;
    setup(&rig, gauge(20 * ms));
    add(&rig, 0, PJI_READ_OK, 100000);
    pji_clip_start(&rig.clip, 0);
    add(&rig, 30 * ms, PJI_READ_OK, 100000);
    add(&rig, 50 * ms, PJI_READ_GONE, ENODEV);
    pji_clip_end(&rig.clip, 1000 * ms);
    assert_int_equal(pji_clip_finish(&rig.clip, &out), 0);
    assert_int_equal(rig.last.status, PJI_READ_GONE);
    (void)finish(&rig);
}

static void made_ends_are_doubtful(void **state)
{
    struct rig rig;
    (void)state;
    setup(&rig, counter(50 * ms));
    add(&rig, 0, PJI_READ_OK, 0);
    pji_clip_start(&rig.clip, 0); /* half way to the next: 5 J of 10 J, or none, or all */
    add(&rig, 100 * ms, PJI_READ_OK, 10000000);
    assert_true(fabs(rig.clip.ends_u_uj - 5000000 / sqrt(3)) < 1);
    pji_clip_end(&rig.clip, 150 * ms);
    add(&rig, 200 * ms, PJI_READ_OK, 20000000); /* the end is a reading */
    assert_true(fabs(rig.clip.ends_u_uj - 5000000 / sqrt(3)) < 1);
    (void)finish(&rig);
    setup(&rig, gauge(20 * ms));
    add(&rig, 10 * ms, PJI_READ_OK, 100000);
    pji_clip_start(&rig.clip, 0);
    add(&rig, 30 * ms, PJI_READ_OK, 100000);
    assert_true(fabs(rig.clip.ends_u_uj - 0.095 * 1000000 / sqrt(3)) < 1);
    (void)finish(&rig);
}

static void settling_takes_as_long_as_the_slowest(void **state)
{
    struct pji_channel channels[] = {counter(0), gauge(20 * ms), counter(60 * ms), gauge(900 * ms)};
    (void)state;
    channels[3].role = PJI_ROLE_AUX;
    assert_int_equal(pji_settle_ns(channels, 1), 0);
    assert_int_equal(pji_settle_ns(channels, 2), 50 * ms);
    assert_int_equal(pji_settle_ns(channels, 4), 70 * ms);
    assert_int_equal(pji_settle_ns(NULL, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gauge_is_cut_at_both_edges),
        cmocka_unit_test(a_counter_is_cut_in_proportion),
        cmocka_unit_test(without_lag_readings_are_the_edges),
        cmocka_unit_test(an_end_that_was_not_reached_is_bridged),
        cmocka_unit_test(a_beginning_that_was_not_read_is_bridged),
        cmocka_unit_test(failures_at_the_edges_stay_failures),
        cmocka_unit_test(a_channel_that_went_needs_no_end),
        cmocka_unit_test(made_ends_are_doubtful),
        cmocka_unit_test(settling_takes_as_long_as_the_slowest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
