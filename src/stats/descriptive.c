#include "stats/descriptive.h"

#include "core/array.h"
#include "stats/moments.h"
#include "stats/quantile.h"
#include "stats/student.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void clear(struct pji_descriptive *d, size_t n)
{
    const double none = (double)NAN;
    *d = (struct pji_descriptive){.n = n,
                                  .sum = 0,
                                  .mean = none,
                                  .median = none,
                                  .var = none,
                                  .sd = none,
                                  .se = none,
                                  .cv = none,
                                  .min = none,
                                  .max = none,
                                  .range = none,
                                  .q05 = none,
                                  .q1 = none,
                                  .q3 = none,
                                  .q95 = none,
                                  .q99 = none,
                                  .iqr = none,
                                  .mad = none,
                                  .mad_raw = none,
                                  .trimmed_mean_10 = none,
                                  .geometric_mean = none,
                                  .ci95_low = none,
                                  .ci95_high = none,
                                  .skewness_g1 = none,
                                  .kurtosis_excess_g2 = none};
}

/* everything that needs the order; sorted is overwritten with distances from the median */
static void order_statistics(struct pji_descriptive *d, double *sorted)
{
    size_t n = d->n;
    d->min = sorted[0];
    d->max = sorted[n - 1];
    d->range = d->max - d->min;
    d->median = pji_quantile_sorted(sorted, n, 0.5);
    d->q05 = pji_quantile_sorted(sorted, n, 0.05);
    d->q1 = pji_quantile_sorted(sorted, n, 0.25);
    d->q3 = pji_quantile_sorted(sorted, n, 0.75);
    d->q95 = pji_quantile_sorted(sorted, n, 0.95);
    d->q99 = pji_quantile_sorted(sorted, n, 0.99);
    d->iqr = d->q3 - d->q1;
    size_t cut = n / 10;
    d->trimmed_mean_10 = pji_mean(sorted + cut, n - 2 * cut);
    for (size_t i = 0; i < n; i++)
        sorted[i] = fabs(sorted[i] - d->median);
    pji_sort(sorted, n);
    d->mad_raw = pji_quantile_sorted(sorted, n, 0.5);
    d->mad = 1.4826 * d->mad_raw;
}

static double geometric(const double *x, size_t n)
{
    long double logs = 0;
    for (size_t i = 0; i < n; i++) {
        if (!(x[i] > 0))
            return (double)NAN;
        logs += logl((long double)x[i]);
    }
    return (double)expl(logs / (long double)n);
}

static void shape(struct pji_descriptive *d, const double *x)
{
    long double centre = 0;
    for (size_t i = 0; i < d->n; i++)
        centre += (long double)x[i];
    centre /= (long double)d->n;
    long double m2 = 0;
    long double m3 = 0;
    long double m4 = 0;
    for (size_t i = 0; i < d->n; i++) {
        long double e = (long double)x[i] - centre;
        m2 += e * e;
        m3 += e * e * e;
        m4 += e * e * e * e;
    }
    m2 /= (long double)d->n;
    m3 /= (long double)d->n;
    m4 /= (long double)d->n;
    d->skewness_g1 = (double)(m3 / (m2 * sqrtl(m2)));
    d->kurtosis_excess_g2 = (double)(m4 / (m2 * m2) - 3);
}

static pj_status fill(struct pji_descriptive *d, const double *x)
{
    size_t n = d->n;
    d->sum = pji_sum(x, n);
    d->mean = pji_mean(x, n);
    d->geometric_mean = geometric(x, n);
    if (n < 2)
        return PJI_STATS_FEW;
    d->var = pji_variance(x, n);
    d->sd = sqrt(d->var);
    d->se = d->sd / sqrt((double)n);
    double half = pji_t_quantile(0.975, (double)n - 1) * d->se;
    d->ci95_low = d->mean - half;
    d->ci95_high = d->mean + half;
    if (d->mean != 0)
        d->cv = d->sd / d->mean;
    if (!(d->min < d->max))
        return PJI_STATS_CONSTANT;
    shape(d, x);
    return isnan(d->geometric_mean) || isnan(d->cv) ? PJI_STATS_UNDEFINED : PJ_OK;
}

pj_status pji_describe(const double *x, size_t n, struct pji_descriptive *out, struct pj_error *err)
{
    clear(out, n);
    pj_status rc = pji_check_finite(x, n, "the sample", err);
    if (rc)
        return rc;
    if (n == 0)
        return PJI_STATS_FEW;
    double *sorted = pji_zalloc(n, sizeof *sorted, err);
    if (!sorted)
        return PJ_ENOMEM;
    memcpy(sorted, x, n * sizeof *sorted);
    pji_sort(sorted, n);
    order_statistics(out, sorted);
    free(sorted);
    return fill(out, x);
}
