/* Marginal means where factors are nested: see stats/emm.h.
 *
 * As R's emmeans (1.8.4, .nested_emm) does it: a nested factor that is averaged over is averaged
 * within each combination of what it is nested in, over the levels that occur there, before
 * anything else; one that is asked for brings what it is nested in with it, and only combinations
 * that occur are shown.
 */
#include "stats/emm.h"

#include "core/array.h"
#include "stats/nesting.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* variables in an order */
struct list {
    size_t v[PJI_VARIABLES];
    size_t n;
};

/* Predictions for combinations of levels, not necessarily for all of them. */
struct state {
    struct list dims;
    size_t cells;
    size_t *level;  /* cell * PJI_VARIABLES + variable */
    double *weight; /* rows of the data in each cell */
    double *row;    /* cell * p + column */
    size_t p;
};

enum { MOST_NUMBERS = 40000000 };

static bool has(const struct list *l, size_t v)
{
    for (size_t i = 0; i < l->n; i++) {
        if (l->v[i] == v)
            return true;
    }
    return false;
}

static void join(struct list *l, size_t v)
{
    if (!has(l, v))
        l->v[l->n++] = v;
}

static void join_all(struct list *l, const struct list *from)
{
    for (size_t i = 0; i < from->n; i++)
        join(l, from->v[i]);
}

static struct list outer_of(const struct pji_nesting *n, size_t v)
{
    struct list l = {.n = n->count[v]};
    memcpy(l.v, n->within[v], sizeof l.v);
    return l;
}

static void state_fini(struct state *s)
{
    free(s->level);
    free(s->weight);
    free(s->row);
    *s = (struct state){.cells = 0};
}

static pj_status state_init(struct state *s, const struct list *dims, size_t cells, size_t p,
                            struct pj_error *err)
{
    *s = (struct state){.dims = *dims, .cells = cells, .p = p};
    s->level = pji_zalloc(cells * PJI_VARIABLES + 1, sizeof *s->level, err);
    s->weight = pji_zalloc(cells + 1, sizeof *s->weight, err);
    s->row = pji_zalloc(cells * p + 1, sizeof *s->row, err);
    if (s->level && s->weight && s->row)
        return PJ_OK;
    state_fini(s);
    return PJ_ENOMEM;
}

struct world {
    const struct pji_design *design;
    const struct pji_grid *grid;
    struct pji_nesting nesting;
};

static size_t levels_of(const struct world *w, size_t v)
{
    const struct pji_variable *variable = &w->design->model.variable[v];
    return variable->code ? variable->levels : w->grid->count[v];
}

/* number of combinations of a list of variables, 0 when beyond what is computed */
static size_t combinations(const struct world *w, const struct list *l)
{
    size_t total = 1;
    for (size_t i = 0; i < l->n; i++) {
        total *= levels_of(w, l->v[i]);
        if (total > MOST_NUMBERS)
            return 0;
    }
    return total;
}

/* number of a cell among the combinations of a list, the first variable fastest */
static size_t index_of(const struct world *w, const struct list *l, const size_t *level)
{
    size_t at = 0;
    for (size_t i = l->n; i-- > 0;)
        at = at * levels_of(w, l->v[i]) + level[l->v[i]];
    return at;
}

static void place(const struct world *w, const struct list *l, size_t at, size_t *level)
{
    for (size_t i = 0; i < l->n; i++) {
        level[l->v[i]] = at % levels_of(w, l->v[i]);
        at /= levels_of(w, l->v[i]);
    }
}

static void count_rows(const struct world *w, struct state *s)
{
    for (size_t i = 0; i < w->design->model.n; i++) {
        size_t level[PJI_VARIABLES];
        for (size_t d = 0; d < s->dims.n; d++)
            level[s->dims.v[d]] = pji_grid_level(w->design, w->grid, s->dims.v[d], i);
        s->weight[index_of(w, &s->dims, level)] += 1;
    }
}

