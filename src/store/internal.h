/* store/internal.h - what the files of this room share. */
#ifndef PJI_STORE_INTERNAL_H
#define PJI_STORE_INTERNAL_H

#include "store/query.h"
#include "store/store.h"

struct pji_store {
    struct pji_db db;
    char *dir;
    enum pji_store_mode mode;
    const char *journal; /* "WAL" or "DELETE" */
    const struct pji_log *log;
    int lock_fd; /* -1: none */
};

/* How the journal is kept on a file system of this statfs(2) type: "DELETE" on network file
 * systems, where the shared memory of WAL does not work, else "WAL". */
const char *pji_store_journal(uint64_t fs_type);

/* Tables and version of an empty database, in one transaction. */
pj_status pji_schema_create(struct pji_db *db, struct pj_error *err);
/* PJ_EINVAL for a newer version, PJ_ECORRUPT for a database that is no study. */
pj_status pji_schema_check(struct pji_db *db, struct pj_error *err);
/* Whether there is such a table: some joined the schema later. */
pj_status pji_schema_has(struct pji_db *db, const char *table, bool *has, struct pj_error *err);

/* As the functions without _with, with the journal mode given: NULL asks the file system. */
pj_status pji_store_create_with(struct pji_store **out, const char *dir, const char *journal,
                                const struct pji_log *log, struct pj_error *err);

/* DIR/name; caller frees. */
char *pji_store_path(const char *dir, const char *name, struct pj_error *err);
bool pji_store_has_bytes(const char *path);
/* A connection with our settings; db->path is for messages. */
pj_status pji_store_connect(struct pji_db *db, const char *name, int flags, const char *vfs,
                            struct pj_error *err);
pj_status pji_store_connect_reader(struct pji_store *store, struct pj_error *err);

/* Puts size and digest to a declared artefact. */
pj_status pji_store_record_digest(struct pji_store *store, int64_t attempt, const char *name,
                                  int64_t size_b, const char *sha256, struct pj_error *err);

/* Lock on DIR/lock: PJ_EBUSY names the holder. *fd is closed to release it. */
pj_status pji_lock_take(const char *dir, int *fd, struct pj_error *err);
void pji_lock_release(int *fd);

/* For functions that write: PJ_ESTATE on a store opened for reading. */
pj_status pji_store_writable(const struct pji_store *store, struct pj_error *err);
/* Opens a query that writes. */
pj_status pji_store_insert(struct pji_store *store, struct pji_query *q, const char *sql,
                           struct pj_error *err);
/* pji_db_enter for writing. */
pj_status pji_store_enter(struct pji_store *store, struct pj_error *err);

/* State and origin by name; false when the name is unknown. */
bool pji_trial_state_parse(const char *name, enum pji_trial_state *state);
pj_status pji_origin_parse(const char *name, enum pj_origin *origin, struct pj_error *err);

#endif
