#include "stats/tukey.h"

#include "stats/integrate.h"
#include "stats/root.h"
#include "stats/special.h"

#include <math.h>
#include <stdbool.h>

static const long double pi = 3.141592653589793238462643383279502884197L;

/* The range of k normals is integrated in double: a hundred points for each point of the outer
 * integral, and erfc is good to one unit in the last place. */
static double cdf(double z)
{
    return 0.5 * erfc(-z * M_SQRT1_2);
}

/* Phi(z) - Phi(z - w) from the tails on the side where they are small */
static double slice(double z, double w)
{
    if (z - w > 0)
        return cdf(w - z) - cdf(-z);
    return cdf(z) - cdf(z - w);
}

static double range_integrand(double z, double w, double k, bool upper)
{
    double density = exp(-0.5 * z * z);
    if (!upper)
        return density * pow(slice(z, w), k - 1);
    double below = cdf(z);
    double beyond = cdf(z - w);
    if (!(beyond > 0))
        return 0;
    /* Phi^(k-1) (1 - (1 - beyond/Phi)^(k-1)) */
    double drop = beyond < below ? -expm1((k - 1) * log1p(-beyond / below)) : 1;
    return density * pow(below, k - 1) * drop;
}

/* P(range of k normals > w), or <= w: trapezoidal rule outwards from w/2. The peak has a standard
 * deviation of at least 0.3 for k up to 10^4, so a step of 0.15 leaves e^-78. */
static long double range_tail(double w, double k, bool upper)
{
    if (w <= 0)
        return upper ? 1 : 0;
    const double step = 0.15;
    double total = 0;
    for (int side = -1; side <= 1; side += 2) {
        double before = 0;
        for (int i = side > 0 ? 0 : 1; i < 2000; i++) {
            double term = range_integrand(w / 2 + side * i * step, w, k, upper);
            total += term;
            if (term <= before && term < 1e-18 * total)
                break;
            if (!(total > 0) && i > 400)
                break;
            before = term;
        }
    }
    double p = total * step * k / sqrt(2 * M_PI);
    return (long double)(p > 1 ? 1 : p);
}

struct studentized {
    long double q;
    double k;
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
    return density + logl(range_tail((double)(s->q * expl(u)), s->k, s->upper));
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
        return (double)range_tail(q, k, upper);
    long double nu = (long double)df;
    struct studentized s = {(long double)q, k, nu, upper};
    long double width = 1 / sqrtl(2 * nu);
    /* far out, where the range alone underflows, the peak lies at small S */
    long double start = q > 30 ? logl(30 / (long double)q) : 0;
    long double peak = pji_peak(integrand, &s, start, width);
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
