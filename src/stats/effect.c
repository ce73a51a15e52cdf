/* Standardised mean differences: see stats/ttest.h. */
#include "stats/ttest.h"

#include "stats/moments.h"
#include "stats/noncentral.h"

#include <math.h>

pj_status pji_effect(const double *x, size_t n1, const double *y, size_t n2, double level,
                     struct pji_effect *out, struct pj_error *err)
{
    const double none = (double)NAN;
    *out = (struct pji_effect){.sd_pooled = none,
                               .cohens_d = none,
                               .cohens_d_low = none,
                               .cohens_d_high = none,
                               .hedges_j = none,
                               .hedges_j_approx = none,
                               .hedges_g = none,
                               .hedges_g_approx = none,
                               .hedges_g_low = none,
                               .hedges_g_high = none,
                               .glass_delta = none};
    struct pji_t t;
    pj_status rc = pji_t_student(x, n1, y, n2, level, &t, err);
    if (rc)
        return rc;
    double root = sqrt((double)n1 * (double)n2 / (double)(n1 + n2));
    out->sd_pooled = t.se * root;
    out->cohens_d = t.t / root;
    out->cohens_d_low = pji_nct_ncp_conventional(t.t, t.df, 0.5 + level / 2) / root;
    out->cohens_d_high = pji_nct_ncp_conventional(t.t, t.df, 0.5 - level / 2) / root;
    out->hedges_j = pji_hedges_j(t.df);
    out->hedges_j_approx = 1 - 3 / (4 * t.df - 1);
    out->hedges_g = out->cohens_d * out->hedges_j;
    out->hedges_g_approx = out->cohens_d * out->hedges_j_approx;
    out->hedges_g_low = out->cohens_d_low * out->hedges_j;
    out->hedges_g_high = out->cohens_d_high * out->hedges_j;
    double variance = n2 < 2 ? 0 : pji_variance(y, n2);
    if (variance > 0)
        out->glass_delta = t.diff / sqrt(variance);
    return PJ_OK;
}
