/* stats/bootstrap.h - bias-corrected and accelerated bootstrap intervals.
 *
 * B. Efron (1987, doi:10.1080/01621459.1987.10478410): resample n values with replacement, z0 from
 * the share of resampled statistics below the observed one (ties count half), acceleration from the
 * jackknife, limits at the type-7 quantiles of the resampled statistics. The same seed gives the
 * same interval everywhere (core/prng.h, stream "bootstrap").
 */
#ifndef PJI_STATS_BOOTSTRAP_H
#define PJI_STATS_BOOTSTRAP_H

#include "stats/condition.h"

#include <stddef.h>
#include <stdint.h>

/* A statistic of a sample; must be finite for every resample. ctx is handed through. */
typedef double pji_statistic(const double *x, size_t n, void *ctx);

struct pji_bca {
    double estimate, low, high;
    double bias_z0, acceleration;
};

/* PJI_STATS_FEW: n < 3; PJI_STATS_CONSTANT: all resamples give one value (low = high = it);
 * PJI_STATS_UNDEFINED: a resample has no finite statistic, or all lie on one side of the estimate.
 * PJ_EINVAL: level outside (0, 1), fewer than 100 resamples. */
pj_status pji_bca(const double *x, size_t n, pji_statistic *statistic, void *ctx, double level,
                  size_t resamples, uint64_t seed, struct pji_bca *out, struct pj_error *err);

/* Statistics for it. */
double pji_statistic_mean(const double *x, size_t n, void *ctx);
double pji_statistic_median(const double *x, size_t n,
                            void *ctx); /* ctx: n doubles of work space */

#endif
