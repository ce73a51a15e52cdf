/* A slow NVML library beside a fast RAPL tree, sampled at 100 Hz in real time: the slow calls must
 * not make the fast ticks late. Judged against the same run without the lane, because a loaded test
 * machine makes both late.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/units.h"
#include "meter/meter.h"
#include "nvml_rig.h"
#include "sources/table.h"
#include "temp.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES = 5 };

struct outcome {
    uint64_t late_ticks;
    size_t rapl, power; /* good readings */
};

static void make_zone(const char *dir)
{
    temp_write(dir, "sys/class/powercap/intel-rapl:0/name", "package-0\n");
    temp_write(dir, "sys/class/powercap/intel-rapl:0/energy_uj", "1000000\n");
    temp_write(dir, "sys/class/powercap/intel-rapl:0/max_energy_range_uj", "262143328850\n");
}

static void count(struct outcome *out, const struct pji_meter *meter,
                  const struct pji_reading *readings, size_t n)
{
    const struct pji_channel_table *table = pji_meter_channels(meter);
    for (size_t i = 0; i < n; i++) {
        const struct pji_channel *channel = &table->channels[readings[i].channel];
        out->rapl += strcmp(channel->source, "rapl_powercap") == 0;
        out->power += strcmp(channel->name, "nvml:0:power") == 0;
    }
}

/* 2.2 s at 100 Hz, with edges at both ends. */
static struct outcome sample(const char *dir, bool lane)
{
    char library[512];
    struct pji_platform platform;
    struct pji_meter *meter;
    struct pji_source_ops nvml = pji_source_nvml;
    const struct pji_source_ops *sources[] = {&pji_source_rapl_powercap, &nvml, NULL};
    const struct pji_reading *readings;
    struct outcome out = {0};
    struct pji_meter_stats stats;
    size_t n;

    nvml.slow = lane;
    nvml_rig_library(library, sizeof library, false);
    assert_int_equal(pji_platform_open_real(&platform, dir, NULL), PJ_OK);
    struct pji_meter_config config = {.env = {.platform = &platform, .nvml_path = library},
                                      .sources = sources,
                                      .interval_ns = 10 * PJI_NS_PER_MS};
    assert_int_equal(pji_meter_open(&meter, &config, NULL), PJ_OK);
    assert_int_equal(pji_meter_read(meter, &readings, &n, NULL), PJ_OK);
    count(&out, meter, readings, n);
    assert_int_equal(pji_meter_timer_start(meter, NULL), PJ_OK);
    int64_t end_ns = pji_now_ns(&platform) + 2200 * PJI_NS_PER_MS;
    while (pji_now_ns(&platform) < end_ns) {
        struct pollfd fd = {.fd = pji_meter_timer_fd(meter), .events = POLLIN};
        (void)poll(&fd, 1, 1000);
        if (pji_meter_tick(meter, NULL) != PJ_OK)
            continue;
        assert_int_equal(pji_meter_sample(meter, &readings, &n, NULL), PJ_OK);
        count(&out, meter, readings, n);
    }
    assert_int_equal(pji_meter_read(meter, &readings, &n, NULL), PJ_OK);
    count(&out, meter, readings, n);
    pji_meter_stats(meter, &stats);
    assert_int_equal(stats.dropped, 0);
    out.late_ticks = stats.late_ticks;
    pji_meter_close(meter);
    pji_platform_close_real(&platform);
    return out;
}

static void slow_calls_do_not_delay_fast_ticks(void **state)
{
    char dir[TEMP_PATH];
    bool good = false;
    (void)state;
    temp_open(dir);
    make_zone(dir);
    setenv("FAKE_NVML_LATENCY_MS", "samples=25,energy=75,temperature=25,clock=25,throttle=25", 1);
    for (int i = 0; i < TRIES && !good; i++) {
        struct outcome with = sample(dir, true), without = sample(dir, false);
        /* every reading of the slow library arrives, by either way */
        assert_true(with.power >= 120 && without.power >= 120);
        assert_true(without.late_ticks >= 8); /* one tick with a call of 75 ms, two with 25 ms */
        good = with.late_ticks * 4 <= without.late_ticks && with.rapl >= 100;
    }
    assert_true(good);
    unsetenv("FAKE_NVML_LATENCY_MS");
    temp_close(dir);
}

/* The last reading holds what the library says after it was asked, however slow it is. */
static void an_edge_waits_for_the_slow_library(void **state)
{
    char dir[TEMP_PATH], library[512];
    const struct pji_source_ops *sources[] = {&pji_source_nvml, NULL};
    struct pji_platform platform;
    struct pji_meter *meter;
    const struct pji_reading *readings;
    size_t n, counters = 0;
    (void)state;
    temp_open(dir);
    setenv("FAKE_NVML_LATENCY_MS", "energy=40", 1);
    nvml_rig_library(library, sizeof library, false);
    assert_int_equal(pji_platform_open_real(&platform, dir, NULL), PJ_OK);
    struct pji_meter_config config = {.env = {.platform = &platform, .nvml_path = library},
                                      .sources = sources,
                                      .interval_ns = 100 * PJI_NS_PER_MS};
    assert_int_equal(pji_meter_open(&meter, &config, NULL), PJ_OK);
    int64_t asked_ns = pji_now_ns(&platform);
    assert_int_equal(pji_meter_read(meter, &readings, &n, NULL), PJ_OK);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(pji_meter_channels(meter)->channels[readings[i].channel].name,
                   "nvml:0:energy") != 0)
            continue;
        counters++;
        assert_true(readings[i].t_ns >= asked_ns);
    }
    assert_int_equal(counters, 1);
    pji_meter_close(meter);
    pji_platform_close_real(&platform);
    unsetenv("FAKE_NVML_LATENCY_MS");
    temp_close(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slow_calls_do_not_delay_fast_ticks),
        cmocka_unit_test(an_edge_waits_for_the_slow_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
