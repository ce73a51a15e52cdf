/* False alarms and misses of the gates, counted: 200 simulated trials on a scripted machine with
 * the noise of a good one (foreign programs, nice ones and interrupts too, a little steal time,
 * preempted sends, gaps between batches, memory errors of long ago and corrected ones, clocks that
 * somebody set), and then each fault put into 20 of them. What the gates get is
 * what the product computes from /proc, from looks and from a trace; nothing is handed to them.
 *
 * The noise is stated here, not fitted to anything: it says what the thresholds stand, not how
 * often a machine disturbs. docs/gates.md lists the rows.
 */
#include "core/prng.h"
#include "evidence/gates.h"
#include "scripted_platform.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MS    INT64_C(1000000)
#define S     INT64_C(1000000000)
#define OWN   100
#define FIRST "pid:[4026531836]"

enum { CLEAN = 200, EACH = 20, CPUS = 16, LAGS = 400, OUTSIDE = 100, INSIDE = 500 };

static const int64_t start_ns = OUTSIDE * 20 * MS, end_ns = (OUTSIDE + INSIDE) * 20 * MS;

struct fault {
    const char *name;
    const char *code; /* of the gate that must fire */
};

static const struct fault faults[] = {
    {"no instrument", "energy_missing"},
    {"one instrument gone", "instrument_lost"},
    {"meter paused", "sample_gap"},
    {"counter wrapped twice", "counter_ambiguous"},
    {"requests failed", "request_errors"},
    {"never steady", "never_settles"},
    {"other length", "token_mismatch"},
    {"prompt cache", "prefix_cache"},
    {"client busy", "host_bound"},
    {"client stopped", "host_bound"},
    {"sends late", "host_bound"},
    {"server busy, GPU stalls", "host_bound"},
    {"server busy, GPU unused", "host_bound"},
    {"thief", "cpu_thief"},
    {"steal", "steal_time"},
    {"swap", "swapping"},
    {"processor hot", "throttled"},
    {"GPU hot at the end", "throttled"},
    {"GPU hot inside", "throttled"},
    {"GPU hot for 50 ms", "throttled"},
    {"governor", "limit_changed"},
    {"RAPL limit", "limit_changed"},
    {"GPU limit", "limit_changed"},
    {"GPU clocks", "limit_changed"},
    {"stranger on the GPU", "gpu_foreign"},
    {"stranger leaves the GPU", "gpu_foreign"},
    {"ECC", "gpu_ecc"},
    {"Xid", "gpu_xid"},
    {"GPU hot at the beginning", "throttled"},
    {"nice thief", "cpu_thief"},
    {"interrupts of others", "cpu_thief"},
    /* flags and notes that what is seen of the machine leads to */
    {"some thief", "cpu_foreign"},
    {"some steal", "steal_some"},
    {"some swap", "swap_some"},
    {"GPU power limit", "gpu_power_cap"},
    {"corrected errors", "gpu_corrected"},
    {"rows replaced", "gpu_corrected"},
    {"nobody's process", "gpu_owner_unknown"},
    {"GPU tells little", "gpu_unread"},
};

enum { N_FAULTS = sizeof faults / sizeof faults[0] };

struct world {
    struct scripted *s;
    struct pji_prng prng;
    const char *fault; /* NULL: none */
    struct pji_host_state host[2];
    struct pji_threads threads[2];
    struct pji_gpu_looks looks[2];
    struct pji_series series[2];
    struct pji_channel channels[2];
    double lag_s[LAGS];
    size_t n;
    int old_errors; /* of the GPU's memory, from before the study */
};

static bool is(const struct world *w, const char *name)
{
    return w->fault != NULL && strcmp(w->fault, name) == 0;
}

static double uniform(struct world *w, double low, double high)
{
    return low + (high - low) * pji_prng_unit(&w->prng);
}

static bool chance(struct world *w, double p)
{
    return pji_prng_unit(&w->prng) < p;
}

/* ---- the machine, before (0) and after (1) ---- */

static void process(struct scripted *s, int pid, const char *name, int parent, long ticks)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    scripted_filef(s, path, "%d (%s) S %d 1 1 0 -1 4194304 10 20 0 0 %ld 0 0 0 20 0 1 0 9 1 2\n",
                   pid, name, parent, ticks);
}

