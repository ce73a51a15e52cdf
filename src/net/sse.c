/* net/sse.c - see sse.h. The grammar is that of the WHATWG HTML standard, section 9.2.5; of its
 * fields "data" matters here, and the type "error", with which some servers end a stream; others
 * (llama.cpp until 2025) do so with a field of their own, "error: {…}", which is read as both.
 */
#include "net/sse.h"

#include <string.h>

void pji_sse_init(struct pji_sse *sse)
{
    *sse = (struct pji_sse){0};
}

void pji_sse_reset(struct pji_sse *sse)
{
    pji_str_clear(&sse->line);
    pji_str_clear(&sse->data);
    sse->held = NULL;
    sse->held_len = 0;
    sse->bom = 0;
    sse->cr = sse->has_data = sse->is_error = false;
}

void pji_sse_fini(struct pji_sse *sse)
{
    pji_str_fini(&sse->line);
    pji_str_fini(&sse->data);
}

static pj_status too_long(struct pj_error *err)
{
    return pji_fail(err, PJ_EPEER,
                    "the server sent an event of more than %d MiB: not a token stream",
                    PJI_SSE_LIMIT / (1024 * 1024));
}

/* Moves the held line into the buffer, because its bytes are about to go or a second line came. */
static pj_status settle(struct pji_sse *sse, struct pj_error *err)
{
    if (sse->held) {
        pji_str_addn(&sse->data, sse->held, sse->held_len);
        sse->held = NULL;
    }
    return pji_str_ok(&sse->data, err);
}

static pj_status dispatch(struct pji_sse *sse, pji_sse_fn *fn, void *context, struct pj_error *err)
{
    if (!sse->has_data) {
        sse->is_error = false;
        return PJ_OK;
    }
    const char *data = sse->held ? sse->held : pji_str_text(&sse->data);
    size_t len = sse->held ? sse->held_len : sse->data.len;
    sse->has_data = false;
    sse->held = NULL;
    sse->held_len = 0;
    pj_status status = fn(context, data, len, err);
    sse->is_error = false;
    if (sse->data.len > 0)
        pji_str_clear(&sse->data);
    return status;
}

/* "event: error" */
static bool names_error(const char *line, size_t len)
{
    size_t skip = len > 6 && line[6] == ' ' ? 7 : 6;
    return len == skip + 5 && memcmp(line, "event:", 6) == 0 &&
           memcmp(line + skip, "error", 5) == 0;
}

/* One whole line without its end. `stays`: the bytes live until the feed returns. */
static pj_status take_line(struct pji_sse *sse, const char *line, size_t len, bool stays,
                           pji_sse_fn *fn, void *context, struct pj_error *err)
{
    if (len == 0)
        return dispatch(sse, fn, context, err);
    size_t name = len >= 4 && memcmp(line, "data", 4) == 0 ? 4 : 0;
    if (name == 0) {
        name = len >= 6 && memcmp(line, "error:", 6) == 0 ? 5 : 0;
        sse->is_error = sse->is_error || name > 0 || names_error(line, len);
    }
    if (name == 0 || (len > name && line[name] != ':'))
        return PJ_OK;
    size_t skip = len > name ? name + 1 : name;
    if (skip < len && line[skip] == ' ')
        skip++;
    line += skip;
    len -= skip;
    if (len > PJI_SSE_LIMIT || sse->data.len + sse->held_len > PJI_SSE_LIMIT - len)
        return too_long(err);
    if (!sse->has_data && stays) {
        sse->held = line;
        sse->held_len = len;
        sse->has_data = true;
        return PJ_OK;
    }
    pj_status status = settle(sse, err);
    sse->held_len = 0;
    if (status)
        return status;
    if (sse->has_data)
        pji_str_addc(&sse->data, '\n');
    pji_str_addn(&sse->data, line, len);
    sse->has_data = true;
    return pji_str_ok(&sse->data, err);
}

/* Skips a byte order mark at the very start, also one that is split; what looked like one and is
 * not becomes the start of a line. */
static void skip_bom(struct pji_sse *sse, const char **bytes, size_t *len)
{
    static const char mark[3] = {'\xef', '\xbb', '\xbf'};
    while (sse->bom < 3 && *len > 0) {
        if (**bytes != mark[sse->bom]) {
            pji_str_addn(&sse->line, mark, sse->bom);
            sse->bom = 3;
            return;
        }
        sse->bom++;
        (*bytes)++;
        (*len)--;
    }
}

static const char *line_end(const char *bytes, size_t len)
{
    const char *lf = memchr(bytes, '\n', len);
    const char *cr = memchr(bytes, '\r', lf ? (size_t)(lf - bytes) : len);
    return cr ? cr : lf;
}

static pj_status feed(struct pji_sse *sse, const char *bytes, size_t len, pji_sse_fn *fn,
                      void *context, struct pj_error *err)
{
    while (len > 0) {
        if (sse->cr && *bytes == '\n') {
            bytes++;
            len--;
        }
        sse->cr = false;
        const char *end = len > 0 ? line_end(bytes, len) : NULL;
        size_t n = end ? (size_t)(end - bytes) : len;
        if (!end || sse->line.len > 0) {
            pji_str_addn(&sse->line, bytes, n);
            if (sse->line.len > PJI_SSE_LIMIT)
                return too_long(err);
            if (!end)
                return pji_str_ok(&sse->line, err);
        }
        pj_status status = PJ_OK;
        if (sse->line.len > 0) {
            status = pji_str_ok(&sse->line, err);
            if (!status)
                status = take_line(sse, pji_str_text(&sse->line), sse->line.len, false, fn, context,
                                   err);
            pji_str_clear(&sse->line);
        } else {
            status = take_line(sse, bytes, n, true, fn, context, err);
        }
        if (status)
            return status;
        sse->cr = *end == '\r';
        bytes += n + 1;
        len -= n + 1;
    }
    return PJ_OK;
}

pj_status pji_sse_feed(struct pji_sse *sse, const char *bytes, size_t len, pji_sse_fn *fn,
                       void *context, struct pj_error *err)
{
    if (sse->bom < 3)
        skip_bom(sse, &bytes, &len);
    sse->held_len = 0;
    pj_status status = feed(sse, bytes, len, fn, context, err);
    pj_status settled = status ? PJ_OK : settle(sse, err);
    sse->held = NULL;
    sse->held_len = 0;
    return status ? status : settled;
}
