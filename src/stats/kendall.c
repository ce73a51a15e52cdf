/* Kendall's tau-b: see stats/correlation.h. */
#include "stats/correlation.h"

#include "core/array.h"
#include "stats/moments.h"
#include "stats/normal.h"
#include "stats/rankdist.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct point {
    double x;
    double y;
};

static int by_x_then_y(const void *left, const void *right)
{
    const struct point *a = left;
    const struct point *b = right;
    if (a->x != b->x)
        return a->x < b->x ? -1 : 1;
    return (a->y > b->y) - (a->y < b->y);
}

/* sorts y ascending and returns the number of pairs that stood in descending order */
static double inversions(double *y, double *scratch, size_t n)
{
    double total = 0;
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t start = 0; start < n; start += 2 * width) {
            size_t middle = start + width < n ? start + width : n;
            size_t end = start + 2 * width < n ? start + 2 * width : n;
            size_t i = start;
            size_t j = middle;
            for (size_t at = start; at < end; at++) {
                if (j >= end || (i < middle && y[i] <= y[j])) {
                    scratch[at] = y[i++];
                } else {
                    total += (double)(middle - i);
                    scratch[at] = y[j++];
                }
            }
        }
        memcpy(y, scratch, n * sizeof *y);
    }
    return total;
}

struct tie_sums {
    double pairs;  /* sum of t (t - 1)/2 */
    double first;  /* sum of t (t - 1) */
    double second; /* sum of t (t - 1)(t - 2) */
    double third;  /* sum of t (t - 1)(2 t + 5) */
};

static void add_tie(struct tie_sums *s, size_t count)
{
    double t = (double)count;
    s->pairs += t * (t - 1) / 2;
    s->first += t * (t - 1);
    s->second += t * (t - 1) * (t - 2);
    s->third += t * (t - 1) * (2 * t + 5);
}

/* of an ascending array */
static struct tie_sums ties_of(const double *sorted, size_t n)
{
    struct tie_sums s = {0, 0, 0, 0};
    for (size_t first = 0; first < n;) {
        size_t end = first + 1;
        while (end < n && sorted[end] == sorted[first])
            end++;
        add_tie(&s, end - first);
        first = end;
    }
    return s;
}

static double joint_pairs(const struct point *p, size_t n)
{
    double total = 0;
    for (size_t first = 0; first < n;) {
        size_t end = first + 1;
        while (end < n && p[end].x == p[first].x && p[end].y == p[first].y)
            end++;
        total += (double)(end - first) * (double)(end - first - 1) / 2;
        first = end;
    }
    return total;
}

static pj_status exact(struct pji_kendall *out, double discordant, size_t n, struct pj_error *err)
{
    struct pji_rankdist dist;
    pj_status rc = pji_rankdist_kendall(n, &dist, err);
    if (rc)
        return rc == PJI_STATS_TOO_LARGE ? PJ_OK : rc;
    out->p_exact = pji_rankdist_two_sided(&dist, discordant);
    pji_rankdist_fini(&dist);
    return PJ_OK;
}

/* y and scratch are work space of n */
static pj_status kendall(struct point *p, double *y, double *scratch, size_t n, size_t exact_below,
                         struct pji_kendall *out, struct pj_error *err)
{
    qsort(p, n, sizeof *p, by_x_then_y);
    for (size_t i = 0; i < n; i++)
        y[i] = p[i].x;
    struct tie_sums tx = ties_of(y, n);
    for (size_t i = 0; i < n; i++)
        y[i] = p[i].y;
    double discordant = inversions(y, scratch, n);
    struct tie_sums ty = ties_of(y, n);
    double size = (double)n;
    double all = size * (size - 1) / 2;
    if (!(tx.pairs < all) || !(ty.pairs < all))
        return PJI_STATS_CONSTANT;
    /* concordant + discordant = pairs tied in neither */
    double untied = all - tx.pairs - ty.pairs + joint_pairs(p, n);
    double score = untied - 2 * discordant;
    out->tau_b = score / (sqrt(all - tx.pairs) * sqrt(all - ty.pairs));
    double variance = (size * (size - 1) * (2 * size + 5) - tx.third - ty.third) / 18 +
                      tx.first * ty.first / (2 * size * (size - 1));
    if (n > 2)
        variance += tx.second * ty.second / (9 * size * (size - 1) * (size - 2));
    out->z = score / sqrt(variance);
    out->p_normal = pji_normal_two_sided(out->z);
    out->ties = tx.pairs > 0 || ty.pairs > 0;
    if (out->ties || n >= exact_below)
        return PJ_OK;
    return exact(out, discordant, n, err);
}

pj_status pji_kendall(const double *x, const double *y, size_t n, size_t exact_below,
                      struct pji_kendall *out, struct pj_error *err)
{
    const double none = (double)NAN;
    *out = (struct pji_kendall){none, none, none, false, none};
    pj_status rc = pji_check_finite(x, n, "correlation, first variable", err);
    if (!rc)
        rc = pji_check_finite(y, n, "correlation, second variable", err);
    if (rc)
        return rc;
    if (n < 2)
        return PJI_STATS_FEW;
    struct point *p = pji_zalloc(n, sizeof *p, err);
    double *work = pji_zalloc(2 * n, sizeof *work, err);
    if (p && work) {
        for (size_t i = 0; i < n; i++)
            p[i] = (struct point){x[i], y[i]};
        rc = kendall(p, work, work + n, n, exact_below, out, err);
    } else {
        rc = PJ_ENOMEM;
    }
    free(p);
    free(work);
    return rc;
}