static void thread(struct scripted *s, int pid, double share, int when)
{
    char path[96];
    snprintf(path, sizeof path, "/proc/%d/task/%d/schedstat", pid, pid);
    scripted_filef(s, path, "%lld 0 1\n", (long long)(when * share * 1e9 * (INSIDE / 50)));
}

static void put_machine(struct world *w, int when)
{
    double all = (double)(INSIDE / 50) * (double)sysconf(_SC_CLK_TCK) * CPUS;
    double ours = all * uniform(w, 0.1, 0.6);
    double foreign = all * 0.01 * exp(0.6 * pji_prng_normal(&w->prng));
    double steal = all * 0.002 * pji_prng_exponential(&w->prng);
    double share[3] = {1, 0, 0}; /* of foreign time: user, nice, interrupts */
    struct scripted *s = w->s;
    if (is(w, "thief"))
        foreign = all * uniform(w, 0.26, 0.4);
    if (is(w, "steal"))
        steal = all * uniform(w, 0.11, 0.4);
    if (is(w, "some thief"))
        foreign = all * uniform(w, 0.06, 0.24);
    if (is(w, "some steal"))
        steal = all * uniform(w, 0.011, 0.099);
    if (chance(w, 0.3) || is(w, "nice thief")) {
        share[0] = 0;
        share[1] = 1;
    }
    if (is(w, "interrupts of others")) {
        share[0] = 0;
        share[2] = 1;
    }
    if (is(w, "nice thief") || is(w, "interrupts of others"))
        foreign = all * uniform(w, 0.26, 0.39);
    struct pji_str cpus = {0};
    for (int i = 0; i < CPUS; i++)
        pji_str_addf(&cpus, "cpu%d 0 0 0 0 0 0 0 0 0 0\n", i);
    scripted_filef(s, "/proc/stat", "cpu  %ld %ld 0 9 0 %ld %ld %ld 0 0\n%s",
                   1000 + (long)(when * (ours + share[0] * foreign)),
                   3 + (long)(when * share[1] * foreign), 4 + (long)(when * share[2] * foreign / 2),
                   5 + (long)(when * share[2] * foreign / 2), 50 + (long)(when * steal),
                   pji_str_text(&cpus));
    pji_str_fini(&cpus);
    process(s, OWN, "perjoule-lab", 1, 10);
    process(s, 102, "server", OWN, 20 + (long)(when * ours));
    process(s, 200, "stranger", 1, (long)(when * foreign));
    thread(s, OWN, is(w, "client busy") ? 0.97 : uniform(w, 0.02, 0.6), when);
    bool busy = w->fault != NULL && strncmp(w->fault, "server busy", 11) == 0;
    thread(s, 102, busy ? 0.99 : uniform(w, 0.2, 1), when);
    scripted_link(s, "/proc/self/ns/pid", FIRST); /* a pid that is not there is nobody's */
    long pages = chance(w, 0.05) ? 20 : 0;
    scripted_filef(s, "/proc/vmstat", "pswpin 5\npswpout %ld\n",
                   7 + when * (is(w, "swap")        ? 5000
                               : is(w, "some swap") ? 30
                                                    : pages));
    scripted_filef(s, "/sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "%d\n",
                   3 + (is(w, "processor hot") ? when : 0));
    scripted_filef(s, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq", "%d\n",
                   is(w, "governor") && when ? 2000000 : 3500000);
    scripted_filef(s, "/sys/class/powercap/intel-rapl:0/constraint_0_power_limit_uw", "%d\n",
                   is(w, "RAPL limit") && when ? 100000000 : 250000000);
}

static void put_uses(struct world *w, struct pji_str *text)
{
    double level = is(w, "server busy, GPU unused") ? uniform(w, 20, 70) : uniform(w, 92, 100);
    for (int i = 0; i < 60; i++) {
        double use = fmax(fmin(level + 3 * pji_prng_normal(&w->prng), 100), 0);
        pji_str_addf(text, "%s[%lld, %d]", i > 0 ? "," : "", (long long)(end_ns - (59 - i) * S / 6),
                     (int)use);
    }
}

