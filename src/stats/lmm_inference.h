/* stats/lmm_inference.h - tests of linear functions of the fixed effects of a mixed model.
 *
 * Satterthwaite: df = 2 (l'Cl)^2/(g'Ag), g the derivatives of l'Cl and A = 2 H^-1 the covariance of
 * (tau, sigma^2) from the observed information (W. E. Giesbrecht and J. C. Burns 1985); several
 * functions at once as A. H.-T. Fai and P. L. Cornelius (1996, doi:10.1080/00949659608811740). At
 * the boundary tau = 0 only sigma^2 is estimated.
 * Kenward-Roger: M. G. Kenward and J. H. Roger (1997, doi:10.2307/2533558) with the expected
 * information, for REML fits; formulas numbered as there and as U. Halekoh and S. Hojsgaard (2014,
 * doi:10.18637/jss.v059.i09).
 */
#ifndef PJI_STATS_LMM_INFERENCE_H
#define PJI_STATS_LMM_INFERENCE_H

#include "stats/emm.h"
#include "stats/lmm.h"

struct pji_lmm_test {
    double num_df, den_df, F, p;
};

/* Satterthwaite. The ingredients are computed once. */
struct pji_satterthwaite {
    const struct pji_lmm *lmm;
    struct pji_matrix derivative[2]; /* of C with respect to tau and sigma^2, rank by rank */
    double information[2][2];        /* A; row and column 0 are zero at the boundary */
    double *work;                    /* of the estimator, which is not for two threads at once */
};

pj_status pji_satterthwaite_init(struct pji_satterthwaite *s, const struct pji_lmm *lmm,
                                 struct pj_error *err);
void pji_satterthwaite_fini(struct pji_satterthwaite *s);
/* Estimator for pji_estimate: l has the p columns of the design. */
struct pji_estimator pji_satterthwaite_estimator(const struct pji_satterthwaite *s);
/* F of L beta = 0; rows of L (p columns) must be estimable, they may depend on each other.
 * PJI_STATS_FEW when L has no independent row. */
pj_status pji_satterthwaite_test(const struct pji_satterthwaite *s, const struct pji_matrix *l,
                                 struct pji_lmm_test *out, struct pj_error *err);

struct pji_kenward_roger {
    const struct pji_lmm *lmm;
    struct pji_matrix adjusted; /* p by p covariance of beta */
    struct pji_matrix p[2];     /* P_1, P_2 of the paper, rank by rank */
    double w[2][2];             /* covariance of (tau, sigma^2) from the expected information */
    double *work;               /* as above */
    bool pseudo; /* the information was singular to double precision: pseudo-inverse, df doubtful */
};

/* PJI_STATS_UNDEFINED for an ML fit. */
pj_status pji_kenward_roger_init(struct pji_kenward_roger *kr, const struct pji_lmm *lmm,
                                 struct pj_error *err);
void pji_kenward_roger_fini(struct pji_kenward_roger *kr);
struct pji_estimator pji_kenward_roger_estimator(const struct pji_kenward_roger *kr);
/* The scaled F. */
pj_status pji_kenward_roger_test(const struct pji_kenward_roger *kr, const struct pji_matrix *l,
                                 struct pji_lmm_test *out, struct pj_error *err);

#endif
