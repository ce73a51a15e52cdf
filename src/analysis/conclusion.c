#include "analysis/conclusion.h"

#include "analysis/layout.h"
#include "core/array.h"
#include "core/str.h"
#include "stats/adjust.h"
#include "stats/tukey.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
    struct pji_adjustment adjustment;
    enum pji_adjust method; /* NONE: no function of the p-values alone */
} adjustments[] = {
    {{"BH", "Benjamini-Hochberg", "_bh"}, PJI_ADJUST_BH},
    {{"Holm", "Holm", "_holm"}, PJI_ADJUST_HOLM},
    {{"Bonferroni", "Bonferroni", "_bonferroni"}, PJI_ADJUST_BONFERRONI},
    {{"BY", "Benjamini-Yekutieli", ""}, PJI_ADJUST_BY},
    {{"Hochberg", "Hochberg", ""}, PJI_ADJUST_HOCHBERG},
    {{"Hommel", "Hommel", ""}, PJI_ADJUST_HOMMEL},
    {{"Tukey", "Tukey", ""}, PJI_ADJUST_NONE},
};

const struct pji_adjustment *pji_adjustment_at(size_t i)
{
    return i < sizeof adjustments / sizeof *adjustments ? &adjustments[i].adjustment : NULL;
}

pj_status pji_adjustment_find(const char *name, const struct pji_adjustment **out,
                              struct pj_error *err)
{
    struct pji_str known = {0};
    for (size_t i = 0; pji_adjustment_at(i); i++) {
        *out = pji_adjustment_at(i);
        if (!name || strcasecmp((*out)->name, name) == 0) {
            pji_str_fini(&known);
            return PJ_OK;
        }
        pji_str_addf(&known, "%s%s", i ? ", " : "", (*out)->name);
    }
    pj_status rc = pji_fail(err, PJ_EINVAL, "p-values are adjusted by one of %s, not by '%.40s'",
                            pji_str_text(&known), name);
    pji_str_fini(&known);
    return rc;
}

struct concluding {
    const struct pji_adjustment *adjustment;
    double alpha;
    json_t *families;
    struct pj_error *err;
};

static enum pji_adjust method_of(const struct pji_adjustment *a)
{
    for (size_t i = 0; i < sizeof adjustments / sizeof *adjustments; i++) {
        if (a == &adjustments[i].adjustment)
            return adjustments[i].method;
    }
    return PJI_ADJUST_NONE;
}

/* P(Q > |t| sqrt 2) of all pairs of k means */
static void tukey(const json_t *const *pair, size_t m, double *out)
{
    double k = (1 + sqrt(1 + 8 * (double)m)) / 2;
    bool all = fabs(k - round(k)) < 1e-9;
    for (size_t i = 0; i < m; i++) {
        const json_t *t = json_object_get(pair[i], "t");
        const json_t *df = json_object_get(pair[i], "df");
        out[i] = all && t && df ? pji_tukey_upper(fabs(json_number_value(t)) * sqrt(2.0), k,
                                                  json_number_value(df))
                                : (double)NAN;
    }
}

static void put_pair(const struct concluding *c, json_t *into, const char *name, double p,
                     double adjusted)
{
    json_t *o = json_object();
    pji_put(o, "p", p);
    pji_put(o, "p_adjusted", adjusted);
    if (isfinite(adjusted))
        pji_put_bool(o, "below_alpha", adjusted < c->alpha);
    pji_put_object(into, name, o);
}

struct members {
    const char **name;
    const json_t **pair;
    double *p, *adjusted;
    size_t n;
};

static pj_status conclude_members(const struct concluding *c, const struct members *m, json_t *into)
{
    bool is_tukey = method_of(c->adjustment) == PJI_ADJUST_NONE;
    bool whole = true;
    pj_status rc = PJ_OK;
    for (size_t i = 0; i < m->n; i++) {
        whole = whole && isfinite(m->p[i]);
        m->adjusted[i] = (double)NAN;
    }
    if (is_tukey)
        tukey(m->pair, m->n, m->adjusted);
    else if (whole)
        rc = pji_adjust_p(method_of(c->adjustment), m->p, m->n, m->adjusted, c->err);
    for (size_t i = 0; !rc && i < m->n; i++)
        put_pair(c, into, m->name[i], m->p[i], whole ? m->adjusted[i] : (double)NAN);
    return rc;
}

/* the members of one family: those that stand behind the same " | …", or all */
static size_t take_members(struct members *m, const json_t *pairs, const char *p,
                           const char *within)
{
    const char *name;
    json_t *pair;
    m->n = 0;
    json_object_foreach((json_t *)(uintptr_t)pairs, name, pair)
    {
        const char *bar = within ? strstr(name, " | ") : NULL;
        const json_t *v = json_object_get(pair, p);
        if (!json_is_object(pair) || (within && (!bar || strcmp(bar, within) != 0)))
            continue;
        m->name[m->n] = name;
        m->pair[m->n] = pair;
        m->p[m->n++] = v ? json_number_value(v) : (double)NAN;
    }
    return m->n;
}

