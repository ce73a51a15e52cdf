/* One GPU: its readings, see nvml_gpu.h. */
#include "sources/nvml_gpu.h"

#include "core/units.h"

#include <errno.h>

enum { BURST_MAX = 160 };

static const int64_t buffer_period_ns = PJI_NS_PER_S; /* at most: depth permitting */
static const int64_t buffer_shortest_ns = 100 * PJI_NS_PER_MS;
static const int64_t buffer_retry_ns = 300 * PJI_NS_PER_MS; /* its depth is 2.4 s */
static const int64_t after_edge_ns = 100 * PJI_NS_PER_MS;
static const int64_t slack_ns =
    10 * PJI_NS_PER_MS; /* ticks that are not ours come a little early */

/* Shares of a core: of all calls beside a buffer, the least of it that the counter gets, of the aux
 * values (else they are asked less often), and of the counter where it is alone. */
static const double calls_share = 0.0008, least_share = 0.0001, slow_share = 0.0001;
static const double alone_share = 0.01;
static const int64_t anchor_min_ns = PJI_NS_PER_S, alone_min_ns = PJI_NS_PER_S / 2;
enum { CREDIT_START = 4, CREDIT_KEPT = 2 }; /* calls: at both ends of a run; at its end */

static int64_t middle(int64_t before_ns, int64_t after_ns)
{
    return before_ns + (after_ns - before_ns) / 2;
}

static int64_t least(int64_t a_ns, int64_t b_ns)
{
    return a_ns < b_ns ? a_ns : b_ns;
}

