/* stats/hac.c - see hac.h. The columns are few, so that X'WX, scaled to a diagonal of ones, is
 * inverted through its eigenvalues, which give the condition number as well.
 */
#include "stats/hac.h"

#include "core/array.h"
#include "stats/symmetric.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct work {
    const struct pji_matrix *x;
    const double *y, *weight;
    size_t n, p;
    double scale[PJI_HAC_COLUMNS];
    double inverse[PJI_HAC_COLUMNS * PJI_HAC_COLUMNS]; /* of X'WX */
};

static double weight_at(const struct work *w, size_t i)
{
    return w->weight != NULL ? w->weight[i] : 1;
}

static double moment(const struct work *w, size_t a, size_t b)
{
    double sum = 0;
    for (size_t i = 0; i < w->n; i++)
        sum += weight_at(w, i) * pji_matrix_get(w->x, i, a) * pji_matrix_get(w->x, i, b);
    return sum;
}

/* Scales, condition number and inverse; PJI_STATS_DEFICIENT when there is none. */
static pj_status invert(struct work *w, double *condition, struct pj_error *err)
{
    struct pji_matrix c = {0};
    struct pji_symmetric s = {0};
    pj_status status = pji_matrix_init(&c, w->p, w->p, err);
    *condition = (double)INFINITY;
    for (size_t a = 0; status == PJ_OK && a < w->p; a++) {
        w->scale[a] = sqrt(moment(w, a, a));
        if (!(w->scale[a] > 0))
            status = PJI_STATS_DEFICIENT;
    }
    for (size_t a = 0; status == PJ_OK && a < w->p; a++) {
        for (size_t b = a; b < w->p; b++) {
            double value = a == b ? 1 : moment(w, a, b) / (w->scale[a] * w->scale[b]);
            *pji_matrix_at(&c, a, b) = *pji_matrix_at(&c, b, a) = value;
        }
    }
    if (status == PJ_OK)
        status = pji_symmetric_init(&s, &c, err);
    if (status == PJ_OK && s.value[0] > 0)
        *condition = sqrt(s.value[w->p - 1] / s.value[0]);
    if (status == PJ_OK && !(*condition < 1e7))
        status = PJI_STATS_DEFICIENT;
    for (size_t a = 0; status == PJ_OK && a < w->p; a++) {
        for (size_t b = 0; b < w->p; b++) {
            double sum = 0;
            for (size_t k = 0; k < w->p; k++)
                sum +=
                    pji_matrix_get(&s.vector, a, k) * pji_matrix_get(&s.vector, b, k) / s.value[k];
            w->inverse[a + b * w->p] = sum / (w->scale[a] * w->scale[b]);
        }
    }
    pji_symmetric_fini(&s);
    pji_matrix_fini(&c);
    return status;
}

static void solve(const struct work *w, struct pji_hac *fit)
{
    double xy[PJI_HAC_COLUMNS] = {0};
    for (size_t a = 0; a < w->p; a++) {
        for (size_t i = 0; i < w->n; i++)
            xy[a] += weight_at(w, i) * pji_matrix_get(w->x, i, a) * w->y[i];
    }
    for (size_t a = 0; a < w->p; a++) {
        for (size_t b = 0; b < w->p; b++)
            fit->beta[a] += w->inverse[a + b * w->p] * xy[b];
    }
    for (size_t i = 0; i < w->n; i++) {
        fit->residual[i] = w->y[i];
        for (size_t a = 0; a < w->p; a++)
            fit->residual[i] -= fit->beta[a] * pji_matrix_get(w->x, i, a);
        fit->rss += weight_at(w, i) * fit->residual[i] * fit->residual[i];
    }
    fit->sigma = sqrt(fit->rss / (double)(w->n - w->p));
}

