/* See rapl_counters.h. Counters of one moment belong together: their sums and differences are
 * exact only when all have the same time, so the reading of a short pass is not spread over it.
 */
#include "sources/rapl_counters.h"

#include "core/units.h"

#include <errno.h>

#define PASS_NS (100 * PJI_NS_PER_US)

static void read_one(const struct pji_platform *platform, struct pji_rapl_counter *counter,
                     pji_rapl_read_fn *read)
{
    int failed = read(platform, counter, &counter->value);

    counter->status = PJI_READ_OK;
    if (failed) {
        counter->status = failed == -ENODEV ? PJI_READ_GONE : PJI_READ_FAILED;
        counter->value = -failed;
    }
}

void pji_rapl_counters_read(const struct pji_platform *platform, struct pji_rapl_counter *counters,
                            size_t n, pji_rapl_read_fn *read, struct pji_reading_sink *sink)
{
    int64_t start_ns = pji_now_ns(platform);
    int64_t before_ns = start_ns;
    bool together;

    for (size_t i = 0; i < n; i++) {
        struct pji_rapl_counter *counter = &counters[i];
        int64_t after_ns;

        if (counter->gone)
            continue;
        read_one(platform, counter, read);
        after_ns = pji_now_ns(platform);
        counter->t_ns = before_ns + (after_ns - before_ns) / 2;
        before_ns = after_ns;
    }
    together = before_ns - start_ns <= PASS_NS;
    for (size_t i = 0; i < n; i++) {
        struct pji_rapl_counter *counter = &counters[i];

        if (counter->gone)
            continue;
        pji_reading_put(sink, counter->channel,
                        together ? start_ns + (before_ns - start_ns) / 2 : counter->t_ns,
                        counter->status, counter->value);
        counter->gone = counter->status == PJI_READ_GONE;
    }
}

void pji_rapl_counters_close(const struct pji_platform *platform,
                             const struct pji_rapl_counter *counters, size_t n)
{
    for (size_t i = 0; i < n; i++)
        platform->ops->close(platform->context, counters[i].handle);
}
