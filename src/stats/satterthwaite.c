#include "stats/lmm_inference.h"

#include "core/array.h"
#include "stats/fisher.h"
#include "stats/lmm_parts.h"
#include "stats/symmetric.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* C P_1 and C P_2 */
static pj_status half_products(const struct pji_lmm *m, const struct pji_lmm_parts *parts,
                               struct pji_matrix cp[2], struct pj_error *err)
{
    for (size_t i = 0; i < 2; i++) {
        pj_status rc = pji_matrix_init(&cp[i], m->rank, m->rank, err);
        if (rc)
            return rc;
        pji_square_product(&m->c, &parts->p[i], &cp[i]);
    }
    return PJ_OK;
}

/* Observed information of (tau, sigma^2): second derivatives of the criterion,
 * -trace(P V_i P V_j) + 2 y'P V_i P V_j P y; for ML the trace is that of V^-1. */
static void hessian(const struct pji_lmm *m, const struct pji_lmm_parts *s,
                    const struct pji_matrix cp[2], double h[2][2])
{
    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; j < 2; j++) {
            double trace = s->trace[i][j];
            if (m->reml)
                trace +=
                    pji_trace_product(&cp[i], &cp[j]) - 2 * pji_trace_product(&m->c, &s->q[i][j]);
            long double cross = 0;
            for (size_t a = 0; a < m->rank; a++) {
                for (size_t b = 0; b < m->rank; b++)
                    cross += (long double)s->x_v[i][a] * (long double)pji_matrix_get(&m->c, a, b) *
                             (long double)s->x_v[j][b];
            }
            h[i][j] = -trace + 2 * (s->r_v[i][j] - (double)cross);
        }
    }
}

static void invert(bool boundary, double h[2][2], double out[2][2])
{
    if (boundary) {
        out[0][0] = out[0][1] = out[1][0] = 0;
        out[1][1] = 2 / h[1][1];
        return;
    }
    double determinant = h[0][0] * h[1][1] - h[0][1] * h[1][0];
    out[0][0] = 2 * h[1][1] / determinant;
    out[1][1] = 2 * h[0][0] / determinant;
    out[0][1] = out[1][0] = -2 * h[0][1] / determinant;
}

pj_status pji_satterthwaite_init(struct pji_satterthwaite *s, const struct pji_lmm *lmm,
                                 struct pj_error *err)
{
    memset(s, 0, sizeof *s);
    s->lmm = lmm;
    struct pji_lmm_parts parts;
    struct pji_matrix cp[2] = {{NULL, 0, 0}, {NULL, 0, 0}};
    pj_status rc = pji_lmm_parts_init(&parts, lmm, err);
    if (rc)
        return rc;
    s->work = pji_zalloc(lmm->rank + 1, sizeof *s->work, err);
    rc = s->work ? PJ_OK : PJ_ENOMEM;
    if (!rc)
        rc = half_products(lmm, &parts, cp, err);
    for (size_t i = 0; !rc && i < 2; i++) {
        rc = pji_matrix_init(&s->derivative[i], lmm->rank, lmm->rank, err);
        if (!rc)
            pji_square_product(&cp[i], &lmm->c, &s->derivative[i]);
    }
    if (!rc) {
        double h[2][2];
        hessian(lmm, &parts, cp, h);
        invert(lmm->singular, h, s->information);
    }
    pji_matrix_fini(&cp[0]);
    pji_matrix_fini(&cp[1]);
    pji_lmm_parts_fini(&parts);
    if (rc)
        pji_satterthwaite_fini(s);
    return rc;
}

void pji_satterthwaite_fini(struct pji_satterthwaite *s)
{
    pji_matrix_fini(&s->derivative[0]);
    pji_matrix_fini(&s->derivative[1]);
    free(s->work);
    s->work = NULL;
}

