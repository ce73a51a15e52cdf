#include "store/export.h"

#include "core/csv.h"
#include "core/json.h"
#include "core/units.h"
#include "store/columns.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct export
{
    struct pji_store *store;
    struct pji_columns columns;
    struct pji_str out;
    pji_export_sink *sink;
    void *context;
    size_t n_rows;
};

/* What belongs to a trial beside its results. */
struct facts {
    int64_t attempt; /* whose results are shown; 0: none */
    char start_utc[32];
    const char *why_none; /* reason of results that are not there */
};

static pj_status flush(struct export *e, struct pj_error *err)
{
    pj_status st = pji_str_ok(&e->out, err);
    if (st == PJ_OK)
        st = e->sink(e->context, pji_str_text(&e->out), e->out.len, err);
    pji_str_clear(&e->out);
    return st;
}

static double combined(const struct pji_result *r)
{
    return hypot(r->u_ind, r->u_com);
}

/* ---- facts ---- */

static pj_status note_start(void *context, const struct pji_attempt_row *row, struct pj_error *err)
{
    struct facts *facts = context;
    time_t seconds = (time_t)(row->start_wall_ns / PJI_NS_PER_S);
    struct tm utc;
    (void)err;
    if (gmtime_r(&seconds, &utc))
        strftime(facts->start_utc, sizeof facts->start_utc, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return PJ_OK;
}

static pj_status read_facts(struct export *e, const struct pji_trial *trial, struct facts *facts,
                            struct pj_error *err)
{
    *facts = (struct facts){.why_none = "the trial has no such record"};
    switch (trial->state) {
    case PJI_TRIAL_PLANNED:
        facts->why_none = "the trial has not run yet";
        return PJ_OK;
    case PJI_TRIAL_RUNNING:
        facts->why_none = "the trial is running";
        return PJ_OK;
    case PJI_TRIAL_SKIPPED:
        facts->why_none = "the trial was skipped";
        return PJ_OK;
    case PJI_TRIAL_DONE:
    case PJI_TRIAL_FAILED:
    case PJI_TRIAL_INVALID:
        break;
    }
    pj_status st = pji_store_last_attempt(e->store, trial->id, &facts->attempt, err);
    if (st == PJ_OK) /* the last row visited is the latest attempt */
        st = pji_store_each_attempt(e->store, trial->id, note_start, facts, err);
    return st == PJI_STORE_NONE ? PJ_OK : st;
}

/* ---- CSV ---- */

static void cell(struct export *e, const char *text)
{
    pji_csv_add(&e->out, text, ',', e->out.len == 0);
}

static void cell_i64(struct export *e, int64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    cell(e, text);
}

static void cell_num(struct export *e, bool known, double value)
{
    struct pji_str text = {0};
    if (known && isfinite(value))
        pji_str_add_num(&text, value);
    cell(e, pji_str_text(&text));
    pji_str_fini(&text);
}

static void cell_named(struct export *e, const char *name, const char *suffix)
{
    struct pji_str text = {0};
    pji_str_addf(&text, "%s%s", name, suffix);
    cell(e, pji_str_text(&text));
    pji_str_fini(&text);
}

static pj_status csv_head(struct export *e, struct pj_error *err)
{
    static const char *const behind[] = {"repetition", "block",     "state", "reason",
                                         "attempt",    "start_utc", "flags"};
    cell(e, "trial");
    for (size_t f = 0; f < e->columns.n_factors; f++)
        cell(e, e->columns.factors[f]);
    for (size_t i = 0; i < sizeof behind / sizeof behind[0]; i++)
        cell(e, behind[i]);
    if (e->columns.window)
        cell(e, "window");
    for (size_t i = 0; i < e->columns.n; i++) {
        cell(e, e->columns.items[i].name);
        if (!e->columns.items[i].energy)
            continue;
        cell_named(e, e->columns.items[i].name, "_u");
        cell_named(e, e->columns.items[i].name, "_origin");
    }
    pji_str_add(&e->out, "\r\n");
    return flush(e, err);
}

static pj_status csv_row(struct export *e, const struct pji_trial *trial, const struct facts *facts,
                         struct pj_error *err)
{
    cell_i64(e, trial->id);
    for (size_t f = 0; f < e->columns.n_factors; f++)
        cell(e, trial->levels[f]);
    cell_i64(e, trial->repetition);
    cell_i64(e, trial->block);
    cell(e, pji_trial_state_name(trial->state));
    cell(e, trial->reason);
    if (trial->attempts)
        cell_i64(e, trial->attempts);
    else
        cell(e, "");
    cell(e, facts->start_utc);
    cell(e, e->columns.flags);
    if (e->columns.window)
        cell(e, e->columns.window);
    for (size_t i = 0; i < e->columns.n; i++) {
        const struct pji_result *r = &e->columns.results[i];
        cell_num(e, r->known, r->value);
        if (!e->columns.items[i].energy)
            continue;
        cell_num(e, r->known, combined(r));
        cell(e, r->origin);
    }
    pji_str_add(&e->out, "\r\n");
    return flush(e, err);
}

/* ---- JSON ---- */

static json_t *text_or_null(const char *text)
{
    return *text ? json_string(text) : json_null();
}

static json_t *json_result(const struct pji_column *column, const struct pji_result *r,
                           const struct facts *facts)
{
    json_t *out = json_object();
    bool there = r->known && isfinite(r->value);
    json_object_set_new(out, "value", there ? pji_json_num(r->value) : json_null());
    if (there && column->energy) {
        json_object_set_new(out, "u", pji_json_num(combined(r)));
        json_object_set_new(out, "u_ind", pji_json_num(r->u_ind));
        json_object_set_new(out, "u_com", pji_json_num(r->u_com));
    }
    if (column->energy)
        json_object_set_new(out, "origin", json_string(there ? r->origin : "missing"));
    if (!there)
        json_object_set_new(out, "reason", json_string(r->known ? r->reason : facts->why_none));
    return out;
}

static json_t *json_trial(struct export *e, const struct pji_trial *trial,
                          const struct facts *facts)
{
    json_t *row = json_object(), *factors = json_object(), *results = json_object();
    for (size_t f = 0; f < e->columns.n_factors; f++)
        json_object_set_new(factors, e->columns.factors[f], json_string(trial->levels[f]));
    for (size_t i = 0; i < e->columns.n; i++)
        json_object_set_new(results, e->columns.items[i].name,
                            json_result(&e->columns.items[i], &e->columns.results[i], facts));
    json_object_set_new(row, "trial", json_integer(trial->id));
    json_object_set_new(row, "factors", factors);
    json_object_set_new(row, "repetition", json_integer(trial->repetition));
    json_object_set_new(row, "block", json_integer(trial->block));
    json_object_set_new(row, "state", json_string(pji_trial_state_name(trial->state)));
    json_object_set_new(row, "reason", text_or_null(trial->reason));
    json_object_set_new(row, "attempt",
                        trial->attempts ? json_integer(trial->attempts) : json_null());
    json_object_set_new(row, "start_utc", text_or_null(facts->start_utc));
    json_object_set_new(row, "flags", text_or_null(e->columns.flags));
    json_object_set_new(row, "results", results);
    return row;
}

static pj_status json_row(struct export *e, const struct pji_trial *trial,
                          const struct facts *facts, struct pj_error *err)
{
    json_t *row = json_trial(e, trial, facts);
    pji_str_add(&e->out, e->n_rows ? ",\n" : "\n");
    pji_json_write(&e->out, row, 0);
    json_decref(row);
    return flush(e, err);
}

static void json_meta(struct export *e, const char *key)
{
    char *text = NULL;
    json_t *value = NULL;
    if (pji_store_get_meta(e->store, key, &text, NULL) == PJ_OK)
        value = json_string(text);
    if (!value)
        value = json_null();
    pji_str_addf(&e->out, ",\"%s\":", key);
    pji_json_write(&e->out, value, 0);
    json_decref(value);
    free(text);
}

static pj_status json_head(struct export *e, struct pj_error *err)
{
    pji_str_add(&e->out, "{\"format\":\"perjoule-export\",\"version\":1");
    json_meta(e, "study");
    json_meta(e, "question");
    json_meta(e, "seed");
    json_meta(e, "plan_sha256");
    if (e->columns.window)
        json_meta(e, "window");
    pji_str_add(&e->out, ",\"trials\":[");
    return flush(e, err);
}

/* ---- both ---- */

struct walk {
    struct export *e;
    enum pji_export_format format;
};

static pj_status visit(void *context, const struct pji_trial *trial, struct pj_error *err)
{
    struct walk *w = context;
    struct facts facts;
    pj_status st = read_facts(w->e, trial, &facts, err);
    if (st == PJ_OK)
        st = pji_columns_load(&w->e->columns, w->e->store, facts.attempt, err);
    if (st == PJ_OK)
        st = w->format == PJI_EXPORT_CSV ? csv_row(w->e, trial, &facts, err)
                                         : json_row(w->e, trial, &facts, err);
    w->e->n_rows++;
    return st;
}

pj_status pji_store_export(struct pji_store *store, enum pji_export_format format,
                           pji_export_sink *sink, void *context, struct pj_error *err)
{
    struct export e = {.store = store, .sink = sink, .context = context};
    struct walk walk = {&e, format};
    pj_status st = pji_columns_read(&e.columns, store, err);
    if (st == PJ_OK)
        st = format == PJI_EXPORT_CSV ? csv_head(&e, err) : json_head(&e, err);
    if (st == PJ_OK)
        st = pji_store_each_trial(store, visit, &walk, err);
    if (st == PJ_OK && format == PJI_EXPORT_JSON) {
        pji_str_add(&e.out, "\n]}\n");
        st = flush(&e, err);
    }
    pji_str_fini(&e.out);
    pji_columns_fini(&e.columns);
    return st;
}
