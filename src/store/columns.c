#include "store/columns.h"

#include "core/array.h"
#include "store/internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- which columns ---- */

static pj_status keep_factor(void *context, const char *name, const char *const *levels, size_t n,
                             struct pj_error *err)
{
    struct pji_columns *c = context;
    (void)levels;
    (void)n;
    pj_status st =
        pji_array_reserve(&c->factors, &c->cap_factors, c->n_factors + 1, sizeof *c->factors, err);
    if (st)
        return st;
    c->factors[c->n_factors] = pji_dup(name, err);
    if (!c->factors[c->n_factors])
        return PJ_ENOMEM;
    c->n_factors++;
    return PJ_OK;
}

bool pji_column_is_fixed(const char *name)
{
    static const char *const fixed[] = {"trial",   "repetition", "block", "state", "reason",
                                        "attempt", "start_utc",  "flags", "window"};
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        if (strcasecmp(fixed[i], name) == 0)
            return true;
    return false;
}

static bool taken(const struct pji_columns *c, const char *name)
{
    if (pji_column_is_fixed(name))
        return true;
    for (size_t i = 0; i < c->n_factors; i++)
        if (strcmp(c->factors[i], name) == 0)
            return true;
    return false;
}

/* A metric of no task could be named like a factor: factors go first. */
static char *column_name(const struct pji_columns *c, const struct pji_column *column)
{
    struct pji_str name = {0};
    if (!column->metric)
        pji_str_addf(&name, "total.%s%s%s.energy_j", column->phase, column->task[0] ? "." : "",
                     column->task);
    else if (column->task[0])
        pji_str_addf(&name, "%s.%s", column->task, column->metric);
    else
        pji_str_addf(&name, "%s%s", taken(c, column->metric) ? "result." : "", column->metric);
    return pji_str_take(&name);
}

static pj_status add_column(struct pji_columns *c, const char *phase, const char *task,
                            const char *metric, bool energy, struct pj_error *err)
{
    pj_status st = pji_array_reserve(&c->items, &c->cap, c->n + 1, sizeof *c->items, err);
    if (st)
        return st;
    struct pji_column *column = &c->items[c->n++];
    *column = (struct pji_column){.energy = energy};
    column->phase = pji_dup(phase, err);
    column->task = pji_dup(task, err);
    column->metric = metric ? pji_dup(metric, err) : NULL;
    if (!column->phase || !column->task || (metric && !column->metric))
        return PJ_ENOMEM;
    column->name = column_name(c, column);
    return column->name ? PJ_OK : pji_fail(err, PJ_ENOMEM, "out of memory");
}

static pj_status metric_column(void *context, struct pji_query *q, struct pj_error *err)
{
    return add_column(context, "", pji_query_col_text(q, 0), pji_query_col_text(q, 1),
                      pji_query_col_i64(q, 2) != 0, err);
}

static pj_status total_column(void *context, struct pji_query *q, struct pj_error *err)
{
    return add_column(context, pji_query_col_text(q, 0), pji_query_col_text(q, 1), NULL, true, err);
}

pj_status pji_columns_read(struct pji_columns *c, struct pji_store *store, struct pj_error *err)
{
    struct pji_query q;
    *c = (struct pji_columns){0};
    pj_status st = pji_store_each_factor(store, keep_factor, c, err);
    if (st == PJ_OK)
        st = pji_query_open(&q, &store->db,
                            "SELECT task, name, max(origin <> '') FROM metric"
                            " GROUP BY task, name ORDER BY task, name",
                            err);
    if (st == PJ_OK)
        st = pji_query_each(&q, metric_column, c, err);
    if (st == PJ_OK)
        st = pji_query_open(&q, &store->db,
                            "SELECT DISTINCT phase, task FROM energy WHERE name = 'total'"
                            " ORDER BY phase, task",
                            err);
    if (st == PJ_OK)
        st = pji_query_each(&q, total_column, c, err);
    if (st == PJ_OK) {
        st = pji_store_get_meta(store, "window", &c->window, err);
        st = st == PJI_STORE_NONE ? PJ_OK : st;
    }
    if (st == PJ_OK) {
        c->results = pji_zalloc(c->n + 1, sizeof *c->results, err);
        st = c->results ? PJ_OK : PJ_ENOMEM;
    }
    if (st)
        pji_columns_fini(c);
    return st;
}

void pji_columns_fini(struct pji_columns *c)
{
    for (size_t i = 0; i < c->n; i++) {
        free(c->items[i].name);
        free(c->items[i].phase);
        free(c->items[i].task);
        free(c->items[i].metric);
    }
    free(c->items);
    for (size_t i = 0; i < c->n_factors; i++)
        free(c->factors[i]);
    free(c->factors);
    free(c->window);
    free(c->results);
    *c = (struct pji_columns){0};
}

/* ---- the results of one attempt ---- */

static struct pji_result *find(struct pji_columns *c, const char *phase, const char *task,
                               const char *metric)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct pji_column *column = &c->items[i];
        bool same = metric ? column->metric && strcmp(column->metric, metric) == 0
                           : !column->metric && strcmp(column->phase, phase) == 0;
        if (same && strcmp(column->task, task) == 0)
            return &c->results[i];
    }
    return NULL;
}

static void put(struct pji_result *r, double value, double u_ind, double u_com, const char *origin,
                const char *reason)
{
    *r = (struct pji_result){.known = true, .value = value, .u_ind = u_ind, .u_com = u_com};
    snprintf(r->origin, sizeof r->origin, "%s", origin);
    snprintf(r->reason, sizeof r->reason, "%s", reason);
}

static pj_status load_metric(void *context, const struct pji_metric_row *row, struct pj_error *err)
{
    struct pji_result *r = find(context, "", row->task, row->name);
    (void)err;
    if (r)
        put(r, row->value, row->u_ind, row->u_com, row->origin, row->reason);
    return PJ_OK;
}

static pj_status load_total(void *context, const struct pji_energy_row *row, struct pj_error *err)
{
    const struct pj_energy *e = &row->energy;
    (void)err;
    if (strcmp(row->name, "total") != 0)
        return PJ_OK;
    struct pji_result *r = find(context, row->phase, row->task, NULL);
    if (r)
        put(r, e->value_j, e->u_ind_j, e->u_com_j, pj_origin_name(e->origin), e->reason);
    return PJ_OK;
}

static pj_status load_flag(void *context, const struct pji_gate_row *row, struct pj_error *err)
{
    struct pji_columns *c = context;
    size_t len = strlen(c->flags);
    (void)err;
    if (strcmp(row->consequence, "flag") == 0 && !strstr(c->flags, row->code))
        snprintf(c->flags + len, sizeof c->flags - len, "%s%s", len ? "," : "", row->code);
    return PJ_OK;
}

pj_status pji_columns_load(struct pji_columns *c, struct pji_store *store, int64_t attempt,
                           struct pj_error *err)
{
    memset(c->results, 0, (c->n + 1) * sizeof *c->results);
    c->flags[0] = '\0';
    if (attempt == 0)
        return PJ_OK;
    pj_status st = pji_store_each_metric(store, attempt, load_metric, c, err);
    if (st == PJ_OK)
        st = pji_store_each_energy(store, attempt, load_total, c, err);
    if (st == PJ_OK)
        st = pji_store_each_gate(store, attempt, load_flag, c, err);
    return st;
}
