#include "stats/bootstrap.h"

#include "core/array.h"
#include "core/prng.h"
#include "stats/moments.h"
#include "stats/normal.h"
#include "stats/quantile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double pji_statistic_mean(const double *x, size_t n, void *ctx)
{
    (void)ctx;
    return pji_mean(x, n);
}

double pji_statistic_median(const double *x, size_t n, void *ctx)
{
    double *sorted = ctx;
    memcpy(sorted, x, n * sizeof *sorted);
    pji_sort(sorted, n);
    return pji_quantile_sorted(sorted, n, 0.5);
}

struct run {
    const double *x;
    size_t n;
    pji_statistic *statistic;
    void *ctx;
    double *sample;  /* n */
    double *results; /* resamples */
    size_t resamples;
};

static pj_status resample(struct run *r, uint64_t seed)
{
    struct pji_prng prng;
    pji_prng_init(&prng, seed, "bootstrap");
    for (size_t b = 0; b < r->resamples; b++) {
        for (size_t i = 0; i < r->n; i++)
            r->sample[i] = r->x[pji_prng_below(&prng, r->n)];
        r->results[b] = r->statistic(r->sample, r->n, r->ctx);
        if (!isfinite(r->results[b]))
            return PJI_STATS_UNDEFINED;
    }
    pji_sort(r->results, r->resamples);
    return PJ_OK;
}

/* the statistic without value i */
static double without(struct run *r, size_t i)
{
    memcpy(r->sample, r->x, i * sizeof *r->x);
    memcpy(r->sample + i, r->x + i + 1, (r->n - 1 - i) * sizeof *r->x);
    return r->statistic(r->sample, r->n - 1, r->ctx);
}

/* sum of cubes over 6 (sum of squares)^1.5 of the jackknife influences; 0 when they do not vary */
static double acceleration(struct run *r)
{
    long double mean = 0;
    for (size_t i = 0; i < r->n; i++)
        mean += (long double)without(r, i);
    mean /= (long double)r->n;
    long double square = 0;
    long double cube = 0;
    for (size_t i = 0; i < r->n; i++) {
        long double d = mean - (long double)without(r, i);
        square += d * d;
        cube += d * d * d;
    }
    return square > 0 ? (double)(cube / (6 * square * sqrtl(square))) : 0;
}

static double share_below(const struct run *r, double estimate)
{
    double below = 0;
    for (size_t b = 0; b < r->resamples; b++)
        below += r->results[b] < estimate ? 1 : r->results[b] == estimate ? 0.5 : 0;
    return below / (double)r->resamples;
}

/* the corrected level of one limit */
static double corrected(const struct pji_bca *o, double z)
{
    double sum = o->bias_z0 + z;
    return pji_normal_cdf(o->bias_z0 + sum / (1 - o->acceleration * sum));
}

static pj_status limits(struct run *r, double level, struct pji_bca *out)
{
    size_t last = r->resamples - 1;
    if (!(r->results[0] < r->results[last])) {
        out->low = out->high = r->results[0];
        return PJI_STATS_CONSTANT;
    }
    double share = share_below(r, out->estimate);
    if (!(share > 0 && share < 1))
        return PJI_STATS_UNDEFINED;
    out->bias_z0 = pji_normal_quantile(share);
    out->acceleration = acceleration(r);
    double z = pji_normal_quantile(0.5 + level / 2);
    out->low = pji_quantile_sorted(r->results, r->resamples, corrected(out, -z));
    out->high = pji_quantile_sorted(r->results, r->resamples, corrected(out, z));
    return PJ_OK;
}

pj_status pji_bca(const double *x, size_t n, pji_statistic *statistic, void *ctx, double level,
                  size_t resamples, uint64_t seed, struct pji_bca *out, struct pj_error *err)
{
    const double none = (double)NAN;
    *out = (struct pji_bca){none, none, none, none, none};
    if (!(level > 0 && level < 1))
        return pji_fail(err, PJ_EINVAL, "a confidence level of %g is not between 0 and 1", level);
    if (resamples < 100)
        return pji_fail(err, PJ_EINVAL,
                        "%zu resamples are too few for an interval: take 100 or "
                        "more",
                        resamples);
    pj_status rc = pji_check_finite(x, n, "bootstrap", err);
    if (rc)
        return rc;
    if (n < 3)
        return PJI_STATS_FEW;
    struct run r = {x,
                    n,
                    statistic,
                    ctx,
                    pji_zalloc(n, sizeof(double), err),
                    pji_zalloc(resamples, sizeof(double), err),
                    resamples};
    if (r.sample && r.results) {
        out->estimate = statistic(x, n, ctx);
        rc = resample(&r, seed);
        if (!rc)
            rc = limits(&r, level, out);
    } else {
        rc = PJ_ENOMEM;
    }
    free(r.sample);
    free(r.results);
    return rc;
}
