#include "stats/profile.h"

#include "core/array.h"
#include "stats/condition.h"

#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* group means of one column of the data, and the column centred by them */
static void centre(double *column, const size_t *group, const double *size, size_t n, size_t groups,
                   double *mean, size_t stride)
{
    for (size_t g = 0; g < groups; g++)
        mean[g * stride] = 0;
    for (size_t i = 0; i < n; i++)
        mean[group[i] * stride] += column[i];
    for (size_t g = 0; g < groups; g++)
        mean[g * stride] /= size[g];
    for (size_t i = 0; i < n; i++)
        column[i] -= mean[group[i] * stride];
}

/* A column that is constant within every group keeps only rounding after centring; made exactly
 * zero, so that no later step mistakes it for information. */
static void clean(double *column, size_t n, double scale)
{
    double largest = 0;
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(column[i]));
    if (!(largest > 1e-13 * scale))
        memset(column, 0, n * sizeof *column);
}

static double largest_of(const double *x, size_t n)
{
    double largest = 0;
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(x[i]));
    return largest;
}

static pj_status triangle(struct pji_matrix *data, struct pji_matrix *out, struct pj_error *err)
{
    size_t p = data->cols;
    size_t small = data->rows < p ? data->rows : p;
    double *tau = pji_zalloc(p + 1, sizeof *tau, err);
    if (!tau)
        return PJ_ENOMEM;
    lapack_int info = LAPACKE_dgeqrf(LAPACK_COL_MAJOR, (lapack_int)data->rows, (lapack_int)p,
                                     data->x, (lapack_int)data->rows, tau);
    free(tau);
    if (info)
        return pji_fail(err, PJ_EINVAL, "QR of the centred data failed (LAPACK info %d)",
                        (int)info);
    for (size_t j = 0; j < p; j++)
        memcpy(pji_matrix_at(out, 0, j), pji_matrix_at(data, 0, j),
               (j + 1 < small ? j + 1 : small) * sizeof *out->x);
    return PJ_OK;
}

pj_status pji_profile_init(struct pji_profile *profile, const struct pji_matrix *x,
                           const size_t *kept, size_t rank, const double *y, const size_t *group,
                           const double *size, size_t groups, bool reml, struct pj_error *err)
{
    memset(profile, 0, sizeof *profile);
    profile->n = x->rows;
    profile->rank = rank;
    profile->groups = groups;
    profile->reml = reml;
    profile->size = size;
    struct pji_matrix data = {NULL, 0, 0};
    pj_status rc = pji_matrix_init(&data, x->rows, rank + 1, err);
    if (!rc)
        rc = pji_matrix_init(&profile->within, rank + 1, rank + 1, err);
    if (!rc)
        rc = pji_matrix_init(&profile->mean, rank + 1, groups, err);
    if (!rc)
        rc = pji_matrix_init(&profile->stack, rank + 1 + groups, rank + 1, err);
    profile->tau = rc ? NULL : pji_zalloc(rank + 2, sizeof *profile->tau, err);
    profile->work = rc ? NULL : pji_zalloc(2 * rank + 2, sizeof *profile->work, err);
    if (!rc && !(profile->tau && profile->work))
        rc = PJ_ENOMEM;
    for (size_t j = 0; !rc && j <= rank; j++) {
        double *column = pji_matrix_at(&data, 0, j);
        memcpy(column, j < rank ? pji_matrix_at(x, 0, kept[j]) : y, x->rows * sizeof *column);
        double scale = largest_of(column, x->rows);
        centre(column, group, size, x->rows, groups, pji_matrix_at(&profile->mean, j, 0), rank + 1);
        clean(column, x->rows, scale);
    }
    if (!rc)
        rc = triangle(&data, &profile->within, err);
    pji_matrix_fini(&data);
    if (rc)
        pji_profile_fini(profile);
    return rc;
}

void pji_profile_fini(struct pji_profile *profile)
{
    pji_matrix_fini(&profile->within);
    pji_matrix_fini(&profile->mean);
    pji_matrix_fini(&profile->stack);
    free(profile->tau);
    free(profile->work);
    memset(profile, 0, sizeof *profile);
}

/* The triangle of [X y] in the metric of V: the centred triangle with the weighted means below. */
static pj_status reduce(struct pji_profile *f, double lambda, struct pj_error *err)
{
    size_t cols = f->rank + 1;
    struct pji_matrix *s = &f->stack;
    for (size_t j = 0; j < cols; j++) {
        memcpy(pji_matrix_at(s, 0, j), pji_matrix_at(&f->within, 0, j), cols * sizeof *s->x);
        for (size_t g = 0; g < f->groups; g++) {
            double weight = sqrt(f->size[g] / (1 + f->size[g] * lambda));
            *pji_matrix_at(s, cols + g, j) = weight * pji_matrix_get(&f->mean, j, g);
        }
    }
    lapack_int info = LAPACKE_dgeqrf(LAPACK_COL_MAJOR, (lapack_int)s->rows, (lapack_int)cols, s->x,
                                     (lapack_int)s->rows, f->tau);
    return info ? pji_fail(err, PJ_EINVAL, "QR of the mixed model failed (LAPACK info %d)",
                           (int)info)
                : PJ_OK;
}

