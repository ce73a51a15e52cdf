#include "stats/lmm_parts.h"

#include "core/array.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double precision(const struct pji_lmm *m, size_t g)
{
    return 1 / (m->var_residual + m->size[g] * m->var_group);
}

/* adds sum over groups of n^a m^b mean mean' to out */
static void add_between(const struct pji_lmm *m, int a, int b, struct pji_matrix *out)
{
    for (size_t i = 0; i < m->rank; i++) {
        for (size_t j = i; j < m->rank; j++) {
            long double sum = (long double)pji_matrix_get(out, i, j);
            for (size_t g = 0; g < m->groups; g++) {
                double weight = pow(m->size[g], a) * pow(precision(m, g), b);
                sum += (long double)weight * (long double)pji_matrix_get(&m->mean, i, g) *
                       (long double)pji_matrix_get(&m->mean, j, g);
            }
            *pji_matrix_at(out, i, j) = (double)sum;
            *pji_matrix_at(out, j, i) = (double)sum;
        }
    }
}

static void add_within(const struct pji_lmm *m, double factor, struct pji_matrix *out)
{
    for (size_t k = 0; k < m->rank * m->rank; k++)
        out->x[k] += factor * m->within.x[k];
}

static pj_status matrices(struct pji_lmm_parts *s, const struct pji_lmm *m, struct pj_error *err)
{
    double v = m->var_residual;
    pj_status rc = PJ_OK;
    for (size_t i = 0; !rc && i < 2; i++) {
        rc = pji_matrix_init(&s->p[i], m->rank, m->rank, err);
        for (size_t j = 0; !rc && j < 2; j++)
            rc = pji_matrix_init(&s->q[i][j], m->rank, m->rank, err);
    }
    if (rc)
        return rc;
    /* each V_1 brings a factor n between groups and nothing within */
    add_between(m, 2, 2, &s->p[0]);
    add_within(m, 1 / (v * v), &s->p[1]);
    add_between(m, 1, 2, &s->p[1]);
    add_between(m, 3, 3, &s->q[0][0]);
    add_between(m, 2, 3, &s->q[0][1]);
    memcpy(s->q[1][0].x, s->q[0][1].x, m->rank * m->rank * sizeof(double));
    add_within(m, 1 / (v * v * v), &s->q[1][1]);
    add_between(m, 1, 3, &s->q[1][1]);
    return PJ_OK;
}

static void scalars(struct pji_lmm_parts *s, const struct pji_lmm *m)
{
    double v = m->var_residual;
    long double trace[3] = {0, 0, 0};
    long double square[3] = {0, 0, (long double)m->within_rr / (long double)(v * v * v)};
    for (size_t j = 0; j < m->rank; j++)
        s->x_v[1][j] = m->within_xr[j] / (v * v);
    for (size_t g = 0; g < m->groups; g++) {
        long double n = (long double)m->size[g];
        long double w = (long double)precision(m, g);
        long double r = (long double)m->mean_residual[g];
        trace[0] += n * n * w * w;
        trace[1] += n * w * w;
        trace[2] += (n - 1) / (long double)(v * v) + w * w;
        square[0] += n * n * n * w * w * w * r * r;
        square[1] += n * n * w * w * w * r * r;
        square[2] += n * w * w * w * r * r;
        for (size_t j = 0; j < m->rank; j++) {
            double mean = pji_matrix_get(&m->mean, j, g);
            s->x_v[0][j] += (double)(n * n * w * w * r) * mean;
            s->x_v[1][j] += (double)(n * w * w * r) * mean;
        }
    }
    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; j < 2; j++) {
            s->trace[i][j] = (double)trace[i + j];
            s->r_v[i][j] = (double)square[i + j];
        }
    }
}

pj_status pji_lmm_parts_init(struct pji_lmm_parts *parts, const struct pji_lmm *lmm,
                             struct pj_error *err)
{
    memset(parts, 0, sizeof *parts);
    pj_status rc = matrices(parts, lmm, err);
    for (size_t i = 0; !rc && i < 2; i++) {
        parts->x_v[i] = pji_zalloc(lmm->rank + 1, sizeof *parts->x_v[i], err);
        rc = parts->x_v[i] ? PJ_OK : PJ_ENOMEM;
    }
    if (rc)
        pji_lmm_parts_fini(parts);
    else
        scalars(parts, lmm);
    return rc;
}

void pji_lmm_parts_fini(struct pji_lmm_parts *parts)
{
    for (size_t i = 0; i < 2; i++) {
        pji_matrix_fini(&parts->p[i]);
        pji_matrix_fini(&parts->q[i][0]);
        pji_matrix_fini(&parts->q[i][1]);
        free(parts->x_v[i]);
    }
    memset(parts, 0, sizeof *parts);
}

double pji_trace_product(const struct pji_matrix *a, const struct pji_matrix *b)
{
    long double sum = 0;
    for (size_t i = 0; i < a->rows; i++) {
        for (size_t k = 0; k < a->cols; k++)
            sum += (long double)pji_matrix_get(a, i, k) * (long double)pji_matrix_get(b, k, i);
    }
    return (double)sum;
}

void pji_square_product(const struct pji_matrix *a, const struct pji_matrix *b,
                        struct pji_matrix *out)
{
    size_t n = a->rows;
    for (size_t j = 0; j < n; j++) {
        double *column = pji_matrix_at(out, 0, j);
        memset(column, 0, n * sizeof *column);
        for (size_t k = 0; k < n; k++) {
            double factor = pji_matrix_get(b, k, j);
            const double *from = pji_matrix_at(a, 0, k);
            for (size_t i = 0; i < n; i++)
                column[i] += from[i] * factor;
        }
    }
}
