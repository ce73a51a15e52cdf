/* One GPU: probing and reading, see nvml_gpu.h. */
#include "sources/nvml_gpu.h"

#include "core/array.h"
#include "core/units.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SAMPLES_MAX = 4096, BURST_MAX = 160 };

static const int64_t buffer_period_ns = PJI_NS_PER_S;
static const int64_t slack_ns = 60 * PJI_NS_PER_MS; /* the sampler's ticks are not ours */
static const double anchor_share = 0.0007, alone_share = 0.01;
static const int64_t anchor_min_ns = PJI_NS_PER_S, alone_min_ns = PJI_NS_PER_S / 2;
/* Steps of 20 to 100 ms were seen (docs/hardware); the longest is assumed until it was measured. */
static const int64_t counter_refresh_ns = 100 * PJI_NS_PER_MS;
static const int64_t default_spacing_ns = 20 * PJI_NS_PER_MS;

static bool energy_sane(unsigned long long energy_mj)
{
    return energy_mj != 0 && energy_mj != 0xFFFFFFFFull && energy_mj < INT64_MAX / 1000;
}

/* ---- reading ---- */

static int64_t middle(int64_t before_ns, int64_t after_ns)
{
    return before_ns + (after_ns - before_ns) / 2;
}

static void put_gone(struct pji_nvml_gpu *gpu, int64_t t_ns, struct pji_reading_sink *sink)
{
    for (int row = 0; row < PJI_NVML_ROWS; row++)
        if (gpu->channel[row] >= 0)
            pji_reading_put(sink, gpu->channel[row],
                            row == PJI_NVML_ROW_POWER && t_ns <= gpu->track.last_t_ns
                                ? gpu->track.last_t_ns + 1
                                : t_ns,
                            PJI_READ_GONE, ENODEV);
    gpu->gone = true;
}

/* Puts the failed reading; true when the device went for good. */
static bool put_failure(struct pji_nvml_gpu *gpu, enum pji_nvml_row row, pji_nvml_return code,
                        int64_t t_ns, struct pji_reading_sink *sink)
{
    int sys_errno = pji_nvml_errno(code);
    if (sys_errno == ENODEV) {
        put_gone(gpu, t_ns, sink);
        return true;
    }
    if (row == PJI_NVML_ROW_POWER)
        pji_nvml_track_fail(&gpu->track, sys_errno, t_ns, sink);
    else
        pji_reading_put(sink, gpu->channel[row], t_ns, PJI_READ_FAILED, sys_errno);
    return false;
}

static pji_nvml_return fetch(struct pji_nvml_gpu *gpu, const struct pji_nvml_api *api, unsigned *n)
{
    int type = PJI_NVML_VALUE_UINT;
    unsigned int count = gpu->n_samples;
    pji_nvml_return code =
        api->samples(gpu->device, PJI_NVML_TOTAL_POWER_SAMPLES, 0, &type, &count, gpu->samples);
    *n = 0;
    if (code == PJI_NVML_NOT_FOUND || code == PJI_NVML_NO_DATA)
        return PJI_NVML_SUCCESS; /* empty */
    if (code != PJI_NVML_SUCCESS)
        return code;
    for (unsigned int i = 0; i < count && i < gpu->n_samples; i++) {
        if (gpu->samples[i].device_us == 0)
            continue; /* a slot of the ring that was never filled */
        gpu->points[*n] = (struct pji_nvml_point){gpu->samples[i].device_us,
                                                  pji_nvml_value(&gpu->samples[i].value, type)};
        (*n)++;
    }
    return PJI_NVML_SUCCESS;
}

static void read_buffer(struct pji_nvml_gpu *gpu, const struct pji_nvml_api *api, int64_t offset_ns,
                        struct pji_reading_sink *sink)
{
    unsigned int n;
    pji_nvml_return code = fetch(gpu, api, &n);
    int64_t now_ns = pji_now_ns(api->platform);
    gpu->buffer_due_ns = now_ns + buffer_period_ns - slack_ns;
    if (code != PJI_NVML_SUCCESS)
        put_failure(gpu, PJI_NVML_ROW_POWER, code, now_ns, sink);
    else
        pji_nvml_track_feed(&gpu->track, gpu->points, n, offset_ns, now_ns, BURST_MAX, sink);
}

