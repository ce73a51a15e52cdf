/* Two phases of the same length, idle and with a busy thread on each CPU that we may use, each
 * after a time to settle; the energy of the packages by their counters, the utilisation from
 * /proc/stat. The work is a mix of floating point, integers and the first-level cache: neither the
 * least nor the most that a processor can draw, which the model's band allows for
 * (docs/cpu-model.md).
 */
#include "cli/calibrate.h"

#include "cli/cache.h"
#include "cli/instruments.h"
#include "core/array.h"
#include "core/num.h"
#include "core/units.h"
#include "platform/signals.h"
#include "sources/cpu_calibration.h"
#include "sources/cpu_stat.h"
#include "sources/table.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_CPUS = 4096 };

static const struct pji_source_ops *const counters[] = {&pji_source_rapl_perf,
                                                        &pji_source_rapl_powercap, NULL};
static const double most_idle = 0.2, least_full = 0.8; /* utilisations that count as such */

struct calibrator {
    const struct pji_args *args;
    struct pji_instruments instruments;
    struct pji_signals signals;
    const struct pji_channel_table *table;
    bool *in_total;
    struct pji_series *series;
    size_t n_series;
    double dur_s;
    bool stopped;
};

/* ---- the load ---- */

struct load {
    pthread_t threads[MOST_CPUS];
    size_t n;
    atomic_bool end;
};

static void *spin(void *arg)
{
    struct load *load = arg;
    double x[64], sum = 0;
    uint64_t bits = 1;

    for (size_t i = 0; i < 64; i++)
        x[i] = 1.0 + (double)i / 64;
    while (!atomic_load_explicit(&load->end, memory_order_relaxed)) {
        for (int round = 0; round < 200; round++) {
            for (size_t i = 0; i < 64; i++) {
                x[i] = x[i] * 1.0000001 + 0.5 / (1 + (double)(bits & 7));
                bits = bits * UINT64_C(6364136223846793005) + (uint64_t)i;
            }
        }
        for (size_t i = 0; i < 64; i++) {
            sum += x[i];
            x[i] = 1.0 + (double)i / 64;
        }
    }
    /* the result is used, so that the work is done */
    return sum > 0 ? arg : NULL;
}

static void end_load(struct load *load)
{
    atomic_store(&load->end, true);
    for (size_t i = 0; i < load->n; i++)
        (void)pthread_join(load->threads[i], NULL);
    load->n = 0;
}

static pj_status start_load(struct load *load, struct pj_error *err)
{
    cpu_set_t *set = CPU_ALLOC(MOST_CPUS);
    size_t size = CPU_ALLOC_SIZE(MOST_CPUS);
    pj_status status = PJ_OK;

    if (!set)
        return pji_fail(err, PJ_ENOMEM, "out of memory");
    if (sched_getaffinity(0, size, set))
        status = pji_fail_errno(err, errno, "cannot tell which CPUs there are");
    for (int cpu = 0; cpu < MOST_CPUS && !status; cpu++) {
        cpu_set_t *one;
        int failed;

        if (!CPU_ISSET_S((size_t)cpu, size, set))
            continue;
        failed = pthread_create(&load->threads[load->n], NULL, spin, load);
        if (failed) {
            status = pji_fail_errno(err, failed, "cannot start a thread for each CPU");
            break;
        }
        one = CPU_ALLOC(MOST_CPUS);
        if (one) { /* else the scheduler spreads them */
            CPU_ZERO_S(size, one);
            CPU_SET_S((size_t)cpu, size, one);
            (void)pthread_setaffinity_np(load->threads[load->n], size, one);
            CPU_FREE(one);
        }
        load->n++;
    }
    CPU_FREE(set);
    if (status)
        end_load(load);
    return status;
}

/* ---- measuring ---- */