/* df of l'beta; l over the kept columns */
static double kept_df(const struct pji_satterthwaite *s, const double *l)
{
    double variance = pji_quadratic(&s->lmm->c, l);
    double g[2] = {pji_quadratic(&s->derivative[0], l), pji_quadratic(&s->derivative[1], l)};
    double spread = 0;
    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; j < 2; j++)
            spread += g[i] * s->information[i][j] * g[j];
    }
    return 2 * variance * variance / spread;
}

static void gather(const struct pji_lmm *m, const double *l, double *kept)
{
    for (size_t j = 0; j < m->rank; j++)
        kept[j] = l[m->kept[j]];
}

static double one_df(const struct pji_estimator *self, const double *l)
{
    const struct pji_satterthwaite *s = self->ctx;
    double *kept = s->work;
    gather(s->lmm, l, kept);
    return kept_df(s, kept);
}

struct pji_estimator pji_satterthwaite_estimator(const struct pji_satterthwaite *s)
{
    return (struct pji_estimator){s->lmm->p, s->lmm->beta, &s->lmm->cov, &s->lmm->null, one_df, s};
}

/* Fai and Cornelius: the F of q independent t statistics with df nu; a nu <= 2 has no variance to
 * match and gives 2 */
static double combine(const double *nu, size_t q)
{
    double low = nu[0];
    double high = nu[0];
    double sum = 0;
    for (size_t i = 0; i < q; i++) {
        low = fmin(low, nu[i]);
        high = fmax(high, nu[i]);
        sum += nu[i] / (nu[i] - 2);
    }
    if (high - low < 1e-8 * high || q == 1)
        return (low + high) / 2;
    if (low <= 2)
        return 2;
    return 2 * sum / (sum - (double)q);
}

/* principal directions of L C L': l_m = direction m of the rows of L, with variance d_m */
static pj_status directions(const struct pji_satterthwaite *s, const struct pji_matrix *l,
                            const struct pji_symmetric *eigen, double *nu, double *square,
                            size_t *q, struct pj_error *err)
{
    const struct pji_lmm *m = s->lmm;
    double *row = pji_zalloc(m->rank + 1, sizeof *row, err);
    if (!row)
        return PJ_ENOMEM;
    *q = 0;
    for (size_t k = l->rows; k-- > 0;) {
        if (!(eigen->value[k] > 1e-8 * eigen->value[l->rows - 1]))
            break;
        double estimate = 0;
        for (size_t j = 0; j < m->rank; j++) {
            row[j] = 0;
            for (size_t i = 0; i < l->rows; i++)
                row[j] += pji_matrix_get(&eigen->vector, i, k) * pji_matrix_get(l, i, m->kept[j]);
            estimate += row[j] * m->beta[m->kept[j]];
        }
        square[*q] = estimate * estimate / eigen->value[k];
        nu[(*q)++] = kept_df(s, row);
    }
    free(row);
    return PJ_OK;
}

pj_status pji_satterthwaite_test(const struct pji_satterthwaite *s, const struct pji_matrix *l,
                                 struct pji_lmm_test *out, struct pj_error *err)
{
    const double none = (double)NAN;
    *out = (struct pji_lmm_test){none, none, none, none};
    if (l->rows == 0)
        return PJI_STATS_FEW;
    struct pji_symmetric eigen;
    memset(&eigen, 0, sizeof eigen);
    pj_status rc = pji_symmetric_sandwich(&eigen, l, &s->lmm->cov, err);
    double *nu = rc ? NULL : pji_zalloc(2 * l->rows, sizeof *nu, err);
    size_t q = 0;
    if (!nu)
        rc = rc ? rc : PJ_ENOMEM;
    else
        rc = directions(s, l, &eigen, nu, nu + l->rows, &q, err);
    if (!rc && q == 0)
        rc = PJI_STATS_FEW;
    if (!rc) {
        double sum = 0;
        for (size_t k = 0; k < q; k++)
            sum += nu[l->rows + k];
        out->num_df = (double)q;
        out->F = sum / (double)q;
        out->den_df = combine(nu, q);
        out->p = pji_f_upper(out->F, out->num_df, out->den_df);
    }
    free(nu);
    pji_symmetric_fini(&eigen);
    return rc;
}
