/* bench/sensors.h - instruments whose errors are drawn from what their channels state, reading a
 * known curve (truth.h). The channels are the product's own rows, and readings go the product's own
 * way. */
#ifndef BENCH_SENSORS_H
#define BENCH_SENSORS_H

#include "core/prng.h"
#include "energy/channel.h"

#include <stdbool.h>
#include <stddef.h>

enum sensor {
    SENSOR_PACKAGE_RUN, /* read at both ends of a run, as `measure` does */
    SENSOR_PACKAGE_10HZ,
    SENSOR_PACKAGE_100HZ,
    SENSOR_GPU_COUNTER, /* polled every 20 ms */
    SENSOR_GPU_RUN,     /* the sample buffer, cut to a run as `measure` does */
    SENSOR_GPU_POWER,   /* the sample buffer, windows after the fact */
    SENSORS
};

extern const char *const sensor_names[SENSORS];

/* Its channel, without gain and offset where `common` is false. */
struct pji_channel sensor_channel(enum sensor sensor, bool common);
/* The run's edges are those of the total; else a window is cut from readings around it. */
bool sensor_is_run(enum sensor sensor);

/* Reads the curve from `from_ns` to `to_ns`; both ends are readings. `out` has room for
 * SENSOR_READINGS. */
enum { SENSOR_READINGS = 2048 };
size_t sensor_read(enum sensor sensor, const struct pji_channel *channel, const double *truth,
                   struct pji_prng *prng, double from_ns, double to_ns, struct pji_reading *out);

#endif
