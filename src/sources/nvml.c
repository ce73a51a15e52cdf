/* NVIDIA GPUs through NVML, the management library that comes with the driver, bound with dlopen.
 *
 * Which GPUs: those that CUDA would show this process's child (nvml_select.h); others are not
 * missing, they are somebody else's. What is read of each, how often and why: nvml_gpu.h; errors of
 * the values: nvml_rows.h; time stamps: nvml_track.h.
 *
 * With a root prefix the machine's own library is loaded only where the tree has /dev/nvidiactl; a
 * library that was named explicitly is loaded always.
 */
#include "sources/table.h"

#include "core/array.h"
#include "core/units.h"
#include "sources/nvml_gpu.h"
#include "sources/nvml_inventory.h"
#include "sources/nvml_look.h"
#include "sources/nvml_presence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct nvml {
    struct pji_nvml_api api;
    bool running; /* init succeeded */
    struct pji_nvml_gpu *gpus;
    size_t n;
    struct pji_nvml_watch watch; /* the looks' alone */
};

/* What the selection could not do, in words. */
static pj_status tell(const struct pji_nvml_selection *selection, const struct pji_source_env *env,
                      struct pji_channel_table *table, struct pj_error *err)
{
    char reason[160];
    if (selection->order_unsure)
        pji_log(env->log, PJI_LOG_WARNING,
                "CUDA_VISIBLE_DEVICES has indices and the GPUs differ: CUDA counts the fastest "
                "first, NVML cannot tell which that is; perjoule counted in PCI order (set "
                "CUDA_DEVICE_ORDER=PCI_BUS_ID, or use UUIDs)");
    switch (selection->note) {
    case PJI_NVML_NOTE_NONE:
        break;
    case PJI_NVML_NOTE_INVALID:
        pji_log(env->log, PJI_LOG_INFO,
                "CUDA_VISIBLE_DEVICES: '%s' names no GPU here; as in CUDA it ends the list",
                selection->entry);
        break;
    case PJI_NVML_NOTE_DUPLICATE:
        pji_log(env->log, PJI_LOG_WARNING,
                "CUDA_VISIBLE_DEVICES names '%s' twice: CUDA shows no GPU then, none is metered",
                selection->entry);
        break;
    case PJI_NVML_NOTE_MIG:
        (void)snprintf(reason, sizeof reason,
                       "%.60s is a MIG slice: NVML meters power of whole GPUs only",
                       selection->entry);
        return pji_channel_table_miss(table, "nvml", PJI_DOMAIN_GPU, "gpu", reason,
                                      "meter the whole GPU: CUDA_VISIBLE_DEVICES=<its GPU-… UUID> "
                                      "for perjoule, its own value for the program (env)",
                                      err);
    }
    return PJ_OK;
}

static pj_status miss_handle(const struct pji_nvml_api *api, unsigned int index,
                             pji_nvml_return code, struct pji_channel_table *table,
                             struct pj_error *err)
{
    char domain[24], reason[160];
    (void)snprintf(domain, sizeof domain, "gpu-%u", index);
    (void)snprintf(reason, sizeof reason, "NVML does not open GPU %u: %.100s", index,
                   pji_nvml_why(api, code));
    return pji_channel_table_miss(
        table, "nvml", PJI_DOMAIN_GPU, domain, reason,
        code == PJI_NVML_NO_PERMISSION ? "allow reading and writing its /dev/nvidia<N>" : "", err);
}

static const struct pji_nvml_known *known_of(const struct pji_source_env *env,
                                             const struct pji_nvml_api *api,
                                             const struct pji_nvml_gpu *gpu)
{
    char key[PJI_NVML_KEY];

    if (env->n_nvml_known == 0 || !pji_nvml_key(api, gpu->device, gpu->identity.uuid, key))
        return NULL;
    return pji_nvml_known_find(env->nvml_known, env->n_nvml_known, key);
}

static pj_status open_selected(struct nvml *nvml, const struct pji_source_env *env,
                               const struct pji_nvml_inventory *inventory,
                               const struct pji_nvml_selection *selection,
                               struct pji_channel_table *table, struct pj_error *err)
{
    pj_status status = PJ_OK;
    nvml->gpus = pji_zalloc(selection->n + 1, sizeof *nvml->gpus, err);
    if (!nvml->gpus)
        return PJ_ENOMEM;
    for (size_t i = 0; i < selection->n && !status; i++) {
        unsigned int index = selection->index[i];
        if (inventory->codes[index] != PJI_NVML_SUCCESS) {
            status = miss_handle(&nvml->api, index, inventory->codes[index], table, err);
            continue;
        }
        struct pji_nvml_gpu *gpu = &nvml->gpus[nvml->n++];
        gpu->device = inventory->devices[index];
        gpu->identity = inventory->identities[index];
        status =
            pji_nvml_gpu_open(gpu, &nvml->api, index, known_of(env, &nvml->api, gpu), table, err);
    }
    return status;
}

