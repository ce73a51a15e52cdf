/* The noncentral F distribution: see stats/noncentral.h. */
#include "stats/noncentral.h"

#include "stats/beta.h"
#include "stats/root.h"
#include "stats/special.h"

#include <math.h>
#include <stdbool.h>

struct series {
    long double a;    /* d1/2 */
    long double b;    /* d2/2 */
    long double x;    /* d1 f/(d1 f + d2) */
    long double y;    /* 1 - x */
    long double half; /* lambda/2 */
    bool upper;
};

/* ln of the Poisson probability of j with mean m > 0, by the saddle point */
static long double log_poisson(long double j, long double m)
{
    static const long double two_pi = 6.283185307179586476925286766559005768394L;
    if (j <= 0)
        return -m;
    return -pji_stirling_error(j) - pji_deviance(j, m) - 0.5L * logl(two_pi * j);
}

static long double beta_tail(const struct series *s, long double j)
{
    struct pji_tails t = pji_beta_tails(s->a + j, s->b, s->x, s->y);
    return s->upper ? t.upper : t.lower;
}

static long double log_term(const struct series *s, long double j)
{
    return log_poisson(j, s->half) + logl(beta_tail(s, j));
}

/* the index of the largest term: the logarithms are concave in j */
static long double largest(const struct series *s)
{
    long double lo = 0;
    long double hi = 1;
    while (log_term(s, hi + 1) > log_term(s, hi) && hi < 1e15L)
        hi *= 2;
    while (hi - lo > 1) {
        long double mid = floorl((lo + hi) / 2);
        if (log_term(s, mid + 1) > log_term(s, mid))
            lo = mid + 1;
        else
            hi = mid;
    }
    return log_term(s, hi) > log_term(s, lo) ? hi : lo;
}

/* Both tails change by kernel(a + j)/(a + j) from j to j + 1 (DLMF 8.17.20). Going up adds to the
 * upper tail, going down adds to the lower one: in the other direction digits would be lost, so the
 * walk starts at the end from which it only adds. */
static long double walk(const struct series *s, long double first, long double last)
{
    long double step = s->upper ? 1 : -1;
    long double j = s->upper ? first : last;
    long double stop = s->upper ? last : first;
    long double tail = beta_tail(s, j);
    long double weight = expl(log_poisson(j, s->half));
    long double kernel = pji_beta_kernel(s->a + j, s->b, s->x, s->y);
    long double total = weight * tail;
    while (j != stop) {
        long double at = s->a + j;
        if (s->upper) {
            tail += kernel / at;
            weight *= s->half / (j + 1);
            kernel *= s->x * (at + s->b) / at;
        } else {
            kernel *= (at - 1) / (s->x * (at - 1 + s->b));
            tail += kernel / (at - 1);
            weight *= j / s->half;
        }
        j += step;
        total += weight * tail;
    }
    return total;
}

static long double sum(const struct series *s)
{
    long double peak = largest(s);
    long double top = log_term(s, peak);
    if (!(top > -11300))
        return 0;
    long double spread = sqrtl(peak + 1) + 1;
    long double first = peak;
    long double last = peak;
    while (first > 0 && log_term(s, first) > top - 50)
        first = fmaxl(0, floorl(first - 3 * spread));
    while (log_term(s, last) > top - 50)
        last = ceill(last + 3 * spread);
    return walk(s, first, last);
}

static double mixture(double f, double d1, double d2, double ncp, bool upper)
{
    if (isnan(f) || !(d1 > 0 && d2 > 0 && ncp >= 0) || isinf(d1) || isinf(d2) || isinf(ncp))
        return (double)NAN;
    if (!(f > 0))
        return upper ? 1 : 0;
    long double product = (long double)d1 * (long double)f;
    long double whole = product + (long double)d2;
    if (isinf(whole))
        return upper ? 0 : 1;
    struct series s = {.a = (long double)d1 / 2,
                       .b = (long double)d2 / 2,
                       .x = product / whole,
                       .y = (long double)d2 / whole,
                       .half = (long double)ncp / 2,
                       .upper = upper};
    if (ncp == 0)
        return (double)beta_tail(&s, 0);
    long double p = sum(&s);
    return (double)(p > 1 ? 1 : p);
}

double pji_ncf_cdf(double f, double d1, double d2, double ncp)
{
    return mixture(f, d1, d2, ncp, false);
}

double pji_ncf_upper(double f, double d1, double d2, double ncp)
{
    return mixture(f, d1, d2, ncp, true);
}

struct target {
    double f;
    double d1;
    double d2;
    double p;
};

static double distance(double ncp, const void *ctx)
{
    const struct target *want = ctx;
    return pji_ncf_cdf(want->f, want->d1, want->d2, ncp) - want->p;
}

double pji_ncf_ncp(double f, double d1, double d2, double p)
{
    struct target want = {f, d1, d2, p};
    double at_zero = distance(0, &want);
    if (isnan(at_zero) || isinf(f) || !(p > 0 && p < 1))
        return (double)NAN;
    if (at_zero <= 0)
        return 0;
    double high = fmax(1, f * d1);
    while (distance(high, &want) > 0)
        high *= 2;
    return pji_root(distance, &want, 0, high);
}
