#include "stats/qr.h"

#include "core/array.h"

#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double tolerance = 1e-7;

static double norm(const double *x, size_t n)
{
    return sqrt(pji_dot(x, x, n));
}

static pj_status factorise(struct pji_matrix *a, double *tau, struct pj_error *err)
{
    if (a->rows == 0 || a->cols == 0)
        return PJ_OK;
    lapack_int info = LAPACKE_dgeqrf(LAPACK_COL_MAJOR, (lapack_int)a->rows, (lapack_int)a->cols,
                                     a->x, (lapack_int)a->rows, tau);
    if (info != 0)
        return pji_fail(err, PJ_EINVAL, "QR factorisation of the design failed (LAPACK info %d)",
                        (int)info);
    return PJ_OK;
}

/* reflects the columns first … of r so that column `at` vanishes below row `rank` */
static void reflect(struct pji_matrix *r, size_t rank, size_t at)
{
    size_t m = r->rows - rank;
    double *v = pji_matrix_at(r, rank, at);
    double alpha = v[0] > 0 ? -norm(v, m) : norm(v, m);
    v[0] -= alpha;
    double square = pji_dot(v, v, m);
    for (size_t j = at + 1; square > 0 && j < r->cols; j++) {
        double *x = pji_matrix_at(r, rank, j);
        double scale = 2 * pji_dot(v, x, m) / square;
        for (size_t i = 0; i < m; i++)
            x[i] -= scale * v[i];
    }
}

/* The independent columns, from the left, of the upper triangle of `packed`; r is work space. */
static size_t independent(struct pji_matrix *r, size_t *kept)
{
    size_t rank = 0;
    for (size_t j = 0; j < r->cols; j++) {
        double *column = pji_matrix_at(r, 0, j);
        double whole = norm(column, r->rows); /* reflections keep the length */
        double rest = norm(column + rank, r->rows - rank);
        if (rank == r->rows || !(rest > tolerance * whole))
            continue;
        reflect(r, rank, j);
        kept[rank++] = j;
    }
    return rank;
}

static pj_status find_kept(struct pji_qr *qr, const struct pji_matrix *x, struct pj_error *err)
{
    struct pji_matrix full = {NULL, 0, 0};
    struct pji_matrix r = {NULL, 0, 0};
    size_t small = x->rows < x->cols ? x->rows : x->cols;
    double *tau = pji_zalloc(small + 1, sizeof *tau, err);
    pj_status rc = tau ? pji_matrix_init(&full, x->rows, x->cols, err) : PJ_ENOMEM;
    if (!rc)
        rc = pji_matrix_init(&r, small, x->cols, err);
    if (rc)
        goto out;
    memcpy(full.x, x->x, x->rows * x->cols * sizeof *x->x);
    rc = factorise(&full, tau, err);
    if (rc)
        goto out;
    for (size_t j = 0; j < x->cols; j++) {
        size_t length = j + 1 < small ? j + 1 : small;
        memcpy(pji_matrix_at(&r, 0, j), pji_matrix_at(&full, 0, j), length * sizeof *r.x);
    }
    qr->rank = independent(&r, qr->kept);
    if (qr->rank == x->cols) { /* nothing dropped: the first factorisation is the answer */
        qr->packed = full;
        full.x = NULL;
        memcpy(qr->tau, tau, qr->rank * sizeof *tau);
    }
out:
    free(tau);
    pji_matrix_fini(&full);
    pji_matrix_fini(&r);
    return rc;
}

pj_status pji_qr_init(struct pji_qr *qr, const struct pji_matrix *x, struct pj_error *err)
{
    memset(qr, 0, sizeof *qr);
    qr->cols = x->cols;
    qr->kept = pji_zalloc(x->cols + 1, sizeof *qr->kept, err);
    qr->tau = pji_zalloc(x->cols + 1, sizeof *qr->tau, err);
    pj_status rc = qr->kept && qr->tau ? find_kept(qr, x, err) : PJ_ENOMEM;
    if (!rc && !qr->packed.x) {
        rc = pji_matrix_columns(&qr->packed, x, qr->kept, qr->rank, err);
        if (!rc)
            rc = factorise(&qr->packed, qr->tau, err);
    }
    if (rc)
        pji_qr_fini(qr);
    return rc;
}

void pji_qr_fini(struct pji_qr *qr)
{
    pji_matrix_fini(&qr->packed);
    free(qr->tau);
    free(qr->kept);
    memset(qr, 0, sizeof *qr);
}

