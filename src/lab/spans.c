/* lab/spans.c - see spans.h. */
#include "lab/spans.h"

#include "core/array.h"

#include <stdio.h>
#include <stdlib.h>

/* Chunks may be a little fewer than tokens: an end token has no text, and a character may take
 * several tokens. */
#define TOKENS_PER_CHUNK 1.5

int64_t pji_request_end_ns(const struct pji_request_record *r)
{
    int64_t end_ns = r->end_ns > r->last_token_ns ? r->end_ns : r->last_token_ns;
    return end_ns > r->sent_ns ? end_ns : r->sent_ns;
}

enum verdict { GOOD, FAILED, OUTSIDE, UNCOUNTED, WHOLE, CHUNKY, N_VERDICTS };

static enum verdict judge(const struct pji_spans *s, const struct pji_request_record *r)
{
    if (r->error != NULL || r->sent_ns == 0)
        return FAILED;
    if (r->sent_ns < s->start_ns || pji_request_end_ns(r) > s->end_ns)
        return OUTSIDE;
    if (r->prompt_tokens < 1 || r->output_tokens < 1)
        return UNCOUNTED;
    bool shared = r->n_tokens > 1 && r->token_ns[0] == r->token_ns[1];
    if (r->n_tokens == 0 || r->first_token_ns <= r->sent_ns || shared)
        return WHOLE;
    bool chunky = (double)r->output_tokens > TOKENS_PER_CHUNK * (double)r->n_tokens + 1;
    return chunky ? CHUNKY : GOOD;
}

static const char *why(const size_t counts[N_VERDICTS])
{
    if (counts[CHUNKY] > 0)
        return "the server sends several tokens at once: when the first one was there is unknown";
    if (counts[WHOLE] > 0)
        return "no answer came in pieces with a first token of its own";
    if (counts[UNCOUNTED] > 0)
        return "the server told no token counts";
    return counts[OUTSIDE] > 0 ? "no request lies wholly in the window" : "no request succeeded";
}

static int by_sent(const void *a, const void *b)
{
    const struct pji_request_record *const *x = a, *const *y = b;
    return ((*x)->sent_ns > (*y)->sent_ns) - ((*x)->sent_ns < (*y)->sent_ns);
}

static void add_tile(struct pji_spans *s, int64_t t_ns, enum pji_stage part)
{
    int64_t last_ns = s->n > 0 ? s->tiles[s->n - 1].start_ns : s->start_ns;
    t_ns = t_ns > last_ns ? t_ns : last_ns;
    if (s->n > 0 && t_ns >= s->end_ns)
        return; /* it would last no time */
    if (s->n > 0 && s->tiles[s->n - 1].start_ns == t_ns)
        s->n--; /* it lasted no time */
    s->tiles[s->n++] = (struct pji_tile){t_ns, part};
}

static void cut(struct pji_spans *s, const struct pji_request_record *const *sent, size_t n)
{
    size_t counts[N_VERDICTS] = {0};
    add_tile(s, s->start_ns, PJI_STAGE_REST);
    for (size_t i = 0; i < n; i++) {
        const struct pji_request_record *r = sent[i];
        enum verdict verdict = judge(s, r);
        bool good = verdict == GOOD;
        counts[verdict]++;
        add_tile(s, r->sent_ns, good ? PJI_STAGE_PREFILL : PJI_STAGE_OTHER);
        if (good)
            add_tile(s, r->first_token_ns, PJI_STAGE_DECODE);
        add_tile(s, pji_request_end_ns(r), PJI_STAGE_REST);
        if (!good)
            continue;
        s->prompt_tokens += r->prompt_tokens - (r->cached_tokens > 0 ? r->cached_tokens : 0);
        s->decode_tokens += r->output_tokens - 1;
    }
    s->requests = counts[GOOD];
    s->left_out = n - counts[GOOD];
    if (s->requests == 0)
        snprintf(s->reason, sizeof s->reason, "%s", why(counts));
}

pj_status pji_spans_make(struct pji_spans *spans, const struct pji_load_result *load,
                         int64_t start_ns, int64_t end_ns, bool alone, struct pj_error *err)
{
    size_t n = 0;
    *spans = (struct pji_spans){.start_ns = start_ns, .end_ns = end_ns};
    const struct pji_request_record **sent =
        pji_zalloc(load->n + 1, sizeof(struct pji_request_record *), err);
    spans->tiles = pji_zalloc(3 * load->n + 2, sizeof *spans->tiles, err);
    if (sent == NULL || spans->tiles == NULL) {
        free(sent);
        pji_spans_fini(spans);
        return PJ_ENOMEM;
    }
    for (size_t i = 0; i < load->n; i++) {
        const struct pji_request_record *r = &load->records[i];
        if (r->sent_ns != 0 && r->sent_ns < end_ns && pji_request_end_ns(r) > start_ns)
            sent[n++] = r;
    }
    if (n > 1)
        qsort(sent, n, sizeof(struct pji_request_record *), by_sent);
    for (size_t i = 1; i < n && !alone; i++)
        spans->overlap = spans->overlap || sent[i]->sent_ns < pji_request_end_ns(sent[i - 1]);
    if (spans->overlap)
        snprintf(spans->reason, sizeof spans->reason,
                 "several requests were in flight at once: prefill and decode share the time");
    else
        cut(spans, sent, n);
    free(sent);
    return PJ_OK;
}

void pji_spans_fini(struct pji_spans *spans)
{
    free(spans->tiles);
    *spans = (struct pji_spans){0};
}
