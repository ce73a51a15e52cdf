#include "stats/tukey.h"

#include "stats/integrate.h"
#include "stats/root.h"
#include "stats/special.h"

#include <math.h>
#include <stdbool.h>

static const long double inv_sqrt2 = 0.707106781186547524400844362104849039285L;
static const long double pi = 3.141592653589793238462643383279502884197L;

struct range {
    long double w;
    long double k;
    bool upper;
};

static long double cdf(long double z)
{
    return 0.5L * erfcl(-z * inv_sqrt2);
}

/* Phi(z) - Phi(z - w) from the tails on the side where they are small */
static long double slice(long double z, long double w)
{
    if (z - w > 0)
        return cdf(w - z) - cdf(-z);
    return cdf(z) - cdf(z - w);
}

static long double range_integrand(long double z, const void *ctx)
{
    const struct range *r = ctx;
    long double below = cdf(z);
    long double log_phi = -0.5L * z * z;
    if (!(below > 0))
        return -(long double)INFINITY;
    if (!r->upper)
        return log_phi + (r->k - 1) * logl(slice(z, r->w));
    /* Phi^(k-1) (1 - (1 - ratio)^(k-1)) */
    long double ratio = cdf(z - r->w) / below;
    long double drop = ratio < 1 ? -expm1l((r->k - 1) * log1pl(-ratio)) : 1;
    return log_phi + (r->k - 1) * logl(below) + logl(drop);
}

/* probability that the range of k normals exceeds (or not) w */
static long double range_tail(long double w, long double k, bool upper)
{
    if (w <= 0)
        return upper ? 1 : 0;
    struct range r = {w, k, upper};
    long double peak = pji_peak(range_integrand, &r, w / 2, 0.5L);
    long double p = k / sqrtl(2 * pi) * pji_integrate(range_integrand, &r, peak, 0.5L);
    return p > 1 ? 1 : p;
}

struct studentized {
    long double q;
    long double k;
    long double df;
    bool upper;
};

static long double integrand(long double u, const void *ctx)
{
    const struct studentized *s = ctx;
    if (u > 3000)
        return -(long double)INFINITY;
    long double density = -0.5L * s->df * (expm1l(2 * u) - 2 * u);
    if (density < -11000)
        return -(long double)INFINITY;
    return density + logl(range_tail(s->q * expl(u), s->k, s->upper));
}

static double tail(double q, double k, double df, bool upper)
{
    if (isnan(q) || !(k >= 2) || isinf(k) || !(df > 0))
        return (double)NAN;
    if (!(q > 0))
        return upper ? 1 : 0;
    if (isinf(q))
        return upper ? 0 : 1;
    if (isinf(df))
        return (double)range_tail((long double)q, (long double)k, upper);
    long double nu = (long double)df;
    struct studentized s = {(long double)q, (long double)k, nu, upper};
    long double width = 1 / sqrtl(2 * nu);
    long double peak = pji_peak(integrand, &s, 0, width);
    long double constant = sqrtl(nu / pi) * expl(-pji_stirling_error(nu / 2));
    long double p = constant * pji_integrate(integrand, &s, peak, width);
    return (double)(p > 1 ? 1 : p);
}

double pji_tukey_cdf(double q, double k, double df)
{
    return tail(q, k, df, false);
}

double pji_tukey_upper(double q, double k, double df)
{
    return tail(q, k, df, true);
}

struct target {
    double k;
    double df;
    double p;
    bool lower;
};

static double distance(double log_q, const void *ctx)
{
    const struct target *want = ctx;
    double got = tail(exp(log_q), want->k, want->df, !want->lower);
    return want->lower ? log(got) - log(want->p) : log1p(-want->p) - log(got);
}

double pji_tukey_quantile(double p, double k, double df)
{
    if (!(p >= 0 && p <= 1) || !(k >= 2) || isinf(k) || !(df > 0))
        return (double)NAN;
    if (p == 0)
        return 0;
    if (p == 1)
        return (double)INFINITY;
    struct target want = {k, df, p, p < 0.5};
    return exp(pji_root_monotone(distance, &want, 1, 0.25, 1));
}
