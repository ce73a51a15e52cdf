/* course.h - a device whose power is scripted: phases of known power and length on a fine grid, and
 * sensors that read it. The truth of every window is known to a microjoule.
 */
#ifndef COURSE_H
#define COURSE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/prng.h"
#include "energy/series.h"

#define MS   INT64_C(1000000)
#define GRID INT64_C(200000) /* ns */

struct course {
    double *uj; /* cumulative, at the end of each grid cell */
    size_t n, cap;
};

static inline void course_init(struct course *c, int64_t longest_ns)
{
    *c = (struct course){.cap = (size_t)(longest_ns / GRID) + 2};
    c->uj = calloc(c->cap, sizeof *c->uj);
    assert_non_null(c->uj);
    c->n = 1;
}

static inline int64_t course_end_ns(const struct course *c)
{
    return (int64_t)(c->n - 1) * GRID;
}

/* Goes on with that power until t_ns (rounded to the grid). */
static inline void course_until(struct course *c, int64_t t_ns, double power_w)
{
    while (course_end_ns(c) < t_ns) {
        assert_true(c->n < c->cap);
        c->uj[c->n] = c->uj[c->n - 1] + power_w * (double)GRID / 1e3;
        c->n++;
    }
}

static inline double course_uj(const struct course *c, int64_t t_ns)
{
    if (t_ns <= 0)
        return (double)t_ns * (c->uj[1] / (double)GRID);
    size_t k = (size_t)(t_ns / GRID);
    if (k + 1 >= c->n)
        return c->uj[c->n - 1];
    double x = (double)(t_ns % GRID) / (double)GRID;
    return c->uj[k] + (c->uj[k + 1] - c->uj[k]) * x;
}

static inline double course_j(const struct course *c, int64_t from_ns, int64_t to_ns)
{
    return (course_uj(c, to_ns) - course_uj(c, from_ns)) / 1e6;
}

static inline void course_fini(struct course *c)
{
    free(c->uj);
}

enum sensor { SENSOR_RAPL, SENSOR_SAMPLES, SENSOR_COUNTER, SENSORS };

static inline const char *sensor_name(enum sensor sensor)
{
    static const char *const names[] = {"counter read every 100 ms", "power samples of 20 ms",
                                        "counter that steps every 100 ms"};
    return names[sensor];
}

static inline struct pji_channel sensor_channel(enum sensor sensor)
{
    struct pji_channel c = {.domain_kind = PJI_DOMAIN_GPU,
                            .kind = sensor == SENSOR_SAMPLES ? PJI_GAUGE : PJI_COUNTER,
                            .role = sensor == SENSOR_SAMPLES ? PJI_ROLE_POWER : PJI_ROLE_ENERGY,
                            .origin =
                                sensor == SENSOR_SAMPLES ? PJ_ORIGIN_INTEGRATED : PJ_ORIGIN_COUNTER,
                            .refresh_ns = sensor == SENSOR_RAPL      ? MS
                                          : sensor == SENSOR_SAMPLES ? 20 * MS
                                                                     : 100 * MS,
                            .quantum = 1,
                            .companion = -1};
    snprintf(c.name, sizeof c.name, "gpu");
    snprintf(c.domain, sizeof c.domain, "gpu-0");
    snprintf(c.parent, sizeof c.parent, "machine");
    snprintf(c.com_id, sizeof c.com_id, "gpu");
    if (sensor == SENSOR_SAMPLES) { /* as an H200's: sources/nvml_rows.c */
        c.lag_ns = 20 * MS;
        c.average_ns = 20 * MS;
        c.edge_u_ns = (int64_t)(40e6 / sqrt(12));
    }
    if (sensor == SENSOR_COUNTER) {
        c.lag_ns = 50 * MS;
        c.edge_u_ns = 10 * MS;
    }
    return c;
}

static inline void course_put(struct pji_series *s, int64_t t_ns, double value)
{
    struct pji_reading r = {.t_ns = t_ns, .value = (int64_t)value};
    assert_int_equal(pji_series_add(s, &r, NULL), PJ_OK);
}

/* All readings of [0, end_ns]; what the channel states about lag and age is true of them, but not
 * exact. */
static inline void course_read(const struct course *c, enum sensor sensor, struct pji_prng *rng,
                               int64_t end_ns, struct pji_series *s)
{
    struct pji_channel channel = sensor_channel(sensor);
    double unit = pji_prng_unit(rng);
    assert_int_equal(pji_series_init(s, &channel, true, NULL), PJ_OK);
    int64_t step_ns = sensor == SENSOR_SAMPLES ? 20 * MS : 100 * MS;
    int64_t at_ns = -step_ns + (int64_t)(unit * (double)step_ns);
    int64_t delay_ns = sensor == SENSOR_SAMPLES   ? (int64_t)((pji_prng_unit(rng) - 0.5) * 40e6)
                       : sensor == SENSOR_COUNTER ? (int64_t)(pji_prng_normal(rng) * 10e6)
                                                  : 0;
    int64_t before_ns = at_ns - step_ns;
    for (; at_ns < end_ns + 3 * step_ns; at_ns += step_ns) {
        int64_t jitter_ns = (int64_t)((pji_prng_unit(rng) - 0.5) * 2e6);
        if (sensor == SENSOR_SAMPLES) {
            double mw = (course_uj(c, at_ns - delay_ns) - course_uj(c, before_ns - delay_ns)) /
                        (double)(at_ns - before_ns) * 1e6;
            course_put(s, at_ns, mw);
        } else if (sensor == SENSOR_COUNTER) { /* read up to 100 ms after it stepped */
            course_put(s, at_ns + (int64_t)(unit * 1e8) + jitter_ns,
                       1e9 + course_uj(c, at_ns + (int64_t)(unit * 1e8) - 50 * MS - delay_ns));
        } else {
            course_put(s, at_ns + jitter_ns, 1e9 + course_uj(c, at_ns + jitter_ns));
        }
        before_ns = at_ns;
    }
}

#endif