static bool read_stat(const struct calibrator *c, struct pji_cpu_stat *stat)
{
    const struct pji_platform *platform = &c->instruments.platform;
    char text[512];
    int handle = platform->ops->open(platform->context, "/proc/stat");
    ssize_t got;

    if (handle < 0)
        return false;
    got = platform->ops->pread(platform->context, handle, text, sizeof text, 0);
    platform->ops->close(platform->context, handle);
    return got > 0 && pji_cpu_stat_parse(text, (size_t)got, stat) == 0;
}

static pj_status feed(struct calibrator *c, bool edge, struct pj_error *err)
{
    const struct pji_reading *readings;
    size_t n;
    pj_status status =
        (edge ? pji_meter_read : pji_meter_sample)(c->instruments.meter, &readings, &n, err);

    for (size_t i = 0; i < n && !status; i++)
        status = pji_series_add(&c->series[readings[i].channel], &readings[i], err);
    return status;
}

static void take_signal(struct calibrator *c)
{
    struct pji_signal got;

    c->stopped = pji_signals_read(&c->signals, &got, NULL) == PJ_OK || c->stopped;
}

/* Lets dur_s pass, reading the counters when asked to (they may wrap); a signal ends it. */
static pj_status pass(struct calibrator *c, double dur_s, bool reading, struct pj_error *err)
{
    int64_t end_ns = pji_now_ns(&c->instruments.platform) + (int64_t)(dur_s * PJI_NS_PER_S);
    pj_status status = PJ_OK;

    while (!status && !c->stopped) {
        int64_t left_ns = end_ns - pji_now_ns(&c->instruments.platform);
        int64_t wait_ms = left_ns / PJI_NS_PER_MS + 1;
        struct pollfd fd = {.fd = c->signals.fd, .events = POLLIN};

        if (left_ns <= 0)
            break;
        if (poll(&fd, 1, wait_ms < 100 ? (int)wait_ms : 100) > 0)
            take_signal(c);
        if (reading && !c->stopped)
            status = feed(c, false, err);
    }
    return status;
}

static void close_series(struct calibrator *c)
{
    for (size_t i = 0; i < c->n_series; i++)
        pji_series_fini(&c->series[i]);
    c->n_series = 0;
}

static pj_status open_series(struct calibrator *c, struct pj_error *err)
{
    pj_status status = PJ_OK;

    for (; c->n_series < c->table->n && !status; c->n_series++)
        status =
            pji_series_init(&c->series[c->n_series], &c->table->channels[c->n_series], false, err);
    c->n_series -= status != PJ_OK;
    return status;
}

/* All packages together, over the time between their first and their last reading. */
static pj_status add_up(const struct calibrator *c, double *power_w, double *gain_rel,
                        struct pj_error *err)
{
    struct pj_energy sum = {0};
    double dur_s = 0;

    for (size_t i = 0; i < c->n_series; i++) {
        const struct pji_series *s = &c->series[i];
        struct pj_energy part;

        if (!c->in_total[i] || s->channel.domain_kind != PJI_DOMAIN_PACKAGE)
            continue;
        pji_series_total(s, NULL, &part);
        pji_energy_add(&sum, &part);
        dur_s = pji_s_from_ns(s->last_t_ns - s->first_t_ns);
    }
    if (sum.origin == PJ_ORIGIN_MISSING || (sum.quality & PJ_QUALITY_PARTIAL) || !(dur_s > 0))
        return pji_fail(err, PJ_EIO, "the counters gave no energy: %s",
                        sum.reason[0] ? sum.reason : "no reading");
    *power_w = sum.value_j / dur_s;
    *gain_rel = sum.value_j > 0 ? sum.u_com_j / sum.value_j : 0;
    return PJ_OK;
}

struct phase {
    double power_w, gain_rel;
    double load; /* NaN: /proc/stat did not move */
};

