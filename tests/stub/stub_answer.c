/* tests/stub/stub_answer.c - reads a completion request and writes its answer; see stub.h.
 *
 * Keys are found by their quoted name followed by a colon: inside a JSON string a quote is always
 * escaped, so that a prompt cannot be mistaken for a key.
 */
#include "stub.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void stub_add(struct stub_buf *b, const void *bytes, size_t n)
{
    if (b->n + n + 1 > b->cap) {
        b->cap = (b->n + n + 1) * 2;
        b->p = realloc(b->p, b->cap);
        if (!b->p)
            abort();
    }
    memcpy(b->p + b->n, bytes, n);
    b->n += n;
    b->p[b->n] = '\0';
}

void stub_puts(struct stub_buf *b, const char *text)
{
    stub_add(b, text, strlen(text));
}

void stub_printf(struct stub_buf *b, const char *format, ...)
{
    char text[4096];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    stub_add(b, text, n < (int)sizeof text ? (size_t)n : sizeof text - 1);
}

static const char *find_value(const char *body, const char *key)
{
    char quoted[64];
    const char *found = NULL;
    size_t n = (size_t)snprintf(quoted, sizeof quoted, "\"%s\"", key);
    for (const char *p = body; (p = strstr(p, quoted)) != NULL;) {
        p += n;
        const char *q = p + strspn(p, " \t\r\n");
        if (*q == ':')
            found = q + 1 + strspn(q + 1, " \t\r\n");
    }
    return found;
}

static int64_t int_value(const char *body, const char *key, int64_t fallback)
{
    const char *p = find_value(body, key);
    return p && (isdigit((unsigned char)*p) || *p == '-') ? strtoll(p, NULL, 10) : fallback;
}

static bool true_value(const char *body, const char *key)
{
    const char *p = find_value(body, key);
    return p && strncmp(p, "true", 4) == 0;
}

/* A JSON string without its escapes (\u becomes '?'); the caller frees. */
static char *string_value(const char *p)
{
    struct stub_buf b = {0};
    stub_add(&b, "", 0);
    if (!p || *p != '"')
        return b.p;
    for (p++; *p && *p != '"'; p++) {
        char c = *p;
        if (c == '\\' && p[1]) {
            c = *++p;
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
            if (c == 'u' && strlen(p) > 4) {
                p += 4;
                c = '?';
            }
        }
        stub_add(&b, &c, 1);
    }
    return b.p;
}

static int64_t count_words(const char *text)
{
    int64_t n = 0;
    for (bool inside = false; *text; text++) {
        bool blank = isspace((unsigned char)*text) != 0;
        n += !blank && !inside;
        inside = !blank;
    }
    return n > 0 ? n : 1;
}

static char *choose_answer(const struct stub_options *o, const char *prompt, int64_t number)
{
    if (o->answer)
        return strdup(o->answer);
    if (!o->echo_after)
        return NULL;
    if (o->wrong_every > 0 && number % o->wrong_every == 0)
        return strdup(" perhaps");
    const char *found = NULL;
    for (const char *p = prompt; (p = strstr(p, o->echo_after)) != NULL;)
        found = p += strlen(o->echo_after);
    if (!found)
        return strdup(" perhaps");
    char *text = NULL;
    return asprintf(&text, " %.*s", (int)strcspn(found, "\n"), found) < 0 ? NULL : text;
}

void stub_job_read(struct stub_job *job, const struct stub_options *o, bool chat, const char *body,
                   int64_t number)
{
    char *prompt = string_value(find_value(body, chat ? "content" : "prompt"));
    *job = (struct stub_job){.chat = chat, .fault = N_FAULTS, .state = 0xcbf29ce484222325u};
    job->stream = true_value(body, "stream");
    job->ignore_eos = !o->own_length && true_value(body, "ignore_eos");
    job->max_tokens = int_value(body, "max_tokens", int_value(body, "max_completion_tokens", 16));
    job->prompt_tokens = count_words(prompt);
    for (const char *p = prompt; *p; p++)
        job->state = (job->state ^ (unsigned char)*p) * 0x100000001b3u;
    job->answer = choose_answer(o, prompt, number);
    int64_t own = job->answer ? count_words(job->answer) : o->tokens;
    bool cut = job->ignore_eos || own >= job->max_tokens;
    job->n_tokens = cut ? job->max_tokens : own;
    job->finish = cut ? "length" : "stop";
    for (int f = 0; f < N_FAULTS; f++)
        if (o->every[f] > 0 && number % o->every[f] == 0)
            job->fault = (enum stub_fault)f;
    free(prompt);
}

