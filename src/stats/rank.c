#include "stats/rank.h"

#include "core/array.h"

#include <stdlib.h>

struct item {
    double value;
    size_t index;
};

static int by_value(const void *left, const void *right)
{
    const struct item *a = left;
    const struct item *b = right;
    return (a->value > b->value) - (a->value < b->value);
}

pj_status pji_rank(const double *x, size_t n, double *ranks, struct pji_ties *ties,
                   struct pj_error *err)
{
    struct pji_ties found = {0, false};
    struct item *items = pji_zalloc(n + 1, sizeof *items, err);
    if (!items)
        return PJ_ENOMEM;
    for (size_t i = 0; i < n; i++)
        items[i] = (struct item){x[i], i};
    if (n > 1)
        qsort(items, n, sizeof *items, by_value);
    for (size_t first = 0; first < n;) {
        size_t end = first + 1;
        while (end < n && items[end].value == items[first].value)
            end++;
        double count = (double)(end - first);
        double rank = ((double)first + 1 + (double)end) / 2;
        for (size_t i = first; i < end; i++)
            ranks[items[i].index] = rank;
        found.cubes += count * count * count - count;
        found.any = found.any || end - first > 1;
        first = end;
    }
    free(items);
    if (ties)
        *ties = found;
    return PJ_OK;
}
