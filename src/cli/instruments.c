/* See instruments.h. */
#include "cli/instruments.h"

#include "cli/cache.h"
#include "core/array.h"
#include "core/units.h"
#include "sources/cpu_calibration.h"
#include "sources/machine.h"
#include "sources/nvml_known.h"
#include "sources/table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void write_log(void *context, enum pji_log_level level, const char *text)
{
    if (level <= PJI_LOG_WARNING)
        pji_lean_say(context, "%s", text);
}

static const struct pji_source_ops *const only_replay[] = {&pji_source_replay, NULL};

static pj_status read_interval(const struct pji_args *args, int64_t *interval_ns,
                               struct pj_error *err)
{
    double interval_ms;
    pj_status status = pji_args_num(args, "interval", 100, &interval_ms, err);

    if (!status && !(interval_ms >= 0.1 && interval_ms <= 3.6e6))
        status = pji_fail(err, PJ_EINVAL,
                          "--interval must be between 0.1 and 3600000 milliseconds, not '%s'",
                          pji_args_get(args, "interval"));
    if (!status)
        *interval_ns = (int64_t)llround(interval_ms * (double)PJI_NS_PER_MS);
    return status;
}

static void read_environment(struct pji_instruments *instruments, const char *replay)
{
    instruments->env =
        (struct pji_source_env){.platform = &instruments->platform,
                                .log = &instruments->log,
                                .nvml_path = getenv("PERJOULE_NVML"),
                                .cuda_visible_devices = getenv("CUDA_VISIBLE_DEVICES"),
                                .cuda_device_order = getenv("CUDA_DEVICE_ORDER"),
                                .hip_visible_devices = getenv("HIP_VISIBLE_DEVICES"),
                                .rocr_visible_devices = getenv("ROCR_VISIBLE_DEVICES"),
                                .replay_path = replay};
}

/* What was found out once; an entry that makes no sense is left out. */
static void read_calibrations(struct pji_instruments *instruments)
{
    json_t *entries = pji_cache_read(PJI_CACHE_CPU);
    size_t n = json_array_size(entries);

    instruments->calibrations =
        n > 0 ? pji_zalloc(n, sizeof *instruments->calibrations, NULL) : NULL;
    for (size_t i = 0; instruments->calibrations && i < n; i++) {
        struct pji_cpu_calibration *next =
            &instruments->calibrations[instruments->env.n_calibrations];

        if (!pji_cpu_calibration_from_json(next, json_array_get(entries, i), NULL))
            instruments->env.n_calibrations++;
    }
    instruments->env.calibrations = instruments->calibrations;
    json_decref(entries);
}

static void read_nvml_known(struct pji_instruments *instruments)
{
    json_t *entries = pji_cache_read(PJI_CACHE_NVML);
    size_t n = json_array_size(entries);

    instruments->nvml_known = n > 0 ? pji_zalloc(n, sizeof *instruments->nvml_known, NULL) : NULL;
    for (size_t i = 0; instruments->nvml_known && i < n; i++) {
        struct pji_nvml_known *next = &instruments->nvml_known[instruments->env.n_nvml_known];

        if (!pji_nvml_known_from_json(next, json_array_get(entries, i), NULL))
            instruments->env.n_nvml_known++;
    }
    instruments->env.nvml_known = instruments->nvml_known;
    json_decref(entries);
}

static pj_status open_all(struct pji_instruments *instruments, const struct pji_args *args,
                          const char *replay, const struct pji_source_ops *const *sources,
                          bool defer_slow, struct pj_error *err)
{
    const char *root = pji_args_get(args, "root");
    struct pji_meter_config config = {.sources = sources, .defer_slow = defer_slow};
    pj_status status;

    *instruments =
        (struct pji_instruments){.log = {.write = write_log, .context = (void *)(uintptr_t)args}};
    read_environment(instruments, replay);
    if (!replay) {
        read_calibrations(instruments);
        read_nvml_known(instruments);
    }
    config.env = instruments->env;
    status = read_interval(args, &instruments->interval_ns, err);
    config.interval_ns = instruments->interval_ns;
    if (!status)
        status = pji_platform_open_real(&instruments->platform,
                                        root ? root : getenv("PERJOULE_ROOT"), err);
    instruments->platform_open = !status;
    if (!status)
        status = pji_meter_open(&instruments->meter, &config, err);
    if (status)
        pji_instruments_close(instruments);
    return status;
}

pj_status pji_instruments_open(struct pji_instruments *instruments, const struct pji_args *args,
                               const char *replay, struct pj_error *err)
{
    return open_all(instruments, args, replay, replay ? only_replay : pji_sources, false, err);
}

pj_status pji_instruments_open_table(struct pji_instruments *instruments,
                                     const struct pji_args *args,
                                     const struct pji_source_ops *const *sources,
                                     struct pj_error *err)
{
    return open_all(instruments, args, NULL, sources, false, err);
}

pj_status pji_instruments_open_deferred(struct pji_instruments *instruments,
                                        const struct pji_args *args, struct pj_error *err)
{
    return open_all(instruments, args, NULL, pji_sources, true, err);
}

void pji_instruments_close(struct pji_instruments *instruments)
{
    pji_meter_close(instruments->meter);
    instruments->meter = NULL;
    free(instruments->calibrations);
    free(instruments->nvml_known);
    instruments->calibrations = NULL;
    instruments->nvml_known = NULL;
    if (instruments->platform_open)
        pji_platform_close_real(&instruments->platform);
    instruments->platform_open = false;
}

pj_status pji_instruments_header(const struct pji_instruments *instruments, struct pji_str *out,
                                 struct pj_error *err)
{
    const struct pji_channel_table *table = pji_meter_channels(instruments->meter);
    struct pji_trace_header header = {.tool = "perjoule " PJ_VERSION,
                                      .t_ns = pji_now_ns(&instruments->platform),
                                      .wall_ns = pji_wall_ns(&instruments->platform),
                                      .interval_ns = instruments->interval_ns,
                                      .channels = table->channels,
                                      .n_channels = table->n,
                                      .missing = table->missing,
                                      .n_missing = table->n_missing,
                                      .machine = pji_machine_facts(&instruments->platform),
                                      .schedule = pji_meter_schedule(instruments->meter),
                                      .instruments = pji_meter_describe(instruments->meter)};
    pj_status status = pji_trace_put_header(out, &header, err);

    json_decref(header.machine);
    json_decref(header.schedule);
    json_decref(header.instruments);
    return status ? status : pji_str_ok(out, err);
}

void pji_instruments_footer(const struct pji_instruments *instruments, uint64_t hash,
                            struct pji_str *out)
{
    struct pji_meter_stats stats;
    struct pji_trace_footer footer = {
        .t_ns = pji_now_ns(&instruments->platform), .seal = PJI_SEAL_INTACT, .hash = hash};

    pji_meter_stats(instruments->meter, &stats);
    footer.samples = stats.samples;
    footer.late_ticks = stats.late_ticks;
    footer.own_cpu_s = stats.own_cpu_s;
    footer.lateness = stats.lateness;
    pji_trace_put_footer(out, &footer);
}
