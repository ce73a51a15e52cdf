/* energy/trace_read.c - trace v1, reading: bytes into lines, lines into the visitor's calls.
 *
 * A trace is hostile input. Memory is bounded by the longest line allowed; whatever is not
 * understood but well-formed is skipped (a later version may have written it), whatever contradicts
 * the format is PJ_ECORRUPT with name:line.
 */
#include "energy/trace_line.h"

#include "core/array.h"
#include "core/hash.h"

#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_B = 1024 * 1024 };

struct pji_trace_reader {
    struct pji_trace_visitor visitor;
    struct pji_trace_place place; /* name and line for messages */
    size_t n_channels;
    bool has_header, has_footer;
    uint64_t hash; /* of the whole lines so far */
    char *line;    /* the piece of a line that waits for its end */
    size_t len, cap;
    pj_status failed; /* once failed, always failed */
};

pj_status pji_trace_reader_new(struct pji_trace_reader **out, const char *name,
                               const struct pji_trace_visitor *visitor, struct pj_error *err)
{
    *out = NULL;
    struct pji_trace_reader *reader = pji_zalloc(1, sizeof *reader, err);
    if (reader == NULL) {
        return PJ_ENOMEM;
    }
    reader->visitor = *visitor;
    reader->hash = PJI_FNV1A_START;
    reader->place.name = pji_dup(name, err);
    if (reader->place.name == NULL) {
        free(reader);
        return PJ_ENOMEM;
    }
    *out = reader;
    return PJ_OK;
}

void pji_trace_reader_free(struct pji_trace_reader *reader)
{
    if (reader != NULL) {
        free(reader->place.name);
        free(reader->line);
        free(reader);
    }
}

/* ---- lines by type ---- */

static pj_status read_header(struct pji_trace_reader *r, const json_t *object, struct pj_error *err)
{
    struct pji_trace_header header = {0};
    pj_status status = pji_trace_header_parse(&header, object, &r->place, err);
    if (status == PJ_OK) {
        r->has_header = true;
        r->n_channels = header.n_channels;
        if (r->visitor.header != NULL) {
            status = r->visitor.header(r->visitor.context, &header, err);
        }
    }
    pji_trace_header_fini(&header);
    return status;
}

static pj_status read_event(struct pji_trace_reader *r, const json_t *object, struct pj_error *err)
{
    int64_t t_ns = 0;
    const char *name = json_string_value(json_object_get(object, "name"));
    pj_status status = pji_trace_time(object, &t_ns, &r->place, err);
    if (status == PJ_OK && name == NULL) {
        status = pji_trace_corrupt(&r->place, err, "an event without a name");
    }
    if (status == PJ_OK && r->visitor.event != NULL) {
        status = r->visitor.event(r->visitor.context, t_ns, name, object, err);
    }
    return status;
}

static pj_status read_footer(struct pji_trace_reader *r, const json_t *object, const char *text,
                             size_t len, struct pj_error *err)
{
    struct pji_trace_footer footer = {.hash = r->hash};
    pj_status status = pji_trace_footer_parse(&footer, object, &r->place, err);
    if (json_object_get(object, "digest") != NULL) {
        footer.seal = pji_trace_seal_check(r->hash, text, len);
    }
    if (status == PJ_OK) {
        r->has_footer = true;
        if (r->visitor.footer != NULL) {
            status = r->visitor.footer(r->visitor.context, &footer, err);
        }
    }
    return status;
}

/* text[0..len): the line that the object stands in. */
static pj_status read_object(struct pji_trace_reader *r, const json_t *object, const char *text,
                             size_t len, struct pj_error *err)
{
    const json_t *type = json_object_get(object, "type");
    const char *name = json_string_value(type);
    if (type != NULL && name == NULL) {
        return pji_trace_corrupt(&r->place, err, "\"type\" is not a string");
    }
    bool header = name != NULL && strcmp(name, "header") == 0;
    if (header != !r->has_header) {
        return pji_trace_corrupt(&r->place, err,
                                 header ? "a second header" : "a trace begins with its header");
    }
    if (header) {
        return read_header(r, object, err);
    }
    if (name == NULL && json_object_get(object, "r") != NULL) {
        return pji_trace_readings_parse(object, r->n_channels, &r->visitor, &r->place, err);
    }
    if (name != NULL && strcmp(name, "event") == 0) {
        return read_event(r, object, err);
    }
    if (name != NULL && strcmp(name, "footer") == 0) {
        return read_footer(r, object, text, len, err);
    }
    return PJ_OK;
}

