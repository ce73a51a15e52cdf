/* Reading the records of an attempt back, in the order in which they were added. */
#include "core/array.h"
#include "store/internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct visit {
    struct pji_store *store;
    union {
        pji_store_phase_fn *phase;
        pji_store_energy_fn *energy;
        pji_store_request_fn *request;
        pji_store_answer_fn *answer;
        pji_store_metric_fn *metric;
        pji_store_gate_fn *gate;
        pji_store_fact_fn *fact;
    } on;
    void *context;
    int64_t *times; /* decoded token times of one request */
    size_t cap_times;
};

static pj_status each(struct visit *v, const char *sql, int64_t attempt, pji_query_row_fn *row,
                      struct pj_error *err)
{
    struct pji_query q;
    pj_status st = pji_query_open(&q, &v->store->db, sql, err);
    if (st)
        return st;
    pji_query_i64(&q, attempt);
    return pji_query_each(&q, row, v, err);
}

static pj_status phase_row(void *context, struct pji_query *q, struct pj_error *err)
{
    struct visit *v = context;
    struct pji_phase_row row = {
        .name = pji_query_col_text(q, 0),
        .task = pji_query_col_text(q, 1),
        .start_ns = pji_query_col_i64(q, 2),
        .end_ns = pji_query_col_i64(q, 3),
    };
    return v->on.phase(v->context, &row, err);
}

pj_status pji_store_each_phase(struct pji_store *store, int64_t attempt, pji_store_phase_fn *fn,
                               void *context, struct pj_error *err)
{
    struct visit v = {.store = store, .on.phase = fn, .context = context};
    return each(&v, "SELECT name, task, start_ns, end_ns FROM phase WHERE attempt = ? ORDER BY id",
                attempt, phase_row, err);
}

pj_status pji_origin_parse(const char *name, enum pj_origin *origin, struct pj_error *err)
{
    for (int o = PJ_ORIGIN_MISSING; o <= PJ_ORIGIN_CONSTANT; o++) {
        if (strcmp(pj_origin_name((enum pj_origin)o), name) == 0) {
            *origin = (enum pj_origin)o;
            return PJ_OK;
        }
    }
    return pji_fail(err, PJ_ECORRUPT, "'%s' is no origin of an energy", name);
}

static pj_status energy_row(void *context, struct pji_query *q, struct pj_error *err)
{
    struct visit *v = context;
    struct pji_energy_row row = {
        .phase = pji_query_col_text(q, 0),
        .task = pji_query_col_text(q, 1),
        .name = pji_query_col_text(q, 2),
        .domain = pji_query_col_text(q, 3),
        .set = pji_query_col_text(q, 4),
        .in_total = pji_query_col_i64(q, 5) != 0,
    };
    struct pj_energy *e = &row.energy;
    e->value_j = pji_query_col_num(q, 6);
    e->u_ind_j = pji_query_col_num(q, 7);
    e->u_com_j = pji_query_col_num(q, 8);
    e->u_gain_j = pji_query_col_num(q, 9);
    e->quality = (uint32_t)pji_query_col_i64(q, 11);
    snprintf(e->com_id, sizeof e->com_id, "%s", pji_query_col_text(q, 12));
    snprintf(e->reason, sizeof e->reason, "%s", pji_query_col_text(q, 13));
    pj_status st = pji_origin_parse(pji_query_col_text(q, 10), &e->origin, err);
    return st ? st : v->on.energy(v->context, &row, err);
}

pj_status pji_store_each_energy(struct pji_store *store, int64_t attempt, pji_store_energy_fn *fn,
                                void *context, struct pj_error *err)
{
    struct visit v = {.store = store, .on.energy = fn, .context = context};
    return each(&v,
                "SELECT phase, task, name, domain, members, in_total, value_j, u_ind_j, u_com_j,"
                " u_gain_j, origin, quality, com_id, reason FROM energy WHERE attempt = ?"
                " ORDER BY id",
                attempt, energy_row, err);
}

static int64_t or_else(const struct pji_query *q, int column, int64_t missing)
{
    return pji_query_col_missing(q, column) ? missing : pji_query_col_i64(q, column);
}

static pj_status decode_times(struct visit *v, const struct pji_query *q, int column,
                              struct pji_request_row *row, struct pj_error *err)
{
    size_t len = 0;
    const unsigned char *bytes = pji_query_col_blob(q, column, &len);
    if (len % 8 != 0)
        return pji_fail(err, PJ_ECORRUPT, "%s: token times of request %lld are cut off",
                        v->store->dir, (long long)row->sequence);
    row->n_tokens = len / 8;
    pj_status st =
        pji_array_reserve(&v->times, &v->cap_times, row->n_tokens + 1, sizeof *v->times, err);
    if (st)
        return st;
    for (size_t i = 0; i < row->n_tokens; i++) {
        uint64_t t = 0;
        for (unsigned k = 0; k < 8; k++)
            t |= (uint64_t)bytes[8 * i + k] << (8 * k);
        v->times[i] = (int64_t)t;
    }
    row->token_ns = v->times;
    return PJ_OK;
}

