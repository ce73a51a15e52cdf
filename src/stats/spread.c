#include "stats/spread.h"

#include "core/array.h"
#include "stats/gammadist.h"
#include "stats/moments.h"
#include "stats/normal.h"
#include "stats/oneway.h"
#include "stats/quantile.h"
#include "stats/rank.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

/* |y - centre of its group| in the caller's row order; *distance is the caller's to free */
static pj_status distances(const struct pji_groups *groups, enum pji_centre centre,
                           double **distance, struct pj_error *err)
{
    struct pji_split split;
    *distance = NULL;
    pj_status rc = pji_split_init(&split, groups, err);
    if (rc)
        return rc;
    double *d = pji_zalloc(groups->n + 1, sizeof *d, err);
    if (!d)
        rc = PJ_ENOMEM;
    for (size_t g = 0; !rc && g < split.k; g++) {
        const double *y = pji_split_get(&split, g);
        size_t n = pji_split_n(&split, g);
        double middle = pji_mean(y, n);
        if (centre == PJI_CENTRE_MEDIAN)
            rc = pji_quantile(y, n, 0.5, &middle, err);
        for (size_t i = 0; i < n; i++)
            d[split.row[split.start[g] + i]] = fabs(y[i] - middle);
    }
    pji_split_fini(&split);
    if (rc) {
        free(d);
        return rc;
    }
    *distance = d;
    return PJ_OK;
}

/* Distances that differ by no more than the rounding of the values they were made of are equal. */
static bool all_equal_within(const struct pji_oneway *table, const double *y, size_t n)
{
    long double square = 0;
    for (size_t i = 0; i < n; i++)
        square += (long double)y[i] * (long double)y[i];
    return !((long double)table->ss_within >
             16 * (long double)(DBL_EPSILON * DBL_EPSILON) * square);
}

pj_status pji_levene(const struct pji_groups *groups, enum pji_centre centre,
                     struct pji_levene *out, struct pj_error *err)
{
    const double none = (double)NAN;
    *out = (struct pji_levene){none, none, none, none};
    double *distance;
    pj_status rc = distances(groups, centre, &distance, err);
    if (rc)
        return rc;
    struct pji_groups around = {distance, groups->code, groups->n, groups->k};
    struct pji_oneway table;
    rc = pji_oneway(&around, &table, err);
    if (rc == PJ_OK && all_equal_within(&table, groups->y, groups->n)) {
        table.F = table.p = none;
        rc = PJI_STATS_CONSTANT;
    }
    if (rc >= 0)
        *out = (struct pji_levene){table.F, table.df1, table.df2, table.p};
    free(distance);
    return rc;
}

static pj_status bartlett(const struct pji_split *split, size_t total, struct pji_spread_chisq *out)
{
    if (split->k < 2)
        return PJI_STATS_FEW;
    long double pooled = 0;
    long double logs = 0;
    long double inverse = 0;
    for (size_t g = 0; g < split->k; g++) {
        size_t n = pji_split_n(split, g);
        if (n < 2)
            return PJI_STATS_FEW;
        long double variance = (long double)pji_variance(pji_split_get(split, g), n);
        if (!(variance > 0))
            return PJI_STATS_CONSTANT;
        long double df = (long double)(n - 1);
        pooled += df * variance;
        logs += df * logl(variance);
        inverse += 1 / df;
    }
    long double df = (long double)(total - split->k);
    long double k = (long double)split->k;
    long double ratio = df * logl(pooled / df) - logs;
    out->statistic = (double)(ratio / (1 + (inverse - 1 / df) / (3 * (k - 1))));
    out->df = (double)(k - 1);
    out->p = pji_chisq_upper(out->statistic, out->df);
    return PJ_OK;
}

pj_status pji_bartlett(const struct pji_groups *groups, struct pji_spread_chisq *out,
                       struct pj_error *err)
{
    const double none = (double)NAN;
    *out = (struct pji_spread_chisq){none, none, none};
    struct pji_split split;
    pj_status rc = pji_split_init(&split, groups, err);
    if (rc)
        return rc;
    rc = bartlett(&split, groups->n, out);
    pji_split_fini(&split);
    return rc;
}

/* between-group sum of squares of the scores over their variance */
static pj_status score_test(const struct pji_groups *scores, struct pji_spread_chisq *out,
                            struct pj_error *err)
{
    struct pji_oneway table;
    pj_status rc = pji_oneway(scores, &table, err);
    if (rc < 0 || rc == PJI_STATS_FEW)
        return rc;
    if (!(table.ss_total > 1e-24 * (double)scores->n))
        return PJI_STATS_CONSTANT;
    out->statistic = table.ss_between / (table.ss_total / ((double)scores->n - 1));
    out->df = (double)scores->k - 1;
    out->p = pji_chisq_upper(out->statistic, out->df);
    return PJ_OK;
}

pj_status pji_fligner_killeen(const struct pji_groups *groups, struct pji_spread_chisq *out,
                              struct pj_error *err)
{
    const double none = (double)NAN;
    *out = (struct pji_spread_chisq){none, none, none};
    double *distance;
    pj_status rc = distances(groups, PJI_CENTRE_MEDIAN, &distance, err);
    if (rc)
        return rc;
    double *score = pji_zalloc(groups->n + 1, sizeof *score, err);
    rc = score ? pji_rank(distance, groups->n, score, NULL, err) : PJ_ENOMEM;
    if (!rc) {
        for (size_t i = 0; i < groups->n; i++)
            score[i] = pji_normal_quantile((1 + score[i] / ((double)groups->n + 1)) / 2);
        struct pji_groups scored = {score, groups->code, groups->n, groups->k};
        rc = score_test(&scored, out, err);
    }
    free(score);
    free(distance);
    return rc;
}
