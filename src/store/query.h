/* store/query.h - SQLite as the store uses it: cached prepared statements, binding in order with
 * one check at the end, and SQLite's codes as pj_status (a full disk is PJ_ENOSPC).
 *
 *     struct pji_query q;
 *     pj_status st = pji_query_open(&q, db, "SELECT text FROM level WHERE factor = ?", err);
 *     if (st)
 *         return st;
 *     pji_query_i64(&q, 3);
 *     return pji_query_each(&q, use_row, context, err);
 *
 * A statement that is in use may be opened again (visitors may visit): it is then prepared twice.
 * SQL texts must live as long as the database: string literals.
 */
#ifndef PJI_STORE_QUERY_H
#define PJI_STORE_QUERY_H

#include "core/error.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pji_statement {
    const char *sql;
    sqlite3_stmt *stmt;
    bool busy;
};

struct pji_db {
    sqlite3 *handle;
    char *path; /* for messages */
    struct pji_statement *cache;
    size_t n_cache, cap_cache;
    bool in_transaction; /* between pji_db_begin and its commit or rollback */
};

struct pji_query {
    struct pji_db *db;
    sqlite3_stmt *stmt;
    size_t slot;
    int bound;
    int rc; /* first failure of a bind */
};

enum { PJI_QUERY_END = 1 };

/* A sqlite result as a status with a sentence: "what: sqlite's text". Never PJ_OK. */
pj_status pji_db_fail(struct pji_db *db, int rc, const char *what, struct pj_error *err);
/* Statements without result rows; not cached. */
pj_status pji_db_exec(struct pji_db *db, const char *sql, struct pj_error *err);
/* Finalises the cache and closes the connection. Safe on a zeroed object. */
pj_status pji_db_close(struct pji_db *db, struct pj_error *err);

pj_status pji_db_begin(struct pji_db *db, struct pj_error *err);
pj_status pji_db_commit(struct pji_db *db, struct pj_error *err);
void pji_db_rollback(struct pji_db *db);
/* Several statements as one: a transaction of its own, or a part of the open one. `st` is what they
 * came to: leave keeps them (0) or undoes them, and returns the first failure. */
pj_status pji_db_enter(struct pji_db *db, struct pj_error *err);
pj_status pji_db_leave(struct pji_db *db, pj_status st, struct pj_error *err);

pj_status pji_query_open(struct pji_query *q, struct pji_db *db, const char *sql,
                         struct pj_error *err);
void pji_query_null(struct pji_query *q);
void pji_query_i64(struct pji_query *q, int64_t value);
void pji_query_num(struct pji_query *q, double value);
void pji_query_text(struct pji_query *q, const char *text); /* NULL: NULL; borrowed until close */
void pji_query_blob(struct pji_query *q, const void *bytes, size_t len); /* copied */
/* 0: a row; PJI_QUERY_END; negative. */
pj_status pji_query_next(struct pji_query *q, struct pj_error *err);
/* Calls fn for each row, then closes the query. A non-zero result of fn ends it and is returned. */
typedef pj_status pji_query_row_fn(void *context, struct pji_query *q, struct pj_error *err);
pj_status pji_query_each(struct pji_query *q, pji_query_row_fn *fn, void *context,
                         struct pj_error *err);
/* Runs a statement without result rows and closes it. */
pj_status pji_query_run(struct pji_query *q, struct pj_error *err);
void pji_query_close(struct pji_query *q);

bool pji_query_col_missing(const struct pji_query *q, int column);
int64_t pji_query_col_i64(const struct pji_query *q, int column);
double pji_query_col_num(const struct pji_query *q, int column);       /* NaN when NULL */
const char *pji_query_col_text(const struct pji_query *q, int column); /* "" when NULL */
const void *pji_query_col_blob(const struct pji_query *q, int column, size_t *len);

#endif
