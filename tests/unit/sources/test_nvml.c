/* The nvml source over the fake library: what it offers, reads and says when things fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/units.h"
#include "nvml_rig.h"
#include "scripted_platform.h"
#include "sources/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const int64_t ms = PJI_NS_PER_MS, s_ns = PJI_NS_PER_S;

static int setup(void **state)
{
    static struct nvml_rig rig;
    nvml_rig_setup(&rig);
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    nvml_rig_teardown(*state);
    return 0;
}

static const struct pji_channel *row(const struct nvml_rig *rig, const char *name)
{
    return &rig->table.channels[nvml_rig_channel(rig, name)];
}

/* ---- what there is ---- */

static void rows_of_a_gpu(void **state)
{
    struct nvml_rig *rig = *state;
    nvml_rig_open(rig);
    const struct pji_channel *power = row(rig, "nvml:0:power"), *energy = row(rig, "nvml:0:energy");
    assert_int_equal(rig->table.n, 5);
    assert_int_equal(power->kind, PJI_GAUGE);
    assert_int_equal(power->role, PJI_ROLE_POWER);
    assert_int_equal(power->origin, PJ_ORIGIN_INTEGRATED);
    assert_int_equal(power->companion, -1);
    assert_int_equal(power->refresh_ns, 20 * ms);
    assert_int_equal(power->lag_ns, 20 * ms);
    assert_int_equal(power->average_ns, 20 * ms);
    assert_int_equal(power->edge_u_ns, 11547005); /* 20 ms, rectangular */
    assert_int_equal(power->domain_kind, PJI_DOMAIN_GPU);
    assert_string_equal(power->domain, "gpu-0");
    assert_string_equal(power->parent, "machine");
    assert_string_equal(power->device, "GPU-fa4e0000-0000-4000-8000-000000000000 00000000:1b:00.0");
    assert_int_equal(energy->kind, PJI_COUNTER);
    assert_int_equal(energy->companion, nvml_rig_channel(rig, "nvml:0:power"));
    assert_string_equal(energy->com_id, power->com_id); /* one sensor */
    assert_string_equal(energy->domain, power->domain);
    assert_int_equal(row(rig, "nvml:0:temp")->role, PJI_ROLE_AUX);
    assert_int_equal(row(rig, "nvml:0:sm-clock")->role, PJI_ROLE_AUX);
    assert_int_equal(row(rig, "nvml:0:throttle")->role, PJI_ROLE_AUX);
    assert_int_equal(rig->table.n_missing, 0);
}

/* A100: a sample each 100 ms, a mean over 25 ms of them (arXiv:2312.02741). */
static void part_time_sampling_is_declared(void **state)
{
    struct nvml_rig *rig = *state;
    setenv("FAKE_NVML_SPACING_MS", "100", 1);
    nvml_rig_open(rig);
    assert_int_equal(row(rig, "nvml:0:power")->refresh_ns, 100 * ms);
    assert_int_equal(row(rig, "nvml:0:power")->average_ns, 25 * ms);
    assert_int_equal(row(rig, "nvml:0:power")->lag_ns, 100 * ms);
    assert_in_range(row(rig, "nvml:0:power")->edge_u_ns, 57 * ms, 58 * ms);
}

static void without_buffer_the_counter_is_preferred(void **state)
{
    struct nvml_rig *rig = *state;
    setenv("FAKE_NVML_ERRORS", "samples=3", 1);
    nvml_rig_open(rig);
    assert_int_equal(row(rig, "nvml:0:energy")->companion, -1);
    assert_int_equal(row(rig, "nvml:0:energy")->role, PJI_ROLE_ENERGY);
    assert_int_equal(rig->table.n, 4);
    nvml_rig_run(rig, 10 * s_ns);
    size_t n = nvml_rig_count(rig, nvml_rig_channel(rig, "nvml:0:energy"), PJI_READ_OK);
    assert_in_range(n, 18, 22); /* twice a second */
}

static void symbols_may_be_missing(void **state)
{
    struct nvml_rig *rig = *state;
    rig->hidden = "nvmlDeviceGetSamples";
    nvml_rig_open(rig);
    assert_int_equal(row(rig, "nvml:0:energy")->companion, -1);
}