static void schedule_counter(struct pji_nvml_gpu *gpu, int64_t now_ns, int64_t cost_ns)
{
    bool anchor = gpu->channel[PJI_NVML_ROW_POWER] >= 0;
    double share = anchor ? anchor_share : alone_share;
    int64_t least_ns = anchor ? anchor_min_ns : alone_min_ns;
    gpu->counter_cost_ns += (cost_ns - gpu->counter_cost_ns) / 4;
    int64_t period_ns = (int64_t)((double)gpu->counter_cost_ns / share);
    gpu->counter_due_ns = now_ns + (period_ns > least_ns ? period_ns : least_ns) - slack_ns;
}

static void read_counter(struct pji_nvml_gpu *gpu, const struct pji_nvml_api *api,
                         struct pji_reading_sink *sink)
{
    unsigned long long energy_mj = 0;
    int64_t before_ns = pji_now_ns(api->platform);
    pji_nvml_return code = api->energy(gpu->device, &energy_mj);
    int64_t after_ns = pji_now_ns(api->platform), t_ns = middle(before_ns, after_ns);
    schedule_counter(gpu, after_ns, after_ns - before_ns);
    if (code != PJI_NVML_SUCCESS)
        put_failure(gpu, PJI_NVML_ROW_ENERGY, code, t_ns, sink);
    else if (!energy_sane(energy_mj))
        pji_reading_put(sink, gpu->channel[PJI_NVML_ROW_ENERGY], t_ns, PJI_READ_FAILED, EBADMSG);
    else
        pji_reading_put(sink, gpu->channel[PJI_NVML_ROW_ENERGY], t_ns, PJI_READ_OK,
                        (int64_t)energy_mj * 1000);
}

static void read_usage(struct pji_nvml_gpu *gpu, const struct pji_nvml_api *api,
                       struct pji_reading_sink *sink)
{
    unsigned int power_mw = 0;
    int64_t before_ns = pji_now_ns(api->platform);
    pji_nvml_return code = api->power(gpu->device, &power_mw);
    int64_t t_ns = middle(before_ns, pji_now_ns(api->platform));
    if (code != PJI_NVML_SUCCESS)
        put_failure(gpu, PJI_NVML_ROW_USAGE, code, t_ns, sink);
    else if (!pji_nvml_power_sane(power_mw))
        pji_reading_put(sink, gpu->channel[PJI_NVML_ROW_USAGE], t_ns, PJI_READ_FAILED, EBADMSG);
    else
        pji_reading_put(sink, gpu->channel[PJI_NVML_ROW_USAGE], t_ns, PJI_READ_OK, power_mw);
}

/* Temperature, SM clock and throttle reasons; false when the device went. */
static bool read_slow(struct pji_nvml_gpu *gpu, const struct pji_nvml_api *api,
                      struct pji_reading_sink *sink)
{
    int64_t t_ns = pji_now_ns(api->platform);
    gpu->slow_due_ns = t_ns + buffer_period_ns - slack_ns;
    for (int row = PJI_NVML_ROW_TEMP; row <= PJI_NVML_ROW_THROTTLE; row++) {
        unsigned int small = 0;
        unsigned long long wide = 0;
        pji_nvml_return code;
        if (gpu->channel[row] < 0)
            continue;
        if (row == PJI_NVML_ROW_TEMP)
            code = api->temperature(gpu->device, PJI_NVML_TEMPERATURE_GPU, &small);
        else if (row == PJI_NVML_ROW_CLOCK)
            code = api->clock(gpu->device, PJI_NVML_CLOCK_SM, &small);
        else
            code = api->throttle(gpu->device, &wide);
        if (code != PJI_NVML_SUCCESS) {
            if (put_failure(gpu, (enum pji_nvml_row)row, code, t_ns, sink))
                return false;
            continue;
        }
        int64_t value = row == PJI_NVML_ROW_TEMP       ? (int64_t)small * 1000
                        : row == PJI_NVML_ROW_THROTTLE ? (int64_t)(wide & INT64_MAX)
                                                       : (int64_t)small;
        pji_reading_put(sink, gpu->channel[row], t_ns, PJI_READ_OK, value);
    }
    return true;
}

