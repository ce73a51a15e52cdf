/* Kenward and Roger's approximation: see stats/lmm_inference.h. */
#include "stats/lmm_inference.h"

#include "core/array.h"
#include "stats/fisher.h"
#include "stats/lmm_parts.h"
#include "stats/symmetric.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Twice the inverse of the expected information. Where its smaller eigenvalue is not above 1e-10 it
 * counts as possibly singular and becomes the pseudo-inverse that drops what is below sqrt(epsilon)
 * of the larger one: the rule of the reference implementation (pbkrtest), which depends on the
 * unit of y and can cost df their meaning; `pseudo` says that something was dropped. */
static pj_status weights(double info[2][2], double w[2][2], bool *pseudo, struct pj_error *err)
{
    struct pji_matrix a = {NULL, 0, 0};
    struct pji_symmetric eigen;
    pj_status rc = pji_matrix_init(&a, 2, 2, err);
    if (rc)
        return rc;
    for (size_t k = 0; k < 4; k++)
        a.x[k] = info[k % 2][k / 2];
    rc = pji_symmetric_init(&eigen, &a, err);
    pji_matrix_fini(&a);
    if (rc)
        return rc;
    double small = fmin(fabs(eigen.value[0]), fabs(eigen.value[1]));
    double large = fmax(fabs(eigen.value[0]), fabs(eigen.value[1]));
    *pseudo = !(small > 1e-10) && !(small > sqrt(DBL_EPSILON) * large);
    if (*pseudo) {
        for (size_t i = 0; i < 2; i++) {
            for (size_t j = 0; j < 2; j++) {
                w[i][j] = 0;
                for (size_t k = 0; k < 2; k++)
                    w[i][j] += fabs(eigen.value[k]) > sqrt(DBL_EPSILON) * large
                                   ? 2 * pji_matrix_get(&eigen.vector, i, k) *
                                         pji_matrix_get(&eigen.vector, j, k) / eigen.value[k]
                                   : 0;
            }
        }
    } else {
        double determinant = info[0][0] * info[1][1] - info[0][1] * info[1][0];
        w[0][0] = 2 * info[1][1] / determinant;
        w[1][1] = 2 * info[0][0] / determinant;
        w[0][1] = w[1][0] = -2 * info[0][1] / determinant;
    }
    pji_symmetric_fini(&eigen);
    return PJ_OK;
}

struct work {
    struct pji_matrix cp[2];   /* C P_i */
    struct pji_matrix inner;   /* U */
    struct pji_matrix product; /* scratch */
};

static pj_status work_init(struct work *k, size_t rank, struct pj_error *err)
{
    memset(k, 0, sizeof *k);
    pj_status rc = pji_matrix_init(&k->cp[0], rank, rank, err);
    if (!rc)
        rc = pji_matrix_init(&k->cp[1], rank, rank, err);
    if (!rc)
        rc = pji_matrix_init(&k->inner, rank, rank, err);
    return rc ? rc : pji_matrix_init(&k->product, rank, rank, err);
}

static void work_fini(struct work *k)
{
    pji_matrix_fini(&k->cp[0]);
    pji_matrix_fini(&k->cp[1]);
    pji_matrix_fini(&k->inner);
    pji_matrix_fini(&k->product);
}

/* U = sum W_ij (Q_ij - P_i C P_j), then the covariance C + 2 C U C spread over all columns */
static void adjust(struct pji_kenward_roger *kr, const struct pji_lmm_parts *parts, struct work *k)
{
    const struct pji_lmm *m = kr->lmm;
    size_t size = m->rank * m->rank;
    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; j < 2; j++) {
            pji_square_product(&parts->p[i], &k->cp[j], &k->product);
            for (size_t e = 0; e < size; e++)
                k->inner.x[e] += kr->w[i][j] * (parts->q[i][j].x[e] - k->product.x[e]);
        }
    }
    pji_square_product(&m->c, &k->inner, &k->product);
    pji_square_product(&k->product, &m->c, &k->inner);
    for (size_t a = 0; a < m->rank; a++) {
        for (size_t b = 0; b < m->rank; b++) {
            double both = pji_matrix_get(&k->inner, a, b) + pji_matrix_get(&k->inner, b, a);
            *pji_matrix_at(&kr->adjusted, m->kept[a], m->kept[b]) =
                pji_matrix_get(&m->c, a, b) + both;
        }
    }
}

