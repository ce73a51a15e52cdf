/* load/arrival.h - when the requests of an open loop are due: pure, seeded, the same draws on every
 * platform (core/prng.h).
 *
 * The first request is due at 0, the rest follow; nothing is rescaled afterwards, so the mean rate
 * of a drawn schedule is random, as that of its process is. Processes:
 *   constant  one every 1/rate
 *   poisson   exponential gaps with mean 1/rate
 *   gamma     gamma gaps with mean 1/rate and shape `burstiness`: their coefficient of variation is
 *             1/sqrt(burstiness), so 1 is poisson, below 1 is burstier and above 1 more even
 *   on-off    poisson at `rate` while on, nothing while off, beginning with an on period
 *   ramp      poisson whose rate goes from rate to to_rate in a straight line over `over_ns` and
 *             stays there: its cumulated rate, inverted at the points of a unit process
 *   trace     given times, less the first one, divided by `speed`
 */
#ifndef PJI_LOAD_ARRIVAL_H
#define PJI_LOAD_ARRIVAL_H

#include "core/digest.h"
#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pji_arrival_kind {
    PJI_ARRIVAL_CLOSED, /* no schedule: a request is due when a stream is free */
    PJI_ARRIVAL_CONSTANT,
    PJI_ARRIVAL_POISSON,
    PJI_ARRIVAL_GAMMA,
    PJI_ARRIVAL_ON_OFF,
    PJI_ARRIVAL_RAMP,
    PJI_ARRIVAL_TRACE
};
enum { PJI_ARRIVAL_KINDS = PJI_ARRIVAL_TRACE + 1 };

/* "closed", "constant", "poisson", "gamma", "on-off", "ramp", "trace". */
const char *pji_arrival_name(enum pji_arrival_kind kind);

struct pji_arrival {
    enum pji_arrival_kind kind;
    double rate_per_s, to_rate_per_s;
    double burstiness;
    int64_t on_ns, off_ns, over_ns;
    const int64_t *times_ns; /* trace: ascending, n_times of them; borrowed */
    size_t n_times;
    double speed;
};

/* Due times of n requests, ascending from 0; caller frees. A closed loop has none (*due_ns NULL).
 * PJ_EINVAL: a parameter outside its domain, a trace of fewer than n times, or a schedule longer
 * than 1000 hours. */
pj_status pji_arrival_schedule(const struct pji_arrival *arrival, size_t n, uint64_t seed,
                               const char *stream, int64_t **due_ns, struct pj_error *err);

/* Mean time from the first to the last of n requests; NaN: a closed loop, or a trace of fewer
 * times.
 */
double pji_arrival_span_s(const struct pji_arrival *arrival, size_t n);

/* SHA-256 over "perjoule schedule 1\n" and each due time in ns with a line end. */
pj_status pji_arrival_digest(const int64_t *due_ns, size_t n, char hex[PJI_SHA256_HEX],
                             struct pj_error *err);

#endif
