#include "store/query.h"

#include "core/array.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static pj_status status_of(sqlite3 *handle, int rc)
{
    int sys = handle ? sqlite3_system_errno(handle) : 0;
    switch (rc & 0xff) {
    case SQLITE_FULL:
        return PJ_ENOSPC;
    case SQLITE_NOMEM:
        return PJ_ENOMEM;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return PJ_EBUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return PJ_ECORRUPT;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
        return PJ_EINVAL;
    case SQLITE_PERM:
    case SQLITE_READONLY:
        return PJ_EACCESS;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return sys == ENOSPC || sys == EDQUOT || sys == EACCES || sys == EPERM
                   ? pji_status_from_errno(sys)
                   : PJ_EIO;
    default:
        return PJ_EIO;
    }
}

pj_status pji_db_fail(struct pji_db *db, int rc, const char *what, struct pj_error *err)
{
    pj_status st = status_of(db->handle, rc);
    int sys = db->handle ? sqlite3_system_errno(db->handle) : 0;
    const char *text = db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(rc);
    const char *remedy = st == PJ_ENOSPC ? "; free some space, then resume the study" : "";
    pji_error_set(err, st, sys, "%s: %s: %s%s", db->path ? db->path : "study database", what, text,
                  remedy);
    return st;
}

pj_status pji_db_exec(struct pji_db *db, const char *sql, struct pj_error *err)
{
    int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? PJ_OK : pji_db_fail(db, rc, "cannot change the database", err);
}

pj_status pji_db_close(struct pji_db *db, struct pj_error *err)
{
    pj_status st = PJ_OK;
    for (size_t i = 0; i < db->n_cache; i++)
        sqlite3_finalize(db->cache[i].stmt);
    free(db->cache);
    db->cache = NULL;
    db->n_cache = db->cap_cache = 0;
    if (db->handle) {
        int rc = sqlite3_close_v2(db->handle);
        if (rc != SQLITE_OK)
            st = pji_db_fail(db, rc, "cannot close", err);
    }
    db->handle = NULL;
    db->in_transaction = false;
    free(db->path);
    db->path = NULL;
    return st;
}

/* ---- transactions ---- */

pj_status pji_db_begin(struct pji_db *db, struct pj_error *err)
{
    if (db->in_transaction)
        return pji_fail(err, PJ_ESTATE, "%s: a transaction is already open", db->path);
    pj_status st = pji_db_exec(db, "BEGIN IMMEDIATE", err);
    db->in_transaction = st == PJ_OK;
    return st;
}

/* SQLite undoes a whole transaction by itself after some failures (a full disk, for one). What
 * follows would then be committed one by one: refused instead, until the caller rolls back. */
static pj_status check_transaction(struct pji_db *db, struct pj_error *err)
{
    if (db->in_transaction && sqlite3_get_autocommit(db->handle))
        return pji_fail(err, PJ_ESTATE, "%s: the transaction was undone after an earlier failure",
                        db->path);
    return PJ_OK;
}

pj_status pji_db_commit(struct pji_db *db, struct pj_error *err)
{
    if (!db->in_transaction)
        return pji_fail(err, PJ_ESTATE, "%s: no transaction is open", db->path);
    pj_status st = check_transaction(db, err);
    if (st == PJ_OK)
        st = pji_db_exec(db, "COMMIT", err);
    if (st == PJ_OK)
        db->in_transaction = false;
    else
        pji_db_rollback(db);
    return st;
}

void pji_db_rollback(struct pji_db *db)
{
    if (db->handle && !sqlite3_get_autocommit(db->handle))
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    db->in_transaction = false;
}

pj_status pji_db_enter(struct pji_db *db, struct pj_error *err)
{
    pj_status st = check_transaction(db, err);
    if (st)
        return st;
    return pji_db_exec(db, db->in_transaction ? "SAVEPOINT part" : "BEGIN IMMEDIATE", err);
}

pj_status pji_db_leave(struct pji_db *db, pj_status st, struct pj_error *err)
{
    if (st == PJ_OK)
        st = pji_db_exec(db, db->in_transaction ? "RELEASE part" : "COMMIT", err);
    if (st == PJ_OK || sqlite3_get_autocommit(db->handle))
        return st;
    sqlite3_exec(db->handle, db->in_transaction ? "ROLLBACK TO part; RELEASE part" : "ROLLBACK",
                 NULL, NULL, NULL);
    return st;
}

/* ---- statements ---- */

