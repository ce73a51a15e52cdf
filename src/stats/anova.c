#include "stats/anova.h"

#include "core/array.h"
#include "stats/fisher.h"
#include "stats/lm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

pj_status pji_added_ss(const struct pji_matrix *x, const size_t *base, size_t n_base,
                       const size_t *added, size_t n_added, const double *y, double *ss, double *df,
                       struct pj_error *err)
{
    struct pji_matrix both = {NULL, 0, 0};
    struct pji_qr qr;
    memset(&qr, 0, sizeof qr);
    size_t *pick = pji_zalloc(n_base + n_added + 1, sizeof *pick, err);
    double *effects = pji_zalloc(x->rows + 1, sizeof *effects, err);
    pj_status rc = PJ_ENOMEM;
    if (!pick || !effects)
        goto out;
    memcpy(pick, base, n_base * sizeof *pick);
    memcpy(pick + n_base, added, n_added * sizeof *pick);
    memcpy(effects, y, x->rows * sizeof *y);
    rc = pji_matrix_columns(&both, x, pick, n_base + n_added, err);
    if (!rc)
        rc = pji_qr_init(&qr, &both, err);
    if (!rc)
        rc = pji_qr_apply_t(&qr, effects, err);
    *ss = 0;
    *df = 0;
    for (size_t i = 0; !rc && i < qr.rank; i++) {
        if (qr.kept[i] < n_base)
            continue;
        *ss += effects[i] * effects[i];
        *df += 1;
    }
out:
    free(pick);
    free(effects);
    pji_matrix_fini(&both);
    pji_qr_fini(&qr);
    return rc;
}

/* does the smaller model for `term` include `other`? */
static bool in_base(const struct pji_terms *m, enum pji_anova_type type, size_t term, size_t other)
{
    if (other == term)
        return false;
    switch (type) {
    case PJI_ANOVA_I:
        return other < term;
    case PJI_ANOVA_II:
        return (m->term[other] & m->term[term]) != m->term[term];
    case PJI_ANOVA_III:
        break;
    }
    return true;
}

static pj_status row_ss(const struct pji_design *d, const double *y, enum pji_anova_type type,
                        size_t term, struct pji_anova_row *row, struct pj_error *err)
{
    size_t *columns = pji_zalloc(2 * d->x.cols + 1, sizeof *columns, err);
    if (!columns)
        return PJ_ENOMEM;
    size_t *added = columns + d->x.cols;
    size_t base = 0;
    size_t count = 0;
    if (d->model.intercept)
        columns[base++] = 0;
    for (size_t t = 0; t < d->model.terms; t++) {
        for (size_t c = d->first[t]; c < d->first[t + 1]; c++) {
            if (t == term)
                added[count++] = c;
            else if (in_base(&d->model, type, term, t))
                columns[base++] = c;
        }
    }
    pj_status rc = pji_added_ss(&d->x, columns, base, added, count, y, &row->ss, &row->df, err);
    if (row->df > 0)
        row->ms = row->ss / row->df;
    else
        row->ss = (double)NAN;
    free(columns);
    return rc;
}

static void test_rows(struct pji_anova_row *rows, size_t terms, const struct pji_lm *lm)
{
    double sse = lm->rss;
    double mse = sse / lm->df_residual;
    double n = (double)lm->n;
    double sum = sse;
    for (size_t t = 0; t < terms; t++)
        sum += rows[t].df > 0 ? rows[t].ss : 0;
    for (size_t t = 0; t < terms; t++) {
        struct pji_anova_row *r = &rows[t];
        if (!(r->df > 0))
            continue;
        r->F = r->ms / mse;
        r->p = pji_f_upper(r->F, r->df, lm->df_residual);
        r->eta2_partial = r->ss / (r->ss + sse);
        r->eta2 = r->ss / sum;
        r->omega2_partial = (r->ss - r->df * mse) / (r->ss + (n - r->df) * mse);
        r->epsilon2_partial = (r->ss - r->df * mse) / (r->ss + sse);
        r->cohens_f_partial = sqrt(r->ss / sse);
    }
}

pj_status pji_anova(const struct pji_terms *model, const double *y, enum pji_anova_type type,
                    struct pji_anova_row *rows, struct pj_error *err)
{
    const double none = (double)NAN;
    for (size_t t = 0; t < model->terms; t++)
        rows[t] =
            (struct pji_anova_row){none, none, none, none, none, none, none, none, none, none};
    struct pji_design design;
    pj_status rc = pji_design_init(&design, model, PJI_CODING_SUM, err);
    if (rc)
        return rc;
    struct pji_lm lm;
    pj_status fit = pji_lm_fit(&lm, &design.x, model->intercept, y, err);
    rc = fit < 0 ? fit : PJ_OK;
    bool deficient = fit >= 0 && lm.rank < lm.p;
    if (!rc && type == PJI_ANOVA_III && deficient)
        rc = PJI_STATS_DEFICIENT;
    for (size_t t = 0; !rc && t < model->terms; t++)
        rc = row_ss(&design, y, type, t, &rows[t], err);
    if (!rc) {
        if (fit == PJ_OK || fit == PJI_STATS_DEFICIENT)
            test_rows(rows, model->terms, &lm);
        else
            rc = fit;
    }
    if (fit >= 0)
        pji_lm_fini(&lm);
    pji_design_fini(&design);
    return rc;
}
