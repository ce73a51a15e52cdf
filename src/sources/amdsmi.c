/* AMD GPUs through libamd_smi (ROCm): an energy accumulator, its resolution (about 15.3 uJ) and
 * nothing else. Bare metal only.
 *
 * What is known to be wrong with it, and what is done:
 * - MI100: the counter is wrong or stands still (ROCm/amdsmi issue 38). Refused.
 * - MI210: it stood still inside one process (rocm_smi_lib issue 180). A GPU never draws nothing,
 *   so a value that was never seen to move, or has not for half a second, is a failed reading, not
 *   energy 0.
 * - MI250 and MI250X: two dies, of which the first of a pair reports both. The other is not read.
 * - Partitions of one GPU are listed as processors of their own: each GPU counts once.
 * - An accelerator that is the machine's processor as well (MI300A) overlaps with the package that
 *   RAPL reads: recorded, not added.
 *
 * Which GPUs: those that ROCm would show this process's child (amd_select.h); others are not
 * missing, they are somebody else's. Where one die of a pair is visible, the pair is metered.
 *
 * A domain is named by the bus address, as hwmon names it, whose power sensor becomes the
 * alternative.
 */
#include "sources/amd_select.h"
#include "sources/amdsmi_api.h"
#include "sources/cpu_info.h"
#include "sources/table.h"

#include "core/array.h"
#include "core/units.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STILL_NS (PJI_NS_PER_S / 2)
#define POLL_NS  (100 * PJI_NS_PER_MS)

static const char source_name[] = "amdsmi";
/* No statement by AMD: +-10 %, rectangular (GUM 4.3), as for the power sensors of other boards. */
static const double gain_rel = 0.10 / 1.7320508075688772;

struct gpu {
    pji_amdsmi_handle handle;
    int32_t channel;
    bool read, moved, gone;
    int64_t energy_uj, moved_ns; /* last value, and when it was new */
};

struct state {
    const struct pji_platform *platform;
    struct pji_amdsmi_api api;
    struct gpu *gpus;
    size_t n, cap;
};

/* ---- what sysfs says about a GPU ---- */

struct card {
    char address[24]; /* "0000:c1:00.0" */
    const char *uuid; /* "GPU-0123456789abcdef", "" when unknown */
    unsigned long model;
    bool accelerator; /* not a display adapter: nothing else meters it for sure */
};

static unsigned long read_hex(const struct pji_platform *platform, const char *address,
                              const char *file)
{
    char path[96], text[32];

    (void)snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/%s", address, file);
    if (pji_read_text(platform, path, text, sizeof text, NULL, NULL))
        return 0;
    return strtoul(text, NULL, 16);
}

static void read_card(const struct pji_platform *platform, const char *address, struct card *card)
{
    unsigned long class = read_hex(platform, address, "class") >> 8;

    (void)snprintf(card->address, sizeof card->address, "%s", address);
    card->model = read_hex(platform, address, "device");
    card->accelerator = class == 0x0380 || class == 0x1200;
}

static void find_card(const struct pji_platform *platform, uint64_t bdf, struct card *card)
{
    char address[24];

    pji_amd_address_text(bdf, address);
    read_card(platform, address, card);
}

static bool is_mi100(const struct card *card)
{
    return card->model == 0x738c || card->model == 0x738e;
}

static bool is_mi250(const struct card *card)
{
    return card->model == 0x7408 || card->model == 0x740c;
}

/* ---- opening ---- */

struct missing {
    const struct pji_platform *platform;
    const struct pji_amd_visibility *visibility;
    struct pji_channel_table *table;
    const char *reason, *fix;
    struct pj_error *err;
    pj_status status;
};

static pj_status miss_card(const struct card *card, const char *reason, const char *fix,
                           struct pji_channel_table *table, struct pj_error *err)
{
    char domain[48];

    (void)snprintf(domain, sizeof domain, "gpu-%s", card->address);
    return pji_channel_table_miss(table, source_name, PJI_DOMAIN_GPU, domain, reason, fix, err);
}

/* An entry of the driver's folder: an address, or something else. */
static int miss_entry(void *arg, const char *name)
{
    struct missing *missing = arg;
    struct card card;
    uint64_t bdf;

    if (strlen(name) >= sizeof card.address || !pji_amd_address(name, &bdf) ||
        !pji_amd_visible(missing->visibility, bdf))
        return 0;
    read_card(missing->platform, name, &card);
    if (card.accelerator)
        missing->status =
            miss_card(&card, missing->reason, missing->fix, missing->table, missing->err);
    return missing->status != PJ_OK;
}

