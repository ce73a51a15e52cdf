/* The distinct combinations of some factors' levels among the cells of a design. */
#include "lab/design.h"

#include "core/array.h"

#include <stdlib.h>
#include <string.h>

struct walk {
    const struct pji_study *study;
    const bool *used;
    unsigned char *seen; /* one flag for each combination of used levels */
    const char **levels;
};

/* Mixed-radix number of a cell's used levels; the product of all levels is at most
 * PJI_PLAN_TRIALS_MAX, so it fits. */
static size_t number(const struct walk *w, const size_t *row)
{
    size_t n = 0;
    for (size_t f = 0; f < w->study->n_factors; f++)
        if (w->used[f])
            n = n * w->study->factors[f].n + row[f];
    return n;
}

static size_t combinations(const struct walk *w)
{
    size_t n = 1;
    for (size_t f = 0; f < w->study->n_factors; f++)
        if (w->used[f])
            n *= w->study->factors[f].n;
    return n;
}

static pj_status visit(struct walk *w, const size_t *row, pji_combination_fn *fn, void *context,
                       struct pj_error *err)
{
    size_t at = number(w, row);
    if (w->seen[at])
        return PJ_OK;
    w->seen[at] = 1;
    for (size_t f = 0; f < w->study->n_factors; f++)
        w->levels[f] = w->study->factors[f].levels[row[f]];
    return fn(context, w->levels, err);
}

pj_status pji_study_each_combination(const struct pji_study *study, const bool *used,
                                     pji_combination_fn *fn, void *context, struct pj_error *err)
{
    struct walk w = {.study = study, .used = used};
    size_t *cells = NULL, n = 0;
    pj_status st = pji_design_cells(study, &cells, &n, err);
    if (st)
        return st;
    w.seen = pji_zalloc(combinations(&w), 1, err);
    w.levels = pji_zalloc(study->n_factors + 1, sizeof *w.levels, err);
    st = w.seen && w.levels ? PJ_OK : PJ_ENOMEM;
    for (size_t c = 0; c < n && st == PJ_OK; c++)
        st = visit(&w, cells + c * study->n_factors, fn, context, err);
    free(w.seen);
    free(w.levels);
    free(cells);
    return st;
}
