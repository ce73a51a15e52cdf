/* The life of a trial: planned -> running -> done | failed | invalid | skipped, each change one
 * durable step. A done trial never runs again; done needs every declared artefact sealed. */
#include "store/internal.h"

#include <string.h>

struct current {
    enum pji_trial_state state;
    int64_t attempts;
};

static pj_status trial_now(struct pji_store *store, int64_t trial, struct current *now,
                           struct pj_error *err)
{
    struct pji_query q;
    pj_status st = pji_query_open(&q, &store->db,
                                  "SELECT state, (SELECT count(*) FROM attempt WHERE trial = ?1)"
                                  " FROM trial WHERE id = ?1",
                                  err);
    if (st)
        return st;
    pji_query_i64(&q, trial);
    st = pji_query_next(&q, err);
    bool known = st == PJ_OK && pji_trial_state_parse(pji_query_col_text(&q, 0), &now->state);
    now->attempts = known ? pji_query_col_i64(&q, 1) : 0;
    pji_query_close(&q);
    if (st == PJI_QUERY_END)
        return pji_fail(err, PJ_EINVAL, "%s has no trial %lld", store->dir, (long long)trial);
    if (st == PJ_OK && !known)
        return pji_fail(err, PJ_ECORRUPT, "%s: trial %lld has an unknown state", store->dir,
                        (long long)trial);
    return st;
}

static pj_status set_trial(struct pji_store *store, int64_t trial, enum pji_trial_state state,
                           const char *reason, struct pj_error *err)
{
    struct pji_query q;
    pj_status st =
        pji_store_insert(store, &q, "UPDATE trial SET state = ?, reason = ? WHERE id = ?", err);
    if (st)
        return st;
    pji_query_text(&q, pji_trial_state_name(state));
    pji_query_text(&q, reason);
    pji_query_i64(&q, trial);
    return pji_query_run(&q, err);
}

static pj_status insert_attempt(struct pji_store *store, int64_t trial, int64_t number,
                                const char *nonce, int64_t t_ns, int64_t wall_ns,
                                struct pj_error *err)
{
    struct pji_query q;
    pj_status st = pji_store_insert(
        store, &q,
        "INSERT INTO attempt (trial, number, nonce, state, start_ns, start_wall_ns)"
        " VALUES (?, ?, ?, 'running', ?, ?)",
        err);
    if (st)
        return st;
    pji_query_i64(&q, trial);
    pji_query_i64(&q, number);
    pji_query_text(&q, nonce ? nonce : "");
    pji_query_i64(&q, t_ns);
    pji_query_i64(&q, wall_ns);
    return pji_query_run(&q, err);
}

pj_status pji_store_start_attempt(struct pji_store *store, int64_t trial_id, const char *nonce,
                                  int64_t t_ns, int64_t wall_ns, int64_t *attempt,
                                  struct pj_error *err)
{
    struct current now = {PJI_TRIAL_PLANNED, 0};
    pj_status st = pji_store_enter(store, err);
    if (st)
        return st;
    st = trial_now(store, trial_id, &now, err);
    if (st == PJ_OK && (now.state == PJI_TRIAL_DONE || now.state == PJI_TRIAL_RUNNING))
        st = pji_fail(err, PJ_ESTATE, "%s: trial %lld is %s and cannot be started", store->dir,
                      (long long)trial_id, pji_trial_state_name(now.state));
    if (st == PJ_OK)
        st = insert_attempt(store, trial_id, now.attempts + 1, nonce, t_ns, wall_ns, err);
    if (st == PJ_OK) {
        *attempt = sqlite3_last_insert_rowid(store->db.handle);
        st = set_trial(store, trial_id, PJI_TRIAL_RUNNING, "", err);
    }
    return pji_db_leave(&store->db, st, err);
}

/* The trial of a running attempt; PJ_ESTATE when it is not running. */
static pj_status trial_of(struct pji_store *store, int64_t attempt, int64_t *trial,
                          struct pj_error *err)
{
    struct pji_query q;
    pj_status st =
        pji_query_open(&q, &store->db, "SELECT trial, state FROM attempt WHERE id = ?", err);
    if (st)
        return st;
    pji_query_i64(&q, attempt);
    st = pji_query_next(&q, err);
    bool running = st == PJ_OK && strcmp(pji_query_col_text(&q, 1), "running") == 0;
    if (st == PJ_OK)
        *trial = pji_query_col_i64(&q, 0);
    pji_query_close(&q);
    if (st == PJI_QUERY_END)
        return pji_fail(err, PJ_EINVAL, "%s has no attempt %lld", store->dir, (long long)attempt);
    if (st == PJ_OK && !running)
        return pji_fail(err, PJ_ESTATE, "%s: attempt %lld has ended already", store->dir,
                        (long long)attempt);
    return st;
}

