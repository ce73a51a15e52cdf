#include "lab/latency.h"

#include "core/array.h"
#include "core/units.h"
#include "stats/quantile.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static pj_status push(struct pji_sample *sample, int64_t ns, struct pj_error *err)
{
    pj_status status = pji_array_reserve(&sample->values, &sample->cap, sample->n + 1,
                                         sizeof *sample->values, err);
    if (status == PJ_OK)
        sample->values[sample->n++] = pji_s_from_ns(ns);
    return status;
}

bool pji_slo_set(const struct pji_slo *slo)
{
    return slo->ttft_ns > 0 || slo->tpot_ns > 0 || slo->e2e_ns > 0;
}

/* ---- one request ---- */

static void count_tokens(struct pji_latency *l, const struct pji_request_record *r,
                         bool fixed_length, int64_t max_tokens)
{
    if (r->output_tokens < 0)
        l->uncounted++;
    else
        l->output_tokens += r->output_tokens;
    if (r->prompt_tokens < 0)
        l->unprompted++;
    else
        l->prompt_tokens += r->prompt_tokens;
    l->cache_hits += r->cached_tokens > 0 ? 1 : 0;
    if (fixed_length && r->output_tokens >= 0 && r->output_tokens != max_tokens)
        l->wrong_length++;
    if (r->output_tokens >= 0)
        l->chunks += (int64_t)r->n_tokens;
}

static pj_status add_gaps(struct pji_latency *l, const struct pji_request_record *r,
                          struct pj_error *err)
{
    pj_status status = PJ_OK;
    for (size_t i = 1; i < r->n_tokens && status == PJ_OK; i++) {
        int64_t gap_ns = r->token_ns[i] - r->token_ns[i - 1];
        l->gaps++;
        if (gap_ns > 0)
            status = push(&l->itl_s, gap_ns, err);
        else
            l->shared_gaps++;
    }
    return status;
}

/* An answer of one token has no time per output token, so that limit does not bind it. Where all
 * text came in one read, the time from the send is held against the limit: the true one is not
 * longer. Without a token count it cannot be judged, which is not good. */
static bool keeps_tpot(const struct pji_request_record *r, int64_t limit_ns)
{
    if (limit_ns == 0 || r->output_tokens == 1)
        return true;
    if (r->output_tokens < 1)
        return false;
    int64_t from_ns = r->last_token_ns > r->first_token_ns ? r->first_token_ns : r->sent_ns;
    return (double)(r->last_token_ns - from_ns) / (double)(r->output_tokens - 1) <=
           (double)limit_ns;
}

static bool is_good(const struct pji_request_record *r, const struct pji_slo *slo)
{
    bool in_pieces =
        r->first_token_ns != 0; /* else its first token has no time to be held against */
    return (slo->ttft_ns == 0 ||
            (in_pieces && r->first_token_ns - r->scheduled_ns <= slo->ttft_ns)) &&
           (slo->e2e_ns == 0 || r->last_token_ns - r->scheduled_ns <= slo->e2e_ns) &&
           keeps_tpot(r, slo->tpot_ns);
}

static pj_status add_tpot(struct pji_latency *l, const struct pji_request_record *r,
                          struct pj_error *err)
{
    if (r->output_tokens < 2)
        return PJ_OK;
    if (r->last_token_ns <= r->first_token_ns) {
        l->one_read++;
        return PJ_OK;
    }
    pj_status status = push(&l->tpot_s, r->last_token_ns - r->first_token_ns, err);
    if (status == PJ_OK)
        l->tpot_s.values[l->tpot_s.n - 1] /= (double)(r->output_tokens - 1);
    return status;
}

pj_status pji_latency_add(struct pji_latency *l, const struct pji_request_record *r,
                          const struct pji_slo *slo, bool fixed_length, int64_t max_tokens,
                          struct pj_error *err)
{
    pj_status status = PJ_OK;
    l->requests++;
    if (r->sent_ns != 0)
        status = push(&l->lag_s, r->sent_ns - r->scheduled_ns, err);
    if (r->error != NULL || r->sent_ns == 0) {
        l->failed++;
        return status;
    }
    count_tokens(l, r, fixed_length, max_tokens);
    if (r->last_token_ns == 0 || status != PJ_OK)
        return status;
    const struct {
        struct pji_sample *sample;
        int64_t ns;
    } figures[] = {
        {&l->e2e_s, r->last_token_ns - r->sent_ns},
        {&l->e2e_sched_s, r->last_token_ns - r->scheduled_ns},
        {&l->ttft_s, r->first_token_ns - r->sent_ns},
        {&l->ttft_sched_s, r->first_token_ns - r->scheduled_ns},
    };
    /* an answer that came as a whole has no first token */
    bool in_pieces = r->first_token_ns != 0;
    size_t n = in_pieces ? sizeof figures / sizeof figures[0] : 2;
    for (size_t i = 0; i < n && status == PJ_OK; i++)
        status = push(figures[i].sample, figures[i].ns, err);
    if (status == PJ_OK && in_pieces)
        status = add_tpot(l, r, err);
    if (status == PJ_OK && in_pieces)
        status = add_gaps(l, r, err);
    l->good += is_good(r, slo) ? 1 : 0;
    return status;
}

