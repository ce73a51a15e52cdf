/* Transforms of a response: see analysis/by.h. */
#include "analysis/by.h"

#include "core/array.h"
#include "stats/condition.h"

#include <math.h>
#include <stdlib.h>

static double identity(double x)
{
    return x;
}

const struct pji_transform pji_transforms[PJI_TRANSFORMS] = {
    {"raw", identity, -(double)INFINITY, 1},
    {"log", log, 0, 0},
    {"log1p", log1p, -1, 0},
    {"sqrt", sqrt, 0, 1},
};

pj_status pji_transform_apply(const struct pji_transform *transform, const double *y, size_t n,
                              double **out, struct pj_error *err)
{
    *out = NULL;
    for (size_t i = 0; i < n; i++) {
        if (!(y[i] > transform->above || (transform->inclusive && y[i] == transform->above)))
            return PJI_STATS_UNDEFINED;
    }
    double *values = pji_zalloc(n + 1, sizeof *values, err);
    if (!values)
        return PJ_ENOMEM;
    for (size_t i = 0; i < n; i++)
        values[i] = transform->apply(y[i]);
    *out = values;
    return PJ_OK;
}
