/* Files that belong to an attempt: DIR/artefacts/<attempt>/<name>. A name is one path component of
 * a small alphabet, so that no name leads anywhere else; a symbolic link is never followed. */
#include "core/digest.h"
#include "platform/durable.h"
#include "store/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { NAME_MAX_BYTES = 128 };

static pj_status check_name(const char *name, struct pj_error *err)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                   "0123456789._-";
    size_t len = strlen(name);
    if (len == 0 || len > NAME_MAX_BYTES || strspn(name, alphabet) != len ||
        strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return pji_fail(err, PJ_EINVAL,
                        "'%.*s' cannot name an artefact: use letters, digits, '.', '_', '-'",
                        (int)NAME_MAX_BYTES, name);
    return PJ_OK;
}

static pj_status check_running(struct pji_store *store, int64_t attempt, struct pj_error *err)
{
    struct pji_query q;
    pj_status st = pji_query_open(&q, &store->db,
                                  "SELECT 1 FROM attempt WHERE id = ? AND state = 'running'", err);
    if (st)
        return st;
    pji_query_i64(&q, attempt);
    st = pji_query_next(&q, err);
    pji_query_close(&q);
    if (st == PJI_QUERY_END)
        return pji_fail(err, PJ_ESTATE, "%s: attempt %lld is not running", store->dir,
                        (long long)attempt);
    return st;
}

pj_status pji_store_declare_artefact(struct pji_store *store, int64_t attempt, const char *name,
                                     struct pj_error *err)
{
    struct pji_query q;
    pj_status st = check_name(name, err);
    if (st == PJ_OK)
        st = check_running(store, attempt, err);
    if (st == PJ_OK)
        st = pji_store_insert(store, &q, "INSERT INTO artefact (attempt, name) VALUES (?, ?)", err);
    if (st)
        return st;
    pji_query_i64(&q, attempt);
    pji_query_text(&q, name);
    return pji_query_run(&q, err);
}

static pj_status build_path(const struct pji_store *store, int64_t attempt, const char *name,
                            char **path, struct pj_error *err)
{
    struct pji_str text = {0};
    pji_str_addf(&text, "%s/artefacts/%lld", store->dir, (long long)attempt);
    if (name)
        pji_str_addf(&text, "/%s", name);
    *path = pji_str_take(&text);
    return *path ? PJ_OK : pji_fail(err, PJ_ENOMEM, "out of memory");
}

pj_status pji_store_artefact_path(struct pji_store *store, int64_t attempt, const char *name,
                                  char **path, struct pj_error *err)
{
    char *folder = NULL;
    *path = NULL;
    pj_status st = check_name(name, err);
    if (st == PJ_OK)
        st = pji_store_writable(store, err);
    if (st == PJ_OK)
        st = build_path(store, attempt, NULL, &folder, err);
    if (st == PJ_OK)
        st = pji_make_dirs(folder, err);
    if (st == PJ_OK)
        st = build_path(store, attempt, name, path, err);
    free(folder);
    return st;
}

static pj_status sync_all(struct pji_store *store, int64_t attempt, const char *path,
                          struct pj_error *err)
{
    char *folder = NULL;
    struct pji_str top = {0};
    pj_status st = pji_durable_sync_file(path, err);
    if (st == PJ_OK)
        st = build_path(store, attempt, NULL, &folder, err);
    if (st == PJ_OK)
        st = pji_durable_sync_dir(folder, err);
    pji_str_addf(&top, "%s/artefacts", store->dir);
    if (st == PJ_OK)
        st = pji_str_ok(&top, err);
    if (st == PJ_OK)
        st = pji_durable_sync_dir(top.text, err);
    pji_str_fini(&top);
    free(folder);
    return st;
}

pj_status pji_store_record_digest(struct pji_store *store, int64_t attempt, const char *name,
                                  int64_t size_b, const char *sha256, struct pj_error *err)
{
    struct pji_query q;
    pj_status st = pji_store_insert(store, &q,
                                    "UPDATE artefact SET size_b = ?, sha256 = ?"
                                    " WHERE attempt = ? AND name = ? AND sha256 IS NULL",
                                    err);
    if (st)
        return st;
    pji_query_i64(&q, size_b);
    pji_query_text(&q, sha256);
    pji_query_i64(&q, attempt);
    pji_query_text(&q, name);
    st = pji_query_run(&q, err);
    if (st == PJ_OK && sqlite3_changes(store->db.handle) != 1)
        st = pji_fail(err, PJ_ESTATE,
                      "%s: artefact '%s' of attempt %lld was not declared, or is sealed already",
                      store->dir, name, (long long)attempt);
    return st;
}

pj_status pji_store_seal_artefact(struct pji_store *store, int64_t attempt, const char *name,
                                  struct pj_error *err)
{
    char *path = NULL, sha256[PJI_SHA256_HEX];
    struct stat info;
    pj_status st = check_name(name, err);
    if (st == PJ_OK)
        st = check_running(store, attempt, err);
    if (st == PJ_OK)
        st = build_path(store, attempt, name, &path, err);
    if (st == PJ_OK && lstat(path, &info) != 0)
        st = pji_fail_errno(err, errno, "artefact %s was declared but not written", path);
    else if (st == PJ_OK && !S_ISREG(info.st_mode))
        st = pji_fail(err, PJ_EINVAL, "artefact %s is not a regular file", path);
    if (st == PJ_OK)
        st = sync_all(store, attempt, path, err);
    if (st == PJ_OK)
        st = pji_sha256_file(path, sha256, err);
    if (st == PJ_OK)
        st = pji_store_record_digest(store, attempt, name, (int64_t)info.st_size, sha256, err);
    free(path);
    return st;
}

/* ---- reading ---- */

struct visit {
    pji_store_artefact_fn *fn;
    void *context;
};

static pj_status artefact_row(void *context, struct pji_query *q, struct pj_error *err)
{
    struct visit *v = context;
    struct pji_str path = {0};
    struct pji_artefact_row row = {
        .attempt = pji_query_col_i64(q, 0),
        .name = pji_query_col_text(q, 1),
        .size_b = pji_query_col_missing(q, 2) ? -1 : pji_query_col_i64(q, 2),
        .sha256 = pji_query_col_text(q, 3),
    };
    pji_str_addf(&path, "artefacts/%lld/%s", (long long)row.attempt, row.name);
    row.path = path.text;
    pj_status st = pji_str_ok(&path, err);
    if (st == PJ_OK)
        st = v->fn(v->context, &row, err);
    pji_str_fini(&path);
    return st;
}

pj_status pji_store_each_artefact(struct pji_store *store, int64_t attempt,
                                  pji_store_artefact_fn *fn, void *context, struct pj_error *err)
{
    struct visit v = {fn, context};
    struct pji_query q;
    pj_status st = pji_query_open(&q, &store->db,
                                  "SELECT attempt, name, size_b, sha256 FROM artefact"
                                  " WHERE attempt = ? ORDER BY id",
                                  err);
    if (st)
        return st;
    pji_query_i64(&q, attempt);
    return pji_query_each(&q, artefact_row, &v, err);
}
