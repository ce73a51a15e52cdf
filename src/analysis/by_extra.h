/* analysis/by_extra.h - groups of results beside those of analysis/by.h (same rules), computed when
 * asked for by name or option.
 */
#ifndef PJI_ANALYSIS_BY_EXTRA_H
#define PJI_ANALYSIS_BY_EXTRA_H

#include "analysis/by.h"

#include <stdbool.h>
#include <stdint.h>

/* "A - B" → two one-sided Welch tests of the difference against (low, high). */
pj_status pji_by_equivalence(const struct pji_by *by, double low, double high, double alpha,
                             json_t **out, json_t *omitted, struct pj_error *err);
/* level → mean, median → estimate and BCa limits (stats/bootstrap.h), 9999 resamples. */
pj_status pji_by_bootstrap(const struct pji_by *by, uint64_t seed, json_t **out, json_t *omitted,
                           struct pj_error *err);
/* What the groups could have found: detectable_f of all, and pairs → detectable difference. */
pj_status pji_by_power(const struct pji_by *by, double alpha, double power, json_t **out,
                       json_t *omitted, struct pj_error *err);

/* Every value is 0 or 1. */
bool pji_all_yes_or_no(const double *y, size_t n);
/* Adds McNemar's test of x against y, paired, under the name of the pair. */
pj_status pji_paired_mcnemar(const double *x, const double *y, size_t n, const char *pair,
                             json_t *into, json_t *omitted);

#endif