static pj_status measure(struct calibrator *c, struct phase *out, struct pj_error *err)
{
    struct pji_cpu_stat before = {0}, after = {0};
    bool known;
    pj_status status = pass(c, fmin(2, c->dur_s / 5), false, err); /* clocks and fans settle */

    if (!status)
        status = open_series(c, err);
    known = read_stat(c, &before);
    if (!status)
        status = feed(c, true, err);
    if (!status)
        status = pass(c, c->dur_s, true, err);
    if (!status)
        status = feed(c, true, err);
    known = read_stat(c, &after) && known && after.total > before.total;
    out->load = known ? (double)(after.busy - before.busy) / (double)(after.total - before.total)
                      : (double)NAN;
    if (!status && !c->stopped)
        status = add_up(c, &out->power_w, &out->gain_rel, err);
    close_series(c);
    return status;
}

/* ---- the whole ---- */

/* Below a root folder the load is this machine's, and the utilisation may stand still: then the
 * tree is taken at its word. */
static pj_status check_loads(const struct calibrator *c, struct phase *idle, struct phase *full,
                             struct pj_error *err)
{
    if (c->instruments.platform.rooted && isnan(idle->load) && isnan(full->load)) {
        idle->load = 0;
        full->load = 1;
    }
    if (isnan(idle->load) || isnan(full->load))
        return pji_fail(err, PJ_EUNSUPPORTED, "/proc/stat does not tell the utilisation");
    if (idle->load > most_idle)
        return pji_fail(err, PJ_EUNSUPPORTED,
                        "the machine was %.0f %% busy when it should have been idle: try again "
                        "when it is quiet",
                        100 * idle->load);
    if (full->load < least_full)
        return pji_fail(err, PJ_EUNSUPPORTED,
                        "only %.0f %% of the CPUs could be loaded: a container or a cgroup limits "
                        "them",
                        100 * full->load);
    return PJ_OK;
}

static pj_status find_counters(struct calibrator *c, struct pj_error *err)
{
    c->table = pji_meter_channels(c->instruments.meter);
    c->in_total = pji_zalloc(c->table->n + 1, sizeof *c->in_total, err);
    c->series = pji_zalloc(c->table->n + 1, sizeof *c->series, err);
    if (!c->in_total || !c->series)
        return PJ_ENOMEM;
    pji_ledger_cover(c->table->channels, c->table->n, true, c->in_total);
    for (size_t i = 0; i < c->table->n; i++) {
        if (c->in_total[i] && c->table->channels[i].domain_kind == PJI_DOMAIN_PACKAGE)
            return PJ_OK;
    }
    return pji_fail(err, PJ_ENOTFOUND,
                    "no energy counter of the processor can be read here, and there is nothing to "
                    "calibrate by; `perjoule doctor` says why");
}

static const char *source_of(const struct calibrator *c)
{
    for (size_t i = 0; i < c->table->n; i++) {
        if (c->in_total[i] && c->table->channels[i].domain_kind == PJI_DOMAIN_PACKAGE)
            return c->table->channels[i].source;
    }
    return "";
}

static pj_status both_phases(struct calibrator *c, struct phase *idle, struct phase *full,
                             struct pj_error *err)
{
    struct load *load = pji_zalloc(1, sizeof *load, err);
    pj_status status = load ? measure(c, idle, err) : PJ_ENOMEM;

    if (!status && !c->stopped) {
        status = start_load(load, err);
        if (!status)
            status = measure(c, full, err);
        end_load(load);
    }
    free(load);
    if (!status && c->stopped)
        status = pji_fail(err, PJ_ECANCELED, "stopped; nothing was stored");
    return status;
}

static pj_status calibrate(struct calibrator *c, struct pji_cpu_calibration *out,
                           struct pj_error *err)
{
    struct phase idle = {0}, full = {0};
    struct pji_cpu_info cpu;
    time_t now = time(NULL);
    struct tm utc;
    pj_status status = both_phases(c, &idle, &full, err);

