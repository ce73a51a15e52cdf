/* See probe.h. Models and replays are no instruments and left out; NVIDIA's GPUs are measured call
 * by call, because their source rations its calls. */
#include "cli/probe.h"

#include "cli/cache.h"
#include "cli/instruments.h"
#include "core/array.h"
#include "core/num.h"
#include "core/units.h"
#include "sources/nvml_inventory.h"
#include "sources/probe.h"
#include "sources/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct pji_source_ops *const probed[] = {
    &pji_source_rapl_perf, &pji_source_rapl_powercap, &pji_source_amdsmi, &pji_source_hwmon, NULL,
};

/* A meter without sources: the environment and the platform are what we want. */
static const struct pji_source_ops *const nothing[] = {NULL};

struct found {
    struct pji_probe probe;
    struct pji_nvml_known *gpus;
    bool *kept;
    size_t n;
};

static void stamp(char date[24])
{
    time_t now = time(NULL);
    struct tm utc;

    if (gmtime_r(&now, &utc))
        (void)strftime(date, 24, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

static pj_status measure_gpus(struct found *found, const struct pji_source_env *env,
                              const struct pji_nvml_api *api, struct pj_error *err)
{
    struct pji_nvml_inventory *inventory = pji_zalloc(1, sizeof *inventory, err);
    struct pji_nvml_selection selection;
    pj_status status = inventory ? PJ_OK : PJ_ENOMEM;

    if (!status) {
        pji_nvml_inventory_take(api, inventory);
        pji_nvml_select(inventory->identities, inventory->n, env->cuda_visible_devices,
                        env->cuda_device_order, &selection);
        found->gpus = pji_zalloc(selection.n + 1, sizeof *found->gpus, err);
        found->kept = pji_zalloc(selection.n + 1, sizeof *found->kept, err);
        status = found->gpus && found->kept ? PJ_OK : PJ_ENOMEM;
    }
    for (size_t i = 0; !status && i < selection.n; i++) {
        unsigned int at = selection.index[i];
        struct pji_nvml_known *gpu = &found->gpus[found->n];

        if (inventory->codes[at] != PJI_NVML_SUCCESS)
            continue;
        *gpu = (struct pji_nvml_known){.usage_average_ns = -1};
        memcpy(gpu->name, inventory->identities[at].name, sizeof gpu->name);
        stamp(gpu->date);
        found->kept[found->n] =
            pji_nvml_key(api, inventory->devices[at], inventory->identities[at].uuid, gpu->key);
        status = pji_nvml_measure(gpu, api, inventory->devices[at], PJI_NS_PER_S, err);
        if (!status && found->kept[found->n])
            status = pji_cache_put(PJI_CACHE_NVML, "gpu", pji_nvml_known_to_json(gpu), err);
        found->n++;
    }
    free(inventory);
    return status;
}

static pj_status probe_nvml(struct found *found, const struct pji_source_env *env,
                            struct pj_error *err)
{
    struct pji_nvml_api api;
    pj_status status = PJ_OK;

    if ((!env->nvml_path && env->platform->rooted &&
         !pji_path_exists(env->platform, "/dev/nvidiactl")) ||
        pji_nvml_load(&api, env->platform, env->nvml_path, NULL))
        return PJ_OK;
    if (api.init() == PJI_NVML_SUCCESS) {
        status = measure_gpus(found, env, &api, err);
        if (api.shutdown)
            (void)api.shutdown();
    }
    pji_nvml_unload(&api);
    return status;
}

/* ---- telling ---- */

static json_t *us(int64_t dur_ns)
{
    return pji_json_num((double)dur_ns / 1e3);
}

static json_t *rows_json(const struct pji_probe *probe)
{
    json_t *list = json_array();

    for (size_t i = 0; i < probe->n; i++) {
        const struct pji_probe_row *row = &probe->rows[i];

        (void)json_array_append_new(
            list, json_pack("{s:s, s:s, s:I, s:o, s:o, s:I, s:o, s:b}", "channel", row->channel,
                            "source", row->source, "reads", (json_int_t)row->read.calls,
                            "read_p50_us", us(row->read.p50_ns), "read_p99_us",
                            us(row->read.p99_ns), "changes", (json_int_t)row->changes, "refresh_ms",
                            row->refresh_ns > 0 ? pji_json_num((double)row->refresh_ns / 1e6)
                                                : json_null(),
                            "refresh_at_most", (int)row->at_most));
    }
    return list;
}

static void add_json(const struct found *found, struct pji_str *out)
{
    json_t *gpus = json_array(), *root;

    for (size_t i = 0; i < found->n; i++) {
        json_t *gpu = pji_nvml_known_to_json(&found->gpus[i]);

        (void)json_object_set_new(gpu, "kept", json_boolean(found->kept[i]));
        (void)json_array_append_new(gpus, gpu);
    }
    root = json_pack("{s:o, s:o}", "channels", rows_json(&found->probe), "gpus", gpus);
    out->failed = !root;
    pji_json_write(out, root, 2);
    pji_str_addc(out, '\n');
    json_decref(root);
}

static void add_number(struct pji_str *out, const char *before, double value, const char *after)
{
    char text[PJI_NUM_TEXT];

    (void)pji_num_format_digits(value, 3, text);
    pji_str_addf(out, "%s%s%s", before, text, after);
}

static void add_cost(struct pji_str *out, const char *call, const struct pji_call_cost *cost)
{
    if (cost->calls == 0)
        return;
    pji_str_addf(out, "  %s", call);
    add_number(out, " p50 ", (double)cost->p50_ns / 1e3, " us");
    add_number(out, ", p99 ", (double)cost->p99_ns / 1e3, " us");
    pji_str_addf(out, " (%zu calls)\n", cost->calls);
}

static void add_gpu(struct pji_str *out, const struct pji_nvml_known *gpu, bool kept)
{
    pji_str_addf(out, "\n%s, %s\n", gpu->name,
                 kept ? gpu->key : "VBIOS or driver not told: not kept");
    add_cost(out, "energy counter, a call:", &gpu->counter);
    add_cost(out, "sample buffer, a call:", &gpu->buffer);
    add_cost(out, "PowerUsage, a call:", &gpu->usage);
    if (gpu->counter_refresh_ns > 0)
        add_number(out, "  energy counter refreshes every ", (double)gpu->counter_refresh_ns / 1e6,
                   " ms\n");
    if (gpu->spacing_ns > 0)
        add_number(out, "  samples are ", (double)gpu->spacing_ns / 1e6, " ms apart\n");
    if (gpu->usage_average_ns > 0)
        add_number(out, "  PowerUsage is the mean of the last ",
                   (double)gpu->usage_average_ns / 1e6, " ms\n");
    else
        pji_str_add(out, gpu->usage_average_ns == 0
                             ? "  PowerUsage is momentary\n"
                             : "  PowerUsage: power was too steady to tell over which time it "
                               "averages; probe while the GPU works\n");
}

static void add_text(const struct found *found, struct pji_str *out)
{
    for (size_t i = 0; i < found->probe.n; i++) {
        const struct pji_probe_row *row = &found->probe.rows[i];

        pji_str_addf(out, "%-32s", row->channel);
        add_number(out, " read p50 ", (double)row->read.p50_ns / 1e3, " us");
        add_number(out, ", p99 ", (double)row->read.p99_ns / 1e3, " us");
        if (row->refresh_ns > 0)
            add_number(out, row->at_most ? ", new values every <= " : ", new values every ",
                       (double)row->refresh_ns / 1e6, " ms\n");
        else
            pji_str_add(out, ", it did not move\n");
    }
    for (size_t i = 0; i < found->n; i++)
        add_gpu(out, &found->gpus[i], found->kept[i]);
}

static int tell(const struct pji_args *args, const struct found *found)
{
    struct pji_str out = {0};
    int code;

    (pji_args_has(args, "json") ? add_json : add_text)(found, &out);
    code = pji_lean_print(args, &out);
    pji_str_fini(&out);
    if (code == PJI_EXIT_DONE && found->probe.n == 0 && found->n == 0) {
        pji_lean_say(args, "there is no instrument to probe; `perjoule doctor` says why");
        code = PJI_EXIT_INVALID;
    }
    return code;
}

int pji_probe(const struct pji_args *args)
{
    struct pji_instruments instruments;
    struct found found = {.n = 0};
    struct pj_error err = {0};
    int code;

    pj_status status = pji_instruments_open_table(&instruments, args, nothing, &err);

    if (status)
        return pji_lean_failed(args, &err);
    pji_lean_say(args,
                 "reads each instrument as often as it can, for about a second each and three "
                 "for an NVIDIA GPU");
    for (size_t i = 0; probed[i] && !status; i++)
        status = pji_probe_source(&found.probe, probed[i], &instruments.env, PJI_NS_PER_S, &err);
    if (!status)
        status = probe_nvml(&found, &instruments.env, &err);
    code = status ? pji_lean_failed(args, &err) : tell(args, &found);
    pji_probe_fini(&found.probe);
    free(found.gpus);
    free(found.kept);
    pji_instruments_close(&instruments);
    return code;
}
