#include "stats/noncentral.h"

#include "stats/integrate.h"
#include "stats/normal.h"
#include "stats/root.h"
#include "stats/special.h"

#include <math.h>
#include <stdbool.h>

static const long double inv_sqrt2 = 0.707106781186547524400844362104849039285L;
static const long double pi = 3.141592653589793238462643383279502884197L;

/* ln P(Z > z), also where the probability underflows */
static long double log_normal_upper(long double z)
{
    if (z < 100)
        return logl(0.5L * erfcl(z * inv_sqrt2));
    long double r = 1 / (z * z);
    return -0.5L * z * z - logl(z) - 0.5L * logl(2 * pi) + log1pl(-r * (1 - 3 * r));
}

struct mixture {
    long double t;
    long double df;
    long double ncp;
    bool upper;
};

/* ln of (normal tail at t e^u - ncp) times the density of u = ln S, without its constant */
static long double integrand(long double u, const void *ctx)
{
    const struct mixture *m = ctx;
    if (u > 3000)
        return -(long double)INFINITY;
    long double z = m->t * expl(u) - m->ncp;
    long double density = -0.5L * m->df * (expm1l(2 * u) - 2 * u);
    return density + log_normal_upper(m->upper ? z : -z);
}

/* t >= 0 */
static double tail(double t, double df, double ncp, bool upper)
{
    long double nu = (long double)df;
    if (isinf(df)) {
        long double z = ((long double)t - (long double)ncp) * inv_sqrt2;
        return (double)(0.5L * erfcl(upper ? z : -z));
    }
    struct mixture m = {(long double)t, nu, (long double)ncp, upper};
    long double width = 1 / sqrtl(2 * nu);
    long double peak = pji_peak(integrand, &m, 0, width);
    long double integral = pji_integrate(integrand, &m, peak, width);
    long double constant = sqrtl(nu / pi) * expl(-pji_stirling_error(nu / 2));
    long double p = constant * integral;
    return (double)(p > 1 ? 1 : p);
}

static bool bad_t(double t, double df, double ncp)
{
    return isnan(t) || !(df > 0) || !isfinite(ncp);
}

double pji_nct_upper(double t, double df, double ncp)
{
    if (bad_t(t, df, ncp))
        return (double)NAN;
    if (isinf(t))
        return t > 0 ? 0 : 1;
    /* P(T > t; ncp) = P(T < -t; -ncp) */
    return t >= 0 ? tail(t, df, ncp, true) : tail(-t, df, -ncp, false);
}

double pji_nct_cdf(double t, double df, double ncp)
{
    return pji_nct_upper(-t, df, -ncp);
}

struct t_target {
    double t;
    double df;
    double p;
};

static double t_distance(double ncp, const void *ctx)
{
    const struct t_target *want = ctx;
    return pji_nct_cdf(want->t, want->df, ncp) - want->p;
}

static double conventional_cdf(double t, double df, double ncp)
{
    static const double switch_square = 1415.4; /* 2 ln 2 times 1021: 37.62 squared */
    if (df <= 4e5 && ncp * ncp <= switch_square)
        return pji_nct_cdf(t, df, ncp);
    double s = 1 / (4 * df);
    if (t < 0)
        return pji_normal_upper((-t * (1 - s) + ncp) / sqrt(1 + t * t * 2 * s));
    return pji_normal_cdf((t * (1 - s) - ncp) / sqrt(1 + t * t * 2 * s));
}

static double conventional_distance(double ncp, const void *ctx)
{
    const struct t_target *want = ctx;
    return conventional_cdf(want->t, want->df, ncp) - want->p;
}

double pji_nct_ncp_conventional(double t, double df, double p)
{
    if (bad_t(t, df, 0) || isinf(t) || !(p > 0 && p < 1))
        return (double)NAN;
    struct t_target want = {t, df, p};
    return pji_root_monotone(conventional_distance, &want, t, 1, 0);
}

double pji_nct_ncp(double t, double df, double p)
{
    if (bad_t(t, df, 0) || isinf(t) || !(p > 0 && p < 1))
        return (double)NAN;
    struct t_target want = {t, df, p};
    return pji_root_monotone(t_distance, &want, t, 1, 0);
}
