#include "analysis/paired.h"

#include "analysis/layout.h"
#include "core/array.h"
#include "core/str.h"
#include "stats/adjust.h"
#include "stats/correlation.h"
#include "stats/friedman.h"
#include "stats/groups.h"
#include "stats/lm.h"
#include "stats/shapiro.h"
#include "stats/ttest.h"
#include "stats/wilcoxon.h"

#include <math.h>
#include <stdlib.h>

static const size_t exact_below = 50;

static void omit(json_t *omitted, const char *a, const char *b, pj_status condition)
{
    if (condition <= 0 || !omitted)
        return;
    struct pji_str path = {0};
    pji_str_addf(&path, "%s/%s", a, b);
    pji_omit_at(omitted, &path, condition);
    pji_str_fini(&path);
}

static void put_signed(json_t *o, const struct pji_signed_rank *s, const struct pji_t *t)
{
    pji_put_count(o, "n", s->n);
    pji_put_count(o, "zeros", s->zeros);
    pji_put(o, "V", s->V);
    pji_put(o, "p_normal_cc", s->p_normal_cc);
    pji_put(o, "p_normal_nocc", s->p_normal_nocc);
    pji_put(o, "paired_t", t->t);
    pji_put(o, "paired_df", t->df);
    pji_put(o, "paired_t_p", t->p);
    pji_put(o, "paired_mean_diff", t->diff);
    pji_put(o, "paired_ci95_low", t->low);
    pji_put(o, "paired_ci95_high", t->high);
    pji_put(o, "cohens_dz", t->t / sqrt((double)s->n));
    if (!s->has_exact)
        return;
    pji_put(o, "p_exact", s->p_exact);
    pji_put(o, "pseudo_median", s->pseudo_median);
}

pj_status pji_paired_signedrank(const double *x, const double *y, size_t n, json_t **out,
                                json_t *omitted, struct pj_error *err)
{
    double *d = pji_zalloc(n + 1, sizeof *d, err);
    if (!d)
        return PJ_ENOMEM;
    for (size_t i = 0; i < n; i++)
        d[i] = x[i] - y[i];
    struct pji_signed_rank s;
    struct pji_t t;
    pj_status rc = pji_signed_rank(d, n, exact_below, &s, err);
    omit(omitted, "signedrank", "p", rc);
    if (rc >= 0)
        rc = pji_t_paired(d, n, 0.95, &t, err);
    omit(omitted, "signedrank", "paired_t", rc);
    free(d);
    if (rc < 0)
        return rc;
    *out = json_object();
    put_signed(*out, &s, &t);
    return PJ_OK;
}

static void put_correlation(json_t *o, const struct pji_pearson *p, const struct pji_spearman *s,
                            const struct pji_kendall *k)
{
    pji_put_bool(o, "ties", s->ties || k->ties);
    pji_put(o, "pearson_r", p->r);
    pji_put(o, "pearson_t", p->t);
    pji_put(o, "pearson_df", p->df);
    pji_put(o, "pearson_p", p->p);
    pji_put(o, "pearson_ci95_low", p->low);
    pji_put(o, "pearson_ci95_high", p->high);
    pji_put(o, "spearman_rho", s->rho);
    pji_put(o, "spearman_S", s->S);
    pji_put(o, "spearman_t_p", s->p_t);
    pji_put(o, "spearman_exact_p", s->p_exact);
    pji_put(o, "spearman_as89_p", s->p_as89);
    pji_put(o, "kendall_tau_b", k->tau_b);
    pji_put(o, "kendall_z", k->z);
    pji_put(o, "kendall_normal_p", k->p_normal);
    pji_put(o, "kendall_exact_p", k->p_exact);
}

static pj_status correlation(const double *x, const double *y, size_t n, const char *path,
                             json_t **out, json_t *omitted, struct pj_error *err)
{
    struct pji_pearson pearson;
    struct pji_spearman spearman;
    struct pji_kendall kendall;
    pj_status first = pji_pearson(x, y, n, 0.95, &pearson, err);
    if (first < 0)
        return first;
    pj_status rc = pji_spearman(x, y, n, &spearman, err);
    if (rc >= 0)
        rc = pji_kendall(x, y, n, exact_below, &kendall, err);
    if (rc < 0)
        return rc;
    omit(omitted, "correlation", path, first ? first : rc);
    *out = json_object();
    pji_put_count(*out, "n", n);
    put_correlation(*out, &pearson, &spearman, &kendall);
    return PJ_OK;
}

