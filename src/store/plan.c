/* What the study is: meta texts, factors with their levels, trials in planned order. */
#include "core/array.h"
#include "store/internal.h"

#include <stdlib.h>
#include <string.h>

static const char *const state_names[] = {
    [PJI_TRIAL_PLANNED] = "planned", [PJI_TRIAL_RUNNING] = "running",
    [PJI_TRIAL_DONE] = "done",       [PJI_TRIAL_FAILED] = "failed",
    [PJI_TRIAL_INVALID] = "invalid", [PJI_TRIAL_SKIPPED] = "skipped",
};

const char *pji_trial_state_name(enum pji_trial_state state)
{
    return state_names[state];
}

bool pji_trial_state_parse(const char *name, enum pji_trial_state *state)
{
    for (size_t i = 0; i < sizeof state_names / sizeof state_names[0]; i++) {
        if (strcmp(state_names[i], name) == 0) {
            *state = (enum pji_trial_state)i;
            return true;
        }
    }
    return false;
}

/* ---- meta ---- */

pj_status pji_store_put_meta(struct pji_store *store, const char *key, const char *value,
                             struct pj_error *err)
{
    struct pji_query q;
    pj_status st = pji_store_insert(store, &q,
                                    "INSERT INTO meta (key, value) VALUES (?, ?)"
                                    " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                                    err);
    if (st)
        return st;
    pji_query_text(&q, key);
    pji_query_text(&q, value);
    return pji_query_run(&q, err);
}

pj_status pji_store_get_meta(struct pji_store *store, const char *key, char **value,
                             struct pj_error *err)
{
    struct pji_query q;
    *value = NULL;
    pj_status st = pji_query_open(&q, &store->db, "SELECT value FROM meta WHERE key = ?", err);
    if (st)
        return st;
    pji_query_text(&q, key);
    st = pji_query_next(&q, err);
    if (st == PJ_OK) {
        *value = pji_dup(pji_query_col_text(&q, 0), err);
        st = *value ? PJ_OK : PJ_ENOMEM;
    }
    pji_query_close(&q);
    return st == PJI_QUERY_END ? PJI_STORE_NONE : st;
}

static pj_status take_size(void *context, struct pji_query *q, struct pj_error *err)
{
    (void)err;
    *(double *)context = (double)pji_query_col_i64(q, 0);
    return PJ_OK;
}

pj_status pji_store_size(struct pji_store *store, double *size_b, struct pj_error *err)
{
    struct pji_query q;
    *size_b = 0;
    pj_status st = pji_query_open(&q, &store->db,
                                  "SELECT page_count * page_size"
                                  " FROM pragma_page_count(), pragma_page_size()",
                                  err);
    return st ? st : pji_query_each(&q, take_size, size_b, err);
}

/* ---- factors ---- */

static pj_status add_level(struct pji_store *store, int64_t factor, size_t position,
                           const char *text, struct pj_error *err)
{
    struct pji_query q;
    pj_status st = pji_store_insert(
        store, &q, "INSERT INTO level (factor, position, text) VALUES (?, ?, ?)", err);
    if (st)
        return st;
    pji_query_i64(&q, factor);
    pji_query_i64(&q, (int64_t)position);
    pji_query_text(&q, text);
    return pji_query_run(&q, err);
}

pj_status pji_store_add_factor(struct pji_store *store, const char *name, const char *const *levels,
                               size_t n, struct pj_error *err)
{
    struct pji_query q;
    pj_status st = pji_store_enter(store, err);
    if (st)
        return st;
    st = pji_store_insert(store, &q, "INSERT INTO factor (name) VALUES (?)", err);
    if (st == PJ_OK) {
        pji_query_text(&q, name);
        st = pji_query_run(&q, err);
    }
    int64_t factor = sqlite3_last_insert_rowid(store->db.handle);
    for (size_t i = 0; i < n && st == PJ_OK; i++)
        st = add_level(store, factor, i, levels[i], err);
    return pji_db_leave(&store->db, st, err);
}

pj_status pji_store_add_level(struct pji_store *store, const char *factor, const char *level,
                              struct pj_error *err)
{
    struct pji_query q;
    pj_status st = pji_store_insert(
        store, &q,
        "INSERT INTO level (factor, position, text) SELECT f.id, (SELECT count(*) FROM level l"
        " WHERE l.factor = f.id), ? FROM factor f WHERE f.name = ?",
        err);
    if (st)
        return st;
    pji_query_text(&q, level);
    pji_query_text(&q, factor);
    st = pji_query_run(&q, err);
    if (st == PJ_OK && sqlite3_changes(store->db.handle) != 1)
        st = pji_fail(err, PJ_ENOTFOUND, "the study has no factor '%s'", factor);
    return st;
}

/* Texts of one column, owned. */
struct texts {
    char **items;
    size_t n, cap;
};

static void texts_fini(struct texts *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->items[i]);
    free(t->items);
    *t = (struct texts){0};
}

