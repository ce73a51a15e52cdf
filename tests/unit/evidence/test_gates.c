/* Every gate fires on its own fault and only then; the table is complete and its codes are unique.
 */
#include "evidence/gates.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct fired {
    char codes[512];
    char detail[512];
};

static pj_status on_gate(void *context, const struct pji_gate_def *gate, const char *detail,
                         struct pj_error *err)
{
    struct fired *fired = context;
    (void)err;
    strcat(fired->codes, gate->code);
    strcat(fired->codes, " ");
    snprintf(fired->detail, sizeof fired->detail, "%s", detail);
    return PJ_OK;
}

static const struct pj_energy good_energy = {
    .value_j = 100, .u_ind_j = 1, .origin = PJ_ORIGIN_COUNTER, .com_id = "rapl"};

static struct pji_gate_inputs clean(void)
{
    return (struct pji_gate_inputs){.task = "energy",
                                    .window_ns = 5000000000,
                                    .interval_ns = 100000000,
                                    .max_gap_ns = 120000000,
                                    .requests = 200,
                                    .total = &good_energy};
}

static void check(const struct pji_gate_inputs *in, const char *expected)
{
    struct fired fired = {0};
    struct pji_gate_limits limits = pji_gate_limits_default();
    assert_int_equal(pji_gates_apply(in, &limits, on_gate, &fired, NULL), PJ_OK);
    assert_string_equal(fired.codes, expected);
}

static void a_clean_trial_fires_nothing(void **state)
{
    (void)state;
    struct pji_gate_inputs in = clean();
    check(&in, "");
}

static void each_fault_fires_its_own_gate(void **state)
{
    (void)state;
    struct pji_gate_inputs in = clean();
    in.max_gap_ns = 1000000000; /* exactly the limit */
    check(&in, "");
    in.max_gap_ns = 1000000001;
    check(&in, "sample_gap ");
    in = clean();
    in.failed = 3;
    check(&in, "request_errors ");
    in.failed = 2; /* exactly the allowed share: said, but not fatal */
    check(&in, "request_lost ");
    in = clean();
    in.unsettled = "the power drifts";
    check(&in, "never_settles ");
    in = clean();
    in.cooldown_timeout = "after 600 s: still warm";
    check(&in, "cooldown_timeout ");
    in = clean();
    in.start_off = "the package was 3 degrees warmer";
    check(&in, "start_temperature ");
    in = clean();
    in.wrong_length = 1;
    check(&in, "token_mismatch ");
    in = clean();
    in.uncounted = 1;
    check(&in, "token_unknown ");
    in = clean();
    in.cache_hits = 1;
    check(&in, "prefix_cache ");
    in.cache_expected = true;
    check(&in, "");
    in = clean();
    in.gaps = 7;
    check(&in, "");
    in.shared_gaps = 1;
    check(&in, "itl_shared_reads ");
    in = clean();
    in.unsettled = "power kept moving";
    check(&in, "never_settles ");
    in = clean();
    in.phase_sum_off_share = 0.0011;
    check(&in, "phase_sum ");
    in.phase_sum_off_share = 0.0009;
    check(&in, "");
    in = clean();
    in.window_ns = 999999999;
    check(&in, "short_window ");
    in = clean();
    in.phase_sum_off_share = 0.001; /* exactly the allowed share */
    check(&in, "");
    in.phase_sum_off_share = 0.00101;
    check(&in, "phase_sum ");
    in.phase_sum_off_share = (double)NAN; /* no total: other gates say why */
    check(&in, "");
}

static struct pji_host_change quiet(void)
{
    return (struct pji_host_change){.known = true,
                                    .dur_s = 5,
                                    .steal_share = 0.01,
                                    .foreign_share = 0.05,
                                    .foreign_pid = 4711,
                                    .foreign_name = "backup"};
}

