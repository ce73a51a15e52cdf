/* Comparisons of every pair of groups, first minus second: see analysis/by.h. */
#include "analysis/by.h"

#include "analysis/layout.h"
#include "core/array.h"
#include "core/str.h"
#include "stats/adjust.h"
#include "stats/dominance.h"
#include "stats/fisher.h"
#include "stats/kruskal.h"
#include "stats/ttest.h"
#include "stats/wilcoxon.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct sample {
    const double *y;
    size_t n;
};

/* fills the object of one pair */
typedef pj_status pair_fn(struct sample a, struct sample b, json_t *o, struct pj_error *err);

static pj_status each_pair(const struct pji_by *by, const char *group, pair_fn *fill, json_t **out,
                           json_t *omitted, struct pj_error *err)
{
    struct pji_split split;
    struct pji_groups groups = {by->y, by->code, by->n, by->k};
    pj_status rc = pji_split_init(&split, &groups, err);
    if (rc)
        return rc;
    *out = json_object();
    struct pji_str key = {0};
    for (size_t i = 0; rc >= 0 && i < by->k; i++) {
        for (size_t j = i + 1; rc >= 0 && j < by->k; j++) {
            struct sample a = {pji_split_get(&split, i), pji_split_n(&split, i)};
            struct sample b = {pji_split_get(&split, j), pji_split_n(&split, j)};
            json_t *o = json_object();
            rc = fill(a, b, o, err);
            pji_str_clear(&key);
            pji_str_addf(&key, "%s/%s - %s", group, by->levels[i], by->levels[j]);
            if (rc > 0)
                pji_omit_at(omitted, &key, rc);
            if (rc >= 0 && pji_str_ok(&key, err))
                rc = PJ_ENOMEM;
            pji_put_object(*out, pji_str_text(&key) + (rc < 0 ? 0 : strlen(group) + 1), o);
        }
    }
    pji_str_fini(&key);
    pji_split_fini(&split);
    return rc < 0 ? rc : PJ_OK;
}

/* Adds "<key>_<suffix>" to every pair that has `key`, adjusted over all pairs; nothing when a pair
 * has no such p (a family with a hole would be adjusted for too few comparisons). */
static pj_status adjust(json_t *pairs, const char *key, const char *suffix, enum pji_adjust method,
                        struct pj_error *err)
{
    size_t m = json_object_size(pairs);
    double *p = pji_zalloc(m + 1, sizeof *p, err);
    if (!p)
        return PJ_ENOMEM;
    size_t at = 0;
    const char *name;
    json_t *pair;
    json_object_foreach(pairs, name, pair)
    {
        const json_t *value = json_object_get(pair, key);
        if (value)
            p[at++] = json_number_value(value);
    }
    pj_status rc = at == m ? pji_adjust_p(method, p, m, p, err) : PJ_OK;
    struct pji_str path = {0};
    pji_str_addf(&path, "%s_%s", key, suffix);
    if (!rc)
        rc = pji_str_ok(&path, err);
    size_t i = 0;
    json_object_foreach(pairs, name, pair)
    {
        if (!rc && at == m)
            pji_put(pair, pji_str_text(&path), p[i++]);
    }
    pji_str_fini(&path);
    free(p);
    return rc;
}

static pj_status adjust_usual(json_t *pairs, const char *key, struct pj_error *err)
{
    pj_status rc = adjust(pairs, key, "bh", PJI_ADJUST_BH, err);
    if (!rc)
        rc = adjust(pairs, key, "holm", PJI_ADJUST_HOLM, err);
    if (!rc)
        rc = adjust(pairs, key, "bonferroni", PJI_ADJUST_BONFERRONI, err);
    return rc;
}

pj_status pji_by_dunn(const struct pji_by *by, json_t **out, json_t *omitted, struct pj_error *err)
{
    struct pji_groups groups = {by->y, by->code, by->n, by->k};
    struct pji_kruskal k;
    pj_status rc = pji_kruskal(&groups, &k, err);
    if (rc < 0)
        return rc;
    *out = json_object();
    struct pji_str key = {0};
    rc = PJ_OK;
    for (size_t i = 0; !rc && i < by->k; i++) {
        for (size_t j = i + 1; !rc && j < by->k; j++) {
            struct pji_dunn d;
            pj_status missing = pji_dunn(&k, i, j, &d);
            pji_str_clear(&key);
            pji_str_addf(&key, "dunn/%s - %s", by->levels[i], by->levels[j]);
            if (missing)
                pji_omit_at(omitted, &key, missing);
            json_t *o = json_object();
            pji_put(o, "z", d.z);
            pji_put(o, "p", d.p);
            rc = pji_str_ok(&key, err);
            pji_put_object(*out, pji_str_text(&key) + (rc ? 0 : strlen("dunn/")), o);
        }
    }
    pji_str_fini(&key);
    pji_kruskal_fini(&k);
    if (!rc)
        rc = adjust_usual(*out, "p", err);
    return rc ? rc : adjust(*out, "p", "bh_no_running_min", PJI_ADJUST_BH_RAW, err);
}

