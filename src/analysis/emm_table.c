/* Marginal means and their contrasts as JSON: see analysis/model.h. */
#include "analysis/model.h"

#include "analysis/layout.h"
#include "core/array.h"
#include "core/num.h"
#include "core/str.h"
#include "stats/adjust.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct context {
    const struct pji_emm_table *table;
    struct pji_emm_cells cells;
    size_t *block;  /* of each mean, the first mean with the same levels of the by-factors */
    size_t *member; /* the means of the block at hand */
    size_t members;
    json_t *omitted;
};

/* a covariate that stands for two groups is named by its values */
static void add_level(const struct context *c, size_t variable, size_t index, struct pji_str *out)
{
    const struct pji_model *m = c->table->model;
    char text[PJI_NUM_TEXT];
    if (m->terms.variable[variable].code) {
        pji_str_add(out, m->level[variable][index]);
        return;
    }
    pji_num_format(m->grid.value[variable][index], text);
    pji_str_add(out, text);
}

static size_t level_of(const struct context *c, size_t mean, size_t variable)
{
    for (size_t k = 0; k < c->cells.keys; k++) {
        if (c->cells.key[k] == variable)
            return c->cells.level[mean * c->cells.keys + k];
    }
    return 0;
}

static bool is_by(const struct context *c, size_t variable)
{
    for (size_t i = 0; i < c->cells.bys; i++) {
        if (c->cells.by[i] == variable)
            return true;
    }
    return false;
}

/* "a,b": levels of the by-factors of a block */
static void add_block(const struct context *c, size_t mean, struct pji_str *out)
{
    for (size_t i = 0; i < c->cells.bys; i++) {
        if (i > 0)
            pji_str_addc(out, ',');
        add_level(c, c->cells.by[i], level_of(c, mean, c->cells.by[i]), out);
    }
}

/* are the levels of a variable in the block at hand all numbers? */
static bool is_numeric(const struct context *c, size_t variable)
{
    struct pji_str text = {0};
    bool numeric = true;
    for (size_t i = 0; numeric && i < c->members; i++) {
        double x;
        pji_str_clear(&text);
        add_level(c, variable, level_of(c, c->member[i], variable), &text);
        numeric = !pji_num_parse(pji_str_text(&text), text.len, &x, NULL);
    }
    pji_str_fini(&text);
    return numeric;
}

/* "3" or, where the factor brings what it is nested in, "3 llama": numbers of another variable are
 * preceded by its name, as in emmeans */
static void add_mean(const struct context *c, size_t mean, struct pji_str *out)
{
    bool first = true;
    for (size_t k = 0; k < c->cells.keys; k++) {
        size_t v = c->cells.key[k];
        if (is_by(c, v))
            continue;
        if (!first)
            pji_str_addc(out, ' ');
        if (v != c->table->spec->factor && is_numeric(c, v))
            pji_str_add(out, c->table->model->name[v]);
        add_level(c, v, c->cells.level[mean * c->cells.keys + k], out);
        first = false;
    }
}

static void omit(const struct context *c, const char *part, const char *name, pj_status condition)
{
    if (condition <= 0)
        return;
    struct pji_str path = {0};
    pji_str_addf(&path, "%s/%s/%s", c->table->path, part, name);
    pji_omit_at(c->omitted, &path, condition);
    pji_str_fini(&path);
}

