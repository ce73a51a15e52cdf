/* Groups of results that are computed only when asked for by name or option: equivalence, bootstrap
 * intervals, power. See analysis/by_extra.h. */
#include "analysis/by_extra.h"

#include "analysis/layout.h"
#include "core/array.h"
#include "core/str.h"
#include "stats/bootstrap.h"
#include "stats/groups.h"
#include "stats/mcnemar.h"
#include "stats/moments.h"
#include "stats/power.h"
#include "stats/ttest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct sample {
    const double *y;
    size_t n;
};

struct request {
    double low, high, alpha, sought; /* sought: share of the times an effect is found */
};

typedef pj_status pair_fn(struct sample a, struct sample b, const struct request *request,
                          json_t *o, struct pj_error *err);

static pj_status each_pair(const struct pji_by *by, const char *group, pair_fn *fill,
                           const struct request *request, json_t **out, json_t *omitted,
                           struct pj_error *err)
{
    struct pji_split split;
    struct pji_groups groups = {by->y, by->code, by->n, by->k};
    pj_status rc = pji_split_init(&split, &groups, err);
    if (rc)
        return rc;
    *out = json_object();
    for (size_t i = 0; rc >= 0 && i < by->k; i++) {
        for (size_t j = i + 1; rc >= 0 && j < by->k; j++) {
            struct pji_str key = {0};
            json_t *o = json_object();
            rc = fill((struct sample){pji_split_get(&split, i), pji_split_n(&split, i)},
                      (struct sample){pji_split_get(&split, j), pji_split_n(&split, j)}, request, o,
                      err);
            pji_str_addf(&key, "%s/%s - %s", group, by->levels[i], by->levels[j]);
            if (rc > 0)
                pji_omit_at(omitted, &key, rc);
            if (rc >= 0 && pji_str_ok(&key, err))
                rc = PJ_ENOMEM;
            pji_put_object(*out, pji_str_text(&key) + (rc < 0 ? 0 : strlen(group) + 1), o);
            pji_str_fini(&key);
        }
    }
    pji_split_fini(&split);
    return rc < 0 ? rc : PJ_OK;
}

/* ---- equivalence ---- */

static pj_status equivalence(struct sample a, struct sample b, const struct request *request,
                             json_t *o, struct pj_error *err)
{
    struct pji_t t;
    struct pji_tost tost;
    /* the interval of level 1 - 2 alpha lies within the limits when both one-sided tests reject */
    pj_status rc = pji_t_welch(a.y, a.n, b.y, b.n, 1 - 2 * request->alpha, &t, err);
    if (rc)
        return rc;
    rc = pji_tost(t.diff, t.se, t.df, request->low, request->high, &tost, err);
    if (rc < 0)
        return rc;
    pji_put(o, "diff", t.diff);
    pji_put(o, "limit_low", request->low);
    pji_put(o, "limit_high", request->high);
    pji_put(o, "df", t.df);
    pji_put(o, "t_low", tost.t_low);
    pji_put(o, "t_high", tost.t_high);
    pji_put(o, "p", tost.p);
    pji_put(o, "ci_low", t.low);
    pji_put(o, "ci_high", t.high);
    pji_put_bool(o, "equivalent", tost.p < request->alpha);
    return rc;
}

pj_status pji_by_equivalence(const struct pji_by *by, double low, double high, double alpha,
                             json_t **out, json_t *omitted, struct pj_error *err)
{
    struct request request = {.low = low, .high = high, .alpha = alpha};
    return each_pair(by, "equivalence", equivalence, &request, out, omitted, err);
}

/* ---- bootstrap ---- */

enum { RESAMPLES = 9999 };

static void put_bca(json_t *o, const char *name, const struct pji_bca *b)
{
    json_t *values = json_object();
    pji_put(values, "estimate", b->estimate);
    pji_put(values, "ci95_low", b->low);
    pji_put(values, "ci95_high", b->high);
    pji_put(values, "bias_z0", b->bias_z0);
    pji_put(values, "acceleration", b->acceleration);
    pji_put_object(o, name, values);
}

