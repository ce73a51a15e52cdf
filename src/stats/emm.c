#include "stats/emm.h"

#include "core/array.h"
#include "stats/lm.h"
#include "stats/student.h"

#include <math.h>
#include <stdlib.h>

struct walk {
    const struct pji_design *design;
    const struct pji_grid *grid;
    size_t order[PJI_VARIABLES]; /* the variables of the grid: spec first, then the others */
    size_t specs, total;
    struct pji_matrix *rows;
    double *row;
    struct pji_point point;
};

static size_t steps_of(const struct walk *w, size_t v)
{
    const struct pji_variable *variable = &w->design->model.variable[v];
    return variable->code ? variable->levels : w->grid->count[v];
}

/* sets the variables order[from … to) to combination `at`, the first fastest */
static void place(struct walk *w, size_t from, size_t to, size_t at)
{
    for (size_t i = from; i < to; i++) {
        size_t v = w->order[i];
        size_t count = steps_of(w, v);
        if (w->design->model.variable[v].code)
            w->point.code[v] = at % count;
        else
            w->point.x[v] = w->grid->value[v][at % count];
        at /= count;
    }
}

static size_t combinations(const struct walk *w, size_t from, size_t to)
{
    size_t total = 1;
    for (size_t i = from; i < to; i++)
        total *= steps_of(w, w->order[i]);
    return total;
}

static void average(struct walk *w)
{
    size_t cells = combinations(w, 0, w->specs);
    size_t others = combinations(w, w->specs, w->total);
    for (size_t cell = 0; cell < cells; cell++) {
        place(w, 0, w->specs, cell);
        for (size_t o = 0; o < others; o++) {
            place(w, w->specs, w->total, o);
            pji_design_row(w->design, &w->point, w->row);
            for (size_t c = 0; c < w->rows->cols; c++)
                *pji_matrix_at(w->rows, cell, c) += w->row[c];
        }
        for (size_t c = 0; c < w->rows->cols; c++)
            *pji_matrix_at(w->rows, cell, c) /= (double)others;
    }
}

static pj_status arrange(struct walk *w, const size_t *spec, size_t specs, struct pj_error *err)
{
    const struct pji_terms *m = &w->design->model;
    uint32_t used = 0;
    for (size_t t = 0; t < m->terms; t++)
        used |= m->term[t];
    for (size_t i = 0; i < specs; i++) {
        if (spec[i] >= m->variables || !m->variable[spec[i]].code || !(used >> spec[i] & 1))
            return pji_fail(err, PJ_EINVAL,
                            "marginal means need each factor of the model once, not variable %zu",
                            spec[i] + 1);
        used &= ~(UINT32_C(1) << spec[i]);
        w->order[w->total++] = spec[i];
    }
    w->specs = specs;
    for (size_t v = 0; v < m->variables; v++) {
        if (used >> v & 1)
            w->order[w->total++] = v;
    }
    return PJ_OK;
}

pj_status pji_emm_rows(const struct pji_design *design, const size_t *spec, size_t specs,
                       const struct pji_grid *grid, struct pji_matrix *rows, struct pj_error *err)
{
    struct walk w = {.design = design, .grid = grid, .rows = rows};
    pj_status rc = arrange(&w, spec, specs, err);
    if (!rc)
        rc = pji_matrix_init(rows, combinations(&w, 0, w.specs), design->x.cols, err);
    if (rc)
        return rc;
    w.row = pji_zalloc(design->x.cols + 1, sizeof *w.row, err);
    if (!w.row) {
        pji_matrix_fini(rows);
        return PJ_ENOMEM;
    }
    average(&w);
    free(w.row);
    return PJ_OK;
}

pj_status pji_estimate(const struct pji_estimator *fit, const double *l, double level,
                       struct pji_estimate *out, struct pj_error *err)
{
    const double none = (double)NAN;
    *out = (struct pji_estimate){none, none, none, none, none, none, none};
    if (!(level > 0 && level < 1))
        return pji_fail(err, PJ_EINVAL, "a confidence level of %g is not between 0 and 1", level);
    for (size_t j = 0; j < fit->p; j++) {
        if (isnan(l[j]))
            return PJI_STATS_DEFICIENT;
    }
    if (!pji_estimable(fit->null, l))
        return PJI_STATS_DEFICIENT;
    long double sum = 0;
    for (size_t j = 0; j < fit->p; j++) {
        if (!isnan(fit->beta[j]))
            sum += (long double)l[j] * (long double)fit->beta[j];
    }
    out->estimate = (double)sum;
    double variance = pji_quadratic(fit->cov, l);
    if (!(variance > 0))
        return PJI_STATS_CONSTANT;
    out->se = sqrt(variance);
    out->df = fit->df(fit, l);
    out->t = out->estimate / out->se;
    out->p = pji_t_two_sided(out->t, out->df);
    double half = pji_t_quantile(0.5 + level / 2, out->df) * out->se;
    out->low = out->estimate - half;
    out->high = out->estimate + half;
    return PJ_OK;
}

static double residual_df(const struct pji_estimator *self, const double *l)
{
    (void)l;
    const struct pji_lm *lm = self->ctx;
    return lm->df_residual;
}

pj_status pji_lm_estimator(const struct pji_lm *lm, struct pji_estimator *out,
                           struct pji_matrix *cov, struct pj_error *err)
{
    pj_status rc = pji_matrix_init(cov, lm->p, lm->p, err);
    if (rc)
        return rc;
    double square = isnan(lm->sigma) ? 0 : lm->sigma * lm->sigma;
    for (size_t i = 0; i < lm->rank; i++) {
        for (size_t j = 0; j < lm->rank; j++)
            *pji_matrix_at(cov, lm->qr.kept[i], lm->qr.kept[j]) =
                square * pji_matrix_get(&lm->unscaled, i, j);
    }
    *out = (struct pji_estimator){lm->p, lm->beta, cov, &lm->null, residual_df, lm};
    return PJ_OK;
}
