/* stats/descriptive.h - what describes one sample.
 *
 * Quantiles are of type 7 (stats/quantile.h), the median is the quantile 0.5. mad is 1.4826 times
 * the median distance from the median (consistent for a normal), mad_raw without the factor. The
 * trimmed mean drops floor(0.1 n) values at each end. Skewness g1 = m3/m2^1.5 and excess kurtosis
 * g2 = m4/m2^2 - 3 use population moments (D. N. Joanes and C. A. Gill 1998,
 * doi:10.1111/1467-9884.00122). The interval of the mean is Student's.
 */
#ifndef PJI_STATS_DESCRIPTIVE_H
#define PJI_STATS_DESCRIPTIVE_H

#include "stats/condition.h"

#include <stddef.h>

struct pji_descriptive {
    size_t n;
    double sum, mean, median, var, sd, se, cv;
    double min, max, range;
    double q05, q1, q3, q95, q99, iqr, mad, mad_raw;
    double trimmed_mean_10, geometric_mean;
    double ci95_low, ci95_high;
    double skewness_g1, kurtosis_excess_g2;
};

/* Every field that exists is filled; the others are NaN. Conditions, the first that applies:
 * PJI_STATS_FEW (n = 0: nothing but n and sum; n = 1: no variance), PJI_STATS_CONSTANT (all values
 * equal: no skewness and kurtosis), PJI_STATS_UNDEFINED (no geometric mean because a value is not
 * positive, or no cv because the mean is 0). */
pj_status pji_describe(const double *x, size_t n, struct pji_descriptive *out,
                       struct pj_error *err);

#endif