static pj_status bootstrap_group(const double *y, size_t n, uint64_t seed, const char *level,
                                 json_t *o, json_t *omitted, struct pj_error *err)
{
    double *work = pji_zalloc(n + 1, sizeof *work, err);
    struct pji_bca b;
    if (!work)
        return PJ_ENOMEM;
    pj_status rc = pji_bca(y, n, pji_statistic_mean, NULL, 0.95, RESAMPLES, seed, &b, err);
    if (rc == PJ_OK || rc == PJI_STATS_CONSTANT)
        put_bca(o, "mean", &b);
    if (rc >= 0) {
        pj_status median =
            pji_bca(y, n, pji_statistic_median, work, 0.95, RESAMPLES, seed, &b, err);
        if (median == PJ_OK || median == PJI_STATS_CONSTANT)
            put_bca(o, "median", &b);
        rc = median < 0 || rc == PJ_OK ? median : rc;
    }
    if (rc > 0) {
        struct pji_str path = {0};
        pji_str_addf(&path, "bootstrap/%s", level);
        pji_omit_at(omitted, &path, rc);
        pji_str_fini(&path);
    }
    free(work);
    return rc < 0 ? rc : PJ_OK;
}

pj_status pji_by_bootstrap(const struct pji_by *by, uint64_t seed, json_t **out, json_t *omitted,
                           struct pj_error *err)
{
    struct pji_split split;
    struct pji_groups groups = {by->y, by->code, by->n, by->k};
    pj_status rc = pji_split_init(&split, &groups, err);
    if (rc)
        return rc;
    *out = json_object();
    for (size_t g = 0; !rc && g < by->k; g++) {
        json_t *o = json_object();
        rc = bootstrap_group(pji_split_get(&split, g), pji_split_n(&split, g), seed, by->levels[g],
                             o, omitted, err);
        pji_put_object(*out, by->levels[g], o);
    }
    pji_split_fini(&split);
    return rc;
}

/* ---- power ---- */

static pj_status detectable(struct sample a, struct sample b, const struct request *request,
                            json_t *o, struct pj_error *err)
{
    struct pji_effect e;
    double n1 = (double)a.n;
    double n2 = (double)b.n;
    double d = pji_detectable_two(n1, n2, request->alpha, request->sought);
    pj_status rc = pji_effect(a.y, a.n, b.y, b.n, 0.95, &e, err);
    if (rc < 0)
        return rc;
    pji_put_count(o, "n1", a.n);
    pji_put_count(o, "n2", b.n);
    pji_put(o, "detectable_d", d);
    pji_put(o, "detectable_difference", d * e.sd_pooled);
    pji_put(o, "detectable_share_of_first", d * e.sd_pooled / fabs(pji_mean(a.y, a.n)));
    pji_put(o, "observed_d", e.cohens_d);
    pji_put(o, "needed_each_for_observed_d",
            pji_needed_two(e.cohens_d, request->alpha, request->sought));
    return rc;
}

pj_status pji_by_power(const struct pji_by *by, double alpha, double power, json_t **out,
                       json_t *omitted, struct pj_error *err)
{
    struct request request = {.alpha = alpha, .sought = power};
    json_t *pairs = NULL;
    pj_status rc = each_pair(by, "power", detectable, &request, &pairs, omitted, err);
    if (rc) {
        json_decref(pairs);
        return rc;
    }
    *out = json_object();
    pji_put(*out, "alpha", alpha);
    pji_put(*out, "power", power);
    pji_put(*out, "detectable_f", pji_detectable_anova((double)by->k, (double)by->n, alpha, power));
    pji_put_object(*out, "pairs", pairs);
    return PJ_OK;
}

/* ---- paired yes and no ---- */

bool pji_all_yes_or_no(const double *y, size_t n)
{
    bool yes = n > 0;
    for (size_t i = 0; i < n; i++)
        yes = yes && (fabs(y[i]) <= 0 || fabs(y[i] - 1) <= 0);
    return yes;
}

pj_status pji_paired_mcnemar(const double *x, const double *y, size_t n, const char *pair,
                             json_t *into, json_t *omitted)
{
    size_t only_x = 0;
    size_t only_y = 0;
    struct pji_mcnemar m;
    for (size_t i = 0; i < n; i++) {
        only_x += x[i] > 0.5 && y[i] < 0.5;
        only_y += x[i] < 0.5 && y[i] > 0.5;
    }
    pj_status rc = pji_mcnemar(only_x, only_y, &m);
    json_t *o = json_object();
    pji_put_count(o, "n", n);
    pji_put_count(o, "only_first", only_x);
    pji_put_count(o, "only_second", only_y);
    pji_put(o, "chi2", m.chi2);
    pji_put(o, "p", m.p);
    pji_put(o, "chi2_cc", m.chi2_cc);
    pji_put(o, "p_cc", m.p_cc);
    pji_put(o, "p_exact", m.p_exact);
    pji_put_object(into, pair, o);
    if (rc > 0) {
        struct pji_str path = {0};
        pji_str_addf(&path, "mcnemar/%s", pair);
        pji_omit_at(omitted, &path, rc);
        pji_str_fini(&path);
    }
    return rc < 0 ? rc : PJ_OK;
}
