#include "stats/pairwise.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* doubles in ascending order as unsigned integers, and back */
static uint64_t order_of(double x)
{
    uint64_t bits;
    x += 0.0; /* -0 counts as 0 */
    memcpy(&bits, &x, sizeof bits);
    return bits >> 63 ? ~bits : bits | (UINT64_C(1) << 63);
}

static double number_of(uint64_t order)
{
    uint64_t bits = order >> 63 ? order & ~(UINT64_C(1) << 63) : ~order;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

struct sample {
    const double *x;
    const double *y; /* NULL: Walsh averages of x */
    size_t n;
    size_t m;
};

static size_t count_differences(const struct sample *s, double v)
{
    size_t total = 0;
    size_t j = s->m; /* x[i] - y <= v for y[j…m): more of them the smaller x[i] is */
    for (size_t i = s->n; i-- > 0;) {
        while (j > 0 && s->x[i] - s->y[j - 1] <= v)
            j--;
        total += s->m - j;
    }
    return total;
}

static size_t count_averages(const struct sample *s, double v)
{
    size_t total = 0;
    size_t end = 0; /* x[0…end) gives (x[i] + x[j])/2 <= v */
    for (size_t i = s->n; i-- > 0;) {
        while (end < s->n && (s->x[i] + s->x[end]) / 2 <= v)
            end++;
        /* pairs with j <= i only */
        total += end < i + 1 ? end : i + 1;
    }
    return total;
}

static size_t count(const struct sample *s, double v)
{
    return s->y ? count_differences(s, v) : count_averages(s, v);
}

static double select(const struct sample *s, double lowest, double highest, size_t k)
{
    uint64_t lo = order_of(lowest);
    uint64_t hi = order_of(highest);
    while (lo < hi) {
        uint64_t mid = lo + (hi - lo) / 2;
        if (count(s, number_of(mid)) >= k)
            hi = mid;
        else
            lo = mid + 1;
    }
    return number_of(lo);
}

double pji_difference_select(const double *x, size_t n, const double *y, size_t m, size_t k)
{
    struct sample s = {x, y, n, m};
    return select(&s, x[0] - y[m - 1], x[n - 1] - y[0], k);
}

double pji_difference_median(const double *x, size_t n, const double *y, size_t m)
{
    size_t total = n * m;
    double low = pji_difference_select(x, n, y, m, (total + 1) / 2);
    if (total % 2)
        return low;
    return (low + pji_difference_select(x, n, y, m, total / 2 + 1)) / 2;
}

double pji_walsh_median(const double *d, size_t n)
{
    struct sample s = {d, NULL, n, 0};
    size_t total = n * (n + 1) / 2;
    double low = select(&s, d[0], d[n - 1], (total + 1) / 2);
    if (total % 2)
        return low;
    return (low + select(&s, d[0], d[n - 1], total / 2 + 1)) / 2;
}
