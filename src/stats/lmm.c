#include "stats/lmm.h"

#include "core/array.h"
#include "stats/moments.h"
#include "stats/profile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static pj_status allocate(struct pji_lmm *m, struct pj_error *err)
{
    const double none = (double)NAN;
    m->theta = m->var_group = m->var_residual = m->icc = m->criterion = none;
    m->loglik = m->aic = m->bic = m->r2_marginal = m->r2_conditional = none;
    m->beta = pji_zalloc(m->p + 1, sizeof *m->beta, err);
    m->blup = pji_zalloc(m->groups + 1, sizeof *m->blup, err);
    m->kept = pji_zalloc(m->p + 1, sizeof *m->kept, err);
    m->size = pji_zalloc(m->groups + 1, sizeof *m->size, err);
    m->mean_residual = pji_zalloc(m->groups + 1, sizeof *m->mean_residual, err);
    m->within_xr = pji_zalloc(m->p + 1, sizeof *m->within_xr, err);
    if (!m->beta || !m->blup || !m->kept || !m->size || !m->mean_residual || !m->within_xr)
        return PJ_ENOMEM;
    return pji_matrix_init(&m->cov, m->p, m->p, err);
}

static pj_status count_groups(struct pji_lmm *m, const size_t *group, struct pj_error *err)
{
    for (size_t i = 0; i < m->n; i++) {
        if (group[i] >= m->groups)
            return pji_fail(err, PJ_EINVAL, "row %zu belongs to group %zu of %zu", i + 1, group[i],
                            m->groups);
        m->size[group[i]] += 1;
    }
    for (size_t g = 0; g < m->groups; g++) {
        if (!(m->size[g] > 0))
            return pji_fail(err, PJ_EINVAL, "random group %zu of %zu has no row", g + 1, m->groups);
    }
    return PJ_OK;
}

static pj_status find_rank(struct pji_lmm *m, const struct pji_matrix *x, struct pj_error *err)
{
    struct pji_qr qr;
    pj_status rc = pji_qr_init(&qr, x, err);
    if (rc)
        return rc;
    m->rank = qr.rank;
    memcpy(m->kept, qr.kept, qr.rank * sizeof *m->kept);
    rc = pji_qr_null(&qr, x, &m->null, err);
    pji_qr_fini(&qr);
    return rc;
}

/* W'W, W'r and r'r from the centred triangle: products of its columns */
static void within_products(struct pji_lmm *m, const struct pji_profile *f, const double *beta)
{
    size_t cols = m->rank + 1;
    double *r = f->tau; /* the residual in the triangle's coordinates */
    for (size_t i = 0; i < cols; i++) {
        r[i] = pji_matrix_get(&f->within, i, m->rank);
        for (size_t j = 0; j < m->rank; j++)
            r[i] -= pji_matrix_get(&f->within, i, j) * beta[j];
    }
    m->within_rr = pji_dot(r, r, cols);
    for (size_t a = 0; a < m->rank; a++) {
        const double *column = pji_matrix_at(&f->within, 0, a);
        m->within_xr[a] = pji_dot(column, r, cols);
        for (size_t b = 0; b < m->rank; b++)
            *pji_matrix_at(&m->within, a, b) =
                pji_dot(column, pji_matrix_at(&f->within, 0, b), cols);
    }
}

static void group_products(struct pji_lmm *m, const struct pji_profile *f, const double *beta)
{
    for (size_t g = 0; g < m->groups; g++) {
        double residual = pji_matrix_get(&f->mean, m->rank, g);
        for (size_t j = 0; j < m->rank; j++) {
            double mean = pji_matrix_get(&f->mean, j, g);
            *pji_matrix_at(&m->mean, j, g) = mean;
            residual -= mean * beta[j];
        }
        m->mean_residual[g] = residual;
        double shrink = m->size[g] * m->var_group / (m->var_residual + m->size[g] * m->var_group);
        m->blup[g] = shrink * residual;
    }
}

static void variance_explained(struct pji_lmm *m, const struct pji_matrix *x)
{
    long double sum = 0;
    long double square = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < m->n; i++) {
            long double value = 0;
            for (size_t j = 0; j < m->rank; j++)
                value += (long double)pji_matrix_get(x, i, m->kept[j]) *
                         (long double)m->beta[m->kept[j]];
            if (pass == 0)
                sum += value;
            else
                square += (value - sum) * (value - sum);
        }
        sum /= pass == 0 ? (long double)m->n : 1;
    }
    double fixed = (double)(square / (long double)(m->n - 1));
    double total = fixed + m->var_group + m->var_residual;
    m->r2_marginal = fixed / total;
    m->r2_conditional = (fixed + m->var_group) / total;
}