static void what_else_the_machine_did(void **state)
{
    (void)state;
    struct pji_gate_inputs in = clean();
    struct pji_host_change host = quiet();
    in.host = &host;
    check(&in, "");
    host.foreign_share = 0.051;
    check(&in, "cpu_foreign ");
    host.foreign_share = 0.251;
    check(&in, "cpu_thief ");
    host.foreign_share = (double)NAN; /* nobody can tell: nothing is claimed */
    check(&in, "");
    host.steal_share = 0.011;
    check(&in, "steal_some ");
    host.steal_share = 0.101;
    check(&in, "steal_time ");
    host.dur_s = 1;
    check(&in, "steal_time ");
    host.dur_s = 0.99; /* too short to be judged by ticks of 1/100 s */
    check(&in, "");
    host = quiet();
    host.swap_b = 4096;
    check(&in, "swap_some ");
    host.swap_b = INT64_C(10) << 20; /* exactly the limit: said, but not fatal */
    check(&in, "swap_some ");
    host.swap_b = (INT64_C(10) << 20) + 1;
    check(&in, "swapping ");
    host = quiet();
    host.throttled = 1;
    check(&in, "throttled ");
    host = quiet();
    host.freq_cap_before_khz = 3000000;
    host.freq_cap_after_khz = 2999999;
    check(&in, "limit_changed ");
    host = quiet();
    host.power_cap_after_uw = -1; /* the limits could not be read any more */
    check(&in, "limit_changed ");
    host.known = false;
    check(&in, "");
}

static struct pji_gpu_change quiet_gpu(void)
{
    return (struct pji_gpu_change){.gpu = "gpu-0",
                                   .reasons = 0x103, /* idle, set clocks, display */
                                   .capped_share = 0,
                                   .limit_before_mw = 700000,
                                   .limit_after_mw = 700000,
                                   .app_sm_before_mhz = 1980,
                                   .app_sm_after_mhz = 1980,
                                   .app_mem_before_mhz = 3201,
                                   .app_mem_after_mhz = 3201,
                                   .ours = 2};
}

static void what_happened_to_the_gpus(void **state)
{
    static const struct {
        size_t offset;
        int64_t value;
        const char *expected;
    } faults[] = {
        {offsetof(struct pji_gpu_change, reasons), PJI_GPU_HW_THERMAL, "throttled "},
        {offsetof(struct pji_gpu_change, reasons), PJI_GPU_SW_THERMAL, "throttled "},
        {offsetof(struct pji_gpu_change, reasons), PJI_GPU_HW_POWER_BRAKE, "throttled "},
        {offsetof(struct pji_gpu_change, reasons), PJI_GPU_HW_SLOWDOWN, "throttled "},
        {offsetof(struct pji_gpu_change, reasons), PJI_GPU_SW_POWER_CAP, "gpu_power_cap "},
        {offsetof(struct pji_gpu_change, thermal_ns), 5000001, "throttled "},
        {offsetof(struct pji_gpu_change, thermal_ns), 5000000, ""},
        {offsetof(struct pji_gpu_change, power_ns), 5000001, "gpu_power_cap "},
        {offsetof(struct pji_gpu_change, thermal_ns), -1, ""},
        {offsetof(struct pji_gpu_change, limit_after_mw), 699999, "limit_changed "},
        {offsetof(struct pji_gpu_change, app_sm_after_mhz), 1200, "limit_changed "},
        {offsetof(struct pji_gpu_change, app_mem_after_mhz), -1, "limit_changed "},
        {offsetof(struct pji_gpu_change, ecc_uncorrected), 1, "gpu_ecc "},
        {offsetof(struct pji_gpu_change, ecc_corrected), 1, "gpu_corrected "},
        {offsetof(struct pji_gpu_change, remapped), 1, "gpu_corrected "},
        {offsetof(struct pji_gpu_change, xid), 79, "gpu_xid "},
        {offsetof(struct pji_gpu_change, foreign_pid), 4711, "gpu_foreign "},
    };
    (void)state;
    struct pji_gpu_change gpus[2] = {quiet_gpu(), quiet_gpu()};
    struct pji_gate_inputs in = clean();
    in.gpus = gpus;
    in.n_gpus = 2;
    check(&in, "");
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        gpus[1] = quiet_gpu();
        memcpy((char *)&gpus[1] + faults[i].offset, &faults[i].value, sizeof faults[i].value);
        check(&in, faults[i].expected);
    }
    gpus[1] = quiet_gpu();
    gpus[1].nobodys = 1;
    check(&in, "gpu_owner_unknown ");
    gpus[1].nobodys = 0;
    snprintf(gpus[1].unread, sizeof gpus[1].unread, "xids (Not Supported)");
    check(&in, "gpu_unread ");
}

