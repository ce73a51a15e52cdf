/* A recorded trace as an instrument. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rig.h"
#include "sources/table.h"
#include "temp.h"

#include <stdio.h>
#include <string.h>

#define S_NS INT64_C(1000000000)

/* Two seconds of a package that wraps, its twin and the model beside it; recorded at another time
 * and on another machine than it is replayed. */
static const char *const recorded[] = {"rapl:package-0", "rapl-mmio:package-0", "model_cpu:energy",
                                       "model_cpu:u"};

static void put_header(struct pji_str *trace, const struct rig *rig)
{
    struct pji_missing row = {.domain = "gpu", .source = "nvml", .reason = "no driver"};
    struct pji_trace_header header = {.channels = pji_meter_channels(rig->meter)->channels,
                                      .n_channels = rig->n,
                                      .missing = &row,
                                      .n_missing = 1};

    assert_int_equal(pji_trace_put_header(trace, &header, NULL), PJ_OK);
}

static void put_tick(struct pji_str *trace, const struct rig *rig)
{
    char line[4096];
    size_t len = pji_trace_format_readings(line, sizeof line, rig->readings, rig->n_readings);

    assert_true(len > 0);
    pji_str_addn(trace, line, len);
}

static void record(struct rig *rig, struct scripted *s, struct pji_str *trace)
{
    static const struct pji_source_ops *const sources[] = {&pji_source_rapl_powercap,
                                                           &pji_source_model_cpu, NULL};
    static const int64_t energy_uj[] = {999000000, 1000000, 4000000};

    rig_cpuinfo(s, "GenuineIntel", "Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz", 85, 2, 20, false);
    rig_zone(s, "intel-rapl:0", "package-0", 0, 999999999);
    rig_zone(s, "intel-rapl-mmio:0", "package-0", 0, 999999999);
    scripted_file(s, "/proc/stat", "cpu 100 0 0 100\n");
    rig_open(rig, s, sources);
    put_header(trace, rig);
    for (size_t i = 0; i < 3; i++) {
        rig_set(s, "intel-rapl:0", energy_uj[i]);
        rig_set(s, "intel-rapl-mmio:0", energy_uj[i]);
        scripted_filef(s, "/proc/stat", "cpu %d 0 0 100\n", 100 * (int)(i + 1));
        rig_read_after(rig, s, S_NS);
        put_tick(trace, rig);
    }
}

struct replayed {
    struct pji_meter *meter;
    struct pji_series series[RIG_CHANNELS];
    size_t n;
};

static void replay_open_at(struct replayed *r, struct scripted *s, const char *path)
{
    static const struct pji_source_ops *const sources[] = {&pji_source_replay, NULL};
    struct pji_meter_config config = {
        .env = {.platform = scripted_platform(s), .replay_path = path},
        .sources = sources,
        .interval_ns = S_NS};
    struct pj_error err = {0};

    if (pji_meter_open(&r->meter, &config, &err))
        fail_msg("%s", err.text);
    r->n = pji_meter_channels(r->meter)->n;
    for (size_t i = 0; i < r->n; i++)
        assert_int_equal(
            pji_series_init(&r->series[i], &pji_meter_channels(r->meter)->channels[i], true, NULL),
            PJ_OK);
}

/* Reads and adds; returns how many readings there were. */
static size_t replay_read(struct replayed *r)
{
    const struct pji_reading *readings;
    size_t n;

    assert_int_equal(pji_meter_read(r->meter, &readings, &n, NULL), PJ_OK);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(pji_series_add(&r->series[readings[i].channel], &readings[i], NULL),
                         PJ_OK);
    return n;
}

static void replay_close(struct replayed *r)
{
    for (size_t i = 0; i < r->n; i++)
        pji_series_fini(&r->series[i]);
    pji_meter_close(r->meter);
}

