#include "stats/nesting.h"

#include "core/array.h"

#include <stdlib.h>
#include <string.h>

static uint32_t used_by(const struct pji_terms *m)
{
    uint32_t used = 0;
    for (size_t t = 0; t < m->terms; t++)
        used |= m->term[t];
    return used;
}

bool pji_in_grid(const struct pji_design *design, const struct pji_grid *grid, size_t v)
{
    const struct pji_terms *m = &design->model;
    return used_by(m) >> v & 1 && (m->variable[v].code || grid->count[v] > 1);
}

size_t pji_grid_level(const struct pji_design *design, const struct pji_grid *grid, size_t v,
                      size_t i)
{
    const struct pji_variable *variable = &design->model.variable[v];
    if (variable->code)
        return variable->code[i];
    size_t level = 0;
    while (level + 1 < grid->count[v] && variable->x[i] != grid->value[v][level])
        level++;
    return level;
}

static size_t levels_of(const struct pji_design *design, const struct pji_grid *grid, size_t v)
{
    const struct pji_variable *variable = &design->model.variable[v];
    return variable->code ? variable->levels : grid->count[v];
}

static bool is_within(const struct pji_nesting *n, size_t v, size_t outer)
{
    for (size_t i = 0; i < n->count[v]; i++) {
        if (n->within[v][i] == outer)
            return true;
    }
    return false;
}

static void add(struct pji_nesting *n, size_t v, size_t outer)
{
    bool known = false;
    if (is_within(n, v, outer))
        return;
    for (size_t i = 0; i < n->nested; i++)
        known = known || n->order[i] == v;
    if (!known)
        n->order[n->nested++] = v;
    n->within[v][n->count[v]++] = outer;
}

/* does each level of v occur with one level of outer only? seen: room for the levels of v */
static bool one_each(const struct pji_design *d, const struct pji_grid *grid, size_t v,
                     size_t outer, size_t *seen)
{
    memset(seen, 0, levels_of(d, grid, v) * sizeof *seen);
    for (size_t i = 0; i < d->model.n; i++) {
        size_t *first = &seen[pji_grid_level(d, grid, v, i)];
        size_t other = pji_grid_level(d, grid, outer, i) + 1;
        if (*first != 0 && *first != other)
            return false;
        *first = other;
    }
    return true;
}

static pj_status of_data(const struct pji_design *d, const struct pji_grid *grid,
                         struct pji_nesting *n, struct pj_error *err)
{
    for (size_t v = 0; v < d->model.variables; v++) {
        if (!pji_in_grid(d, grid, v))
            continue;
        size_t *seen = pji_zalloc(levels_of(d, grid, v) + 1, sizeof *seen, err);
        if (!seen)
            return PJ_ENOMEM;
        for (size_t outer = 0; outer < d->model.variables; outer++) {
            if (outer != v && pji_in_grid(d, grid, outer) && !is_within(n, outer, v) &&
                one_each(d, grid, v, outer, seen))
                add(n, v, outer);
        }
        free(seen);
    }
    return PJ_OK;
}

/* of each term with v, the variables of the grid that it codes by all of their levels */
static size_t full_sets(const struct pji_design *d, uint32_t in_grid, size_t v, uint32_t *sets)
{
    const struct pji_terms *m = &d->model;
    uint32_t bit = UINT32_C(1) << v;
    size_t partial = 0;
    for (size_t t = 0; t < m->terms; t++)
        partial += m->term[t] & bit && !(pji_design_full(d, t) & bit) ? 1 : 0;
    size_t count = 0;
    for (size_t t = 0; t < m->terms; t++) {
        uint32_t full = pji_design_full(d, t);
        if (m->term[t] & bit && (partial == 0 || !(full & bit)))
            sets[count++] = full & in_grid & ~bit;
    }
    return count;
}

/* When the sets differ in size, those that contain a smaller one say nothing of their own. */
static uint32_t without_supersets(const uint32_t *sets, size_t count)
{
    uint32_t all = 0;
    bool same_size = true;
    for (size_t i = 1; i < count; i++)
        same_size = same_size && __builtin_popcount(sets[i]) == __builtin_popcount(sets[0]);
    for (size_t i = 0; i < count; i++) {
        bool superset = false;
        for (size_t j = 0; j < count; j++) {
            int larger = __builtin_popcount(sets[i]) - __builtin_popcount(sets[j]);
            superset =
                superset || ((sets[j] & ~sets[i]) == 0 && (larger > 0 || (larger == 0 && j < i)));
        }
        if (same_size || !superset)
            all |= sets[i];
    }
    return all;
}

static bool has_main_effect(const struct pji_terms *m, size_t v)
{
    for (size_t t = 0; t < m->terms; t++) {
        if (m->term[t] == UINT32_C(1) << v)
            return true;
    }
    return false;
}

static pj_status of_terms(const struct pji_design *d, const struct pji_grid *grid,
                          struct pji_nesting *n, struct pj_error *err)
{
    const struct pji_terms *m = &d->model;
    uint32_t in_grid = 0;
    for (size_t v = 0; v < m->variables; v++)
        in_grid |= pji_in_grid(d, grid, v) ? UINT32_C(1) << v : 0;
    uint32_t *sets = pji_zalloc(m->terms + 1, sizeof *sets, err);
    if (!sets)
        return PJ_ENOMEM;
    for (size_t v = 0; v < m->variables; v++) {
        if (!(in_grid >> v & 1) || has_main_effect(m, v))
            continue;
        uint32_t outer = without_supersets(sets, full_sets(d, in_grid, v, sets));
        for (size_t w = 0; w < m->variables; w++) {
            if (outer >> w & 1)
                add(n, v, w);
        }
    }
    free(sets);
    return PJ_OK;
}

/* what the outer ones are within comes first */
static void inherit(struct pji_nesting *n)
{
    for (size_t i = 0; i < n->nested; i++) {
        size_t v = n->order[i];
        struct pji_nesting more = {.nested = 0};
        for (size_t j = 0; j < n->count[v]; j++) {
            size_t outer = n->within[v][j];
            for (size_t k = 0; k < n->count[outer]; k++)
                add(&more, v, n->within[outer][k]);
        }
        for (size_t j = 0; j < n->count[v]; j++)
            add(&more, v, n->within[v][j]);
        memcpy(n->within[v], more.within[v], sizeof n->within[v]);
        n->count[v] = more.count[v];
    }
}

/* two that are within each other through terms are not nested */
static void drop_circles(struct pji_nesting *n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n->nested; i++) {
        size_t v = n->order[i];
        if (is_within(n, v, v))
            n->count[v] = 0;
        else
            n->order[kept++] = v;
    }
    n->nested = kept;
}

pj_status pji_nesting_find(const struct pji_design *design, const struct pji_grid *grid,
                           struct pji_nesting *out, struct pj_error *err)
{
    memset(out, 0, sizeof *out);
    pj_status rc = of_data(design, grid, out, err);
    if (!rc)
        rc = of_terms(design, grid, out, err);
    inherit(out);
    drop_circles(out);
    return rc;
}
