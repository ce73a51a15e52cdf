/* stats/ttest.h - comparisons of two means, standardised differences, equivalence.
 *
 * Welch's t with Satterthwaite's df (B. L. Welch 1947), Student's t with the pooled variance, the
 * paired t, and the F ratio of two variances. Cohen's d is the difference over the pooled sd;
 * Hedges' g multiplies it by J = gamma(m/2)/(sqrt(m/2) gamma((m-1)/2)), m = n1 + n2 - 2
 * (L. V. Hedges 1981, doi:10.3102/10769986006002107), approximately 1 - 3/(4m - 1). Their limits:
 * noncentrality d for which t lies at 1 - a/2 and a/2, divided by sqrt(n1 n2/(n1 + n2)) (Steiger
 * and Fouladi 1997). Glass's delta divides by the second sample's sd. TOST: D. J. Schuirmann (1987,
 * doi:10.1007/BF01068419).
 */
#ifndef PJI_STATS_TTEST_H
#define PJI_STATS_TTEST_H

#include "stats/condition.h"

#include <stddef.h>

struct pji_t {
    double diff;     /* mean(x) - mean(y), or the mean of the differences */
    double se;       /* its standard error */
    double t, df, p; /* p two-sided */
    double low, high;
};

/* PJI_STATS_FEW: a sample too small for a variance (diff is given when both have a value);
 * PJI_STATS_CONSTANT: the standard error is zero (diff only). */
pj_status pji_t_welch(const double *x, size_t n1, const double *y, size_t n2, double level,
                      struct pji_t *out, struct pj_error *err);
/* Student's: PJI_STATS_FEW when n1 + n2 < 3 or a sample is empty. */
pj_status pji_t_student(const double *x, size_t n1, const double *y, size_t n2, double level,
                        struct pji_t *out, struct pj_error *err);
/* Of differences d against 0. */
pj_status pji_t_paired(const double *d, size_t n, double level, struct pji_t *out,
                       struct pj_error *err);

struct pji_effect {
    double sd_pooled, cohens_d, cohens_d_low, cohens_d_high;
    double hedges_j, hedges_j_approx, hedges_g, hedges_g_approx, hedges_g_low, hedges_g_high;
    double glass_delta; /* missing when y has no variance */
};

/* Conditions of pji_t_student. */
pj_status pji_effect(const double *x, size_t n1, const double *y, size_t n2, double level,
                     struct pji_effect *out, struct pj_error *err);

/* Hedges' exact correction for m > 1 degrees of freedom (NaN otherwise). */
double pji_hedges_j(double m);

struct pji_variance_ratio {
    double F, df1, df2, p; /* var(x)/var(y), two-sided */
};

pj_status pji_variance_ratio(const double *x, size_t n1, const double *y, size_t n2,
                             struct pji_variance_ratio *out, struct pj_error *err);

struct pji_tost {
    double t_low, t_high; /* (diff - low)/se and (diff - high)/se */
    double p;             /* the larger of the two one-sided p: below alpha, equivalent */
};

/* Equivalence of a difference with its standard error and df to the range (low, high), low < high:
 * from any of the three t tests above. PJI_STATS_CONSTANT when se is not positive. */
pj_status pji_tost(double diff, double se, double df, double low, double high, struct pji_tost *out,
                   struct pj_error *err);

#endif