static pj_status prepare(struct pji_kenward_roger *kr, const struct pji_lmm_parts *parts,
                         struct work *k, struct pj_error *err)
{
    const struct pji_lmm *m = kr->lmm;
    for (size_t i = 0; i < 2; i++) {
        pj_status rc = pji_matrix_init(&kr->p[i], m->rank, m->rank, err);
        if (rc)
            return rc;
        pji_square_product(&m->c, &parts->p[i], &k->cp[i]);
        pji_square_product(&k->cp[i], &m->c, &kr->p[i]); /* C P_i C: all that tests need */
    }
    double info[2][2];
    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; j < 2; j++)
            info[i][j] = parts->trace[i][j] - 2 * pji_trace_product(&m->c, &parts->q[i][j]) +
                         pji_trace_product(&k->cp[i], &k->cp[j]);
    }
    pj_status rc = weights(info, kr->w, &kr->pseudo, err);
    if (!rc)
        rc = pji_matrix_init(&kr->adjusted, m->p, m->p, err);
    if (!rc)
        adjust(kr, parts, k);
    return rc;
}

pj_status pji_kenward_roger_init(struct pji_kenward_roger *kr, const struct pji_lmm *lmm,
                                 struct pj_error *err)
{
    memset(kr, 0, sizeof *kr);
    kr->lmm = lmm;
    if (!lmm->reml)
        return PJI_STATS_UNDEFINED;
    struct pji_lmm_parts parts;
    struct work work;
    pj_status rc = pji_lmm_parts_init(&parts, lmm, err);
    if (rc)
        return rc;
    rc = work_init(&work, lmm->rank, err);
    kr->work = rc ? NULL : pji_zalloc(lmm->rank + 1, sizeof *kr->work, err);
    if (!rc && !kr->work)
        rc = PJ_ENOMEM;
    if (!rc)
        rc = prepare(kr, &parts, &work, err);
    work_fini(&work);
    pji_lmm_parts_fini(&parts);
    if (rc)
        pji_kenward_roger_fini(kr);
    return rc;
}

void pji_kenward_roger_fini(struct pji_kenward_roger *kr)
{
    pji_matrix_fini(&kr->adjusted);
    pji_matrix_fini(&kr->p[0]);
    pji_matrix_fini(&kr->p[1]);
    free(kr->work);
    kr->work = NULL;
}

/* denominator df of q functions from A1 and A2 (Halekoh and Hojsgaard 2014, section 4) */
static double denominator(double a1, double a2, double q)
{
    double b = (a1 + 6 * a2) / (2 * q);
    double g = ((q + 1) * a1 - (q + 4) * a2) / ((q + 2) * a2);
    double scale = 3 * q + 2 * (1 - g);
    double c1 = g / scale;
    double c2 = (q - g) / scale;
    double c3 = (q + 2 - g) / scale;
    double v0 = 1 + c1 * b;
    double v1 = 1 - c2 * b;
    double v2 = 1 - c3 * b;
    if (fabs(v0) < 1e-10)
        v0 = 0;
    double ratio = (1 - a2 / q) / v1;
    double rho = 1 / q * (ratio * ratio) * v0 / v2;
    return 4 + (q + 2) / (q * rho - 1);
}

static double one_df(const struct pji_estimator *self, const double *l)
{
    const struct pji_kenward_roger *kr = self->ctx;
    const struct pji_lmm *m = kr->lmm;
    double *kept = kr->work;
    for (size_t j = 0; j < m->rank; j++)
        kept[j] = l[m->kept[j]];
    double variance = pji_quadratic(&m->c, kept);
    double t[2] = {pji_quadratic(&kr->p[0], kept) / variance,
                   pji_quadratic(&kr->p[1], kept) / variance};
    double a =
        kr->w[0][0] * t[0] * t[0] + 2 * kr->w[0][1] * t[0] * t[1] + kr->w[1][1] * t[1] * t[1];
    return denominator(a, a, 1);
}

struct pji_estimator pji_kenward_roger_estimator(const struct pji_kenward_roger *kr)
{
    return (struct pji_estimator){kr->lmm->p,     kr->lmm->beta, &kr->adjusted,
                                  &kr->lmm->null, one_df,        kr};
}

/* rows of L turned to the principal directions of L C L', scaled to unit variance, over the kept
 * columns: dependent rows vanish, F and df do not change */
