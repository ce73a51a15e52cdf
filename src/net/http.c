/* net/http.c - see http.h: a pool of easy handles on multi handles, driven by epoll.
 *
 * libcurl tells through two callbacks which sockets it waits for and when it wants to be called
 * next (curl_multi_socket_action(3)); finished transfers are collected after each round and their
 * owners told outside of libcurl, so that they may start the next request at once.
 *
 * libcurl looks for a free connection by walking all connections to the host, which is quadratic
 * in the number of streams. So the pool is cut into shards of at most SHARD_SIZE easy handles, each
 * with a multi handle and connections of its own; a handle stays in its shard and thereby near the
 * connection that it used before. (Measured with 10 000 streams: see bench/load.)
 */
#include "net/http.h"

#include "core/array.h"
#include "core/units.h"
#include "net/reactor.h"
#include "net/transfer.h"
#include "platform/platform.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SHARD_SIZE = 128, CONNECTIONS_KEPT = 2 * SHARD_SIZE };

struct pji_shard {
    CURLM *multi;
    struct pji_http *http;
    int64_t timer_ns; /* when libcurl wants to be called; -1: not */
    bool touched;     /* libcurl ran: transfers may have ended */
};

struct pji_http {
    struct pji_reactor reactor;
    struct pji_platform platform;
    bool platform_open;
    struct pji_shard **shards;
    size_t n_shards, shards_cap;
    struct pji_transfer **transfers; /* all that exist */
    size_t n, cap, in_flight;
    struct pji_transfer *unused;
    int64_t read_ns;        /* time stamp of the read going on; 0: not taken yet */
    struct pj_error broken; /* a failure inside a callback, told by the next poll */
};

int64_t pji_http_now_ns(const struct pji_http *http)
{
    return pji_now_ns(&http->platform);
}

size_t pji_http_in_flight(const struct pji_http *http)
{
    return http->in_flight;
}

/* ---- called by libcurl ---- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *unused)
{
    struct pji_shard *shard = context;
    (void)easy;
    (void)unused;
    uint32_t events = 0;
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
        events |= EPOLLIN;
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
        events |= EPOLLOUT;
    struct pji_http *http = shard->http;
    return pji_reactor_want(&http->reactor, fd, events, shard, &http->broken) ? -1 : 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *context)
{
    struct pji_shard *shard = context;
    (void)multi;
    shard->timer_ns =
        timeout_ms < 0 ? -1 : pji_http_now_ns(shard->http) + timeout_ms * PJI_NS_PER_MS;
    return 0;
}

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct pji_http *http = ((struct pji_shard *)context)->http;
    (void)purpose;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd >= 0 && pji_reactor_adopt(&http->reactor, fd, &http->broken)) {
        close(fd);
        fd = -1;
    }
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static int close_socket(void *context, curl_socket_t fd)
{
    struct pji_http *http = ((struct pji_shard *)context)->http;
    pji_reactor_forget(&http->reactor, fd);
    return close(fd);
}

static void tell_status(struct pji_transfer *t)
{
    long status = 0;
    const char *type = NULL;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &type);
    t->got_status = true;
    /* We ask for no encoding; a body that has one all the same cannot be read as its type says. */
    struct curl_header *encoding = NULL;
    char compressed[64];
    if (curl_easy_header(t->easy, "Content-Encoding", 0, CURLH_HEADER, -1, &encoding) ==
            CURLHE_OK &&
        strcasecmp(encoding->value, "identity") != 0) {
        snprintf(compressed, sizeof compressed, "compressed (%.40s)", encoding->value);
        type = compressed;
    }
    if (t->on_status)
        t->on_status(t->context, status, type ? type : "");
}

static size_t on_bytes(char *bytes, size_t size, size_t count, void *context)
{
    struct pji_transfer *t = context;
    struct pji_http *http = t->shard->http;
    size_t len = size * count;
    if (len == 0)
        return 0;
    t->got_bytes = true;
    if (!t->got_status)
        tell_status(t);
    if (http->read_ns == 0)
        http->read_ns = pji_http_now_ns(http);
    if (t->on_data && t->on_data(t->context, bytes, len, http->read_ns)) {
        t->stopped = true;
        return 0;
    }
    return len;
}

static const struct pji_transfer_hooks hooks = {
    .write = on_bytes, .open_socket = open_socket, .close_socket = close_socket};

/* ---- opening and closing ---- */