/* the whole grid; covariates with one value are at it */
static pj_status everything(const struct world *w, struct state *s, struct pj_error *err)
{
    struct list dims = {.n = 0};
    struct pji_point point;
    memset(&point, 0, sizeof point);
    for (size_t v = 0; v < w->design->model.variables; v++) {
        if (pji_in_grid(w->design, w->grid, v))
            join(&dims, v);
        else if (w->grid->count[v] == 1)
            point.x[v] = w->grid->value[v][0];
    }
    size_t cells = combinations(w, &dims);
    size_t p = w->design->x.cols;
    if (cells == 0 || cells * p > MOST_NUMBERS)
        return PJI_STATS_TOO_LARGE;
    pj_status rc = state_init(s, &dims, cells, p, err);
    if (rc)
        return rc;
    for (size_t c = 0; c < cells; c++) {
        size_t *level = s->level + c * PJI_VARIABLES;
        place(w, &dims, c, level);
        for (size_t d = 0; d < dims.n; d++) {
            size_t v = dims.v[d];
            point.code[v] = level[v];
            if (!w->design->model.variable[v].code)
                point.x[v] = w->grid->value[v][level[v]];
        }
        pji_design_row(w->design, &point, s->row + c * p);
    }
    count_rows(w, s);
    return PJ_OK;
}

/* Marks the cells that are averaged: those whose level of `nested` occurs beside the levels that
 * the cell has of `groups`. */
static pj_status occurring(const struct world *w, const struct state *s, size_t nested,
                           const struct list *groups, bool *use, struct pj_error *err)
{
    struct list both = {.n = 0};
    join_all(&both, groups);
    join(&both, nested);
    double *weight = pji_zalloc(combinations(w, &both) + 1, sizeof *weight, err);
    if (!weight)
        return PJ_ENOMEM;
    for (size_t c = 0; c < s->cells; c++)
        weight[index_of(w, &both, s->level + c * PJI_VARIABLES)] += s->weight[c];
    for (size_t c = 0; c < s->cells; c++)
        use[c] = weight[index_of(w, &both, s->level + c * PJI_VARIABLES)] > 0;
    free(weight);
    return PJ_OK;
}

/* *s becomes its means over everything but `keep`, of the cells in use (NULL: all); what has no
 * cell in use has no mean */
static pj_status average(const struct world *w, struct state *s, const struct list *keep,
                         const bool *use, struct pj_error *err)
{
    size_t total = combinations(w, keep);
    struct state out;
    pj_status rc = state_init(&out, keep, total, s->p, err);
    if (rc)
        return rc;
    double *count = pji_zalloc(total + 1, sizeof *count, err);
    if (!count) {
        state_fini(&out);
        return PJ_ENOMEM;
    }
    for (size_t c = 0; c < s->cells; c++) {
        if (use && !use[c])
            continue;
        size_t at = index_of(w, keep, s->level + c * PJI_VARIABLES);
        count[at] += 1;
        out.weight[at] += s->weight[c];
        for (size_t j = 0; j < s->p; j++)
            out.row[at * s->p + j] += s->row[c * s->p + j];
    }
    for (size_t at = 0; at < total; at++) {
        place(w, keep, at, out.level + at * PJI_VARIABLES);
        for (size_t j = 0; j < s->p; j++)
            out.row[at * s->p + j] =
                count[at] > 0 ? out.row[at * s->p + j] / count[at] : (double)NAN;
    }
    free(count);
    state_fini(s);
    *s = out;
    return PJ_OK;
}

/* leaves the cells in use */
static void compress(struct state *s, const bool *use)
{
    size_t cells = 0;
    for (size_t c = 0; c < s->cells; c++) {
        if (!use[c])
            continue;
        memmove(s->level + cells * PJI_VARIABLES, s->level + c * PJI_VARIABLES,
                PJI_VARIABLES * sizeof *s->level);
        memmove(s->row + cells * s->p, s->row + c * s->p, s->p * sizeof *s->row);
        s->weight[cells++] = s->weight[c];
    }
    s->cells = cells;
}

