/* net/transfer.c - see transfer.h. Option semantics: curl_easy_setopt(3). */
#include "net/transfer.h"

#include "core/array.h"
#include "core/str.h"
#include "core/units.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READ_BYTES = 64 * 1024, DEFAULT_TIMEOUT_S = 60 };

void pji_url_show(const char *url, char *out, size_t size)
{
    const char *scheme_end = strstr(url, "://");
    const char *host = scheme_end ? scheme_end + 3 : url;
    const char *path = host + strcspn(host, "/?#");
    for (const char *p = host; p < path; p++)
        if (*p == '@')
            host = p + 1;
    size_t tail = strcspn(host, "?#");
    int head = scheme_end ? (int)(scheme_end + 3 - url) : 0;
    snprintf(out, size, "%.*s%.*s", head, url, tail > INT_MAX ? INT_MAX : (int)tail, host);
}

/* A connection that ends between two header lines is a success to libcurl (seen with 7.88): an
 * answer without a body, of whatever status was read. */
static size_t on_header(char *line, size_t size, size_t n, void *context)
{
    struct pji_transfer *t = context;
    size_t len = size * n;
    if (len >= 5 && memcmp(line, "HTTP/", 5) == 0)
        t->whole_head = false; /* also after "100 Continue" */
    else if (len > 0 && line[len - 1] == '\n' && len <= 2)
        t->whole_head = true; /* trailers may follow the body */
    return len;
}

CURLcode pji_transfer_result(const struct pji_transfer *t, CURLcode code)
{
    return code == CURLE_OK && !t->whole_head ? CURLE_PARTIAL_FILE : code;
}

/* CURLcode of several setopts; the options here fail for lack of memory only. */
static CURLcode set_fixed(struct pji_transfer *t)
{
    const struct pji_transfer_hooks *hooks = t->hooks;
    CURL *e = t->easy;
    /* Also forgets how often the handle retried: a server that closes the connection after each
     * answer makes libcurl reconnect silently, and it counts that up over all requests of a handle
     * until "Connection died, tried 5 times" (seen with 7.88 and llama.cpp's server). */
    curl_easy_reset(e);
    CURLcode code = curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    if (!code)
        code = curl_easy_setopt(e, CURLOPT_PROXY, "");
    if (!code)
        code = curl_easy_setopt(e, CURLOPT_NOPROXY, "*");
    if (code)
        return code;
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_NOPROGRESS, 1L);
    curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L); /* never wait for a resolver thread */
    curl_easy_setopt(e, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(e, CURLOPT_BUFFERSIZE, (long)READ_BYTES);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->detail);
    curl_easy_setopt(e, CURLOPT_PRIVATE, t);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, hooks->write);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, hooks->open_socket);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, t->shard);
    curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, hooks->close_socket);
    return curl_easy_setopt(e, CURLOPT_CLOSESOCKETDATA, t->shard);
}

pj_status pji_transfer_new(struct pji_transfer **out, struct pji_shard *shard,
                           const struct pji_transfer_hooks *hooks, struct pj_error *err)
{
    *out = NULL;
    struct pji_transfer *t = pji_zalloc(1, sizeof *t, err);
    if (!t)
        return PJ_ENOMEM;
    t->shard = shard;
    t->hooks = hooks;
    t->easy = curl_easy_init();
    if (!t->easy) {
        pji_transfer_free(t);
        return pji_fail(err, PJ_ENOMEM, "out of memory while setting up an HTTP request");
    }
    *out = t;
    return PJ_OK;
}

void pji_transfer_free(struct pji_transfer *t)
{
    if (!t)
        return;
    curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    free(t->method);
    free(t->url);
    free(t->content_type);
    free(t->bearer);
    free(t);
}

static bool is_clean(const char *text)
{
    return text == NULL || pji_is_one_line(text, strlen(text));
}

/* Replaces *slot by a copy of text when they differ; *changed is set then. */
static pj_status keep(char **slot, const char *text, bool *changed, struct pj_error *err)
{
    if (*slot && text && strcmp(*slot, text) == 0)
        return PJ_OK;
    if (!*slot && !text)
        return PJ_OK;
    *changed = true;
    free(*slot);
    *slot = NULL;
    if (text && !(*slot = pji_dup(text, err)))
        return PJ_ENOMEM;
    return PJ_OK;
}

static pj_status add_header(struct pji_transfer *t, const char *name, const char *value,
                            struct pj_error *err)
{
    struct pji_str line = {0};
    pji_str_addf(&line, "%s%s", name, value);
    pj_status status = pji_str_ok(&line, err);
    struct curl_slist *list = status ? NULL : curl_slist_append(t->headers, pji_str_text(&line));
    pji_str_fini(&line);
    if (!list)
        return pji_fail(err, PJ_ENOMEM, "out of memory while setting up an HTTP request");
    t->headers = list;
    return PJ_OK;
}