    if (!status)
        status = check_loads(c, &idle, &full, err);
    pji_cpu_info_read(&c->instruments.platform, &cpu);
    if (!status)
        status = pji_cpu_calibrate(out, idle.power_w, idle.load, full.power_w, full.load, cpu.cores,
                                   err);
    if (status)
        return status;
    pji_cpu_key(&cpu, c->instruments.platform.rooted, out->key);
    out->gain_rel = fmax(idle.gain_rel, full.gain_rel);
    out->dur_s = c->dur_s;
    (void)snprintf(out->source, sizeof out->source, "%s", source_of(c));
    if (gmtime_r(&now, &utc))
        (void)strftime(out->date, sizeof out->date, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return PJ_OK;
}

static int tell(const struct pji_args *args, const struct pji_cpu_calibration *c)
{
    char path[PJI_CACHE_PATH] = "", text[2][PJI_NUM_TEXT];
    struct pji_str out = {0};
    int code;

    (void)pji_cache_path(PJI_CACHE_CPU, path, NULL);
    if (pji_args_has(args, "json")) {
        json_t *object = pji_cpu_calibration_to_json(c);

        out.failed = !object || json_object_set_new(object, "stored", json_string(path));
        pji_json_write(&out, object, 2);
        pji_str_addc(&out, '\n');
        json_decref(object);
    } else {
        (void)pji_num_format_digits(c->idle_w, 3, text[0]);
        (void)pji_num_format_digits(c->full_w, 3, text[1]);
        pji_str_addf(&out,
                     "idle %s W, full load %s W (all sockets, by %s)\nstored in %s; the model of "
                     "the processor uses it from now on\n",
                     text[0], text[1], c->source, path);
    }
    code = pji_lean_print(args, &out);
    pji_str_fini(&out);
    return code;
}

static pj_status read_seconds(const struct pji_args *args, double *dur_s, struct pj_error *err)
{
    pj_status status = pji_args_num(args, "seconds", 10, dur_s, err);

    if (!status && !(*dur_s >= 0.2 && *dur_s <= 60))
        status = pji_fail(err, PJ_EINVAL, "--seconds must be between 0.2 and 60, not '%s'",
                          pji_args_get(args, "seconds"));
    return status;
}

static pj_status prepare(struct calibrator *c, struct pj_error *err)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, 0};
    char path[PJI_CACHE_PATH];
    pj_status status = read_seconds(c->args, &c->dur_s, err);

    if (!status) /* before anything is loaded for nothing */
        status = pji_cache_path(PJI_CACHE_CPU, path, err);
    if (!status)
        status = pji_signals_open(&c->signals, numbers, err);
    if (!status)
        status = pji_instruments_open_table(&c->instruments, c->args, counters, err);
    if (!status)
        status = find_counters(c, err);
    return status;
}

int pji_calibrate(const struct pji_args *args)
{
    struct calibrator c = {.args = args, .signals = {.fd = -1}};
    struct pji_cpu_calibration calibration = {.idle_w = 0};
    struct pj_error err = {0};
    pj_status status = prepare(&c, &err);
    int code;

    if (!status) {
        double settle_s = fmin(2, c.dur_s / 5);

        pji_lean_say(args,
                     "%.3g s without load, then %.3g s with all CPUs busy; Ctrl-C ends it and "
                     "nothing is stored",
                     c.dur_s + settle_s, c.dur_s + settle_s);
        status = calibrate(&c, &calibration, &err);
    }
    if (!status)
        status =
            pji_cache_put(PJI_CACHE_CPU, "cpu", pji_cpu_calibration_to_json(&calibration), &err);
    code = status ? pji_lean_failed(args, &err) : tell(args, &calibration);
    if (status == PJ_EUNSUPPORTED)
        code = PJI_EXIT_INVALID;
    free(c.in_total);
    free(c.series);
    pji_instruments_close(&c.instruments);
    if (c.signals.fd >= 0)
        pji_signals_close(&c.signals);
    return code;
}
