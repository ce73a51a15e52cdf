/* stats/matrix.h - dense matrices in column order, as LAPACK wants them. */
#ifndef PJI_STATS_MATRIX_H
#define PJI_STATS_MATRIX_H

#include "core/error.h"

#include <stddef.h>

struct pji_matrix {
    double *x; /* element (i, j) is x[i + j * rows] */
    size_t rows, cols;
};

/* All zero. PJ_EINVAL when rows * cols is beyond what LAPACK's int can index. */
pj_status pji_matrix_init(struct pji_matrix *m, size_t rows, size_t cols, struct pj_error *err);
void pji_matrix_fini(struct pji_matrix *m);

static inline double *pji_matrix_at(const struct pji_matrix *m, size_t i, size_t j)
{
    return m->x + i + j * m->rows;
}

static inline double pji_matrix_get(const struct pji_matrix *m, size_t i, size_t j)
{
    return m->x[i + j * m->rows];
}

/* The columns listed in pick, in that order. */
pj_status pji_matrix_columns(struct pji_matrix *out, const struct pji_matrix *from,
                             const size_t *pick, size_t count, struct pj_error *err);

/* Sum of a[i] b[i], in long double. */
double pji_dot(const double *a, const double *b, size_t n);

/* x'Ax for a symmetric A of order n. */
double pji_quadratic(const struct pji_matrix *a, const double *x);

#endif