/* "spearman_t_p_bh" over the groups, when every group has a p */
static pj_status adjust(json_t *levels, struct pj_error *err)
{
    size_t m = json_object_size(levels);
    double *p = pji_zalloc(m + 1, sizeof *p, err);
    if (!p)
        return PJ_ENOMEM;
    size_t at = 0;
    const char *name;
    json_t *level;
    json_object_foreach(levels, name, level)
    {
        const json_t *value = json_object_get(level, "spearman_t_p");
        if (value)
            p[at++] = json_number_value(value);
    }
    pj_status rc = at == m ? pji_adjust_p(PJI_ADJUST_BH, p, m, p, err) : PJ_OK;
    size_t i = 0;
    json_object_foreach(levels, name, level)
    {
        if (!rc && at == m)
            pji_put(level, "spearman_t_p_bh", p[i++]);
    }
    free(p);
    return rc;
}

pj_status pji_by_correlation(const struct pji_by *by, const double *x, json_t **out,
                             json_t *omitted, struct pj_error *err)
{
    struct pji_split split_x;
    struct pji_split split_y;
    struct pji_groups groups = {x, by->code, by->n, by->k};
    pj_status rc = pji_split_init(&split_x, &groups, err);
    if (rc)
        return rc;
    groups.y = by->y;
    rc = pji_split_init(&split_y, &groups, err);
    if (rc) {
        pji_split_fini(&split_x);
        return rc;
    }
    *out = json_object();
    for (size_t g = 0; !rc && g < by->k; g++) {
        json_t *o = NULL;
        rc = correlation(pji_split_get(&split_y, g), pji_split_get(&split_x, g),
                         pji_split_n(&split_x, g), by->levels[g], &o, omitted, err);
        pji_put_object(*out, by->levels[g], o);
    }
    pji_split_fini(&split_x);
    pji_split_fini(&split_y);
    return rc ? rc : adjust(*out, err);
}

pj_status pji_paired_friedman(const double *y, size_t blocks, const char *const *treatment,
                              size_t treatments, json_t **out, json_t *omitted,
                              struct pj_error *err)
{
    struct pji_friedman f;
    pj_status rc = pji_friedman(y, blocks, treatments, &f, err);
    if (rc < 0)
        return rc;
    omit(omitted, "friedman", "p", rc);
    json_t *o = *out = json_object();
    pji_put_count(o, "blocks", f.blocks);
    pji_put_count(o, "treatments", f.treatments);
    pji_put(o, "chi2", f.chi2);
    pji_put(o, "df", f.df);
    pji_put(o, "p", f.p);
    pji_put(o, "kendalls_W", f.kendalls_w);
    json_t *sums = json_object();
    for (size_t j = 0; j < treatments; j++)
        pji_put(sums, treatment[j], f.rank_sum[j]);
    pji_put_object(o, "rank_sum", sums);
    pji_friedman_fini(&f);
    return PJ_OK;
}

static pj_status residual_test(const struct pji_design *design, const double *y, json_t *into,
                               const char *name, json_t *omitted, struct pj_error *err)
{
    struct pji_lm lm;
    struct pji_shapiro s;
    pj_status fit = pji_lm_fit(&lm, &design->x, design->model.intercept, y, err);
    if (fit < 0)
        return fit;
    bool flat = fit == PJI_STATS_SATURATED || fit == PJI_STATS_CONSTANT;
    pj_status rc = flat ? fit : pji_shapiro_wilk(lm.residual, lm.n, &s, err);
    pji_lm_fini(&lm);
    omit(omitted, "shapiro_residuals", name, rc);
    if (rc)
        return rc < 0 ? rc : PJ_OK;
    json_t *o = json_object();
    pji_put_count(o, "n", s.n);
    pji_put(o, "W", s.W);
    pji_put(o, "p", s.p);
    pji_put_object(into, name, o);
    return PJ_OK;
}

pj_status pji_shapiro_residuals(const double *y, const struct pji_terms *terms, json_t **out,
                                json_t *omitted, struct pj_error *err)
{
    struct pji_design design;
    pj_status rc = pji_design_init(&design, terms, PJI_CODING_TREATMENT, err);
    if (rc)
        return rc;
    *out = json_object();
    for (size_t t = 0; rc >= 0 && t < PJI_TRANSFORMS; t++) {
        double *values;
        rc = pji_transform_apply(&pji_transforms[t], y, terms->n, &values, err);
        omit(omitted, "shapiro_residuals", pji_transforms[t].name, rc);
        if (!rc)
            rc = residual_test(&design, values, *out, pji_transforms[t].name, omitted, err);
        free(values);
    }
    pji_design_fini(&design);
    return rc < 0 ? rc : PJ_OK;
}