static pj_status set_headers(struct pji_transfer *t, struct pj_error *err)
{
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(t->headers);
    t->headers = NULL;
    /* an empty Expect header: never wait for "100 Continue" before a long prompt is sent */
    pj_status status = add_header(t, "Expect:", "", err);
    if (!status && t->content_type)
        status = add_header(t, "Content-Type: ", t->content_type, err);
    if (!status && t->bearer)
        status = add_header(t, "Authorization: Bearer ", t->bearer, err);
    if (!status)
        curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
    return status;
}

static pj_status set_target(struct pji_transfer *t, const struct pji_http_request *r,
                            struct pj_error *err)
{
    const char *type = r->content_type ? r->content_type : r->body ? "application/json" : NULL;
    bool other = false, headers = !t->headers;
    if (keep(&t->method, r->method, &other, err) || keep(&t->url, r->url, &other, err) ||
        keep(&t->content_type, type, &headers, err) || keep(&t->bearer, r->bearer, &headers, err))
        return PJ_ENOMEM;
    if (set_fixed(t) || curl_easy_setopt(t->easy, CURLOPT_URL, t->url))
        return pji_fail(err, PJ_ENOMEM, "out of memory while setting up an HTTP request");
    if (headers)
        return set_headers(t, err);
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
    return PJ_OK;
}

static void set_body(struct pji_transfer *t, const struct pji_http_request *r)
{
    CURL *e = t->easy;
    if (r->body) {
        curl_easy_setopt(e, CURLOPT_POST, 1L);
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, r->body);
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
    } else {
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, NULL);
        curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
    }
    bool usual = strcmp(t->method, r->body ? "POST" : "GET") == 0;
    curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, usual ? NULL : t->method);
}

pj_status pji_transfer_prepare(struct pji_transfer *t, const struct pji_http_request *r,
                               struct pj_error *err)
{
    if (!r->method || !r->url)
        return pji_fail(err, PJ_EINVAL, "an HTTP request needs a method and a URL");
    if (!is_clean(r->method) || !is_clean(r->url) || !is_clean(r->content_type))
        return pji_fail(err, PJ_EINVAL,
                        "an HTTP method, URL or content type holds a control character");
    if (!is_clean(r->bearer))
        return pji_fail(
            err, PJ_EINVAL,
            "the API key holds a control character (a line end?): store it on one line");
    pj_status status = set_target(t, r, err);
    if (status)
        return status;
    set_body(t, r);
    if (r->ca_file)
        curl_easy_setopt(t->easy, CURLOPT_CAINFO, r->ca_file);
    t->timeout_ns = r->timeout_ns > 0 ? r->timeout_ns : DEFAULT_TIMEOUT_S * PJI_NS_PER_S;
    int64_t timeout_ms = t->timeout_ns / PJI_NS_PER_MS + (t->timeout_ns % PJI_NS_PER_MS != 0);
    long limit_ms = timeout_ms > INT_MAX ? INT_MAX : (long)timeout_ms;
    curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, limit_ms);
    curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, limit_ms);
    t->context = r->context;
    t->on_status = r->on_status;
    t->on_data = r->on_data;
    t->on_done = r->on_done;
    t->got_status = t->got_bytes = t->stopped = t->whole_head = false;
    t->detail[0] = '\0';
    return PJ_OK;
}

void pji_transfer_explain(const struct pji_transfer *t, CURLcode code, char *out, size_t size)
{
    char url[256];
    pji_url_show(t->url, url, sizeof url);
    const char *why = t->detail[0] ? t->detail : curl_easy_strerror(code);
    if ((t->bearer && t->bearer[0] && strstr(why, t->bearer)) || strchr(t->url, '@'))
        why = curl_easy_strerror(code);
    double limit_s = pji_s_from_ns(t->timeout_ns);
    out[0] = '\0';
    if (code == CURLE_OK)
        return;
    if (t->stopped)
        snprintf(out, size, "the answer of %s was refused by its reader", url);
    else if (code == CURLE_COULDNT_CONNECT)
        snprintf(out, size, "cannot connect to %s (%s): is the server running?", url, why);
    else if (code == CURLE_COULDNT_RESOLVE_HOST)
        snprintf(out, size, "cannot find the host of %s (%s): check the name", url, why);
    else if (code == CURLE_PEER_FAILED_VERIFICATION)
        snprintf(out, size, "the certificate of %s is not accepted (%s)", url, why);
    else if (code == CURLE_SSL_CACERT_BADFILE)
        snprintf(out, size, "no certificates to judge %s by (%s)", url, why);
    else if (code == CURLE_SSL_CONNECT_ERROR)
        snprintf(out, size, "no TLS with %s (%s): is it an http:// server?", url, why);
    else if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)
        snprintf(out, size, "%s is not an http:// or https:// URL (%s)", url, why);
    else if (code == CURLE_OPERATION_TIMEDOUT && !t->got_bytes)
        snprintf(out, size, "no answer from %s within %.3f s", url, limit_s);
    else if (code == CURLE_OPERATION_TIMEDOUT)
        snprintf(out, size, "the answer of %s was not complete within %.3f s", url, limit_s);
    else if (code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING ||
             code == CURLE_SEND_ERROR)
        snprintf(out, size, "the connection to %s broke before the answer was complete (%s)", url,
                 why);
    else
        snprintf(out, size, "the request to %s failed (%s)", url, why);
}
