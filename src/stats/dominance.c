#include "stats/dominance.h"

#include "core/array.h"
#include "stats/moments.h"
#include "stats/quantile.h"
#include "stats/student.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* the number of values below, and not above, v in a sorted array */
static size_t below(const double *sorted, size_t n, double v, int inclusive)
{
    size_t lo = 0;
    size_t hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (sorted[mid] < v || (inclusive && sorted[mid] == v))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

struct sums {
    long double signs;   /* of sign(a - b) over all pairs */
    long double square;  /* of the squared row means of sign(a - b) */
    long double unequal; /* pairs that are not tied */
};

static struct sums rows(const double *a, size_t na, const double *sorted_b, size_t nb)
{
    struct sums s = {0, 0, 0};
    for (size_t i = 0; i < na; i++) {
        size_t less = below(sorted_b, nb, a[i], 0);
        size_t more = nb - below(sorted_b, nb, a[i], 1);
        long double sum = (long double)less - (long double)more;
        s.signs += sum;
        s.square += sum * sum / ((long double)nb * (long double)nb);
        s.unequal += (long double)(less + more);
    }
    return s;
}

static pj_status interval(struct pji_dominance *out, size_t n1, size_t n2, double level)
{
    double d = out->delta;
    double v = out->var_unbiased;
    if (!(v > 0))
        return PJI_STATS_UNDEFINED;
    double t = pji_t_quantile(0.5 + level / 2, (double)(n1 + n2) - 2);
    double room = 1 - d * d;
    double half = t * sqrt(v) * sqrt(room * room + t * t * v);
    double below_line = room + t * t * v;
    out->ci_low = (d - d * d * d - half) / below_line;
    out->ci_high = (d - d * d * d + half) / below_line;
    return PJ_OK;
}

static pj_status dominance(const double *x, size_t n1, const double *y, size_t n2, double level,
                           struct pji_dominance *out)
{
    struct sums of_x = rows(x, n1, y, n2);
    struct sums of_y = rows(y, n2, x, n1);
    long double m = (long double)n1;
    long double n = (long double)n2;
    long double d = of_x.signs / (m * n);
    out->delta = (double)d;
    out->vargha_delaney_A = (double)((d + 1) / 2);
    if (n1 < 2 || n2 < 2)
        return PJI_STATS_FEW;
    if (fabsl(of_x.signs) >= m * n)
        return PJI_STATS_UNDEFINED;
    long double row = of_x.square - m * d * d;
    long double column = of_y.square - n * d * d;
    long double cell = of_x.unequal - m * n * d * d;
    out->var_unbiased =
        (double)((n * n * row + m * m * column - cell) / (m * n * (m - 1) * (n - 1)));
    return interval(out, n1, n2, level);
}

pj_status pji_dominance(const double *x, size_t n1, const double *y, size_t n2, double level,
                        struct pji_dominance *out, struct pj_error *err)
{
    const double none = (double)NAN;
    *out = (struct pji_dominance){none, none, none, none, none};
    if (!(level > 0 && level < 1))
        return pji_fail(err, PJ_EINVAL, "a confidence level of %g is not between 0 and 1", level);
    pj_status rc = pji_check_finite(x, n1, "Cliff's delta, first sample", err);
    if (!rc)
        rc = pji_check_finite(y, n2, "Cliff's delta, second sample", err);
    if (rc)
        return rc;
    if (n1 == 0 || n2 == 0)
        return PJI_STATS_FEW;
    double *both = pji_zalloc(n1 + n2, sizeof *both, err);
    if (!both)
        return PJ_ENOMEM;
    memcpy(both, x, n1 * sizeof *both);
    memcpy(both + n1, y, n2 * sizeof *both);
    pji_sort(both, n1);
    pji_sort(both + n1, n2);
    rc = dominance(both, n1, both + n1, n2, level, out);
    free(both);
    return rc;
}
