/* load/chunk.c - see chunk.h. Shapes: OpenAI API reference (completions, chat completions and their
 * streams); reasoning text is "reasoning_content" (DeepSeek, llama.cpp, older vLLM) or "reasoning"
 * (newer vLLM, which may send both with the same text); errors are {"error": {"message"}},
 * {"error": "…"}, {"object": "error", "message"} (older vLLM) or {"detail"} (FastAPI).
 */
#include "load/chunk.h"

#include "load/scan.h"

#include <stdio.h>
#include <string.h>

struct reader {
    struct pji_scan scan;
    struct pji_str *text, *reasoning;
    struct pji_chunk *chunk;
    bool bad_text;
};

static void read_text(struct reader *r, struct pji_str *out)
{
    struct pji_slice slice;
    if (pji_scan_peek(&r->scan) != '"')
        pji_scan_skip(&r->scan);
    else if (pji_scan_string(&r->scan, &slice) && !pji_slice_decode(slice, out))
        r->bad_text = true;
}

static void read_short(struct reader *r, char *out, size_t size)
{
    struct pji_str copy = {0};
    out[0] = '\0';
    if (pji_scan_peek(&r->scan) != '"') { /* null, nearly always */
        pji_scan_skip(&r->scan);
        return;
    }
    read_text(r, &copy);
    snprintf(out, size, "%s", pji_str_text(&copy));
    pji_str_fini(&copy);
}

/* "delta" or "message" */
static void read_message(struct reader *r)
{
    struct pji_slice key;
    size_t before = r->reasoning->len;
    if (pji_scan_peek(&r->scan) != '{') {
        pji_scan_skip(&r->scan);
        return;
    }
    pji_scan_enter(&r->scan, '{');
    while (pji_scan_member(&r->scan, &key)) {
        if (pji_slice_is(key, "content"))
            read_text(r, r->text);
        else if (r->reasoning->len == before &&
                 (pji_slice_is(key, "reasoning_content") || pji_slice_is(key, "reasoning")))
            read_text(r, r->reasoning);
        else
            pji_scan_skip(&r->scan);
    }
}

static void cut_back(struct pji_str *s, size_t len)
{
    if (s->len > len) {
        s->len = len;
        s->text[len] = '\0';
    }
}

static void read_choice(struct reader *r)
{
    struct pji_slice key;
    size_t text_len = r->text->len, reasoning_len = r->reasoning->len;
    int64_t index = 0;
    char finish[sizeof r->chunk->finish] = "";
    if (!pji_scan_enter(&r->scan, '{'))
        return;
    while (pji_scan_member(&r->scan, &key)) {
        if (pji_slice_is(key, "text"))
            read_text(r, r->text);
        else if (pji_slice_is(key, "delta") || pji_slice_is(key, "message"))
            read_message(r);
        else if (pji_slice_is(key, "finish_reason"))
            read_short(r, finish, sizeof finish);
        else if (pji_slice_is(key, "index"))
            index = pji_scan_count(&r->scan);
        else
            pji_scan_skip(&r->scan);
    }
    if (index > 0) {
        cut_back(r->text, text_len);
        cut_back(r->reasoning, reasoning_len);
    } else if (finish[0]) {
        memcpy(r->chunk->finish, finish, sizeof finish);
    }
}

static void read_choices(struct reader *r)
{
    if (pji_scan_peek(&r->scan) != '[') {
        pji_scan_skip(&r->scan);
        return;
    }
    pji_scan_enter(&r->scan, '[');
    while (pji_scan_element(&r->scan))
        read_choice(r);
}

static void read_details(struct reader *r)
{
    struct pji_slice key;
    if (pji_scan_peek(&r->scan) != '{') {
        pji_scan_skip(&r->scan);
        return;
    }
    pji_scan_enter(&r->scan, '{');
    while (pji_scan_member(&r->scan, &key)) {
        if (pji_slice_is(key, "cached_tokens"))
            r->chunk->cached_tokens = pji_scan_count(&r->scan);
        else
            pji_scan_skip(&r->scan);
    }
}

static void read_usage(struct reader *r)
{
    struct pji_slice key;
    if (pji_scan_peek(&r->scan) != '{') {
        pji_scan_skip(&r->scan);
        return;
    }
    r->chunk->has_usage = true;
    pji_scan_enter(&r->scan, '{');
    while (pji_scan_member(&r->scan, &key)) {
        if (pji_slice_is(key, "prompt_tokens"))
            r->chunk->prompt_tokens = pji_scan_count(&r->scan);
        else if (pji_slice_is(key, "completion_tokens"))
            r->chunk->output_tokens = pji_scan_count(&r->scan);
        else if (pji_slice_is(key, "prompt_tokens_details"))
            read_details(r);
        else
            pji_scan_skip(&r->scan);
    }
}

static void read_error(struct reader *r)
{
    struct pji_slice key;
    struct pji_chunk *chunk = r->chunk;
    char c = pji_scan_peek(&r->scan);
    chunk->has_error = c != 'n';
    if (c == '"') {
        read_short(r, chunk->error, sizeof chunk->error);
    } else if (c != '{') {
        pji_scan_skip(&r->scan);
    } else {
        pji_scan_enter(&r->scan, '{');
        while (pji_scan_member(&r->scan, &key)) {
            if (pji_slice_is(key, "message"))
                read_short(r, chunk->error, sizeof chunk->error);
            else
                pji_scan_skip(&r->scan);
        }
    }
}

static void read_root(struct reader *r)
{
    struct pji_slice key;
    struct pji_chunk *chunk = r->chunk;
    struct pji_slice object = {"", 0};
    char message[sizeof chunk->error];
    message[0] = '\0';
    if (!pji_scan_enter(&r->scan, '{'))
        return;
    while (pji_scan_member(&r->scan, &key)) {
        if (pji_slice_is(key, "choices"))
            read_choices(r);
        else if (pji_slice_is(key, "usage"))
            read_usage(r);
        else if (pji_slice_is(key, "error"))
            read_error(r);
        else if (pji_slice_is(key, "message") || pji_slice_is(key, "detail"))
            read_short(r, message, sizeof message);
        else if (pji_slice_is(key, "object") && pji_scan_peek(&r->scan) == '"')
            (void)pji_scan_string(&r->scan, &object);
        else
            pji_scan_skip(&r->scan);
    }
    if (pji_slice_is(object, "error"))
        chunk->has_error = true;
    if (!chunk->error[0] && message[0])
        memcpy(chunk->error, message, sizeof message);
}

pj_status pji_chunk_parse(const char *json, size_t len, struct pji_str *text,
                          struct pji_str *reasoning, struct pji_chunk *chunk, struct pj_error *err)
{
    struct reader r = {.text = text, .reasoning = reasoning, .chunk = chunk};
    chunk->has_usage = chunk->has_error = false;
    chunk->prompt_tokens = chunk->cached_tokens = chunk->output_tokens = -1;
    chunk->finish[0] = chunk->error[0] = '\0'; /* a stream is thousands of these */
    pji_scan_init(&r.scan, json, len);
    read_root(&r);
    if (!pji_scan_end(&r.scan))
        return pji_fail(err, PJ_EPEER, "the server sent something that is not a JSON object: %.*s",
                        len > 80 ? 80 : (int)len, json);
    if (r.bad_text)
        return pji_fail(err, PJ_EPEER, "the server sent text that is not UTF-8");
    if (text->failed || reasoning->failed)
        return pji_fail(err, PJ_ENOMEM, "out of memory while collecting an answer");
    return PJ_OK;
}