static void look(struct world *w, int when)
{
    struct pji_str text = {0};
    bool stranger =
        (is(w, "stranger on the GPU") && when) || (is(w, "stranger leaves the GPU") && !when);
    long long thermal_ns = is(w, "GPU hot for 50 ms") ? 50 * MS * when : 0;
    pji_str_addf(
        &text,
        "{\"seen\": [{\"gpus\": [{\"gpu\": \"gpu-0\", \"reasons\": %d, "
        "\"thermal_ns\": %lld, \"power_ns\": %lld, \"limit_mw\": %d, "
        "\"app_sm_mhz\": %d, \"app_mem_mhz\": 3201, \"ecc_uncorrected\": %d, "
        "\"ecc_corrected\": %d, \"remapped\": %d, \"processes\": [102%s%s], "
        "\"xids\": [%s], \"unread\": {%s}, \"use\": [",
        is(w, "GPU hot at the end") && when          ? 0x48
        : is(w, "GPU hot at the beginning") && !when ? 0x48
        : chance(w, 0.5)                             ? 1 /* idle */
        : chance(w, 0.2)                             ? 2 /* clocks that somebody set */
                                                     : 4,
        7 * S + thermal_ns,
        !is(w, "GPU power limit") ? 3 * S : 3 * S + (long long)(when * uniform(w, 2e7, 5e9)),
        is(w, "GPU limit") && when ? 400000 : 700000, is(w, "GPU clocks") && when ? 1200 : 1980,
        w->old_errors + (is(w, "ECC") ? when : 0),
        w->old_errors + (when && (is(w, "corrected errors") || chance(w, 0.02)) ? 1 : 0),
        w->old_errors + (is(w, "rows replaced") ? when : 0), stranger ? ", 200" : "",
        is(w, "nobody's process") ? ", 4711" : "", is(w, "Xid") && when ? "31" : "",
        is(w, "GPU tells little") ? "\"xids\": \"Not Supported\"" : "");
    put_uses(w, &text);
    pji_str_add(&text, "]}]}]}");
    json_t *event = pji_json_parse(pji_str_text(&text), text.len, "look", NULL);
    assert_non_null(event);
    pji_gpu_looks_parse(&w->looks[when], event);
    json_decref(event);
    pji_str_fini(&text);
}

/* ---- the trace ---- */

static void add(struct pji_series *series, int64_t t_ns, int64_t value)
{
    struct pji_reading r = {.t_ns = t_ns, .value = value};
    assert_int_equal(pji_series_add(series, &r, NULL), PJ_OK);
}

static void put_trace(struct world *w)
{
    const char *const names[] = {"nvml:0:power", "nvml:0:throttle"};
    for (int c = 0; c < 2; c++) {
        w->channels[c] = (struct pji_channel){.domain = "gpu-0",
                                              .kind = PJI_GAUGE,
                                              .role = c == 0 ? PJI_ROLE_POWER : PJI_ROLE_AUX,
                                              .refresh_ns = 20 * MS,
                                              .companion = -1};
        snprintf(w->channels[c].name, sizeof w->channels[c].name, "%s", names[c]);
        assert_int_equal(pji_series_init(&w->series[c], &w->channels[c], true, NULL), PJ_OK);
    }
    double decode_w = uniform(w, 250, 450), prefill_w = uniform(w, 450, 690);
    for (int i = 0; i <= OUTSIDE + INSIDE; i++) {
        double power_w = i % 50 < 8 ? prefill_w : decode_w;
        if (i < OUTSIDE || chance(w, 0.02)) /* between two batches */
            power_w = 82;
        if (i >= OUTSIDE && is(w, "server busy, GPU stalls") && i % 10 < 3)
            power_w = 95;
        power_w *= 1 + 0.04 * pji_prng_normal(&w->prng);
        add(&w->series[0], i * 20 * MS + 1, (int64_t)(power_w * 1000));
        if (i % 50 == 0) {
            bool counter_alone = is(w, "GPU power limit"); /* it was over at every sample */
            int64_t bits = chance(w, 0.3) && !counter_alone ? PJI_GPU_SW_POWER_CAP : 0;
            add(&w->series[1], i * 20 * MS + 1,
                i == OUTSIDE + 250 && is(w, "GPU hot inside") ? PJI_GPU_SW_THERMAL : bits);
        }
    }
}

/* ---- one trial ---- */

