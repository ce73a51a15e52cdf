#include "stats/matrix.h"

#include "core/array.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

pj_status pji_matrix_init(struct pji_matrix *m, size_t rows, size_t cols, struct pj_error *err)
{
    *m = (struct pji_matrix){NULL, rows, cols};
    if (rows > INT_MAX || cols > INT_MAX || (cols > 0 && rows > ((size_t)1 << 40) / cols))
        return pji_fail(err, PJ_EINVAL, "a design of %zu rows and %zu columns is too large", rows,
                        cols);
    m->x = pji_zalloc(rows * cols + 1, sizeof *m->x, err);
    return m->x ? PJ_OK : PJ_ENOMEM;
}

void pji_matrix_fini(struct pji_matrix *m)
{
    free(m->x);
    *m = (struct pji_matrix){NULL, 0, 0};
}

pj_status pji_matrix_columns(struct pji_matrix *out, const struct pji_matrix *from,
                             const size_t *pick, size_t count, struct pj_error *err)
{
    pj_status rc = pji_matrix_init(out, from->rows, count, err);
    if (rc)
        return rc;
    for (size_t j = 0; j < count; j++)
        memcpy(pji_matrix_at(out, 0, j), pji_matrix_at(from, 0, pick[j]),
               from->rows * sizeof *out->x);
    return PJ_OK;
}

double pji_dot(const double *a, const double *b, size_t n)
{
    long double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (long double)a[i] * (long double)b[i];
    return (double)sum;
}

double pji_quadratic(const struct pji_matrix *a, const double *x)
{
    long double sum = 0;
    for (size_t j = 0; j < a->cols; j++) {
        for (size_t i = 0; i < a->rows; i++)
            sum += (long double)x[i] * (long double)pji_matrix_get(a, i, j) * (long double)x[j];
    }
    return (double)sum;
}