static void fill(struct pji_lmm *m, const struct pji_profile_point *point, double lambda,
                 const double *beta)
{
    double df = (double)(m->reml ? m->n - m->rank : m->n);
    m->var_residual = point->rss / df;
    m->var_group = lambda * m->var_residual;
    m->theta = sqrt(lambda);
    m->icc = lambda / (1 + lambda);
    m->singular = !(lambda > 0);
    m->criterion = point->criterion;
    m->loglik = -m->criterion / 2;
    m->aic = m->criterion + 2 * ((double)m->rank + 2);
    m->bic = m->criterion + log((double)m->n) * ((double)m->rank + 2);
    for (size_t j = 0; j < m->p; j++)
        m->beta[j] = (double)NAN;
    for (size_t i = 0; i < m->rank; i++) {
        m->beta[m->kept[i]] = beta[i];
        for (size_t j = 0; j < m->rank; j++) {
            *pji_matrix_at(&m->c, i, j) *= m->var_residual;
            *pji_matrix_at(&m->cov, m->kept[i], m->kept[j]) = pji_matrix_get(&m->c, i, j);
        }
    }
}

static pj_status finish(struct pji_lmm *m, struct pji_profile *f, double lambda,
                        const struct pji_matrix *x, struct pj_error *err)
{
    double *beta = pji_zalloc(m->rank + 1, sizeof *beta, err);
    if (!beta)
        return PJ_ENOMEM;
    struct pji_profile_point point;
    pj_status rc = pji_matrix_init(&m->c, m->rank, m->rank, err);
    if (!rc)
        rc = pji_matrix_init(&m->mean, m->rank, m->groups, err);
    if (!rc)
        rc = pji_matrix_init(&m->within, m->rank, m->rank, err);
    if (!rc)
        rc = pji_profile_at(f, lambda, &point, beta, &m->c, err);
    if (!rc) {
        fill(m, &point, lambda, beta);
        within_products(m, f, beta);
        group_products(m, f, beta);
        variance_explained(m, x);
    }
    free(beta);
    return rc;
}

static pj_status optimise(struct pji_lmm *m, const struct pji_matrix *x, const double *y,
                          const size_t *group, struct pj_error *err)
{
    struct pji_profile profile;
    pj_status rc =
        pji_profile_init(&profile, x, m->kept, m->rank, y, group, m->size, m->groups, m->reml, err);
    if (rc)
        return rc;
    double lambda;
    rc = pji_profile_optimum(&profile, &lambda, err);
    if (!rc)
        rc = finish(m, &profile, lambda, x, err);
    pji_profile_fini(&profile);
    return rc;
}

pj_status pji_lmm_fit(struct pji_lmm *lmm, const struct pji_matrix *x, const double *y,
                      const size_t *group, size_t groups, bool reml, struct pj_error *err)
{
    memset(lmm, 0, sizeof *lmm);
    lmm->n = x->rows;
    lmm->p = x->cols;
    lmm->groups = groups;
    lmm->reml = reml;
    pj_status rc = pji_check_finite(y, lmm->n, "the response", err);
    if (!rc)
        rc = allocate(lmm, err);
    if (!rc)
        rc = count_groups(lmm, group, err);
    if (!rc && groups < 2)
        rc = PJI_STATS_FEW;
    if (!rc && groups >= lmm->n)
        rc = PJI_STATS_SATURATED;
    if (!rc)
        rc = find_rank(lmm, x, err);
    if (!rc && lmm->rank >= lmm->n)
        rc = PJI_STATS_SATURATED;
    if (!rc)
        rc = optimise(lmm, x, y, group, err);
    if (rc < 0)
        pji_lmm_fini(lmm);
    if (!rc && lmm->singular)
        rc = PJI_STATS_SINGULAR;
    if (!rc && lmm->rank < lmm->p)
        rc = PJI_STATS_DEFICIENT;
    return rc;
}

void pji_lmm_fini(struct pji_lmm *lmm)
{
    free(lmm->beta);
    free(lmm->blup);
    free(lmm->kept);
    free(lmm->size);
    free(lmm->mean_residual);
    free(lmm->within_xr);
    pji_matrix_fini(&lmm->cov);
    pji_matrix_fini(&lmm->null);
    pji_matrix_fini(&lmm->mean);
    pji_matrix_fini(&lmm->within);
    pji_matrix_fini(&lmm->c);
    memset(lmm, 0, sizeof *lmm);
}
