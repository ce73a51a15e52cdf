#include "stats/gammadist.h"

#include "stats/normal.h"
#include "stats/root.h"
#include "stats/special.h"

#include <math.h>
#include <stdbool.h>

/* x^a e^-x / Gamma(a) */
static long double kernel(long double a, long double x)
{
    static const long double two_pi = 6.283185307179586476925286766559005768394L;
    return sqrtl(a / two_pi) * expl(-pji_stirling_error(a) - pji_deviance(a, x));
}

static long double series(long double a, long double x)
{
    long double term = 1 / a;
    long double sum = term;
    for (int i = 1; i < 10000000; i++) {
        term *= x / (a + (long double)i);
        sum += term;
        if (term < 1e-20L * sum)
            break;
    }
    return sum;
}

/* Lentz's method */
static long double fraction(long double a, long double x)
{
    const long double tiny = 1e-4000L;
    long double b = x + 1 - a;
    long double c = 1 / tiny;
    long double d = 1 / (fabsl(b) < tiny ? tiny : b);
    long double h = d;
    for (int i = 1; i < 10000000; i++) {
        long double k = (long double)i;
        long double numerator = -k * (k - a);
        b += 2;
        d = numerator * d + b;
        d = 1 / (fabsl(d) < tiny ? tiny : d);
        c = b + numerator / c;
        c = fabsl(c) < tiny ? tiny : c;
        long double factor = c * d;
        h *= factor;
        if (fabsl(factor - 1) < 2e-19L)
            break;
    }
    return h;
}

struct pji_tails pji_gamma_tails(long double a, long double x)
{
    if (!(a > 0 && x >= 0) || isinf(a))
        return (struct pji_tails){(long double)NAN, (long double)NAN};
    struct pji_tails t;
    if (x <= 0) {
        t = (struct pji_tails){0, 1};
    } else if (isinf(x)) {
        t = (struct pji_tails){1, 0};
    } else if (x < a + 1) {
        t.lower = kernel(a, x) * series(a, x);
        t.upper = 1 - t.lower;
    } else {
        t.upper = kernel(a, x) * fraction(a, x);
        t.lower = 1 - t.upper;
    }
    return t;
}

static struct pji_tails chisq(double x, double df)
{
    if (isnan(x) || !(df > 0) || isinf(df))
        return (struct pji_tails){(long double)NAN, (long double)NAN};
    return pji_gamma_tails((long double)df / 2, x > 0 ? (long double)x / 2 : 0);
}

double pji_chisq_cdf(double x, double df)
{
    return (double)chisq(x, df).lower;
}

double pji_chisq_upper(double x, double df)
{
    return (double)chisq(x, df).upper;
}

struct target {
    double df;
    double log_p;
    bool lower;
};

static double distance(double log_x, const void *ctx)
{
    const struct target *want = ctx;
    struct pji_tails got = chisq(exp(log_x), want->df);
    return want->lower ? (double)logl(got.lower) - want->log_p
                       : want->log_p - (double)logl(got.upper);
}

double pji_chisq_quantile(double p, double df)
{
    if (!(p >= 0 && p <= 1) || !(df > 0) || isinf(df))
        return (double)NAN;
    if (p == 0)
        return 0;
    if (p == 1)
        return (double)INFINITY;
    struct target want = {.df = df, .log_p = p < 0.5 ? log(p) : log1p(-p), .lower = p < 0.5};
    /* Wilson and Hilferty (1931) gives the start */
    double cube = 1 - 2 / (9 * df) + pji_normal_quantile(p) * sqrt(2 / (9 * df));
    double guess = cube > 0.1 ? log(df) + 3 * log(cube) : log(df) - 7;
    return exp(pji_root_monotone(distance, &want, guess, 0.1, 1));
}
