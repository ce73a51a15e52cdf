/* net/sse.h - server-sent events (WHATWG HTML, section 9.2) from bytes as they come: calls back for
 * each complete event's data. Lines may be split anywhere; LF, CRLF and CR end a line; comments and
 * other fields are skipped. Bounded: an event over 4 MiB is PJ_EPEER.
 */
#ifndef PJI_NET_SSE_H
#define PJI_NET_SSE_H

#include "core/str.h"

struct pji_sse {
    struct pji_str line, data;
    bool cr, has_data;
};

typedef pj_status pji_sse_fn(void *context, const char *data, size_t len, struct pj_error *err);

void pji_sse_init(struct pji_sse *sse);
pj_status pji_sse_feed(struct pji_sse *sse, const char *bytes, size_t len, pji_sse_fn *fn,
                       void *context, struct pj_error *err);
void pji_sse_fini(struct pji_sse *sse);

#endif
