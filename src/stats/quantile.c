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
    double h = (double)(n - 1) * p;
    /* a product that is a whole number but for rounding means that order statistic */
    double whole = floor(h + 4e-16 * (double)n);
    double part = h - whole;
    size_t i = (size_t)whole;
    if (i + 1 >= n)
        return sorted[n - 1];
    if (fabs(part) < 4e-16 * (double)n)
        return sorted[i];
    return sorted[i] + part * (sorted[i + 1] - sorted[i]);
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
