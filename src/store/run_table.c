/* Experiment Runner's run_table.csv (github.com/S2-group/experiment-runner). Its rules, as its own
 * reading and restart hold a table against a configuration: the header is __run_id, __done, one
 * column for each factor and one for each data column, every row has them all; __run_id is
 * run_I_repetition_J with I the number of the combination in product order and J the repetition,
 * both from 0; __done is TODO or DONE; what is not known yet is a single blank; lines end in CR LF.
 * A table keeps the order in which trials were planned.
 */
#include "store/internal.h"

#include "core/array.h"
#include "core/csv.h"
#include "store/columns.h"
#include "store/export.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct combination {
    size_t
        *levels; /* index of each factor's level, as it stands in the store; NULL: no such cell */
    size_t n_factors, rank;
};

struct table {
    struct pji_store *store;
    struct pji_columns columns;
    struct combination *cells; /* by number of the cell */
    size_t n_cells, cap_cells;
    char ***levels; /* of each factor */
    size_t *n_levels, n_factors;
    struct pji_str out;
    pji_export_sink *sink;
    void *context;
};

static pj_status flush(struct table *t, struct pj_error *err)
{
    pj_status st = pji_str_ok(&t->out, err);
    if (st == PJ_OK)
        st = t->sink(t->context, pji_str_text(&t->out), t->out.len, err);
    pji_str_clear(&t->out);
    return st;
}

/* ---- number of a combination ---- */

static pj_status keep_levels(void *context, const char *name, const char *const *levels, size_t n,
                             struct pj_error *err)
{
    struct table *t = context;
    (void)name;
    size_t f = t->n_factors++;
    t->levels[f] = pji_zalloc(n + 1, sizeof *t->levels[f], err);
    if (!t->levels[f])
        return PJ_ENOMEM;
    for (; t->n_levels[f] < n; t->n_levels[f]++) {
        t->levels[f][t->n_levels[f]] = pji_dup(levels[t->n_levels[f]], err);
        if (!t->levels[f][t->n_levels[f]])
            return PJ_ENOMEM;
    }
    return PJ_OK;
}

static pj_status keep_cell(void *context, const struct pji_trial *trial, struct pj_error *err)
{
    struct table *t = context;
    size_t cell = (size_t)trial->cell;
    if (cell < t->n_cells && t->cells[cell].levels)
        return PJ_OK;
    pj_status st = pji_array_reserve(&t->cells, &t->cap_cells, cell + 1, sizeof *t->cells, err);
    if (st)
        return st;
    for (; t->n_cells <= cell; t->n_cells++)
        t->cells[t->n_cells] = (struct combination){0};
    struct combination *c = &t->cells[cell];
    c->levels = pji_zalloc(t->n_factors + 1, sizeof *c->levels, err);
    c->n_factors = t->n_factors;
    if (!c->levels)
        return PJ_ENOMEM;
    for (size_t f = 0; f < t->n_factors; f++)
        while (c->levels[f] < t->n_levels[f] &&
               strcmp(t->levels[f][c->levels[f]], trial->levels[f]) != 0)
            c->levels[f]++;
    return PJ_OK;
}

static int by_levels(const void *a, const void *b)
{
    const struct combination *x = *(struct combination *const *)a;
    const struct combination *y = *(struct combination *const *)b;
    for (size_t f = 0; f < x->n_factors; f++)
        if (x->levels[f] != y->levels[f])
            return x->levels[f] < y->levels[f] ? -1 : 1;
    return 0;
}

/* The number of each combination in product order. */
static pj_status rank_cells(struct table *t, struct pj_error *err)
{
    size_t n = 0;
    struct combination **sorted = pji_zalloc(t->n_cells + 1, sizeof(struct combination *), err);
    if (!sorted)
        return PJ_ENOMEM;
    for (size_t i = 0; i < t->n_cells; i++)
        if (t->cells[i].levels)
            sorted[n++] = &t->cells[i];
    qsort(sorted, n, sizeof(struct combination *), by_levels);
    /* a plan numbers its cells in product order, and so does an imported table; an extension adds
     * cells behind the others */
    char *extended = NULL;
    pj_status st = pji_store_get_meta(t->store, "extension.1.plan_sha256", &extended, err);
    for (size_t i = 0; i < n && st >= 0; i++)
        sorted[i]->rank = extended ? i : (size_t)(sorted[i] - t->cells);
    free(extended);
    free(sorted);
    return st < 0 ? st : PJ_OK;
}

