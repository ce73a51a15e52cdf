/* Opening and closing. SQLite's own rules that this file lives by:
 * - WAL needs shared memory between readers and the writer: not on network file systems
 *   (https://www.sqlite.org/wal.html), so DELETE there.
 * - In WAL mode synchronous=FULL syncs the log at each commit; in DELETE mode only EXTRA also syncs
 * the folder after the journal is removed (https://www.sqlite.org/pragma.html#pragma_synchronous).
 * - Changing WAL to DELETE at the end merges the log and leaves one file that any SQLite opens
 * without writing beside it.
 */
#include "store/internal.h"

#include "core/array.h"
#include "platform/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

enum { BUSY_MS = 5000 };

char *pji_store_path(const char *dir, const char *name, struct pj_error *err)
{
    struct pji_str path = {0};
    pji_str_addf(&path, "%s/%s", dir, name);
    char *text = pji_str_take(&path);
    if (!text)
        pji_error_set(err, PJ_ENOMEM, 0, "out of memory");
    return text;
}

bool pji_store_has_bytes(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && info.st_size > 0;
}

/* ---- journal ---- */

const char *pji_store_journal(uint64_t fs_type)
{
    /* statfs(2); FUSE is in the list because sshfs and its like cannot be told from local ones */
    static const uint64_t network[] = {
        0x6969,     /* NFS */
        0x517b,     /* SMB */
        0xff534d42, /* CIFS */
        0xfe534d42, /* SMB2 */
        0x5346414f, /* AFS */
        0x6b414653, /* kAFS */
        0x73757245, /* Coda */
        0x00c36400, /* Ceph */
        0x0bd00bd0, /* Lustre */
        0x47504653, /* GPFS */
        0x19830326, /* BeeGFS */
        0x01021997, /* 9p */
        0x01161970, /* GFS2 */
        0x7461636f, /* OCFS2 */
        0x786f4256, /* VirtualBox shared folder */
        0x65735546, /* FUSE */
    };
    for (size_t i = 0; i < sizeof network / sizeof network[0]; i++)
        if (network[i] == (fs_type & 0xffffffffU))
            return "DELETE";
    return "WAL";
}

static const char *journal_of(const char *dir, const struct pji_log *log)
{
    struct statfs fs;
    if (statfs(dir, &fs) != 0)
        return "DELETE";
    const char *journal = pji_store_journal((uint64_t)fs.f_type);
    if (strcmp(journal, "DELETE") == 0)
        pji_log(log, PJI_LOG_INFO,
                "%s is on a network file system: the study is kept with journal_mode=DELETE", dir);
    return journal;
}

/* ---- connections ---- */

pj_status pji_store_connect(struct pji_db *db, const char *name, int flags, const char *vfs,
                            struct pj_error *err)
{
    int rc = sqlite3_open_v2(name, &db->handle, flags | SQLITE_OPEN_NOMUTEX, vfs);
    if (rc != SQLITE_OK)
        return pji_db_fail(db, rc, "cannot open", err);
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_timeout(db->handle, BUSY_MS);
    return pji_db_exec(db, "PRAGMA trusted_schema = OFF", err);
}

static pj_status connect_writer(struct pji_store *store, bool create, struct pj_error *err)
{
    struct pji_db *db = &store->db;
    db->path = pji_store_path(store->dir, "study.sqlite", err);
    if (!db->path)
        return PJ_ENOMEM;
    if (!create && access(db->path, F_OK) != 0)
        return pji_fail_errno(err, errno, "%s is not a study folder: cannot open %s", store->dir,
                              db->path);
    int flags = SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0);
    pj_status st = pji_store_connect(db, db->path, flags, NULL, err);
    if (st == PJ_OK)
        st = pji_db_exec(db, "PRAGMA foreign_keys = ON", err);
    if (st == PJ_OK && !create)
        st = pji_schema_check(db, err);
    if (st)
        return st;
    bool wal = strcmp(store->journal, "WAL") == 0;
    return pji_db_exec(db,
                       wal ? "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL"
                           : "PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA",
                       err);
}

