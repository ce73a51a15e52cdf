#include "stats/shapiro.h"

#include "core/array.h"
#include "stats/moments.h"
#include "stats/normal.h"
#include "stats/quantile.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double polynomial(const double *coefficient, size_t count, double x)
{
    double value = 0;
    for (size_t i = count; i-- > 0;)
        value = value * x + coefficient[i];
    return value;
}

#define POLYNOMIAL(c, x) polynomial((c), sizeof(c) / sizeof *(c), (x))

/* weights of the upper half, largest first: half = n/2 of them; the lower half is the negative */
static void weights(double *a, size_t n)
{
    static const double last[] = {0, .221157, -.147981, -2.07119, 4.434685, -2.706056};
    static const double before[] = {0, .042981, -.293762, -1.752461, 5.682633, -3.582633};
    size_t half = n / 2;
    if (n == 3) {
        a[0] = M_SQRT1_2;
        return;
    }
    double square = 0;
    for (size_t i = 0; i < half; i++) {
        a[i] = -pji_normal_quantile(((double)i + 1 - 0.375) / ((double)n + 0.25));
        square += 2 * a[i] * a[i];
    }
    double u = 1 / sqrt((double)n);
    double norm = sqrt(square);
    double first = POLYNOMIAL(last, u) + a[0] / norm;
    size_t fixed = n > 5 ? 2 : 1;
    double second = fixed == 2 ? POLYNOMIAL(before, u) + a[1] / norm : 0;
    double rest = square - 2 * a[0] * a[0] - (fixed == 2 ? 2 * a[1] * a[1] : 0);
    double left = 1 - 2 * first * first - (fixed == 2 ? 2 * second * second : 0);
    double scale = sqrt(rest / left);
    for (size_t i = fixed; i < half; i++)
        a[i] /= scale;
    a[0] = first;
    if (fixed == 2)
        a[1] = second;
}

/* 1 - W as (1 - r)(1 + r), r the correlation of the order statistics with their weights: exact
 * where W is near 1 */
static double one_minus_w(const double *sorted, const double *a, size_t n)
{
    long double mean = 0;
    for (size_t i = 0; i < n; i++)
        mean += (long double)sorted[i];
    mean /= (long double)n;
    long double ssa = 0;
    long double ssx = 0;
    long double sax = 0;
    for (size_t i = 0; i < n; i++) {
        size_t mirror = n - 1 - i;
        long double weight = 0;
        if (i != mirror)
            weight = i < mirror ? -(long double)a[i] : (long double)a[mirror];
        long double d = (long double)sorted[i] - mean;
        ssa += weight * weight;
        ssx += d * d;
        sax += weight * d;
    }
    long double product = sqrtl(ssa * ssx);
    return (double)((product - sax) * (product + sax) / (ssa * ssx));
}

static double significance(double w1, size_t n)
{
    static const double gamma_poly[] = {-2.273, .459};
    static const double mean_small[] = {.544, -.39978, .025054, -6.714e-4};
    static const double sd_small[] = {1.3822, -.77857, .062767, -.0020322};
    static const double mean_large[] = {-1.5861, -.31082, -.083751, .0038915};
    static const double sd_large[] = {-.4803, -.082676, .0030302};
    if (n == 3) {
        /* exact: W is at least 3/4 */
        double p = 6 / M_PI * (asin(sqrt(1 - w1)) - asin(sqrt(0.75)));
        return p > 0 ? p : 0;
    }
    double y = log(w1);
    double size = (double)n;
    double mean;
    double sd;
    if (n <= 11) {
        double limit = POLYNOMIAL(gamma_poly, size);
        if (y >= limit)
            return 1e-99; /* beyond the range of the transformation: AS R94's own answer */
        y = -log(limit - y);
        mean = POLYNOMIAL(mean_small, size);
        sd = exp(POLYNOMIAL(sd_small, size));
    } else {
        mean = POLYNOMIAL(mean_large, log(size));
        sd = exp(POLYNOMIAL(sd_large, log(size)));
    }
    return pji_normal_upper((y - mean) / sd);
}

pj_status pji_shapiro_wilk(const double *x, size_t n, struct pji_shapiro *out, struct pj_error *err)
{
    *out = (struct pji_shapiro){.n = n, .W = (double)NAN, .p = (double)NAN};
    pj_status rc = pji_check_finite(x, n, "Shapiro-Wilk test", err);
    if (rc)
        return rc;
    if (n < 3)
        return PJI_STATS_FEW;
    if (n > 5000)
        return PJI_STATS_TOO_LARGE;
    double *sorted = pji_zalloc(n + n / 2, sizeof *sorted, err);
    if (!sorted)
        return PJ_ENOMEM;
    double *a = sorted + n;
    memcpy(sorted, x, n * sizeof *sorted);
    pji_sort(sorted, n);
    /* differences of a few last digits are rounding, not a sample */
    double largest = fmax(fabs(sorted[0]), fabs(sorted[n - 1]));
    if (!(sorted[n - 1] - sorted[0] > 64 * DBL_EPSILON * largest)) {
        rc = PJI_STATS_CONSTANT;
    } else {
        weights(a, n);
        double w1 = one_minus_w(sorted, a, n);
        out->W = 1 - w1;
        out->p = significance(w1, n);
    }
    free(sorted);
    return rc;
}