static pj_status take_text(void *context, struct pji_query *q, struct pj_error *err)
{
    struct texts *t = context;
    pj_status st = pji_array_reserve(&t->items, &t->cap, t->n + 1, sizeof *t->items, err);
    if (st)
        return st;
    t->items[t->n] = pji_dup(pji_query_col_text(q, 0), err);
    if (!t->items[t->n])
        return PJ_ENOMEM;
    t->n++;
    return PJ_OK;
}

static pj_status texts_read(struct texts *t, struct pji_store *store, const char *sql, int64_t id,
                            struct pj_error *err)
{
    struct pji_query q;
    texts_fini(t);
    pj_status st = pji_query_open(&q, &store->db, sql, err);
    if (st)
        return st;
    pji_query_i64(&q, id);
    return pji_query_each(&q, take_text, t, err);
}

struct visit {
    struct pji_store *store;
    struct texts levels;
    pji_store_factor_fn *on_factor;
    pji_store_trial_fn *on_trial;
    void *context;
};

static pj_status visit_factor(void *context, struct pji_query *q, struct pj_error *err)
{
    struct visit *v = context;
    pj_status st = texts_read(&v->levels, v->store,
                              "SELECT text FROM level WHERE factor = ? ORDER BY position",
                              pji_query_col_i64(q, 0), err);
    if (st)
        return st;
    return v->on_factor(v->context, pji_query_col_text(q, 1), (const char *const *)v->levels.items,
                        v->levels.n, err);
}

pj_status pji_store_each_factor(struct pji_store *store, pji_store_factor_fn *fn, void *context,
                                struct pj_error *err)
{
    struct visit v = {.store = store, .on_factor = fn, .context = context};
    struct pji_query q;
    pj_status st = pji_query_open(&q, &store->db, "SELECT id, name FROM factor ORDER BY id", err);
    if (st)
        return st;
    st = pji_query_each(&q, visit_factor, &v, err);
    texts_fini(&v.levels);
    return st;
}

/* ---- trials ---- */

static pj_status add_trial_row(struct pji_store *store, const struct pji_trial *trial,
                               struct pj_error *err)
{
    struct pji_query q;
    pj_status st = pji_store_insert(store, &q,
                                    "INSERT INTO trial (id, cell, block, repetition, state, reason)"
                                    " VALUES (?, ?, ?, ?, ?, ?)",
                                    err);
    if (st)
        return st;
    pji_query_i64(&q, trial->id);
    pji_query_i64(&q, trial->cell);
    pji_query_i64(&q, trial->block);
    pji_query_i64(&q, trial->repetition);
    pji_query_text(&q, pji_trial_state_name(trial->state));
    pji_query_text(&q, trial->reason ? trial->reason : "");
    return pji_query_run(&q, err);
}

static pj_status find_level(struct pji_store *store, int64_t factor, const char *text,
                            int64_t *level, struct pj_error *err)
{
    struct pji_query q;
    pj_status st = pji_query_open(&q, &store->db,
                                  "SELECT position FROM level WHERE factor = ? AND text = ?", err);
    if (st)
        return st;
    pji_query_i64(&q, factor);
    pji_query_text(&q, text);
    st = pji_query_next(&q, err);
    if (st == PJ_OK)
        *level = pji_query_col_i64(&q, 0);
    pji_query_close(&q);
    if (st == PJI_QUERY_END)
        st = pji_fail(err, PJ_EINVAL, "%s: factor %lld has no level '%s'", store->dir,
                      (long long)factor, text);
    return st;
}