static void an_old_driver_gives_power_only(void **state)
{
    struct nvml_rig *rig = *state;
    char path[512];
    nvml_rig_library(path, sizeof path, true);
    rig->env.nvml_path = path;
    setenv("FAKE_NVML_SQUARE", "123000,123000,1000", 1);
    nvml_rig_open(rig);
    const struct pji_channel *usage = row(rig, "nvml:0:usage");
    assert_int_equal(usage->role, PJI_ROLE_POWER);
    assert_int_equal(usage->origin, PJ_ORIGIN_INTEGRATED);
    assert_int_equal(usage->lag_ns, 100 * ms); /* instantaneous before Ampere */
    nvml_rig_run(rig, 5 * s_ns);
    size_t n = nvml_rig_count(rig, nvml_rig_channel(rig, "nvml:0:usage"), PJI_READ_OK);
    assert_int_equal(n, 50);
    for (size_t i = 0; i < rig->n; i++)
        if (rig->readings[i].channel == nvml_rig_channel(rig, "nvml:0:usage"))
            assert_int_equal(rig->readings[i].value, 123000);
}

static void a_gpu_that_tells_nothing_is_missing(void **state)
{
    struct nvml_rig *rig = *state;
    setenv("FAKE_NVML_ERRORS", "samples=3,energy=3,power=3", 1);
    nvml_rig_open(rig);
    const struct pji_missing *missing = nvml_rig_missing(rig);
    assert_int_equal(rig->table.n, 0);
    assert_string_equal(missing->domain, "gpu-0");
    assert_non_null(strstr(missing->reason, "GPU-fa4e0000"));
    assert_non_null(strstr(missing->reason, "Not Supported"));
    nvml_rig_run(rig, s_ns);
    assert_int_equal(rig->n, 0);
}

static void impossible_values_are_no_instrument(void **state)
{
    struct nvml_rig *rig = *state;
    setenv("FAKE_NVML_VALUES", "samples=4294967295,energy=0,power=0", 1);
    nvml_rig_open(rig);
    assert_int_equal(rig->table.n, 0);
    assert_non_null(strstr(nvml_rig_missing(rig)->reason, "impossible values"));
}

/* ---- reading ---- */

static void each_sample_comes_once(void **state)
{
    struct nvml_rig *rig = *state;
    int64_t last_ns = 0;
    setenv("FAKE_NVML_SQUARE", "80000,700000,333", 1);
    nvml_rig_open(rig);
    nvml_rig_read(rig, true);
    size_t before = rig->n;
    nvml_rig_run(rig, 20 * s_ns);
    int32_t power = nvml_rig_channel(rig, "nvml:0:power");
    size_t n = 0;
    for (size_t i = before; i < rig->n; i++) {
        if (rig->readings[i].channel != power)
            continue;
        assert_int_equal(rig->readings[i].status, PJI_READ_OK);
        if (n > 0)
            assert_int_equal(rig->readings[i].t_ns - last_ns, 20 * ms);
        last_ns = rig->readings[i].t_ns;
        n++;
    }
    assert_int_equal(n, (last_ns - INT64_C(1000) * s_ns) / (20 * ms));
    assert_in_range(rig->mono_ns - last_ns, 0, s_ns); /* read once a second */
    assert_in_range(nvml_rig_calls(rig, "samples"), 20, 24);
    assert_int_equal(rig->dropped, 0);
}

static void the_counter_is_rationed_by_its_cost(void **state)
{
    struct nvml_rig *rig = *state;
    setenv("FAKE_NVML_LATENCY_MS", "energy=3.5,samples=0.17", 1);
    nvml_rig_open(rig);
    uint64_t before = nvml_rig_calls(rig, "energy");
    nvml_rig_run(rig, 60 * s_ns);
    uint64_t calls = nvml_rig_calls(rig, "energy") - before;
    assert_in_range(calls, 8, 12); /* what 0.17 ms a second leave of 0.08 % of a core */
    before = nvml_rig_calls(rig, "energy");
    for (int i = 0; i < 5; i++)
        nvml_rig_read(rig, true); /* two are kept for the last readings; marks find no more */
    assert_in_range(nvml_rig_calls(rig, "energy") - before, 2, 3);
}