/* one nested factor that is averaged over, the deepest first; `found` false: there is none left */
static pj_status average_nested(const struct world *w, struct state *s, const struct list *wanted,
                                bool *found, struct pj_error *err)
{
    const struct pji_nesting *n = &w->nesting;
    struct list inner = {.n = 0};
    size_t deepest = 0;
    for (size_t i = 0; i < n->nested; i++) {
        size_t v = n->order[i];
        if (!has(&s->dims, v) || has(wanted, v))
            continue;
        if (inner.n == 0 || n->count[v] >= n->count[deepest])
            deepest = v;
        join(&inner, v);
    }
    *found = inner.n > 0;
    if (!*found)
        return PJ_OK;
    struct list groups = outer_of(n, deepest);
    for (size_t i = 0; i < inner.n; i++) {
        if (inner.v[i] != deepest)
            join(&groups, inner.v[i]);
    }
    struct list keep = *wanted;
    join_all(&keep, &groups);
    bool *use = pji_zalloc(s->cells + 1, sizeof *use, err);
    if (!use)
        return PJ_ENOMEM;
    pj_status rc = occurring(w, s, deepest, &groups, use, err);
    if (!rc)
        rc = average(w, s, &keep, use, err);
    free(use);
    return rc;
}

/* leaves only cells in which every nested factor of `shown` has rows beside its outer ones */
static pj_status drop_empty(const struct world *w, struct state *s, const struct list *shown,
                            struct pj_error *err)
{
    bool *use = pji_zalloc(s->cells + 1, sizeof *use, err);
    bool *all = pji_zalloc(s->cells + 1, sizeof *all, err);
    pj_status rc = use && all ? PJ_OK : PJ_ENOMEM;
    for (size_t c = 0; !rc && c < s->cells; c++)
        all[c] = true;
    for (size_t i = 0; !rc && i < shown->n; i++) {
        struct list outer = outer_of(&w->nesting, shown->v[i]);
        if (outer.n == 0)
            continue;
        rc = occurring(w, s, shown->v[i], &outer, use, err);
        for (size_t c = 0; !rc && c < s->cells; c++)
            all[c] = all[c] && use[c];
    }
    if (!rc)
        compress(s, all);
    free(use);
    free(all);
    return rc;
}

static pj_status give(const struct state *s, const struct list *by, struct pji_emm_cells *out,
                      struct pj_error *err)
{
    pj_status rc = pji_matrix_init(&out->rows, s->cells, s->p, err);
    if (rc)
        return rc;
    out->level = pji_zalloc(s->cells * s->dims.n + 1, sizeof *out->level, err);
    if (!out->level)
        return PJ_ENOMEM;
    out->keys = s->dims.n;
    memcpy(out->key, s->dims.v, sizeof out->key);
    out->bys = by->n;
    memcpy(out->by, by->v, sizeof out->by);
    for (size_t c = 0; c < s->cells; c++) {
        for (size_t j = 0; j < s->p; j++)
            *pji_matrix_at(&out->rows, c, j) = s->row[c * s->p + j];
        for (size_t k = 0; k < out->keys; k++)
            out->level[c * out->keys + k] = s->level[c * PJI_VARIABLES + out->key[k]];
    }
    return PJ_OK;
}

static pj_status check(const struct pji_design *design, size_t factor, const struct list *by,
                       struct pj_error *err)
{
    const struct pji_terms *m = &design->model;
    struct list all = {.v = {factor}, .n = 1};
    bool good = true;
    for (size_t i = 0; i < by->n; i++) {
        good = good && !has(&all, by->v[i]);
        join(&all, by->v[i]);
    }
    for (size_t i = 0; good && i < all.n; i++) {
        size_t v = all.v[i];
        bool used = false;
        for (size_t t = 0; t < m->terms; t++)
            used = used || (v < m->variables && m->term[t] >> v & 1);
        good = used && m->variable[v].code;
    }
    return good ? PJ_OK
                : pji_fail(err, PJ_EINVAL, "marginal means need each factor of the model once");
}

