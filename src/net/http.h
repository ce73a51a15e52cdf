/* net/http.h - a thin wrapper on libcurl's multi interface: many requests in flight on one thread,
 * keep-alive, streaming bodies, absolute deadlines. HTTP/1.1, no proxy, no redirects, whatever the
 * environment says. Not thread-safe on one object.
 *
 * Sockets are watched with epoll through curl_multi_socket_action(3), so that the cost of a wake-up
 * does not grow with the number of open streams.
 */
#ifndef PJI_NET_HTTP_H
#define PJI_NET_HTTP_H

#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pji_http;

pj_status pji_http_open(struct pji_http **out, struct pj_error *err);
void pji_http_close(struct pji_http *http); /* aborts what is in flight (on_done is not called) */

struct pji_http_request {
    const char *method; /* "GET", "POST" */
    const char *url;
    const char *body; /* borrowed until on_done; NULL: none */
    size_t body_len;
    const char *content_type; /* NULL: application/json when there is a body */
    const char *bearer;       /* API key, NULL: none; never logged */
    const char *ca_file;      /* certificates to trust for https, NULL: the system's */
    int64_t timeout_ns;       /* from the start of the request to its end; 0: 60 s */
    void *context;
    /* Once, before the first byte of the body: HTTP status and Content-Type ("" when there is
     * none; "compressed (…)" when the body has an encoding, which we never ask for). May be NULL.
     */
    void (*on_status)(void *context, long http_status, const char *content_type);
    /* Bytes of the body as they arrive; t_ns is taken once for each read. May be NULL. A non-zero
     * return aborts the transfer. No request may be started from here. */
    int (*on_data)(void *context, const char *bytes, size_t len, int64_t t_ns);
    /* Once, at the end. status: HTTP status, 0 when none arrived; error: "" or a sentence. The next
     * request may be started from here. */
    void (*on_done)(void *context, long http_status, const char *error, int64_t t_ns);
};

/* Starts a request (everything is copied except body). *sent_ns gets the time just before it was
 * handed to the socket layer. */
pj_status pji_http_start(struct pji_http *http, const struct pji_http_request *request,
                         int64_t *sent_ns, struct pj_error *err);
size_t pji_http_in_flight(const struct pji_http *http);
/* Runs transfers until something happened, at most timeout_ns (negative: without limit); extra_fd
 * (>= 0) also wakes it, and PJI_HTTP_WOKEN says that it is readable. */
enum { PJI_HTTP_WOKEN = 1 };
pj_status pji_http_poll(struct pji_http *http, int64_t timeout_ns, int extra_fd,
                        struct pj_error *err);
int64_t pji_http_now_ns(const struct pji_http *http); /* the clock of all its time stamps */

/* One whole exchange, body collected (NUL-terminated). */
struct pji_http_exchange {
    const char *method, *url;
    const char *bearer, *ca_file; /* NULL: none, the system's */
    const char *body;             /* NULL: none */
    size_t body_len;
    int64_t timeout_ns; /* 0: 60 s */
    size_t limit;       /* bytes of the answer, else PJ_EPEER */
    bool has_stop_fd;
    int stop_fd; /* readable: PJ_ECANCELED */
};
struct pji_http_answer {
    char *body; /* caller frees */
    size_t len;
    long http_status;
};
/* Any HTTP status is PJ_OK; no answer in time is PJ_ETIMEOUT, any other failure to get one
 * PJ_EPEER. *http (NULL: opened) is kept for the next exchange on the same connection; after a
 * failure it is closed and NULL. */
pj_status pji_http_exchange(struct pji_http **http, const struct pji_http_exchange *what,
                            struct pji_http_answer *answer, struct pj_error *err);

/* One whole request, body collected (at most limit bytes, else PJ_EPEER; NUL-terminated; caller
 * frees). For health and metrics: any HTTP status is PJ_OK; no answer in time is PJ_ETIMEOUT, any
 * other failure to get one PJ_EPEER. */
pj_status pji_http_get(const char *url, const char *bearer, int64_t timeout_ns, size_t limit,
                       char **body, long *http_status, struct pj_error *err);

/* A URL for messages: without user, password, query and fragment. */
void pji_url_show(const char *url, char *out, size_t size);

#endif