/* Merges the log into the file and lets go of it. The data is safe in the log when this fails. */
static pj_status disconnect_writer(struct pji_store *store, struct pj_error *err)
{
    struct pji_db *db = &store->db;
    pj_status st = PJ_OK;
    if (db->in_transaction)
        pji_db_rollback(db);
    for (size_t i = 0; i < db->n_cache; i++)
        sqlite3_reset(db->cache[i].stmt);
    if (db->handle && strcmp(store->journal, "WAL") == 0)
        st = pji_db_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", err);
    return st;
}

static pj_status close_writer(struct pji_store *store, struct pj_error *err)
{
    pj_status st = disconnect_writer(store, err);
    /* a reader may be looking on: then WAL stays, which costs a reader of a read-only copy nothing
     * but a second way of opening; so a refusal here is no failure */
    if (st == PJ_OK && store->db.handle)
        sqlite3_exec(store->db.handle, "PRAGMA busy_timeout = 200; PRAGMA journal_mode = DELETE",
                     NULL, NULL, NULL);
    pj_status closed = pji_db_close(&store->db, err);
    return st ? st : closed;
}

/* ---- the store ---- */

static pj_status new_store(struct pji_store **out, const char *dir, enum pji_store_mode mode,
                           const struct pji_log *log, struct pj_error *err)
{
    struct pji_store *store = pji_zalloc(1, sizeof *store, err);
    if (!store)
        return PJ_ENOMEM;
    *store = (struct pji_store){.mode = mode, .log = log, .lock_fd = -1, .journal = "WAL"};
    store->dir = pji_dup(dir, err);
    if (!store->dir) {
        free(store);
        return PJ_ENOMEM;
    }
    *out = store;
    return PJ_OK;
}

static void drop(struct pji_store *store)
{
    pji_db_close(&store->db, NULL);
    pji_lock_release(&store->lock_fd);
    free(store->dir);
    free(store);
}

static pj_status make_folder(const char *dir, struct pj_error *err)
{
    const char *slash = strrchr(dir, '/');
    char *parent = slash && slash != dir ? pji_dupn(dir, (size_t)(slash - dir), err)
                                         : pji_dup(slash ? "/" : ".", err);
    if (!parent)
        return PJ_ENOMEM;
    pj_status st = pji_make_dirs(parent, err);
    if (st == PJ_OK && mkdir(dir, 0777) != 0)
        st = errno == EEXIST
                 ? pji_fail(err, PJ_EINVAL, "%s exists already: choose another folder", dir)
                 : pji_fail_errno(err, errno, "cannot create the folder %s", dir);
    char *artefacts = st == PJ_OK ? pji_store_path(dir, "artefacts", err) : NULL;
    if (st == PJ_OK && !artefacts)
        st = PJ_ENOMEM;
    if (st == PJ_OK && mkdir(artefacts, 0777) != 0)
        st = pji_fail_errno(err, errno, "cannot create the folder %s", artefacts);
    if (st == PJ_OK)
        st = pji_durable_sync_dir(parent, err);
    free(artefacts);
    free(parent);
    return st;
}

pj_status pji_store_create_with(struct pji_store **out, const char *dir, const char *journal,
                                const struct pji_log *log, struct pj_error *err)
{
    struct pji_store *store = NULL;
    pj_status st = new_store(&store, dir, PJI_STORE_WRITE, log, err);
    if (st)
        return st;
    st = make_folder(dir, err);
    if (st == PJ_OK)
        store->journal = journal ? journal : journal_of(dir, log);
    if (st == PJ_OK)
        st = pji_lock_take(dir, &store->lock_fd, err);
    if (st == PJ_OK)
        st = connect_writer(store, true, err);
    if (st == PJ_OK)
        st = pji_schema_create(&store->db, err);
    if (st == PJ_OK)
        st = pji_durable_sync_dir(dir, err);
    if (st) {
        drop(store);
        return st;
    }
    *out = store;
    return PJ_OK;
}

pj_status pji_store_create(struct pji_store **out, const char *dir, const struct pji_log *log,
                           struct pj_error *err)
{
    return pji_store_create_with(out, dir, NULL, log, err);
}

