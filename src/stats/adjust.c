#include "stats/adjust.h"

#include "core/array.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct item {
    double p;
    size_t index;
};

static int by_p(const void *left, const void *right)
{
    const struct item *a = left;
    const struct item *b = right;
    if (a->p != b->p)
        return a->p < b->p ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

/* the largest p first: running minimum of factor(i) p(i) */
static void step_up(struct item *sorted, size_t m, enum pji_adjust method)
{
    double harmonic = 0;
    for (size_t i = 1; i <= m; i++)
        harmonic += 1 / (double)i;
    double running = 1;
    for (size_t i = m; i-- > 0;) {
        double rank = (double)i + 1;
        double factor = (double)m / rank;
        if (method == PJI_ADJUST_BY)
            factor *= harmonic;
        if (method == PJI_ADJUST_HOCHBERG)
            factor = (double)m - rank + 1;
        running = fmin(running, factor * sorted[i].p);
        sorted[i].p = running;
    }
}

static void holm(struct item *sorted, size_t m)
{
    double running = 0;
    for (size_t i = 0; i < m; i++) {
        running = fmax(running, fmin(1, ((double)m - (double)i) * sorted[i].p));
        sorted[i].p = running;
    }
}

/* Wright (1992): the adjusted value is the largest, over all sizes s of an intersection hypothesis
 * that contains it, of the smallest Simes p of such an intersection. For size s the worst
 * intersection keeps the s - 1 largest p together with p(i) (or the s largest). */
static void hommel(struct item *sorted, size_t m, double *best)
{
    for (size_t i = 0; i < m; i++)
        best[i] = sorted[i].p;
    for (size_t s = m; s >= 2; s--) {
        double size = (double)s;
        /* Simes with p(i) as the smallest member: the other s - 1 are the last ones */
        double others = 1;
        for (size_t j = 2; j <= s; j++)
            others = fmin(others, size * sorted[m - s + j - 1].p / (double)j);
        for (size_t i = 0; i + s <= m; i++)
            best[i] = fmax(best[i], fmin(size * sorted[i].p, others));
        /* the other members of that worst intersection */
        double worst = fmin(size * sorted[m - s].p, others);
        for (size_t i = m - s + 1; i < m; i++)
            best[i] = fmax(best[i], worst);
    }
    for (size_t i = 0; i < m; i++)
        sorted[i].p = fmin(1, best[i]);
}

static void apply(struct item *sorted, size_t m, enum pji_adjust method, double *work)
{
    switch (method) {
    case PJI_ADJUST_NONE:
        break;
    case PJI_ADJUST_BH:
    case PJI_ADJUST_BY:
    case PJI_ADJUST_HOCHBERG:
        step_up(sorted, m, method);
        break;
    case PJI_ADJUST_HOLM:
        holm(sorted, m);
        break;
    case PJI_ADJUST_HOMMEL:
        hommel(sorted, m, work);
        break;
    case PJI_ADJUST_BONFERRONI:
        for (size_t i = 0; i < m; i++)
            sorted[i].p = fmin(1, (double)m * sorted[i].p);
        break;
    case PJI_ADJUST_BH_RAW:
        for (size_t i = 0; i < m; i++)
            sorted[i].p = fmin(1, sorted[i].p * (double)m / ((double)i + 1));
        break;
    }
}

pj_status pji_adjust_p(enum pji_adjust method, const double *p, size_t m, double *out,
                       struct pj_error *err)
{
    for (size_t i = 0; i < m; i++) {
        if (p[i] < 0 || p[i] > 1)
            return pji_fail(err, PJ_EINVAL, "p-value %zu is %g, outside 0…1", i + 1, p[i]);
    }
    struct item *sorted = pji_zalloc(m + 1, sizeof *sorted, err);
    double *work = pji_zalloc(m + 1, sizeof *work, err);
    pj_status rc = PJ_OK;
    size_t present = 0;
    if (!sorted || !work) {
        rc = PJ_ENOMEM;
        goto out;
    }
    for (size_t i = 0; i < m; i++) {
        if (!isnan(p[i]))
            sorted[present++] = (struct item){p[i], i};
        out[i] = p[i];
    }
    if (present > 1)
        qsort(sorted, present, sizeof *sorted, by_p);
    apply(sorted, present, method, work);
    for (size_t i = 0; i < present; i++)
        out[sorted[i].index] = sorted[i].p;
out:
    free(sorted);
    free(work);
    return rc;
}
