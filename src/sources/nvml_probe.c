/* What a GPU offers: opening and closing of struct pji_nvml_gpu, see nvml_gpu.h. */
#include "sources/nvml_gpu.h"

#include "core/array.h"
#include "core/units.h"

#include <stdio.h>
#include <stdlib.h>

enum { SAMPLES_MAX = 4096 };

/* Steps of 20 to 100 ms were seen (docs/hardware); the longest is assumed until it was measured. */
static const int64_t counter_refresh_ns = 100 * PJI_NS_PER_MS;
static const int64_t default_spacing_ns = 20 * PJI_NS_PER_MS;
static const int64_t usage_average_ns = PJI_NS_PER_S; /* since Ampere: nvml_rows.h */
static const int64_t usage_poll_ns = 100 * PJI_NS_PER_MS;

/* What the board can draw for longer than its regulation takes: the highest limit that may be set,
 * not the one that is, because a lowered limit binds only after some 100 ms. */
static int64_t highest_limit(const struct pji_nvml_gpu *gpu, const struct pji_nvml_api *api)
{
    unsigned int enforced_mw = 0, min_mw = 0, max_mw = 0;
    if (!api->limit_range || api->limit_range(gpu->device, &min_mw, &max_mw) != PJI_NVML_SUCCESS ||
        !pji_nvml_power_sane(max_mw))
        max_mw = 0;
    if ((!api->enforced_limit ||
         api->enforced_limit(gpu->device, &enforced_mw) != PJI_NVML_SUCCESS) &&
        (!api->limit || api->limit(gpu->device, &enforced_mw) != PJI_NVML_SUCCESS))
        enforced_mw = 0;
    if (!pji_nvml_power_sane(enforced_mw))
        enforced_mw = 0;
    return enforced_mw > max_mw ? enforced_mw : max_mw;
}

static bool averaged(const struct pji_nvml_gpu *gpu, const struct pji_nvml_api *api)
{
    unsigned int architecture = 0;
    return api->architecture && api->architecture(gpu->device, &architecture) == PJI_NVML_SUCCESS &&
           architecture >= PJI_NVML_ARCH_AMPERE;
}

static bool probe_counter(struct pji_nvml_gpu *gpu, const struct pji_nvml_api *api,
                          pji_nvml_return *code)
{
    unsigned long long energy_mj = 0;
    *code = PJI_NVML_NOT_SUPPORTED;
    if (!api->energy)
        return false;
    int64_t before_ns = pji_now_ns(api->platform);
    *code = api->energy(gpu->device, &energy_mj);
    gpu->counter_cost_ns = gpu->probed_cost_ns = pji_now_ns(api->platform) - before_ns;
    return *code == PJI_NVML_SUCCESS && pji_nvml_energy_sane(energy_mj);
}

enum { NO_BUFFER, BUFFER, EMPTY_BUFFER };

/* Which of these there is; negative for lack of memory. A driver that was loaded a moment ago (no
 * persistence daemon) has nothing in its buffer yet. */
static int probe_buffer(struct pji_nvml_gpu *gpu, const struct pji_nvml_api *api,
                        pji_nvml_return *code, int64_t *spacing_ns, struct pj_error *err)
{
    unsigned int n = 0;
    int type;
    *code = PJI_NVML_NOT_SUPPORTED;
    if (!api->samples)
        return NO_BUFFER;
    *code = api->samples(gpu->device, PJI_NVML_TOTAL_POWER_SAMPLES, 0, &type, &n, NULL);
    if (*code != PJI_NVML_SUCCESS || n == 0)
        return NO_BUFFER;
    gpu->n_samples = n < SAMPLES_MAX ? n : SAMPLES_MAX;
    gpu->samples = pji_zalloc(gpu->n_samples, sizeof *gpu->samples, err);
    gpu->points = pji_zalloc(gpu->n_samples, sizeof *gpu->points, err);
    int64_t *scratch = pji_zalloc(gpu->n_samples, sizeof *scratch, err);
    int found = -1;
    if (gpu->samples && gpu->points && scratch) {
        *code = pji_nvml_gpu_fetch(gpu, api, &n);
        bool sane = false;
        for (unsigned int i = 0; i < n; i++)
            sane = sane || pji_nvml_power_sane(gpu->points[i].power_mw);
        found = *code != PJI_NVML_SUCCESS || (n > 0 && !sane) ? NO_BUFFER
                : n > 0                                       ? BUFFER
                                                              : EMPTY_BUFFER;
        *spacing_ns = found != NO_BUFFER ? pji_nvml_spacing(gpu->points, n, scratch) : 0;
        if (found != NO_BUFFER && *spacing_ns == 0)
            *spacing_ns = default_spacing_ns;
    }
    free(scratch);
    return found;
}

static bool probe_usage(const struct pji_nvml_gpu *gpu, const struct pji_nvml_api *api,
                        pji_nvml_return *code)
{
    unsigned int power_mw = 0;
    *code = api->power ? api->power(gpu->device, &power_mw) : PJI_NVML_NOT_SUPPORTED;
    return *code == PJI_NVML_SUCCESS && pji_nvml_power_sane(power_mw);
}