static pj_status add_shard(struct pji_http *http, struct pj_error *err)
{
    pj_status status = pji_array_reserve(&http->shards, &http->shards_cap, http->n_shards + 1,
                                         sizeof(struct pji_shard *), err);
    struct pji_shard *shard = status ? NULL : pji_zalloc(1, sizeof *shard, err);
    if (!shard)
        return PJ_ENOMEM;
    shard->http = http;
    shard->timer_ns = -1;
    shard->multi = curl_multi_init();
    if (!shard->multi) {
        free(shard);
        return pji_fail(err, PJ_ENOMEM, "out of memory while setting up HTTP requests");
    }
    curl_multi_setopt(shard->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    curl_multi_setopt(shard->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
    curl_multi_setopt(shard->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(shard->multi, CURLMOPT_SOCKETDATA, shard);
    curl_multi_setopt(shard->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(shard->multi, CURLMOPT_TIMERDATA, shard);
    http->shards[http->n_shards++] = shard;
    return PJ_OK;
}

pj_status pji_http_open(struct pji_http **out, struct pj_error *err)
{
    *out = NULL;
    struct pji_http *http = pji_zalloc(1, sizeof *http, err);
    if (!http)
        return PJ_ENOMEM;
    http->reactor.epoll_fd = -1;
    if (curl_global_init(CURL_GLOBAL_DEFAULT)) {
        free(http);
        return pji_fail(err, PJ_ENOMEM, "cannot initialise libcurl");
    }
    pj_status status = pji_platform_open_real(&http->platform, NULL, err);
    http->platform_open = status == PJ_OK;
    if (!status)
        status = pji_reactor_open(&http->reactor, err);
    if (status) {
        pji_http_close(http);
        return status;
    }
    *out = http;
    return PJ_OK;
}

void pji_http_close(struct pji_http *http)
{
    if (!http)
        return;
    for (size_t i = 0; i < http->n; i++) {
        struct pji_transfer *t = http->transfers[i];
        if (t->in_use)
            curl_multi_remove_handle(t->shard->multi, t->easy);
        pji_transfer_free(t);
    }
    for (size_t i = 0; i < http->n_shards; i++) {
        curl_multi_cleanup(http->shards[i]->multi); /* closes connections: needs the shard */
        free(http->shards[i]);
    }
    free(http->transfers);
    free(http->shards);
    pji_reactor_close(&http->reactor);
    if (http->platform_open)
        pji_platform_close_real(&http->platform);
    curl_global_cleanup();
    free(http);
}

/* ---- starting ---- */

static pj_status act(struct pji_shard *shard, int fd, int events, struct pj_error *err)
{
    struct pji_http *http = shard->http;
    int running = 0;
    http->read_ns = 0;
    shard->touched = true;
    CURLMcode code = curl_multi_socket_action(shard->multi, fd, events, &running);
    if (code == CURLM_OK)
        return PJ_OK;
    if (http->broken.code)
        return pji_fail(err, http->broken.code, "%s", http->broken.text);
    return pji_fail(err, code == CURLM_RECURSIVE_API_CALL ? PJ_ESTATE : PJ_EIO,
                    "HTTP requests cannot go on: %s", curl_multi_strerror(code));
}

static pj_status get_transfer(struct pji_http *http, struct pji_transfer **out,
                              struct pj_error *err)
{
    if (!http->unused) {
        pj_status status = pji_array_reserve(&http->transfers, &http->cap, http->n + 1,
                                             sizeof(struct pji_transfer *), err);
        if (!status && http->n / SHARD_SIZE >= http->n_shards)
            status = add_shard(http, err);
        if (!status)
            status =
                pji_transfer_new(&http->unused, http->shards[http->n / SHARD_SIZE], &hooks, err);
        if (status)
            return status;
        http->transfers[http->n++] = http->unused;
    }
    *out = http->unused;
    return PJ_OK;
}

pj_status pji_http_start(struct pji_http *http, const struct pji_http_request *request,
                         int64_t *sent_ns, struct pj_error *err)
{
    struct pji_transfer *t = NULL;
    pj_status status = get_transfer(http, &t, err);
    if (!status)
        status = pji_transfer_prepare(t, request, err);
    if (status)
        return status;
    int64_t now_ns = pji_http_now_ns(http);
    CURLMcode code = curl_multi_add_handle(t->shard->multi, t->easy);
    if (code)
        return pji_fail(err, code == CURLM_RECURSIVE_API_CALL ? PJ_ESTATE : PJ_EIO,
                        "cannot start an HTTP request: %s", curl_multi_strerror(code));
    http->unused = t->next;
    t->next = NULL;
    t->in_use = true;
    http->in_flight++;
    if (sent_ns)
        *sent_ns = now_ns;
    /* a failure here concerns the whole object: the next poll reports it */
    (void)act(t->shard, CURL_SOCKET_TIMEOUT, 0, &http->broken);
    return PJ_OK;
}

/* ---- going on ---- */

static void finish(struct pji_http *http, struct pji_transfer *t, CURLcode code)
{
    char sentence[700];
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    code = pji_transfer_result(t, code);
    if (code == CURLE_OK && !t->got_status)
        tell_status(t);
    pji_transfer_explain(t, code, sentence, sizeof sentence);
    curl_multi_remove_handle(t->shard->multi, t->easy);
    t->in_use = false;
    t->next = http->unused;
    http->unused = t;
    http->in_flight--;
    if (t->on_done)
        t->on_done(t->context, status, sentence, pji_http_now_ns(http));
}

/* Tells the owners of finished transfers; how many there were. */
static size_t collect(struct pji_http *http)
{
    size_t n = 0;
    for (size_t i = 0; i < http->n_shards; i++) {
        struct pji_shard *shard = http->shards[i];
        int left = 0;
        if (!shard->touched)
            continue;
        shard->touched = false;
        for (CURLMsg *m; (m = curl_multi_info_read(shard->multi, &left)) != NULL;) {
            struct pji_transfer *t = NULL;
            CURLcode code = m->data.result;
            if (m->msg != CURLMSG_DONE)
                continue;
            curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t);
            finish(http, t, code);
            n++;
        }
    }
    return n;
}

static pj_status run_events(struct pji_http *http, struct pj_error *err)
{
    pj_status status = PJ_OK;
    for (int i = 0; !status && i < http->reactor.n_events; i++) {
        int fd = http->reactor.events[i].data.fd;
        uint32_t events = http->reactor.events[i].events;
        struct pji_shard *shard = pji_reactor_owner(&http->reactor, fd);
        /* a broken socket reads and writes at once: recv(2) then delivers what is left of the
         * answer and the error; CURL_CSELECT_ERR would throw both away */
        if (events & (EPOLLERR | EPOLLHUP))
            events |= EPOLLIN | EPOLLOUT;
        int what = ((events & EPOLLIN) ? CURL_CSELECT_IN : 0) |
                   ((events & EPOLLOUT) ? CURL_CSELECT_OUT : 0);
        if (shard) /* else an earlier event of this round closed it */
            status = act(shard, fd, what, err);
    }
    return status;
}

static pj_status run_timers(struct pji_http *http, struct pj_error *err)
{
    pj_status status = PJ_OK;
    int64_t now_ns = pji_http_now_ns(http);
    for (size_t i = 0; !status && i < http->n_shards; i++) {
        struct pji_shard *shard = http->shards[i];
        if (shard->timer_ns < 0 || shard->timer_ns > now_ns)
            continue;
        shard->timer_ns = -1;
        status = act(shard, CURL_SOCKET_TIMEOUT, 0, err);
    }
    return status;
}

/* The earlier of the caller's limit (negative: none) and libcurl's own timers. */
static int64_t limit_wait(const struct pji_http *http, int64_t timeout_ns)
{
    int64_t first_ns = -1;
    for (size_t i = 0; i < http->n_shards; i++) {
        int64_t timer_ns = http->shards[i]->timer_ns;
        if (timer_ns >= 0 && (first_ns < 0 || timer_ns < first_ns))
            first_ns = timer_ns;
    }
    if (first_ns < 0)
        return timeout_ns;
    int64_t wait_ns = first_ns - pji_http_now_ns(http);
    wait_ns = wait_ns < 0 ? 0 : wait_ns;
    return timeout_ns < 0 || wait_ns < timeout_ns ? wait_ns : timeout_ns;
}

pj_status pji_http_poll(struct pji_http *http, int64_t timeout_ns, int extra_fd,
                        struct pj_error *err)
{
    bool woken = false;
    if (http->broken.code)
        return pji_fail(err, http->broken.code, "%s", http->broken.text);
    if (collect(http) > 0)
        timeout_ns = 0; /* something happened already: a request can end while it is started */
    pj_status status =
        pji_reactor_wait(&http->reactor, limit_wait(http, timeout_ns), extra_fd, &woken, err);
    if (!status)
        status = run_timers(http, err);
    if (!status)
        status = run_events(http, err);
    collect(http);
    return status ? status : woken ? PJI_HTTP_WOKEN : PJ_OK;
}