static void put_gone(struct pji_nvml_gpu *gpu, int64_t t_ns, struct pji_reading_sink *sink)
{
    for (int row = 0; row < PJI_NVML_ROWS; row++)
        if (gpu->channel[row] >= 0)
            pji_reading_put(sink, gpu->channel[row],
                            row == PJI_NVML_ROW_POWER && t_ns <= gpu->track.put_t_ns
                                ? gpu->track.put_t_ns + 1
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

pji_nvml_return pji_nvml_gpu_fetch(struct pji_nvml_gpu *gpu, const struct pji_nvml_api *api,
                                   unsigned int *n)
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

static void smooth(int64_t *cost_ns, int64_t measured_ns)
{
    *cost_ns += *cost_ns == 0 ? measured_ns : (measured_ns - *cost_ns) / 4;
}

/* Twice within what the buffer holds and what one read passes on, so that one may come late. */
static int64_t buffer_rest_ns(const struct pji_nvml_gpu *gpu)
{
    int64_t held = gpu->n_samples < BURST_MAX - 2 ? gpu->n_samples : BURST_MAX - 2;
    int64_t period_ns = held * gpu->track.spacing_ns * 9 / 20;
    period_ns = period_ns > buffer_shortest_ns ? period_ns : buffer_shortest_ns;
    return period_ns < buffer_period_ns ? period_ns : buffer_period_ns;
}

static void read_buffer(struct pji_nvml_gpu *gpu, const struct pji_nvml_api *api, int64_t offset_ns,
                        struct pji_reading_sink *sink)
{
    unsigned int n;
    int64_t begun_ns = pji_now_ns(api->platform);
    pji_nvml_return code = pji_nvml_gpu_fetch(gpu, api, &n);
    int64_t now_ns = pji_now_ns(api->platform), rest_ns = buffer_rest_ns(gpu);
    smooth(&gpu->buffer_cost_ns, now_ns - begun_ns);
    gpu->buffer_due_ns = begun_ns +
                         (code == PJI_NVML_SUCCESS ? rest_ns : least(rest_ns, buffer_retry_ns)) -
                         slack_ns;
    if (code != PJI_NVML_SUCCESS)
        put_failure(gpu, PJI_NVML_ROW_POWER, code, now_ns, sink);
    else
        pji_nvml_track_feed(&gpu->track, gpu->points, n, offset_ns, now_ns, BURST_MAX, sink);
}

/* What the other calls leave of the whole is the counter's. */
static double counter_share(const struct pji_nvml_gpu *gpu)
{
    double share = calls_share - (double)gpu->buffer_cost_ns / (double)buffer_rest_ns(gpu);
    return share > least_share ? share : least_share;
}

static void save_credit(struct pji_nvml_gpu *gpu, int64_t now_ns)
{
    int64_t most_ns = CREDIT_START * gpu->counter_cost_ns;
    if (gpu->credit_at_ns == 0)
        gpu->credit_ns = most_ns;
    else
        gpu->credit_ns += (int64_t)((double)(now_ns - gpu->credit_at_ns) * counter_share(gpu));
    gpu->credit_ns = gpu->credit_ns < most_ns ? gpu->credit_ns : most_ns;
    gpu->credit_at_ns = now_ns;
}

/* A buffer that has not delivered yet (a driver that was just loaded, or never will) is none. */
static bool alone(const struct pji_nvml_gpu *gpu)
{
    return gpu->channel[PJI_NVML_ROW_POWER] < 0 || !gpu->track.started;
}

static bool counter_wanted(struct pji_nvml_gpu *gpu, int64_t now_ns, bool edge)
{
    if (alone(gpu))
        return edge || now_ns >= gpu->counter_due_ns;
    save_credit(gpu, now_ns);
    if (edge)
        return gpu->credit_ns >= gpu->counter_cost_ns;
    if (gpu->bracket && now_ns >= gpu->counter_due_ns) {
        gpu->bracket = false; /* now, or where there is no credit, not at all */
        return gpu->credit_ns >= gpu->counter_cost_ns;
    }
    return now_ns >= gpu->counter_due_ns &&
           gpu->credit_ns >= (CREDIT_KEPT + 1) * gpu->counter_cost_ns;
}

static void schedule_counter(struct pji_nvml_gpu *gpu, int64_t now_ns, int64_t cost_ns, bool edge)
{
    bool only = alone(gpu);
    gpu->credit_ns -= cost_ns;
    smooth(&gpu->counter_cost_ns, cost_ns);
    int64_t period_ns = only ? (int64_t)((double)gpu->counter_cost_ns / alone_share) : 0;
    int64_t least_ns = only ? alone_min_ns : anchor_min_ns;
    period_ns = period_ns > least_ns ? period_ns : least_ns;
    /* an edge lies a lag before its reading: the next one brackets it closely */
    gpu->bracket = edge;
    gpu->counter_due_ns = now_ns + (edge ? after_edge_ns : period_ns) - slack_ns;
}

static void read_counter(struct pji_nvml_gpu *gpu, const struct pji_nvml_api *api, bool edge,
                         struct pji_reading_sink *sink)
{
    unsigned long long energy_mj = 0;
    int64_t before_ns = pji_now_ns(api->platform);
    pji_nvml_return code = api->energy(gpu->device, &energy_mj);
    int64_t after_ns = pji_now_ns(api->platform), t_ns = middle(before_ns, after_ns);
    schedule_counter(gpu, after_ns, after_ns - before_ns, edge);
    if (code != PJI_NVML_SUCCESS)
        put_failure(gpu, PJI_NVML_ROW_ENERGY, code, t_ns, sink);
    else if (!pji_nvml_energy_sane(energy_mj))
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
    smooth(&gpu->slow_cost_ns, pji_now_ns(api->platform) - t_ns);
    int64_t period_ns = (int64_t)((double)gpu->slow_cost_ns / slow_share);
    gpu->slow_due_ns =
        t_ns + (period_ns > buffer_period_ns ? period_ns : buffer_period_ns) - slack_ns;
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
    if (!gpu->gone && gpu->channel[PJI_NVML_ROW_ENERGY] >= 0 && counter_wanted(gpu, now_ns, edge))
        read_counter(gpu, api, edge, sink);
    if (!gpu->gone && gpu->channel[PJI_NVML_ROW_USAGE] >= 0)
        read_usage(gpu, api, sink);
    if (!gpu->gone && now_ns >= gpu->slow_due_ns)
        read_slow(gpu, api, sink);
}

int64_t pji_nvml_gpu_rest_ns(const struct pji_nvml_gpu *gpu, int64_t now_ns)
{
    int64_t due_ns = gpu->slow_due_ns;
    if (gpu->gone)
        return INT64_MAX;
    if (gpu->channel[PJI_NVML_ROW_USAGE] >= 0)
        return 0;
    if (gpu->channel[PJI_NVML_ROW_POWER] >= 0)
        due_ns = gpu->buffer_due_ns; /* the others are due with it, or later */
    bool own = gpu->bracket || alone(gpu);
    if (own && gpu->channel[PJI_NVML_ROW_ENERGY] >= 0 && gpu->counter_due_ns < due_ns)
        due_ns = gpu->counter_due_ns;
    return due_ns - now_ns + slack_ns;
}
