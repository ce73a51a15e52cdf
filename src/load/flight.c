/* load/flight.c - the life of one request: body, answer as it arrives, record.
 *
 * An answer counts as good only when HTTP said 2xx, every event was a JSON object without an error,
 * "[DONE]" came (streams), the transfer ended cleanly and there was text. Everything else is an
 * error with a sentence; what had arrived by then stays in the record.
 */
#include "load/run.h"

#include "core/array.h"
#include "load/chunk.h"
#include "load/scan.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { PAGE_LIMIT = 64 * 1024 * 1024, ERROR_PAGE_LIMIT = 16 * 1024, SHOWN_PAGE = 200 };

pj_status pji_flight_new(struct pji_flight **out, struct pji_run *run, int64_t stream,
                         struct pj_error *err)
{
    struct pji_flight *f = pji_zalloc(1, sizeof *f, err);
    *out = f;
    if (!f)
        return PJ_ENOMEM;
    f->run = run;
    f->stream = stream;
    pji_sse_init(&f->sse);
    return PJ_OK;
}

void pji_flight_free(struct pji_flight *f)
{
    if (!f)
        return;
    pji_sse_fini(&f->sse);
    pji_str_fini(&f->body);
    pji_str_fini(&f->page);
    pji_str_fini(&f->text);
    pji_str_fini(&f->reasoning);
    free(f->token_ns);
    free(f);
}

static const struct pji_request_spec *spec_of(const struct pji_flight *f)
{
    return &f->run->plan->specs[f->record->spec];
}

static const char *url_of(const struct pji_flight *f)
{
    return spec_of(f)->api == PJI_API_CHAT ? f->run->chat_url : f->run->completions_url;
}

static pj_status stamp_text(struct pji_flight *f, struct pj_error *err)
{
    struct pji_request_record *r = f->record;
    pj_status status =
        pji_array_reserve(&f->token_ns, &f->cap, f->n_tokens + 1, sizeof *f->token_ns, err);
    if (status)
        return status;
    f->token_ns[f->n_tokens++] = f->read_ns;
    if (r->first_token_ns == 0)
        r->first_token_ns = f->read_ns;
    r->last_token_ns = f->read_ns;
    f->run->output_tokens++;
    f->run->changed = true;
    return PJ_OK;
}

static void note_usage(struct pji_request_record *r, const struct pji_chunk *chunk)
{
    if (chunk->prompt_tokens >= 0)
        r->prompt_tokens = chunk->prompt_tokens;
    if (chunk->cached_tokens >= 0)
        r->cached_tokens = chunk->cached_tokens;
    if (chunk->output_tokens >= 0)
        r->output_tokens = chunk->output_tokens;
}

/* One JSON object of the server; `streamed`: its text gets a time stamp. */
static pj_status take_object(struct pji_flight *f, const char *json, size_t len, bool streamed,
                             struct pj_error *err)
{
    struct pji_chunk chunk;
    size_t before = f->text.len + f->reasoning.len;
    pj_status status = pji_chunk_parse(json, len, &f->text, &f->reasoning, &chunk, err);
    if (status)
        return status;
    if (chunk.has_error)
        return pji_fail(err, PJ_EPEER, "the server reported an error%s: %s",
                        streamed ? " inside its answer" : "",
                        chunk.error[0] ? chunk.error : "(without a message)");
    if (chunk.has_usage)
        note_usage(f->record, &chunk);
    if (chunk.finish[0])
        memcpy(f->record->finish, chunk.finish, sizeof chunk.finish);
    if (f->text.len + f->reasoning.len > PAGE_LIMIT)
        return pji_fail(err, PJ_EPEER, "the server sent more than %d MiB of text",
                        PAGE_LIMIT / (1024 * 1024));
    return streamed && f->text.len + f->reasoning.len > before ? stamp_text(f, err) : PJ_OK;
}

/* An event of type "error", whatever its data is. */
static pj_status take_error(const char *data, size_t len, struct pj_error *err)
{
    struct pji_chunk chunk = {.error = ""};
    struct pji_str text = {0}, reasoning = {0};
    char excerpt[PJI_EXCERPT];
    pj_status status = pji_chunk_parse(data, len, &text, &reasoning, &chunk, NULL);
    pji_str_fini(&text);
    pji_str_fini(&reasoning);
    return pji_fail(err, PJ_EPEER, "the server reported an error inside its answer: %s",
                    status == PJ_OK && chunk.error[0] ? chunk.error
                                                      : pji_excerpt(data, len, excerpt));
}

static pj_status on_event(void *context, const char *data, size_t len, struct pj_error *err)
{
    struct pji_flight *f = context;
    if (f->done_seen)
        return PJ_OK;
    if (len == 6 && memcmp(data, "[DONE]", 6) == 0) {
        f->done_seen = true;
        return PJ_OK;
    }
    if (f->sse.is_error)
        return take_error(data, len, err);
    return take_object(f, data, len, true, err);
}

