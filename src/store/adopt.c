/* Records of an attempt of another study: how what a testbed measured gets into the study that
 * asked for it. */
#include "store/store.h"

struct copy {
    struct pji_store *to;
    int64_t attempt;
};

static pj_status phase(void *context, const struct pji_phase_row *row, struct pj_error *err)
{
    const struct copy *c = context;
    return pji_store_add_phase(c->to, c->attempt, row, err);
}

static pj_status energy(void *context, const struct pji_energy_row *row, struct pj_error *err)
{
    const struct copy *c = context;
    return pji_store_add_energy(c->to, c->attempt, row, err);
}

static pj_status request(void *context, const struct pji_request_row *row, struct pj_error *err)
{
    const struct copy *c = context;
    return pji_store_add_request(c->to, c->attempt, row, err);
}

static pj_status share(void *context, const struct pji_share_row *row, struct pj_error *err)
{
    const struct copy *c = context;
    return pji_store_add_share(c->to, c->attempt, row, err);
}

static pj_status answer(void *context, const struct pji_answer_row *row, struct pj_error *err)
{
    const struct copy *c = context;
    return pji_store_add_answer(c->to, c->attempt, row, err);
}

static pj_status metric(void *context, const struct pji_metric_row *row, struct pj_error *err)
{
    const struct copy *c = context;
    return pji_store_add_metric(c->to, c->attempt, row, err);
}

static pj_status gate(void *context, const struct pji_gate_row *row, struct pj_error *err)
{
    const struct copy *c = context;
    return pji_store_add_gate(c->to, c->attempt, row, err);
}

static pj_status fact(void *context, const char *key, const char *value, struct pj_error *err)
{
    const struct copy *c = context;
    return pji_store_put_fact(c->to, c->attempt, key, value, err);
}

pj_status pji_store_copy_records(struct pji_store *to, int64_t attempt, struct pji_store *from,
                                 int64_t from_attempt, struct pj_error *err)
{
    struct copy c = {to, attempt};
    pj_status st = pji_store_each_phase(from, from_attempt, phase, &c, err);
    if (st == PJ_OK)
        st = pji_store_each_energy(from, from_attempt, energy, &c, err);
    if (st == PJ_OK)
        st = pji_store_each_request(from, from_attempt, request, &c, err);
    if (st == PJ_OK)
        st = pji_store_each_share(from, from_attempt, share, &c, err);
    if (st == PJ_OK)
        st = pji_store_each_answer(from, from_attempt, answer, &c, err);
    if (st == PJ_OK)
        st = pji_store_each_metric(from, from_attempt, metric, &c, err);
    if (st == PJ_OK)
        st = pji_store_each_gate(from, from_attempt, gate, &c, err);
    if (st == PJ_OK)
        st = pji_store_each_fact(from, from_attempt, fact, &c, err);
    return st;
}