/* CPU time of a call on an H200, ms: under load as recorded (medians of shared nvml-traces), and on
 * an idle GPU (docs/hardware/h200.md). */
struct price {
    const char *call;
    double idle_ms, load_ms;
};
static const struct price prices[] = {{"energy", 3.17, 3.50},        {"samples", 0.17, 0.47},
                                      {"temperature", 0.001, 0.001}, {"clock", 0.001, 0.001},
                                      {"throttle", 0.001, 0.001},    {"power", 0.023, 0.008}};
enum { PRICES = sizeof prices / sizeof prices[0] };

/* Calls x their price over an hour, read whenever the source says that something is due, as its
 * lane does; the share of a core, and how often somebody was woken. */
static double share_of_calls(struct nvml_rig *rig, bool load, double *wakes_per_s)
{
    char latency[256] = "";
    uint64_t before[PRICES];
    double busy_ms = 0;
    int64_t wakes = 0;
    for (size_t i = 0; i < PRICES; i++)
        (void)snprintf(latency + strlen(latency), sizeof latency - strlen(latency), "%s%s=%g",
                       i > 0 ? "," : "", prices[i].call,
                       load ? prices[i].load_ms : prices[i].idle_ms);
    setenv("FAKE_NVML_LATENCY_MS", latency, 1);
    nvml_rig_open(rig);
    nvml_rig_read(rig, true);
    for (size_t i = 0; i < PRICES; i++)
        before[i] = nvml_rig_calls(rig, prices[i].call);
    int64_t end_ns = rig->mono_ns + 3600 * s_ns;
    while (rig->mono_ns < end_ns) {
        int64_t rest_ns = pji_source_nvml.rest_ns(rig->state);
        nvml_rig_advance(
            rig, rest_ns > pji_source_nvml.min_period_ns ? rest_ns : pji_source_nvml.min_period_ns);
        rig->n = 0; /* room for the next ones */
        nvml_rig_read(rig, false);
        wakes++;
    }
    for (size_t i = 0; i < PRICES; i++)
        busy_ms += (double)(nvml_rig_calls(rig, prices[i].call) - before[i]) *
                   (load ? prices[i].load_ms : prices[i].idle_ms);
    *wakes_per_s = (double)wakes / 3600;
    return busy_ms / 1e3 / 3600;
}

static void an_hour_of_calls_is_within_budget(void **state)
{
    struct nvml_rig *rig = *state;
    for (int load = 0; load < 2; load++) {
        double wakes_per_s = 0;
        double share = share_of_calls(rig, load == 1, &wakes_per_s);
        uint64_t anchors = nvml_rig_calls(rig, "energy");
        print_message("# %s: calls take %.4f %% of a core, %.2f wakes/s, an anchor every %.1f s\n",
                      load ? "load" : "idle", 100 * share, wakes_per_s, 3600.0 / (double)anchors);
        assert_true(share <= 0.0009); /* of 0.1 %: the rest is for waking up and writing */
        assert_true(share >= 0.0006); /* and what is allowed is used */
        assert_true(wakes_per_s <= 1.05);
        assert_in_range(anchors, 300, 1000);
        nvml_rig_teardown(rig);
        nvml_rig_setup(rig);
    }
}

static void slow_aux_values_are_asked_less_often(void **state)
{
    struct nvml_rig *rig = *state;
    setenv("FAKE_NVML_LATENCY_MS", "temperature=3", 1);
    nvml_rig_open(rig);
    uint64_t before = nvml_rig_calls(rig, "temperature");
    nvml_rig_run(rig, 300 * s_ns);
    assert_in_range(nvml_rig_calls(rig, "temperature") - before, 9, 12);
}

static void nobody_is_woken_in_vain(void **state)
{
    struct nvml_rig *rig = *state;
    nvml_rig_open(rig);
    nvml_rig_read(rig, false);
    assert_in_range(pji_source_nvml.rest_ns(rig->state), 990 * ms, s_ns);
    nvml_rig_read(rig, true); /* an edge: the counter again after 100 ms */
    assert_in_range(pji_source_nvml.rest_ns(rig->state), 90 * ms, 100 * ms);
    nvml_rig_advance(rig, 100 * ms);
    nvml_rig_read(rig, false);
    assert_in_range(pji_source_nvml.rest_ns(rig->state), 800 * ms, s_ns);
}

