#include "stats/rankdist.h"

#include "core/array.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static pj_status start(struct pji_rankdist *dist, double max, double work, struct pj_error *err)
{
    *dist = (struct pji_rankdist){NULL, 0};
    if (work > PJI_RANKDIST_WORK || max > 1e8)
        return PJI_STATS_TOO_LARGE;
    dist->max = (size_t)max;
    dist->p = pji_zalloc(dist->max + 1, sizeof *dist->p, err);
    return dist->p ? PJ_OK : PJ_ENOMEM;
}

void pji_rankdist_fini(struct pji_rankdist *dist)
{
    free(dist->p);
    dist->p = NULL;
}

/* Row j, column w of `table`: the number of ways in which j of the ranks seen so far were drawn for
 * the first sample and stand w above the smallest possible sum. A rank r drawn as number j adds r -
 * j. Each of the m + n ranks is drawn or not, all choices of m equally likely. */
static void add_ranks(long double *table, size_t m, size_t n, size_t width)
{
    for (size_t r = 1; r <= m + n; r++) {
        for (size_t j = r < m ? r : m; j >= 1; j--) {
            if (r - j > n)
                break;
            size_t shift = r - j;
            long double *row = table + j * width;
            const long double *from = row - width;
            for (size_t w = shift; w < width; w++)
                row[w] += from[w - shift];
        }
    }
}

pj_status pji_rankdist_sum(size_t m, size_t n, struct pji_rankdist *out, struct pj_error *err)
{
    double product = (double)m * (double)n;
    pj_status rc = start(out, product, product * (double)m * (double)(m + n), err);
    if (rc)
        return rc;
    size_t width = out->max + 1;
    long double *table = pji_zalloc((m + 1) * width, sizeof *table, err);
    if (!table) {
        pji_rankdist_fini(out);
        return PJ_ENOMEM;
    }
    table[0] = 1;
    add_ranks(table, m, n, width);
    long double total = 0;
    for (size_t w = 0; w < width; w++)
        total += table[m * width + w];
    for (size_t w = 0; w < width; w++)
        out->p[w] = table[m * width + w] / total;
    free(table);
    return PJ_OK;
}

pj_status pji_rankdist_signed(size_t n, struct pji_rankdist *out, struct pj_error *err)
{
    double max = (double)n * ((double)n + 1) / 2;
    pj_status rc = start(out, max, max * (double)n, err);
    if (rc)
        return rc;
    out->p[0] = 1;
    size_t top = 0;
    for (size_t r = 1; r <= n; r++) {
        top += r;
        for (size_t w = top + 1; w-- > 0;) {
            long double with = w >= r ? out->p[w - r] : 0;
            out->p[w] = (out->p[w] + with) / 2;
        }
    }
    return PJ_OK;
}

pj_status pji_rankdist_kendall(size_t n, struct pji_rankdist *out, struct pj_error *err)
{
    double max = n > 0 ? (double)n * ((double)n - 1) / 2 : 0;
    pj_status rc = start(out, max, max * (double)n * (double)n, err);
    if (rc)
        return rc;
    out->p[0] = 1;
    size_t top = 0;
    /* the r-th item is discordant with 0 … r - 1 of the earlier ones, equally likely */
    for (size_t r = 2; r <= n; r++) {
        top += r - 1;
        for (size_t w = top + 1; w-- > 0;) {
            long double total = 0;
            for (size_t back = 0; back < r && back <= w; back++)
                total += out->p[w - back];
            out->p[w] = total / (long double)r;
        }
    }
    return PJ_OK;
}

/* place item `at`, having used the ranks in `used`, with the sum so far */
static void permute(size_t n, size_t at, unsigned used, size_t sum, long double *count)
{
    if (at == n) {
        count[sum] += 1;
        return;
    }
    for (size_t r = 0; r < n; r++) {
        if (used & (1U << r))
            continue;
        size_t d = r > at ? r - at : at - r;
        permute(n, at + 1, used | (1U << r), sum + d * d, count);
    }
}

pj_status pji_rankdist_spearman(size_t n, struct pji_rankdist *out, struct pj_error *err)
{
    if (n > 10) {
        *out = (struct pji_rankdist){NULL, 0};
        return PJI_STATS_TOO_LARGE;
    }
    double size = (double)n;
    pj_status rc = start(out, (size * size * size - size) / 3, 0, err);
    if (rc)
        return rc;
    permute(n, 0, 0, 0, out->p);
    long double orders = 1;
    for (size_t i = 2; i <= n; i++)
        orders *= (long double)i;
    for (size_t w = 0; w <= out->max; w++)
        out->p[w] /= orders;
    return PJ_OK;
}

struct pji_tails pji_rankdist_tails(const struct pji_rankdist *dist, double x)
{
    struct pji_tails t = {0, 0};
    for (size_t w = 0; w <= dist->max; w++) {
        if ((double)w <= x)
            t.lower += dist->p[w];
    }
    for (size_t w = dist->max + 1; w-- > 0;) {
        if ((double)w >= x)
            t.upper += dist->p[w];
    }
    return t;
}

size_t pji_rankdist_quantile(const struct pji_rankdist *dist, double p)
{
    long double total = 0;
    for (size_t w = 0; w < dist->max; w++) {
        total += dist->p[w];
        /* a sum that should be p exactly must not miss it by rounding */
        if (total >= (long double)p * (1 - 1e-15L))
            return w;
    }
    return dist->max;
}

double pji_rankdist_two_sided(const struct pji_rankdist *dist, double x)
{
    struct pji_tails t = pji_rankdist_tails(dist, x);
    long double p = 2 * (t.lower < t.upper ? t.lower : t.upper);
    return (double)(p < 1 ? p : 1);
}
