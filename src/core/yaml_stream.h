/* core/yaml_stream.h - libfyaml's events with positions, text and complaints as perjoule wants
 * them; for core/yaml.c only.
 */
#ifndef PJI_CORE_YAML_STREAM_H
#define PJI_CORE_YAML_STREAM_H

#include "core/error.h"

#include <libfyaml.h>
#include <stddef.h>

struct pji_yaml_stream {
    struct fy_parser *parser;
    struct fy_diag *diag; /* collects complaints instead of printing them */
    const char *name;     /* file name for messages; borrowed */
    struct pj_error *err; /* borrowed, not NULL */
};

struct pji_yaml_place {
    size_t line, column; /* 1-based */
};

/* Checks the bytes and opens the parser on them (borrowed). Close also after a failure. */
pj_status pji_yaml_stream_open(struct pji_yaml_stream *stream, const char *text, size_t len,
                               const char *name, struct pj_error *err);
void pji_yaml_stream_close(struct pji_yaml_stream *stream);

/* The next event, never NULL on success; free it with pji_yaml_stream_free. */
pj_status pji_yaml_stream_next(struct pji_yaml_stream *stream, struct fy_event **event);
void pji_yaml_stream_free(struct pji_yaml_stream *stream, struct fy_event *event);

/* First character of what the event is about; of a tag. */
struct pji_yaml_place pji_yaml_place(struct fy_event *event);
struct pji_yaml_place pji_yaml_tag_place(struct fy_token *tag);

/* Text of a token (NULL: ""), the caller's; NULL on failure, with the reason in stream->err. */
char *pji_yaml_token_text(struct pji_yaml_stream *stream, struct fy_token *token,
                          struct pji_yaml_place place);

/* PJ_EINVAL with "name:line:column: what". */
pj_status pji_yaml_complain(struct pji_yaml_stream *stream, struct pji_yaml_place place,
                            const char *what);

#endif
