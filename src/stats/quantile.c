#include "stats/quantile.h"

#include "core/array.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

void pji_sort(double *x, size_t n)
{
    if (n > 1)
        qsort(x, n, sizeof *x, ascending);
}

double pji_quantile_sorted(const double *sorted, size_t n, double p)
{
    if (n == 0 || !(p >= 0 && p <= 1))
        return (double)NAN;
    double at = 1 + (double)(n - 1) * p;
    /* a product that is a whole number but for rounding means that order statistic */
    double whole = floor(at + 4e-16 * (double)n);
    double part = at - whole;
    size_t i = (size_t)whole - 1;
    if (i + 1 >= n)
        return sorted[n - 1];
    if (fabs(part) < 4e-16 * (double)n || sorted[i] == sorted[i + 1])
        return sorted[i];
    /* R's order of operations: a difference of quantiles shows the last digit */
    return (1 - part) * sorted[i] + part * sorted[i + 1];
}

pj_status pji_quantile(const double *x, size_t n, double p, double *out, struct pj_error *err)
{
    *out = (double)NAN;
    if (!(p >= 0 && p <= 1))
        return pji_fail(err, PJ_EINVAL, "a quantile of order %g is outside 0…1", p);
    if (n == 0)
        return PJI_STATS_FEW;
    double *copy = pji_zalloc(n, sizeof *copy, err);
    if (!copy)
        return PJ_ENOMEM;
    memcpy(copy, x, n * sizeof *copy);
    pji_sort(copy, n);
    *out = pji_quantile_sorted(copy, n, p);
    free(copy);
    return PJ_OK;
}
