/* net/sse.h - server-sent events (WHATWG HTML, section 9.2) from bytes as they come: calls back for
 * each complete event's data. Lines may be split anywhere; LF, CRLF and CR end a line; a byte order
 * mark at the start and comments are skipped, and so are other fields than "data", but for the type
 * "error" and a field "error" (data of an event of that type); an event that the stream ends in the
 * middle of is never delivered. Bounded: an event or a line over 4 MiB is PJ_EPEER.
 *
 * An event whose bytes came in one piece is handed out in place, without a copy.
 */
#ifndef PJI_NET_SSE_H
#define PJI_NET_SSE_H

#include "core/str.h"

enum { PJI_SSE_LIMIT = 4 * 1024 * 1024 };

struct pji_sse {
    struct pji_str line, data; /* a line, and data lines, left over from earlier pieces */
    const char *held;          /* one data line inside the bytes being fed, not yet copied */
    size_t held_len;
    unsigned bom;      /* bytes of a byte order mark seen; 3: none, or behind us */
    bool cr, has_data; /* the last byte was CR; the event has data */
    bool is_error;     /* the event's type is "error": to be read while it is handed out */
};

/* data is not NUL-terminated and valid during the call only. */
typedef pj_status pji_sse_fn(void *context, const char *data, size_t len, struct pj_error *err);

void pji_sse_init(struct pji_sse *sse);
void pji_sse_reset(struct pji_sse *sse); /* ready for a new stream, keeps memory */
/* A failure of fn ends the feeding and is passed up; the reader is then good for reset or fini. */
pj_status pji_sse_feed(struct pji_sse *sse, const char *bytes, size_t len, pji_sse_fn *fn,
                       void *context, struct pj_error *err);
void pji_sse_fini(struct pji_sse *sse);

#endif
