/* net/server.c - see server.h. The daemon runs without threads of its own (MHD_USE_EPOLL and
 * MHD_run, see libmicrohttpd's manual, "External event loop"), so that a deadline can shut down a
 * socket without racing against its being closed and its number used again.
 */
#include "net/server.h"

#include "core/array.h"
#include "core/units.h"
#include "platform/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

enum { MEMORY_OF_CONNECTION = 32 * 1024, BACKLOG = 64, TICK_MS = 1000 };

/* One TCP connection and what it must reach by when. */
struct connection {
    struct connection *next, *previous;
    int fd;
    int64_t deadline_ns;
    const char *else_words; /* why it is cut off then; NULL: it may just have been idle */
    bool cut;               /* shut down already */
    char peer[INET6_ADDRSTRLEN];
};

struct pji_server {
    struct pji_server_config config;
    struct MHD_Daemon *daemon;
    struct connection *connections;
    int64_t port;
};

/* One request while it comes in. */
struct intake {
    struct pji_str body;
    bool too_long;
};

bool pji_address_is_loopback(const char *address)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, address, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, address, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

pj_status pji_address_check(const char *address, struct pj_error *err)
{
    struct in6_addr any;
    if (inet_pton(AF_INET, address, &any) == 1 || inet_pton(AF_INET6, address, &any) == 1)
        return PJ_OK;
    return pji_fail(err, PJ_EINVAL,
                    "'%.60s' is no address to listen on: write one such as 127.0.0.1 or ::1",
                    address);
}

const char *pji_server_query(const struct pji_server_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->inside, MHD_GET_ARGUMENT_KIND, name);
}

/* ---- connections ---- */

static void show_peer(const struct sockaddr *address, char *text, size_t size)
{
    const void *bytes = NULL;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    if (address->sa_family == AF_INET) {
        memcpy(&v4, address, sizeof v4);
        bytes = &v4.sin_addr;
    } else if (address->sa_family == AF_INET6) {
        memcpy(&v6, address, sizeof v6);
        bytes = &v6.sin6_addr;
    }
    if (bytes == NULL || inet_ntop(address->sa_family, bytes, text, (socklen_t)size) == NULL)
        snprintf(text, size, "?");
}

static void on_connection(void *context, struct MHD_Connection *mhd, void **slot,
                          enum MHD_ConnectionNotificationCode what)
{
    struct pji_server *server = context;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        struct connection *c = pji_zalloc(1, sizeof *c, NULL);
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        const union MHD_ConnectionInfo *peer =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        *slot = c;
        if (c == NULL)
            return;
        c->fd = info != NULL ? info->connect_fd : -1;
        if (peer != NULL && peer->client_addr != NULL)
            show_peer(peer->client_addr, c->peer, sizeof c->peer);
        c->deadline_ns = pji_clock_ns(CLOCK_MONOTONIC) + server->config.header_ns;
        c->next = server->connections;
        if (c->next != NULL)
            c->next->previous = c;
        server->connections = c;
        return;
    }
    struct connection *c = *slot;
    *slot = NULL;
    if (c == NULL)
        return;
    if (c->next != NULL)
        c->next->previous = c->previous;
    if (c->previous != NULL)
        c->previous->next = c->next;
    else
        server->connections = c->next;
    free(c);
}

static struct connection *connection_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

static void must_reach(struct MHD_Connection *mhd, int64_t dur_ns, const char *else_words)
{
    struct connection *c = connection_of(mhd);
    if (c == NULL)
        return;
    c->deadline_ns = pji_clock_ns(CLOCK_MONOTONIC) + dur_ns;
    c->else_words = else_words;
}

/* Cuts off who is late; returns the time of the next deadline. */
static int64_t cut_late(struct pji_server *server)
{
    int64_t t_ns = pji_clock_ns(CLOCK_MONOTONIC);
    int64_t next_ns = INT64_MAX;
    for (struct connection *c = server->connections; c != NULL; c = c->next) {
        if (c->cut)
            continue;
        if (c->deadline_ns <= t_ns) {
            c->cut = true;
            if (c->else_words != NULL)
                pji_log(server->config.log, PJI_LOG_WARNING, "cut off a request from %s: %s",
                        c->peer, c->else_words);
            if (c->fd >= 0)
                shutdown(c->fd, SHUT_RDWR);
            next_ns = t_ns; /* the daemon notices at once */
        } else if (c->deadline_ns < next_ns) {
            next_ns = c->deadline_ns;
        }
    }
    return next_ns;
}