/* ---- writing ---- */

static void cell(struct table *t, const char *text)
{
    pji_csv_add(&t->out, text, ',', t->out.len == 0);
}

static pj_status write_head(struct table *t, struct pj_error *err)
{
    cell(t, "__run_id");
    cell(t, "__done");
    for (size_t f = 0; f < t->columns.n_factors; f++)
        cell(t, t->columns.factors[f]);
    if (t->columns.window)
        cell(t, "window");
    for (size_t i = 0; i < t->columns.n; i++)
        cell(t, t->columns.items[i].name);
    pji_str_add(&t->out, "\r\n");
    return flush(t, err);
}

static void write_result(struct table *t, const struct pji_result *r, bool done)
{
    struct pji_str text = {0};
    if (done && r->known && isfinite(r->value))
        pji_str_add_num(&text, r->value);
    cell(t, text.len > 0 ? pji_str_text(&text) : " ");
    pji_str_fini(&text);
}

static pj_status write_trial(void *context, const struct pji_trial *trial, struct pj_error *err)
{
    struct table *t = context;
    int64_t attempt = 0;
    char id[64];
    bool done = trial->state == PJI_TRIAL_DONE;
    pj_status st = done ? pji_store_last_attempt(t->store, trial->id, &attempt, err) : PJ_OK;
    if (st == PJ_OK)
        st = pji_columns_load(&t->columns, t->store, attempt, err);
    if (st)
        return st;
    snprintf(id, sizeof id, "run_%zu_repetition_%lld", t->cells[trial->cell].rank,
             (long long)trial->repetition - 1);
    cell(t, id);
    cell(t, done ? "DONE" : "TODO");
    for (size_t f = 0; f < t->columns.n_factors; f++)
        cell(t, trial->levels[f]);
    if (t->columns.window)
        cell(t, t->columns.window);
    for (size_t i = 0; i < t->columns.n; i++)
        write_result(t, &t->columns.results[i], done);
    pji_str_add(&t->out, "\r\n");
    return flush(t, err);
}

static void table_fini(struct table *t)
{
    for (size_t i = 0; i < t->n_cells; i++)
        free(t->cells[i].levels);
    for (size_t f = 0; t->levels != NULL && t->n_levels != NULL && f < t->n_factors; f++) {
        for (size_t l = 0; l < t->n_levels[f]; l++)
            free(t->levels[f][l]);
        free(t->levels[f]);
    }
    free(t->cells);
    free(t->levels);
    free(t->n_levels);
    pji_str_fini(&t->out);
    pji_columns_fini(&t->columns);
}

pj_status pji_store_export_run_table(struct pji_store *store, pji_export_sink *sink, void *context,
                                     struct pj_error *err)
{
    struct table t = {.store = store, .sink = sink, .context = context};
    pj_status st = pji_columns_read(&t.columns, store, err);
    if (st == PJ_OK) {
        t.levels = pji_zalloc(t.columns.n_factors + 1, sizeof *t.levels, err);
        t.n_levels = pji_zalloc(t.columns.n_factors + 1, sizeof *t.n_levels, err);
        st = t.levels && t.n_levels ? PJ_OK : PJ_ENOMEM;
    }
    if (st == PJ_OK)
        st = pji_store_each_factor(store, keep_levels, &t, err);
    if (st == PJ_OK)
        st = pji_store_each_trial(store, keep_cell, &t, err);
    if (st == PJ_OK)
        st = rank_cells(&t, err);
    if (st == PJ_OK)
        st = write_head(&t, err);
    if (st == PJ_OK)
        st = pji_store_each_trial(store, write_trial, &t, err);
    table_fini(&t);
    return st;
}