/* Names the first artefact that was declared and never sealed. */
static pj_status check_sealed(struct pji_store *store, int64_t attempt, struct pj_error *err)
{
    struct pji_query q;
    pj_status st = pji_query_open(
        &q, &store->db, "SELECT name FROM artefact WHERE attempt = ? AND sha256 IS NULL", err);
    if (st)
        return st;
    pji_query_i64(&q, attempt);
    st = pji_query_next(&q, err);
    if (st == PJ_OK)
        st = pji_fail(err, PJ_ESTATE,
                      "%s: attempt %lld cannot be done: its artefact '%s' was declared and has no "
                      "digest",
                      store->dir, (long long)attempt, pji_query_col_text(&q, 0));
    pji_query_close(&q);
    return st == PJI_QUERY_END ? PJ_OK : st;
}

static pj_status set_attempt(struct pji_store *store, int64_t attempt, const char *state,
                             const char *reason, bool own_death, int64_t t_ns, int64_t wall_ns,
                             struct pj_error *err)
{
    struct pji_query q;
    pj_status st = pji_store_insert(store, &q,
                                    "UPDATE attempt SET state = ?, reason = ?, own_death = ?,"
                                    " end_ns = ?, end_wall_ns = ? WHERE id = ?",
                                    err);
    if (st)
        return st;
    pji_query_text(&q, state);
    pji_query_text(&q, reason);
    pji_query_i64(&q, own_death);
    pji_query_i64(&q, t_ns);
    pji_query_i64(&q, wall_ns);
    pji_query_i64(&q, attempt);
    return pji_query_run(&q, err);
}

static pj_status check_end(enum pji_trial_state state, const char *reason, struct pj_error *err)
{
    if (state == PJI_TRIAL_RUNNING)
        return pji_fail(err, PJ_EINVAL, "an attempt cannot end as running");
    bool needs =
        state == PJI_TRIAL_FAILED || state == PJI_TRIAL_INVALID || state == PJI_TRIAL_PLANNED;
    if (needs && !*reason)
        return pji_fail(err, PJ_EINVAL, "an attempt that ends as %s needs a reason",
                        pji_trial_state_name(state));
    return PJ_OK;
}

pj_status pji_store_end_attempt(struct pji_store *store, int64_t attempt,
                                enum pji_trial_state state, const char *reason, bool own_death,
                                int64_t t_ns, int64_t wall_ns, struct pj_error *err)
{
    int64_t trial = 0;
    const char *why = reason ? reason : "";
    pj_status st = check_end(state, why, err);
    if (st == PJ_OK)
        st = pji_store_enter(store, err);
    if (st)
        return st;
    st = trial_of(store, attempt, &trial, err);
    if (st == PJ_OK && state == PJI_TRIAL_DONE)
        st = check_sealed(store, attempt, err);
    bool back = state == PJI_TRIAL_PLANNED;
    if (st == PJ_OK)
        st = set_attempt(store, attempt, pji_trial_state_name(back ? PJI_TRIAL_FAILED : state), why,
                         own_death, t_ns, wall_ns, err);
    if (st == PJ_OK)
        st = set_trial(store, trial, state, back ? "" : why, err);
    return pji_db_leave(&store->db, st, err);
}

static pj_status invalidate_with(struct pji_store *store, const char *sql, int64_t attempt,
                                 const char *code, struct pj_error *err)
{
    struct pji_query q;
    pj_status st = pji_store_insert(store, &q, sql, err);
    if (st)
        return st;
    pji_query_text(&q, code);
    pji_query_i64(&q, attempt);
    return pji_query_run(&q, err);
}

pj_status pji_store_invalidate(struct pji_store *store, int64_t attempt, const char *code,
                               struct pj_error *err)
{
    if (!*code)
        return pji_fail(err, PJ_EINVAL, "an attempt that is invalid needs a reason");
    pj_status st = pji_store_enter(store, err);
    if (st)
        return st;
    /* the trial first: its condition looks at the attempt */
    st = invalidate_with(store,
                         "UPDATE trial SET state = 'invalid',"
                         " reason = CASE WHEN reason = '' THEN ?1 WHEN instr(reason, ?1) THEN "
                         "reason ELSE reason || ',' || ?1 END"
                         " WHERE state IN ('done', 'invalid') AND id ="
                         " (SELECT trial FROM attempt AS a WHERE a.id = ?2 AND NOT EXISTS"
                         " (SELECT 1 FROM attempt AS b"
                         " WHERE b.trial = a.trial AND b.number > a.number))",
                         attempt, code, err);
    if (st == PJ_OK)
        st = invalidate_with(store,
                             "UPDATE attempt SET state = 'invalid',"
                             " reason = CASE WHEN reason = '' THEN ?1 WHEN instr(reason, ?1) THEN "
                             "reason ELSE reason || ',' || ?1 END"
                             " WHERE state IN ('done', 'invalid') AND id = ?2",
                             attempt, code, err);
    return pji_db_leave(&store->db, st, err);
}

/* ---- reading ---- */

struct visit {
    struct pji_store *store;
    pji_store_attempt_fn *on_id;
    pji_store_attempt_row_fn *on_row;
    pji_store_process_fn *on_process;
    void *context;
};

