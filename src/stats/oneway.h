/* stats/oneway.h - one-way analysis of variance.
 *
 * Classical F (R. A. Fisher 1925) with eta^2 = SSb/SSt, omega^2 = (SSb - df1 MSw)/(SSt + MSw),
 * epsilon^2 = (SSb - df1 MSw)/SSt, Cohen's f = sqrt(eta^2/(1 - eta^2)) (neither is cut at 0).
 * Welch's F for unequal variances (B. L. Welch 1951, doi:10.1093/biomet/38.3-4.330).
 * Limits of eta^2 from the noncentral F: lambda with P(F <= f; lambda) = 1 - a/2 and a/2
 * (J. H. Steiger 2004, doi:10.1037/1082-989X.9.2.164), as lambda/(lambda + df2) and, Steiger's
 * own convention, lambda/(lambda + N).
 */
#ifndef PJI_STATS_ONEWAY_H
#define PJI_STATS_ONEWAY_H

#include "stats/groups.h"

struct pji_oneway {
    size_t n, k;
    double ss_between, ss_within, ss_total, ms_between, ms_within;
    double df1, df2, F, p;
    double eta2, omega2, epsilon2, cohens_f;
};

/* PJI_STATS_FEW: one group; PJI_STATS_SATURATED: as many groups as values; PJI_STATS_CONSTANT: no
 * variation within groups (F has a zero denominator) or none at all. */
pj_status pji_oneway(const struct pji_groups *groups, struct pji_oneway *out, struct pj_error *err);

struct pji_welch {
    double F, df1, df2, p;
};

/* PJI_STATS_FEW: fewer than two groups, or a group with one value; PJI_STATS_CONSTANT: a group
 * without variation. */
pj_status pji_welch_anova(const struct pji_groups *groups, struct pji_welch *out,
                          struct pj_error *err);

struct pji_eta2_ci {
    double low, high;                 /* lambda/(lambda + df2) */
    double steiger_low, steiger_high; /* lambda/(lambda + df1 + df2 + 1) */
};

/* From F and its degrees of freedom, level e.g. 0.90. PJI_STATS_UNDEFINED when F is missing or
 * infinite. */
pj_status pji_eta2_ci(double F, double df1, double df2, double level, struct pji_eta2_ci *out,
                      struct pj_error *err);

#endif