static void on_status(void *context, long http_status, const char *content_type)
{
    struct pji_flight *f = context;
    bool events = strncasecmp(content_type, "text/event-stream", 17) == 0;
    bool json = strncasecmp(content_type, "application/json", 16) == 0;
    bool whole = spec_of(f)->whole;
    f->record->http_status = http_status;
    f->kind = PJI_ANSWER_OTHER;
    if (strncmp(content_type, "compressed", 10) == 0)
        (void)pji_fail(&f->problem, PJ_EPEER, "the server's answer is %s, which nobody asked for",
                       content_type);
    else if (http_status / 100 == 2 && !whole && events)
        f->kind = PJI_ANSWER_STREAM;
    else if (http_status / 100 == 2 && whole && json)
        f->kind = PJI_ANSWER_JSON;
}

static int on_data(void *context, const char *bytes, size_t len, int64_t t_ns)
{
    struct pji_flight *f = context;
    f->read_ns = t_ns;
    if (f->kind == PJI_ANSWER_STREAM)
        return pji_sse_feed(&f->sse, bytes, len, on_event, f, &f->problem) != PJ_OK;
    size_t limit = f->kind == PJI_ANSWER_JSON ? PAGE_LIMIT : ERROR_PAGE_LIMIT;
    size_t room = limit - f->page.len;
    if (len > room && f->kind == PJI_ANSWER_JSON)
        return pji_fail(&f->problem, PJ_EPEER, "the server sent more than %d MiB of JSON",
                        PAGE_LIMIT / (1024 * 1024)) != PJ_OK;
    pji_str_addn(&f->page, bytes, len < room ? len : room);
    return 0;
}

/* ---- the end ---- */

/* What an unexpected page says, in a few words. */
static void say_page(struct pji_flight *f, struct pji_str *out)
{
    struct pji_chunk chunk = {.error = ""};
    struct pji_str text = {0}, reasoning = {0};
    pj_status status =
        pji_chunk_parse(pji_str_text(&f->page), f->page.len, &text, &reasoning, &chunk, NULL);
    pji_str_fini(&text);
    pji_str_fini(&reasoning);
    if (!status && chunk.error[0]) {
        pji_str_add(out, chunk.error);
        return;
    }
    size_t n = f->page.len < SHOWN_PAGE ? f->page.len : SHOWN_PAGE;
    if (n > 0)
        pji_str_addn(out, pji_str_text(&f->page), n);
    else
        pji_str_add(out, "(an empty page)");
}

static void judge_page(struct pji_flight *f, const char *url)
{
    struct pji_str page = {0};
    say_page(f, &page);
    const char *said = pji_str_text(&page);
    if (f->record->http_status / 100 != 2)
        (void)pji_fail(&f->problem, PJ_EPEER, "%s answered HTTP %ld: %s", url,
                       f->record->http_status, said);
    else
        (void)pji_fail(&f->problem, PJ_EPEER, "%s sent no %s although one was asked for: %s", url,
                       spec_of(f)->whole ? "JSON object" : "event stream", said);
    pji_str_fini(&page);
}

static void judge(struct pji_flight *f, const char *net_error)
{
    char url[256];
    pji_url_show(url_of(f), url, sizeof url);
    if (f->problem.code)
        return;
    if (net_error[0])
        (void)pji_fail(&f->problem, PJ_EPEER, "%s", net_error);
    else if (f->kind == PJI_ANSWER_OTHER)
        judge_page(f, url);
    else if (f->kind == PJI_ANSWER_JSON)
        (void)take_object(f, pji_str_text(&f->page), f->page.len, false, &f->problem);
    else if (!f->done_seen)
        (void)pji_fail(&f->problem, PJ_EPEER,
                       "the stream of %s ended without [DONE]: it was cut off", url);
    const char *finish = f->record->finish;
    if (!f->problem.code && (strcmp(finish, "abort") == 0 || strcmp(finish, "error") == 0))
        (void)pji_fail(&f->problem, PJ_EPEER,
                       "%s gave the answer up (finish_reason \"%s\"): it is not complete", url,
                       finish);
    if (!f->problem.code && f->text.len + f->reasoning.len == 0)
        (void)pji_fail(&f->problem, PJ_EPEER, "%s answered without any text", url);
}

/* The sentence without the API key (a server may echo it), line ends or bytes that are not UTF-8.
 */
static char *clean_sentence(const char *sentence, const char *key, struct pj_error *err)
{
    struct pji_str out = {0};
    size_t key_len = key ? strlen(key) : 0;
    for (size_t left = strlen(sentence), n; left > 0; sentence += n, left -= n) {
        n = pji_utf8_length(sentence, left);
        if (key_len > 0 && left >= key_len && memcmp(sentence, key, key_len) == 0) {
            pji_str_add(&out, "(API key)");
            n = key_len;
        } else if (n == 0) {
            pji_str_addc(&out, '?');
            n = 1;
        } else if ((unsigned char)*sentence < 0x20) {
            pji_str_addc(&out, ' ');
        } else {
            pji_str_addn(&out, sentence, n);
        }
    }
    pj_status status = pji_str_ok(&out, err);
    char *text = status ? NULL : pji_str_take(&out);
    pji_str_fini(&out);
    return text;
}

