/* What is computed of all groups together or of each alone: see analysis/by.h. */
#include "analysis/by.h"

#include "analysis/layout.h"
#include "core/str.h"
#include "stats/descriptive.h"
#include "stats/kruskal.h"
#include "stats/oneway.h"
#include "stats/shapiro.h"
#include "stats/spread.h"

#include <math.h>
#include <stdlib.h>

static void omit(json_t *omitted, const char *a, const char *b, const char *c, pj_status condition)
{
    if (condition <= 0 || !omitted)
        return;
    struct pji_str path = {0};
    pji_str_addf(&path, "%s/%s%s%s", a, b, *c ? "/" : "", c);
    pji_omit_at(omitted, &path, condition);
    pji_str_fini(&path);
}

static json_t *descriptive(const struct pji_descriptive *d)
{
    json_t *o = json_object();
    pji_put_count(o, "n", d->n);
    pji_put(o, "sum", d->sum);
    pji_put(o, "mean", d->mean);
    pji_put(o, "median", d->median);
    pji_put(o, "var", d->var);
    pji_put(o, "sd", d->sd);
    pji_put(o, "se", d->se);
    pji_put(o, "cv", d->cv);
    pji_put(o, "min", d->min);
    pji_put(o, "max", d->max);
    pji_put(o, "range", d->range);
    pji_put(o, "q05", d->q05);
    pji_put(o, "q1", d->q1);
    pji_put(o, "q3", d->q3);
    pji_put(o, "q95", d->q95);
    pji_put(o, "q99", d->q99);
    pji_put(o, "iqr", d->iqr);
    pji_put(o, "mad", d->mad);
    pji_put(o, "mad_raw", d->mad_raw);
    pji_put(o, "trimmed_mean_10", d->trimmed_mean_10);
    pji_put(o, "geometric_mean", d->geometric_mean);
    pji_put(o, "ci95_low", d->ci95_low);
    pji_put(o, "ci95_high", d->ci95_high);
    pji_put(o, "skewness_g1", d->skewness_g1);
    pji_put(o, "kurtosis_excess_g2", d->kurtosis_excess_g2);
    return o;
}

static struct pji_groups groups_of(const struct pji_by *by, const double *y)
{
    return (struct pji_groups){y, by->code, by->n, by->k};
}

pj_status pji_by_descriptive(const struct pji_by *by, json_t **out, json_t *omitted,
                             struct pj_error *err)
{
    struct pji_split split;
    struct pji_groups groups = groups_of(by, by->y);
    pj_status rc = pji_split_init(&split, &groups, err);
    if (rc)
        return rc;
    *out = json_object();
    for (size_t g = 0; rc >= 0 && g < by->k; g++) {
        struct pji_descriptive d;
        rc = pji_describe(pji_split_get(&split, g), pji_split_n(&split, g), &d, err);
        omit(omitted, "descriptive", by->levels[g], "", rc);
        if (rc >= 0)
            pji_put_object(*out, by->levels[g], descriptive(&d));
    }
    pji_split_fini(&split);
    return rc < 0 ? rc : PJ_OK;
}

static pj_status shapiro_levels(const struct pji_by *by, const char *name, const double *y,
                                json_t *into, json_t *omitted, struct pj_error *err)
{
    struct pji_split split;
    struct pji_groups groups = groups_of(by, y);
    pj_status rc = pji_split_init(&split, &groups, err);
    if (rc)
        return rc;
    for (size_t g = 0; rc >= 0 && g < by->k; g++) {
        struct pji_shapiro s;
        rc = pji_shapiro_wilk(pji_split_get(&split, g), pji_split_n(&split, g), &s, err);
        omit(omitted, "shapiro", name, by->levels[g], rc);
        if (rc < 0)
            break;
        json_t *o = json_object();
        pji_put_count(o, "n", s.n);
        pji_put(o, "W", s.W);
        pji_put(o, "p", s.p);
        pji_put_object(into, by->levels[g], o);
    }
    pji_split_fini(&split);
    return rc < 0 ? rc : PJ_OK;
}

pj_status pji_by_shapiro(const struct pji_by *by, json_t **out, json_t *omitted,
                         struct pj_error *err)
{
    *out = json_object();
    pj_status rc = PJ_OK;
    for (size_t t = 0; rc >= 0 && t < PJI_TRANSFORMS; t++) {
        double *y;
        rc = pji_transform_apply(&pji_transforms[t], by->y, by->n, &y, err);
        omit(omitted, "shapiro", pji_transforms[t].name, "", rc);
        if (rc)
            continue;
        json_t *levels = json_object();
        rc = shapiro_levels(by, pji_transforms[t].name, y, levels, omitted, err);
        pji_put_object(*out, pji_transforms[t].name, levels);
        free(y);
    }
    return rc < 0 ? rc : PJ_OK;
}

static pj_status levene(const struct pji_groups *groups, enum pji_centre centre, const char *key,
                        json_t *into, json_t *omitted, struct pj_error *err)
{
    struct pji_levene l;
    pj_status rc = pji_levene(groups, centre, &l, err);
    if (rc < 0)
        return rc;
    omit(omitted, "levene", key, "", rc);
    json_t *o = json_object();
    pji_put(o, "F", l.F);
    pji_put(o, "df1", l.df1);
    pji_put(o, "df2", l.df2);
    pji_put(o, "p", l.p);
    pji_put_object(into, key, o);
    return PJ_OK;
}

