/* sources/rapl_counters.h - one pass over energy counters that are read one after the other. */
#ifndef PJI_SOURCES_RAPL_COUNTERS_H
#define PJI_SOURCES_RAPL_COUNTERS_H

#include "meter/source.h"

struct pji_rapl_counter {
    int handle;
    int32_t channel;
    bool gone;
    double count_uj; /* of a perf event: one count; else unused */
    int64_t t_ns;
    int64_t value; /* errno when status is not OK */
    enum pji_reading_status status;
};

/* 0 and the energy, or a negative errno. */
typedef int pji_rapl_read_fn(const struct pji_platform *platform,
                             const struct pji_rapl_counter *counter, int64_t *energy_uj);

/* Puts one reading for each counter that is not gone. Counters that were read within 0.1 ms get one
 * time, the middle of the pass. */
void pji_rapl_counters_read(const struct pji_platform *platform, struct pji_rapl_counter *counters,
                            size_t n, pji_rapl_read_fn *read, struct pji_reading_sink *sink);
void pji_rapl_counters_close(const struct pji_platform *platform,
                             const struct pji_rapl_counter *counters, size_t n);

#endif
