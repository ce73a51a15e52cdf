/* bench/sensors.c - what is drawn for each run: the gain (rectangular, as docs/instruments.md
 * states it), the phase of a counter's refresh, the rest of a sensor's lag (rectangular for the
 * sample buffer, as sources/nvml_rows.h says), and when each reading comes.
 */
#include "sensors.h"

#include "core/units.h"
#include "sources/nvml_rows.h"
#include "sources/nvml_track.h"
#include "sources/rapl_channel.h"
#include "truth.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const char *const sensor_names[SENSORS] = {
    "package counter, 10 Hz, run",     "package counter, 10 Hz, window",
    "package counter, 100 Hz, window", "GPU counter, 20 ms, window",
    "GPU power samples, run",          "GPU power samples, window",
};

static const double spacing_ns = 20e6, spacing_sd_ns = 4e6; /* 11 to 35 ms on an H200 */

bool sensor_is_run(enum sensor sensor)
{
    return sensor == SENSOR_PACKAGE_RUN || sensor == SENSOR_GPU_RUN;
}

static bool on_gpu(enum sensor sensor)
{
    return sensor >= SENSOR_GPU_COUNTER;
}

struct pji_channel sensor_channel(enum sensor sensor, bool common)
{
    static const struct pji_nvml_identity gpu = {.uuid = "GPU-simulated"};
    const struct pji_nvml_gpu_facts facts = {.identity = &gpu,
                                             .cap_mw = 700000,
                                             .spacing_ns = (int64_t)spacing_ns,
                                             .counter_refresh_ns = 100 * PJI_NS_PER_MS,
                                             .counter_poll_ns = 20 * PJI_NS_PER_MS};
    const struct pji_rapl_zone zone = {.max_range_uj = INT64_C(262143328850),
                                       .max_power_uw = INT64_C(400000000)};
    const struct pji_cpu_info cpu = {
        .vendor = "GenuineIntel", .name = "xeon gold 6248", .family = 6, .model = 85};
    struct pji_channel channel;
    if (on_gpu(sensor)) {
        pji_nvml_row(&channel,
                     sensor == SENSOR_GPU_COUNTER ? PJI_NVML_ROW_ENERGY : PJI_NVML_ROW_POWER,
                     &facts, -1);
    } else {
        pji_rapl_channel_init(&channel, "rapl_powercap");
        pji_rapl_package_domain(&channel, PJI_DOMAIN_PACKAGE, "0", false);
        pji_rapl_channel_limits(&channel, &zone);
        pji_rapl_channel_finish(&channel, "rapl", &cpu);
    }
    if (!common) {
        channel.gain_rel = channel.offset_mw = 0;
    }
    return channel;
}

/* ---- reading ---- */

struct view {
    const double *truth;
    const struct pji_channel *channel;
    struct pji_prng *prng;
    double gain, offset_mw, phase_ns, late_ns;
};

static double rectangular(struct pji_prng *prng, double u)
{
    return u * sqrt(3) * (2 * pji_prng_unit(prng) - 1);
}

static double seen_uj(const struct view *v, double t_ns)
{
    return (1 + v->gain) * truth_at(v->truth, t_ns) + v->offset_mw * t_ns / 1e6;
}

/* What the counter shows at t_ns: as of its last refresh, and that behind the moment. */
static int64_t counter_value(const struct view *v, double t_ns)
{
    double refresh_ns = (double)v->channel->refresh_ns;
    double updated_ns = floor((t_ns - v->phase_ns) / refresh_ns) * refresh_ns + v->phase_ns;
    double uj = seen_uj(v, updated_ns - v->late_ns);
    return (int64_t)(floor(uj / v->channel->quantum) * v->channel->quantum);
}

static size_t read_counter(const struct view *v, double interval_ns, double jitter_ns, double from,
                           double to, struct pji_reading *out)
{
    size_t n = 0;
    double next = from, last = -1;
    while (n < SENSOR_READINGS) {
        double t = next >= to ? to : next + jitter_ns * pji_prng_normal(v->prng);
        t = fmax(t, from);
        if (t > last) {
            out[n++] = (struct pji_reading){.t_ns = (int64_t)t, .value = counter_value(v, t)};
        }
        if (next >= to) {
            return n;
        }
        last = t;
        next += interval_ns;
    }
    abort();
}

/* Samples at uneven times, seen late_ns ago: means over the stretch to the sample before, or over a
 * fixed time (nobody says which: one of them is drawn for each run). The track turns them into
 * readings as it does with the driver's. */
static size_t read_buffer(const struct view *v, double from, double to, struct pji_reading *out)
{
    static struct pji_nvml_point points[SENSOR_READINGS];
    struct pji_nvml_track track = {.spacing_ns = (int64_t)spacing_ns};
    struct pji_reading_sink sink = {.readings = out, .cap = SENSOR_READINGS};
    bool fixed = pji_prng_below(v->prng, 2) == 1;
    double before = from;
    size_t n = 0;
    while (before < to && n < SENSOR_READINGS) {
        double step_ns = spacing_ns + spacing_sd_ns * pji_prng_normal(v->prng);
        double t = before + fmin(fmax(step_ns, 10e6), 40e6);
        double since = fixed ? t - (double)v->channel->average_ns : before;
        double uj = seen_uj(v, t - v->late_ns) - seen_uj(v, since - v->late_ns);
        points[n++] = (struct pji_nvml_point){.device_us = (uint64_t)(t / 1e3),
                                              .power_mw = (int64_t)(uj / (t - since) * 1e6)};
        before = t;
    }
    pji_nvml_track_feed(&track, points, n, 0, (int64_t)before, SENSOR_READINGS, &sink);
    return sink.n;
}

size_t sensor_read(enum sensor sensor, const struct pji_channel *channel, const double *truth,
                   struct pji_prng *prng, double from_ns, double to_ns, struct pji_reading *out)
{
    struct view v = {.truth = truth,
                     .channel = channel,
                     .prng = prng,
                     .gain = rectangular(prng, channel->gain_rel),
                     .offset_mw = rectangular(prng, channel->offset_mw),
                     .phase_ns = pji_prng_unit(prng) * (double)channel->refresh_ns};
    switch (sensor) {
    case SENSOR_PACKAGE_RUN:
    case SENSOR_PACKAGE_10HZ:
        return read_counter(&v, 100e6, 50e3, from_ns, to_ns, out);
    case SENSOR_PACKAGE_100HZ:
        return read_counter(&v, 10e6, 50e3, from_ns, to_ns, out);
    case SENSOR_GPU_COUNTER: /* half a sample behind, and what is not known of that */
        v.late_ns = spacing_ns / 2 + rectangular(prng, (double)channel->edge_u_ns);
        return read_counter(&v, 20e6, 1e6, from_ns, to_ns, out);
    case SENSOR_GPU_RUN:
    case SENSOR_GPU_POWER:
        v.late_ns = rectangular(prng, (double)channel->edge_u_ns);
        return read_buffer(&v, from_ns, to_ns, out);
    case SENSORS:
        break;
    }
    abort();
}
