/* stats/symmetric.h - eigenvalues of small symmetric matrices (LAPACK dsyev). */
#ifndef PJI_STATS_SYMMETRIC_H
#define PJI_STATS_SYMMETRIC_H

#include "stats/matrix.h"

struct pji_symmetric {
    double *value;            /* ascending */
    struct pji_matrix vector; /* column k belongs to value k */
};

/* Of a symmetric matrix. On failure there is nothing to free, but fini is harmless. */
pj_status pji_symmetric_init(struct pji_symmetric *s, const struct pji_matrix *a,
                             struct pj_error *err);
/* Of L C L' (rows of L by rows of L). */
pj_status pji_symmetric_sandwich(struct pji_symmetric *s, const struct pji_matrix *l,
                                 const struct pji_matrix *c, struct pj_error *err);
void pji_symmetric_fini(struct pji_symmetric *s);

/* out = L C L' */
pj_status pji_sandwich(const struct pji_matrix *l, const struct pji_matrix *c,
                       struct pji_matrix *out, struct pj_error *err);

#endif
