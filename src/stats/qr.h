/* stats/qr.h - least squares by Householder QR (LAPACK dgeqrf), columns taken from the left.
 *
 * A column that lies in the span of the columns before it, to 1e-7 of its own length (the tolerance
 * that R's lm uses), is dropped: its coefficient is not estimable and the ones before it keep their
 * meaning. The dropped ones are found on the triangle of a first factorisation; the kept ones are
 * factorised again alone.
 */
#ifndef PJI_STATS_QR_H
#define PJI_STATS_QR_H

#include "stats/matrix.h"

#include <stdbool.h>

struct pji_qr {
    struct pji_matrix packed; /* rows x rank: reflectors below R */
    double *tau;
    size_t *kept; /* rank indices of columns of the caller's matrix, ascending */
    size_t rank;
    size_t cols; /* columns of the caller's matrix */
};

/* rows >= 1. */
pj_status pji_qr_init(struct pji_qr *qr, const struct pji_matrix *x, struct pj_error *err);
void pji_qr_fini(struct pji_qr *qr);

/* y (rows long) becomes Q'y: the first rank elements are the effects, the rest the residual. */
pj_status pji_qr_apply_t(const struct pji_qr *qr, double *y, struct pj_error *err);
/* y becomes Qy. */
pj_status pji_qr_apply(const struct pji_qr *qr, double *y, struct pj_error *err);

/* Coefficients of the kept columns from Q'y; NaN for dropped ones (beta has cols elements). */
void pji_qr_solve(const struct pji_qr *qr, const double *qty, double *beta);

/* (X'X)^-1 of the kept columns (rank x rank). */
pj_status pji_qr_inverse(const struct pji_qr *qr, struct pji_matrix *out, struct pj_error *err);

/* Is l'beta (cols elements, in terms of all columns) determined in spite of the dropped columns?
 * N is a basis of the null space of x (pji_qr_null). */
bool pji_estimable(const struct pji_matrix *null, const double *l);

/* Basis of the null space of x, cols by (cols - rank): one column for each dropped column. */
pj_status pji_qr_null(const struct pji_qr *qr, const struct pji_matrix *x, struct pji_matrix *null,
                      struct pj_error *err);

#endif
