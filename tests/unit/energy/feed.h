/* feed.h - short ways to build channels and feed readings in the tests of energy/. */
#ifndef FEED_H
#define FEED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "energy/trace.h"

#define MS INT64_C(1000000)

/* A package counter: 1 ms refresh, quantum 61 uJ, 262 144 J modulus, 500 W cap. */
static inline struct pji_channel counter_channel(void)
{
    struct pji_channel c = {.name = "rapl:package-0",
                            .source = "rapl_powercap",
                            .domain = "package-0",
                            .parent = "machine",
                            .domain_kind = PJI_DOMAIN_PACKAGE,
                            .kind = PJI_COUNTER,
                            .role = PJI_ROLE_ENERGY,
                            .unit = "uJ",
                            .origin = PJ_ORIGIN_COUNTER,
                            .modulus = INT64_C(262143328850),
                            .refresh_ns = MS,
                            .quantum = 61,
                            .cap_mw = 500e3,
                            .companion = -1,
                            .com_id = "rapl:package-0",
                            .device = "some CPU"};
    return c;
}

/* A GPU's power samples: every 20 ms, 700 W. */
static inline struct pji_channel power_channel(void)
{
    struct pji_channel c = {.name = "nvml:0:power",
                            .source = "nvml",
                            .domain = "gpu-0",
                            .parent = "machine",
                            .domain_kind = PJI_DOMAIN_GPU,
                            .kind = PJI_GAUGE,
                            .role = PJI_ROLE_POWER,
                            .unit = "mW",
                            .origin = PJ_ORIGIN_INTEGRATED,
                            .refresh_ns = 20 * MS,
                            .quantum = 1,
                            .cap_mw = 700e3,
                            .companion = -1,
                            .com_id = "nvml:GPU-1",
                            .device = "GPU-1"};
    return c;
}

static inline void series_open(struct pji_series *s, const struct pji_channel *c, bool keep)
{
    struct pj_error err = {0};
    assert_int_equal(pji_series_init(s, c, keep, &err), PJ_OK);
}

static inline void put_status(struct pji_series *s, int64_t t_ns, enum pji_reading_status status,
                              int64_t value)
{
    struct pj_error err = {0};
    struct pji_reading r = {.t_ns = t_ns, .value = value, .status = status};
    assert_int_equal(pji_series_add(s, &r, &err), PJ_OK);
}

static inline void put(struct pji_series *s, int64_t t_ns, int64_t value)
{
    put_status(s, t_ns, PJI_READ_OK, value);
}

static inline struct pj_energy total(const struct pji_series *s)
{
    struct pj_energy e;
    pji_series_total(s, NULL, &e);
    return e;
}

static inline struct pj_energy window(const struct pji_series *s, int64_t start_ns, int64_t end_ns)
{
    struct pj_energy e;
    pji_series_window(s, NULL, start_ns, end_ns, &e);
    return e;
}

static inline void near_or_fail(double a, double b, double tolerance, const char *file, int line)
{
    if (!(fabs(a - b) <= tolerance)) {
        print_error("%.17g is not within %g of %.17g\n", a, tolerance, b);
        _fail(file, line);
    }
}
#define assert_near(a, b, tolerance) near_or_fail(a, b, tolerance, __FILE__, __LINE__)

#endif
