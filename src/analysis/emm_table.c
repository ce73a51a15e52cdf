/* Marginal means and their contrasts as JSON: see analysis/model.h. */
#include "analysis/model.h"

#include "analysis/layout.h"
#include "core/array.h"
#include "core/str.h"
#include "stats/adjust.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct context {
    const struct pji_emm_table *table;
    struct pji_matrix rows; /* one for each marginal mean, the factor varying fastest */
    size_t k;               /* levels of the factor */
    size_t blocks;          /* combinations of the by-factors */
    json_t *omitted;
};

static const char *level(const struct context *c, size_t variable, size_t index)
{
    return c->table->model->level[variable][index];
}

/* "a,b": levels of the by-factors in a block */
static void add_block(const struct context *c, size_t block, struct pji_str *out)
{
    const struct pji_model_spec *spec = c->table->spec;
    for (size_t i = 0; i < spec->bys; i++) {
        size_t v = spec->by[i];
        size_t levels = c->table->model->terms.variable[v].levels;
        if (i > 0)
            pji_str_addc(out, ',');
        pji_str_add(out, level(c, v, block % levels));
        block /= levels;
    }
}

static void omit(const struct context *c, const char *part, const char *name, pj_status condition)
{
    if (condition <= 0)
        return;
    struct pji_str path = {0};
    pji_str_addf(&path, "%s/%s/%s", c->table->path, part, name);
    pji_omit(c->omitted, pji_str_text(&path), condition);
    pji_str_fini(&path);
}

static pj_status means(const struct context *c, json_t *into, struct pj_error *err)
{
    double *l = pji_zalloc(c->rows.cols + 1, sizeof *l, err);
    if (!l)
        return PJ_ENOMEM;
    struct pji_str name = {0};
    pj_status rc = PJ_OK;
    for (size_t i = 0; rc >= 0 && i < c->rows.rows; i++) {
        struct pji_estimate e;
        for (size_t j = 0; j < c->rows.cols; j++)
            l[j] = pji_matrix_get(&c->rows, i, j);
        pji_str_clear(&name);
        pji_str_add(&name, level(c, c->table->spec->factor, i % c->k));
        if (c->table->spec->bys > 0)
            pji_str_addc(&name, ',');
        add_block(c, i / c->k, &name);
        rc = pji_estimate(c->table->fit, l, 0.95, &e, err);
        omit(c, "means", pji_str_text(&name), rc);
        if (rc < 0 || isnan(e.estimate))
            continue;
        json_t *o = json_object();
        pji_put(o, "emmean", e.estimate);
        pji_put(o, "se", e.se);
        pji_put(o, "df", e.df);
        pji_put(o, "ci95_low", e.low);
        pji_put(o, "ci95_high", e.high);
        pji_put_object(into, pji_str_text(&name), o);
    }
    pji_str_fini(&name);
    free(l);
    return rc < 0 ? rc : PJ_OK;
}

static void contrast_name(const struct context *c, enum pji_contrast kind, size_t index,
                          struct pji_str *out)
{
    static const char *const degrees[] = {"linear",  "quadratic", "cubic",
                                          "quartic", "degree 5",  "degree 6"};
    if (kind == PJI_CONTRAST_POLYNOMIAL) {
        pji_str_add(out, degrees[index]);
        return;
    }
    size_t plus;
    size_t minus;
    pji_contrast_pair(kind, c->k, index, &plus, &minus);
    pji_str_addf(out, "%s - %s", level(c, c->table->spec->factor, plus),
                 level(c, c->table->spec->factor, minus));
}

/* one contrast of the means of a block as a function of the coefficients */
static void combine(const struct context *c, enum pji_contrast kind, size_t block, size_t index,
                    double *weight, double *l)
{
    pji_contrast_row(kind, c->k, index, weight);
    for (size_t j = 0; j < c->rows.cols; j++) {
        l[j] = 0;
        for (size_t i = 0; i < c->k; i++)
            l[j] += weight[i] * pji_matrix_get(&c->rows, block * c->k + i, j);
    }
}

static void put_contrast(json_t *o, const struct pji_estimate *e, const double adjusted[3])
{
    pji_put(o, "estimate", e->estimate);
    pji_put(o, "se", e->se);
    pji_put(o, "df", e->df);
    pji_put(o, "t", e->t);
    pji_put(o, "p", e->p);
    pji_put(o, "p_bh", adjusted[0]);
    pji_put(o, "p_holm", adjusted[1]);
    pji_put(o, "p_bonferroni", adjusted[2]);
    pji_put(o, "ci95_low", e->low);
    pji_put(o, "ci95_high", e->high);
}

static void put_hedges(const struct context *c, json_t *o, enum pji_contrast kind, double estimate)
{
    if (kind != PJI_CONTRAST_CONSECUTIVE || !(c->table->parts & PJI_TABLE_HEDGES))
        return;
    double correction = 1 - 3 / (4 * c->table->df_residual - 1);
    pji_put(o, "hedges_g_study", estimate / c->table->sigma * correction);
}

