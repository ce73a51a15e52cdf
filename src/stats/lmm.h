/* stats/lmm.h - the linear mixed model with one random intercept, y = X b + u[group] + e.
 *
 * Var(u) = tau, Var(e) = sigma^2, lambda = tau/sigma^2 = theta^2. sigma^2 and b are profiled out
 * (D. Bates, M. Maechler, B. Bolker, S. Walker 2015, doi:10.18637/jss.v067.i01, section 3), which
 * leaves one number: its optimum is found exactly, as the root of the derivative of the profiled
 * restricted (REML; H. D. Patterson and R. Thompson 1971) or full (ML) log likelihood nearest to
 * the best point of a wide grid, or the boundary 0.
 *
 * Everything is computed from data centred within groups and from group means, so nothing cancels
 * when factors are constant within groups: X'V^-1X = W'W/sigma^2 + sum n_i m_i xbar_i xbar_i' with
 * W the centred columns, m_i = 1/(sigma^2 + n_i tau). One evaluation costs O(groups p^2).
 *
 * AIC and BIC count p + 2 parameters and n observations. r2 as S. Nakagawa and H. Schielzeth (2013,
 * doi:10.1111/j.2041-210x.2012.00261.x).
 */
#ifndef PJI_STATS_LMM_H
#define PJI_STATS_LMM_H

#include "stats/condition.h"
#include "stats/qr.h"

struct pji_lmm {
    size_t n, p, rank, groups;
    bool reml, singular;
    double theta, var_group, var_residual, icc;
    double criterion; /* -2 log restricted (or full) likelihood */
    double loglik, aic, bic, r2_marginal, r2_conditional;
    double *beta;           /* p; NaN where not estimable */
    double *blup;           /* predicted intercept of each group */
    struct pji_matrix cov;  /* p by p covariance of beta; zero where not estimable */
    struct pji_matrix null; /* null space of X: p by p - rank */

    /* kept for inference (stats/lmm_inference.h); indices over the kept columns */
    size_t *kept;
    double *size;             /* rows of each group */
    struct pji_matrix mean;   /* rank by groups: group means of the kept columns */
    double *mean_residual;    /* of each group: mean of y - X b */
    struct pji_matrix within; /* rank by rank: W'W */
    double *within_xr;        /* W'r, rank */
    double within_rr;         /* r'r within groups */
    struct pji_matrix c;      /* rank by rank covariance */
};

/* group[i] in 0 … groups - 1, none empty. Always to be given to pji_lmm_fini unless negative.
 * Conditions: PJI_STATS_FEW (fewer than two groups), PJI_STATS_SATURATED (as many groups or
 * coefficients as rows), PJI_STATS_UNDEFINED (the fixed effects explain every group: tau cannot be
 * estimated), PJI_STATS_CONSTANT (no residual variation within groups); none of these has numbers.
 * PJI_STATS_SINGULAR (tau = 0) and PJI_STATS_DEFICIENT (coefficients missing) are complete. */
pj_status pji_lmm_fit(struct pji_lmm *lmm, const struct pji_matrix *x, const double *y,
                      const size_t *group, size_t groups, bool reml, struct pj_error *err);
void pji_lmm_fini(struct pji_lmm *lmm);

#endif
