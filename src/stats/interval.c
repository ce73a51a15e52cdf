#include "stats/interval.h"

#include "stats/moments.h"
#include "stats/normal.h"
#include "stats/student.h"

#include <math.h>
#include <stdbool.h>

static bool level_ok(double level)
{
    return level > 0 && level < 1;
}

void pji_wilson(size_t successes, size_t n, double level, double *lo, double *hi)
{
    *lo = 0;
    *hi = 1;
    if (n == 0 || successes > n || !level_ok(level))
        return;
    double z = pji_normal_quantile(0.5 + level / 2);
    double count = (double)n;
    double p = (double)successes / count;
    double shrink = 1 + z * z / count;
    double centre = (p + z * z / (2 * count)) / shrink;
    double half = z / shrink * sqrt(p * (1 - p) / count + z * z / (4 * count * count));
    if (successes > 0)
        *lo = centre - half;
    if (successes < n)
        *hi = centre + half;
}

pj_status pji_mean_ci(const double *x, size_t n, double level, struct pji_mean_ci *out,
                      struct pj_error *err)
{
    const double missing = (double)NAN;
    *out =
        (struct pji_mean_ci){.mean = missing, .sd = missing, .lo = missing, .hi = missing, .n = n};
    if (!level_ok(level))
        return pji_fail(err, PJ_EINVAL, "a confidence level of %g is not between 0 and 1", level);
    pj_status rc = pji_check_finite(x, n, "the values of a mean", err);
    if (rc)
        return rc;
    if (n == 0)
        return PJI_STATS_FEW;
    out->mean = pji_mean(x, n);
    if (n < 2)
        return PJI_STATS_FEW;
    out->sd = sqrt(pji_variance(x, n));
    double half = pji_t_quantile(0.5 + level / 2, (double)n - 1) * out->sd / sqrt((double)n);
    out->lo = out->mean - half;
    out->hi = out->mean + half;
    return PJ_OK;
}

static pj_status check_ratio(const double *a, const double *b, size_t n, double u, double level,
                             struct pj_error *err)
{
    if (!level_ok(level))
        return pji_fail(err, PJ_EINVAL, "a confidence level of %g is not between 0 and 1", level);
    if (!(u >= 0) || isinf(u))
        return pji_fail(err, PJ_EINVAL, "a common relative uncertainty of %g is not a number >= 0",
                        u);
    for (size_t i = 0; i < n; i++) {
        if (!(a[i] > 0 && b[i] > 0) || isinf(a[i]) || isinf(b[i]))
            return pji_fail(err, PJ_EINVAL,
                            "block %zu: a ratio needs two positive values, not %g and %g", i, a[i],
                            b[i]);
    }
    return PJ_OK;
}

/* mean and sample variance of ln(a/b), in long double and two passes */
static void log_moments(const double *a, const double *b, size_t n, double *mean, double *variance)
{
    long double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += logl((long double)a[i] / (long double)b[i]);
    long double centre = sum / (long double)n;
    long double square = 0;
    for (size_t i = 0; i < n; i++) {
        long double d = logl((long double)a[i] / (long double)b[i]) - centre;
        square += d * d;
    }
    *mean = (double)centre;
    *variance = n > 1 ? (double)(square / (long double)(n - 1)) : (double)NAN;
}

pj_status pji_ratio_ci(const double *a, const double *b, size_t n, double u_rel_common,
                       double level, struct pji_ratio_ci *out, struct pj_error *err)
{
    const double missing = (double)NAN;
    *out = (struct pji_ratio_ci){.ratio = missing,
                                 .lo = missing,
                                 .hi = missing,
                                 .sd_log = missing,
                                 .u_log = missing,
                                 .df = missing,
                                 .p = missing,
                                 .n = n};
    pj_status rc = check_ratio(a, b, n, u_rel_common, level, err);
    if (rc)
        return rc;
    if (n == 0)
        return PJI_STATS_FEW;
    double mean;
    double variance;
    log_moments(a, b, n, &mean, &variance);
    out->ratio = exp(mean);
    if (n < 2)
        return PJI_STATS_FEW;
    double random = variance / (double)n;
    double total = random + u_rel_common * u_rel_common;
    double share = total > 0 ? random / total : 1;
    out->sd_log = sqrt(variance);
    out->u_log = sqrt(total);
    out->df = ((double)n - 1) / (share * share);
    if (total <= 0) {
        out->lo = out->hi = out->ratio;
        out->p = mean == 0 ? 1 : 0;
        return PJI_STATS_CONSTANT;
    }
    double half = pji_t_quantile(0.5 + level / 2, out->df) * out->u_log;
    out->lo = exp(mean - half);
    out->hi = exp(mean + half);
    out->p = pji_t_two_sided(mean / out->u_log, out->df);
    return PJ_OK;
}
