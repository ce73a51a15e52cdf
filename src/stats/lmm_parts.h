/* stats/lmm_parts.h - products that the inference on a random-intercept model is made of
 * (room-internal: stats/lmm_inference.h).
 *
 * With V_1 = ZZ' and V_2 = I the derivatives of V, every trace and quadratic form of V^-1, V_1, V_2
 * and X splits into a part within groups, where V^-1 is 1/sigma^2, and a part between group means,
 * where it is m_i = 1/(sigma^2 + n_i tau). Index 0 is tau, 1 is sigma^2.
 */
#ifndef PJI_STATS_LMM_PARTS_H
#define PJI_STATS_LMM_PARTS_H

#include "stats/lmm.h"

struct pji_lmm_parts {
    struct pji_matrix p[2];    /* X'V^-1 V_i V^-1 X */
    struct pji_matrix q[2][2]; /* X'V^-1 V_i V^-1 V_j V^-1 X */
    double trace[2][2];        /* trace of V^-1 V_i V^-1 V_j */
    double *x_v[2];            /* X'V^-1 V_i V^-1 r */
    double r_v[2][2];          /* r'V^-1 V_i V^-1 V_j V^-1 r */
};

pj_status pji_lmm_parts_init(struct pji_lmm_parts *parts, const struct pji_lmm *lmm,
                             struct pj_error *err);
void pji_lmm_parts_fini(struct pji_lmm_parts *parts);

/* trace of A B for square matrices of one order */
double pji_trace_product(const struct pji_matrix *a, const struct pji_matrix *b);
/* out = A B, square, one order; out must not be a or b */
void pji_square_product(const struct pji_matrix *a, const struct pji_matrix *b,
                        struct pji_matrix *out);

#endif
