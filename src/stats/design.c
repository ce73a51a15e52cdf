#include "stats/design.h"

#include "core/array.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static pj_status check_variable(const struct pji_terms *m, size_t v, struct pj_error *err)
{
    const struct pji_variable *variable = &m->variable[v];
    if (variable->code && variable->levels < 2)
        return pji_fail(err, PJ_EINVAL, "factor %zu of the model has %zu level: it needs two",
                        v + 1, variable->levels);
    for (size_t i = 0; i < m->n; i++) {
        if (variable->code && variable->code[i] >= variable->levels)
            return pji_fail(err, PJ_EINVAL, "row %zu has level %zu of a factor with %zu", i + 1,
                            variable->code[i] + 1, variable->levels);
        if (!variable->code && !isfinite(variable->x[i]))
            return pji_fail(err, PJ_EINVAL, "row %zu has a covariate that is not finite", i + 1);
    }
    return PJ_OK;
}

static pj_status check(const struct pji_terms *m, struct pj_error *err)
{
    if (m->n == 0)
        return pji_fail(err, PJ_EINVAL, "a linear model without rows");
    if (m->variables > PJI_VARIABLES)
        return pji_fail(err, PJ_EINVAL, "a linear model takes at most %d variables", PJI_VARIABLES);
    uint32_t known = m->variables == 32 ? UINT32_MAX : (UINT32_C(1) << m->variables) - 1;
    uint32_t used = 0;
    for (size_t t = 0; t < m->terms; t++) {
        if (m->term[t] == 0 || (m->term[t] & ~known))
            return pji_fail(err, PJ_EINVAL, "term %zu of the model names no known variable", t + 1);
        used |= m->term[t];
    }
    for (size_t v = 0; v < m->variables; v++) {
        pj_status rc = used >> v & 1 ? check_variable(m, v, err) : PJ_OK;
        if (rc)
            return rc;
    }
    return PJ_OK;
}

/* is the margin of a term in the span of the terms before it? */
static bool has_margin(const struct pji_terms *m, size_t before, uint32_t margin)
{
    if (margin == 0)
        return true; /* an absent intercept is made up for by the first factor */
    for (size_t t = 0; t < before; t++) {
        if ((margin & ~m->term[t]) == 0)
            return true;
    }
    return false;
}

uint32_t pji_design_full(const struct pji_design *design, size_t term)
{
    const struct pji_terms *m = &design->model;
    uint32_t full = 0;
    for (size_t v = 0; v < m->variables; v++) {
        uint32_t bit = UINT32_C(1) << v;
        if (m->term[term] & bit && !has_margin(m, term, m->term[term] & ~bit))
            full |= bit;
    }
    return full;
}

static void choose_coding(struct pji_design *d)
{
    const struct pji_terms *m = &d->model;
    bool open = !m->intercept;
    for (size_t t = 0; t < m->terms; t++) {
        uint32_t full = pji_design_full(d, t);
        for (size_t v = 0; v < m->variables; v++) {
            uint32_t bit = UINT32_C(1) << v;
            if (!(m->term[t] & bit) || !m->variable[v].code)
                continue;
            /* only a main effect can stand in for the intercept */
            if (d->coding == PJI_CODING_INDICATOR || full & bit || (open && m->term[t] == bit))
                d->full[t] |= bit;
            if (m->term[t] == bit)
                open = false;
        }
    }
}

static size_t columns_of(const struct pji_design *d, size_t term, size_t v)
{
    const struct pji_variable *variable = &d->model.variable[v];
    if (!variable->code)
        return 1;
    return d->full[term] >> v & 1 ? variable->levels : variable->levels - 1;
}