static pj_status request_row(void *context, struct pji_query *q, struct pj_error *err)
{
    struct visit *v = context;
    struct pji_request_row row = {
        .phase = pji_query_col_text(q, 0),
        .task = pji_query_col_text(q, 1),
        .sequence = pji_query_col_i64(q, 2),
        .stream = pji_query_col_i64(q, 3),
        .item = pji_query_col_text(q, 4),
        .scheduled_ns = pji_query_col_i64(q, 5),
        .sent_ns = or_else(q, 6, 0),
        .first_token_ns = or_else(q, 7, 0),
        .last_token_ns = or_else(q, 8, 0),
        .prompt_tokens = or_else(q, 9, -1),
        .cached_tokens = or_else(q, 10, -1),
        .output_tokens = or_else(q, 11, -1),
        .finish = pji_query_col_text(q, 12),
        .text_sha256 = pji_query_col_text(q, 13),
        .text = pji_query_col_missing(q, 14) ? NULL : pji_query_col_text(q, 14),
        .error = pji_query_col_text(q, 15),
    };
    pj_status st = decode_times(v, q, 16, &row, err);
    return st ? st : v->on.request(v->context, &row, err);
}

pj_status pji_store_each_request(struct pji_store *store, int64_t attempt, pji_store_request_fn *fn,
                                 void *context, struct pj_error *err)
{
    struct visit v = {.store = store, .on.request = fn, .context = context};
    pj_status st = each(
        &v,
        "SELECT phase, task, sequence, stream, item, scheduled_ns, sent_ns, first_token_ns,"
        " last_token_ns, prompt_tokens, cached_tokens, output_tokens, finish, text_sha256, text,"
        " error, token_ns FROM request WHERE attempt = ? ORDER BY id",
        attempt, request_row, err);
    free(v.times);
    return st;
}

static pj_status answer_row(void *context, struct pji_query *q, struct pj_error *err)
{
    struct visit *v = context;
    struct pji_answer_row row = {
        .task = pji_query_col_text(q, 0),
        .item = pji_query_col_text(q, 1),
        .answer = pji_query_col_text(q, 2),
        .gold = pji_query_col_text(q, 3),
        .parsable = pji_query_col_i64(q, 4) != 0,
        .correct = pji_query_col_i64(q, 5) != 0,
    };
    return v->on.answer(v->context, &row, err);
}

pj_status pji_store_each_answer(struct pji_store *store, int64_t attempt, pji_store_answer_fn *fn,
                                void *context, struct pj_error *err)
{
    struct visit v = {.store = store, .on.answer = fn, .context = context};
    return each(&v,
                "SELECT task, item, answer, gold, parsable, correct FROM answer WHERE attempt = ?"
                " ORDER BY id",
                attempt, answer_row, err);
}

static pj_status metric_row(void *context, struct pji_query *q, struct pj_error *err)
{
    struct visit *v = context;
    struct pji_metric_row row = {
        .task = pji_query_col_text(q, 0),
        .name = pji_query_col_text(q, 1),
        .value = pji_query_col_num(q, 2),
        .u_ind = pji_query_col_num(q, 3),
        .u_com = pji_query_col_num(q, 4),
        .origin = pji_query_col_text(q, 5),
        .reason = pji_query_col_text(q, 6),
    };
    return v->on.metric(v->context, &row, err);
}

pj_status pji_store_each_metric(struct pji_store *store, int64_t attempt, pji_store_metric_fn *fn,
                                void *context, struct pj_error *err)
{
    struct visit v = {.store = store, .on.metric = fn, .context = context};
    return each(&v,
                "SELECT task, name, value, u_ind, u_com, origin, reason FROM metric"
                " WHERE attempt = ? ORDER BY id",
                attempt, metric_row, err);
}

static pj_status gate_row(void *context, struct pji_query *q, struct pj_error *err)
{
    struct visit *v = context;
    struct pji_gate_row row = {
        .code = pji_query_col_text(q, 0),
        .consequence = pji_query_col_text(q, 1),
        .detail = pji_query_col_text(q, 2),
    };
    return v->on.gate(v->context, &row, err);
}

pj_status pji_store_each_gate(struct pji_store *store, int64_t attempt, pji_store_gate_fn *fn,
                              void *context, struct pj_error *err)
{
    struct visit v = {.store = store, .on.gate = fn, .context = context};
    return each(&v, "SELECT code, consequence, detail FROM gate WHERE attempt = ? ORDER BY id",
                attempt, gate_row, err);
}

static pj_status fact_row(void *context, struct pji_query *q, struct pj_error *err)
{
    struct visit *v = context;
    return v->on.fact(v->context, pji_query_col_text(q, 0), pji_query_col_text(q, 1), err);
}

pj_status pji_store_each_fact(struct pji_store *store, int64_t attempt, pji_store_fact_fn *fn,
                              void *context, struct pj_error *err)
{
    struct visit v = {.store = store, .on.fact = fn, .context = context};
    return each(&v, "SELECT key, value FROM fact WHERE ifnull(attempt, 0) = ? ORDER BY id", attempt,
                fact_row, err);
}