static void a_slow_call_is_stamped_in_its_middle(void **state)
{
    struct nvml_rig *rig = *state;
    setenv("FAKE_NVML_LATENCY_MS", "energy=20", 1);
    nvml_rig_open(rig);
    nvml_rig_read(rig, true);
    for (size_t i = 0; i < rig->n; i++)
        if (rig->readings[i].channel == nvml_rig_channel(rig, "nvml:0:energy"))
            assert_int_equal(rig->readings[i].t_ns, rig->mono_ns - 10 * ms);
}

static void every_value_type_is_honoured(void **state)
{
    struct nvml_rig *rig = *state;
    static const char *const types[] = {"0", "1", "2", "3", "4", "5"};
    (void)rig;
    for (size_t i = 0; i < 6; i++) {
        setenv("FAKE_NVML_VALUE_TYPE", types[i], 1);
        setenv("FAKE_NVML_SQUARE", "123456,123456,1000", 1);
        nvml_rig_open(rig);
        nvml_rig_read(rig, true);
        assert_int_equal(rig->readings[0].channel, nvml_rig_channel(rig, "nvml:0:power"));
        assert_in_range(rig->readings[0].value, 123455, 123456);
        nvml_rig_teardown(rig);
        nvml_rig_setup(rig);
    }
    setenv("FAKE_NVML_VALUE_TYPE", "99", 1); /* not known: no samples rather than wrong ones */
    nvml_rig_open(rig);
    assert_int_equal(row(rig, "nvml:0:energy")->companion, -1);
}

static void nothing_is_opened_while_sampling(void **state)
{
    struct nvml_rig *rig = *state;
    nvml_rig_open(rig);
    scripted_forget_counts(rig->machine);
    nvml_rig_run(rig, 5 * s_ns);
    assert_int_equal(scripted_counts(rig->machine, NULL).opens, 0);
    assert_int_equal(scripted_counts(rig->machine, NULL).reads, 0);
}

/* ---- faults ---- */

static void a_failed_call_is_a_failed_reading(void **state)
{
    struct nvml_rig *rig = *state;
    setenv("FAKE_NVML_ERRORS", "energy=999@2-5,temperature=999@2-3", 1);
    nvml_rig_open(rig);
    nvml_rig_run(rig, 10 * s_ns);
    int32_t energy = nvml_rig_channel(rig, "nvml:0:energy");
    size_t failed = nvml_rig_count(rig, energy, PJI_READ_FAILED);
    assert_in_range(failed, 2, 4);
    for (size_t i = 0; i < rig->n; i++)
        if (rig->readings[i].status == PJI_READ_FAILED)
            assert_int_equal(rig->readings[i].value, EIO);
    assert_in_range(nvml_rig_count(rig, energy, PJI_READ_OK), 6, 8);
    assert_int_equal(nvml_rig_count(rig, nvml_rig_channel(rig, "nvml:0:power"), PJI_READ_FAILED),
                     0);
}

static void a_failing_buffer_loses_nothing_within_its_depth(void **state)
{
    struct nvml_rig *rig = *state;
    setenv("FAKE_NVML_ERRORS", "samples=999@2.9-4.2", 1);
    nvml_rig_open(rig);
    nvml_rig_run(rig, 10 * s_ns);
    int32_t power = nvml_rig_channel(rig, "nvml:0:power");
    assert_int_equal(nvml_rig_count(rig, power, PJI_READ_FAILED), 1); /* said, */
    size_t ok = nvml_rig_count(rig, power, PJI_READ_OK);
    assert_in_range(ok, 120 + 450, 120 + 500); /* and made up for */
}

