/* net/server.h - a small HTTP server on libmicrohttpd for a few routes with bodies in memory.
 *
 * One thread: pji_server_run is the loop, and every callback runs on it. libmicrohttpd's own
 * time-out is of inactivity only, so a client that sends one byte a second could stay for ever;
 * here each connection has an absolute deadline: so long until the headers are complete (from the
 * connect, or from the end of the answer before), so long for the body, so long to take the answer.
 * Who misses one is cut off. Connections are limited in all and for each address.
 *
 * Paths are given as they were sent, never percent-decoded. TLS is GnuTLS inside libmicrohttpd.
 */
#ifndef PJI_NET_SERVER_H
#define PJI_NET_SERVER_H

#include "core/log.h"
#include "core/str.h"

#include <stdbool.h>
#include <stdint.h>

struct pji_server;

struct pji_server_request {
    const char *method, *path;
    const char *authorization; /* header, NULL: none */
    const char *content_type;  /* header, NULL: none */
    const char *peer;          /* address in words, for the log */
    const char *body;          /* NUL-terminated; "" in admit */
    size_t body_len;
    void *inside; /* for pji_server_query */
};

struct pji_server_reply {
    unsigned status;
    struct pji_str body;      /* taken by the server */
    const char *content_type; /* static; NULL: application/json */
};

struct pji_server_config {
    const char *address;                  /* "127.0.0.1", "::1", "0.0.0.0" */
    int64_t port;                         /* 0: a free one */
    const char *tls_cert, *tls_key;       /* PEM texts, NULL: no TLS */
    int64_t header_ns, body_ns, reply_ns; /* deadlines */
    unsigned connections, per_address;
    size_t body_most;
    const struct pji_log *log;
    /* After the headers, before any byte of the body is read: false ends the request with the reply
     * and closes the connection. */
    bool (*admit)(void *context, const struct pji_server_request *request,
                  struct pji_server_reply *reply);
    void (*answer)(void *context, const struct pji_server_request *request,
                   struct pji_server_reply *reply);
    void *context;
};

/* The value of a query parameter, NULL when there is none; borrowed. */
const char *pji_server_query(const struct pji_server_request *request, const char *name);

/* Listens. The strings of config stay valid until close. */
pj_status pji_server_open(struct pji_server **out, const struct pji_server_config *config,
                          struct pj_error *err);
int64_t pji_server_port(const struct pji_server *server);
/* Serves until stop_fd is readable. */
pj_status pji_server_run(struct pji_server *server, int stop_fd, struct pj_error *err);
void pji_server_close(struct pji_server *server);

/* PJ_EINVAL: not the text of an IP address (names are not looked up). */
pj_status pji_address_check(const char *address, struct pj_error *err);
/* Is this address (text) one of this machine's loopback? */
bool pji_address_is_loopback(const char *address);

#endif
