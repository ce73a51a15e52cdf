/* One GPU through NVML itself: see probe.h.
 *
 * Over which time PowerUsage averages is found by comparison: polled every 5 ms for 2 s, it is held
 * against the means of the sample buffer over several past times (the buffer's samples are finer
 * and have time stamps of their own); the time with the least difference wins. Where the power was
 * steady meanwhile all of them are alike, and nothing can be told: run it while the GPU works.
 */
#include "sources/probe.h"

#include "core/array.h"
#include "core/units.h"
#include "sources/nvml_gpu.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CALLS = 1024, POLLS = 400, SAMPLES = 4096 };

static const struct timespec poll_pause = {.tv_nsec = 5000000}, call_pause = {.tv_nsec = 1000000};
static const int64_t averages_ns[] = {0, 25 * PJI_NS_PER_MS, 100 * PJI_NS_PER_MS,
                                      500 * PJI_NS_PER_MS, 1000 * PJI_NS_PER_MS};

struct work {
    int64_t durs_ns[CALLS], steps_ns[CALLS];
    int64_t poll_t_ns[POLLS], poll_mw[POLLS];
    size_t n_polls;
    struct pji_nvml_sample samples[SAMPLES];
    struct pji_nvml_point points[SAMPLES];
    int64_t scratch[SAMPLES];
    unsigned int n_samples;
};

/* Asks the counter for dur_ns, one call after the other. */
static void measure_counter(struct pji_nvml_known *out, const struct pji_nvml_api *api,
                            pji_nvml_device device, int64_t dur_ns, struct work *w)
{
    unsigned long long energy_mj = 0, last_mj = 0;
    int64_t end_ns = pji_now_ns(api->platform) + dur_ns, step_ns = 0, after_ns = 0;
    struct pji_call_cost steps;
    size_t n = 0, n_steps = 0;

    while (api->energy && n < CALLS && after_ns < end_ns) {
        int64_t before_ns = pji_now_ns(api->platform);

        if (api->energy(device, &energy_mj) != PJI_NVML_SUCCESS)
            return;
        after_ns = pji_now_ns(api->platform);
        w->durs_ns[n++] = after_ns - before_ns;
        if (n > 1 && energy_mj != last_mj) {
            if (step_ns > 0)
                w->steps_ns[n_steps++] = after_ns - step_ns;
            step_ns = after_ns;
        }
        last_mj = energy_mj;
        (void)nanosleep(&call_pause, NULL);
    }
    pji_call_cost_of(&out->counter, w->durs_ns, n);
    pji_call_cost_of(&steps, w->steps_ns, n_steps);
    out->counter_refresh_ns = n_steps >= 3 ? steps.p50_ns : 0;
}

static void poll_usage(struct pji_nvml_known *out, const struct pji_nvml_api *api,
                       pji_nvml_device device, struct work *w)
{
    unsigned int power_mw = 0;

    while (api->power && w->n_polls < POLLS) {
        int64_t before_ns = pji_now_ns(api->platform);

        if (api->power(device, &power_mw) != PJI_NVML_SUCCESS)
            break;
        w->durs_ns[w->n_polls] = pji_now_ns(api->platform) - before_ns;
        w->poll_t_ns[w->n_polls] = before_ns;
        w->poll_mw[w->n_polls++] = power_mw;
        (void)nanosleep(&poll_pause, NULL);
    }
    pji_call_cost_of(&out->usage, w->durs_ns, w->n_polls);
}

/* The buffer, some calls of it; the last one's samples stay. */
static void fetch_buffer(struct pji_nvml_known *out, const struct pji_nvml_api *api,
                         pji_nvml_device device, struct work *w)
{
    size_t n = 0;

    w->n_samples = 0;
    while (api->samples && n < 32) {
        unsigned int count = SAMPLES;
        int type = PJI_NVML_VALUE_UINT;
        int64_t before_ns = pji_now_ns(api->platform);
        pji_nvml_return code =
            api->samples(device, PJI_NVML_TOTAL_POWER_SAMPLES, 0, &type, &count, w->samples);

        if (code != PJI_NVML_SUCCESS)
            break;
        w->durs_ns[n++] = pji_now_ns(api->platform) - before_ns;
        w->n_samples = 0;
        for (unsigned int i = 0; i < count && i < SAMPLES; i++) {
            int64_t power_mw = pji_nvml_value(&w->samples[i].value, type);

            if (w->samples[i].device_us != 0 && pji_nvml_power_sane(power_mw))
                w->points[w->n_samples++] =
                    (struct pji_nvml_point){w->samples[i].device_us, power_mw};
        }
    }
    pji_call_cost_of(&out->buffer, w->durs_ns, n);
    out->spacing_ns = w->n_samples > 0 ? pji_nvml_spacing(w->points, w->n_samples, w->scratch) : 0;
}

