/* stats/profile.h - the profiled likelihood of a random-intercept model as a function of lambda
 * (room-internal: stats/lmm.h).
 */
#ifndef PJI_STATS_PROFILE_H
#define PJI_STATS_PROFILE_H

#include "stats/matrix.h"

#include <stdbool.h>

struct pji_profile {
    size_t n, rank, groups;
    bool reml;
    struct pji_matrix within; /* rank + 1 by rank + 1 triangle of the centred [X y] */
    struct pji_matrix mean;   /* rank + 1 by groups: group means of [X y] */
    const double *size;       /* rows of each group */
    struct pji_matrix stack;  /* work space */
    double *tau;              /* work space */
    double *work;             /* work space */
};

struct pji_profile_point {
    double criterion;  /* -2 log likelihood, sigma^2 profiled out */
    double slope;      /* d criterion / d lambda */
    double group_part; /* trace of P Z Z' (V^-1 Z Z' for ML): what the groups can still tell */
    double rss;        /* r'V^-1 r sigma^2 */
};

/* Copies X (its columns `kept`) and y into centred triangle and means; size[] must outlive it. */
pj_status pji_profile_init(struct pji_profile *profile, const struct pji_matrix *x,
                           const size_t *kept, size_t rank, const double *y, const size_t *group,
                           const double *size, size_t groups, bool reml, struct pj_error *err);
void pji_profile_fini(struct pji_profile *profile);

/* beta (rank), inverse: (X'V^-1X)^-1/sigma^2, rank by rank; either may be NULL. */
pj_status pji_profile_at(struct pji_profile *profile, double lambda,
                         struct pji_profile_point *point, double *beta, struct pji_matrix *inverse,
                         struct pj_error *err);

/* The lambda >= 0 of the highest likelihood. PJI_STATS_UNDEFINED and PJI_STATS_CONSTANT as
 * pji_lmm_fit. */
pj_status pji_profile_optimum(struct pji_profile *profile, double *lambda, struct pj_error *err);

#endif