/* Copies: the slot keeps its own buffers for the next request. Exact ones, but for the API key that
 * a server echoes. */
static pj_status fill_record(struct pji_flight *f, struct pj_error *err)
{
    struct pji_request_record *r = f->record;
    const struct pji_endpoint *endpoint = f->run->plan->endpoint;
    const char *bearer = endpoint ? endpoint->bearer : NULL;
    if (f->text.len > 0 && !(r->text = pji_dupn(f->text.text, f->text.len, err)))
        return PJ_ENOMEM;
    if (f->reasoning.len > 0 &&
        !(r->reasoning = pji_dupn(f->reasoning.text, f->reasoning.len, err)))
        return PJ_ENOMEM;
    if (r->text != NULL)
        pji_hide(r->text, f->text.len, bearer);
    if (r->reasoning != NULL)
        pji_hide(r->reasoning, f->reasoning.len, bearer);
    pji_hide(r->finish, strlen(r->finish), bearer);
    if (f->n_tokens > 0) {
        r->token_ns = pji_zalloc(f->n_tokens, sizeof *r->token_ns, err);
        if (!r->token_ns)
            return PJ_ENOMEM;
        memcpy(r->token_ns, f->token_ns, f->n_tokens * sizeof *r->token_ns);
        r->n_tokens = f->n_tokens;
    }
    if (f->problem.code && !(r->error = clean_sentence(f->problem.text, bearer, err)))
        return PJ_ENOMEM;
    return PJ_OK;
}

void pji_flight_land(struct pji_flight *f, int64_t t_ns)
{
    struct pji_request_record *r = f->record;
    if (f->problem.code == PJ_ENOMEM)
        pji_run_out_of_memory(f->run);
    if (f->kind == PJI_ANSWER_JSON && f->read_ns && !f->problem.code)
        r->last_token_ns = f->read_ns;
    r->end_ns = t_ns;
    if (fill_record(f, f->run->err))
        pji_run_out_of_memory(f->run);
    if (r->output_tokens >= 0)
        f->run->output_tokens += r->output_tokens - (int64_t)f->n_tokens;
    pji_run_landed(f->run, f, t_ns);
}

/* Some servers fill in zeros where they did not count: text is never of no token. */
static void drop_zeros(struct pji_flight *f)
{
    struct pji_request_record *r = f->record;
    const char *prompt = spec_of(f)->prompt;
    if (r->output_tokens == 0 && f->text.len + f->reasoning.len > 0)
        r->output_tokens = -1;
    if (r->prompt_tokens == 0 && prompt != NULL && prompt[0] != '\0')
        r->prompt_tokens = -1;
}

static void on_done(void *context, long http_status, const char *error, int64_t t_ns)
{
    struct pji_flight *f = context;
    f->record->http_status = http_status;
    drop_zeros(f);
    judge(f, error);
    pji_flight_land(f, t_ns);
    /* one for one: a run that is behind schedule takes up free connections before it opens more */
    pji_run_send_due(f->run, t_ns, 1);
}

void pji_flight_abandon(struct pji_flight *f, const char *why)
{
    if (!f->problem.code)
        (void)pji_fail(&f->problem, PJ_ETIMEOUT, "%s", why);
    pji_flight_land(f, pji_now_ns(&f->run->platform));
}

/* ---- the start ---- */

void pji_flight_begin(struct pji_flight *f, size_t spec, int64_t scheduled_ns)
{
    f->record = &f->run->result->records[spec];
    f->record->stream = f->stream;
    f->record->scheduled_ns = scheduled_ns;
    f->kind = PJI_ANSWER_OTHER;
    pji_str_clear(&f->body);
    pji_str_clear(&f->page);
    pji_str_clear(&f->text);
    pji_str_clear(&f->reasoning);
    pji_sse_reset(&f->sse);
    f->n_tokens = 0;
    f->read_ns = 0;
    f->done_seen = false;
    pji_error_clear(&f->problem);
}

void pji_flight_send(struct pji_flight *f, size_t spec, int64_t scheduled_ns)
{
    struct pji_run *run = f->run;
    const struct pji_load_plan *plan = run->plan;
    pji_flight_begin(f, spec, scheduled_ns);
    pji_body_add(&f->body, plan->endpoint, spec_of(f), &run->extras);
    pj_status status = pji_str_ok(&f->body, &f->problem);
    struct pji_http_request request = {.method = "POST",
                                       .url = url_of(f),
                                       .body = pji_str_text(&f->body),
                                       .body_len = f->body.len,
                                       .bearer = plan->endpoint->bearer,
                                       .timeout_ns = plan->request_timeout_ns,
                                       .context = f,
                                       .on_status = on_status,
                                       .on_data = on_data,
                                       .on_done = on_done};
    if (!status)
        status = pji_http_start(run->http, &request, &f->record->sent_ns, &f->problem);
    if (status)
        pji_flight_land(f, pji_now_ns(&run->platform));
}
