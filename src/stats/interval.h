/* stats/interval.h - confidence intervals of a proportion, a mean, a ratio of paired values.
 *
 * level is the two-sided coverage, e.g. 0.95; outside (0, 1) it is PJ_EINVAL. Conditions and NaN:
 * stats/condition.h.
 */
#ifndef PJI_STATS_INTERVAL_H
#define PJI_STATS_INTERVAL_H

#include "stats/condition.h"

#include <stddef.h>

/* Score interval of a proportion (E. B. Wilson 1927, doi:10.1080/01621459.1927.10502953), without
 * continuity correction. lo is exactly 0 when successes = 0, hi exactly 1 when successes = n.
 * n = 0, successes > n or a level outside (0, 1) carry no information: [0, 1]. */
void pji_wilson(size_t successes, size_t n, double level, double *lo, double *hi);

struct pji_mean_ci {
    double mean;
    double sd; /* sample standard deviation, divisor n - 1 */
    double lo;
    double hi;
    size_t n;
};

/* mean ± t(1 - (1 - level)/2; n - 1) sd / sqrt n. PJI_STATS_FEW: n = 1 (mean given, the rest
 * missing) or n = 0 (all missing). Values must be finite. */
pj_status pji_mean_ci(const double *x, size_t n, double level, struct pji_mean_ci *out,
                      struct pj_error *err);

struct pji_ratio_ci {
    double ratio; /* exp(mean of ln(a/b)): the geometric mean of the per-block ratios */
    double lo;
    double hi;
    double sd_log; /* sample sd of ln(a/b) over blocks */
    double u_log;  /* combined standard uncertainty of ln(ratio) */
    double df;     /* effective degrees of freedom of u_log; INFINITY when sd_log = 0 < u_rel */
    double p;      /* two-sided p of ratio = 1 with u_log and df */
    size_t n;
};

/* Ratio of two treatments measured in the same n blocks, a[i] and b[i] both of block i, > 0.
 *
 * The blocks give d_i = ln(a_i/b_i), their mean and s/sqrt n (type A, n - 1 degrees of freedom).
 * u_rel_common >= 0 is the relative standard uncertainty (k = 1) of the ratio that all blocks
 * share and that repetition does not reduce (a gain that does not cancel, the scale of a model);
 * 0 when both come from one instrument and its gain cancels. They are combined as in GUM
 * (JCGM 100:2008) 5.1.2 and G.4.1 on the log scale: u_log^2 = s^2/n + u_rel_common^2, effective
 * df = u_log^4 / ((s^2/n)^2/(n-1)) (Welch-Satterthwaite, the common part with infinite df), and
 * the interval is exp(mean d ± t(level; df) u_log). With u_rel_common = 0 this is the paired t
 * interval of ln a - ln b.
 * PJI_STATS_FEW: n < 2 (n = 1: ratio given, interval missing). PJI_STATS_CONSTANT: all ratios
 * equal and u_rel_common = 0; the interval is the point, p is 0 (1 when the ratio is 1). */
pj_status pji_ratio_ci(const double *a, const double *b, size_t n, double u_rel_common,
                       double level, struct pji_ratio_ci *out, struct pj_error *err);

#endif