/* Mean of the samples within `average_ns` before t_ns (0: the last one before it); NaN: unknown. */
static double buffer_mean(const struct work *w, int64_t offset_ns, int64_t t_ns, int64_t average_ns)
{
    double sum_mw = 0, last_mw = (double)NAN;
    bool reaches = false;
    size_t n = 0;

    for (unsigned int i = 0; i < w->n_samples; i++) {
        int64_t sample_ns = (int64_t)w->points[i].device_us * 1000 - offset_ns;

        if (sample_ns > t_ns)
            break;
        last_mw = (double)w->points[i].power_mw;
        reaches = reaches || sample_ns <= t_ns - average_ns;
        if (sample_ns > t_ns - average_ns) {
            sum_mw += last_mw;
            n++;
        }
    }
    if (average_ns > 0 && !reaches)
        return (double)NAN;
    /* samples may be further apart than what is averaged over: then the last one holds */
    return n > 0 ? sum_mw / (double)n : last_mw;
}

/* Root mean square difference over the polls that every average can be told for; *spread_mw is the
 * same about the polls' own mean. */
static double difference(const struct work *w, int64_t offset_ns, int64_t average_ns,
                         double *spread_mw)
{
    const int64_t longest_ns = averages_ns[sizeof averages_ns / sizeof averages_ns[0] - 1];
    double sum = 0, mean = 0, square = 0;
    size_t n = 0;

    for (size_t i = 0; i < w->n_polls; i++) {
        double mw = (double)w->poll_mw[i];
        double off = mw - buffer_mean(w, offset_ns, w->poll_t_ns[i], average_ns);

        if (isnan(buffer_mean(w, offset_ns, w->poll_t_ns[i], longest_ns)))
            continue;
        n++;
        sum += off * off;
        square += (mw - mean) * (mw - mean) * (double)(n - 1) / (double)n;
        mean += (mw - mean) / (double)n;
    }
    *spread_mw = n > 20 ? sqrt(square / (double)n) : 0;
    return n > 20 ? sqrt(sum / (double)n) : (double)NAN;
}

static int64_t find_average(const struct work *w, int64_t offset_ns)
{
    double best_mw = (double)INFINITY, worst_mw = 0, spread_mw = 0;
    int64_t found_ns = -1;

    for (size_t i = 0; i < sizeof averages_ns / sizeof averages_ns[0]; i++) {
        double rms_mw = difference(w, offset_ns, averages_ns[i], &spread_mw);

        if (isnan(rms_mw))
            return -1;
        worst_mw = fmax(worst_mw, rms_mw);
        if (rms_mw < best_mw) {
            best_mw = rms_mw;
            found_ns = averages_ns[i];
        }
    }
    /* the averages must differ by more than noise: 2 W, and twice what the best leaves */
    return worst_mw > 2000 && worst_mw > 2 * best_mw ? found_ns : -1;
}

pj_status pji_nvml_measure(struct pji_nvml_known *out, const struct pji_nvml_api *api,
                           pji_nvml_device device, int64_t dur_ns, struct pj_error *err)
{
    struct work *w = pji_zalloc(1, sizeof *w, err);

    if (!w)
        return PJ_ENOMEM;
    measure_counter(out, api, device, dur_ns, w);
    poll_usage(out, api, device, w);
    fetch_buffer(out, api, device, w);
    out->usage_average_ns =
        w->n_samples > 0 ? find_average(w, pji_nvml_wall_offset(api->platform)) : -1;
    free(w);
    return PJ_OK;
}