/* Accelerators alone: a display adapter that is part of a processor is metered with it, and others
 * are read by hwmon. */
static pj_status miss_all(const struct pji_platform *platform,
                          const struct pji_amd_visibility *visibility, const char *reason,
                          const char *fix, struct pji_channel_table *table, struct pj_error *err)
{
    struct missing missing = {.platform = platform,
                              .visibility = visibility,
                              .table = table,
                              .reason = reason,
                              .fix = fix,
                              .err = err};

    (void)platform->ops->list(platform->context, "/sys/bus/pci/drivers/amdgpu", miss_entry,
                              &missing);
    return missing.status;
}

static void describe(const struct card *card, double count_uj, bool in_processor,
                     struct pji_channel *channel)
{
    *channel = (struct pji_channel){.parent = "machine",
                                    .domain_kind = PJI_DOMAIN_GPU,
                                    .kind = PJI_COUNTER,
                                    .role = in_processor ? PJI_ROLE_AUX : PJI_ROLE_ENERGY,
                                    .unit = "uJ",
                                    .origin = PJ_ORIGIN_COUNTER,
                                    .quantum = count_uj > 1 ? count_uj : 1,
                                    .gain_rel = gain_rel,
                                    .companion = -1};
    (void)snprintf(channel->name, sizeof channel->name, "amdsmi:%s:energy", card->address);
    (void)snprintf(channel->source, sizeof channel->source, "%s", source_name);
    (void)snprintf(channel->domain, sizeof channel->domain, "gpu-%s", card->address);
    (void)snprintf(channel->com_id, sizeof channel->com_id, "amdsmi:%s",
                   card->uuid[0] ? card->uuid : card->address);
    (void)snprintf(channel->device, sizeof channel->device, "AMD GPU %04lx%s%s %s%s%s", card->model,
                   card->uuid[0] ? " " : "", card->uuid, card->address,
                   is_mi250(card) ? ", both dies" : "", in_processor ? ", with the CPU" : "");
}

static pj_status add_gpu(struct state *state, const struct card *card, pji_amdsmi_handle handle,
                         bool in_processor, struct pji_channel_table *table, struct pj_error *err)
{
    struct gpu gpu = {.handle = handle};
    struct pji_channel channel;
    double count_uj = 0;
    pj_status status;
    int failed =
        is_mi100(card) ? 0 : pji_amdsmi_energy(&state->api, handle, &count_uj, &gpu.energy_uj);

    if ((failed || is_mi100(card)) && !card->accelerator)
        return PJ_OK;
    if (is_mi100(card))
        return miss_card(card, "the energy counter of MI100 is wrong or stands still", "", table,
                         err);
    if (failed)
        return miss_card(card,
                         failed == -EOPNOTSUPP ? "no energy counter: virtual machines have none"
                                               : "amdsmi_get_energy_count gives no value",
                         failed == -EACCES ? "add the user to the groups render and video" : "",
                         table, err);
    describe(card, count_uj, in_processor, &channel);
    status = pji_array_reserve(&state->gpus, &state->cap, state->n + 1, sizeof gpu, err);
    if (!status)
        status = pji_channel_table_add(table, &channel, &gpu.channel, err);
    if (!status)
        state->gpus[state->n++] = gpu;
    return status;
}

/* The pair of an MI250 counts as visible where one of its dies is. */
static bool is_visible(const struct pji_amd_visibility *visibility,
                       const struct pji_amdsmi_gpu *gpu, const struct pji_amdsmi_gpu *partner)
{
    return pji_amd_visible(visibility, gpu->bdf) ||
           (partner && pji_amd_visible(visibility, partner->bdf));
}

static pj_status add_gpus(struct state *state, const struct pji_amd_visibility *visibility,
                          struct pji_channel_table *table, struct pj_error *err)
{
    struct pji_amdsmi_gpu gpus[PJI_AMDSMI_GPUS];
    size_t n = pji_amdsmi_gpus(&state->api, gpus), dies = 0;
    struct pji_cpu_info cpu;
    pj_status status = PJ_OK;

    pji_cpu_info_read(state->platform, &cpu);
    for (size_t i = 0; i < n && !status; i++) {
        struct card card;

        find_card(state->platform, gpus[i].bdf, &card);
        card.uuid = pji_amd_uuid(visibility, gpus[i].bdf);
        if (is_mi250(&card) && dies++ % 2 == 1)
            continue; /* in its pair's counter */
        if (is_visible(visibility, &gpus[i], is_mi250(&card) && i + 1 < n ? &gpus[i + 1] : NULL))
            status = add_gpu(state, &card, gpus[i].handle, strstr(cpu.name, "instinct") != NULL,
                             table, err);
    }
    return status;
}

