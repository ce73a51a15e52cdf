/* Opening a study for reading, wherever it lies and however its writer ended:
 * - the ordinary way, beside a living writer or after one;
 * - where nothing may be written and no log is left: as a file that does not change;
 * - where nothing may be written and the log of a killed writer is left: with the log's index in
 * our own memory (https://www.sqlite.org/wal.html#read_only_databases says what SQLite itself can
 * do).
 */
#include "store/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static void add_uri_path(struct pji_str *out, const char *path)
{
    for (const unsigned char *c = (const unsigned char *)path; *c; c++) {
        if (*c == '%' || *c == '?' || *c == '#')
            pji_str_addf(out, "%%%02x", *c);
        else
            pji_str_addc(out, (char)*c);
    }
}

/* Nothing may be written, not even the shared memory of WAL. Without a log the file is all there
 * is; with one, the index of the log is kept in our own memory, which SQLite does when it may take
 * the file for itself. No writer can be alive here: it would have left its shared memory. */
static pj_status connect_frozen(struct pji_store *store, bool wal, struct pj_error *err)
{
    struct pji_db *db = &store->db;
    if (wal) {
        pj_status st = pji_store_connect(db, db->path, SQLITE_OPEN_READONLY, "unix-none", err);
        return st ? st : pji_db_exec(db, "PRAGMA locking_mode = EXCLUSIVE", err);
    }
    struct pji_str uri = {0};
    pji_str_add(&uri, "file:");
    add_uri_path(&uri, db->path);
    pji_str_add(&uri, "?immutable=1");
    pj_status st = pji_str_ok(&uri, err);
    if (st == PJ_OK)
        st = pji_store_connect(db, uri.text, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL, err);
    pji_str_fini(&uri);
    return st;
}

/* A writer in DELETE mode died in the middle of a write: SQLite refuses to read until somebody who
 * may write has undone it. That is done here where it can be, as any writer would. */
static pj_status undo_half_write(struct pji_store *store, struct pj_error *err)
{
    struct pji_db db = {0};
    int lock_fd = -1;
    db.path = pji_dup(store->db.path, err);
    pj_status st = db.path ? pji_lock_take(store->dir, &lock_fd, NULL) : PJ_ENOMEM;
    if (st == PJ_OK)
        st = pji_store_connect(&db, db.path, SQLITE_OPEN_READWRITE, NULL, NULL);
    if (st == PJ_OK)
        st = pji_schema_check(&db, NULL);
    pji_db_close(&db, NULL);
    pji_lock_release(&lock_fd);
    if (st == PJ_OK || st == PJ_ENOMEM)
        return st;
    return pji_fail(err, PJ_EACCESS,
                    "%s was cut off in the middle of a write, and undoing that needs write "
                    "permission: copy the folder to where you may write, then try again",
                    store->dir);
}

static bool has_side_file(const struct pji_store *store, const char *name)
{
    char *path = pji_store_path(store->dir, name, NULL);
    bool there = path && pji_store_has_bytes(path);
    free(path);
    return there;
}

/* The ordinary way, with locks and shared memory. *refused: only because nothing may be written. */
static pj_status connect_shared(struct pji_store *store, bool *refused, struct pj_error *err)
{
    struct pji_db *db = &store->db;
    db->path = pji_store_path(store->dir, "study.sqlite", err);
    if (!db->path)
        return PJ_ENOMEM;
    if (access(db->path, R_OK) != 0)
        return pji_fail_errno(err, errno, "%s is not a study folder: cannot read %s", store->dir,
                              db->path);
    pj_status st = pji_store_connect(db, db->path, SQLITE_OPEN_READONLY, NULL, err);
    if (st == PJ_OK)
        st = pji_schema_check(db, err);
    int rc = db->handle ? sqlite3_errcode(db->handle) & 0xff : SQLITE_OK;
    *refused = st != PJ_OK && (rc == SQLITE_CANTOPEN || rc == SQLITE_READONLY);
    return st;
}

pj_status pji_store_connect_reader(struct pji_store *store, struct pj_error *err)
{
    struct pj_error first = {0};
    bool refused = false;
    pj_status st = connect_shared(store, &refused, &first);
    if (st == PJ_OK || !refused) {
        if (st)
            pji_error_set(err, st, first.sys_errno, "%s", first.text);
        return st;
    }
    bool half_written = has_side_file(store, "study.sqlite-journal");
    if (half_written && (st = undo_half_write(store, err)) != PJ_OK)
        return st;
    pji_db_close(&store->db, NULL);
    if (half_written)
        return connect_shared(store, &refused, err);
    store->db.path = pji_store_path(store->dir, "study.sqlite", err);
    if (!store->db.path)
        return PJ_ENOMEM;
    st = connect_frozen(store, has_side_file(store, "study.sqlite-wal"), err);
    return st ? st : pji_schema_check(&store->db, err);
}