static json_t *parse(const char *text, size_t len)
{
    return json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
}

/* One whole line. `last`: without its newline, so it may be torn: then *torn is set. */
static pj_status read_line(struct pji_trace_reader *r, const char *text, size_t len, bool last,
                           bool *torn, struct pj_error *err)
{
    r->place.line++;
    if (r->has_header && !r->has_footer) {
        pj_status status =
            pji_trace_readings_scan(text, len, r->n_channels, &r->visitor, &r->place, err);
        if (status != PJI_TRACE_NOT_SIMPLE) {
            return status;
        }
    }
    json_t *object = parse(text, len);
    if (object == NULL && last) {
        *torn = true;
        return PJ_OK;
    }
    pj_status status = PJ_OK;
    if (!json_is_object(object)) {
        status = pji_trace_corrupt(&r->place, err, "not a JSON object");
    } else if (r->has_footer) {
        status = pji_trace_corrupt(&r->place, err, "a line after the footer");
    } else {
        status = read_object(r, object, text, len, err);
    }
    json_decref(object);
    return status;
}

/* ---- bytes ---- */

static pj_status keep(struct pji_trace_reader *r, const char *bytes, size_t len,
                      struct pj_error *err)
{
    if (len > LINE_MAX_B - r->len) {
        r->place.line++;
        return pji_trace_corrupt(&r->place, err, "the line is longer than 1 MiB");
    }
    pj_status status = pji_array_reserve(&r->line, &r->cap, r->len + len, 1, err);
    if (status == PJ_OK && len > 0) {
        memcpy(r->line + r->len, bytes, len);
        r->len += len;
    }
    return status;
}

static pj_status feed(struct pji_trace_reader *r, const char *bytes, size_t len,
                      struct pj_error *err)
{
    while (len > 0) {
        const char *end = memchr(bytes, '\n', len);
        size_t part = end != NULL ? (size_t)(end - bytes) : len;
        pj_status status = PJ_OK;
        if (end == NULL || r->len > 0) {
            status = keep(r, bytes, part, err);
        } else if (part > LINE_MAX_B) {
            status = keep(r, bytes, part, err); /* refused there */
        }
        if (status == PJ_OK && end != NULL) {
            bool joined = r->len > 0;
            size_t line_len = joined ? r->len : part;
            r->len = 0;
            const char *line = joined ? r->line : bytes;
            status = read_line(r, line, line_len, false, NULL, err);
            r->hash = pji_fnv1a(pji_fnv1a(r->hash, line, line_len), "\n", 1);
        }
        if (status != PJ_OK) {
            return status;
        }
        part += end != NULL ? 1 : 0;
        bytes += part;
        len -= part;
    }
    return PJ_OK;
}

pj_status pji_trace_reader_feed(struct pji_trace_reader *reader, const void *bytes, size_t len,
                                struct pj_error *err)
{
    if (reader->failed != PJ_OK) {
        return pji_fail(err, reader->failed, "%s: reading went on after a failure",
                        reader->place.name);
    }
    reader->failed = feed(reader, bytes, len, err);
    return reader->failed;
}

pj_status pji_trace_reader_end(struct pji_trace_reader *reader, bool *complete, bool *torn,
                               struct pj_error *err)
{
    bool is_torn = false;
    pj_status status = reader->failed;
    if (status == PJ_OK && reader->len > 0) {
        size_t len = reader->len;
        reader->len = 0;
        status = read_line(reader, reader->line, len, true, &is_torn, err);
    }
    if (status == PJ_OK && !reader->has_header) {
        status = pji_fail(err, PJ_ECORRUPT, "%s: no header: this is not a perjoule trace",
                          reader->place.name);
    }
    reader->failed = status;
    if (complete != NULL) {
        *complete = reader->has_footer;
    }
    if (torn != NULL) {
        *torn = is_torn;
    }
    return status;
}
