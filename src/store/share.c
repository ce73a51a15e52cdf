/* Shares of requests in their window's energy. The table joined schema version 1 later: it is made
 * when the first share comes, and a study without it has none.
 */
#include "store/internal.h"

#include <math.h>

static const char table[] = "request_energy";

/* The look is a kept statement: a rollback may have taken the table away again. */
static pj_status make_table(struct pji_store *store, struct pj_error *err)
{
    bool has = false;
    pj_status st = pji_schema_has(&store->db, table, &has, err);
    if (st || has)
        return st;
    return pji_db_exec(&store->db,
                       "CREATE TABLE request_energy ("
                       "attempt INTEGER NOT NULL REFERENCES attempt(id), phase TEXT NOT NULL,"
                       " task TEXT NOT NULL, sequence INTEGER NOT NULL, end_ns INTEGER NOT NULL,"
                       " energy_j REAL NOT NULL, u_ind_j REAL NOT NULL CHECK (u_ind_j >= 0),"
                       " u_com_j REAL NOT NULL CHECK (u_com_j >= 0),"
                       " PRIMARY KEY (attempt, phase, task, sequence)"
                       ") STRICT, WITHOUT ROWID",
                       err);
}

pj_status pji_store_add_share(struct pji_store *store, int64_t attempt,
                              const struct pji_share_row *row, struct pj_error *err)
{
    struct pji_query q;
    if (!isfinite(row->energy_j) || !isfinite(row->u_ind_j) || !isfinite(row->u_com_j))
        return pji_fail(err, PJ_EINVAL, "the share of request %lld is not a finite number",
                        (long long)row->sequence);
    pj_status st = pji_store_writable(store, err);
    if (st == PJ_OK)
        st = make_table(store, err);
    if (st == PJ_OK)
        st = pji_store_insert(store, &q,
                              "INSERT INTO request_energy (attempt, phase, task, sequence, end_ns,"
                              " energy_j, u_ind_j, u_com_j) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                              err);
    if (st)
        return st;
    pji_query_i64(&q, attempt);
    pji_query_text(&q, row->phase);
    pji_query_text(&q, row->task);
    pji_query_i64(&q, row->sequence);
    pji_query_i64(&q, row->end_ns);
    pji_query_num(&q, row->energy_j);
    pji_query_num(&q, row->u_ind_j);
    pji_query_num(&q, row->u_com_j);
    return pji_query_run(&q, err);
}

struct visit {
    pji_store_share_fn *fn;
    void *context;
};

static pj_status share_row(void *context, struct pji_query *q, struct pj_error *err)
{
    struct visit *v = context;
    struct pji_share_row row = {
        .phase = pji_query_col_text(q, 0),
        .task = pji_query_col_text(q, 1),
        .sequence = pji_query_col_i64(q, 2),
        .end_ns = pji_query_col_i64(q, 3),
        .energy_j = pji_query_col_num(q, 4),
        .u_ind_j = pji_query_col_num(q, 5),
        .u_com_j = pji_query_col_num(q, 6),
    };
    return v->fn(v->context, &row, err);
}

pj_status pji_store_each_share(struct pji_store *store, int64_t attempt, pji_store_share_fn *fn,
                               void *context, struct pj_error *err)
{
    struct visit v = {fn, context};
    struct pji_query q;
    bool has = false;
    pj_status st = pji_schema_has(&store->db, table, &has, err);
    if (st || !has)
        return st;
    st = pji_query_open(&q, &store->db,
                        "SELECT phase, task, sequence, end_ns, energy_j, u_ind_j, u_com_j"
                        " FROM request_energy WHERE attempt = ? ORDER BY phase, task, sequence",
                        err);
    if (st)
        return st;
    pji_query_i64(&q, attempt);
    return pji_query_each(&q, share_row, &v, err);
}
