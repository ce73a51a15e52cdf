/* Sources that open in the background: the meter goes on without them, takes them over when they
 * are ready, and leaves behind those that never are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/units.h"
#include "meter/meter.h"
#include "platform/platform.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static const int64_t patience_ns = 20 * PJI_NS_PER_S;

/* Its open passes only while the gate is open. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t change;
    bool open;
    int closes, opens;
    pj_status fails;
    size_t channels;
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER};

static void set_gate(bool open)
{
    (void)pthread_mutex_lock(&gate.lock);
    gate.open = open;
    (void)pthread_cond_broadcast(&gate.change);
    (void)pthread_mutex_unlock(&gate.lock);
}

static int setup(void **state)
{
    (void)state;
    gate.closes = gate.opens = 0;
    gate.fails = PJ_OK;
    gate.channels = 2;
    gate.open = true;
    return 0;
}

static pj_status add(struct pji_channel_table *table, const char *name, int32_t companion,
                     struct pj_error *err)
{
    struct pji_channel channel = {.kind = PJI_GAUGE, .role = PJI_ROLE_AUX, .companion = companion};
    (void)snprintf(channel.name, sizeof channel.name, "%s", name);
    return pji_channel_table_add(table, &channel, NULL, err);
}

static pj_status open_slow(void *state, const struct pji_source_env *env,
                           struct pji_channel_table *table, struct pj_error *err)
{
    (void)state;
    (void)env;
    (void)pthread_mutex_lock(&gate.lock);
    while (!gate.open)
        (void)pthread_cond_wait(&gate.change, &gate.lock);
    gate.opens++;
    (void)pthread_cond_broadcast(&gate.change);
    (void)pthread_mutex_unlock(&gate.lock);
    if (gate.fails)
        return pji_fail(err, gate.fails, "told to fail");
    pj_status status =
        pji_channel_table_miss(table, "slow", PJI_DOMAIN_GPU, "gpu-1", "not there", "", err);
    if (!status && gate.channels > 0)
        status = add(table, "slow:0", -1, err);
    if (!status && gate.channels > 1)
        status = add(table, "slow:1", 0, err);
    return status;
}

static pj_status read_slow(void *state, struct pji_reading_sink *sink, struct pj_error *err)
{
    (void)state;
    (void)err;
    pji_reading_put(sink, 1, 1, PJI_READ_OK, 11);
    return PJ_OK;
}

static void close_slow(void *state)
{
    (void)state;
    gate.closes++;
}

static pj_status open_fast(void *state, const struct pji_source_env *env,
                           struct pji_channel_table *table, struct pj_error *err)
{
    (void)state;
    (void)env;
    return add(table, "fast", -1, err);
}

static pj_status read_fast(void *state, struct pji_reading_sink *sink, struct pj_error *err)
{
    (void)state;
    (void)err;
    pji_reading_put(sink, 0, 1, PJI_READ_OK, 7);
    return PJ_OK;
}

static void close_fast(void *state)
{
    (void)state;
}

static const struct pji_source_ops slow_ops = {.name = "slow",
                                               .about = "test",
                                               .state_size = 8,
                                               .burst = 1,
                                               .slow = true,
                                               .min_period_ns = 3600 * PJI_NS_PER_S,
                                               .open = open_slow,
                                               .read = read_slow,
                                               .close = close_slow};
static const struct pji_source_ops fast_ops = {.name = "fast",
                                               .about = "test",
                                               .state_size = 8,
                                               .burst = 1,
                                               .open = open_fast,
                                               .read = read_fast,
                                               .close = close_fast};

static struct pji_platform platform;

static void close_meter(struct pji_meter *meter)
{
    pji_meter_close(meter);
    pji_platform_close_real(&platform);
}

static struct pji_meter *open_meter(int64_t lane_wait_ns)
{
    static const struct pji_source_ops *const sources[] = {&slow_ops, &fast_ops, NULL};
    struct pji_meter_config config = {.env = {.platform = &platform},
                                      .sources = sources,
                                      .interval_ns = PJI_NS_PER_S,
                                      .defer_slow = true,
                                      .lane_wait_ns = lane_wait_ns};
    struct pji_meter *meter = NULL;
    assert_int_equal(pji_platform_open_real(&platform, NULL, NULL), PJ_OK);
    assert_int_equal(pji_meter_open(&meter, &config, NULL), PJ_OK);
    return meter;
}

static void the_meter_does_not_wait(void **state)
{
    const struct pji_reading *readings;
    size_t n;
    (void)state;
    set_gate(false);
    struct pji_meter *meter = open_meter(patience_ns);
    assert_int_equal(pji_meter_channels(meter)->n, 1);
    assert_int_equal(pji_meter_slow_fd(meter), -1);
    assert_int_equal(pji_meter_start_slow(meter, NULL), PJ_OK);
    struct pollfd over = {.fd = pji_meter_slow_fd(meter), .events = POLLIN};
    assert_true(over.fd >= 0);
    assert_int_equal(poll(&over, 1, 0), 0);
    assert_int_equal(pji_meter_read(meter, &readings, &n, NULL), PJ_OK);
    assert_int_equal(n, 1); /* the fast one works on */
    set_gate(true);
    assert_int_equal(poll(&over, 1, 20000), 1);
    assert_int_equal(pji_meter_adopt_slow(meter, NULL), PJ_OK);
    assert_int_equal(pji_meter_slow_fd(meter), -1);
    close_meter(meter);
    assert_int_equal(gate.closes, 1);
}