static pj_status visit_id(void *context, struct pji_query *q, struct pj_error *err)
{
    struct visit *v = context;
    return v->on_id(v->context, pji_query_col_i64(q, 0), pji_query_col_i64(q, 1), err);
}

pj_status pji_store_each_running(struct pji_store *store, pji_store_attempt_fn *fn, void *context,
                                 struct pj_error *err)
{
    struct visit v = {.store = store, .on_id = fn, .context = context};
    struct pji_query q;
    pj_status st = pji_query_open(
        &q, &store->db, "SELECT id, trial FROM attempt WHERE state = 'running' ORDER BY id", err);
    return st ? st : pji_query_each(&q, visit_id, &v, err);
}

static pj_status visit_row(void *context, struct pji_query *q, struct pj_error *err)
{
    struct visit *v = context;
    struct pji_attempt_row row = {
        .id = pji_query_col_i64(q, 0),
        .trial_id = pji_query_col_i64(q, 1),
        .number = pji_query_col_i64(q, 2),
        .nonce = pji_query_col_text(q, 3),
        .reason = pji_query_col_text(q, 5),
        .own_death = pji_query_col_i64(q, 6) != 0,
        .start_ns = pji_query_col_i64(q, 7),
        .start_wall_ns = pji_query_col_i64(q, 8),
        .end_ns = pji_query_col_i64(q, 9),
        .end_wall_ns = pji_query_col_i64(q, 10),
    };
    if (!pji_trial_state_parse(pji_query_col_text(q, 4), &row.state))
        return pji_fail(err, PJ_ECORRUPT, "%s: attempt %lld has an unknown state", v->store->dir,
                        (long long)row.id);
    return v->on_row(v->context, &row, err);
}

pj_status pji_store_each_attempt(struct pji_store *store, int64_t trial_id,
                                 pji_store_attempt_row_fn *fn, void *context, struct pj_error *err)
{
    struct visit v = {.store = store, .on_row = fn, .context = context};
    struct pji_query q;
    pj_status st =
        pji_query_open(&q, &store->db,
                       "SELECT id, trial, number, nonce, state, reason, own_death, start_ns,"
                       " start_wall_ns, end_ns, end_wall_ns FROM attempt"
                       " WHERE ?1 = 0 OR trial = ?1 ORDER BY id",
                       err);
    if (st)
        return st;
    pji_query_i64(&q, trial_id);
    return pji_query_each(&q, visit_row, &v, err);
}

pj_status pji_store_last_attempt(struct pji_store *store, int64_t trial_id, int64_t *attempt,
                                 struct pj_error *err)
{
    struct pji_query q;
    *attempt = 0;
    pj_status st = pji_query_open(
        &q, &store->db, "SELECT id FROM attempt WHERE trial = ? ORDER BY number DESC LIMIT 1", err);
    if (st)
        return st;
    pji_query_i64(&q, trial_id);
    st = pji_query_next(&q, err);
    if (st == PJ_OK)
        *attempt = pji_query_col_i64(&q, 0);
    pji_query_close(&q);
    return st == PJI_QUERY_END ? PJI_STORE_NONE : st;
}

/* ---- processes ---- */

pj_status pji_store_add_process(struct pji_store *store, const struct pji_process_row *row,
                                struct pj_error *err)
{
    struct pji_query q;
    pj_status st = pji_store_insert(store, &q,
                                    "INSERT INTO process (attempt, role, pid, start_ticks, boot_id)"
                                    " VALUES (?, ?, ?, ?, ?)",
                                    err);
    if (st)
        return st;
    pji_query_i64(&q, row->attempt);
    pji_query_text(&q, row->role);
    pji_query_i64(&q, row->pid);
    pji_query_i64(&q, (int64_t)row->start_ticks);
    pji_query_text(&q, row->boot_id);
    return pji_query_run(&q, err);
}

static pj_status visit_process(void *context, struct pji_query *q, struct pj_error *err)
{
    struct visit *v = context;
    struct pji_process_row row = {
        .attempt = pji_query_col_i64(q, 0),
        .role = pji_query_col_text(q, 1),
        .pid = pji_query_col_i64(q, 2),
        .start_ticks = (uint64_t)pji_query_col_i64(q, 3),
        .boot_id = pji_query_col_text(q, 4),
    };
    return v->on_process(v->context, &row, err);
}

pj_status pji_store_each_process(struct pji_store *store, int64_t attempt, pji_store_process_fn *fn,
                                 void *context, struct pj_error *err)
{
    struct visit v = {.store = store, .on_process = fn, .context = context};
    struct pji_query q;
    pj_status st = pji_query_open(&q, &store->db,
                                  "SELECT attempt, role, pid, start_ticks, boot_id FROM process"
                                  " WHERE attempt = ? ORDER BY id",
                                  err);
    if (st)
        return st;
    pji_query_i64(&q, attempt);
    return pji_query_each(&q, visit_process, &v, err);
}