void pji_nvml_gpu_read(struct pji_nvml_gpu *gpu, const struct pji_nvml_api *api, int64_t offset_ns,
                       bool edge, struct pji_reading_sink *sink)
{
    int64_t now_ns = pji_now_ns(api->platform);
    if (gpu->gone)
        return;
    if (gpu->channel[PJI_NVML_ROW_POWER] >= 0 && (edge || now_ns >= gpu->buffer_due_ns))
        read_buffer(gpu, api, offset_ns, sink);
    if (!gpu->gone && gpu->channel[PJI_NVML_ROW_ENERGY] >= 0 &&
        (edge || now_ns >= gpu->counter_due_ns))
        read_counter(gpu, api, sink);
    if (!gpu->gone && gpu->channel[PJI_NVML_ROW_USAGE] >= 0)
        read_usage(gpu, api, sink);
    if (!gpu->gone && now_ns >= gpu->slow_due_ns)
        read_slow(gpu, api, sink);
}

/* ---- probing ---- */

static int64_t power_limit(const struct pji_nvml_gpu *gpu, const struct pji_nvml_api *api)
{
    unsigned int limit_mw = 0;
    if (api->enforced_limit && api->enforced_limit(gpu->device, &limit_mw) == PJI_NVML_SUCCESS &&
        pji_nvml_power_sane(limit_mw))
        return limit_mw;
    if (api->limit && api->limit(gpu->device, &limit_mw) == PJI_NVML_SUCCESS &&
        pji_nvml_power_sane(limit_mw))
        return limit_mw;
    return 0;
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
    gpu->counter_cost_ns = pji_now_ns(api->platform) - before_ns;
    return *code == PJI_NVML_SUCCESS && energy_sane(energy_mj);
}

/* 1 when the buffer delivers, 0 when it does not; negative for lack of memory. */
static int probe_buffer(struct pji_nvml_gpu *gpu, const struct pji_nvml_api *api,
                        pji_nvml_return *code, int64_t *spacing_ns, struct pj_error *err)
{
    unsigned int n = 0;
    int type;
    *code = PJI_NVML_NOT_SUPPORTED;
    if (!api->samples)
        return 0;
    *code = api->samples(gpu->device, PJI_NVML_TOTAL_POWER_SAMPLES, 0, &type, &n, NULL);
    if (*code != PJI_NVML_SUCCESS || n == 0)
        return 0;
    gpu->n_samples = n < SAMPLES_MAX ? n : SAMPLES_MAX;
    gpu->samples = pji_zalloc(gpu->n_samples, sizeof *gpu->samples, err);
    gpu->points = pji_zalloc(gpu->n_samples, sizeof *gpu->points, err);
    int64_t *scratch = pji_zalloc(gpu->n_samples, sizeof *scratch, err);
    int found = -1;
    if (gpu->samples && gpu->points && scratch) {
        *code = fetch(gpu, api, &n);
        bool sane = false;
        for (unsigned int i = 0; i < n; i++)
            sane = sane || pji_nvml_power_sane(gpu->points[i].power_mw);
        found = *code == PJI_NVML_SUCCESS && sane;
        *spacing_ns = pji_nvml_spacing(gpu->points, n, scratch);
        if (*spacing_ns == 0)
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

pj_status pji_nvml_gpu_open(struct pji_nvml_gpu *gpu, const struct pji_nvml_api *api,
                            unsigned int number, struct pji_channel_table *table,
                            struct pj_error *err)
{
    struct pji_nvml_gpu_facts facts = {.identity = &gpu->identity,
                                       .number = number,
                                       .limit_mw = power_limit(gpu, api),
                                       .counter_refresh_ns = counter_refresh_ns};
    bool exists[PJI_NVML_ROWS] = {false};
    pji_nvml_return code;
    unsigned int small;
    unsigned long long wide;

    for (int row = 0; row < PJI_NVML_ROWS; row++)
        gpu->channel[row] = -1;
    int buffer = probe_buffer(gpu, api, &code, &facts.spacing_ns, err);
    if (buffer < 0)
        return PJ_ENOMEM;
    exists[PJI_NVML_ROW_POWER] = buffer == 1;
    exists[PJI_NVML_ROW_ENERGY] = probe_counter(gpu, api, &code);
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
