/* The sampler: schedule, late ticks, what it takes and when, and that sampling takes no memory and
 * opens nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "meter/meter.h"
#include "rig.h"
#include "sources/table.h"

#include <poll.h>
#include <string.h>
#include <time.h>

#define MS_NS INT64_C(1000000)

/* ---- memory taken by anybody in this program, counted ---- */

static size_t taken;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size)
{
    taken++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    taken++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    taken++;
    return __real_realloc(old, size);
}

/* ---- a source for tests ---- */

struct probe_state {
    int32_t channel;
    int reads;
};

static int probe_closes;
static pj_status probe_open_status;

static pj_status probe_open(void *state, const struct pji_source_env *env,
                            struct pji_channel_table *table, struct pj_error *err)
{
    struct probe_state *probe = state;
    struct pji_channel channel = {.name = "probe", .source = "probe", .companion = -1};

    (void)env;
    if (probe_open_status)
        return pji_fail(err, probe_open_status, "told to fail");
    return pji_channel_table_add(table, &channel, &probe->channel, err);
}

static pj_status probe_read(void *state, struct pji_reading_sink *sink, struct pj_error *err)
{
    struct probe_state *probe = state;

    (void)err;
    probe->reads++;
    pji_reading_put(sink, probe->channel, 1, PJI_READ_OK,
                    sink->edge ? -probe->reads : probe->reads);
    return PJ_OK;
}

/* Puts more than it promised. */
static pj_status flood_read(void *state, struct pji_reading_sink *sink, struct pj_error *err)
{
    for (int i = 0; i < 5; i++)
        (void)probe_read(state, sink, err);
    return PJ_OK;
}

static pj_status broken_read(void *state, struct pji_reading_sink *sink, struct pj_error *err)
{
    (void)state;
    (void)sink;
    return pji_fail(err, PJ_ESTATE, "broken");
}

static void probe_close(void *state)
{
    (void)state;
    probe_closes++;
}

static const struct pji_source_ops probe = {.name = "probe",
                                            .about = "test",
                                            .state_size = sizeof(struct probe_state),
                                            .burst = 1,
                                            .min_period_ns = 50 * MS_NS,
                                            .open = probe_open,
                                            .read = probe_read,
                                            .close = probe_close};

static pj_status open_one(struct pji_meter **meter, struct scripted *s,
                          const struct pji_source_ops *ops, int64_t interval_ns,
                          struct pj_error *err)
{
    const struct pji_source_ops *sources[] = {ops, NULL};
    struct pji_meter_config config = {
        .env = {.platform = scripted_platform(s)}, .sources = sources, .interval_ns = interval_ns};

    return pji_meter_open(meter, &config, err);
}

static int setup(void **state)
{
    probe_closes = 0;
    probe_open_status = PJ_OK;
    *state = scripted_new();
    return 0;
}

static int teardown(void **state)
{
    scripted_free(*state);
    return 0;
}

/* ---- tests ---- */

static void incomplete_sources_are_refused(void **state)
{
    struct pji_source_ops ops = probe;
    struct pji_meter *meter;
    struct pj_error err = {0};

    ops.read = NULL;
    assert_int_equal(open_one(&meter, *state, &ops, MS_NS, &err), PJ_EINVAL);
    assert_non_null(strstr(err.text, "probe"));
    ops = probe;
    ops.burst = 0;
    assert_int_equal(open_one(&meter, *state, &ops, MS_NS, NULL), PJ_EINVAL);
    ops = probe;
    ops.name = NULL;
    assert_int_equal(open_one(&meter, *state, &ops, MS_NS, NULL), PJ_EINVAL);
    assert_int_equal(open_one(&meter, *state, &probe, 0, NULL), PJ_EINVAL);
    assert_int_equal(probe_closes, 0);
}

static void the_table_of_sources_is_complete(void **state)
{
    struct scripted *s = *state;
    struct pji_meter_config config = {
        .env = {.platform = scripted_platform(s)}, .sources = pji_sources, .interval_ns = MS_NS};
    struct pji_meter *meter;
    struct pj_error err = {0};

    assert_int_equal(pji_meter_open(&meter, &config, &err), PJ_OK);
    pji_meter_close(meter);
    assert_int_equal(scripted_open_handles(s), 0);
}

