#include "stats/fisher.h"

#include "stats/beta.h"
#include "stats/gammadist.h"
#include "stats/root.h"

#include <math.h>
#include <stdbool.h>

static const struct pji_tails none = {(long double)NAN, (long double)NAN};

static struct pji_tails tails(double f, double d1, double d2)
{
    if (isnan(f) || !(d1 > 0) || !(d2 > 0) || isinf(d1))
        return none;
    if (!(f > 0))
        return (struct pji_tails){0, 1};
    long double product = (long double)d1 * (long double)f;
    if (d2 > 1e12)
        return pji_gamma_tails((long double)d1 / 2, product / 2);
    long double sum = product + (long double)d2;
    if (isinf(sum))
        return (struct pji_tails){1, 0};
    return pji_beta_tails((long double)d1 / 2, (long double)d2 / 2, product / sum,
                          (long double)d2 / sum);
}

double pji_f_cdf(double f, double d1, double d2)
{
    return (double)tails(f, d1, d2).lower;
}

double pji_f_upper(double f, double d1, double d2)
{
    return (double)tails(f, d1, d2).upper;
}

/* both quantiles are solved for the log odds of the beta variable: it ranges over the line and
 * keeps x and 1 - x exact at both ends */
struct target {
    long double a;
    long double b;
    double log_p;
    bool lower;
};

static double distance(double logit, const void *ctx)
{
    const struct target *want = ctx;
    long double odds = expl((long double)logit);
    struct pji_tails got = pji_beta_tails(want->a, want->b, odds / (1 + odds), 1 / (1 + odds));
    return want->lower ? (double)logl(got.lower) - want->log_p
                       : want->log_p - (double)logl(got.upper);
}

static double quantile_logit(double p, long double a, long double b)
{
    struct target want = {.a = a, .b = b, .log_p = p < 0.5 ? log(p) : log1p(-p), .lower = p < 0.5};
    return pji_root_monotone(distance, &want, (double)logl(a / b), 0.25, 1);
}

double pji_f_quantile(double p, double d1, double d2)
{
    if (!(p >= 0 && p <= 1) || !(d1 > 0) || !(d2 > 0) || isinf(d1))
        return (double)NAN;
    if (p == 0)
        return 0;
    if (p == 1)
        return (double)INFINITY;
    if (d2 > 1e12)
        return pji_chisq_quantile(p, d1) / d1;
    double logit = quantile_logit(p, (long double)d1 / 2, (long double)d2 / 2);
    return (double)(expl((long double)logit) * (long double)d2 / (long double)d1);
}

static struct pji_tails beta(double x, double a, double b)
{
    if (isnan(x) || !(a > 0) || !(b > 0) || isinf(a) || isinf(b))
        return none;
    if (!(x > 0))
        return (struct pji_tails){0, 1};
    if (x >= 1)
        return (struct pji_tails){1, 0};
    return pji_beta_tails((long double)a, (long double)b, (long double)x, 1 - (long double)x);
}

double pji_beta_cdf(double x, double a, double b)
{
    return (double)beta(x, a, b).lower;
}

double pji_beta_upper(double x, double a, double b)
{
    return (double)beta(x, a, b).upper;
}

double pji_beta_quantile(double p, double a, double b)
{
    if (!(p >= 0 && p <= 1) || !(a > 0) || !(b > 0) || isinf(a) || isinf(b))
        return (double)NAN;
    if (p == 0 || p == 1)
        return p;
    long double odds = expl((long double)quantile_logit(p, (long double)a, (long double)b));
    return (double)(odds / (1 + odds));
}