static pj_status prepare(struct pji_db *db, const char *sql, size_t *slot, struct pj_error *err)
{
    pj_status st =
        pji_array_reserve(&db->cache, &db->cap_cache, db->n_cache + 1, sizeof *db->cache, err);
    if (st)
        return st;
    struct pji_statement *s = &db->cache[db->n_cache];
    *s = (struct pji_statement){.sql = sql};
    int rc = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->stmt, NULL);
    if (rc != SQLITE_OK)
        return pji_db_fail(db, rc, "cannot prepare a statement", err);
    *slot = db->n_cache++;
    return PJ_OK;
}

pj_status pji_query_open(struct pji_query *q, struct pji_db *db, const char *sql,
                         struct pj_error *err)
{
    *q = (struct pji_query){.db = db};
    pj_status st = check_transaction(db, err);
    if (st)
        return st;
    size_t slot = 0;
    while (slot < db->n_cache && (db->cache[slot].sql != sql || db->cache[slot].busy))
        slot++;
    if (slot == db->n_cache)
        st = prepare(db, sql, &slot, err);
    if (st)
        return st;
    db->cache[slot].busy = true;
    q->slot = slot;
    q->stmt = db->cache[slot].stmt;
    return PJ_OK;
}

static void note(struct pji_query *q, int rc)
{
    if (q->rc == SQLITE_OK)
        q->rc = rc;
}

void pji_query_null(struct pji_query *q)
{
    note(q, sqlite3_bind_null(q->stmt, ++q->bound));
}

void pji_query_i64(struct pji_query *q, int64_t value)
{
    note(q, sqlite3_bind_int64(q->stmt, ++q->bound, value));
}

void pji_query_num(struct pji_query *q, double value)
{
    note(q, sqlite3_bind_double(q->stmt, ++q->bound, value));
}

void pji_query_text(struct pji_query *q, const char *text)
{
    if (!text)
        pji_query_null(q);
    else
        note(q, sqlite3_bind_text(q->stmt, ++q->bound, text, -1, SQLITE_STATIC));
}

void pji_query_blob(struct pji_query *q, const void *bytes, size_t len)
{
    if (len > INT_MAX)
        note(q, SQLITE_TOOBIG);
    else if (len == 0)
        note(q, sqlite3_bind_zeroblob(q->stmt, ++q->bound, 0));
    else
        note(q, sqlite3_bind_blob(q->stmt, ++q->bound, bytes, (int)len, SQLITE_TRANSIENT));
}

pj_status pji_query_next(struct pji_query *q, struct pj_error *err)
{
    if (q->rc != SQLITE_OK)
        return pji_db_fail(q->db, q->rc, "cannot bind a value", err);
    int rc = sqlite3_step(q->stmt);
    if (rc == SQLITE_ROW)
        return PJ_OK;
    if (rc == SQLITE_DONE)
        return PJI_QUERY_END;
    return pji_db_fail(
        q->db, rc, sqlite3_stmt_readonly(q->stmt) ? "cannot read" : "cannot write a record", err);
}

pj_status pji_query_each(struct pji_query *q, pji_query_row_fn *fn, void *context,
                         struct pj_error *err)
{
    pj_status st = pji_query_next(q, err);
    while (st == PJ_OK) {
        st = fn(context, q, err);
        if (st) {
            pji_query_close(q);
            return st;
        }
        st = pji_query_next(q, err);
    }
    pji_query_close(q);
    return st == PJI_QUERY_END ? PJ_OK : st;
}

pj_status pji_query_run(struct pji_query *q, struct pj_error *err)
{
    pj_status st = pji_query_next(q, err);
    pji_query_close(q);
    return st == PJI_QUERY_END ? PJ_OK : st;
}

void pji_query_close(struct pji_query *q)
{
    if (!q->stmt)
        return;
    sqlite3_reset(q->stmt);
    sqlite3_clear_bindings(q->stmt);
    q->db->cache[q->slot].busy = false;
    q->stmt = NULL;
}

bool pji_query_col_missing(const struct pji_query *q, int column)
{
    return sqlite3_column_type(q->stmt, column) == SQLITE_NULL;
}

int64_t pji_query_col_i64(const struct pji_query *q, int column)
{
    return sqlite3_column_int64(q->stmt, column);
}

double pji_query_col_num(const struct pji_query *q, int column)
{
    return pji_query_col_missing(q, column) ? (double)NAN : sqlite3_column_double(q->stmt, column);
}

const char *pji_query_col_text(const struct pji_query *q, int column)
{
    const unsigned char *text = sqlite3_column_text(q->stmt, column);
    return text ? (const char *)text : "";
}

const void *pji_query_col_blob(const struct pji_query *q, int column, size_t *len)
{
    const void *bytes = sqlite3_column_blob(q->stmt, column);
    *len = (size_t)sqlite3_column_bytes(q->stmt, column);
    return bytes;
}