static struct pji_client_state quick_client(double *lag_s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        lag_s[i] = 20e-6;
    return (struct pji_client_state){
        .busiest = {.known = true, .client_share = 0.5, .server_share = 0.5},
        .stopped_share = 0.01,
        .lag_s = lag_s,
        .n_lags = n,
        .ttft_p50_s = 0.2,
        .answer_p50_s = (double)NAN,
        .gpu = {.gpu = "gpu-0", .dip_share = (double)NAN, .use = (double)NAN}};
}

static void a_client_that_is_the_bottleneck(void **state)
{
    (void)state;
    double lag_s[200];
    struct pji_client_state client = quick_client(lag_s, 200);
    struct pji_gate_inputs in = clean();
    in.client = &client;
    check(&in, "");
    client.busiest.client_share = 0.91;
    check(&in, "host_bound ");
    in.window_ns = 1000000000; /* still judged, and below that not: what is read is coarse */
    check(&in, "host_bound ");
    in.window_ns = 999999999;
    check(&in, "short_window ");
    in = clean();
    in.client = &client;
    client.busiest.known = false;
    check(&in, "");
    client = quick_client(lag_s, 200);
    client.stopped_share = 0.101;
    check(&in, "host_bound ");
    in.window_ns = 500000000;
    check(&in, "host_bound short_window ");
    in.window_ns = 499999999;
    check(&in, "short_window ");
    in = clean();
    in.client = &client;
    client.stopped_share = (double)NAN;
    check(&in, "");
    in.window_ns = 200000000; /* short: one hiccup of 40 ms is no stopped client */
    client.stopped_share = 0.29;
    check(&in, "short_window ");
    client.stopped_share = 0.31;
    check(&in, "host_bound short_window ");
    in.window_ns = 100000000;
    check(&in, "short_window ");
    client.stopped_share = 0.41;
    check(&in, "host_bound short_window ");
    in = clean();
    in.client = &client;
    in.requests = 0; /* a command has no client */
    client.stopped_share = 0.9;
    check(&in, "");
}

static void requests_that_leave_late(void **state)
{
    (void)state;
    double lag_s[200];
    struct pji_client_state client = quick_client(lag_s, 200);
    struct pji_gate_inputs in = clean();
    in.client = &client;
    for (size_t i = 0; i < 3; i++)
        lag_s[i] = 0.0021; /* above 1 % of 200 ms, but so few are chance */
    check(&in, "");
    for (size_t i = 0; i < 5; i++) /* by chance in one of twenty such trials: 5.2 % */
        lag_s[i] = 0.0021;
    check(&in, "");
    for (size_t i = 0; i < 7; i++)
        lag_s[i] = 0.0021;
    check(&in, "host_bound ");
    client.ttft_p50_s = 0.22; /* 2.2 ms are allowed */
    check(&in, "");
    client.ttft_p50_s = 0.001; /* 10 us are not told from the timer's own lateness */
    for (size_t i = 0; i < 200; i++)
        lag_s[i] = 0.0009;
    check(&in, "");
    for (size_t i = 0; i < 200; i++)
        lag_s[i] = 0.0011;
    check(&in, "host_bound ");
    client.ttft_p50_s = (double)NAN;
    check(&in, "");
    client.answer_p50_s = 0.1; /* answers that come as a whole: 1 ms of that */
    check(&in, "host_bound ");
    client.answer_p50_s = 0.2;
    check(&in, "");
    client.ttft_p50_s = 0.1; /* where there is one, it counts */
    check(&in, "host_bound ");
    client.ttft_p50_s = 0.2;
    client.n_lags = 0;
    check(&in, "");
}

