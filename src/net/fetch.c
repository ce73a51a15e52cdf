/* net/fetch.c - one whole exchange at a time: health and metrics pages, the agent's API. */
#include "net/http.h"

#include "core/str.h"
#include "core/units.h"

#include <stdio.h>

enum { DEFAULT_TIMEOUT_S = 60 };

struct fetch {
    struct pji_str body;
    size_t limit;
    bool too_long, done;
    long http_status;
    char error[PJ_ERROR_TEXT];
};

static int on_data(void *context, const char *bytes, size_t len, int64_t t_ns)
{
    struct fetch *fetch = context;
    (void)t_ns;
    fetch->too_long = len > fetch->limit - fetch->body.len;
    if (!fetch->too_long)
        pji_str_addn(&fetch->body, bytes, len);
    return fetch->too_long || fetch->body.failed;
}

static void on_done(void *context, long http_status, const char *error, int64_t t_ns)
{
    struct fetch *fetch = context;
    (void)t_ns;
    fetch->done = true;
    fetch->http_status = http_status;
    snprintf(fetch->error, sizeof fetch->error, "%s", error);
}

static pj_status wait_done(struct pji_http *http, const struct fetch *fetch, int64_t deadline_ns,
                           int stop_fd, struct pj_error *err)
{
    while (!fetch->done) {
        int64_t left_ns = deadline_ns - pji_http_now_ns(http);
        if (left_ns <= 0)
            return PJ_ETIMEOUT;
        pj_status status = pji_http_poll(http, left_ns, stop_fd, err);
        if (status < 0)
            return status;
        if (status == PJI_HTTP_WOKEN && !fetch->done)
            return PJ_ECANCELED;
    }
    return PJ_OK;
}

static pj_status judge(struct fetch *fetch, const char *url, bool in_time, double limit_s,
                       struct pj_error *err)
{
    char shown[256];
    pji_url_show(url, shown, sizeof shown);
    if (fetch->body.failed)
        return pji_str_ok(&fetch->body, err);
    if (fetch->too_long)
        return pji_fail(err, PJ_EPEER, "the answer of %s is longer than %zu bytes", shown,
                        fetch->limit);
    if (!in_time)
        return pji_fail(err, PJ_ETIMEOUT, "no complete answer from %s within %.3f s", shown,
                        limit_s);
    if (fetch->error[0])
        return pji_fail(err, PJ_EPEER, "%s", fetch->error);
    return PJ_OK;
}

/* Starts, waits and hands out the answer; `http` is left with nothing in flight only on success. */
static pj_status exchange(struct pji_http *http, const struct pji_http_exchange *what,
                          struct pji_http_answer *answer, struct pj_error *err)
{
    struct fetch fetch = {.limit = what->limit};
    int64_t timeout_ns = what->timeout_ns > 0 ? what->timeout_ns : DEFAULT_TIMEOUT_S * PJI_NS_PER_S;
    int64_t deadline_ns = pji_http_now_ns(http) + timeout_ns;
    struct pji_http_request request = {.method = what->method,
                                       .url = what->url,
                                       .body = what->body,
                                       .body_len = what->body_len,
                                       .bearer = what->bearer,
                                       .ca_file = what->ca_file,
                                       /* the deadline here speaks first */
                                       .timeout_ns = timeout_ns + PJI_NS_PER_S,
                                       .context = &fetch,
                                       .on_data = on_data,
                                       .on_done = on_done};
    pj_status status = pji_http_start(http, &request, NULL, err);
    if (!status)
        status = wait_done(http, &fetch, deadline_ns, what->has_stop_fd ? what->stop_fd : -1, err);
    if (!status || status == PJ_ETIMEOUT)
        status = judge(&fetch, what->url, !status, pji_s_from_ns(timeout_ns), err);
    if (!status) {
        answer->http_status = fetch.http_status;
        answer->len = fetch.body.len;
        answer->body = fetch.body.text ? pji_str_take(&fetch.body) : pji_dup("", err);
        status = answer->body ? PJ_OK : PJ_ENOMEM;
    }
    pji_str_fini(&fetch.body);
    return status;
}

pj_status pji_http_exchange(struct pji_http **http, const struct pji_http_exchange *what,
                            struct pji_http_answer *answer, struct pj_error *err)
{
    *answer = (struct pji_http_answer){0};
    pj_status status = *http ? PJ_OK : pji_http_open(http, err);
    if (!status)
        status = exchange(*http, what, answer, err);
    if (status) {
        pji_http_close(*http); /* what is in flight points into our stack */
        *http = NULL;
    }
    return status;
}

pj_status pji_http_get(const char *url, const char *bearer, int64_t timeout_ns, size_t limit,
                       char **body, long *http_status, struct pj_error *err)
{
    struct pji_http *http = NULL;
    struct pji_http_answer answer;
    struct pji_http_exchange what = {
        .method = "GET", .url = url, .bearer = bearer, .timeout_ns = timeout_ns, .limit = limit};
    *body = NULL;
    pj_status status = pji_http_exchange(&http, &what, &answer, err);
    if (!status) {
        *http_status = answer.http_status;
        *body = answer.body;
    }
    pji_http_close(http);
    return status;
}