void stub_job_fini(struct stub_job *job)
{
    free(job->answer);
    job->answer = NULL;
}

static const char *const words[] = {"the",   "light", "of",     "a",     "small", "river", "and",
                                    "its",   "stone", "bridge", "under", "long",  "rain",  "where",
                                    "birds", "sing",  "while",  "trees", "grow",  "old",   "in",
                                    "green", "air",   "with",   "one",   "clear", "note",  "that",
                                    "stays", "until", "night",  "falls"};

/* Text of the next token. */
static void add_token(struct stub_job *job, struct stub_buf *out)
{
    if (job->answer && job->answer[job->answer_at]) {
        const char *p = job->answer + job->answer_at;
        size_t n = strspn(p, " ");
        n += strcspn(p + n, " ");
        for (size_t i = 0; i < n; i++) {
            if (p[i] == '"' || p[i] == '\\')
                stub_puts(out, "\\");
            stub_add(out, p[i] == '\t' ? " " : p + i, 1);
        }
        job->answer_at += n;
        return;
    }
    job->state ^= job->state << 13;
    job->state ^= job->state >> 7;
    job->state ^= job->state << 17;
    stub_puts(out, " ");
    stub_puts(out, words[job->state % 32]);
}

static void add_usage(const struct stub_job *job, const struct stub_options *o,
                      struct stub_buf *out)
{
    long long prompt = job->prompt_tokens, done = job->sent_tokens;
    stub_printf(out,
                "\"usage\":{\"prompt_tokens\":%lld,\"completion_tokens\":%lld,"
                "\"total_tokens\":%lld",
                prompt, done, prompt + done);
    if (o->cached >= 0)
        stub_printf(out, ",\"prompt_tokens_details\":{\"cached_tokens\":%lld}",
                    (long long)o->cached);
    stub_puts(out, "}");
}

/* One HTTP chunk that holds one event. */
static void add_event(const struct stub_options *o, struct stub_buf *out,
                      const struct stub_buf *data)
{
    const char *eol = o->crlf ? "\r\n" : "\n";
    char size[32];
    int n = snprintf(size, sizeof size, "%zx\r\n", data->n + 6 + 2 * strlen(eol));
    stub_add(out, size, (size_t)n);
    stub_add(out, "data: ", 6);
    stub_add(out, data->p, data->n);
    stub_puts(out, eol);
    stub_puts(out, eol);
    stub_add(out, "\r\n", 2);
}

static void begin_data(const struct stub_job *job, struct stub_buf *data)
{
    data->n = 0;
    stub_puts(data, job->chat ? "{\"id\":\"stub\",\"object\":\"chat.completion.chunk\","
                                "\"created\":1,\"model\":\"stub\",\"choices\":["
                              : "{\"id\":\"stub\",\"object\":\"text_completion\","
                                "\"created\":1,\"model\":\"stub\",\"choices\":[");
}

static void begin_text(const struct stub_job *job, const struct stub_options *o,
                       struct stub_buf *data)
{
    begin_data(job, data);
    if (!job->chat)
        stub_puts(data, "{\"index\":0,\"text\":\"");
    else if (job->sent_tokens < o->reasoning)
        stub_puts(data, "{\"index\":0,\"delta\":{\"reasoning_content\":\"");
    else
        stub_puts(data, "{\"index\":0,\"delta\":{\"content\":\"");
}

static void end_text(const struct stub_job *job, const struct stub_options *o, const char *finish,
                     struct stub_buf *data)
{
    stub_puts(data, job->chat ? "\"}," : "\",");
    stub_puts(data, "\"finish_reason\":");
    stub_puts(data, finish ? "\"" : "null");
    if (finish) {
        stub_puts(data, finish);
        stub_puts(data, "\"");
    }
    stub_puts(data, "}]");
    if (o->usage_each) {
        stub_puts(data, ",");
        add_usage(job, o, data);
    }
    stub_puts(data, "}");
}

