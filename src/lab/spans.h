/* lab/spans.h - the measured window of a task cut at its requests: prefill from the send to the
 * first token, decode from there to the end of the answer, rest when nothing was in flight.
 *
 * Only requests that tell where the cut is belong to the pool: succeeded, with token counts, text
 * in chunks of about one token, and a first chunk that came in a read of its own. What the others
 * did is `other`. The cut exists only where one request was in flight at a time.
 */
#ifndef PJI_LAB_SPANS_H
#define PJI_LAB_SPANS_H

#include "load/load.h"
#include "perjoule/energy.h"

enum pji_stage { PJI_STAGE_PREFILL, PJI_STAGE_DECODE, PJI_STAGE_REST, PJI_STAGE_OTHER, PJI_STAGES };

/* A tile lasts until the next one begins; the last one until the window's end. */
struct pji_tile {
    int64_t start_ns;
    enum pji_stage part;
};

struct pji_spans {
    int64_t start_ns, end_ns;
    struct pji_tile *tiles; /* in order of time, the first at start_ns */
    size_t n;
    size_t requests, left_out; /* in the pool; sent but not in it */
    int64_t prompt_tokens;     /* of the pool, without cached ones */
    int64_t decode_tokens;     /* of the pool, after the first of each answer */
    bool overlap;              /* several requests were in flight at once: there is no cut */
    char reason[PJ_REASON];    /* why there is no cut; "": there is one */
};

/* Of the window [start_ns, end_ns]; requests that reach beyond it are `other`. alone: the load
 * sends one request at a time. Given to pji_spans_fini unless it failed. */
pj_status pji_spans_make(struct pji_spans *spans, const struct pji_load_result *load,
                         int64_t start_ns, int64_t end_ns, bool alone, struct pj_error *err);
void pji_spans_fini(struct pji_spans *spans);

/* When the answer was over: the last that is known of it, 0 when it was never sent. */
int64_t pji_request_end_ns(const struct pji_request_record *record);

#endif