/* x_i w_i e_i, p for each row. */
static double *scores(const struct work *w, const struct pji_hac *fit, struct pj_error *err)
{
    double *score = pji_zalloc(w->n * w->p, sizeof *score, err);
    for (size_t i = 0; score != NULL && i < w->n; i++) {
        for (size_t a = 0; a < w->p; a++)
            score[i * w->p + a] = weight_at(w, i) * pji_matrix_get(w->x, i, a) * fit->residual[i];
    }
    return score;
}

/* S: the sum of the scores' autocovariances, each lag and its transpose. */
static void meat(const double *score, size_t n, size_t p, size_t lags, double *s)
{
    for (size_t l = 0; l <= lags; l++) {
        double by = 1 - (double)l / (double)(lags + 1), at_lag[PJI_HAC_COLUMNS * PJI_HAC_COLUMNS];
        memset(at_lag, 0, sizeof at_lag);
        for (size_t i = l; i < n; i++) {
            for (size_t a = 0; a < p; a++) {
                for (size_t b = 0; b < p; b++)
                    at_lag[a + b * p] += score[i * p + a] * score[(i - l) * p + b];
            }
        }
        for (size_t a = 0; a < p; a++) {
            for (size_t b = 0; b < p; b++)
                s[a + b * p] += by * (at_lag[a + b * p] + (l > 0 ? at_lag[b + a * p] : 0));
        }
    }
}

static pj_status sandwich(const struct work *w, struct pji_hac *fit, size_t lags,
                          struct pj_error *err)
{
    double s[PJI_HAC_COLUMNS * PJI_HAC_COLUMNS] = {0};
    double by = (double)w->n / (double)(w->n - w->p);
    size_t p = w->p;
    double *score = scores(w, fit, err);
    if (score == NULL)
        return PJ_ENOMEM;
    meat(score, w->n, p, lags, s);
    free(score);
    for (size_t a = 0; a < p; a++) {
        for (size_t b = 0; b < p; b++) {
            double sum = 0;
            for (size_t k = 0; k < p; k++) {
                for (size_t m = 0; m < p; m++)
                    sum += w->inverse[a + k * p] * s[k + m * p] * w->inverse[m + b * p];
            }
            fit->cov[a + b * p] = by * sum;
        }
    }
    return PJ_OK;
}

pj_status pji_hac_fit(struct pji_hac *fit, const struct pji_matrix *x, const double *y,
                      const double *weight, size_t lags, struct pj_error *err)
{
    struct work w = {.x = x, .y = y, .weight = weight, .n = x->rows, .p = x->cols};
    *fit = (struct pji_hac){.n = w.n, .p = w.p, .condition = (double)INFINITY};
    if (w.p == 0 || w.p > PJI_HAC_COLUMNS)
        return pji_fail(err, PJ_EINVAL, "a regression of %zu columns: 1 to %d are possible", w.p,
                        PJI_HAC_COLUMNS);
    if (w.n <= w.p)
        return PJI_STATS_FEW;
    pj_status status = invert(&w, &fit->condition, err);
    if (status != PJ_OK)
        return status;
    fit->residual = pji_zalloc(w.n, sizeof *fit->residual, err);
    if (fit->residual == NULL)
        return PJ_ENOMEM;
    lags = lags < w.n - 1 ? lags : w.n - 1;
    solve(&w, fit);
    status = sandwich(&w, fit, lags, err);
    fit->df = fmax(1, (double)w.n / (double)(lags + 1) - (double)w.p);
    if (status != PJ_OK)
        pji_hac_fini(fit);
    return status;
}

void pji_hac_fini(struct pji_hac *fit)
{
    free(fit->residual);
    *fit = (struct pji_hac){0};
}

double pji_inflation(const double *residual, size_t n, size_t lags)
{
    double square = 0, sum = 0;
    for (size_t i = 0; i < n; i++)
        square += residual[i] * residual[i];
    for (size_t l = 1; l <= lags && l < n && square > 0; l++) {
        double both = 0;
        for (size_t i = l; i < n; i++)
            both += residual[i] * residual[i - l];
        if (!(both > 0))
            break;
        sum += both / square;
    }
    return 1 + 2 * sum;
}