pj_status pji_store_open(struct pji_store **out, const char *dir, enum pji_store_mode mode,
                         const struct pji_log *log, struct pj_error *err)
{
    struct stat info;
    if (stat(dir, &info) != 0)
        return pji_fail_errno(err, errno, "cannot open the study folder %s", dir);
    if (!S_ISDIR(info.st_mode))
        return pji_fail(err, PJ_EINVAL, "%s is not a folder: name the folder of a study", dir);
    struct pji_store *store = NULL;
    pj_status st = new_store(&store, dir, mode, log, err);
    if (st)
        return st;
    if (mode == PJI_STORE_READ) {
        st = pji_store_connect_reader(store, err);
    } else {
        store->journal = journal_of(dir, log);
        st = pji_lock_take(dir, &store->lock_fd, err);
        if (st == PJ_OK)
            st = connect_writer(store, false, err);
    }
    if (st) {
        drop(store);
        return st;
    }
    *out = store;
    return PJ_OK;
}

pj_status pji_store_close(struct pji_store *store, struct pj_error *err)
{
    if (!store)
        return PJ_OK;
    pj_status st =
        store->mode == PJI_STORE_WRITE ? close_writer(store, err) : pji_db_close(&store->db, err);
    drop(store);
    return st;
}

const char *pji_store_dir(const struct pji_store *store)
{
    return store->dir;
}

/* SQLite names its side files by the path it opened: after a rename it could neither remove the log
 * nor roll back. Everything is in the file after the checkpoint, so the empty log may go. */
static pj_status remove_side_files(const char *dir, struct pj_error *err)
{
    char *log = pji_store_path(dir, "study.sqlite-wal", err);
    char *index = log ? pji_store_path(dir, "study.sqlite-shm", err) : NULL;
    pj_status st = index ? PJ_OK : PJ_ENOMEM;
    if (st == PJ_OK && pji_store_has_bytes(log))
        st = pji_fail(err, PJ_ESTATE, "%s still has content after the folder was renamed", log);
    if (st == PJ_OK && unlink(log) != 0 && errno != ENOENT)
        st = pji_fail_errno(err, errno, "cannot remove %s", log);
    if (st == PJ_OK && unlink(index) != 0 && errno != ENOENT)
        st = pji_fail_errno(err, errno, "cannot remove %s", index);
    free(index);
    free(log);
    return st;
}

pj_status pji_store_moved(struct pji_store *store, const char *dir, struct pj_error *err)
{
    pj_status st = pji_store_writable(store, err);
    if (st)
        return st;
    if (store->db.in_transaction)
        return pji_fail(err, PJ_ESTATE, "%s: renamed inside a transaction", store->dir);
    char *copy = pji_dup(dir, err);
    if (!copy)
        return PJ_ENOMEM;
    st = disconnect_writer(store, err);
    if (st == PJ_OK)
        st = pji_db_close(&store->db, err);
    if (st) {
        free(copy);
        return st;
    }
    free(store->dir);
    store->dir = copy;
    st = remove_side_files(dir, err);
    return st ? st : connect_writer(store, false, err);
}

pj_status pji_store_begin(struct pji_store *store, struct pj_error *err)
{
    pj_status st = pji_store_writable(store, err);
    return st ? st : pji_db_begin(&store->db, err);
}

pj_status pji_store_commit(struct pji_store *store, struct pj_error *err)
{
    return pji_db_commit(&store->db, err);
}

void pji_store_rollback(struct pji_store *store)
{
    pji_db_rollback(&store->db);
}

pj_status pji_store_writable(const struct pji_store *store, struct pj_error *err)
{
    if (store->mode == PJI_STORE_WRITE)
        return PJ_OK;
    return pji_fail(err, PJ_ESTATE, "%s was opened for reading only", store->dir);
}

pj_status pji_store_insert(struct pji_store *store, struct pji_query *q, const char *sql,
                           struct pj_error *err)
{
    pj_status st = pji_store_writable(store, err);
    return st ? st : pji_query_open(q, &store->db, sql, err);
}

pj_status pji_store_enter(struct pji_store *store, struct pj_error *err)
{
    pj_status st = pji_store_writable(store, err);
    return st ? st : pji_db_enter(&store->db, err);
}