static void end_stream(struct stub_job *job, const struct stub_options *o, struct stub_buf *out,
                       struct stub_buf *data)
{
    if (!o->no_usage) {
        begin_data(job, data);
        stub_puts(data, "],");
        add_usage(job, o, data);
        stub_puts(data, "}");
        add_event(o, out, data);
    }
    if (job->fault != FAULT_NO_DONE) {
        data->n = 0;
        stub_puts(data, "[DONE]");
        add_event(o, out, data);
    }
    stub_puts(out, "0\r\n\r\n");
    job->ended = true;
}

static void begin_stream(struct stub_job *job, const struct stub_options *o, struct stub_buf *out,
                         struct stub_buf *data)
{
    job->head_sent = true;
    stub_puts(out, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
                   "Transfer-Encoding: chunked\r\n\r\n");
    if (o->empty_first) {
        begin_text(job, o, data);
        end_text(job, o, NULL, data);
        add_event(o, out, data);
    }
}

/* What happens in the middle of a stream; true: the stream goes on. */
static bool meet_fault(struct stub_job *job, const struct stub_options *o, struct stub_buf *out,
                       struct stub_buf *data)
{
    data->n = 0;
    if (job->fault == FAULT_GARBAGE)
        stub_puts(data, "{\"choices\":[{\"text\":\"bro");
    else if (job->fault == FAULT_ERROR)
        stub_puts(data, "{\"error\":{\"message\":\"the model ran out of memory\",\"code\":500}}");
    if (data->n > 0)
        add_event(o, out, data);
    return job->fault != FAULT_CUT && job->fault != FAULT_RESET;
}

bool stub_job_event(struct stub_job *job, const struct stub_options *o, struct stub_buf *out)
{
    static struct stub_buf data;
    if (!job->head_sent)
        begin_stream(job, o, out, &data);
    if (job->fault != N_FAULTS && job->sent_tokens >= job->n_tokens / 2 &&
        !meet_fault(job, o, out, &data))
        return false;
    if (job->fault == FAULT_EMPTY)
        job->n_tokens = 0;
    begin_text(job, o, &data);
    bool reasoning = job->chat && job->sent_tokens < o->reasoning;
    for (int64_t i = 0; i < o->tokens_per_chunk && job->sent_tokens < job->n_tokens; i++) {
        if (job->chat && reasoning != (job->sent_tokens < o->reasoning))
            break;
        add_token(job, &data);
        job->sent_tokens++;
    }
    bool last = job->sent_tokens >= job->n_tokens;
    end_text(job, o, last ? job->finish : NULL, &data);
    add_event(o, out, &data);
    if (last)
        end_stream(job, o, out, &data);
    return true;
}

void stub_job_whole(struct stub_job *job, const struct stub_options *o, struct stub_buf *out)
{
    static struct stub_buf body;
    body.n = 0;
    if (job->fault == FAULT_EMPTY)
        job->n_tokens = 0;
    stub_printf(&body,
                "{\"id\":\"stub\",\"object\":\"%s\",\"created\":1,\"model\":\"stub\","
                "\"choices\":[{\"index\":0,\"finish_reason\":\"%s\",",
                job->chat ? "chat.completion" : "text_completion", job->finish);
    stub_puts(&body,
              job->chat ? "\"message\":{\"role\":\"assistant\",\"content\":\"" : "\"text\":\"");
    for (; job->sent_tokens < job->n_tokens; job->sent_tokens++)
        add_token(job, &body);
    stub_puts(&body, job->chat ? "\"}}]" : "\"}]");
    if (!o->no_usage) {
        stub_puts(&body, ",");
        add_usage(job, o, &body);
    }
    stub_puts(&body, job->fault == FAULT_GARBAGE ? "" : "}");
    stub_respond(out, 200, "application/json", body.p, body.n);
    job->ended = true;
}

void stub_respond(struct stub_buf *out, int status, const char *type, const char *body, size_t n)
{
    const char *reason = status == 200   ? "OK"
                         : status == 401 ? "Unauthorized"
                         : status == 404 ? "Not Found"
                         : status == 400 ? "Bad Request"
                         : status == 503 ? "Service Unavailable"
                                         : "Internal Server Error";
    char head[256];
    int len = snprintf(head, sizeof head,
                       "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", status,
                       reason, type, n);
    stub_add(out, head, (size_t)len);
    stub_add(out, body, n);
}
