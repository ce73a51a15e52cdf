/* load/arrival.c - see arrival.h. Gamma variates: G. Marsaglia and W. W. Tsang, ACM TOMS 26 (2000)
 * 363, doi:10.1145/358407.358414; shapes below 1 by their remark (shape + 1, times U^(1/shape)). A
 * poisson process of changing rate is a unit process run through the inverse of the cumulated rate
 * (E. Cinlar, Introduction to Stochastic Processes, 1975, chapter 4.7).
 */
#include "load/arrival.h"

#include "core/array.h"
#include "core/prng.h"
#include "core/units.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { LONGEST_H = 1000 };

static const char *const names[PJI_ARRIVAL_KINDS] = {
    [PJI_ARRIVAL_CLOSED] = "closed",   [PJI_ARRIVAL_CONSTANT] = "constant",
    [PJI_ARRIVAL_POISSON] = "poisson", [PJI_ARRIVAL_GAMMA] = "gamma",
    [PJI_ARRIVAL_ON_OFF] = "on-off",   [PJI_ARRIVAL_RAMP] = "ramp",
    [PJI_ARRIVAL_TRACE] = "trace",
};

const char *pji_arrival_name(enum pji_arrival_kind kind)
{
    return names[kind];
}

/* Mean 1. */
static double gamma_gap(struct pji_prng *prng, double shape)
{
    double boost = 1.0, a = shape;
    if (shape < 1.0) {
        boost = pow(1.0 - pji_prng_unit(prng), 1.0 / shape);
        a = shape + 1.0;
    }
    double d = a - 1.0 / 3.0, c = 1.0 / sqrt(9.0 * d);
    for (;;) {
        double x = pji_prng_normal(prng);
        double v = 1.0 + c * x;
        if (v <= 0.0)
            continue;
        v = v * v * v;
        double u = 1.0 - pji_prng_unit(prng);
        if (log(u) < 0.5 * x * x + d - d * v + d * log(v))
            return d * v * boost / shape;
    }
}

/* On periods laid end to end, back on the clock. */
static double with_off_periods(const struct pji_arrival *a, double on_time_s)
{
    double on_s = pji_s_from_ns(a->on_ns), off_s = pji_s_from_ns(a->off_ns);
    return on_time_s + floor(on_time_s / on_s) * off_s;
}

/* The time at which a rate that goes from `rate` to `to_rate` has brought so many arrivals. */
static double ramp_time(const struct pji_arrival *a, double arrivals)
{
    double over_s = pji_s_from_ns(a->over_ns);
    double slope = (a->to_rate_per_s - a->rate_per_s) / over_s;
    double in_ramp = 0.5 * (a->rate_per_s + a->to_rate_per_s) * over_s;
    if (arrivals >= in_ramp)
        return over_s + (arrivals - in_ramp) / a->to_rate_per_s;
    double root = sqrt(fmax(0.0, a->rate_per_s * a->rate_per_s + 2.0 * slope * arrivals));
    /* this form of the quadratic's root loses no digits when the slope is small */
    return 2.0 * arrivals / (a->rate_per_s + root);
}

/* Due time of request i > 0; *sum is the state of the renewal process. */
static double next_s(const struct pji_arrival *a, struct pji_prng *prng, size_t i, double *sum)
{
    switch (a->kind) {
    case PJI_ARRIVAL_CONSTANT:
        return (double)i / a->rate_per_s;
    case PJI_ARRIVAL_POISSON:
        return *sum += pji_prng_exponential(prng) / a->rate_per_s;
    case PJI_ARRIVAL_GAMMA:
        return *sum += gamma_gap(prng, a->burstiness) / a->rate_per_s;
    case PJI_ARRIVAL_ON_OFF:
        *sum += pji_prng_exponential(prng) / a->rate_per_s;
        return with_off_periods(a, *sum);
    case PJI_ARRIVAL_RAMP:
        *sum += pji_prng_exponential(prng);
        return ramp_time(a, *sum);
    case PJI_ARRIVAL_TRACE:
        return pji_s_from_ns(a->times_ns[i] - a->times_ns[0]) / a->speed;
    case PJI_ARRIVAL_CLOSED:
        break;
    }
    return 0.0;
}

static bool positive(double x)
{
    return isfinite(x) && x > 0.0;
}