static pj_status apply(const struct pji_qr *qr, char trans, double *y, struct pj_error *err)
{
    lapack_int rows = (lapack_int)qr->packed.rows;
    if (qr->rank == 0)
        return PJ_OK;
    lapack_int info = LAPACKE_dormqr(LAPACK_COL_MAJOR, 'L', trans, rows, 1, (lapack_int)qr->rank,
                                     qr->packed.x, rows, qr->tau, y, rows);
    return info ? pji_fail(err, PJ_EINVAL, "applying Q failed (LAPACK info %d)", (int)info) : PJ_OK;
}

pj_status pji_qr_apply_t(const struct pji_qr *qr, double *y, struct pj_error *err)
{
    return apply(qr, 'T', y, err);
}

pj_status pji_qr_apply(const struct pji_qr *qr, double *y, struct pj_error *err)
{
    return apply(qr, 'N', y, err);
}

/* z := R^-1 z in place, rank elements */
static void back_substitute(const struct pji_qr *qr, double *z)
{
    for (size_t i = qr->rank; i-- > 0;) {
        long double sum = (long double)z[i];
        for (size_t j = i + 1; j < qr->rank; j++)
            sum -= (long double)pji_matrix_get(&qr->packed, i, j) * (long double)z[j];
        z[i] = (double)(sum / (long double)pji_matrix_get(&qr->packed, i, i));
    }
}

void pji_qr_solve(const struct pji_qr *qr, const double *qty, double *beta)
{
    /* the solution fits into the front of beta, then moves to its columns from the back */
    memcpy(beta, qty, qr->rank * sizeof *beta);
    back_substitute(qr, beta);
    size_t at = qr->rank;
    for (size_t j = qr->cols; j-- > 0;) {
        if (at > 0 && qr->kept[at - 1] == j)
            beta[j] = beta[--at];
        else
            beta[j] = (double)NAN;
    }
}

pj_status pji_qr_inverse(const struct pji_qr *qr, struct pji_matrix *out, struct pj_error *err)
{
    size_t p = qr->rank;
    struct pji_matrix inverse = {NULL, 0, 0}; /* R^-1, upper triangle */
    pj_status rc = pji_matrix_init(&inverse, p, p, err);
    if (!rc)
        rc = pji_matrix_init(out, p, p, err);
    for (size_t j = 0; !rc && j < p; j++) {
        *pji_matrix_at(&inverse, j, j) = 1;
        back_substitute(qr, pji_matrix_at(&inverse, 0, j));
    }
    for (size_t i = 0; !rc && i < p; i++) {
        for (size_t j = i; j < p; j++) {
            long double sum = 0;
            for (size_t k = j; k < p; k++)
                sum += (long double)pji_matrix_get(&inverse, i, k) *
                       (long double)pji_matrix_get(&inverse, j, k);
            *pji_matrix_at(out, i, j) = (double)sum;
            *pji_matrix_at(out, j, i) = (double)sum;
        }
    }
    pji_matrix_fini(&inverse);
    return rc;
}

pj_status pji_qr_null(const struct pji_qr *qr, const struct pji_matrix *x, struct pji_matrix *null,
                      struct pj_error *err)
{
    pj_status rc = pji_matrix_init(null, qr->cols, qr->cols - qr->rank, err);
    double *y = rc ? NULL : pji_zalloc(x->rows + qr->cols + 1, sizeof *y, err);
    if (!y) {
        pji_matrix_fini(null);
        return PJ_ENOMEM;
    }
    size_t next = 0;
    for (size_t j = 0, at = 0; !rc && j < qr->cols; j++) {
        if (at < qr->rank && qr->kept[at] == j) {
            at++;
            continue;
        }
        /* the dropped column is this combination of the kept ones */
        double *column = pji_matrix_at(null, 0, next++);
        memcpy(y, pji_matrix_at(x, 0, j), x->rows * sizeof *y);
        rc = pji_qr_apply_t(qr, y, err);
        pji_qr_solve(qr, y, column);
        for (size_t i = 0; i < qr->cols; i++)
            column[i] = isnan(column[i]) ? 0 : column[i];
        column[j] = -1;
    }
    free(y);
    if (rc)
        pji_matrix_fini(null);
    return rc;
}

bool pji_estimable(const struct pji_matrix *null, const double *l)
{
    for (size_t j = 0; j < null->cols; j++) {
        const double *column = pji_matrix_at(null, 0, j);
        double scale = norm(l, null->rows) * norm(column, null->rows);
        if (fabs(pji_dot(l, column, null->rows)) > 1e-8 * scale)
            return false;
    }
    return true;
}