static void put_lags(struct world *w)
{
    w->n = 20 + (size_t)pji_prng_below(&w->prng, LAGS - 20);
    for (size_t i = 0; i < w->n; i++) {
        w->lag_s[i] = 20e-6 * exp(0.6 * pji_prng_normal(&w->prng));
        if (chance(w, 0.003)) /* somebody else had the processor */
            w->lag_s[i] += 2e-3 * pji_prng_exponential(&w->prng);
        if (is(w, "sends late") && i % 10 == 0)
            w->lag_s[i] += 0.05;
    }
}

struct fired {
    char invalid[200], others[400];
};

static pj_status on_gate(void *context, const struct pji_gate_def *gate, const char *detail,
                         struct pj_error *err)
{
    struct fired *fired = context;
    bool invalid = gate->consequence == PJI_GATE_INVALID;
    char *codes = invalid ? fired->invalid : fired->others;
    size_t len = strlen(codes), size = invalid ? sizeof fired->invalid : sizeof fired->others;
    (void)err;
    assert_true(detail[0] != '\0');
    snprintf(codes + len, size - len, "%s ", gate->code);
    return PJ_OK;
}

static void judge(struct world *w, struct fired *fired)
{
    struct pji_gate_limits limits = pji_gate_limits_default();
    struct pji_gpu_change gpus[PJI_GPUS];
    struct pji_host_change host;
    struct pj_energy total = {.value_j = 4000, .origin = PJ_ORIGIN_INTEGRATED};
    struct pji_trace trace = {.series = w->series,
                              .header = {.channels = w->channels, .n_channels = 2}};
    struct pji_stretch waits = {start_ns, end_ns};
    struct pji_client_state client = {.stopped_share = 0.005 * pji_prng_exponential(&w->prng),
                                      .lag_s = w->lag_s,
                                      .n_lags = w->n,
                                      .ttft_p50_s = 0.15 * exp(pji_prng_normal(&w->prng))};
    struct pji_gate_inputs in = {.task = "t",
                                 .window_ns = end_ns - start_ns,
                                 .interval_ns = 100 * MS,
                                 .requests = w->n,
                                 .failed = chance(w, 0.02) && w->n >= 100 ? 1 : 0,
                                 .host = &host,
                                 .gpus = gpus,
                                 .client = &client,
                                 .total = &total};
    in.max_gap_ns = 100 * MS + (int64_t)(5e7 * pji_prng_exponential(&w->prng));
    pji_host_compare(&w->host[0], &w->host[1], OWN, &host);
    pji_threads_compare(&w->threads[0], &w->threads[1], OWN, scripted_platform(w->s),
                        &client.busiest);
    in.n_gpus = pji_gpu_compare(&w->looks[0], &w->host[0], &w->looks[1], &w->host[1], OWN, gpus);
    assert_int_equal(in.n_gpus, 1);
    pji_gpu_sampled(&gpus[0], &trace, start_ns, end_ns);
    assert_int_equal(
        pji_gpu_idle_find(&client.gpu, &trace, gpus, 1, &waits, 1, start_ns, end_ns, NULL), PJ_OK);
    if (is(w, "no instrument"))
        pji_energy_missing(&total, "nothing was read");
    in.lost = is(w, "one instrument gone") ? "nvml:0:power" : NULL;
    in.lost_reason = "the instrument ended before the window (ENODEV)";
    if (is(w, "counter wrapped twice"))
        total.quality = PJ_QUALITY_AMBIGUOUS;
    if (is(w, "meter paused"))
        in.max_gap_ns = (int64_t)(uniform(w, 1.01, 9) * 1e9);
    if (is(w, "requests failed"))
        in.failed = w->n / 50 + 1;
    if (is(w, "never steady"))
        in.unsettled = "power kept moving";
    in.wrong_length = is(w, "other length") ? 1 + pji_prng_below(&w->prng, w->n / 2) : 0;
    in.cache_hits = is(w, "prompt cache") ? 1 + pji_prng_below(&w->prng, w->n / 2) : 0;
    if (is(w, "client stopped"))
        client.stopped_share = uniform(w, 0.11, 0.95);
    assert_int_equal(pji_gates_apply(&in, &limits, on_gate, fired, NULL), PJ_OK);
}

