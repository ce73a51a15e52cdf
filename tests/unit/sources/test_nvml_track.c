/* The power sample buffer: each sample once, at its own time, whatever the wall clock does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/units.h"
#include "sources/nvml_track.h"

#include <errno.h>
#include <string.h>

enum { RING = 120, OUT = 2048 };

static const int64_t ms = PJI_NS_PER_MS, offset0_ns = INT64_C(1795254670699074000);

/* A driver: a sample each 20 ms of CLOCK_MONOTONIC, stamped with the wall clock of its moment. */
struct driver {
    struct pji_nvml_point ring[RING]; /* oldest first */
    size_t n;
    int64_t next_ns, offset_ns;
    uint32_t count;
    bool flat; /* equal values */
};

struct rig {
    struct driver driver;
    struct pji_nvml_track track;
    struct pji_reading_sink sink;
    struct pji_reading readings[OUT];
};

static int64_t jitter(uint32_t i)
{
    return ((int64_t)(i * 2654435761u >> 24) - 128) * 10000; /* +-1.3 ms */
}

static void advance(struct driver *driver, int64_t to_ns)
{
    for (; driver->next_ns <= to_ns; driver->next_ns += 20 * ms + jitter(driver->count)) {
        if (driver->n == RING)
            memmove(driver->ring, driver->ring + 1, --driver->n * sizeof driver->ring[0]);
        driver->ring[driver->n++] =
            (struct pji_nvml_point){(uint64_t)((driver->next_ns + driver->offset_ns) / 1000),
                                    driver->flat ? 100000 : 100000 + (int64_t)driver->count};
        driver->count++;
    }
}

static void setup(struct rig *rig)
{
    memset(rig, 0, sizeof *rig);
    rig->driver.offset_ns = offset0_ns;
    rig->driver.next_ns = 5 * ms;
    rig->track.spacing_ns = 20 * ms;
    rig->track.channel = 7;
    rig->sink = (struct pji_reading_sink){.readings = rig->readings, .cap = OUT};
}

static void read_at(struct rig *rig, int64_t now_ns)
{
    advance(&rig->driver, now_ns);
    pji_nvml_track_feed(&rig->track, rig->driver.ring, rig->driver.n, rig->driver.offset_ns, now_ns,
                        OUT, &rig->sink);
}

/* Every sample came once, in order; each begins where the one before it was taken. */
static void check_complete(const struct rig *rig, int64_t tolerance_ns)
{
    int64_t taken_ns = 5 * ms, begin_ns = taken_ns - 20 * ms;
    assert_int_equal(rig->sink.n, rig->driver.count);
    for (uint32_t i = 0; i < rig->sink.n; i++) {
        const struct pji_reading *reading = &rig->readings[i];
        assert_int_equal(reading->status, PJI_READ_OK);
        assert_int_equal(reading->channel, 7);
        if (!rig->driver.flat)
            assert_int_equal(reading->value, 100000 + (int64_t)i);
        assert_in_range(llabs(reading->t_ns - 20 * ms - begin_ns), 0, tolerance_ns);
        if (i > 0)
            assert_true(reading->t_ns > rig->readings[i - 1].t_ns);
        begin_ns = taken_ns;
        taken_ns += 20 * ms + jitter(i + 1);
    }
}

static void each_sample_once(void **state)
{
    static struct rig rig;
    (void)state;
    setup(&rig);
    for (int64_t t = 0; t <= 20000 * ms; t += 1000 * ms)
        read_at(&rig, t);
    check_complete(&rig, 1000);
}

static void equal_samples_are_kept(void **state)
{
    static struct rig rig;
    (void)state;
    setup(&rig);
    rig.driver.flat = true;
    for (int64_t t = 0; t <= 10000 * ms; t += 700 * ms)
        read_at(&rig, t);
    check_complete(&rig, 1000);
}

static void reading_again_gives_nothing_new(void **state)
{
    static struct rig rig;
    (void)state;
    setup(&rig);
    read_at(&rig, 1000 * ms);
    size_t n = rig.sink.n;
    read_at(&rig, 1000 * ms);
    assert_int_equal(rig.sink.n, n);
}

static void wall_clock_steps(void **state)
{
    static struct rig rig;
    const int64_t steps_ns[] = {3600000 * ms, -3600000 * ms, 700 * ms,
                                -700 * ms,    -45 * ms,      90 * ms};
    (void)state;
    for (size_t i = 0; i < sizeof steps_ns / sizeof steps_ns[0]; i++) {
        setup(&rig);
        for (int64_t t = 0; t <= 10000 * ms; t += 1000 * ms) {
            if (t == 5000 * ms) { /* the step falls into the middle of a batch */
                advance(&rig.driver, t - 500 * ms);
                rig.driver.offset_ns += steps_ns[i];
            }
            read_at(&rig, t);
        }
        check_complete(&rig, 3 * ms);
    }
}

static void wall_clock_step_before_anything_new(void **state)
{
    static struct rig rig;
    (void)state;
    setup(&rig);
    read_at(&rig, 1000 * ms);
    rig.driver.offset_ns -= 60000 * ms;
    read_at(&rig, 1001 * ms); /* no new sample, but another offset */
    for (int64_t t = 2000 * ms; t <= 5000 * ms; t += 1000 * ms)
        read_at(&rig, t);
    check_complete(&rig, 3 * ms);
}