static void a_failing_open_closes_the_others(void **state)
{
    static pj_status (*const fails)(void *, const struct pji_source_env *,
                                    struct pji_channel_table *, struct pj_error *) = probe_open;
    struct pji_source_ops second = probe;
    const struct pji_source_ops *sources[] = {&probe, &second, NULL};
    struct pji_meter_config config = {
        .env = {.platform = scripted_platform(*state)}, .sources = sources, .interval_ns = MS_NS};
    struct pji_meter *meter;
    struct pj_error err = {0};

    second.name = "second";
    second.open = fails; /* adds the name "probe" again: refused */
    assert_int_equal(pji_meter_open(&meter, &config, &err), PJ_EINVAL);
    assert_non_null(strstr(err.text, "second"));
    assert_null(meter);
    assert_int_equal(probe_closes, 1);
}

static void edges_read_everything_and_ticks_what_is_due(void **state)
{
    struct scripted *s = *state;
    const struct pji_reading *readings;
    struct pji_meter *meter;
    size_t n;

    assert_int_equal(open_one(&meter, s, &probe, 10 * MS_NS, NULL), PJ_OK);
    assert_int_equal(pji_meter_burst(meter), 1);
    assert_int_equal(pji_meter_read(meter, &readings, &n, NULL), PJ_OK);
    assert_int_equal(n, 1);
    assert_int_equal(readings[0].value, -1); /* the source was told that this is an edge */
    for (int i = 1; i <= 4; i++) {
        scripted_advance_ns(s, 10 * MS_NS);
        assert_int_equal(pji_meter_sample(meter, &readings, &n, NULL), PJ_OK);
        assert_int_equal(n, 0);
    }
    scripted_advance_ns(s, 10 * MS_NS - MS_NS / 10); /* a tick that came a little early */
    assert_int_equal(pji_meter_sample(meter, &readings, &n, NULL), PJ_OK);
    assert_int_equal(n, 1);
    assert_int_equal(readings[0].value, 2);
    assert_int_equal(pji_meter_sample(meter, &readings, &n, NULL), PJ_OK);
    assert_int_equal(n, 0);
    assert_int_equal(pji_meter_read(meter, &readings, &n, NULL), PJ_OK);
    assert_int_equal(n, 1);
    pji_meter_close(meter);
    assert_int_equal(probe_closes, 1);
}

static void late_ticks_are_skipped_and_counted(void **state)
{
    const struct timespec rest = {.tv_nsec = 35 * MS_NS};
    struct pji_meter_stats stats;
    struct pji_meter *meter;

    assert_int_equal(open_one(&meter, *state, &probe, 10 * MS_NS, NULL), PJ_OK);
    assert_int_equal(pji_meter_tick(meter, NULL), PJI_METER_NO_TICK);
    assert_int_equal(pji_meter_timer_start(meter, NULL), PJ_OK);
    (void)nanosleep(&rest, NULL);
    assert_int_equal(pji_meter_tick(meter, NULL), PJ_OK);
    pji_meter_stats(meter, &stats);
    assert_true(stats.late_ticks >= 2);
    assert_int_equal(stats.samples, 0);
    pji_meter_close(meter);
}

static void the_timer_wakes_a_poll_loop(void **state)
{
    struct pji_meter *meter;
    struct pollfd fd = {.events = POLLIN};

    assert_int_equal(open_one(&meter, *state, &probe, 5 * MS_NS, NULL), PJ_OK);
    assert_int_equal(pji_meter_timer_start(meter, NULL), PJ_OK);
    fd.fd = pji_meter_timer_fd(meter);
    assert_int_equal(poll(&fd, 1, 10000), 1);
    assert_int_equal(pji_meter_tick(meter, NULL), PJ_OK);
    pji_meter_close(meter);
}

static void a_suspend_is_noticed_once(void **state)
{
    struct scripted *s = *state;
    const struct pji_reading *readings;
    struct pji_meter *meter;
    size_t n;

    assert_int_equal(open_one(&meter, s, &probe, 10 * MS_NS, NULL), PJ_OK);
    assert_int_equal(pji_meter_read(meter, &readings, &n, NULL), PJ_OK);
    assert_int_equal(pji_meter_suspended_ns(meter), 0);
    scripted_advance_ns(s, 100 * MS_NS);
    scripted_suspend_ns(s, 3000 * MS_NS);
    assert_int_equal(pji_meter_sample(meter, &readings, &n, NULL), PJ_OK);
    assert_int_equal(pji_meter_suspended_ns(meter), 3000 * MS_NS);
    assert_int_equal(pji_meter_sample(meter, &readings, &n, NULL), PJ_OK);
    assert_int_equal(pji_meter_suspended_ns(meter), 0);
    scripted_set_ns(s, PJI_CLOCK_REALTIME, 1); /* somebody set the clock: nothing to us */
    assert_int_equal(pji_meter_sample(meter, &readings, &n, NULL), PJ_OK);
    assert_int_equal(pji_meter_suspended_ns(meter), 0);
    pji_meter_close(meter);
}