static pj_status miss(const struct pji_nvml_gpu *gpu, const struct pji_nvml_api *api,
                      unsigned int number, pji_nvml_return code, struct pji_channel_table *table,
                      struct pj_error *err)
{
    char domain[24], reason[160];
    (void)snprintf(domain, sizeof domain, "gpu-%u", number);
    (void)snprintf(reason, sizeof reason, "%.40s (%.40s) gives neither energy nor power: %.40s",
                   gpu->identity.name, gpu->identity.uuid,
                   code == PJI_NVML_SUCCESS ? "impossible values" : pji_nvml_why(api, code));
    return pji_channel_table_miss(
        table, "nvml", PJI_DOMAIN_GPU, domain, reason,
        code == PJI_NVML_NO_PERMISSION ? "ask for read access to /dev/nvidia*" : "", err);
}

static pj_status add_rows(struct pji_nvml_gpu *gpu, const bool *exists,
                          const struct pji_nvml_gpu_facts *facts, struct pji_channel_table *table,
                          struct pj_error *err)
{
    for (int row = 0; row < PJI_NVML_ROWS; row++) {
        struct pji_channel channel;
        if (!exists[row])
            continue;
        int32_t preferred = row == PJI_NVML_ROW_ENERGY ? gpu->channel[PJI_NVML_ROW_POWER] : -1;
        pji_nvml_row(&channel, (enum pji_nvml_row)row, facts, preferred);
        pj_status status = pji_channel_table_add(table, &channel, &gpu->channel[row], err);
        if (status)
            return status;
    }
    gpu->track.channel = gpu->channel[PJI_NVML_ROW_POWER];
    gpu->track.spacing_ns = facts->spacing_ns;
    return PJ_OK;
}

static void use_known(const struct pji_nvml_known *known, struct pji_nvml_gpu_facts *facts)
{
    if (known && known->counter_refresh_ns >= PJI_NS_PER_MS)
        facts->counter_refresh_ns = known->counter_refresh_ns;
    if (known && known->usage_average_ns >= 0)
        facts->usage_averaged = known->usage_average_ns >= usage_average_ns / 2;
}

pj_status pji_nvml_gpu_open(struct pji_nvml_gpu *gpu, const struct pji_nvml_api *api,
                            unsigned int number, const struct pji_nvml_known *known,
                            struct pji_channel_table *table, struct pj_error *err)
{
    struct pji_nvml_gpu_facts facts = {.identity = &gpu->identity,
                                       .number = number,
                                       .cap_mw = highest_limit(gpu, api),
                                       .counter_refresh_ns = counter_refresh_ns,
                                       .counter_poll_ns = counter_refresh_ns,
                                       .usage_poll_ns = usage_poll_ns,
                                       .usage_averaged = averaged(gpu, api)};
    bool exists[PJI_NVML_ROWS] = {false};
    pji_nvml_return code;
    use_known(known, &facts);
    gpu->number = number;
    gpu->known_refresh_ns = known ? known->counter_refresh_ns : 0;
    unsigned int small;
    unsigned long long wide;

    for (int row = 0; row < PJI_NVML_ROWS; row++)
        gpu->channel[row] = -1;
    int buffer = probe_buffer(gpu, api, &code, &facts.spacing_ns, err);
    if (buffer < 0)
        return PJ_ENOMEM;
    exists[PJI_NVML_ROW_ENERGY] = probe_counter(gpu, api, &code);
    exists[PJI_NVML_ROW_POWER] =
        buffer == BUFFER || (buffer == EMPTY_BUFFER && exists[PJI_NVML_ROW_ENERGY]);
    if (known && known->counter.p50_ns > 0) /* of many calls, not of the first one */
        gpu->counter_cost_ns = known->counter.p50_ns;
    if (!exists[PJI_NVML_ROW_POWER] && !exists[PJI_NVML_ROW_ENERGY]) {
        exists[PJI_NVML_ROW_USAGE] = probe_usage(gpu, api, &code);
        if (!exists[PJI_NVML_ROW_USAGE])
            return miss(gpu, api, number, code, table, err);
    }
    exists[PJI_NVML_ROW_TEMP] =
        api->temperature &&
        api->temperature(gpu->device, PJI_NVML_TEMPERATURE_GPU, &small) == PJI_NVML_SUCCESS;
    exists[PJI_NVML_ROW_CLOCK] =
        api->clock && api->clock(gpu->device, PJI_NVML_CLOCK_SM, &small) == PJI_NVML_SUCCESS;
    exists[PJI_NVML_ROW_THROTTLE] =
        api->throttle && api->throttle(gpu->device, &wide) == PJI_NVML_SUCCESS;
    return add_rows(gpu, exists, &facts, table, err);
}

void pji_nvml_gpu_close(struct pji_nvml_gpu *gpu)
{
    free(gpu->samples);
    free(gpu->points);
    gpu->samples = NULL;
    gpu->points = NULL;
}