/* What the selection could not do, in words. */
static void tell(const struct pji_source_env *env, const struct pji_amd_selection *selection)
{
    switch (selection->note) {
    case PJI_AMD_NOTE_NONE:
        break;
    case PJI_AMD_NOTE_INVALID:
        pji_log(env->log, PJI_LOG_INFO, "%s: '%s' names no GPU here; as in ROCm it ends the list",
                selection->variable, selection->entry);
        break;
    case PJI_AMD_NOTE_DUPLICATE:
        pji_log(env->log, PJI_LOG_INFO, "%s: '%s' names a GPU again; as in ROCm it ends the list",
                selection->variable, selection->entry);
        break;
    case PJI_AMD_NOTE_UNRESOLVED:
        pji_log(env->log, PJI_LOG_WARNING,
                "the AMD GPUs of HIP_VISIBLE_DEVICES or ROCR_VISIBLE_DEVICES cannot be found out: "
                "/sys/class/kfd/kfd/topology cannot be read; all AMD GPUs are metered");
        break;
    }
}

static void amdsmi_close(void *context)
{
    struct state *state = context;

    pji_amdsmi_close(&state->api);
    free(state->gpus);
}

static pj_status amdsmi_open(void *context, const struct pji_source_env *env,
                             struct pji_channel_table *table, struct pj_error *err)
{
    struct state *state = context;
    struct pji_amd_visibility visibility;
    char why[160] = "";
    pj_status status;

    state->platform = env->platform;
    if (!pji_path_exists(env->platform, "/sys/bus/pci/drivers/amdgpu"))
        return PJ_OK;
    pji_amd_visibility_read(env, &visibility);
    tell(env, &visibility.selection);
    if (!pji_path_exists(env->platform, "/dev/kfd"))
        return miss_all(env->platform, &visibility, "/dev/kfd is not there: no compute driver",
                        "in a container pass /dev/kfd and /dev/dri", table, err);
    if (pji_amdsmi_open(&state->api, env->platform, why, sizeof why))
        return miss_all(env->platform, &visibility, why, "install amd-smi-lib of ROCm 6.0 or newer",
                        table, err);
    status = add_gpus(state, &visibility, table, err);
    if (status)
        amdsmi_close(state);
    return status;
}

/* ---- reading ---- */

/* Whether the value can be energy: it moves. */
static bool is_alive(struct gpu *gpu, int64_t energy_uj, int64_t now_ns)
{
    if (!gpu->read || energy_uj != gpu->energy_uj) {
        gpu->moved = gpu->moved || gpu->read;
        gpu->read = true;
        gpu->energy_uj = energy_uj;
        gpu->moved_ns = now_ns;
        return true;
    }
    return gpu->moved && now_ns - gpu->moved_ns < STILL_NS;
}

static pj_status amdsmi_read(void *context, struct pji_reading_sink *sink, struct pj_error *err)
{
    struct state *state = context;

    (void)err;
    for (size_t i = 0; i < state->n; i++) {
        struct gpu *gpu = &state->gpus[i];
        int64_t before_ns, t_ns, energy_uj = 0;
        double count_uj;
        int failed;

        if (gpu->gone)
            continue;
        before_ns = pji_now_ns(state->platform);
        failed = pji_amdsmi_energy(&state->api, gpu->handle, &count_uj, &energy_uj);
        t_ns = before_ns + (pji_now_ns(state->platform) - before_ns) / 2;
        if (!failed && !is_alive(gpu, energy_uj, t_ns))
            failed = -ENODATA;
        gpu->gone = failed == -ENODEV;
        pji_reading_put(sink, gpu->channel, t_ns,
                        failed == 0 ? PJI_READ_OK
                        : gpu->gone ? PJI_READ_GONE
                                    : PJI_READ_FAILED,
                        failed ? -failed : energy_uj);
    }
    return PJ_OK;
}

const struct pji_source_ops pji_source_amdsmi = {
    .name = source_name,
    .about = "AMD GPUs through libamd_smi: energy counters",
    .state_size = sizeof(struct state),
    .burst = 1,
    .min_period_ns = POLL_NS,
    .slow = true,
    .prompt = true,
    .open = amdsmi_open,
    .read = amdsmi_read,
    .close = amdsmi_close,
};
