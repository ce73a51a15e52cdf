#include "stats/type3.h"

#include "core/array.h"
#include "stats/qr.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* N: rank by columns of the indicator design, with (indicator design) = (kept columns) N. Every
 * estimable function of the indicator parameters is c'N, and c is its row for the kept columns. */
static pj_status express(const struct pji_design *full, const struct pji_design *design,
                         const size_t *kept, size_t rank, struct pji_matrix *n,
                         struct pj_error *err)
{
    struct pji_matrix x = {NULL, 0, 0};
    struct pji_qr qr;
    memset(&qr, 0, sizeof qr);
    double *y = NULL;
    pj_status rc = pji_matrix_columns(&x, &design->x, kept, rank, err);
    if (!rc)
        rc = pji_qr_init(&qr, &x, err);
    if (!rc)
        rc = pji_matrix_init(n, rank, full->x.cols, err);
    if (!rc) {
        y = pji_zalloc(x.rows + 1, sizeof *y, err);
        rc = y ? PJ_OK : PJ_ENOMEM;
    }
    for (size_t j = 0; !rc && j < full->x.cols; j++) {
        memcpy(y, pji_matrix_at(&full->x, 0, j), x.rows * sizeof *y);
        rc = pji_qr_apply_t(&qr, y, err);
        double *column = pji_matrix_at(n, 0, j);
        if (rc)
            break;
        pji_qr_solve(&qr, y, column);
        for (size_t i = 0; i < rank; i++)
            column[i] = fabs(column[i]) < 1e-9 ? 0 : column[i];
    }
    free(y);
    pji_qr_fini(&qr);
    pji_matrix_fini(&x);
    return rc;
}

static uint32_t covariates_of(const struct pji_terms *m, uint32_t term)
{
    uint32_t mask = 0;
    for (size_t v = 0; v < m->variables; v++)
        mask |= m->variable[v].code ? 0 : term & (UINT32_C(1) << v);
    return mask;
}

/* As in lmerTest, a variable that a term codes by all levels (b in a:b without a) is not looked at.
 */
static bool contains(const struct pji_design *d, size_t big_term, size_t small_term)
{
    uint32_t big = d->model.term[big_term] & ~pji_design_full(d, big_term);
    uint32_t small = d->model.term[small_term] & ~pji_design_full(d, small_term);
    return (small & ~big) == 0 && big != small &&
           covariates_of(&d->model, big) == covariates_of(&d->model, small);
}

/* Columns of the design that were kept and belong to a term for which `wanted` says so. */
static size_t columns_where(const struct pji_design *d, const size_t *kept, size_t rank,
                            size_t term, bool containing, size_t *out)
{
    const struct pji_terms *m = &d->model;
    size_t count = 0;
    for (size_t i = 0; i < rank; i++) {
        size_t t = pji_design_term(d, kept[i]);
        bool wanted = containing ? t < m->terms && contains(d, t, term) : t == term;
        if (wanted)
            out[count++] = i;
    }
    return count;
}

/* Rounds coefficients to 7 digits of the largest one of their functions, as lmerTest does (its
 * zapsmall): thirds become 0.3333333, which moves F by up to 1e-6 of itself. Kept, because numbers
 * that are published come from there. */
static void round_rows(struct pji_matrix *rows, double largest)
{
    if (!(largest > 0))
        return;
    /* the largest is 1 but for rounding in most designs */
    double power = ceil(log10(largest) - 1e-9);
    double scale = pow(10, fmax(0, 7 - power));
    for (size_t k = 0; k < rows->rows * rows->cols; k++)
        rows->x[k] = nearbyint(rows->x[k] * scale) / scale;
}

/* The function "coefficient c" minus its projection on the functions "coefficient d" of the
 * containing terms, both written in the indicator parameters: rows c and d of N. Returns the
 * largest coefficient of an indicator parameter in *largest. */
static pj_status project(const struct pji_qr *qr, const struct pji_matrix *n, size_t own,
                         const size_t *other, size_t others, double *y, double *weight,
                         double *largest, struct pj_error *err)
{
    for (size_t c = 0; c < n->cols; c++)
        y[c] = pji_matrix_get(n, own, c);
    pj_status rc = pji_qr_apply_t(qr, y, err);
    if (rc)
        return rc;
    pji_qr_solve(qr, y, weight);
    for (size_t d = 0; d < others; d++)
        weight[d] = isnan(weight[d]) ? 0 : weight[d];
    for (size_t c = 0; c < n->cols; c++) {
        double rest = pji_matrix_get(n, own, c);
        for (size_t d = 0; d < others; d++)
            rest -= weight[d] * pji_matrix_get(n, other[d], c);
        *largest = fmax(*largest, fabs(rest));
    }
    return PJ_OK;
}

