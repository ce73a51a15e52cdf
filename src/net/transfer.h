/* net/transfer.h - one reusable libcurl easy handle: set up for each request, and asked for a
 * sentence when it failed.
 */
#ifndef PJI_NET_TRANSFER_H
#define PJI_NET_TRANSFER_H

#include "net/http.h"

#include <curl/curl.h>

struct pji_shard;
struct pji_transfer_hooks;

struct pji_transfer {
    CURL *easy;
    struct pji_shard *shard;
    const struct pji_transfer_hooks *hooks; /* lives as long as the program */
    struct curl_slist *headers;
    char *method, *url, *content_type, *bearer; /* what the handle is set up for */
    char detail[CURL_ERROR_SIZE];               /* libcurl's own words */
    bool in_use, got_status, got_bytes, stopped;
    bool whole_head; /* the blank line after the headers came: libcurl takes less for an answer */
    int64_t timeout_ns;
    void *context;
    void (*on_status)(void *context, long http_status, const char *content_type);
    int (*on_data)(void *context, const char *bytes, size_t len, int64_t t_ns);
    void (*on_done)(void *context, long http_status, const char *error, int64_t t_ns);
    struct pji_transfer *next; /* in the list of free ones */
};

/* Hooks of the owner, called by libcurl with the transfer (write) or its shard (sockets). */
struct pji_transfer_hooks {
    curl_write_callback write;
    curl_opensocket_callback open_socket;
    curl_closesocket_callback close_socket;
};

pj_status pji_transfer_new(struct pji_transfer **out, struct pji_shard *shard,
                           const struct pji_transfer_hooks *hooks, struct pj_error *err);
void pji_transfer_free(struct pji_transfer *transfer);
pj_status pji_transfer_prepare(struct pji_transfer *transfer,
                               const struct pji_http_request *request, struct pj_error *err);
/* What libcurl said, or CURLE_PARTIAL_FILE where the connection broke inside the headers. */
CURLcode pji_transfer_result(const struct pji_transfer *transfer, CURLcode code);
/* "" or one sentence that names the URL and the cause, never the key. */
void pji_transfer_explain(const struct pji_transfer *transfer, CURLcode code, char *out,
                          size_t size);

#endif
