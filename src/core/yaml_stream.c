/* core/yaml_stream.c - what libfyaml 0.7.12 does that a reader of files must know:
 * it takes a NUL for the end of the text, bytes that are not UTF-8 for an empty value and control
 * characters for text, each without a word; fy_token_get_text leaks memory on text with many
 * escapes; the mark of quoted text and of an alias is behind its first character.
 */
#include "core/yaml_stream.h"

#include "core/str.h"

#include <stdlib.h>
#include <string.h>

static void say_nothing(struct fy_diag *diag, void *user, const char *text, size_t len)
{
    (void)diag;
    (void)user;
    (void)text;
    (void)len;
}

static pj_status check_bytes(struct pji_yaml_stream *stream, const char *text, size_t len)
{
    size_t good = pji_utf8_span(text, len);
    for (size_t i = 0; i < good; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
            good = i;
    }
    if (good == len)
        return PJ_OK;
    struct pji_yaml_place place = {1, 1};
    for (size_t i = 0; i < good; i++) {
        place.column = text[i] == '\n' ? 1 : place.column + 1;
        place.line += text[i] == '\n';
    }
    unsigned char bad = (unsigned char)text[good];
    return pji_fail(stream->err, PJ_EINVAL,
                    "%s:%zu:%zu: the byte 0x%02x has no place in UTF-8 text", stream->name,
                    place.line, place.column, bad);
}

static pj_status out_of_memory(struct pji_yaml_stream *stream)
{
    return pji_fail(stream->err, PJ_ENOMEM, "%s: out of memory", stream->name);
}

pj_status pji_yaml_stream_open(struct pji_yaml_stream *stream, const char *text, size_t len,
                               const char *name, struct pj_error *err)
{
    *stream = (struct pji_yaml_stream){.name = name, .err = err};
    pj_status status = check_bytes(stream, text, len);
    if (status)
        return status;
    struct fy_diag_cfg quiet = {.output_fn = say_nothing, .level = FYET_ERROR};
    quiet.module_mask = (1U << FYEM_MAX) - 1;
    stream->diag = fy_diag_create(&quiet);
    if (!stream->diag)
        return out_of_memory(stream);
    fy_diag_set_collect_errors(stream->diag, true);
    unsigned flags = FYPCF_QUIET | FYPCF_JSON_NONE; /* a set: none of the enumerators */
    struct fy_parse_cfg config = {.flags = (enum fy_parse_cfg_flags)flags, .diag = stream->diag};
    stream->parser = fy_parser_create(&config);
    if (!stream->parser || fy_parser_set_string(stream->parser, text, len))
        return out_of_memory(stream);
    return PJ_OK;
}

void pji_yaml_stream_close(struct pji_yaml_stream *stream)
{
    if (stream->parser)
        fy_parser_destroy(stream->parser);
    if (stream->diag)
        fy_diag_destroy(stream->diag);
    *stream = (struct pji_yaml_stream){0};
}

/* libfyaml failed: its first complaint, which is the cause. */
static pj_status complain_as_libfyaml(struct pji_yaml_stream *stream)
{
    void *at = NULL;
    const struct fy_diag_error *fault = fy_diag_errors_iterate(stream->diag, &at);
    if (!fault)
        return pji_fail(stream->err, PJ_EINVAL, "%s: not valid YAML", stream->name);
    size_t len = strcspn(fault->msg, "\n");
    return pji_fail(stream->err, PJ_EINVAL, "%s:%d:%d: not valid YAML: %.*s", stream->name,
                    fault->line > 0 ? fault->line : 1, fault->column > 0 ? fault->column : 1,
                    (int)len, fault->msg);
}

pj_status pji_yaml_stream_next(struct pji_yaml_stream *stream, struct fy_event **event)
{
    *event = fy_parser_parse(stream->parser);
    if (*event && !fy_parser_get_stream_error(stream->parser))
        return PJ_OK;
    pji_yaml_stream_free(stream, *event);
    *event = NULL;
    return complain_as_libfyaml(stream);
}

void pji_yaml_stream_free(struct pji_yaml_stream *stream, struct fy_event *event)
{
    if (event)
        fy_parser_event_free(stream->parser, event);
}

static struct pji_yaml_place place_of_mark(const struct fy_mark *mark)
{
    if (!mark || mark->line < 0 || mark->column < 0)
        return (struct pji_yaml_place){1, 1};
    return (struct pji_yaml_place){(size_t)mark->line + 1, (size_t)mark->column + 1};
}

struct pji_yaml_place pji_yaml_place(struct fy_event *event)
{
    struct pji_yaml_place place = place_of_mark(fy_event_start_mark(event));
    enum fy_node_style style = fy_event_get_node_style(event);
    bool behind =
        style == FYNS_SINGLE_QUOTED || style == FYNS_DOUBLE_QUOTED || event->type == FYET_ALIAS;
    if (behind && place.column > 1)
        place.column--;
    return place;
}

struct pji_yaml_place pji_yaml_tag_place(struct fy_token *tag)
{
    return place_of_mark(fy_token_start_mark(tag));
}

/* Chunk by chunk; `text` is allocated even when it is empty. */
static pj_status gather(struct pji_yaml_stream *stream, struct fy_token *token,
                        struct pji_yaml_place place, struct pji_str *text)
{
    struct fy_token_iter *iter = token ? fy_token_iter_create(token) : NULL;
    const struct fy_iter_chunk *chunk = NULL;
    int fault = 0;
    if (token && !iter)
        return out_of_memory(stream);
    pji_str_addn(text, "", 0);
    while (iter && (chunk = fy_token_iter_chunk_next(iter, chunk, &fault)))
        pji_str_addn(text, chunk->str, chunk->len);
    if (iter)
        fy_token_iter_destroy(iter);
    if (fault)
        return pji_yaml_complain(stream, place, "not valid YAML: this text cannot be read");
    pj_status status = pji_str_ok(text, stream->err);
    if (!status && memchr(text->text, '\0', text->len))
        status = pji_yaml_complain(stream, place, "text must not contain a NUL character");
    return status;
}

char *pji_yaml_token_text(struct pji_yaml_stream *stream, struct fy_token *token,
                          struct pji_yaml_place place)
{
    struct pji_str text = {0};
    if (gather(stream, token, place, &text) == PJ_OK)
        return pji_str_take(&text);
    pji_str_fini(&text);
    return NULL;
}

pj_status pji_yaml_complain(struct pji_yaml_stream *stream, struct pji_yaml_place place,
                            const char *what)
{
    return pji_fail(stream->err, PJ_EINVAL, "%s:%zu:%zu: %s", stream->name, place.line,
                    place.column, what);
}