static pj_status orthogonalise(const struct pji_matrix *n, const size_t *own, size_t owns,
                               const size_t *other, size_t others, const size_t *kept,
                               struct pji_matrix *rows, struct pj_error *err)
{
    struct pji_matrix basis = {NULL, 0, 0};
    struct pji_qr qr;
    memset(&qr, 0, sizeof qr);
    double largest = 0;
    double *y = pji_zalloc(n->cols + others + 2, sizeof *y, err);
    pj_status rc = y ? pji_matrix_init(&basis, n->cols, others, err) : PJ_ENOMEM;
    for (size_t d = 0; !rc && d < others; d++) {
        for (size_t c = 0; c < n->cols; c++)
            *pji_matrix_at(&basis, c, d) = pji_matrix_get(n, other[d], c);
    }
    if (!rc)
        rc = pji_qr_init(&qr, &basis, err);
    for (size_t k = 0; !rc && k < owns; k++) {
        double *weight = y + n->cols;
        rc = project(&qr, n, own[k], other, others, y, weight, &largest, err);
        *pji_matrix_at(rows, k, kept[own[k]]) = 1;
        for (size_t d = 0; !rc && d < others; d++)
            *pji_matrix_at(rows, k, kept[other[d]]) = -weight[d];
    }
    if (!rc && others > 0)
        round_rows(rows, largest);
    free(y);
    pji_qr_fini(&qr);
    pji_matrix_fini(&basis);
    return rc;
}

/* The only term of a model has nothing to be orthogonal to: its type I functions, the rows of R
 * over their diagonal (forward Doolittle). */
static pj_status alone(const struct pji_design *design, const size_t *kept, size_t rank,
                       const size_t *own, size_t owns, struct pji_matrix *rows,
                       struct pj_error *err)
{
    struct pji_matrix x = {NULL, 0, 0};
    struct pji_qr qr;
    memset(&qr, 0, sizeof qr);
    pj_status rc = pji_matrix_columns(&x, &design->x, kept, rank, err);
    if (!rc)
        rc = pji_qr_init(&qr, &x, err);
    for (size_t k = 0; !rc && k < owns; k++) {
        for (size_t j = own[k]; j < qr.rank; j++)
            *pji_matrix_at(rows, k, kept[j]) =
                pji_matrix_get(&qr.packed, own[k], j) / pji_matrix_get(&qr.packed, own[k], own[k]);
    }
    pji_qr_fini(&qr);
    pji_matrix_fini(&x);
    return rc;
}

static pj_status among_others(const struct pji_design *design, const size_t *kept, size_t rank,
                              const size_t *own, size_t owns, const size_t *other, size_t others,
                              struct pji_matrix *rows, struct pj_error *err)
{
    struct pji_design full;
    struct pji_matrix n = {NULL, 0, 0};
    pj_status rc = pji_design_init(&full, &design->model, PJI_CODING_INDICATOR, err);
    if (rc)
        return rc;
    rc = express(&full, design, kept, rank, &n, err);
    if (!rc)
        rc = orthogonalise(&n, own, owns, other, others, kept, rows, err);
    pji_matrix_fini(&n);
    pji_design_fini(&full);
    return rc;
}

pj_status pji_type3_rows(const struct pji_design *design, const size_t *kept, size_t rank,
                         size_t term, struct pji_matrix *rows, struct pj_error *err)
{
    size_t *own = pji_zalloc(2 * rank + 1, sizeof *own, err);
    if (!own)
        return PJ_ENOMEM;
    size_t *other = own + rank;
    size_t owns = columns_where(design, kept, rank, term, false, own);
    size_t others = columns_where(design, kept, rank, term, true, other);
    pj_status rc = pji_matrix_init(rows, owns, design->x.cols, err);
    if (!rc && design->model.terms == 1)
        rc = alone(design, kept, rank, own, owns, rows, err);
    else if (!rc)
        rc = among_others(design, kept, rank, own, owns, other, others, rows, err);
    free(own);
    if (rc)
        pji_matrix_fini(rows);
    return rc;
}