static void stalled_reader_leaves_a_marked_gap(void **state)
{
    static struct rig rig;
    size_t failed = 0;
    (void)state;
    setup(&rig);
    read_at(&rig, 1000 * ms);
    size_t before = rig.sink.n;
    int64_t last_ns = rig.track.last_t_ns;
    read_at(&rig, 5000 * ms); /* the ring holds 2.4 s of the 4 s */
    assert_int_equal(rig.readings[before].status, PJI_READ_FAILED);
    assert_int_equal(rig.readings[before].value, ENODATA);
    assert_int_equal(rig.readings[before].t_ns, last_ns + 20 * ms);
    for (size_t i = before; i < rig.sink.n; i++)
        failed += rig.readings[i].status != PJI_READ_OK;
    assert_int_equal(failed, 1);
    assert_int_equal(rig.sink.n - before, RING + 1);
    assert_in_range(rig.readings[before + 1].t_ns, 2500 * ms, 2700 * ms);
}

static void stall_within_the_buffer_loses_nothing(void **state)
{
    static struct rig rig;
    (void)state;
    setup(&rig);
    read_at(&rig, 1000 * ms);
    read_at(&rig, 3350 * ms);
    read_at(&rig, 4000 * ms);
    check_complete(&rig, 1000);
}

static void silent_sensor_is_marked_once(void **state)
{
    static struct rig rig;
    (void)state;
    setup(&rig);
    read_at(&rig, 1000 * ms);
    size_t n = rig.sink.n;
    for (int64_t t = 2000 * ms; t < 6000 * ms; t += 1000 * ms)
        pji_nvml_track_feed(&rig.track, rig.driver.ring, rig.driver.n, offset0_ns, t, OUT,
                            &rig.sink);
    assert_int_equal(rig.sink.n, n + 1);
    assert_int_equal(rig.readings[n].status, PJI_READ_FAILED);
}

static void failed_call_loses_nothing(void **state)
{
    static struct rig rig;
    (void)state;
    setup(&rig);
    read_at(&rig, 1000 * ms);
    size_t n = rig.sink.n;
    pji_nvml_track_fail(&rig.track, EIO, 2000 * ms, &rig.sink);
    pji_nvml_track_fail(&rig.track, EIO, 2500 * ms, &rig.sink);
    assert_int_equal(rig.sink.n, n + 1);
    assert_int_equal(rig.readings[n].value, EIO);
    read_at(&rig, 3000 * ms);
    assert_int_equal(rig.sink.n, rig.driver.count + 1);
    for (size_t i = 1; i < rig.sink.n; i++)
        assert_true(rig.readings[i].t_ns > rig.readings[i - 1].t_ns);
}

static void sentinels_are_refused(void **state)
{
    struct pji_nvml_point points[] = {
        {1000000, 90000}, {1020000, 0},         {1040000, INT64_C(0xFFFFFFFF)},
        {1060000, -1},    {1080000, INT64_MAX}, {1100000, 91000},
        {1100000, 91000}, /* one time stamp, one sample */
    };
    struct pji_reading readings[16];
    struct pji_reading_sink sink = {.readings = readings, .cap = 16};
    struct pji_nvml_track track = {.spacing_ns = 20 * ms};
    (void)state;
    pji_nvml_track_feed(&track, points, 7, 0, 1100 * ms, 16, &sink);
    assert_int_equal(sink.n, 6);
    assert_int_equal(readings[0].status, PJI_READ_OK);
    for (size_t i = 1; i < 5; i++) {
        assert_int_equal(readings[i].status, PJI_READ_FAILED);
        assert_int_equal(readings[i].value, EBADMSG);
    }
    assert_int_equal(readings[5].status, PJI_READ_OK);
    assert_int_equal(readings[5].value, 91000);
}

static void what_does_not_fit_comes_later(void **state)
{
    static struct rig rig;
    (void)state;
    setup(&rig);
    advance(&rig.driver, 2000 * ms);
    for (int i = 0; i < 12; i++)
        pji_nvml_track_feed(&rig.track, rig.driver.ring, rig.driver.n, offset0_ns, 2000 * ms, 20,
                            &rig.sink);
    check_complete(&rig, 1000);
}

static void spacing_is_the_median(void **state)
{
    const struct pji_nvml_point points[] = {{0, 1},     {20000, 1},  {20000, 1}, {41000, 1},
                                            {60000, 1}, {300000, 1}, {320000, 1}};
    int64_t scratch[7];
    (void)state;
    assert_int_equal(pji_nvml_spacing(points, 7, scratch), 20 * ms);
    assert_int_equal(pji_nvml_spacing(points, 2, scratch), 0);
    assert_int_equal(pji_nvml_spacing(points, 0, scratch), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_sample_once),
        cmocka_unit_test(equal_samples_are_kept),
        cmocka_unit_test(reading_again_gives_nothing_new),
        cmocka_unit_test(wall_clock_steps),
        cmocka_unit_test(wall_clock_step_before_anything_new),
        cmocka_unit_test(stalled_reader_leaves_a_marked_gap),
        cmocka_unit_test(stall_within_the_buffer_loses_nothing),
        cmocka_unit_test(silent_sensor_is_marked_once),
        cmocka_unit_test(failed_call_loses_nothing),
        cmocka_unit_test(sentinels_are_refused),
        cmocka_unit_test(what_does_not_fit_comes_later),
        cmocka_unit_test(spacing_is_the_median),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
