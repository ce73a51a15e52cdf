/* The best lambda of a profiled likelihood: see stats/profile.h.
 *
 * The criterion can have more than one local minimum, so it is looked at on a grid of lambda from
 * 1e-10 to 1e14 first; between the neighbours of the best point the derivative is driven to zero,
 * which gives lambda to about the square of what comparing criteria would.
 */
#include "stats/profile.h"

#include "stats/condition.h"
#include "stats/root.h"

#include <math.h>

struct search {
    struct pji_profile *profile;
    struct pj_error *err;
};

static double slope_at(double log_lambda, const void *ctx)
{
    const struct search *search = ctx;
    struct pji_profile_point point;
    double lambda = exp(log_lambda);
    if (pji_profile_at(search->profile, lambda, &point, NULL, NULL, search->err))
        return (double)NAN;
    return lambda * point.slope;
}

enum { GRID = 49 };

static double grid(size_t i)
{
    return (-10 + 0.5 * (double)i) * M_LN10;
}

/* criterion and sign of the slope at the grid, the index of the best */
static pj_status scan(struct pji_profile *profile, double *criterion, size_t *best,
                      struct pj_error *err)
{
    *best = 0;
    for (size_t i = 0; i < GRID; i++) {
        struct pji_profile_point point;
        pj_status rc = pji_profile_at(profile, exp(grid(i)), &point, NULL, NULL, err);
        if (rc)
            return rc;
        criterion[i] = point.criterion;
        if (point.criterion < criterion[*best])
            *best = i;
    }
    return PJ_OK;
}

/* can the data tell tau and sigma^2 at all? */
static pj_status informative(struct pji_profile *profile, struct pj_error *err)
{
    size_t last = profile->rank;
    struct pji_profile_point point;
    pj_status rc = pji_profile_at(profile, 1, &point, NULL, NULL, err);
    if (rc)
        return rc;
    double weights = 0;
    double scale = 0;
    for (size_t g = 0; g < profile->groups; g++) {
        weights += profile->size[g] / (1 + profile->size[g]);
        scale += profile->size[g] * pow(pji_matrix_get(&profile->mean, last, g), 2);
    }
    if (!(point.group_part > 1e-9 * weights))
        return PJI_STATS_UNDEFINED;
    /* rows and columns of the centred triangle below X: what is left of y within groups */
    double rest = pji_matrix_get(&profile->within, last, last);
    if (!(rest * rest > 1e-26 * scale))
        return PJI_STATS_CONSTANT;
    return PJ_OK;
}

pj_status pji_profile_optimum(struct pji_profile *profile, double *lambda, struct pj_error *err)
{
    *lambda = (double)NAN;
    pj_status rc = informative(profile, err);
    if (rc)
        return rc;
    double criterion[GRID];
    size_t best;
    struct pji_profile_point zero;
    rc = scan(profile, criterion, &best, err);
    if (!rc)
        rc = pji_profile_at(profile, 0, &zero, NULL, NULL, err);
    if (rc)
        return rc;
    if (zero.slope >= 0 && zero.criterion <= criterion[best]) {
        *lambda = 0;
        return PJ_OK;
    }
    if (best == GRID - 1)
        return PJI_STATS_CONSTANT;
    struct search search = {profile, err};
    double low = best > 0 ? grid(best - 1) : grid(0) - 40;
    double found = pji_root(slope_at, &search, low, grid(best + 1));
    if (isnan(found))
        return pji_fail(err, PJ_EINVAL, "the likelihood of the mixed model has no clear optimum");
    *lambda = exp(found);
    return PJ_OK;
}
