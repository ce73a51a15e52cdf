/* platform/clock.h - the system's clocks for what is not measured: deadlines, records of the lab,
 * what a person sees. A measurement reads its clock through struct pji_platform.
 */
#ifndef PJI_PLATFORM_CLOCK_H
#define PJI_PLATFORM_CLOCK_H

#include "core/units.h"

#include <time.h>

/* Nanoseconds on CLOCK_MONOTONIC, CLOCK_REALTIME, …; see clock_gettime(2). */
static inline int64_t pji_clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * PJI_NS_PER_S + t.tv_nsec;
}

#endif