/* the p-values of one block adjusted by the three usual methods, [method][contrast] */
static pj_status adjust(const struct pji_estimate *e, size_t count, double *p, struct pj_error *err)
{
    static const enum pji_adjust methods[] = {PJI_ADJUST_BH, PJI_ADJUST_HOLM,
                                              PJI_ADJUST_BONFERRONI};
    for (size_t m = 0; m < 3; m++) {
        for (size_t i = 0; i < count; i++)
            p[m * count + i] = e[i].p;
        pj_status rc = pji_adjust_p(methods[m], p + m * count, count, p + m * count, err);
        if (rc)
            return rc;
    }
    return PJ_OK;
}

struct work {
    double *weight, *l, *p;
    struct pji_estimate *e;
};

static pj_status block_contrasts(const struct context *c, enum pji_contrast kind, const char *part,
                                 size_t block, struct work *w, json_t *into, struct pj_error *err)
{
    size_t count = pji_contrast_count(kind, c->k);
    struct pji_str name = {0};
    pj_status rc = PJ_OK;
    for (size_t i = 0; rc >= 0 && i < count; i++) {
        combine(c, kind, block, i, w->weight, w->l);
        rc = pji_estimate(c->table->fit, w->l, 0.95, &w->e[i], err);
        pji_str_clear(&name);
        contrast_name(c, kind, i, &name);
        omit(c, part, pji_str_text(&name), rc);
    }
    if (rc >= 0)
        rc = adjust(w->e, count, w->p, err);
    for (size_t i = 0; rc >= 0 && i < count; i++) {
        if (isnan(w->e[i].estimate))
            continue;
        pji_str_clear(&name);
        contrast_name(c, kind, i, &name);
        if (c->table->spec->bys > 0) {
            pji_str_add(&name, " | ");
            add_block(c, block, &name);
        }
        json_t *o = json_object();
        double adjusted[3] = {w->p[i], w->p[count + i], w->p[2 * count + i]};
        put_contrast(o, &w->e[i], adjusted);
        put_hedges(c, o, kind, w->e[i].estimate);
        pji_put_object(into, pji_str_text(&name), o);
    }
    pji_str_fini(&name);
    return rc < 0 ? rc : PJ_OK;
}

static pj_status contrasts(const struct context *c, enum pji_contrast kind, const char *part,
                           json_t *out, struct pj_error *err)
{
    size_t count = pji_contrast_count(kind, c->k);
    struct work w = {pji_zalloc(c->k + 1, sizeof(double), err),
                     pji_zalloc(c->rows.cols + 1, sizeof(double), err),
                     pji_zalloc(3 * count + 1, sizeof(double), err),
                     pji_zalloc(count + 1, sizeof(struct pji_estimate), err)};
    pj_status rc = w.weight && w.l && w.p && w.e ? PJ_OK : PJ_ENOMEM;
    json_t *into = json_object();
    for (size_t block = 0; !rc && block < c->blocks; block++)
        rc = block_contrasts(c, kind, part, block, &w, into, err);
    pji_put_object(out, part, into);
    free(w.weight);
    free(w.l);
    free(w.p);
    free(w.e);
    return rc;
}

pj_status pji_emm_table(const struct pji_emm_table *table, json_t **out, json_t *omitted,
                        struct pj_error *err)
{
    const struct pji_terms *terms = &table->model->terms;
    const struct pji_model_spec *spec = table->spec;
    struct context c = {.table = table, .blocks = 1, .omitted = omitted};
    size_t order[PJI_VARIABLES + 1] = {spec->factor};
    if (spec->bys > PJI_VARIABLES || spec->factor >= terms->variables)
        return pji_fail(err, PJ_EINVAL, "marginal means of a factor that the model does not have");
    for (size_t i = 0; i < spec->bys; i++)
        order[i + 1] = spec->by[i];
    pj_status rc =
        pji_emm_rows(table->design, order, spec->bys + 1, &table->model->grid, &c.rows, err);
    if (rc)
        return rc;
    c.k = terms->variable[spec->factor].levels;
    c.blocks = c.rows.rows / c.k;
    json_t *o = *out = json_object();
    json_t *all = json_object();
    rc = means(&c, all, err);
    pji_put_object(o, "means", all);
    if (!rc)
        rc = contrasts(&c, PJI_CONTRAST_CONSECUTIVE, "consec", o, err);
    if (!rc && table->parts & PJI_TABLE_POLY)
        rc = contrasts(&c, PJI_CONTRAST_POLYNOMIAL, "poly", o, err);
    if (!rc && table->parts & PJI_TABLE_PAIRWISE)
        rc = contrasts(&c, PJI_CONTRAST_PAIRWISE, "pairwise", o, err);
    pji_matrix_fini(&c.rows);
    return rc;
}
