#include "stats/steady.h"

#include "core/array.h"
#include "stats/moments.h"

#include <math.h>
#include <stdlib.h>

/* Upper 0.5 % and 0.1 % points of the standard normal distribution. */
#define Z10_MOST 2.5758293035489004
#define Z20_MOST 3.0902323061678132

/* Squares below this share of the mean's are rounding: the series is constant. */
#define ROUNDING 1e-18

enum { BATCH_MEANS_MOST = 20 };

/* The mean of each of k batches of equal size; what does not fill one is left out at the front. */
static void batch_means(const double *x, size_t n, size_t k, double *means)
{
    size_t size = n / k;
    const double *first = x + (n - size * k);
    for (size_t i = 0; i < k; i++)
        means[i] = pji_mean(first + i * size, size);
}

double pji_batch_means_u(const double *x, size_t n, size_t k)
{
    double means[BATCH_MEANS_MOST] = {0};
    if (k < 2 || k > BATCH_MEANS_MOST || n < 2 * k)
        return (double)NAN;
    batch_means(x, n, k, means);
    return sqrt(pji_variance(means, k) / (double)k);
}

double pji_batch_means_z(const double *x, size_t n, size_t k)
{
    double means[BATCH_MEANS_MOST] = {0};
    double steps = 0;
    if (k < 4 || k > BATCH_MEANS_MOST || n < k)
        return (double)NAN;
    batch_means(x, n, k, means);
    double mean = pji_mean(means, k);
    double ss = pji_central_ss(means, k);
    if (ss <= ROUNDING * mean * mean * (double)k)
        return 0;
    for (size_t i = 1; i < k; i++)
        steps += (means[i] - means[i - 1]) * (means[i] - means[i - 1]);
    double kk = (double)k;
    return (1 - steps / (2 * ss)) * sqrt((kk * kk - 1) / (kk - 2));
}

/* The number of batches that MSER-5 cuts; of equal values the least cut. */
static size_t mser(const double *y, size_t b)
{
    size_t least = b / 3, cut = 0;
    double best = (double)INFINITY;
    double centre = pji_mean(y, b);
    long double sum = 0, squares = 0;
    for (size_t m = 1; m <= b; m++) {
        long double d = (long double)(y[b - m] - centre);
        sum += d;
        squares += d * d;
        if (m < least)
            continue;
        long double ss = squares - sum * sum / (long double)m;
        double value = (double)(ss / (long double)m / (long double)m);
        if (value < ROUNDING * centre * centre)
            value = 0; /* constant */
        if (value <= best) {
            best = value;
            cut = b - m;
        }
    }
    return cut;
}

pj_status pji_steady_find(struct pji_steady *out, const double *x, size_t n, struct pj_error *err)
{
    size_t b = n / PJI_STEADY_BATCH;
    *out = (struct pji_steady){.verdict = PJI_STEADY_SHORT};
    pj_status status = pji_check_finite(x, n, "a series that may be steady", err);
    if (status != PJ_OK || n < PJI_STEADY_LEAST)
        return status;
    double *y = pji_zalloc(b, sizeof *y, err);
    if (y == NULL)
        return PJ_ENOMEM;
    for (size_t i = 0; i < b; i++)
        y[i] = pji_mean(x + i * PJI_STEADY_BATCH, PJI_STEADY_BATCH);
    size_t cut = mser(y, b);
    out->cut = cut * PJI_STEADY_BATCH;
    out->z20 = pji_batch_means_z(y + cut, b - cut, 20);
    out->z10 = pji_batch_means_z(y + cut, b - cut, 10);
    free(y);
    if (2 * cut > b)
        out->verdict = PJI_STEADY_RAMPING;
    else if (out->z10 > Z10_MOST || out->z20 > Z20_MOST)
        out->verdict = PJI_STEADY_CORRELATED;
    else
        out->verdict = PJI_STEADY_FOUND;
    return PJ_OK;
}