/* beta = R^-1 z */
static void solve(const struct pji_profile *f, double *beta)
{
    for (size_t i = f->rank; i-- > 0;) {
        double sum = pji_matrix_get(&f->stack, i, f->rank);
        for (size_t j = i + 1; j < f->rank; j++)
            sum -= pji_matrix_get(&f->stack, i, j) * beta[j];
        beta[i] = sum / pji_matrix_get(&f->stack, i, i);
    }
}

/* squared length of R^-T v: v'(X'V^-1X)^-1 v sigma^2; v is overwritten */
static double leverage(const struct pji_profile *f, double *v)
{
    double square = 0;
    for (size_t i = 0; i < f->rank; i++) {
        double sum = v[i];
        for (size_t j = 0; j < i; j++)
            sum -= pji_matrix_get(&f->stack, j, i) * v[j];
        v[i] = sum / pji_matrix_get(&f->stack, i, i);
        square += v[i] * v[i];
    }
    return square;
}

static void slope(struct pji_profile *f, double lambda, const double *beta, double *work,
                  struct pji_profile_point *point)
{
    double df = (double)(f->reml ? f->n - f->rank : f->n);
    long double part = 0;
    long double misfit = 0;
    for (size_t g = 0; g < f->groups; g++) {
        double weight = f->size[g] / (1 + f->size[g] * lambda);
        double residual = pji_matrix_get(&f->mean, f->rank, g);
        for (size_t j = 0; j < f->rank; j++) {
            work[j] = pji_matrix_get(&f->mean, j, g);
            residual -= work[j] * beta[j];
        }
        part += (long double)weight;
        if (f->reml)
            part -= (long double)(weight * weight * leverage(f, work));
        misfit += (long double)(weight * weight * residual * residual);
    }
    point->group_part = (double)part;
    point->slope = (double)(part - (long double)df * misfit / (long double)point->rss);
}

/* (R'R)^-1 = R^-1 R^-T; lower: R^-T by forward substitution, column by column */
static pj_status invert(const struct pji_profile *f, struct pji_matrix *inverse,
                        struct pj_error *err)
{
    size_t p = f->rank;
    struct pji_matrix lower = {NULL, 0, 0};
    pj_status rc = pji_matrix_init(&lower, p, p, err);
    if (rc)
        return rc;
    for (size_t k = 0; k < p; k++) {
        for (size_t i = k; i < p; i++) {
            double sum = i == k ? 1 : 0;
            for (size_t j = k; j < i; j++)
                sum -= pji_matrix_get(&f->stack, j, i) * pji_matrix_get(&lower, j, k);
            *pji_matrix_at(&lower, i, k) = sum / pji_matrix_get(&f->stack, i, i);
        }
    }
    for (size_t a = 0; a < p; a++) {
        for (size_t b = a; b < p; b++) {
            double sum = pji_dot(pji_matrix_at(&lower, b, a), pji_matrix_at(&lower, b, b), p - b);
            *pji_matrix_at(inverse, a, b) = sum;
            *pji_matrix_at(inverse, b, a) = sum;
        }
    }
    pji_matrix_fini(&lower);
    return PJ_OK;
}

pj_status pji_profile_at(struct pji_profile *profile, double lambda,
                         struct pji_profile_point *point, double *beta, struct pji_matrix *inverse,
                         struct pj_error *err)
{
    pj_status rc = reduce(profile, lambda, err);
    double *work = profile->work;
    if (rc)
        return rc;
    memset(work, 0, (2 * profile->rank + 2) * sizeof *work);
    double df = (double)(profile->reml ? profile->n - profile->rank : profile->n);
    double last = pji_matrix_get(&profile->stack, profile->rank, profile->rank);
    point->rss = last * last;
    long double logs = 0;
    for (size_t g = 0; g < profile->groups; g++)
        logs += log1pl((long double)profile->size[g] * (long double)lambda);
    for (size_t j = 0; profile->reml && j < profile->rank; j++)
        logs += 2 * logl(fabsl((long double)pji_matrix_get(&profile->stack, j, j)));
    point->criterion = df * (log(2 * M_PI * point->rss / df) + 1) + (double)logs;
    solve(profile, work);
    slope(profile, lambda, work, work + profile->rank + 1, point);
    if (beta)
        memcpy(beta, work, profile->rank * sizeof *beta);
    if (inverse)
        rc = invert(profile, inverse, err);
    return rc;
}