static pj_status check(const struct pji_arrival *a, size_t n, struct pj_error *err)
{
    bool good = true;
    switch (a->kind) {
    case PJI_ARRIVAL_CLOSED:
        break;
    case PJI_ARRIVAL_CONSTANT:
    case PJI_ARRIVAL_POISSON:
        good = positive(a->rate_per_s);
        break;
    case PJI_ARRIVAL_GAMMA:
        good = positive(a->rate_per_s) && positive(a->burstiness);
        break;
    case PJI_ARRIVAL_ON_OFF:
        good = positive(a->rate_per_s) && a->on_ns > 0 && a->off_ns >= 0;
        break;
    case PJI_ARRIVAL_RAMP:
        good = isfinite(a->rate_per_s) && a->rate_per_s >= 0.0 && positive(a->to_rate_per_s) &&
               a->over_ns > 0;
        break;
    case PJI_ARRIVAL_TRACE:
        good = positive(a->speed);
        if (good && a->n_times < n)
            return pji_fail(err, PJ_EINVAL, "the trace has %zu times for %zu requests", a->n_times,
                            n);
        break;
    }
    if (good)
        return PJ_OK;
    return pji_fail(err, PJ_EINVAL, "a %s load has a parameter that is not above 0",
                    pji_arrival_name(a->kind));
}

pj_status pji_arrival_schedule(const struct pji_arrival *arrival, size_t n, uint64_t seed,
                               const char *stream, int64_t **due_ns, struct pj_error *err)
{
    const double most_s = LONGEST_H * 3600.0;
    *due_ns = NULL;
    pj_status status = check(arrival, n, err);
    if (status || arrival->kind == PJI_ARRIVAL_CLOSED)
        return status;
    int64_t *due = pji_zalloc(n + 1, sizeof *due, err);
    if (!due)
        return PJ_ENOMEM;
    struct pji_prng prng;
    double sum = 0.0;
    pji_prng_init(&prng, seed, stream);
    for (size_t i = 1; i < n; i++) {
        double t_s = next_s(arrival, &prng, i, &sum);
        if (!(t_s >= 0.0 && t_s <= most_s)) {
            free(due);
            return pji_fail(err, PJ_EINVAL,
                            "request %zu of this %s load would be due after more than %d hours",
                            i + 1, pji_arrival_name(arrival->kind), (int)LONGEST_H);
        }
        due[i] = (int64_t)llround(t_s * (double)PJI_NS_PER_S);
    }
    *due_ns = due;
    return PJ_OK;
}

double pji_arrival_span_s(const struct pji_arrival *a, size_t n)
{
    double gaps = n > 0 ? (double)(n - 1) : 0.0;
    switch (a->kind) {
    case PJI_ARRIVAL_CONSTANT:
    case PJI_ARRIVAL_POISSON:
    case PJI_ARRIVAL_GAMMA:
        return gaps / a->rate_per_s;
    case PJI_ARRIVAL_ON_OFF:
        return with_off_periods(a, gaps / a->rate_per_s);
    case PJI_ARRIVAL_RAMP:
        return ramp_time(a, gaps);
    case PJI_ARRIVAL_TRACE:
        if (n > 0 && n <= a->n_times)
            return pji_s_from_ns(a->times_ns[n - 1] - a->times_ns[0]) / a->speed;
        break;
    case PJI_ARRIVAL_CLOSED:
        break;
    }
    return (double)NAN;
}

pj_status pji_arrival_digest(const int64_t *due_ns, size_t n, char hex[PJI_SHA256_HEX],
                             struct pj_error *err)
{
    static const char head[] = "perjoule schedule 1\n";
    struct pji_sha256 *sha = NULL;
    pj_status status = pji_sha256_new(&sha, err);
    if (status == PJ_OK)
        status = pji_sha256_add(sha, head, sizeof head - 1, err);
    for (size_t i = 0; i < n && status == PJ_OK; i++) {
        char line[32];
        int len = snprintf(line, sizeof line, "%lld\n", (long long)due_ns[i]);
        status = pji_sha256_add(sha, line, (size_t)len, err);
    }
    if (status == PJ_OK)
        status = pji_sha256_finish(sha, hex, err);
    pji_sha256_free(sha);
    return status;
}