static pj_status open_gpus(struct nvml *nvml, const struct pji_source_env *env,
                           struct pji_channel_table *table, struct pj_error *err)
{
    struct pji_nvml_selection selection;
    struct pji_nvml_inventory *inventory = pji_zalloc(1, sizeof *inventory, err);
    pj_status status;
    if (!inventory)
        return PJ_ENOMEM;
    pji_nvml_inventory_take(&nvml->api, inventory);
    pji_nvml_select(inventory->identities, inventory->n, env->cuda_visible_devices,
                    env->cuda_device_order, &selection);
    status = tell(&selection, env, table, err);
    if (!status)
        status = open_selected(nvml, env, inventory, &selection, table, err);
    free(inventory);
    return status;
}

static void close_nvml(void *state)
{
    struct nvml *nvml = state;
    for (size_t i = 0; i < nvml->n; i++)
        pji_nvml_gpu_close(&nvml->gpus[i]);
    free(nvml->gpus);
    pji_nvml_watch_close(&nvml->watch, &nvml->api);
    if (nvml->running && nvml->api.shutdown)
        (void)nvml->api.shutdown();
    pji_nvml_unload(&nvml->api);
    *nvml = (struct nvml){0};
}

static pj_status open_nvml(void *state, const struct pji_source_env *env,
                           struct pji_channel_table *table, struct pj_error *err)
{
    struct nvml *nvml = state;
    struct pji_nvml_presence presence;
    struct pj_error why = {0};
    pj_status status;

    pji_nvml_presence(env->platform, &presence);
    if (env->nvml_path)
        presence.driver = true; /* whoever names a library expects a GPU behind it */
    else if (env->platform->rooted && !pji_path_exists(env->platform, "/dev/nvidiactl"))
        return pji_nvml_miss_library(&presence, "this root has no /dev/nvidiactl", table, err);
    if (pji_nvml_load(&nvml->api, env->platform, env->nvml_path, &why))
        return pji_nvml_miss_library(&presence, why.text, table, err);
    pji_nvml_return code = nvml->api.init();
    nvml->running = code == PJI_NVML_SUCCESS;
    if (!nvml->running)
        status = pji_nvml_miss_init(&presence, &nvml->api, code, table, err);
    else
        status = open_gpus(nvml, env, table, err);
    if (status)
        close_nvml(state);
    return status;
}

static pj_status read_nvml(void *state, struct pji_reading_sink *sink, struct pj_error *err)
{
    struct nvml *nvml = state;
    (void)err;
    if (nvml->n == 0)
        return PJ_OK;
    int64_t offset_ns = pji_nvml_wall_offset(nvml->api.platform);
    for (size_t i = 0; i < nvml->n; i++)
        pji_nvml_gpu_read(&nvml->gpus[i], &nvml->api, offset_ns, sink->edge, sink);
    return PJ_OK;
}

static int64_t rest_nvml(const void *state)
{
    const struct nvml *nvml = state;
    int64_t now_ns = pji_now_ns(nvml->api.platform), least_ns = INT64_MAX;

    for (size_t i = 0; i < nvml->n; i++) {
        int64_t rest_ns = pji_nvml_gpu_rest_ns(&nvml->gpus[i], now_ns);
        least_ns = rest_ns < least_ns ? rest_ns : least_ns;
    }
    return least_ns;
}

static json_t *describe_nvml(const void *state)
{
    const struct nvml *nvml = state;
    char driver[PJI_NVML_TEXT] = "", vbios[PJI_NVML_TEXT] = "";
    json_t *gpus = json_array();

    if (nvml->api.driver_version &&
        nvml->api.driver_version(driver, sizeof driver) != PJI_NVML_SUCCESS)
        driver[0] = '\0';
    for (size_t i = 0; i < nvml->n; i++) {
        const struct pji_nvml_gpu *gpu = &nvml->gpus[i];
        if (!nvml->api.vbios ||
            nvml->api.vbios(gpu->device, vbios, sizeof vbios) != PJI_NVML_SUCCESS)
            vbios[0] = '\0';
        (void)json_array_append_new(
            gpus,
            json_pack("{s:i, s:s, s:s, s:s, s:s, s:I, s:i, s:I, s:o}", "number", (int)gpu->number,
                      "uuid", gpu->identity.uuid, "pci", gpu->identity.pci, "name",
                      gpu->identity.name, "vbios", vbios, "counter_call_ns",
                      (json_int_t)gpu->probed_cost_ns, "buffer_samples", (int)gpu->n_samples,
                      "buffer_spacing_ns", (json_int_t)gpu->track.spacing_ns, "counter_refresh_ns",
                      gpu->known_refresh_ns > 0 ? json_integer(gpu->known_refresh_ns)
                                                : json_null()));
    }
    return json_pack("{s:s, s:s, s:o}", "library", nvml->api.library_name, "driver", driver, "gpus",
                     gpus);
}

static json_t *look_nvml(void *state)
{
    struct nvml *nvml = state;
    return pji_nvml_look(&nvml->watch, &nvml->api, nvml->gpus, nvml->n);
}

const struct pji_source_ops pji_source_nvml = {
    .name = "nvml",
    .about = "NVIDIA GPUs: power sample buffer and energy counter of the driver (NVML)",
    .state_size = sizeof(struct nvml),
    .burst = 160,
    .min_period_ns = 100 * PJI_NS_PER_MS,
    .slow = true,
    .open = open_nvml,
    .read = read_nvml,
    .close = close_nvml,
    .describe = describe_nvml,
    .rest_ns = rest_nvml,
    .look = look_nvml,
};