void pji_latency_fini(struct pji_latency *l)
{
    free(l->ttft_s.values);
    free(l->tpot_s.values);
    free(l->e2e_s.values);
    free(l->ttft_sched_s.values);
    free(l->e2e_sched_s.values);
    free(l->lag_s.values);
    free(l->itl_s.values);
    *l = (struct pji_latency){0};
}

/* ---- figures of the window ---- */

struct out {
    pji_latency_sink *put;
    void *context;
    struct pj_error *err;
};

static pj_status put_sample(const struct out *o, const char *base, const struct pji_sample *sample,
                            const char *why_none)
{
    static const struct {
        const char *suffix;
        double p;
    } quantiles[] = {{"p50", 0.5}, {"p99", 0.99}};
    char name[48];
    double mean = 0;
    size_t n = sample->n;
    for (size_t i = 0; i < n; i++)
        mean += sample->values[i] / (double)n;
    snprintf(name, sizeof name, "%s_s", base);
    pj_status status = o->put(o->context, name, n > 0 ? mean : (double)NAN, n > 0 ? "" : why_none);
    for (size_t i = 0; i < 2 && status == PJ_OK && n > 0; i++) {
        double value = 0;
        snprintf(name, sizeof name, "%s_%s_s", base, quantiles[i].suffix);
        status = pji_quantile(sample->values, n, quantiles[i].p, &value, o->err);
        if (status == PJ_OK)
            status = o->put(o->context, name, value, "");
    }
    return status;
}

static pj_status put_share(const struct out *o, const char *name, double part, double whole,
                           const char *why_none)
{
    return o->put(o->context, name, whole > 0 ? part / whole : (double)NAN,
                  whole > 0 ? "" : why_none);
}

static pj_status put_samples(const struct pji_latency *l, const struct out *o)
{
    static const char none[] = "no request succeeded with text that came in pieces";
    const struct {
        const char *base;
        const struct pji_sample *sample;
        const char *why_none;
    } rows[] = {
        {"ttft", &l->ttft_s, none},
        {"tpot", &l->tpot_s, "no succeeded request had two tokens or more in more than one read"},
        {"e2e", &l->e2e_s, "no request succeeded"},
        {"itl", &l->itl_s, "no succeeded request had text in more than one read"},
        {"ttft_sched", &l->ttft_sched_s, none},
        {"e2e_sched", &l->e2e_sched_s, "no request succeeded"},
        {"send_lag", &l->lag_s, "no request was sent"},
    };
    pj_status status = PJ_OK;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && status == PJ_OK; i++)
        status = put_sample(o, rows[i].base, rows[i].sample, rows[i].why_none);
    return status;
}

pj_status pji_latency_each(const struct pji_latency *l, const struct pji_slo *slo, double dur_s,
                           pji_latency_sink *put, void *context, struct pj_error *err)
{
    struct out o = {put, context, err};
    pj_status status = put_samples(l, &o);
    if (status == PJ_OK)
        status = put_share(&o, "itl_shared_share", (double)l->shared_gaps, (double)l->gaps,
                           "no succeeded request had two chunks of text");
    if (status == PJ_OK)
        status = put_share(&o, "tokens_per_chunk", (double)l->output_tokens, (double)l->chunks,
                           "no succeeded request had both a token count and chunks");
    if (status == PJ_OK)
        status = put(context, "requests_one_read", (double)l->one_read, "");
    if (status != PJ_OK || !pji_slo_set(slo))
        return status;
    status = put_share(&o, "slo_met_share", (double)l->good, (double)l->requests, "no requests");
    if (status == PJ_OK)
        status = put_share(&o, "goodput_per_s", (double)l->good, dur_s, "the window is empty");
    return status;
}
