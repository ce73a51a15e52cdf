/* stats/quantile.h - sample quantiles of type 7 (R. J. Hyndman and Y. Fan 1996,
 * doi:10.1080/00031305.1996.10473566): linear interpolation between order statistics at
 * h = (n - 1) p.
 */
#ifndef PJI_STATS_QUANTILE_H
#define PJI_STATS_QUANTILE_H

#include "stats/condition.h"

#include <stddef.h>

/* Of values already in ascending order; n >= 1, 0 <= p <= 1 (NaN otherwise). */
double pji_quantile_sorted(const double *sorted, size_t n, double p);

/* Of values in any order (a copy is sorted). PJI_STATS_FEW when n = 0; values must not be NaN. */
pj_status pji_quantile(const double *x, size_t n, double p, double *out, struct pj_error *err);

/* Ascending sort in place; values must not be NaN. */
void pji_sort(double *x, size_t n);

#endif
