#include "stats/student.h"

#include "stats/beta.h"
#include "stats/normal.h"
#include "stats/root.h"

#include <math.h>
#include <stdbool.h>

static const double df_hill = 1e8;

/* Hill (1970): the normal deviate with the same tail, to O(df^-6) */
static long double normal_deviate(double t, double df)
{
    if (isinf(df))
        return (long double)t;
    long double a = (long double)df - 0.5L;
    long double b = 48 * a * a;
    long double z = sqrtl(a * log1pl((long double)t * (long double)t / (long double)df));
    return z + z * (z * z + 3) / b;
}

/* P(|T| >= t) and P(|T| < t), t >= 0 */
static struct pji_tails absolute(double t, double df)
{
    if (df > df_hill) {
        long double z = normal_deviate(t, df);
        long double u = z * 0.707106781186547524400844362104849039285L;
        return (struct pji_tails){.lower = erfcl(u), .upper = erfl(u)};
    }
    long double nu = (long double)df;
    long double square = (long double)t * (long double)t;
    if (isinf(square))
        return (struct pji_tails){.lower = 0, .upper = 1};
    long double sum = nu + square;
    return pji_beta_tails(nu / 2, 0.5L, nu / sum, square / sum);
}

static bool bad(double t, double df)
{
    return isnan(t) || !(df > 0);
}

double pji_t_two_sided(double t, double df)
{
    return bad(t, df) ? (double)NAN : (double)absolute(fabs(t), df).lower;
}

double pji_t_upper(double t, double df)
{
    if (bad(t, df))
        return (double)NAN;
    long double tail = absolute(fabs(t), df).lower / 2;
    return (double)(t >= 0 ? tail : 1 - tail);
}

double pji_t_cdf(double t, double df)
{
    return pji_t_upper(-t, df);
}

struct target {
    double df;
    double log_tail;   /* of P(|T| >= t) */
    double log_centre; /* of P(|T| < t) */
    bool by_tail;
};

static double distance(double log_t, const void *ctx)
{
    const struct target *want = ctx;
    struct pji_tails got = absolute(exp(log_t), want->df);
    if (want->by_tail)
        return want->log_tail - (double)logl(got.lower);
    return (double)logl(got.upper) - want->log_centre;
}

double pji_t_quantile(double p, double df)
{
    if (!(p >= 0 && p <= 1) || !(df > 0))
        return (double)NAN;
    if (isinf(df))
        return pji_normal_quantile(p);
    double tail = p < 0.5 ? p : 1 - p;
    if (tail == 0)
        return p < 0.5 ? -(double)INFINITY : (double)INFINITY;
    if (tail == 0.5)
        return 0;
    struct target want = {.df = df,
                          .log_tail = log(2 * tail),
                          .log_centre = log1p(-2 * tail),
                          .by_tail = tail < 0.25};
    double guess = log(fabs(pji_normal_quantile(tail)));
    double t = exp(pji_root_monotone(distance, &want, guess, 0.5, 1));
    return p < 0.5 ? -t : t;
}
