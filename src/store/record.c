/* Adding the records of an attempt. What is missing goes in as NULL, with its reason beside it
 * where it is a figure; a figure that is neither finite nor declared missing is refused here. */
#include "core/array.h"
#include "store/internal.h"

#include <math.h>
#include <stdlib.h>

static void put_unless(struct pji_query *q, int64_t value, int64_t missing)
{
    if (value == missing)
        pji_query_null(q);
    else
        pji_query_i64(q, value);
}

pj_status pji_store_add_phase(struct pji_store *store, int64_t attempt,
                              const struct pji_phase_row *row, struct pj_error *err)
{
    struct pji_query q;
    pj_status st = pji_store_insert(
        store, &q,
        "INSERT INTO phase (attempt, name, task, start_ns, end_ns) VALUES (?, ?, ?, ?, ?)", err);
    if (st)
        return st;
    pji_query_i64(&q, attempt);
    pji_query_text(&q, row->name);
    pji_query_text(&q, row->task);
    pji_query_i64(&q, row->start_ns);
    pji_query_i64(&q, row->end_ns);
    return pji_query_run(&q, err);
}

static pj_status check_energy(const struct pji_energy_row *row, struct pj_error *err)
{
    const struct pj_energy *e = &row->energy;
    if (e->origin == PJ_ORIGIN_MISSING)
        return e->reason[0] ? PJ_OK
                            : pji_fail(err, PJ_EINVAL,
                                       "energy of %s in phase %s is missing without a reason",
                                       row->name, row->phase);
    if (isfinite(e->value_j) && isfinite(e->u_ind_j) && isfinite(e->u_com_j) &&
        isfinite(e->u_gain_j))
        return PJ_OK;
    return pji_fail(err, PJ_EINVAL, "energy of %s in phase %s is not a finite number", row->name,
                    row->phase);
}

pj_status pji_store_add_energy(struct pji_store *store, int64_t attempt,
                               const struct pji_energy_row *row, struct pj_error *err)
{
    const struct pj_energy *e = &row->energy;
    struct pji_query q;
    pj_status st = check_energy(row, err);
    if (st == PJ_OK)
        st = pji_store_insert(store, &q,
                              "INSERT INTO energy (attempt, phase, task, name, domain, members,"
                              " in_total, value_j, u_ind_j, u_com_j, u_gain_j, origin, quality,"
                              " com_id, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
                              " ?)",
                              err);
    if (st)
        return st;
    pji_query_i64(&q, attempt);
    pji_query_text(&q, row->phase);
    pji_query_text(&q, row->task);
    pji_query_text(&q, row->name);
    pji_query_text(&q, row->domain);
    pji_query_text(&q, row->set);
    pji_query_i64(&q, row->in_total);
    const double figures[] = {e->value_j, e->u_ind_j, e->u_com_j, e->u_gain_j};
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        if (e->origin == PJ_ORIGIN_MISSING)
            pji_query_null(&q);
        else
            pji_query_num(&q, figures[i]);
    }
    pji_query_text(&q, pj_origin_name(e->origin));
    pji_query_i64(&q, (int64_t)e->quality);
    pji_query_text(&q, e->com_id);
    pji_query_text(&q, e->reason);
    return pji_query_run(&q, err);
}

static pj_status put_times(struct pji_query *q, const int64_t *t_ns, size_t n, struct pj_error *err)
{
    unsigned char *bytes = n ? pji_zalloc(n, 8, err) : NULL;
    if (n && !bytes)
        return PJ_ENOMEM;
    for (size_t i = 0; i < n; i++)
        for (unsigned k = 0; k < 8; k++)
            bytes[8 * i + k] = (unsigned char)((uint64_t)t_ns[i] >> (8 * k));
    pji_query_blob(q, bytes, 8 * n);
    free(bytes);
    return PJ_OK;
}