static void a_stalled_reader_leaves_a_marked_gap(void **state)
{
    struct nvml_rig *rig = *state;
    nvml_rig_open(rig);
    nvml_rig_run(rig, 2 * s_ns);
    size_t before = rig->n;
    nvml_rig_advance(rig, 5 * s_ns);
    nvml_rig_read(rig, false);
    assert_int_equal(rig->readings[before].status, PJI_READ_FAILED);
    assert_int_equal(rig->readings[before].value, ENODATA);
    assert_int_equal(rig->readings[before + 1].status, PJI_READ_OK);
    int64_t gap_ns = rig->readings[before + 1].t_ns - rig->readings[before].t_ns;
    assert_in_range(gap_ns, 2500 * ms, 3600 * ms);
    /* the counter bridges it: it has a reading at both sides */
    assert_int_equal(nvml_rig_count(rig, nvml_rig_channel(rig, "nvml:0:energy"), PJI_READ_FAILED),
                     0);
}

static void sentinels_are_refused(void **state)
{
    struct nvml_rig *rig = *state;
    setenv("FAKE_NVML_VALUES",
           "energy=0@1-3,energy=0xFFFFFFFF@3-5,energy=0xFFFFFFFFFFFFFFFF@5-7,samples=0@2-2.5", 1);
    nvml_rig_open(rig);
    nvml_rig_run(rig, 9 * s_ns);
    int32_t energy = nvml_rig_channel(rig, "nvml:0:energy");
    assert_in_range(nvml_rig_count(rig, energy, PJI_READ_FAILED), 5, 7);
    for (size_t i = 0; i < rig->n; i++) {
        assert_true(rig->readings[i].status == PJI_READ_OK || rig->readings[i].value == EBADMSG);
        if (rig->readings[i].channel == energy && rig->readings[i].status == PJI_READ_OK)
            assert_in_range(rig->readings[i].value, 1000000000, 3000000000);
    }
}

static void a_lost_gpu_is_gone_once(void **state)
{
    struct nvml_rig *rig = *state;
    setenv("FAKE_NVML_COUNT", "2", 1);
    setenv("FAKE_NVML_ERRORS", "samples:1=15@3", 1);
    nvml_rig_open(rig);
    nvml_rig_run(rig, 10 * s_ns);
    for (size_t i = 0; i < rig->table.n; i++) {
        bool second = strncmp(rig->table.channels[i].name, "nvml:1:", 7) == 0;
        int64_t last_ns = 0;
        assert_int_equal(nvml_rig_count(rig, (int32_t)i, PJI_READ_GONE), second);
        for (size_t k = 0; k < rig->n; k++) {
            if (rig->readings[k].channel != (int32_t)i)
                continue;
            assert_true(rig->readings[k].t_ns > last_ns);
            last_ns = rig->readings[k].t_ns;
            if (rig->readings[k].status == PJI_READ_GONE)
                assert_int_equal(rig->readings[k].value, ENODEV);
        }
        assert_true(second == (last_ns < rig->mono_ns - 4 * s_ns));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_of_a_gpu, setup, teardown),
        cmocka_unit_test_setup_teardown(part_time_sampling_is_declared, setup, teardown),
        cmocka_unit_test_setup_teardown(without_buffer_the_counter_is_preferred, setup, teardown),
        cmocka_unit_test_setup_teardown(symbols_may_be_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(an_old_driver_gives_power_only, setup, teardown),
        cmocka_unit_test_setup_teardown(a_gpu_that_tells_nothing_is_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(impossible_values_are_no_instrument, setup, teardown),
        cmocka_unit_test_setup_teardown(each_sample_comes_once, setup, teardown),
        cmocka_unit_test_setup_teardown(the_counter_is_rationed_by_its_cost, setup, teardown),
        cmocka_unit_test_setup_teardown(an_hour_of_calls_is_within_budget, setup, teardown),
        cmocka_unit_test_setup_teardown(slow_aux_values_are_asked_less_often, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_is_woken_in_vain, setup, teardown),
        cmocka_unit_test_setup_teardown(a_slow_call_is_stamped_in_its_middle, setup, teardown),
        cmocka_unit_test_setup_teardown(every_value_type_is_honoured, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_opened_while_sampling, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_call_is_a_failed_reading, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failing_buffer_loses_nothing_within_its_depth, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_stalled_reader_leaves_a_marked_gap, setup, teardown),
        cmocka_unit_test_setup_teardown(sentinels_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lost_gpu_is_gone_once, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
