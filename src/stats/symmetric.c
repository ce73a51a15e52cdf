#include "stats/symmetric.h"

#include "core/array.h"

#include <lapacke.h>
#include <stdlib.h>
#include <string.h>

pj_status pji_symmetric_init(struct pji_symmetric *s, const struct pji_matrix *a,
                             struct pj_error *err)
{
    memset(s, 0, sizeof *s);
    pj_status rc = pji_matrix_init(&s->vector, a->rows, a->rows, err);
    if (!rc) {
        s->value = pji_zalloc(a->rows + 1, sizeof *s->value, err);
        rc = s->value ? PJ_OK : PJ_ENOMEM;
    }
    if (!rc && a->rows > 0) {
        memcpy(s->vector.x, a->x, a->rows * a->rows * sizeof *a->x);
        lapack_int info = LAPACKE_dsyev(LAPACK_COL_MAJOR, 'V', 'U', (lapack_int)a->rows,
                                        s->vector.x, (lapack_int)a->rows, s->value);
        if (info)
            rc = pji_fail(err, PJ_EINVAL, "eigenvalues did not converge (LAPACK info %d)",
                          (int)info);
    }
    if (rc)
        pji_symmetric_fini(s);
    return rc;
}

pj_status pji_sandwich(const struct pji_matrix *l, const struct pji_matrix *c,
                       struct pji_matrix *out, struct pj_error *err)
{
    pj_status rc = pji_matrix_init(out, l->rows, l->rows, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < l->rows; i++) {
        for (size_t j = i; j < l->rows; j++) {
            long double sum = 0;
            for (size_t a = 0; a < c->rows; a++) {
                if (pji_matrix_get(l, i, a) == 0)
                    continue;
                for (size_t b = 0; b < c->cols; b++)
                    sum += (long double)pji_matrix_get(l, i, a) *
                           (long double)pji_matrix_get(c, a, b) *
                           (long double)pji_matrix_get(l, j, b);
            }
            *pji_matrix_at(out, i, j) = (double)sum;
            *pji_matrix_at(out, j, i) = (double)sum;
        }
    }
    return PJ_OK;
}

pj_status pji_symmetric_sandwich(struct pji_symmetric *s, const struct pji_matrix *l,
                                 const struct pji_matrix *c, struct pj_error *err)
{
    struct pji_matrix product = {NULL, 0, 0};
    memset(s, 0, sizeof *s);
    pj_status rc = pji_sandwich(l, c, &product, err);
    if (!rc)
        rc = pji_symmetric_init(s, &product, err);
    pji_matrix_fini(&product);
    return rc;
}

void pji_symmetric_fini(struct pji_symmetric *s)
{
    free(s->value);
    pji_matrix_fini(&s->vector);
    memset(s, 0, sizeof *s);
}
