#include "stats/ttest.h"

#include "stats/fisher.h"
#include "stats/moments.h"
#include "stats/student.h"

#include <float.h>
#include <math.h>

static const struct pji_t nothing = {(double)NAN, (double)NAN, (double)NAN, (double)NAN,
                                     (double)NAN, (double)NAN, (double)NAN};

static pj_status check(const double *x, size_t n1, const double *y, size_t n2, double level,
                       struct pj_error *err)
{
    if (!(level > 0 && level < 1))
        return pji_fail(err, PJ_EINVAL, "a confidence level of %g is not between 0 and 1", level);
    pj_status rc = pji_check_finite(x, n1, "t test, first sample", err);
    return rc ? rc : pji_check_finite(y, n2, "t test, second sample", err);
}

/* t, p and interval from difference, se and df; a standard error that is only rounding of the
 * means is no variation */
static pj_status finish(struct pji_t *out, double size, double level)
{
    if (!(out->se > 10 * DBL_EPSILON * size)) {
        out->se = (double)NAN;
        out->df = (double)NAN;
        return PJI_STATS_CONSTANT;
    }
    out->t = out->diff / out->se;
    out->p = pji_t_two_sided(out->t, out->df);
    double half = pji_t_quantile(0.5 + level / 2, out->df) * out->se;
    out->low = out->diff - half;
    out->high = out->diff + half;
    return PJ_OK;
}

pj_status pji_t_welch(const double *x, size_t n1, const double *y, size_t n2, double level,
                      struct pji_t *out, struct pj_error *err)
{
    *out = nothing;
    pj_status rc = check(x, n1, y, n2, level, err);
    if (rc)
        return rc;
    if (n1 == 0 || n2 == 0)
        return PJI_STATS_FEW;
    double mx = pji_mean(x, n1);
    double my = pji_mean(y, n2);
    out->diff = mx - my;
    if (n1 < 2 || n2 < 2)
        return PJI_STATS_FEW;
    double a = pji_variance(x, n1) / (double)n1;
    double b = pji_variance(y, n2) / (double)n2;
    out->se = sqrt(a + b);
    out->df = (a + b) * (a + b) / (a * a / ((double)n1 - 1) + b * b / ((double)n2 - 1));
    return finish(out, fmax(fabs(mx), fabs(my)), level);
}

pj_status pji_t_student(const double *x, size_t n1, const double *y, size_t n2, double level,
                        struct pji_t *out, struct pj_error *err)
{
    *out = nothing;
    pj_status rc = check(x, n1, y, n2, level, err);
    if (rc)
        return rc;
    if (n1 == 0 || n2 == 0)
        return PJI_STATS_FEW;
    double mx = pji_mean(x, n1);
    double my = pji_mean(y, n2);
    out->diff = mx - my;
    if (n1 + n2 < 3)
        return PJI_STATS_FEW;
    out->df = (double)(n1 + n2) - 2;
    double pooled = (pji_central_ss(x, n1) + pji_central_ss(y, n2)) / out->df;
    out->se = sqrt(pooled * (1 / (double)n1 + 1 / (double)n2));
    return finish(out, fmax(fabs(mx), fabs(my)), level);
}

pj_status pji_t_paired(const double *d, size_t n, double level, struct pji_t *out,
                       struct pj_error *err)
{
    *out = nothing;
    pj_status rc = check(d, n, d, 0, level, err);
    if (rc)
        return rc;
    if (n == 0)
        return PJI_STATS_FEW;
    out->diff = pji_mean(d, n);
    if (n < 2)
        return PJI_STATS_FEW;
    out->df = (double)n - 1;
    out->se = sqrt(pji_variance(d, n) / (double)n);
    return finish(out, fabs(out->diff), level);
}

double pji_hedges_j(double m)
{
    if (!(m > 1))
        return (double)NAN;
    int sign;
    long double half = (long double)m / 2;
    return (double)expl(lgammal_r(half, &sign) - 0.5L * logl(half) - lgammal_r(half - 0.5L, &sign));
}

pj_status pji_variance_ratio(const double *x, size_t n1, const double *y, size_t n2,
                             struct pji_variance_ratio *out, struct pj_error *err)
{
    const double none = (double)NAN;
    *out = (struct pji_variance_ratio){none, none, none, none};
    pj_status rc = check(x, n1, y, n2, 0.5, err);
    if (rc)
        return rc;
    if (n1 < 2 || n2 < 2)
        return PJI_STATS_FEW;
    double a = pji_variance(x, n1);
    double b = pji_variance(y, n2);
    if (!(b > 0))
        return PJI_STATS_CONSTANT;
    *out = (struct pji_variance_ratio){a / b, (double)n1 - 1, (double)n2 - 1, none};
    double lower = pji_f_cdf(out->F, out->df1, out->df2);
    double upper = pji_f_upper(out->F, out->df1, out->df2);
    out->p = fmin(1, 2 * fmin(lower, upper));
    return PJ_OK;
}

pj_status pji_tost(double diff, double se, double df, double low, double high, struct pji_tost *out,
                   struct pj_error *err)
{
    *out = (struct pji_tost){(double)NAN, (double)NAN, (double)NAN};
    if (!(low < high) || !isfinite(low) || !isfinite(high))
        return pji_fail(err, PJ_EINVAL, "an equivalence range needs low < high, not %g and %g", low,
                        high);
    if (!(se > 0) || !(df > 0) || !isfinite(diff))
        return PJI_STATS_CONSTANT;
    out->t_low = (diff - low) / se;
    out->t_high = (diff - high) / se;
    out->p = fmax(pji_t_upper(out->t_low, df), pji_t_cdf(out->t_high, df));
    return PJ_OK;
}