pj_status pji_store_add_request(struct pji_store *store, int64_t attempt,
                                const struct pji_request_row *row, struct pj_error *err)
{
    struct pji_query q;
    pj_status st = pji_store_insert(
        store, &q,
        "INSERT INTO request (attempt, phase, task, sequence, stream, item, scheduled_ns, sent_ns,"
        " first_token_ns, last_token_ns, prompt_tokens, cached_tokens, output_tokens, finish,"
        " text_sha256, text, error, token_ns)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        err);
    if (st)
        return st;
    pji_query_i64(&q, attempt);
    pji_query_text(&q, row->phase);
    pji_query_text(&q, row->task);
    pji_query_i64(&q, row->sequence);
    pji_query_i64(&q, row->stream);
    pji_query_text(&q, row->item);
    pji_query_i64(&q, row->scheduled_ns);
    put_unless(&q, row->sent_ns, 0);
    put_unless(&q, row->first_token_ns, 0);
    put_unless(&q, row->last_token_ns, 0);
    put_unless(&q, row->prompt_tokens, -1);
    put_unless(&q, row->cached_tokens, -1);
    put_unless(&q, row->output_tokens, -1);
    pji_query_text(&q, row->finish);
    pji_query_text(&q, row->text_sha256);
    pji_query_text(&q, row->text);
    pji_query_text(&q, row->error);
    st = put_times(&q, row->token_ns, row->n_tokens, err);
    if (st == PJ_OK)
        return pji_query_run(&q, err);
    pji_query_close(&q);
    return st;
}

pj_status pji_store_add_answer(struct pji_store *store, int64_t attempt,
                               const struct pji_answer_row *row, struct pj_error *err)
{
    struct pji_query q;
    pj_status st = pji_store_insert(store, &q,
                                    "INSERT INTO answer (attempt, task, item, answer, gold,"
                                    " parsable, correct) VALUES (?, ?, ?, ?, ?, ?, ?)",
                                    err);
    if (st)
        return st;
    pji_query_i64(&q, attempt);
    pji_query_text(&q, row->task);
    pji_query_text(&q, row->item);
    pji_query_text(&q, row->answer);
    pji_query_text(&q, row->gold);
    pji_query_i64(&q, row->parsable);
    pji_query_i64(&q, row->correct);
    return pji_query_run(&q, err);
}

static pj_status check_metric(const struct pji_metric_row *row, struct pj_error *err)
{
    bool missing = isnan(row->value);
    if (missing && !(row->reason && *row->reason))
        return pji_fail(err, PJ_EINVAL, "metric %s is missing without a reason", row->name);
    if (!missing && !(isfinite(row->value) && isfinite(row->u_ind) && isfinite(row->u_com)))
        return pji_fail(err, PJ_EINVAL, "metric %s is not a finite number", row->name);
    return PJ_OK;
}

struct pji_metric_row pji_metric_per(const char *task, const char *name,
                                     const struct pj_energy *energy, double count,
                                     const char *no_count)
{
    struct pji_metric_row row = {.task = task,
                                 .name = name,
                                 .value = (double)NAN,
                                 .origin = pj_origin_name(energy->origin),
                                 .reason = ""};
    if (energy->origin == PJ_ORIGIN_MISSING) {
        row.reason = energy->reason;
    } else if (!(count > 0)) {
        row.reason = no_count;
    } else {
        row.value = energy->value_j / count;
        row.u_ind = energy->u_ind_j / count;
        row.u_com = energy->u_com_j / count;
    }
    return row;
}

pj_status pji_store_add_metric(struct pji_store *store, int64_t attempt,
                               const struct pji_metric_row *row, struct pj_error *err)
{
    struct pji_query q;
    pj_status st = check_metric(row, err);
    if (st == PJ_OK)
        st = pji_store_insert(store, &q,
                              "INSERT INTO metric (attempt, task, name, value, u_ind, u_com,"
                              " origin, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                              err);
    if (st)
        return st;
    pji_query_i64(&q, attempt);
    pji_query_text(&q, row->task);
    pji_query_text(&q, row->name);
    const double figures[] = {row->value, row->u_ind, row->u_com};
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        if (isnan(row->value))
            pji_query_null(&q);
        else
            pji_query_num(&q, figures[i]);
    }
    pji_query_text(&q, row->origin ? row->origin : "");
    pji_query_text(&q, row->reason ? row->reason : "");
    return pji_query_run(&q, err);
}

pj_status pji_store_add_gate(struct pji_store *store, int64_t attempt,
                             const struct pji_gate_row *row, struct pj_error *err)
{
    struct pji_query q;
    pj_status st = pji_store_insert(
        store, &q, "INSERT INTO gate (attempt, code, consequence, detail) VALUES (?, ?, ?, ?)",
        err);
    if (st)
        return st;
    pji_query_i64(&q, attempt);
    pji_query_text(&q, row->code);
    pji_query_text(&q, row->consequence);
    pji_query_text(&q, row->detail);
    return pji_query_run(&q, err);
}

pj_status pji_store_put_fact(struct pji_store *store, int64_t attempt, const char *key,
                             const char *value, struct pj_error *err)
{
    struct pji_query q;
    pj_status st = pji_store_insert(store, &q,
                                    "INSERT INTO fact (attempt, key, value) VALUES (?, ?, ?)"
                                    " ON CONFLICT (ifnull(attempt, 0), key) DO UPDATE"
                                    " SET value = excluded.value",
                                    err);
    if (st)
        return st;
    put_unless(&q, attempt, 0);
    pji_query_text(&q, key);
    pji_query_text(&q, value);
    return pji_query_run(&q, err);
}
