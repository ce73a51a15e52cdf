/* stats/lm.h - the linear model by least squares.
 *
 * Coefficients by QR (stats/qr.h). R^2 is about the mean with an intercept, about 0 without.
 * logLik = -n/2 (ln(2 pi) + ln(RSS/n) + 1); AIC = -2 logLik + 2 (p + 1), BIC with ln n (H. Akaike
 * 1974; G. Schwarz 1978), p the rank. F is that of all terms together.
 */
#ifndef PJI_STATS_LM_H
#define PJI_STATS_LM_H

#include "stats/condition.h"
#include "stats/design.h"
#include "stats/qr.h"

struct pji_lm {
    size_t n, p, rank; /* p columns, rank of them estimable */
    double df_residual, rss, sigma, r2, adj_r2;
    double F, df1, df2, p_value;
    double loglik, aic, bic;
    double *beta, *se; /* p each; NaN where not estimable */
    double *effects;   /* Q'y: the first rank belong to the kept columns */
    double *residual;  /* n */
    struct pji_qr qr;
    struct pji_matrix unscaled; /* (X'X)^-1 of the kept columns */
    struct pji_matrix null;     /* null space of X: p by p - rank */
};

/* Always to be given to pji_lm_fini unless negative. Conditions, the first that applies:
 * PJI_STATS_SATURATED (no residual degree of freedom: no sigma, se, F, AIC), PJI_STATS_CONSTANT
 * (the fit is perfect to rounding: no se, F, AIC), PJI_STATS_DEFICIENT (some coefficients are
 * missing, all else is there). */
pj_status pji_lm_fit(struct pji_lm *lm, const struct pji_matrix *x, bool intercept, const double *y,
                     struct pj_error *err);
void pji_lm_fini(struct pji_lm *lm);

#endif
