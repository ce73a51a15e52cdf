#include "stats/oneway.h"

#include "stats/fisher.h"
#include "stats/moments.h"
#include "stats/noncentral.h"

#include <float.h>
#include <math.h>

static void sums_of_squares(const struct pji_split *split, size_t n, struct pji_oneway *out)
{
    double mean = pji_mean(split->values, n);
    long double between = 0;
    long double within = 0;
    for (size_t g = 0; g < split->k; g++) {
        const double *y = pji_split_get(split, g);
        size_t count = pji_split_n(split, g);
        long double shift = (long double)pji_mean(y, count) - (long double)mean;
        between += (long double)count * shift * shift;
        within += (long double)pji_central_ss(y, count);
    }
    out->ss_between = (double)between;
    out->ss_within = (double)within;
    out->ss_total = (double)(between + within);
}

/* A residual sum of squares that is only rounding of the values themselves. */
static int negligible(double ss_within, const double *y, size_t n)
{
    long double square = 0;
    for (size_t i = 0; i < n; i++)
        square += (long double)y[i] * (long double)y[i];
    return !((long double)ss_within > 16 * (long double)(DBL_EPSILON * DBL_EPSILON) * square);
}

static pj_status tests(struct pji_oneway *o, const double *y)
{
    if (o->k < 2)
        return PJI_STATS_FEW;
    if (o->n <= o->k)
        return PJI_STATS_SATURATED;
    o->df1 = (double)o->k - 1;
    o->df2 = (double)(o->n - o->k);
    o->ms_between = o->ss_between / o->df1;
    o->ms_within = o->ss_within / o->df2;
    if (negligible(o->ss_total, y, o->n))
        return PJI_STATS_CONSTANT;
    o->eta2 = o->ss_between / o->ss_total;
    double excess = o->ss_between - o->df1 * o->ms_within;
    o->omega2 = excess / (o->ss_total + o->ms_within);
    o->epsilon2 = excess / o->ss_total;
    if (negligible(o->ss_within, y, o->n))
        return PJI_STATS_CONSTANT;
    o->cohens_f = sqrt(o->ss_between / o->ss_within);
    o->F = o->ms_between / o->ms_within;
    o->p = pji_f_upper(o->F, o->df1, o->df2);
    return PJ_OK;
}

pj_status pji_oneway(const struct pji_groups *groups, struct pji_oneway *out, struct pj_error *err)
{
    const double none = (double)NAN;
    *out = (struct pji_oneway){.n = groups->n,
                               .k = groups->k,
                               .ms_between = none,
                               .ms_within = none,
                               .df1 = none,
                               .df2 = none,
                               .F = none,
                               .p = none,
                               .eta2 = none,
                               .omega2 = none,
                               .epsilon2 = none,
                               .cohens_f = none};
    struct pji_split split;
    pj_status rc = pji_split_init(&split, groups, err);
    if (rc)
        return rc;
    sums_of_squares(&split, groups->n, out);
    pji_split_fini(&split);
    return tests(out, groups->y);
}

static pj_status welch(const struct pji_split *split, struct pji_welch *out)
{
    if (split->k < 2)
        return PJI_STATS_FEW;
    long double total = 0;
    long double mean = 0;
    for (size_t g = 0; g < split->k; g++) {
        size_t n = pji_split_n(split, g);
        if (n < 2)
            return PJI_STATS_FEW;
        double variance = pji_variance(pji_split_get(split, g), n);
        if (!(variance > 0))
            return PJI_STATS_CONSTANT;
        long double weight = (long double)n / (long double)variance;
        total += weight;
        mean += weight * (long double)pji_mean(pji_split_get(split, g), n);
    }
    mean /= total;
    long double between = 0;
    long double correction = 0;
    for (size_t g = 0; g < split->k; g++) {
        size_t n = pji_split_n(split, g);
        const double *y = pji_split_get(split, g);
        long double weight = (long double)n / (long double)pji_variance(y, n);
        long double shift = (long double)pji_mean(y, n) - mean;
        long double share = 1 - weight / total;
        between += weight * shift * shift;
        correction += share * share / (long double)(n - 1);
    }
    long double k = (long double)split->k;
    correction /= k * k - 1;
    out->df1 = (double)(k - 1);
    out->df2 = (double)(1 / (3 * correction));
    out->F = (double)(between / ((k - 1) * (1 + 2 * (k - 2) * correction)));
    out->p = pji_f_upper(out->F, out->df1, out->df2);
    return PJ_OK;
}

pj_status pji_welch_anova(const struct pji_groups *groups, struct pji_welch *out,
                          struct pj_error *err)
{
    const double none = (double)NAN;
    *out = (struct pji_welch){none, none, none, none};
    struct pji_split split;
    pj_status rc = pji_split_init(&split, groups, err);
    if (rc)
        return rc;
    rc = welch(&split, out);
    pji_split_fini(&split);
    return rc;
}

pj_status pji_eta2_ci(double F, double df1, double df2, double level, struct pji_eta2_ci *out,
                      struct pj_error *err)
{
    const double none = (double)NAN;
    *out = (struct pji_eta2_ci){none, none, none, none};
    if (!(level > 0 && level < 1))
        return pji_fail(err, PJ_EINVAL, "a confidence level of %g is not between 0 and 1", level);
    if (!isfinite(F) || !(df1 > 0) || !(df2 > 0))
        return PJI_STATS_UNDEFINED;
    double low = pji_ncf_ncp(F, df1, df2, 0.5 + level / 2);
    double high = pji_ncf_ncp(F, df1, df2, 0.5 - level / 2);
    double count = df1 + df2 + 1;
    *out = (struct pji_eta2_ci){low / (low + df2), high / (high + df2), low / (low + count),
                                high / (high + count)};
    return PJ_OK;
}