static pj_status wilcoxon(struct sample a, struct sample b, json_t *o, struct pj_error *err)
{
    struct pji_rank_sum w;
    pj_status rc = pji_rank_sum(a.y, a.n, b.y, b.n, 50, 0.95, &w, err);
    if (rc < 0)
        return rc;
    pji_put_count(o, "n1", w.n1);
    pji_put_count(o, "n2", w.n2);
    pji_put(o, "W", w.W);
    pji_put_bool(o, "ties", w.ties);
    pji_put(o, "p_normal_cc", w.p_normal_cc);
    pji_put(o, "p_normal_nocc", w.p_normal_nocc);
    pji_put(o, "hodges_lehmann", w.hodges_lehmann);
    pji_put(o, "p_exact", w.p_exact);
    pji_put(o, "hl_ci95_low", w.hl_low);
    pji_put(o, "hl_ci95_high", w.hl_high);
    return rc;
}

pj_status pji_by_wilcoxon(const struct pji_by *by, json_t **out, json_t *omitted,
                          struct pj_error *err)
{
    pj_status rc = each_pair(by, "wilcoxon", wilcoxon, out, omitted, err);
    if (!rc)
        rc = adjust_usual(*out, "p_normal_cc", err);
    if (!rc)
        rc = adjust_usual(*out, "p_exact", err);
    return rc;
}

static pj_status cliff(struct sample a, struct sample b, json_t *o, struct pj_error *err)
{
    struct pji_dominance d;
    pj_status rc = pji_dominance(a.y, a.n, b.y, b.n, 0.95, &d, err);
    if (rc < 0)
        return rc;
    pji_put(o, "delta", d.delta);
    pji_put(o, "vargha_delaney_A", d.vargha_delaney_A);
    pji_put(o, "var_unbiased", d.var_unbiased);
    pji_put(o, "ci95_low", d.ci_low);
    pji_put(o, "ci95_high", d.ci_high);
    return rc;
}

pj_status pji_by_cliff(const struct pji_by *by, json_t **out, json_t *omitted, struct pj_error *err)
{
    return each_pair(by, "cliff", cliff, out, omitted, err);
}

static void put_t(json_t *o, const char *name, const struct pji_t *t)
{
    static const char *const fields[] = {"t", "df", "p", "ci95_low", "ci95_high"};
    const double values[] = {t->t, t->df, t->p, t->low, t->high};
    char key[32];
    for (size_t i = 0; i < 5; i++) {
        (void)snprintf(key, sizeof key, "%s_%s", name, fields[i]);
        pji_put(o, key, values[i]);
    }
}

static void put_effect(json_t *o, const struct pji_effect *e, double t)
{
    pji_put(o, "sd_pooled", e->sd_pooled);
    pji_put(o, "cohens_d", e->cohens_d);
    pji_put(o, "hedges_J_exact", e->hedges_j);
    pji_put(o, "hedges_g", e->hedges_g);
    pji_put(o, "hedges_J_approx", e->hedges_j_approx);
    pji_put(o, "hedges_g_approx", e->hedges_g_approx);
    pji_put(o, "glass_delta", e->glass_delta);
    if (!(fabs(t) < 30)) /* beyond, the limits say nothing that d does not */
        return;
    pji_put(o, "cohens_d_ci95_low", e->cohens_d_low);
    pji_put(o, "cohens_d_ci95_high", e->cohens_d_high);
    pji_put(o, "hedges_g_ci95_low", e->hedges_g_low);
    pji_put(o, "hedges_g_ci95_high", e->hedges_g_high);
}

static pj_status ttest(struct sample a, struct sample b, json_t *o, struct pj_error *err)
{
    struct pji_t welch;
    struct pji_t student;
    struct pji_effect effect;
    struct pji_variance_ratio ratio;
    pj_status first = pji_t_welch(a.y, a.n, b.y, b.n, 0.95, &welch, err);
    if (first < 0)
        return first;
    pj_status rc = pji_t_student(a.y, a.n, b.y, b.n, 0.95, &student, err);
    if (rc >= 0)
        rc = pji_effect(a.y, a.n, b.y, b.n, 0.95, &effect, err);
    if (rc < 0)
        return rc;
    pj_status last = pji_variance_ratio(a.y, a.n, b.y, b.n, &ratio, err);
    pji_put(o, "diff", welch.diff);
    put_t(o, "welch", &welch);
    put_t(o, "student", &student);
    put_effect(o, &effect, student.t);
    pji_put(o, "var_ratio_F", ratio.F);
    /* the reference takes the complement of the rounded lower tail: below 1e-16 it says 0 */
    double lower = pji_f_cdf(ratio.F, ratio.df1, ratio.df2);
    pji_put(o, "var_ratio_p", 2 * fmin(lower, 1 - lower));
    return first ? first : rc ? rc : last;
}

pj_status pji_by_ttest(const struct pji_by *by, json_t **out, json_t *omitted, struct pj_error *err)
{
    return each_pair(by, "ttest", ttest, out, omitted, err);
}