static void too_many_readings_are_counted(void **state)
{
    struct pji_source_ops flood = probe;
    const struct pji_reading *readings;
    struct pji_meter_stats stats;
    struct pji_meter *meter;
    size_t n;

    flood.read = flood_read;
    assert_int_equal(open_one(&meter, *state, &flood, MS_NS, NULL), PJ_OK);
    assert_int_equal(pji_meter_read(meter, &readings, &n, NULL), PJ_OK);
    assert_int_equal(n, 1);
    pji_meter_stats(meter, &stats);
    assert_int_equal(stats.dropped, 4);
    pji_meter_close(meter);
}

static void a_broken_source_is_named(void **state)
{
    struct pji_source_ops broken = probe;
    const struct pji_reading *readings;
    struct pj_error err = {0};
    struct pji_meter *meter;
    size_t n;

    broken.read = broken_read;
    assert_int_equal(open_one(&meter, *state, &broken, MS_NS, NULL), PJ_OK);
    assert_int_equal(pji_meter_read(meter, &readings, &n, &err), PJ_ESTATE);
    assert_string_equal(err.text, "source probe: broken");
    pji_meter_close(meter);
}

static void slow_sources_get_a_lane(void **state)
{
    struct pji_source_ops slow = probe;
    const struct pji_reading *readings;
    struct pji_meter *meter;
    size_t n;

    slow.slow = true;
    slow.min_period_ns = 0;
    assert_int_equal(open_one(&meter, *state, &slow, 3600 * 1000 * MS_NS, NULL), PJ_OK);
    assert_int_equal(pji_meter_sample(meter, &readings, &n, NULL), PJ_OK);
    assert_int_equal(n, 0); /* a tick takes what is ready and asks for nothing */
    assert_int_equal(pji_meter_read(meter, &readings, &n, NULL), PJ_OK);
    assert_int_equal(n, 1);
    assert_int_equal(readings[0].value, -1);
    pji_meter_close(meter);
    assert_int_equal(probe_closes, 1);
}

static void sampling_takes_no_memory_and_opens_nothing(void **state)
{
    static const struct pji_source_ops *const sources[] = {&pji_source_rapl_powercap,
                                                           &pji_source_model_cpu, NULL};
    struct scripted *s = *state;
    struct pji_meter_config config = {
        .env = {.platform = scripted_platform(s)}, .sources = sources, .interval_ns = MS_NS};
    static char line[4096];
    const struct pji_reading *readings;
    struct pji_meter *meter;
    size_t n, before, own = 0;

    rig_cpuinfo(s, "GenuineIntel", "Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz", 85, 2, 20, false);
    rig_zone(s, "intel-rapl:0", "package-0", 1, 262143328850);
    rig_zone(s, "intel-rapl:1", "package-1", 1, 262143328850);
    scripted_file(s, "/proc/stat", "cpu 1 2 3 4\n");
    assert_int_equal(pji_meter_open(&meter, &config, NULL), PJ_OK);
    assert_int_equal(pji_meter_read(meter, &readings, &n, NULL), PJ_OK);
    scripted_forget_counts(s);
    for (int i = 0; i < 1000; i++) {
        scripted_advance_ns(s, MS_NS);
        before = taken;
        assert_int_equal(pji_meter_sample(meter, &readings, &n, NULL), PJ_OK);
        assert_true(n >= 2);
        assert_true(pji_trace_format_readings(line, sizeof line, readings, n) > 0);
        own += taken - before;
    }
    /* the scripted platform itself copies a file for each read: nothing else may take memory */
    assert_int_equal(own, scripted_counts(s, NULL).reads);
    assert_int_equal(scripted_counts(s, NULL).opens, 0);
    pji_meter_close(meter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(incomplete_sources_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(the_table_of_sources_is_complete, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failing_open_closes_the_others, setup, teardown),
        cmocka_unit_test_setup_teardown(edges_read_everything_and_ticks_what_is_due, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(late_ticks_are_skipped_and_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(the_timer_wakes_a_poll_loop, setup, teardown),
        cmocka_unit_test_setup_teardown(a_suspend_is_noticed_once, setup, teardown),
        cmocka_unit_test_setup_teardown(too_many_readings_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_broken_source_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(slow_sources_get_a_lane, setup, teardown),
        cmocka_unit_test_setup_teardown(sampling_takes_no_memory_and_opens_nothing, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
