#include "stats/correlation.h"

#include "core/array.h"
#include "stats/moments.h"
#include "stats/normal.h"
#include "stats/rank.h"
#include "stats/rankdist.h"
#include "stats/student.h"

#include <math.h>
#include <stdlib.h>

static pj_status check(const double *x, const double *y, size_t n, struct pj_error *err)
{
    pj_status rc = pji_check_finite(x, n, "correlation, first variable", err);
    return rc ? rc : pji_check_finite(y, n, "correlation, second variable", err);
}

/* r, and 1 - r^2 without cancellation near |r| = 1; false when x or y does not vary */
static bool product_moment(const double *x, const double *y, size_t n, double *r, double *rest)
{
    long double mx = 0;
    long double my = 0;
    for (size_t i = 0; i < n; i++) {
        mx += (long double)x[i];
        my += (long double)y[i];
    }
    mx /= (long double)n;
    my /= (long double)n;
    long double xx = 0;
    long double yy = 0;
    long double xy = 0;
    for (size_t i = 0; i < n; i++) {
        long double a = (long double)x[i] - mx;
        long double b = (long double)y[i] - my;
        xx += a * a;
        yy += b * b;
        xy += a * b;
    }
    if (!(xx > 1e-30L * mx * mx) || !(yy > 1e-30L * my * my))
        return false;
    long double value = xy / (sqrtl(xx) * sqrtl(yy));
    value = value > 1 ? 1 : value < -1 ? -1 : value;
    *r = (double)value;
    *rest = (double)((1 - value) * (1 + value));
    return true;
}

pj_status pji_pearson(const double *x, const double *y, size_t n, double level,
                      struct pji_pearson *out, struct pj_error *err)
{
    const double none = (double)NAN;
    *out = (struct pji_pearson){none, none, none, none, none, none};
    if (!(level > 0 && level < 1))
        return pji_fail(err, PJ_EINVAL, "a confidence level of %g is not between 0 and 1", level);
    pj_status rc = check(x, y, n, err);
    if (rc)
        return rc;
    if (n < 3)
        return PJI_STATS_FEW;
    double rest;
    if (!product_moment(x, y, n, &out->r, &rest))
        return PJI_STATS_CONSTANT;
    out->df = (double)n - 2;
    if (!(rest > 1e-18)) {
        out->p = 0;
        return PJI_STATS_UNDEFINED;
    }
    out->t = out->r * sqrt(out->df / rest);
    out->p = pji_t_two_sided(out->t, out->df);
    if (n > 3) {
        double z = 0.5 * (log1p(out->r) - log(rest) + log1p(out->r));
        double half = pji_normal_quantile(0.5 + level / 2) / sqrt((double)n - 3);
        out->low = tanh(z - half);
        out->high = tanh(z + half);
    }
    return PJ_OK;
}

/* AS 89: P(S >= s) for n > 6, s moved to the even number above */
static double edgeworth(double s, double n)
{
    static const double c[] = {0.2274, 0.2531, 0.1745, 0.0758, 0.1033, 0.3932,
                               0.0879, 0.0151, 0.0072, 0.0831, 0.0131, 4.6e-4};
    double top = n * (n * n - 1) / 3;
    if (s <= 0)
        return 1;
    if (s > top)
        return 0;
    double b = 1 / n;
    double x = (6 * (s - 1) * b / (n * n - 1) - 1) * sqrt(1 / b - 1);
    double y = x * x;
    double inner = c[6] + c[7] * b - y * (c[8] - c[9] * b + y * b * (c[10] - c[11] * y));
    double u = x * b *
               (c[0] + b * (c[1] + c[2] * b) + y * (-c[3] + b * (c[4] + c[5] * b) - y * b * inner));
    double p = u / exp(y / 2) + pji_normal_upper(x);
    return p < 0 ? 0 : p > 1 ? 1 : p;
}

/* even whole number nearest to s from above (rho comes from ranks, S carries rounding) */
static double even(double s)
{
    return 2 * ceil(floor(s + 0.5) / 2);
}

static pj_status spearman_small(double s, size_t n, double *p, struct pj_error *err)
{
    struct pji_rankdist dist;
    pj_status rc = pji_rankdist_spearman(n, &dist, err);
    if (rc)
        return rc;
    *p = pji_rankdist_two_sided(&dist, even(s));
    pji_rankdist_fini(&dist);
    return PJ_OK;
}

static double spearman_as89(double s, double n)
{
    double whole = floor(s + 0.5);
    double middle = (n * n * n - n) / 6;
    double tail = s > middle ? edgeworth(even(whole - 1), n) : 1 - edgeworth(even(whole + 2), n);
    return fmin(1, 2 * tail);
}

static double spearman_t(double rho, double rest, double n)
{
    double size = fabs(rho) * sqrt((n - 2) / rest);
    /* ranks in the same or the opposite order: 1 - rho^2 is rounding */
    return fabs(rho) < 1 ? pji_t_two_sided(size, n - 2) : 0;
}

static pj_status spearman(const double *rx, const double *ry, size_t n, struct pji_spearman *out,
                          struct pj_error *err)
{
    double rest;
    double size = (double)n;
    if (!product_moment(rx, ry, n, &out->rho, &rest))
        return PJI_STATS_CONSTANT;
    out->S = (size * size * size - size) * (1 - out->rho) / 6;
    out->p_t = spearman_t(out->rho, rest, size);
    if (out->ties || n > 1290)
        return PJ_OK;
    if (n <= 9)
        return spearman_small(out->S, n, &out->p_exact, err);
    out->p_as89 = spearman_as89(out->S, size);
    return PJ_OK;
}

pj_status pji_spearman(const double *x, const double *y, size_t n, struct pji_spearman *out,
                       struct pj_error *err)
{
    const double none = (double)NAN;
    *out = (struct pji_spearman){none, none, none, false, none, none};
    pj_status rc = check(x, y, n, err);
    if (rc)
        return rc;
    if (n < 3)
        return PJI_STATS_FEW;
    double *ranks = pji_zalloc(2 * n, sizeof *ranks, err);
    if (!ranks)
        return PJ_ENOMEM;
    struct pji_ties tx;
    struct pji_ties ty;
    rc = pji_rank(x, n, ranks, &tx, err);
    if (!rc)
        rc = pji_rank(y, n, ranks + n, &ty, err);
    if (!rc) {
        out->ties = tx.any || ty.any;
        rc = spearman(ranks, ranks + n, n, out, err);
    }
    free(ranks);
    return rc;
}