static pj_status add_trial_level(struct pji_store *store, int64_t trial, int64_t factor,
                                 const char *text, struct pj_error *err)
{
    struct pji_query q;
    int64_t level = 0;
    pj_status st = find_level(store, factor, text, &level, err);
    if (st == PJ_OK)
        st = pji_store_insert(
            store, &q, "INSERT INTO trial_level (trial, factor, level) VALUES (?, ?, ?)", err);
    if (st)
        return st;
    pji_query_i64(&q, trial);
    pji_query_i64(&q, factor);
    pji_query_i64(&q, level);
    return pji_query_run(&q, err);
}

static pj_status count_factors(struct pji_store *store, int64_t *n, struct pj_error *err)
{
    struct pji_query q;
    pj_status st = pji_query_open(&q, &store->db, "SELECT count(*) FROM factor", err);
    if (st)
        return st;
    st = pji_query_next(&q, err);
    if (st == PJ_OK)
        *n = pji_query_col_i64(&q, 0);
    pji_query_close(&q);
    return st;
}

/* Factor ids are 1…n in the order in which they were added. */
pj_status pji_store_add_trial(struct pji_store *store, const struct pji_trial *trial,
                              struct pj_error *err)
{
    int64_t n = 0;
    pj_status st = pji_store_enter(store, err);
    if (st)
        return st;
    st = count_factors(store, &n, err);
    if (st == PJ_OK)
        st = add_trial_row(store, trial, err);
    for (int64_t f = 0; f < n && st == PJ_OK; f++)
        st = add_trial_level(store, trial->id, f + 1, trial->levels[f], err);
    return pji_db_leave(&store->db, st, err);
}

static pj_status visit_trial(void *context, struct pji_query *q, struct pj_error *err)
{
    struct visit *v = context;
    struct pji_trial trial = {
        .id = pji_query_col_i64(q, 0),
        .cell = pji_query_col_i64(q, 1),
        .block = pji_query_col_i64(q, 2),
        .repetition = pji_query_col_i64(q, 3),
        .reason = pji_query_col_text(q, 5),
        .attempts = pji_query_col_i64(q, 6),
        .failures = pji_query_col_i64(q, 7),
    };
    if (!pji_trial_state_parse(pji_query_col_text(q, 4), &trial.state))
        return pji_fail(err, PJ_ECORRUPT, "%s: trial %lld has the unknown state '%s'",
                        v->store->dir, (long long)trial.id, pji_query_col_text(q, 4));
    pj_status st = texts_read(&v->levels, v->store,
                              "SELECT l.text FROM trial_level t JOIN level l"
                              " ON l.factor = t.factor AND l.position = t.level"
                              " WHERE t.trial = ? ORDER BY t.factor",
                              trial.id, err);
    if (st)
        return st;
    trial.levels = (const char *const *)v->levels.items;
    return v->on_trial(v->context, &trial, err);
}

pj_status pji_store_each_trial(struct pji_store *store, pji_store_trial_fn *fn, void *context,
                               struct pj_error *err)
{
    struct visit v = {.store = store, .on_trial = fn, .context = context};
    struct pji_query q;
    pj_status st =
        pji_query_open(&q, &store->db,
                       "SELECT t.id, t.cell, t.block, t.repetition, t.state, t.reason,"
                       " (SELECT count(*) FROM attempt a WHERE a.trial = t.id),"
                       " (SELECT count(*) FROM attempt a WHERE a.trial = t.id AND a.own_death = 0"
                       "  AND a.state IN ('failed', 'invalid'))"
                       " FROM trial t ORDER BY t.id",
                       err);
    if (st)
        return st;
    st = pji_query_each(&q, visit_trial, &v, err);
    texts_fini(&v.levels);
    return st;
}
