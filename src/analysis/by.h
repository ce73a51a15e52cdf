/* analysis/by.h - everything that is computed of one response in the groups of one factor.
 *
 * Each function returns, in *out, one object laid out as the group of the same name in the
 * reference values. What cannot be computed is left out and its reason added to `omitted` under
 * the path "group/level" (omitted may be NULL). Negative statuses are errors of the input.
 */
#ifndef PJI_ANALYSIS_BY_H
#define PJI_ANALYSIS_BY_H

#include "core/error.h"

#include <jansson.h>
#include <stddef.h>

struct pji_by {
    const double *y;    /* n finite values */
    const size_t *code; /* group of each, 0 … k - 1, none of them empty */
    size_t n;
    size_t k;
    const char *const *levels; /* names of the k groups */
};

typedef pj_status pji_by_fn(const struct pji_by *by, json_t **out, json_t *omitted,
                            struct pj_error *err);

pji_by_fn pji_by_descriptive; /* level → numbers */
pji_by_fn pji_by_shapiro;     /* raw, log, log1p, sqrt → level → n, W, p */
pji_by_fn pji_by_levene;      /* raw, log1p, sqrt → test → numbers */
pji_by_fn pji_by_oneway;
pji_by_fn pji_by_kruskal;
pji_by_fn pji_by_dunn; /* "A - B" → numbers; likewise the next three */
pji_by_fn pji_by_wilcoxon;
pji_by_fn pji_by_cliff;
pji_by_fn pji_by_ttest;

/* A transform of the response: "raw", "log", "log1p", "sqrt". */
struct pji_transform {
    const char *name;
    double (*apply)(double);
    double above; /* defined for values > above (>= for sqrt and raw) */
    int inclusive;
};

enum { PJI_TRANSFORMS = 4 };
extern const struct pji_transform pji_transforms[PJI_TRANSFORMS];

/* 0 and the transformed copy (caller frees), or PJI_STATS_UNDEFINED when a value is outside. */
pj_status pji_transform_apply(const struct pji_transform *transform, const double *y, size_t n,
                              double **out, struct pj_error *err);

#endif
