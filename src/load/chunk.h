/* load/chunk.h - what one JSON object of an OpenAI-compatible server says: a chunk of a stream, a
 * whole answer, or an error. The only place that knows the shapes.
 */
#ifndef PJI_LOAD_CHUNK_H
#define PJI_LOAD_CHUNK_H

#include "core/str.h"

#include <stdint.h>

struct pji_chunk {
    bool has_usage, has_error;
    int64_t prompt_tokens, cached_tokens, output_tokens; /* -1: not told */
    char finish[16];                                     /* "" while it goes on */
    char error[256];                                     /* when has_error */
};

/* Appends the text of choice 0 to `text` and its reasoning to `reasoning`. PJ_EPEER: not such an
 * object. */
pj_status pji_chunk_parse(const char *json, size_t len, struct pji_str *text,
                          struct pji_str *reasoning, struct pji_chunk *chunk, struct pj_error *err);

#endif