static void rows_and_readings_come_behind_the_others(void **state)
{
    const struct pji_reading *readings;
    size_t n;
    (void)state;
    struct pji_meter *meter = open_meter(patience_ns);
    assert_int_equal(pji_meter_start_slow(meter, NULL), PJ_OK);
    assert_int_equal(pji_meter_adopt_slow(meter, NULL), PJ_OK);
    const struct pji_channel_table *table = pji_meter_channels(meter);
    assert_int_equal(table->n, 3);
    assert_string_equal(table->channels[0].name, "fast");
    assert_string_equal(table->channels[2].name, "slow:1");
    assert_int_equal(table->channels[1].companion, -1);
    assert_int_equal(table->channels[2].companion, 1);
    assert_int_equal(table->n_missing, 1);
    assert_string_equal(table->missing[0].domain, "gpu-1");
    assert_int_equal(pji_meter_read(meter, &readings, &n, NULL), PJ_OK);
    assert_int_equal(n, 2);
    assert_int_equal(readings[1].channel, 2);
    assert_int_equal(readings[1].value, 11);
    assert_int_equal(pji_meter_adopt_slow(meter, NULL), PJ_OK); /* nothing more to adopt */
    assert_int_equal(table->n, 3);
    close_meter(meter);
}

static void nothing_found_is_nothing_adopted(void **state)
{
    (void)state;
    gate.channels = 0;
    struct pji_meter *meter = open_meter(patience_ns);
    assert_int_equal(pji_meter_start_slow(meter, NULL), PJ_OK);
    assert_int_equal(pji_meter_adopt_slow(meter, NULL), PJ_OK);
    assert_int_equal(pji_meter_channels(meter)->n, 1);
    close_meter(meter);
    assert_int_equal(gate.closes, 1);
}

static void a_failure_is_passed_up(void **state)
{
    struct pj_error err = {0};
    (void)state;
    gate.fails = PJ_ENOMEM;
    struct pji_meter *meter = open_meter(patience_ns);
    assert_int_equal(pji_meter_start_slow(meter, NULL), PJ_OK);
    assert_int_equal(pji_meter_adopt_slow(meter, &err), PJ_ENOMEM);
    assert_string_equal(err.text, "source slow: told to fail");
    assert_int_equal(pji_meter_channels(meter)->n, 1);
    close_meter(meter);
    assert_int_equal(gate.closes, 0); /* what did not open is not closed */
}

static void what_never_started_is_never_opened(void **state)
{
    (void)state;
    close_meter(open_meter(patience_ns));
    assert_int_equal(gate.opens, 0);
    assert_int_equal(gate.closes, 0);
}

static void closing_waits_for_the_thread(void **state)
{
    (void)state;
    struct pji_meter *meter = open_meter(patience_ns);
    assert_int_equal(pji_meter_start_slow(meter, NULL), PJ_OK);
    close_meter(meter);
    assert_int_equal(gate.opens, 1);
    assert_int_equal(gate.closes, 1);
}

static void a_library_that_hangs_becomes_a_missing_row(void **state)
{
    const struct pji_reading *readings;
    size_t n;
    (void)state;
    set_gate(false);
    struct pji_meter *meter = open_meter(20 * PJI_NS_PER_MS);
    assert_int_equal(pji_meter_start_slow(meter, NULL), PJ_OK);
    assert_int_equal(pji_meter_adopt_slow(meter, NULL), PJ_OK);
    const struct pji_channel_table *table = pji_meter_channels(meter);
    assert_int_equal(table->n, 1);
    assert_int_equal(table->n_missing, 1);
    assert_string_equal(table->missing[0].source, "slow");
    assert_non_null(strstr(table->missing[0].reason, "did not start"));
    assert_int_equal(pji_meter_read(meter, &readings, &n, NULL), PJ_OK);
    assert_int_equal(n, 1);
    close_meter(meter);
    assert_int_equal(gate.closes, 0);
    /* its thread hangs until the program ends */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_meter_does_not_wait, setup),
        cmocka_unit_test_setup(rows_and_readings_come_behind_the_others, setup),
        cmocka_unit_test_setup(nothing_found_is_nothing_adopted, setup),
        cmocka_unit_test_setup(a_failure_is_passed_up, setup),
        cmocka_unit_test_setup(what_never_started_is_never_opened, setup),
        cmocka_unit_test_setup(closing_waits_for_the_thread, setup),
        cmocka_unit_test_setup(a_library_that_hangs_becomes_a_missing_row, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