static void a_replay_gives_the_same_energies(void **state)
{
    struct scripted *there = scripted_new(), *here = scripted_new();
    char dir[TEMP_PATH], path[TEMP_PATH + 16];
    struct pji_str trace = {0};
    struct replayed r;
    struct rig rig;

    (void)state;
    temp_open(dir);
    (void)snprintf(path, sizeof path, "%s/trace", dir);
    record(&rig, there, &trace);
    temp_write(dir, "trace", pji_str_text(&trace));
    replay_open_at(&r, here, path);
    assert_int_equal(r.n, rig.n);
    assert_int_equal(pji_meter_channels(r.meter)->n_missing, 1);
    assert_int_equal(replay_read(&r), rig.n - 1); /* at once; no utilisation is known yet */
    assert_int_equal(replay_read(&r), 0);         /* nothing is due */
    scripted_advance_ns(here, S_NS / 2);
    assert_int_equal(replay_read(&r), 0);
    scripted_advance_ns(here, S_NS / 2);
    assert_int_equal(replay_read(&r), rig.n);
    scripted_advance_ns(here, 100 * S_NS);
    assert_int_equal(replay_read(&r), rig.n);
    for (size_t i = 0; i < sizeof recorded / sizeof recorded[0]; i++) {
        size_t c = rig_channel(&rig, recorded[i]);
        struct pj_energy live, again;

        assert_string_equal(pji_meter_channels(r.meter)->channels[c].name, recorded[i]);
        assert_int_equal(pji_meter_channels(r.meter)->channels[c].companion,
                         rig.channels[c].companion);
        pji_series_total(&rig.series[c], NULL, &live);
        pji_series_total(&r.series[c], NULL, &again);
        assert_true(live.value_j == again.value_j && live.u_ind_j == again.u_ind_j);
        assert_int_equal(live.quality, again.quality);
    }
    assert_true(rig_total(&rig, "rapl:package-0").value_j == 5.0);
    replay_close(&r);
    rig_close(&rig);
    pji_str_fini(&trace);
    temp_close(dir);
    scripted_free(there);
    scripted_free(here);
}

static void companions_follow_their_channels(void **state)
{
    static const struct pji_source_ops *const sources[] = {&pji_source_rapl_powercap,
                                                           &pji_source_replay, NULL};
    struct scripted *s = scripted_new();
    struct pji_meter_config config = {
        .env = {.platform = scripted_platform(s)}, .sources = sources, .interval_ns = S_NS};
    char dir[TEMP_PATH], path[TEMP_PATH + 16];
    struct pji_channel channels[2] = {
        {.name = "x", .domain = "x", .origin = PJ_ORIGIN_COUNTER, .companion = -1},
        {.name = "x:u", .domain = "x", .origin = PJ_ORIGIN_COUNTER, .role = PJI_ROLE_UNCERTAINTY},
    };
    struct pji_trace_header header = {.channels = channels, .n_channels = 2};
    const struct pji_channel_table *table;
    struct pji_str trace = {0};
    struct pji_meter *meter;

    (void)state;
    temp_open(dir);
    (void)snprintf(path, sizeof path, "%s/trace", dir);
    assert_int_equal(pji_trace_put_header(&trace, &header, NULL), PJ_OK);
    temp_write(dir, "trace", pji_str_text(&trace));
    pji_str_fini(&trace);
    rig_zone(s, "intel-rapl:0", "package-0", 1, 1000);
    config.env.replay_path = path;
    assert_int_equal(pji_meter_open(&meter, &config, NULL), PJ_OK);
    table = pji_meter_channels(meter);
    assert_int_equal(table->n, 3);
    assert_int_equal(table->channels[1].companion, -1);
    assert_int_equal(table->channels[2].companion, 1);
    pji_meter_close(meter);
    temp_close(dir);
    scripted_free(s);
}

static void bad_traces_are_errors(void **state)
{
    static const struct pji_source_ops *const sources[] = {&pji_source_replay, NULL};
    struct scripted *s = scripted_new();
    struct pji_meter_config config = {
        .env = {.platform = scripted_platform(s)}, .sources = sources, .interval_ns = S_NS};
    char dir[TEMP_PATH], path[TEMP_PATH + 16];
    struct pj_error err = {0};
    struct pji_meter *meter;

    (void)state;
    temp_open(dir);
    (void)snprintf(path, sizeof path, "%s/trace", dir);
    config.env.replay_path = path;
    assert_int_equal(pji_meter_open(&meter, &config, &err), PJ_ENOTFOUND);
    assert_non_null(strstr(err.text, path));
    temp_write(dir, "trace", "this is no trace\nat all\n");
    err = (struct pj_error){0};
    assert_true(pji_meter_open(&meter, &config, &err) < 0);
    assert_non_null(strstr(err.text, path));
    temp_close(dir);
    scripted_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replay_gives_the_same_energies),
        cmocka_unit_test(companions_follow_their_channels),
        cmocka_unit_test(bad_traces_are_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