static void a_server_that_starves_its_gpu(void **state)
{
    (void)state;
    double lag_s[200];
    struct pji_client_state client = quick_client(lag_s, 200);
    struct pji_gate_inputs in = clean();
    in.client = &client;
    client.busiest.server_share = 1; /* inference on the processors: no GPU, no fault */
    check(&in, "");
    client.gpu.use = 0.99; /* decoding that is bound by memory: flat and in use */
    client.gpu.dip_share = 0.02;
    check(&in, "");
    client.gpu.dip_share = 0.11;
    check(&in, "host_bound ");
    client.gpu.dip_share = 0;
    client.gpu.use = 0.79;
    check(&in, "host_bound ");
    client.busiest.server_share = 0.89; /* it idles, but not for want of a processor */
    check(&in, "");
    client = quick_client(lag_s, 200);
    client.shared_cores = true;
    check(&in, "shared_cores ");
}

static void energies_fire_by_what_they_are(void **state)
{
    (void)state;
    struct pji_gate_inputs in = clean();
    struct pj_energy energy = good_energy;
    in.total = &energy;
    energy.origin = PJ_ORIGIN_MODELLED;
    check(&in, "energy_modelled ");
    energy = good_energy;
    energy.quality = PJ_QUALITY_AMBIGUOUS;
    check(&in, "counter_ambiguous ");
    energy.quality = PJ_QUALITY_PARTIAL;
    check(&in, "energy_partial ");
    energy = good_energy;
    in.lost = "nvml:0:power";
    in.lost_reason = "gone";
    check(&in, "instrument_lost ");
    energy = (struct pj_energy){.origin = PJ_ORIGIN_MISSING, .reason = "no instrument"};
    check(&in, "energy_missing ");
    in.remote_reason = "not measured here";
    check(&in, "energy_remote ");
}

static void details_give_the_figures(void **state)
{
    (void)state;
    struct fired fired = {0};
    struct pji_gate_limits limits = pji_gate_limits_default();
    struct pji_gate_inputs in = clean();
    in.max_gap_ns = 2500000000;
    assert_int_equal(pji_gates_apply(&in, &limits, on_gate, &fired, NULL), PJ_OK);
    assert_non_null(strstr(fired.detail, "2.50 s"));
    assert_non_null(strstr(fired.detail, "1.00 s"));
}

static void a_slow_meter_has_a_wider_gap_limit(void **state)
{
    (void)state;
    struct pji_gate_inputs in = clean();
    in.interval_ns = 1000000000;
    in.window_ns = 60000000000;
    in.max_gap_ns = 9000000000;
    check(&in, "");
    in.max_gap_ns = 10000000001;
    check(&in, "sample_gap ");
}

static void the_table_is_complete(void **state)
{
    (void)state;
    for (size_t i = 0; pji_gate_at(i) != NULL; i++) {
        assert_non_null(pji_gate_at(i)->code);
        assert_true(strlen(pji_gate_at(i)->meaning) > 10);
        assert_ptr_equal(pji_gate_find(pji_gate_at(i)->code), pji_gate_at(i));
    }
    assert_null(pji_gate_find("no_such_gate"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clean_trial_fires_nothing),
        cmocka_unit_test(each_fault_fires_its_own_gate),
        cmocka_unit_test(what_else_the_machine_did),
        cmocka_unit_test(what_happened_to_the_gpus),
        cmocka_unit_test(a_client_that_is_the_bottleneck),
        cmocka_unit_test(requests_that_leave_late),
        cmocka_unit_test(a_server_that_starves_its_gpu),
        cmocka_unit_test(energies_fire_by_what_they_are),
        cmocka_unit_test(details_give_the_figures),
        cmocka_unit_test(a_slow_meter_has_a_wider_gap_limit),
        cmocka_unit_test(the_table_is_complete),
    };
    return cmocka_run_group_tests_name("gates", tests, NULL, NULL);
}
