/* The requests of a study as one table: see export.h. */
#include "core/array.h"
#include "core/csv.h"
#include "store/columns.h"
#include "store/export.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct share {
    char *phase, *task; /* owned */
    int64_t sequence, end_ns;
    double energy_j, u_j;
};

struct table {
    struct pji_store *store;
    struct pji_columns columns; /* of it the factors */
    const struct pji_trial *trial;
    int64_t attempt;
    struct share *shares; /* of the attempt, in order of phase, task and sequence */
    size_t n, cap;
    struct pji_str out;
    pji_export_sink *sink;
    void *context;
};

static pj_status flush(struct table *t, struct pj_error *err)
{
    pj_status st = pji_str_ok(&t->out, err);
    if (st == PJ_OK)
        st = t->sink(t->context, pji_str_text(&t->out), t->out.len, err);
    pji_str_clear(&t->out);
    return st;
}

static void cell(struct table *t, const char *text)
{
    pji_csv_add(&t->out, text, ',', t->out.len == 0);
}

static void cell_i64(struct table *t, int64_t value, bool known)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    cell(t, known ? text : "");
}

static void cell_num(struct table *t, double value, bool known)
{
    struct pji_str text = {0};
    if (known)
        pji_str_add_num(&text, value);
    cell(t, pji_str_text(&text));
    pji_str_fini(&text);
}

static pj_status head(struct table *t, struct pj_error *err)
{
    static const char *const behind[] = {
        "repetition",    "block",          "state",         "attempt", "phase",
        "task",          "sequence",       "stream",        "item",    "scheduled_ns",
        "sent_ns",       "first_token_ns", "last_token_ns", "end_ns",  "prompt_tokens",
        "cached_tokens", "output_tokens",  "finish",        "error",   "energy_j",
        "energy_j_u",    "energy_j_origin"};
    cell(t, "trial");
    for (size_t f = 0; f < t->columns.n_factors; f++)
        cell(t, t->columns.factors[f]);
    for (size_t i = 0; i < sizeof behind / sizeof behind[0]; i++)
        cell(t, behind[i]);
    pji_str_add(&t->out, "\r\n");
    return flush(t, err);
}

/* ---- shares of one attempt ---- */

static void forget(struct table *t)
{
    for (size_t i = 0; i < t->n; i++) {
        free(t->shares[i].phase);
        free(t->shares[i].task);
    }
    t->n = 0;
}

static pj_status keep(void *context, const struct pji_share_row *row, struct pj_error *err)
{
    struct table *t = context;
    pj_status st = pji_array_reserve(&t->shares, &t->cap, t->n + 1, sizeof *t->shares, err);
    if (st)
        return st;
    struct share *share = &t->shares[t->n++];
    *share = (struct share){.phase = pji_dup(row->phase, err),
                            .task = pji_dup(row->task, err),
                            .sequence = row->sequence,
                            .end_ns = row->end_ns,
                            .energy_j = row->energy_j,
                            .u_j = hypot(row->u_ind_j, row->u_com_j)};
    return share->phase && share->task ? PJ_OK : PJ_ENOMEM;
}

static int compare(const struct share *share, const struct pji_request_row *row)
{
    int order = strcmp(share->phase, row->phase);
    if (order == 0)
        order = strcmp(share->task, row->task);
    if (order == 0)
        order = (share->sequence > row->sequence) - (share->sequence < row->sequence);
    return order;
}

static const struct share *find(const struct table *t, const struct pji_request_row *row)
{
    size_t low = 0, high = t->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(&t->shares[middle], row);
        if (order == 0)
            return &t->shares[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* ---- rows ---- */

static pj_status request(void *context, const struct pji_request_row *row, struct pj_error *err)
{
    struct table *t = context;
    const struct share *share = find(t, row);
    cell_i64(t, t->trial->id, true);
    for (size_t f = 0; f < t->columns.n_factors; f++)
        cell(t, t->trial->levels[f]);
    cell_i64(t, t->trial->repetition, true);
    cell_i64(t, t->trial->block, true);
    cell(t, pji_trial_state_name(t->trial->state));
    cell_i64(t, t->trial->attempts, true);
    cell(t, row->phase);
    cell(t, row->task);
    cell_i64(t, row->sequence, true);
    cell_i64(t, row->stream, true);
    cell(t, row->item);
    cell_i64(t, row->scheduled_ns, true);
    cell_i64(t, row->sent_ns, row->sent_ns != 0);
    cell_i64(t, row->first_token_ns, row->first_token_ns != 0);
    cell_i64(t, row->last_token_ns, row->last_token_ns != 0);
    cell_i64(t, share ? share->end_ns : 0, share != NULL);
    cell_i64(t, row->prompt_tokens, row->prompt_tokens >= 0);
    cell_i64(t, row->cached_tokens, row->cached_tokens >= 0);
    cell_i64(t, row->output_tokens, row->output_tokens >= 0);
    cell(t, row->finish);
    cell(t, row->error);
    cell_num(t, share ? share->energy_j : 0, share != NULL);
    cell_num(t, share ? share->u_j : 0, share != NULL);
    cell(t, share ? pj_origin_name(PJ_ORIGIN_MODELLED) : pj_origin_name(PJ_ORIGIN_MISSING));
    pji_str_add(&t->out, "\r\n");
    return flush(t, err);
}

static pj_status visit(void *context, const struct pji_trial *trial, struct pj_error *err)
{
    struct table *t = context;
    t->trial = trial;
    bool over = trial->state == PJI_TRIAL_DONE || trial->state == PJI_TRIAL_INVALID ||
                trial->state == PJI_TRIAL_FAILED;
    pj_status st =
        over ? pji_store_last_attempt(t->store, trial->id, &t->attempt, err) : PJI_STORE_NONE;
    if (st == PJI_STORE_NONE)
        return PJ_OK;
    if (st == PJ_OK)
        st = pji_store_each_share(t->store, t->attempt, keep, t, err);
    if (st == PJ_OK)
        st = pji_store_each_request(t->store, t->attempt, request, t, err);
    forget(t);
    return st;
}

pj_status pji_store_export_requests(struct pji_store *store, pji_export_sink *sink, void *context,
                                    struct pj_error *err)
{
    struct table t = {.store = store, .sink = sink, .context = context};
    pj_status st = pji_columns_read(&t.columns, store, err);
    if (st == PJ_OK)
        st = head(&t, err);
    if (st == PJ_OK)
        st = pji_store_each_trial(store, visit, &t, err);
    forget(&t);
    free(t.shares);
    pji_str_fini(&t.out);
    pji_columns_fini(&t.columns);
    return st;
}