/* ---- requests ---- */

static enum MHD_Result send_reply(struct MHD_Connection *mhd, const struct pji_server *server,
                                  struct pji_server_reply *reply, bool close_after)
{
    bool ok = !reply->body.failed;
    size_t len = ok ? reply->body.len : 0;
    char *bytes = len > 0 ? pji_str_take(&reply->body) : NULL;
    pji_str_fini(&reply->body);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(len, bytes, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(bytes);
        return MHD_NO;
    }
    const char *type = reply->content_type != NULL ? reply->content_type : "application/json";
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (reply->status == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    if (close_after)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    must_reach(mhd, server->config.reply_ns, "its answer was not taken in time");
    enum MHD_Result result =
        MHD_queue_response(mhd, ok ? reply->status : MHD_HTTP_INTERNAL_SERVER_ERROR, response);
    MHD_destroy_response(response);
    return result;
}

static struct pji_server_request describe(struct MHD_Connection *mhd, const char *method,
                                          const char *path, const struct pji_str *body)
{
    const struct connection *c = connection_of(mhd);
    return (struct pji_server_request){.method = method,
                                       .path = path,
                                       .authorization = MHD_lookup_connection_value(
                                           mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION),
                                       .content_type = MHD_lookup_connection_value(
                                           mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_TYPE),
                                       .peer = c != NULL ? c->peer : "?",
                                       .body = body != NULL ? pji_str_text(body) : "",
                                       .body_len = body != NULL ? body->len : 0,
                                       .inside = mhd};
}

static bool declares_too_much(struct MHD_Connection *mhd, size_t most)
{
    const char *text =
        MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return text != NULL && strtoull(text, NULL, 10) > most;
}

/* What two readers of one request could understand differently (RFC 9112, sections 6.1 and 6.3). */
struct headers {
    unsigned authorization, length, encoding, type;
};

static enum MHD_Result look_at_header(void *context, enum MHD_ValueKind kind, const char *key,
                                      const char *value)
{
    struct headers *h = context;
    (void)kind;
    (void)value;
    h->authorization += strcasecmp(key, MHD_HTTP_HEADER_AUTHORIZATION) == 0;
    h->length += strcasecmp(key, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
    h->encoding += strcasecmp(key, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0;
    h->type += strcasecmp(key, MHD_HTTP_HEADER_CONTENT_TYPE) == 0;
    return MHD_YES;
}

static bool is_ambiguous(struct MHD_Connection *mhd)
{
    struct headers h = {0};
    MHD_get_connection_values(mhd, MHD_HEADER_KIND, look_at_header, &h);
    return h.authorization > 1 || h.length > 1 || h.encoding > 1 || h.type > 1 ||
           (h.length > 0 && h.encoding > 0);
}

static enum MHD_Result ambiguous(struct MHD_Connection *mhd, const struct pji_server *server)
{
    struct pji_server_reply reply = {.status = MHD_HTTP_BAD_REQUEST};
    const struct connection *c = connection_of(mhd);
    pji_log(server->config.log, PJI_LOG_WARNING,
            "refused a request from %s: its headers contradict each other",
            c != NULL ? c->peer : "?");
    pji_str_add(&reply.body, "{\"error\": \"malformed\", \"message\": \"a header that decides is "
                             "given twice, or contradicts another\"}\n");
    return send_reply(mhd, server, &reply, true);
}

static void say_too_long(struct MHD_Connection *mhd, const struct pji_server *server)
{
    const struct connection *c = connection_of(mhd);
    pji_log(server->config.log, PJI_LOG_WARNING,
            "refused a request from %s: its body is longer than %zu bytes",
            c != NULL ? c->peer : "?", server->config.body_most);
}

static enum MHD_Result too_long(struct MHD_Connection *mhd, const struct pji_server *server)
{
    struct pji_server_reply reply = {.status = MHD_HTTP_CONTENT_TOO_LARGE};
    say_too_long(mhd, server);
    pji_str_addf(&reply.body,
                 "{\"error\": \"too_large\", \"message\": \"a body may have at most %zu "
                 "bytes\"}\n",
                 server->config.body_most);
    return send_reply(mhd, server, &reply, true);
}

static enum MHD_Result begin(struct pji_server *server, struct MHD_Connection *mhd,
                             const char *path, const char *method, void **slot)
{
    struct pji_server_reply reply = {0};
    struct pji_server_request request = describe(mhd, method, path, NULL);
    must_reach(mhd, server->config.body_ns, "its body was not complete in time");
    if (is_ambiguous(mhd))
        return ambiguous(mhd, server);
    if (!server->config.admit(server->config.context, &request, &reply))
        return send_reply(mhd, server, &reply, true);
    if (declares_too_much(mhd, server->config.body_most))
        return too_long(mhd, server);
    *slot = pji_zalloc(1, sizeof(struct intake), NULL);
    return *slot != NULL ? MHD_YES : MHD_NO;
}

static enum MHD_Result on_access(void *context, struct MHD_Connection *mhd, const char *path,
                                 const char *method, const char *version, const char *data,
                                 size_t *data_len, void **slot)
{
    struct pji_server *server = context;
    struct intake *intake = *slot;
    (void)version;
    if (intake == NULL)
        return begin(server, mhd, path, method, slot);
    if (*data_len > 0) {
        if (*data_len > server->config.body_most - intake->body.len)
            intake->too_long = true;
        if (!intake->too_long)
            pji_str_addn(&intake->body, data, *data_len);
        *data_len = 0;
        /* a body without a declared length that is too long: no answer can be given before its
         * end, so the connection is closed */
        if (intake->too_long)
            say_too_long(mhd, server);
        return intake->too_long || intake->body.failed ? MHD_NO : MHD_YES;
    }
    struct pji_server_reply reply = {0};
    struct pji_server_request request = describe(mhd, method, path, &intake->body);
    server->config.answer(server->config.context, &request, &reply);
    return send_reply(mhd, server, &reply, false);
}

static void on_completed(void *context, struct MHD_Connection *mhd, void **slot,
                         enum MHD_RequestTerminationCode why)
{
    struct pji_server *server = context;
    struct intake *intake = *slot;
    (void)why;
    *slot = NULL;
    if (intake != NULL) {
        pji_str_fini(&intake->body);
        free(intake);
    }
    must_reach(mhd, server->config.header_ns, NULL); /* of the next request */
}

static size_t leave_escaped(void *context, struct MHD_Connection *mhd, char *text)
{
    (void)context;
    (void)mhd;
    return strlen(text);
}

static void on_words(void *context, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static void on_words(void *context, const char *format, va_list args)
{
    const struct pji_server *server = context;
    struct pji_str text = {0};
    pji_str_addv(&text, format, args);
    while (text.len > 0 && text.text[text.len - 1] == '\n')
        text.text[--text.len] = '\0';
    pji_log(server->config.log, PJI_LOG_DEBUG, "http: %s", pji_str_text(&text));
    pji_str_fini(&text);
}

/* ---- the daemon ---- */

union any_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static pj_status make_address(const struct pji_server_config *config, union any_address *out,
                              struct pj_error *err)
{
    uint16_t port = htons((uint16_t)config->port);
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, config->address, &out->v4.sin_addr) == 1) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = port;
        return PJ_OK;
    }
    if (inet_pton(AF_INET6, config->address, &out->v6.sin6_addr) == 1) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = port;
        return PJ_OK;
    }
    return pji_address_check(config->address, err);
}