/* Adds the family `name`; pairs: name → object with the key p. */
static pj_status add(const struct concluding *c, const char *name, const json_t *pairs,
                     const char *p, bool contrasts)
{
    size_t n = json_object_size(pairs);
    if (n == 0 || (method_of(c->adjustment) == PJI_ADJUST_NONE && !contrasts))
        return PJ_OK;
    struct members m = {pji_zalloc(n, sizeof *m.name, c->err),
                        pji_zalloc(n, sizeof(void *), c->err), pji_zalloc(n, sizeof *m.p, c->err),
                        pji_zalloc(n, sizeof *m.adjusted, c->err), 0};
    pj_status rc = m.name && m.pair && m.p && m.adjusted ? PJ_OK : PJ_ENOMEM;
    json_t *into = json_object();
    const char *first;
    json_t *pair;
    bool split = contrasts && strchr(name, '|') != NULL;
    if (!rc && !split && take_members(&m, pairs, p, NULL) > 0)
        rc = conclude_members(c, &m, into);
    json_object_foreach((json_t *)(uintptr_t)pairs, first, pair)
    {
        const char *bar = split ? strstr(first, " | ") : NULL;
        if (!rc && bar && !json_object_get(into, first) && take_members(&m, pairs, p, bar) > 0)
            rc = conclude_members(c, &m, into);
    }
    if (json_object_size(into) > 0)
        json_object_set(c->families, name, into);
    json_decref(into);
    free(m.name);
    free(m.pair);
    free(m.p);
    free(m.adjusted);
    return rc;
}

/* every pair has this key */
static bool all_have(const json_t *pairs, const char *key)
{
    const char *name;
    json_t *pair;
    json_object_foreach((json_t *)(uintptr_t)pairs, name, pair)
    {
        if (!json_object_get(pair, key))
            return false;
    }
    return true;
}

static pj_status add_pairs(const struct concluding *c, const json_t *results)
{
    static const struct {
        const char *group, *exact, *p;
    } groups[] = {
        {"dunn", NULL, "p"},
        {"wilcoxon", "p_exact", "p_normal_cc"},
        {"ttest", NULL, "welch_p"},
        {"signedrank", "p_exact", "p_normal_cc"},
        {"mcnemar", NULL, "p_exact"},
        {"equivalence", NULL, "p"},
        {"correlation", NULL, "spearman_t_p"},
    };
    pj_status rc = PJ_OK;
    for (size_t i = 0; !rc && i < sizeof groups / sizeof *groups; i++) {
        const json_t *pairs = json_object_get(results, groups[i].group);
        bool exact = groups[i].exact && all_have(pairs, groups[i].exact);
        if (json_object_get(pairs, groups[i].p)) { /* the only pair is the result itself */
            json_t *one = json_object();
            json_object_set(one, "the two levels", (json_t *)(uintptr_t)pairs);
            exact = groups[i].exact && json_object_get(pairs, groups[i].exact);
            rc = add(c, groups[i].group, one, exact ? groups[i].exact : groups[i].p, false);
            json_decref(one);
        } else if (pairs) {
            rc = add(c, groups[i].group, pairs, exact ? groups[i].exact : groups[i].p, false);
        }
    }
    return rc;
}

/* consec, poly and pairwise of a table of marginal means; path names it */
static pj_status add_table(const struct concluding *c, const char *path, const json_t *table)
{
    static const char *const parts[] = {"consec", "poly", "pairwise"};
    bool is_tukey = method_of(c->adjustment) == PJI_ADJUST_NONE;
    pj_status rc = PJ_OK;
    for (size_t i = is_tukey ? 2 : 0; !rc && i < 3; i++) {
        struct pji_str name = {0};
        pji_str_addf(&name, "%s: %s", path, parts[i]);
        rc = pji_str_ok(&name, c->err);
        if (!rc)
            rc = add(c, pji_str_text(&name), json_object_get(table, parts[i]), "p", true);
        pji_str_fini(&name);
    }
    return rc;
}

/* tables lie at different depths: contrast, contrast/SPEC, lmm_emmeans/SPEC/DDF */
static pj_status add_tables(const struct concluding *c, const char *path, const json_t *o,
                            int depth)
{
    const char *key;
    json_t *v;
    if (json_object_get(o, "means"))
        return add_table(c, path, o);
    pj_status rc = PJ_OK;
    json_object_foreach((json_t *)(uintptr_t)o, key, v)
    {
        struct pji_str name = {0};
        pji_str_addf(&name, "%s %s", path, key);
        if (!rc)
            rc = pji_str_ok(&name, c->err);
        if (!rc && depth > 0 && json_is_object(v))
            rc = add_tables(c, pji_str_text(&name), v, depth - 1);
        pji_str_fini(&name);
    }
    return rc;
}

pj_status pji_conclude(const json_t *results, const struct pji_adjustment *adjustment, double alpha,
                       json_t **out, struct pj_error *err)
{
    static const char *const tables[] = {"contrast", "art_contrast", "lmm_emmeans"};
    struct concluding c = {
        .adjustment = adjustment, .alpha = alpha, .families = json_object(), .err = err};
    pj_status rc = add_pairs(&c, results);
    for (size_t i = 0; !rc && i < sizeof tables / sizeof *tables; i++)
        rc = add_tables(&c, tables[i], json_object_get(results, tables[i]), 2);
    *out = NULL;
    if (!rc) {
        *out = json_object();
        json_object_set_new(*out, "adjust", json_string(adjustment->name));
        pji_put(*out, "alpha", alpha);
        json_object_set(*out, "families", c.families);
    }
    json_decref(c.families);
    return rc;
}
