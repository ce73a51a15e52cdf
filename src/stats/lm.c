#include "stats/lm.h"

#include "core/array.h"
#include "stats/fisher.h"
#include "stats/moments.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static pj_status allocate(struct pji_lm *lm, struct pj_error *err)
{
    const double none = (double)NAN;
    lm->beta = pji_zalloc(lm->p + 1, sizeof *lm->beta, err);
    lm->se = pji_zalloc(lm->p + 1, sizeof *lm->se, err);
    lm->effects = pji_zalloc(lm->n + 1, sizeof *lm->effects, err);
    lm->residual = pji_zalloc(lm->n + 1, sizeof *lm->residual, err);
    lm->sigma = lm->r2 = lm->adj_r2 = lm->F = lm->df1 = lm->df2 = lm->p_value = none;
    lm->loglik = lm->aic = lm->bic = none;
    return lm->beta && lm->se && lm->effects && lm->residual ? PJ_OK : PJ_ENOMEM;
}

static pj_status solve(struct pji_lm *lm, const struct pji_matrix *x, const double *y,
                       struct pj_error *err)
{
    pj_status rc = pji_qr_init(&lm->qr, x, err);
    if (rc)
        return rc;
    lm->rank = lm->qr.rank;
    memcpy(lm->effects, y, lm->n * sizeof *y);
    rc = pji_qr_apply_t(&lm->qr, lm->effects, err);
    if (rc)
        return rc;
    pji_qr_solve(&lm->qr, lm->effects, lm->beta);
    memcpy(lm->residual + lm->rank, lm->effects + lm->rank,
           (lm->n - lm->rank) * sizeof *lm->residual);
    lm->rss = pji_dot(lm->residual, lm->residual, lm->n);
    rc = pji_qr_apply(&lm->qr, lm->residual, err);
    if (!rc)
        rc = pji_qr_inverse(&lm->qr, &lm->unscaled, err);
    if (!rc)
        rc = pji_qr_null(&lm->qr, x, &lm->null, err);
    return rc;
}

/* Is the residual only rounding of the fitted values? R's rule for an essentially perfect fit. */
static bool perfect(const struct pji_lm *lm, const double *y, double model_ss)
{
    double n = (double)lm->n;
    double mean = pji_mean(y, lm->n);
    return !(lm->rss / n > 1e-30 * (mean * mean + model_ss / n));
}

static void likelihood(struct pji_lm *lm)
{
    double n = (double)lm->n;
    double parameters = (double)lm->rank + 1;
    lm->loglik = -n / 2 * (log(2 * M_PI) + log(lm->rss / n) + 1);
    lm->aic = -2 * lm->loglik + 2 * parameters;
    lm->bic = -2 * lm->loglik + log(n) * parameters;
}

static pj_status summarise(struct pji_lm *lm, bool intercept, const double *y)
{
    double model = pji_dot(lm->effects, lm->effects, lm->rank);
    if (intercept) {
        /* about the mean: total minus residual */
        model = pji_central_ss(y, lm->n) - lm->rss;
        model = model > 0 ? model : 0;
    }
    lm->df_residual = (double)(lm->n - lm->rank);
    lm->df1 = (double)lm->rank - (intercept ? 1 : 0);
    lm->df2 = lm->df_residual;
    for (size_t j = 0; j < lm->p; j++)
        lm->se[j] = (double)NAN;
    if (lm->n == lm->rank)
        return PJI_STATS_SATURATED;
    double total = model + lm->rss;
    if (total > 0) {
        lm->r2 = model / total;
        lm->adj_r2 = 1 - (1 - lm->r2) * (lm->df1 + lm->df2) / lm->df2;
    }
    lm->sigma = sqrt(lm->rss / lm->df_residual);
    if (perfect(lm, y, model))
        return PJI_STATS_CONSTANT;
    for (size_t j = 0; j < lm->rank; j++)
        lm->se[lm->qr.kept[j]] = lm->sigma * sqrt(pji_matrix_get(&lm->unscaled, j, j));
    if (lm->df1 > 0) {
        lm->F = model / lm->df1 / (lm->rss / lm->df2);
        lm->p_value = pji_f_upper(lm->F, lm->df1, lm->df2);
    }
    likelihood(lm);
    return lm->rank < lm->p ? PJI_STATS_DEFICIENT : PJ_OK;
}

pj_status pji_lm_fit(struct pji_lm *lm, const struct pji_matrix *x, bool intercept, const double *y,
                     struct pj_error *err)
{
    memset(lm, 0, sizeof *lm);
    lm->n = x->rows;
    lm->p = x->cols;
    pj_status rc = pji_check_finite(y, lm->n, "the response", err);
    if (!rc)
        rc = allocate(lm, err);
    if (!rc)
        rc = solve(lm, x, y, err);
    if (!rc)
        rc = summarise(lm, intercept, y);
    if (rc < 0)
        pji_lm_fini(lm);
    return rc;
}

void pji_lm_fini(struct pji_lm *lm)
{
    free(lm->beta);
    free(lm->se);
    free(lm->effects);
    free(lm->residual);
    pji_qr_fini(&lm->qr);
    pji_matrix_fini(&lm->unscaled);
    pji_matrix_fini(&lm->null);
    memset(lm, 0, sizeof *lm);
}