static pj_status means(const struct context *c, json_t *into, struct pj_error *err)
{
    const struct pji_matrix *rows = &c->cells.rows;
    double *l = pji_zalloc(rows->cols + 1, sizeof *l, err);
    if (!l)
        return PJ_ENOMEM;
    struct pji_str name = {0};
    pj_status rc = PJ_OK;
    for (size_t i = 0; rc >= 0 && i < rows->rows; i++) {
        struct pji_estimate e = {.estimate = (double)NAN};
        for (size_t j = 0; j < rows->cols; j++)
            l[j] = pji_matrix_get(rows, i, j);
        pji_str_clear(&name);
        for (size_t k = 0; k < c->cells.keys; k++) {
            if (k > 0)
                pji_str_addc(&name, ',');
            add_level(c, c->cells.key[k], c->cells.level[i * c->cells.keys + k], &name);
        }
        rc = pji_str_ok(&name, err);
        if (!rc)
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

/* "3.1 - 3 | BoolQ" */
static void contrast_name(const struct context *c, enum pji_contrast kind, size_t index,
                          struct pji_str *out)
{
    static const char *const degrees[] = {"linear",  "quadratic", "cubic",
                                          "quartic", "degree 5",  "degree 6"};
    pji_str_clear(out);
    if (kind == PJI_CONTRAST_POLYNOMIAL) {
        pji_str_add(out, degrees[index]);
    } else {
        size_t plus;
        size_t minus;
        pji_contrast_pair(kind, c->members, index, &plus, &minus);
        add_mean(c, c->member[plus], out);
        pji_str_add(out, " - ");
        add_mean(c, c->member[minus], out);
    }
    if (c->cells.bys > 0) {
        pji_str_add(out, " | ");
        add_block(c, c->member[0], out);
    }
}

/* one contrast of the means of a block as a function of the coefficients */
static void combine(const struct context *c, enum pji_contrast kind, size_t index, double *weight,
                    double *l)
{
    pji_contrast_row(kind, c->members, index, weight);
    for (size_t j = 0; j < c->cells.rows.cols; j++) {
        l[j] = 0;
        for (size_t i = 0; i < c->members; i++) {
            if (weight[i] != 0)
                l[j] += weight[i] * pji_matrix_get(&c->cells.rows, c->member[i], j);
        }
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
                                 struct work *w, json_t *into, struct pj_error *err)
{
    size_t count = pji_contrast_count(kind, c->members);
    struct pji_str name = {0};
    pj_status rc = PJ_OK;
    for (size_t i = 0; rc >= 0 && i < count; i++) {
        combine(c, kind, i, w->weight, w->l);
        rc = pji_estimate(c->table->fit, w->l, 0.95, &w->e[i], err);
        contrast_name(c, kind, i, &name);
        omit(c, part, pji_str_text(&name), rc);
        if (rc >= 0 && pji_str_ok(&name, err))
            rc = PJ_ENOMEM;
    }
    if (rc >= 0)
        rc = adjust(w->e, count, w->p, err);
    for (size_t i = 0; rc >= 0 && i < count; i++) {
        if (isnan(w->e[i].estimate))
            continue;
        contrast_name(c, kind, i, &name);
        rc = pji_str_ok(&name, err);
        if (rc)
            break;
        json_t *o = json_object();
        double adjusted[3] = {w->p[i], w->p[count + i], w->p[2 * count + i]};
        put_contrast(o, &w->e[i], adjusted);
        put_hedges(c, o, kind, w->e[i].estimate);
        pji_put_object(into, pji_str_text(&name), o);
    }
    pji_str_fini(&name);
    return rc < 0 ? rc : PJ_OK;
}

/* makes the block that begins at a mean the one at hand */
static void take_block(struct context *c, size_t first)
{
    c->members = 0;
    for (size_t i = first; i < c->cells.rows.rows; i++) {
        if (c->block[i] == first)
            c->member[c->members++] = i;
    }
}

static pj_status contrasts(struct context *c, enum pji_contrast kind, const char *part, json_t *out,
                           struct pj_error *err)
{
    size_t n = c->cells.rows.rows;
    size_t most = pji_contrast_count(kind, n);
    struct work w = {pji_zalloc(n + 1, sizeof(double), err),
                     pji_zalloc(c->cells.rows.cols + 1, sizeof(double), err),
                     pji_zalloc(3 * most + 1, sizeof(double), err),
                     pji_zalloc(most + 1, sizeof(struct pji_estimate), err)};
    pj_status rc = w.weight && w.l && w.p && w.e ? PJ_OK : PJ_ENOMEM;
    json_t *into = json_object();
    bool compared = false;
    for (size_t first = 0; !rc && first < n; first++) {
        if (c->block[first] != first)
            continue;
        take_block(c, first);
        rc = block_contrasts(c, kind, part, &w, into, err);
        compared = compared || c->members > 1;
    }
    /* all that the factor is nested in is among the by-factors */
    if (!rc && !compared)
        omit(c, part, c->table->model->name[c->table->spec->factor], PJI_STATS_FEW);
    pji_put_object(out, part, into);
    free(w.weight);
    free(w.l);
    free(w.p);
    free(w.e);
    return rc;
}

static bool same_block(const struct context *c, size_t a, size_t b)
{
    for (size_t i = 0; i < c->cells.bys; i++) {
        if (level_of(c, a, c->cells.by[i]) != level_of(c, b, c->cells.by[i]))
            return false;
    }
    return true;
}

static pj_status find_blocks(struct context *c, struct pj_error *err)
{
    size_t n = c->cells.rows.rows;
    c->block = pji_zalloc(n + 1, sizeof *c->block, err);
    c->member = pji_zalloc(n + 1, sizeof *c->member, err);
    if (!c->block || !c->member)
        return PJ_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        c->block[i] = 0;
        while (!same_block(c, c->block[i], i))
            c->block[i]++;
    }
    return PJ_OK;
}

static void fini(struct context *c)
{
    pji_emm_cells_fini(&c->cells);
    free(c->block);
    free(c->member);
}

pj_status pji_emm_table(const struct pji_emm_table *table, json_t **out, json_t *omitted,
                        struct pj_error *err)
{
    const struct pji_model_spec *spec = table->spec;
    struct context c = {.table = table, .omitted = omitted};
    if (spec->bys > PJI_VARIABLES || spec->factor >= table->model->terms.variables)
        return pji_fail(err, PJ_EINVAL, "marginal means of a factor that the model does not have");
    *out = NULL;
    pj_status rc = pji_emm_cells_init(&c.cells, table->design, spec->factor, spec->by, spec->bys,
                                      &table->model->grid, err);
    if (rc < 0)
        return rc;
    json_t *o = *out = json_object();
    if (rc > 0) {
        pji_omit(omitted, table->path, rc);
        return PJ_OK;
    }
    rc = find_blocks(&c, err);
    json_t *all = json_object();
    if (!rc)
        rc = means(&c, all, err);
    pji_put_object(o, "means", all);
    if (!rc)
        rc = contrasts(&c, PJI_CONTRAST_CONSECUTIVE, "consec", o, err);
    if (!rc && table->parts & PJI_TABLE_POLY)
        rc = contrasts(&c, PJI_CONTRAST_POLYNOMIAL, "poly", o, err);
    if (!rc && table->parts & PJI_TABLE_PAIRWISE)
        rc = contrasts(&c, PJI_CONTRAST_PAIRWISE, "pairwise", o, err);
    fini(&c);
    if (rc < 0) {
        json_decref(o);
        *out = NULL;
    }
    return rc;
}
