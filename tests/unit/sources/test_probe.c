/* Probing: instruments on a scripted machine, and what is kept of GPUs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nvml_rig.h"
#include "rig.h"

#include "core/units.h"
#include "sources/probe.h"
#include "sources/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 50 W, a new value every 2 ms. */
static int show(void *arg, int64_t t_ns, char *text, size_t size)
{
    (void)arg;
    (void)snprintf(text, size, "%lld\n", (long long)(t_ns / 2000000 * 100000));
    return 0;
}

static void refresh_and_cost_of_a_counter(void **state)
{
    struct scripted *s = scripted_new();
    struct pji_source_env env = {.platform = scripted_platform(s)};
    struct pji_probe probe = {.n = 0};
    static const char path[] = "/sys/class/powercap/intel-rapl:0/energy_uj";

    (void)state;
    rig_zone(s, "intel-rapl:0", "package-0", 0, 262143328850);
    rig_zone(s, "intel-rapl:1", "package-1", 0, 262143328850);
    scripted_computed(s, path, show, NULL);
    scripted_latency(s, path, 200 * PJI_NS_PER_US);
    assert_int_equal(
        pji_probe_source(&probe, &pji_source_rapl_powercap, &env, 40 * PJI_NS_PER_MS, NULL), PJ_OK);
    assert_int_equal(probe.n, 2);
    assert_string_equal(probe.rows[0].channel, "rapl:package-0");
    assert_int_equal(probe.rows[0].read.calls, 200);
    assert_int_equal(probe.rows[0].read.p50_ns, 200 * PJI_NS_PER_US);
    assert_int_equal(probe.rows[0].read.p99_ns, 200 * PJI_NS_PER_US);
    assert_int_equal(probe.rows[0].refresh_ns, 2 * PJI_NS_PER_MS);
    assert_false(probe.rows[0].at_most);
    assert_int_equal(probe.rows[1].refresh_ns, 0); /* it stands still */
    assert_int_equal(probe.rows[1].changes, 0);
    /* slower to read than it refreshes: no more than a bound */
    scripted_latency(s, path, 5 * PJI_NS_PER_MS);
    assert_int_equal(
        pji_probe_source(&probe, &pji_source_rapl_powercap, &env, 100 * PJI_NS_PER_MS, NULL),
        PJ_OK);
    assert_int_equal(probe.n, 4);
    assert_true(probe.rows[2].at_most);
    assert_int_equal(probe.rows[2].refresh_ns, 5 * PJI_NS_PER_MS);
    pji_probe_fini(&probe);
    assert_int_equal(scripted_open_handles(s), 0);
    scripted_free(s);
}

static void percentiles(void **state)
{
    struct pji_call_cost cost;
    int64_t durs_ns[200];

    (void)state;
    for (int i = 0; i < 200; i++)
        durs_ns[i] = 200 - i;
    pji_call_cost_of(&cost, durs_ns, 200);
    assert_int_equal(cost.p50_ns, 101);
    assert_int_equal(cost.p99_ns, 199);
    pji_call_cost_of(&cost, durs_ns, 1);
    assert_int_equal(cost.p99_ns, 1);
    pji_call_cost_of(&cost, durs_ns, 0);
    assert_int_equal(cost.calls, 0);
    assert_int_equal(cost.p50_ns, 0);
}

static void what_is_kept_survives_json(void **state)
{
    struct pji_nvml_known known = {.key = "GPU-1|v|d",
                                   .name = "NVIDIA H200",
                                   .counter = {3000000, 20000000, 300},
                                   .usage = {23000, 40000, 400},
                                   .counter_refresh_ns = 20000000,
                                   .usage_average_ns = -1,
                                   .date = "2026-11-21T18:00:00Z"};
    struct pji_nvml_known back;
    json_t *object = pji_nvml_known_to_json(&known);

    (void)state;
    assert_int_equal(pji_nvml_known_from_json(&back, object, NULL), PJ_OK);
    assert_memory_equal(&known, &back, sizeof known);
    (void)json_object_set_new(object, "counter_refresh_ns", json_integer(INT64_MAX));
    assert_int_equal(pji_nvml_known_from_json(&back, object, NULL), PJ_EINVAL);
    (void)json_object_set_new(object, "counter_refresh_ns", json_integer(-5));
    assert_int_equal(pji_nvml_known_from_json(&back, object, NULL), PJ_EINVAL);
    (void)json_object_set_new(object, "counter_refresh_ns", json_string("fast"));
    assert_int_equal(pji_nvml_known_from_json(&back, object, NULL), PJ_OK);
    assert_int_equal(back.counter_refresh_ns, 0);
    (void)json_object_del(object, "gpu");
    assert_int_equal(pji_nvml_known_from_json(&back, object, NULL), PJ_EINVAL);
    json_decref(object);
}

static void later_sessions_use_it_for_that_gpu_alone(void **state)
{
    static const char *const keys[] = {
        "GPU-fa4e0000-0000-4000-8000-000000000000|96.00.fake|580.00.fake",
        "GPU-fa4e0000-0000-4000-8000-000000000000|96.00.fake|581.00.fake",
        "GPU-fa4e0001-0000-4000-8000-000000000001|96.00.fake|580.00.fake"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct pji_nvml_known known = {.counter_refresh_ns = 20000000, .usage_average_ns = -1};
        struct nvml_rig rig;
        const struct pji_channel *energy;

        (void)snprintf(known.key, sizeof known.key, "%s", keys[i]);
        nvml_rig_setup(&rig);
        rig.env.nvml_known = &known;
        rig.env.n_nvml_known = 1;
        nvml_rig_open(&rig);
        energy = &rig.table.channels[nvml_rig_channel(&rig, "nvml:0:energy")];
        assert_int_equal(energy->refresh_ns, i == 0 ? 20000000 : 100000000);
        nvml_rig_teardown(&rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refresh_and_cost_of_a_counter),
        cmocka_unit_test(percentiles),
        cmocka_unit_test(what_is_kept_survives_json),
        cmocka_unit_test(later_sessions_use_it_for_that_gpu_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
