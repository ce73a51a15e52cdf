/* Schema version 1 of a study. docs/formats/store-v1.md is its manual: change both together.
 *
 * STRICT tables refuse a text where a number belongs; the CHECKs hold the promise that a missing
 * figure is NULL with a reason, never 0. Times are nanoseconds of CLOCK_MONOTONIC (wall_ns: since
 * 1970, UTC), energies joules.
 */
#include "store/internal.h"

/* "pjst", so that file(1) and we can tell a study from any other database */
enum { APPLICATION_ID = 0x706a7374 };

static const char *const plan_tables[] = {
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE factor (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT",
    "CREATE TABLE level ("
    "factor INTEGER NOT NULL REFERENCES factor(id), position INTEGER NOT NULL,"
    " text TEXT NOT NULL, PRIMARY KEY (factor, position), UNIQUE (factor, text)"
    ") STRICT, WITHOUT ROWID",
    "CREATE TABLE trial ("
    "id INTEGER PRIMARY KEY CHECK (id >= 1), cell INTEGER NOT NULL CHECK (cell >= 0),"
    " block INTEGER NOT NULL CHECK (block >= 1),"
    " repetition INTEGER NOT NULL CHECK (repetition >= 1),"
    " state TEXT NOT NULL"
    " CHECK (state IN ('planned','running','done','failed','invalid','skipped')),"
    " reason TEXT NOT NULL DEFAULT '', UNIQUE (cell, repetition),"
    " CHECK (state NOT IN ('failed','invalid') OR reason <> '')"
    ") STRICT",
    "CREATE TABLE trial_level ("
    "trial INTEGER NOT NULL REFERENCES trial(id), factor INTEGER NOT NULL,"
    " level INTEGER NOT NULL, PRIMARY KEY (trial, factor),"
    " FOREIGN KEY (factor, level) REFERENCES level(factor, position)"
    ") STRICT, WITHOUT ROWID",
    NULL};

static const char *const attempt_tables[] = {
    "CREATE TABLE attempt ("
    "id INTEGER PRIMARY KEY, trial INTEGER NOT NULL REFERENCES trial(id),"
    " number INTEGER NOT NULL CHECK (number >= 1), nonce TEXT NOT NULL,"
    " state TEXT NOT NULL CHECK (state IN ('running','done','failed','invalid','skipped')),"
    " reason TEXT NOT NULL DEFAULT '', own_death INTEGER NOT NULL DEFAULT 0"
    " CHECK (own_death IN (0, 1)),"
    " start_ns INTEGER NOT NULL, start_wall_ns INTEGER NOT NULL,"
    " end_ns INTEGER, end_wall_ns INTEGER, UNIQUE (trial, number),"
    " CHECK ((state = 'running') = (end_ns IS NULL)),"
    " CHECK (state NOT IN ('failed','invalid') OR reason <> '')"
    ") STRICT",
    "CREATE UNIQUE INDEX attempt_running ON attempt(trial) WHERE state = 'running'",
    "CREATE TABLE process ("
    "id INTEGER PRIMARY KEY, attempt INTEGER NOT NULL REFERENCES attempt(id),"
    " role TEXT NOT NULL, pid INTEGER NOT NULL, start_ticks INTEGER NOT NULL,"
    " boot_id TEXT NOT NULL"
    ") STRICT",
    "CREATE INDEX process_attempt ON process(attempt)",
    "CREATE TABLE fact ("
    "id INTEGER PRIMARY KEY, attempt INTEGER REFERENCES attempt(id), key TEXT NOT NULL,"
    " value TEXT NOT NULL"
    ") STRICT",
    "CREATE UNIQUE INDEX fact_key ON fact(ifnull(attempt, 0), key)",
    "CREATE TABLE artefact ("
    "id INTEGER PRIMARY KEY, attempt INTEGER NOT NULL REFERENCES attempt(id),"
    " name TEXT NOT NULL, size_b INTEGER CHECK (size_b >= 0),"
    " sha256 TEXT CHECK (length(sha256) = 64), UNIQUE (attempt, name),"
    " CHECK ((size_b IS NULL) = (sha256 IS NULL))"
    ") STRICT",
    NULL};

static const char *const record_tables[] = {
    "CREATE TABLE phase ("
    "id INTEGER PRIMARY KEY, attempt INTEGER NOT NULL REFERENCES attempt(id),"
    " name TEXT NOT NULL, task TEXT NOT NULL, start_ns INTEGER NOT NULL,"
    " end_ns INTEGER NOT NULL, CHECK (end_ns >= start_ns)"
    ") STRICT",
    "CREATE INDEX phase_attempt ON phase(attempt)",
    "CREATE TABLE energy ("
    "id INTEGER PRIMARY KEY, attempt INTEGER NOT NULL REFERENCES attempt(id),"
    " phase TEXT NOT NULL, task TEXT NOT NULL, name TEXT NOT NULL, domain TEXT NOT NULL,"
    " members TEXT NOT NULL, in_total INTEGER NOT NULL CHECK (in_total IN (0, 1)),"
    " value_j REAL, u_ind_j REAL CHECK (u_ind_j >= 0), u_com_j REAL CHECK (u_com_j >= 0),"
    " u_gain_j REAL CHECK (u_gain_j >= 0),"
    " origin TEXT NOT NULL"
    " CHECK (origin IN ('missing','counter','integrated','modelled','constant')),"
    " quality INTEGER NOT NULL, com_id TEXT NOT NULL, reason TEXT NOT NULL,"
    " CHECK ((origin = 'missing') = (value_j IS NULL)),"
    " CHECK ((value_j IS NULL) = (u_ind_j IS NULL)),"
    " CHECK ((value_j IS NULL) = (u_com_j IS NULL)),"
    " CHECK ((value_j IS NULL) = (u_gain_j IS NULL)),"
    " CHECK (value_j IS NOT NULL OR reason <> '')"
    ") STRICT",
    "CREATE INDEX energy_attempt ON energy(attempt)",
    "CREATE TABLE request ("
    "id INTEGER PRIMARY KEY, attempt INTEGER NOT NULL REFERENCES attempt(id),"
    " phase TEXT NOT NULL, task TEXT NOT NULL, sequence INTEGER NOT NULL,"
    " stream INTEGER NOT NULL, item TEXT NOT NULL, scheduled_ns INTEGER NOT NULL,"
    " sent_ns INTEGER, first_token_ns INTEGER, last_token_ns INTEGER,"
    " prompt_tokens INTEGER, cached_tokens INTEGER, output_tokens INTEGER,"
    " finish TEXT NOT NULL, text_sha256 TEXT NOT NULL, text TEXT, error TEXT NOT NULL,"
    " token_ns BLOB NOT NULL, UNIQUE (attempt, phase, task, sequence)"
    ") STRICT",
    "CREATE TABLE answer ("
    "id INTEGER PRIMARY KEY, attempt INTEGER NOT NULL REFERENCES attempt(id),"
    " task TEXT NOT NULL, item TEXT NOT NULL, answer TEXT NOT NULL, gold TEXT NOT NULL,"
    " parsable INTEGER NOT NULL CHECK (parsable IN (0, 1)),"
    " correct INTEGER NOT NULL CHECK (correct IN (0, 1)), CHECK (parsable OR NOT correct)"
    ") STRICT",
    "CREATE INDEX answer_attempt ON answer(attempt)",
    "CREATE TABLE metric ("
    "id INTEGER PRIMARY KEY, attempt INTEGER NOT NULL REFERENCES attempt(id),"
    " task TEXT NOT NULL, name TEXT NOT NULL, value REAL, u_ind REAL CHECK (u_ind >= 0),"
    " u_com REAL CHECK (u_com >= 0), origin TEXT NOT NULL, reason TEXT NOT NULL,"
    " UNIQUE (attempt, task, name), CHECK (value IS NOT NULL OR reason <> ''),"
    " CHECK ((value IS NULL) = (u_ind IS NULL)), CHECK ((value IS NULL) = (u_com IS NULL))"
    ") STRICT",
    "CREATE TABLE gate ("
    "id INTEGER PRIMARY KEY, attempt INTEGER NOT NULL REFERENCES attempt(id),"
    " code TEXT NOT NULL, consequence TEXT NOT NULL"
    " CHECK (consequence IN ('invalid','flag','note')), detail TEXT NOT NULL"
    ") STRICT",
    "CREATE INDEX gate_attempt ON gate(attempt)",
    /* came later: readers take its absence for "none", so that the version stays */
    "CREATE TABLE finding ("
    "id INTEGER PRIMARY KEY, code TEXT NOT NULL CHECK (code <> ''), subject TEXT NOT NULL,"
    " consequence TEXT NOT NULL CHECK (consequence IN ('forbids','flag','note')),"
    " detail TEXT NOT NULL CHECK (detail <> ''),"
    " figures TEXT NOT NULL"
    ") STRICT",
    NULL};

static pj_status exec_all(struct pji_db *db, const char *const *sql, struct pj_error *err)
{
    pj_status st = PJ_OK;
    for (; *sql && st == PJ_OK; sql++)
        st = pji_db_exec(db, *sql, err);
    return st;
}

static pj_status set_pragma(struct pji_db *db, const char *name, int value, struct pj_error *err)
{
    char sql[64];
    sqlite3_snprintf((int)sizeof sql, sql, "PRAGMA %s = %d", name, value);
    return pji_db_exec(db, sql, err);
}

pj_status pji_schema_create(struct pji_db *db, struct pj_error *err)
{
    pj_status st = pji_db_begin(db, err);
    if (st)
        return st;
    st = exec_all(db, plan_tables, err);
    if (st == PJ_OK)
        st = exec_all(db, attempt_tables, err);
    if (st == PJ_OK)
        st = exec_all(db, record_tables, err);
    if (st == PJ_OK)
        st = set_pragma(db, "application_id", APPLICATION_ID, err);
    if (st == PJ_OK)
        st = set_pragma(db, "user_version", PJI_STORE_SCHEMA, err);
    if (st == PJ_OK)
        return pji_db_commit(db, err);
    pji_db_rollback(db);
    return st;
}

static pj_status pragma_value(struct pji_db *db, const char *sql, int64_t *value,
                              struct pj_error *err)
{
    struct pji_query q;
    pj_status st = pji_query_open(&q, db, sql, err);
    if (st)
        return st;
    st = pji_query_next(&q, err);
    *value = st == PJ_OK ? pji_query_col_i64(&q, 0) : 0;
    pji_query_close(&q);
    return st < 0 ? st : PJ_OK;
}

pj_status pji_schema_check(struct pji_db *db, struct pj_error *err)
{
    int64_t id = 0, version = 0;
    pj_status st = pragma_value(db, "PRAGMA application_id", &id, err);
    if (st == PJ_OK)
        st = pragma_value(db, "PRAGMA user_version", &version, err);
    if (st)
        return st;
    if (id != APPLICATION_ID || version < 1)
        return pji_fail(err, PJ_ECORRUPT, "%s is a database, but not a perjoule study", db->path);
    if (version > PJI_STORE_SCHEMA)
        return pji_fail(err, PJ_EINVAL,
                        "%s has schema version %lld, this perjoule reads up to %d: use a newer "
                        "perjoule",
                        db->path, (long long)version, (int)PJI_STORE_SCHEMA);
    return PJ_OK;
}

pj_status pji_schema_has(struct pji_db *db, const char *table, bool *has, struct pj_error *err)
{
    struct pji_query q;
    *has = false;
    pj_status st = pji_query_open(&q, db, "SELECT 1 FROM sqlite_master WHERE name = ?", err);
    if (st)
        return st;
    pji_query_text(&q, table);
    st = pji_query_next(&q, err);
    pji_query_close(&q);
    *has = st == PJ_OK;
    return st == PJI_QUERY_END ? PJ_OK : st;
}