static void spread(const struct pji_spread_chisq *s, const char *statistic, const char *key,
                   pj_status rc, json_t *into, json_t *omitted)
{
    omit(omitted, "levene", key, "", rc);
    json_t *o = json_object();
    pji_put(o, statistic, s->statistic);
    pji_put(o, "df", s->df);
    pji_put(o, "p", s->p);
    pji_put_object(into, key, o);
}

static pj_status spreads(const struct pji_groups *groups, json_t *into, json_t *omitted,
                         struct pj_error *err)
{
    pj_status rc = levene(groups, PJI_CENTRE_MEAN, "levene_mean", into, omitted, err);
    if (rc >= 0)
        rc = levene(groups, PJI_CENTRE_MEDIAN, "levene_median", into, omitted, err);
    struct pji_spread_chisq s;
    if (rc >= 0)
        rc = pji_bartlett(groups, &s, err);
    if (rc >= 0) {
        spread(&s, "K2", "bartlett", rc, into, omitted);
        rc = pji_fligner_killeen(groups, &s, err);
    }
    if (rc >= 0)
        spread(&s, "chi2", "fligner", rc, into, omitted);
    return rc < 0 ? rc : PJ_OK;
}

pj_status pji_by_levene(const struct pji_by *by, json_t **out, json_t *omitted,
                        struct pj_error *err)
{
    *out = json_object();
    pj_status rc = PJ_OK;
    for (size_t t = 0; rc >= 0 && t < PJI_TRANSFORMS; t++) {
        if (t == 1)
            continue; /* the logarithm is covered by log1p */
        double *y;
        rc = pji_transform_apply(&pji_transforms[t], by->y, by->n, &y, err);
        omit(omitted, "levene", pji_transforms[t].name, "", rc);
        if (rc)
            continue;
        json_t *o = json_object();
        struct pji_groups groups = groups_of(by, y);
        rc = spreads(&groups, o, omitted, err);
        pji_put_object(*out, pji_transforms[t].name, o);
        free(y);
    }
    return rc < 0 ? rc : PJ_OK;
}

static pj_status welch(const struct pji_groups *groups, json_t *o, json_t *omitted,
                       struct pj_error *err)
{
    struct pji_welch w;
    pj_status rc = pji_welch_anova(groups, &w, err);
    if (rc < 0)
        return rc;
    omit(omitted, "oneway", "welch", "", rc);
    pji_put(o, "welch_F", w.F);
    pji_put(o, "welch_df1", w.df1);
    pji_put(o, "welch_df2", w.df2);
    pji_put(o, "welch_p", w.p);
    return PJ_OK;
}

/* Above F df1 = 1000 the limits say nothing that eta^2 does not: left out. */
static pj_status eta2_ci(const struct pji_oneway *a, json_t *o, struct pj_error *err)
{
    if (!(a->F * a->df1 < 1000))
        return PJ_OK;
    struct pji_eta2_ci ci;
    pj_status rc = pji_eta2_ci(a->F, a->df1, a->df2, 0.90, &ci, err);
    if (rc)
        return rc;
    pji_put(o, "eta2_ci90_low", ci.low);
    pji_put(o, "eta2_ci90_high", ci.high);
    pji_put(o, "eta2_ci90_steiger_low", ci.steiger_low);
    pji_put(o, "eta2_ci90_steiger_high", ci.steiger_high);
    return PJ_OK;
}

pj_status pji_by_oneway(const struct pji_by *by, json_t **out, json_t *omitted,
                        struct pj_error *err)
{
    struct pji_groups groups = groups_of(by, by->y);
    struct pji_oneway a;
    pj_status rc = pji_oneway(&groups, &a, err);
    if (rc < 0)
        return rc;
    omit(omitted, "oneway", "F", "", rc);
    json_t *o = *out = json_object();
    pji_put_count(o, "n", a.n);
    pji_put_count(o, "k", a.k);
    pji_put(o, "ss_between", a.ss_between);
    pji_put(o, "ss_within", a.ss_within);
    pji_put(o, "ss_total", a.ss_total);
    pji_put(o, "ms_between", a.ms_between);
    pji_put(o, "ms_within", a.ms_within);
    pji_put(o, "df1", a.df1);
    pji_put(o, "df2", a.df2);
    pji_put(o, "F", a.F);
    pji_put(o, "p", a.p);
    pji_put(o, "eta2", a.eta2);
    pji_put(o, "omega2", a.omega2);
    pji_put(o, "epsilon2", a.epsilon2);
    pji_put(o, "cohens_f", a.cohens_f);
    rc = welch(&groups, o, omitted, err);
    return rc < 0 ? rc : eta2_ci(&a, o, err);
}

pj_status pji_by_kruskal(const struct pji_by *by, json_t **out, json_t *omitted,
                         struct pj_error *err)
{
    struct pji_groups groups = groups_of(by, by->y);
    struct pji_kruskal k;
    pj_status rc = pji_kruskal(&groups, &k, err);
    if (rc < 0)
        return rc;
    omit(omitted, "kruskal", "H", "", rc);
    json_t *o = *out = json_object();
    pji_put_count(o, "n", k.n);
    pji_put_count(o, "k", k.k);
    pji_put(o, "H", k.H);
    pji_put(o, "df", k.df);
    pji_put(o, "p", k.p);
    pji_put(o, "epsilon2_rank", k.epsilon2_rank);
    pji_put(o, "eta2_H", k.eta2_H);
    pji_put(o, "tie_correction", k.tie_correction);
    json_t *ranks = json_object();
    for (size_t g = 0; g < by->k; g++)
        pji_put(ranks, by->levels[g], k.mean_rank[g]);
    pji_put_object(o, "mean_rank", ranks);
    pji_kruskal_fini(&k);
    return PJ_OK;
}