static pj_status nested_cells(const struct world *w, size_t factor, const struct list *by,
                              struct pji_emm_cells *out, struct pj_error *err)
{
    struct list asked = {.v = {factor}, .n = 1};
    struct list nested = {.n = 0};
    struct list wanted = {.n = 0};
    struct list within = {.n = 0};
    join_all(&asked, by);
    for (size_t i = 0; i < asked.n; i++) {
        if (w->nesting.count[asked.v[i]] > 0)
            join(&nested, asked.v[i]);
    }
    wanted = nested;
    for (size_t i = 0; i < nested.n; i++) {
        struct list outer = outer_of(&w->nesting, nested.v[i]);
        join_all(&wanted, &outer);
    }
    for (size_t i = 0; i < by->n; i++) {
        struct list outer = outer_of(&w->nesting, by->v[i]);
        join_all(&within, &outer);
    }
    join_all(&wanted, &asked);
    join_all(&within, by);
    struct state s;
    bool more = true;
    pj_status rc = everything(w, &s, err);
    if (rc)
        return rc;
    while (!rc && more)
        rc = average_nested(w, &s, &wanted, &more, err);
    if (!rc)
        rc = average(w, &s, &wanted, NULL, err);
    if (!rc)
        rc = drop_empty(w, &s, &nested, err);
    if (!rc)
        rc = give(&s, &within, out, err);
    state_fini(&s);
    return rc;
}

/* no nesting: every combination of factor and by */
static pj_status plain_cells(const struct pji_design *design, const struct pji_grid *grid,
                             size_t factor, const struct list *by, struct pji_emm_cells *out,
                             struct pj_error *err)
{
    struct list spec = {.v = {factor}, .n = 1};
    for (size_t i = 0; i < by->n; i++)
        spec.v[spec.n++] = by->v[i];
    pj_status rc = pji_emm_rows(design, spec.v, spec.n, grid, &out->rows, err);
    if (rc)
        return rc;
    out->keys = spec.n;
    memcpy(out->key, spec.v, sizeof out->key);
    out->bys = by->n;
    memcpy(out->by, by->v, sizeof out->by);
    out->level = pji_zalloc(out->rows.rows * spec.n + 1, sizeof *out->level, err);
    if (!out->level)
        return PJ_ENOMEM;
    for (size_t c = 0; c < out->rows.rows; c++) {
        size_t at = c;
        for (size_t k = 0; k < spec.n; k++) {
            out->level[c * spec.n + k] = at % design->model.variable[spec.v[k]].levels;
            at /= design->model.variable[spec.v[k]].levels;
        }
    }
    return PJ_OK;
}

pj_status pji_emm_cells_init(struct pji_emm_cells *cells, const struct pji_design *design,
                             size_t factor, const size_t *by, size_t bys,
                             const struct pji_grid *grid, struct pj_error *err)
{
    struct list within = {.n = bys};
    struct world w = {.design = design, .grid = grid};
    memset(cells, 0, sizeof *cells);
    if (bys >= PJI_VARIABLES)
        return pji_fail(err, PJ_EINVAL, "marginal means within more factors than a model has");
    for (size_t i = 0; i < bys; i++)
        within.v[i] = by[i];
    pj_status rc = pji_nesting_find(design, grid, &w.nesting, err);
    if (!rc && w.nesting.nested == 0) {
        rc = plain_cells(design, grid, factor, &within, cells, err);
    } else if (!rc) {
        rc = check(design, factor, &within, err);
        if (!rc)
            rc = nested_cells(&w, factor, &within, cells, err);
    }
    if (rc)
        pji_emm_cells_fini(cells);
    return rc;
}

void pji_emm_cells_fini(struct pji_emm_cells *cells)
{
    pji_matrix_fini(&cells->rows);
    free(cells->level);
    memset(cells, 0, sizeof *cells);
}
