/* analysis/coords.c - coordinates of one sample: see coords.h for the definitions. */
#include "analysis/coords.h"

#include "core/array.h"
#include "stats/moments.h"
#include "stats/normal.h"
#include "stats/quantile.h"

#include <math.h>
#include <stdlib.h>

void pji_path_fini(struct pji_path *path)
{
    free(path->points);
    *path = (struct pji_path){0};
}

static pj_status reserve(struct pji_path *path, size_t n, struct pj_error *err)
{
    *path = (struct pji_path){0};
    if (n == 0)
        return PJ_OK;
    path->points = pji_zalloc(n, sizeof *path->points, err);
    return path->points != NULL ? PJ_OK : PJ_ENOMEM;
}

pj_status pji_coords_sorted(const struct pji_sample *sample, double **out, size_t *n,
                            struct pj_error *err)
{
    *out = NULL;
    *n = 0;
    if (sample->n == 0)
        return PJ_OK;
    double *values = pji_zalloc(sample->n, sizeof *values, err);
    if (values == NULL)
        return PJ_ENOMEM;
    for (size_t i = 0; i < sample->n; i++) {
        if (isfinite(sample->values[i]))
            values[(*n)++] = sample->values[i];
    }
    if (*n == 0) {
        free(values);
        return PJ_OK;
    }
    pji_sort(values, *n);
    *out = values;
    return PJ_OK;
}

void pji_coords_box(const double *sorted, size_t n, struct pji_box *box)
{
    *box = (struct pji_box){.n = n};
    if (n == 0)
        return;
    box->q1 = pji_quantile_sorted(sorted, n, 0.25);
    box->median = pji_quantile_sorted(sorted, n, 0.5);
    box->q3 = pji_quantile_sorted(sorted, n, 0.75);
    double reach = 1.5 * (box->q3 - box->q1);
    size_t lo = 0;
    size_t hi = n - 1;
    while (lo + 1 < n && sorted[lo] < box->q1 - reach)
        lo++;
    while (hi > 0 && sorted[hi] > box->q3 + reach)
        hi--;
    /* A quartile between two values can lie outside the values that are left: no inward whisker. */
    box->whisker_lo = fmin(sorted[lo], box->q1);
    box->whisker_hi = fmax(sorted[hi], box->q3);
}

static double bandwidth(const double *sorted, size_t n)
{
    double sd = sqrt(pji_variance(sorted, n));
    double iqr = pji_quantile_sorted(sorted, n, 0.75) - pji_quantile_sorted(sorted, n, 0.25);
    double spread = iqr > 0 ? fmin(sd, iqr / 1.34) : sd;
    return 0.9 * spread * pow((double)n, -0.2);
}

pj_status pji_coords_density(const double *sorted, size_t n, bool trimmed, struct pji_path *path,
                             struct pj_error *err)
{
    const double root_2pi = 2.5066282746310002;
    *path = (struct pji_path){0};
    if (n < 2 || !(sorted[n - 1] > sorted[0]))
        return PJ_OK;
    double width = bandwidth(sorted, n);
    if (!(width > 0) || !isfinite(width))
        return PJ_OK;
    pj_status status = reserve(path, PJI_DENSITY_POINTS, err);
    if (status != PJ_OK)
        return status;
    double from = sorted[0] - (trimmed ? 0 : 3 * width);
    double to = sorted[n - 1] + (trimmed ? 0 : 3 * width);
    path->n = PJI_DENSITY_POINTS;
    for (size_t k = 0; k < path->n; k++) {
        double x = from + (to - from) * (double)k / (double)(path->n - 1);
        double sum = 0;
        for (size_t i = 0; i < n; i++) {
            double z = (x - sorted[i]) / width;
            sum += fabs(z) < 38 ? exp(-z * z / 2) : 0; /* beyond, exp is 0 */
        }
        path->points[k] = (struct pji_xy){x, sum / ((double)n * width * root_2pi)};
    }
    return PJ_OK;
}

pj_status pji_coords_ecdf(const double *sorted, size_t n, struct pji_path *path,
                          struct pj_error *err)
{
    pj_status status = reserve(path, 2 * n, err);
    if (status != PJ_OK)
        return status;
    for (size_t i = 0; i < n; i++) {
        path->points[path->n++] = (struct pji_xy){sorted[i], (double)i / (double)n};
        while (i + 1 < n && sorted[i + 1] <= sorted[i]) /* equal values are one step */
            i++;
        path->points[path->n++] = (struct pji_xy){sorted[i], (double)(i + 1) / (double)n};
    }
    return PJ_OK;
}

pj_status pji_coords_qq(const double *sorted, size_t n, struct pji_qq *qq, struct pj_error *err)
{
    *qq = (struct pji_qq){0};
    pj_status status = reserve(&qq->points, n, err);
    if (status != PJ_OK)
        return status;
    double a = n <= 10 ? 0.375 : 0.5;
    qq->points.n = n;
    for (size_t i = 0; i < n; i++) {
        double p = ((double)i + 1 - a) / ((double)n + 1 - 2 * a);
        qq->points.points[i] = (struct pji_xy){pji_normal_quantile(p), sorted[i]};
    }
    if (n < 2)
        return PJ_OK;
    double upper = pji_normal_quantile(0.75);
    double q1 = pji_quantile_sorted(sorted, n, 0.25);
    double q3 = pji_quantile_sorted(sorted, n, 0.75);
    double slope = (q3 - q1) / (2 * upper);
    double middle = (q1 + q3) / 2;
    double lo = qq->points.points[0].x;
    double hi = qq->points.points[n - 1].x;
    qq->has_line = true;
    qq->from = (struct pji_xy){lo, middle + slope * lo};
    qq->to = (struct pji_xy){hi, middle + slope * hi};
    return PJ_OK;
}

void pji_qq_fini(struct pji_qq *qq)
{
    pji_path_fini(&qq->points);
    *qq = (struct pji_qq){0};
}

void pji_coords_front(const double *cost, const double *worth, size_t n, bool *on_front)
{
    for (size_t i = 0; i < n; i++) {
        on_front[i] = isfinite(cost[i]) && isfinite(worth[i]);
        for (size_t j = 0; on_front[i] && j < n; j++) {
            bool no_worse = cost[j] <= cost[i] && worth[j] >= worth[i];
            if (no_worse && (cost[j] < cost[i] || worth[j] > worth[i]))
                on_front[i] = false;
        }
    }
}