static void trial(uint64_t seed, const char *fault, struct fired *fired)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    *fired = (struct fired){0};
    w->fault = fault;
    w->s = scripted_new();
    pji_prng_init(&w->prng, seed, "gates");
    w->old_errors = chance(w, 0.3) ? 1 + (int)pji_prng_below(&w->prng, 9) : 0;
    for (int when = 0; when < 2; when++) {
        put_machine(w, when);
        look(w, when);
        assert_int_equal(pji_host_read(&w->host[when], scripted_platform(w->s), NULL), PJ_OK);
        assert_int_equal(
            pji_threads_read(&w->threads[when], scripted_platform(w->s), &w->host[when], OWN, NULL),
            PJ_OK);
        scripted_advance_ns(w->s, end_ns - start_ns);
    }
    put_trace(w);
    put_lags(w);
    judge(w, fired);
    for (int i = 0; i < 2; i++) {
        pji_host_fini(&w->host[i]);
        pji_threads_fini(&w->threads[i]);
        pji_series_fini(&w->series[i]);
    }
    scripted_free(w->s);
    free(w);
}

static void two_hundred_clean_trials(void **state)
{
    int alarms = 0;
    struct fired fired;
    (void)state;
    for (uint64_t i = 0; i < CLEAN; i++) {
        trial(i + 1, NULL, &fired);
        alarms += fired.invalid[0] != '\0' ? 1 : 0;
        if (fired.invalid[0] != '\0')
            print_message("# clean trial %d: %s\n", (int)i, fired.invalid);
    }
    print_message("# %d of %d clean trials raised an alarm\n", alarms, CLEAN);
    assert_true(alarms * 100 < CLEAN); /* < 1 % */
}

static void every_fault_is_caught(void **state)
{
    struct fired fired;
    (void)state;
    for (int f = 0; f < N_FAULTS; f++) {
        int caught = 0;
        for (uint64_t i = 0; i < EACH; i++) {
            trial(1000 + i, faults[f].name, &fired);
            bool invalid = pji_gate_find(faults[f].code)->consequence == PJI_GATE_INVALID;
            /* what flags makes nothing invalid */
            caught += invalid ? strstr(fired.invalid, faults[f].code) != NULL
                              : strstr(fired.others, faults[f].code) != NULL && !fired.invalid[0];
        }
        if (caught != EACH)
            print_message("# %s: %d of %d, last: %s\n", faults[f].name, caught, EACH,
                          fired.invalid);
        assert_int_equal(caught, EACH);
    }
}

static void every_gate_that_invalidates_has_a_fault(void **state)
{
    (void)state;
    for (size_t i = 0; pji_gate_at(i) != NULL; i++) {
        bool has =
            pji_gate_at(i)->consequence != PJI_GATE_INVALID ||
            strcmp(pji_gate_at(i)->code, "net_negative") == 0; /* tests/unit/lab/test_net.c */
        for (int f = 0; f < N_FAULTS; f++)
            has = has || strcmp(faults[f].code, pji_gate_at(i)->code) == 0;
        if (!has)
            fail_msg("no fault for %s", pji_gate_at(i)->code);
    }
}

/* docs/gates.md has a row for each gate, with its consequence, and no other. */
static void the_manual_lists_the_table(void **state)
{
    char path[512], line[2048], code[64], consequence[16];
    const char *root = getenv("PERJOULE_SOURCE_ROOT");
    size_t rows = 0, gates = 0;
    (void)state;
    snprintf(path, sizeof path, "%s/docs/gates.md", root != NULL ? root : ".");
    FILE *file = fopen(path, "re");
    if (file == NULL)
        skip();
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "| `%63[a-z_]` | %15[a-z] |", code, consequence) != 2)
            continue;
        const struct pji_gate_def *gate = pji_gate_find(code);
        if (gate == NULL)
            fail_msg("%s is in docs/gates.md only", code);
        else
            assert_string_equal(pji_gate_consequence_name(gate->consequence), consequence);
        rows++;
    }
    fclose(file);
    while (pji_gate_at(gates) != NULL)
        gates++;
    assert_int_equal(rows, gates);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_hundred_clean_trials),
        cmocka_unit_test(every_fault_is_caught),
        cmocka_unit_test(every_gate_that_invalidates_has_a_fault),
        cmocka_unit_test(the_manual_lists_the_table),
    };
    return cmocka_run_group_tests_name("alarms", tests, NULL, NULL);
}