static pj_status reduce(const struct pji_lmm *m, const struct pji_matrix *l, struct pji_matrix *out,
                        struct pj_error *err)
{
    struct pji_symmetric eigen;
    pj_status rc = pji_symmetric_sandwich(&eigen, l, &m->cov, err);
    if (rc)
        return rc;
    size_t q = 0;
    while (q < l->rows && eigen.value[l->rows - 1 - q] > 1e-8 * eigen.value[l->rows - 1])
        q++;
    rc = pji_matrix_init(out, q, m->p, err);
    for (size_t k = 0; !rc && k < q; k++) {
        size_t from = l->rows - 1 - k;
        for (size_t j = 0; j < m->rank; j++) {
            double sum = 0;
            for (size_t i = 0; i < l->rows; i++)
                sum += pji_matrix_get(&eigen.vector, i, from) * pji_matrix_get(l, i, m->kept[j]);
            *pji_matrix_at(out, k, m->kept[j]) = sum / sqrt(eigen.value[from]);
        }
    }
    pji_symmetric_fini(&eigen);
    return rc;
}

/* b'(L A L')^-1 b for the adjusted covariance A */
static pj_status wald(const struct pji_kenward_roger *kr, const struct pji_matrix *l, double *out,
                      struct pj_error *err)
{
    const struct pji_lmm *m = kr->lmm;
    struct pji_symmetric eigen;
    pj_status rc = pji_symmetric_sandwich(&eigen, l, &kr->adjusted, err);
    if (rc)
        return rc;
    *out = 0;
    for (size_t k = 0; k < l->rows; k++) {
        double along = 0;
        for (size_t i = 0; i < l->rows; i++) {
            for (size_t j = 0; j < m->rank; j++)
                along += pji_matrix_get(&eigen.vector, i, k) * pji_matrix_get(l, i, m->kept[j]) *
                         m->beta[m->kept[j]];
        }
        *out += along * along / eigen.value[k];
    }
    pji_symmetric_fini(&eigen);
    return PJ_OK;
}

/* A1 = sum W_ij tr T_i tr T_j, A2 = sum W_ij tr(T_i T_j) with T_i = L C P_i C L' of the reduced L
 */
static pj_status moments(const struct pji_kenward_roger *kr, const struct pji_matrix *l, double *a1,
                         double *a2, struct pj_error *err)
{
    const struct pji_lmm *m = kr->lmm;
    struct pji_matrix kept = {NULL, 0, 0};
    struct pji_matrix t[2] = {{NULL, 0, 0}, {NULL, 0, 0}};
    pj_status rc = pji_matrix_columns(&kept, l, m->kept, m->rank, err);
    for (size_t i = 0; !rc && i < 2; i++)
        rc = pji_sandwich(&kept, &kr->p[i], &t[i], err);
    *a1 = 0;
    *a2 = 0;
    double trace[2] = {0, 0};
    for (size_t i = 0; !rc && i < 2; i++) {
        for (size_t k = 0; k < l->rows; k++)
            trace[i] += pji_matrix_get(&t[i], k, k);
    }
    for (size_t e = 0; !rc && e < 4; e++) {
        *a1 += kr->w[e / 2][e % 2] * trace[e / 2] * trace[e % 2];
        *a2 += kr->w[e / 2][e % 2] * pji_trace_product(&t[e / 2], &t[e % 2]);
    }
    pji_matrix_fini(&kept);
    pji_matrix_fini(&t[0]);
    pji_matrix_fini(&t[1]);
    return rc;
}

pj_status pji_kenward_roger_test(const struct pji_kenward_roger *kr, const struct pji_matrix *l,
                                 struct pji_lmm_test *out, struct pj_error *err)
{
    const double none = (double)NAN;
    *out = (struct pji_lmm_test){none, none, none, none};
    if (l->rows == 0)
        return PJI_STATS_FEW;
    struct pji_matrix reduced = {NULL, 0, 0};
    double square = 0;
    double a1 = 0;
    double a2 = 0;
    pj_status rc = reduce(kr->lmm, l, &reduced, err);
    if (!rc && reduced.rows == 0)
        rc = PJI_STATS_FEW;
    if (!rc)
        rc = wald(kr, &reduced, &square, err);
    if (!rc)
        rc = moments(kr, &reduced, &a1, &a2, err);
    if (!rc) {
        double q = (double)reduced.rows;
        out->num_df = q;
        out->den_df = denominator(a1, a2, q);
        double scale =
            fabs(out->den_df - 2) < 1e-2 ? 1 : out->den_df * (1 - a2 / q) / (out->den_df - 2);
        out->F = scale * square / q;
        out->p = pji_f_upper(out->F, q, out->den_df);
    }
    pji_matrix_fini(&reduced);
    return rc;
}