/* RFC 8996 deprecates the first two; GnuTLS still speaks them when asked. */
static const char tls_versions[] = "NORMAL:-VERS-TLS1.0:-VERS-TLS1.1";

static pj_status start_daemon(struct pji_server *server, const union any_address *address,
                              struct pj_error *err)
{
    const struct pji_server_config *c = &server->config;
    unsigned flags = MHD_USE_EPOLL | MHD_USE_ERROR_LOG | MHD_USE_PEDANTIC_CHECKS;
    struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, NULL},
                                   {MHD_OPTION_HTTPS_MEM_KEY, 0, NULL},
                                   {MHD_OPTION_HTTPS_PRIORITIES, 0, NULL},
                                   {MHD_OPTION_END, 0, NULL}};
    if (address->any.sa_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    if (c->tls_cert != NULL) {
        flags |= MHD_USE_TLS;
        tls[0].ptr_value = (void *)(uintptr_t)c->tls_cert;
        tls[1].ptr_value = (void *)(uintptr_t)c->tls_key;
        tls[2].ptr_value = (void *)(uintptr_t)tls_versions;
    } else {
        tls[0].option = MHD_OPTION_END;
    }
    server->daemon = MHD_start_daemon(
        flags, (uint16_t)c->port, NULL, NULL, on_access, server, MHD_OPTION_EXTERNAL_LOGGER,
        on_words, server, MHD_OPTION_SOCK_ADDR, &address->any, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, server, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
        MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, server, MHD_OPTION_CONNECTION_LIMIT,
        c->connections, MHD_OPTION_PER_IP_CONNECTION_LIMIT, c->per_address,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_OF_CONNECTION,
        MHD_OPTION_LISTEN_BACKLOG_SIZE, (unsigned)BACKLOG, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
    if (server->daemon == NULL && c->tls_cert != NULL && errno == 0)
        return pji_fail(
            err, PJ_EINVAL,
            "--tls-cert and --tls-key cannot be used: are they PEM files, and is it the "
            "key of this certificate?");
    if (server->daemon == NULL)
        return pji_fail_errno(err, errno != 0 ? errno : EIO,
                              "cannot listen on %s port %lld: choose another with --listen",
                              c->address, (long long)c->port);
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
    server->port = info != NULL ? info->port : c->port;
    return PJ_OK;
}

pj_status pji_server_open(struct pji_server **out, const struct pji_server_config *config,
                          struct pj_error *err)
{
    union any_address address;
    *out = NULL;
    pj_status status = make_address(config, &address, err);
    if (status != PJ_OK)
        return status;
    struct pji_server *server = pji_zalloc(1, sizeof *server, err);
    if (server == NULL)
        return PJ_ENOMEM;
    server->config = *config;
    errno = 0;
    status = start_daemon(server, &address, err);
    if (status != PJ_OK) {
        free(server);
        return status;
    }
    *out = server;
    return PJ_OK;
}

int64_t pji_server_port(const struct pji_server *server)
{
    return server->port;
}

pj_status pji_server_run(struct pji_server *server, int stop_fd, struct pj_error *err)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL)
        return pji_fail(err, PJ_ESTATE, "libmicrohttpd was built without epoll");
    struct pollfd wait[2] = {{.fd = info->epoll_fd, .events = POLLIN},
                             {.fd = stop_fd, .events = POLLIN}};
    for (;;) {
        MHD_UNSIGNED_LONG_LONG library_ms = TICK_MS;
        int64_t left_ms = (cut_late(server) - pji_clock_ns(CLOCK_MONOTONIC)) / PJI_NS_PER_MS + 1;
        if (left_ms > TICK_MS)
            left_ms = TICK_MS;
        if (left_ms < 0)
            left_ms = 0;
        if (MHD_get_timeout(server->daemon, &library_ms) == MHD_YES &&
            library_ms < (MHD_UNSIGNED_LONG_LONG)left_ms)
            left_ms = (int64_t)library_ms;
        if (poll(wait, 2, (int)left_ms) < 0 && errno != EINTR)
            return pji_fail_errno(err, errno, "cannot wait for connections");
        if (wait[1].revents != 0)
            return PJ_OK;
        if (MHD_run(server->daemon) != MHD_YES)
            return pji_fail(err, PJ_EIO, "the HTTP server on port %lld failed",
                            (long long)server->port);
    }
}

void pji_server_close(struct pji_server *server)
{
    if (server == NULL)
        return;
    MHD_stop_daemon(server->daemon);
    free(server);
}
