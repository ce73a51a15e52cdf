#include "stats/moments.h"

#include <math.h>

static long double sum(const double *x, size_t n)
{
    long double total = 0;
    for (size_t i = 0; i < n; i++)
        total += (long double)x[i];
    return total;
}

double pji_sum(const double *x, size_t n)
{
    return (double)sum(x, n);
}

double pji_mean(const double *x, size_t n)
{
    return n == 0 ? (double)NAN : (double)(sum(x, n) / (long double)n);
}

static long double central_ss(const double *x, size_t n)
{
    if (n == 0)
        return 0;
    long double centre = sum(x, n) / (long double)n;
    long double total = 0;
    for (size_t i = 0; i < n; i++) {
        long double d = (long double)x[i] - centre;
        total += d * d;
    }
    return total;
}

double pji_central_ss(const double *x, size_t n)
{
    return (double)central_ss(x, n);
}

double pji_variance(const double *x, size_t n)
{
    return n < 2 ? (double)NAN : (double)(central_ss(x, n) / (long double)(n - 1));
}

pj_status pji_check_finite(const double *x, size_t n, const char *what, struct pj_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(x[i]))
            return pji_fail(err, PJ_EINVAL, "%s: number %zu is %g, not a finite number", what,
                            i + 1, x[i]);
    }
    return PJ_OK;
}