/* value of column `index` of a variable inside a term, at a point */
static double coded(const struct pji_design *d, size_t term, size_t v, size_t index,
                    const struct pji_point *point)
{
    const struct pji_variable *variable = &d->model.variable[v];
    if (!variable->code)
        return point->x[v];
    size_t level = point->code[v];
    if (d->full[term] >> v & 1)
        return level == index ? 1 : 0;
    if (d->coding == PJI_CODING_TREATMENT)
        return level == index + 1 ? 1 : 0;
    if (level == variable->levels - 1)
        return -1;
    return level == index ? 1 : 0;
}

void pji_design_row(const struct pji_design *design, const struct pji_point *point, double *row)
{
    const struct pji_terms *m = &design->model;
    if (m->intercept)
        row[0] = 1;
    for (size_t t = 0; t < m->terms; t++) {
        size_t first = design->first[t];
        for (size_t c = first; c < design->first[t + 1]; c++) {
            size_t rest = c - first;
            double value = 1;
            for (size_t v = 0; v < m->variables; v++) {
                if (!(m->term[t] >> v & 1))
                    continue;
                size_t count = columns_of(design, t, v);
                value *= coded(design, t, v, rest % count, point);
                rest /= count;
            }
            row[c] = value;
        }
    }
}

static pj_status fill(struct pji_design *d, struct pj_error *err)
{
    const struct pji_terms *m = &d->model;
    double *row = pji_zalloc(d->x.cols + 1, sizeof *row, err);
    if (!row)
        return PJ_ENOMEM;
    struct pji_point point;
    memset(&point, 0, sizeof point);
    for (size_t i = 0; i < m->n; i++) {
        for (size_t v = 0; v < m->variables; v++) {
            if (m->variable[v].code)
                point.code[v] = m->variable[v].code[i];
            else
                point.x[v] = m->variable[v].x[i];
        }
        pji_design_row(d, &point, row);
        for (size_t c = 0; c < d->x.cols; c++)
            *pji_matrix_at(&d->x, i, c) = row[c];
    }
    free(row);
    return PJ_OK;
}

pj_status pji_design_init(struct pji_design *design, const struct pji_terms *model,
                          enum pji_coding coding, struct pj_error *err)
{
    memset(design, 0, sizeof *design);
    pj_status rc = check(model, err);
    if (rc)
        return rc;
    design->model = *model;
    design->coding = coding;
    design->first = pji_zalloc(model->terms + 1, sizeof *design->first, err);
    design->full = pji_zalloc(model->terms + 1, sizeof *design->full, err);
    if (!design->first || !design->full) {
        pji_design_fini(design);
        return PJ_ENOMEM;
    }
    choose_coding(design);
    size_t columns = model->intercept ? 1 : 0;
    for (size_t t = 0; t < model->terms; t++) {
        design->first[t] = columns;
        size_t count = 1;
        for (size_t v = 0; v < model->variables; v++)
            count *= model->term[t] >> v & 1 ? columns_of(design, t, v) : 1;
        columns += count;
    }
    design->first[model->terms] = columns;
    rc = pji_matrix_init(&design->x, model->n, columns, err);
    if (!rc)
        rc = fill(design, err);
    if (rc)
        pji_design_fini(design);
    return rc;
}

void pji_design_fini(struct pji_design *design)
{
    pji_matrix_fini(&design->x);
    free(design->first);
    free(design->full);
    memset(design, 0, sizeof *design);
}

size_t pji_design_term(const struct pji_design *design, size_t column)
{
    for (size_t t = 0; t < design->model.terms; t++) {
        if (column >= design->first[t] && column < design->first[t + 1])
            return t;
    }
    return design->model.terms;
}

void pji_design_levels(const struct pji_design *design, size_t column, size_t *level)
{
    size_t t = pji_design_term(design, column);
    if (t == design->model.terms)
        return;
    size_t rest = column - design->first[t];
    for (size_t v = 0; v < design->model.variables; v++) {
        if (!(design->model.term[t] >> v & 1))
            continue;
        size_t count = columns_of(design, t, v);
        bool full = design->full[t] >> v & 1;
        level[v] = rest % count + (full ? 0 : 1);
        rest /= count;
    }
}
