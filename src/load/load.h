/* load/load.h - sends the requests of one phase and keeps one record for each.
 *
 * A plan is a list of requests with a due time each; an arrival process makes the plan (closed loop:
 * due when one of N streams is free; open loop: due at a time). Records are complete in memory
 * when the run returns; during the run they are also appended to a spool file, written without
 * fsync, so that a crash leaves what was finished. Nothing else is written inside the window.
 * Failed requests are records too and never count as fast ones.
 */
#ifndef PJI_LOAD_LOAD_H
#define PJI_LOAD_LOAD_H

#include "core/str.h"
#include "net/http.h"

#include <stdint.h>

enum pji_api { PJI_API_COMPLETIONS, PJI_API_CHAT };

/* Where requests go and how they look on the wire (OpenAI-compatible). */
struct pji_endpoint {
    const char *base_url; /* "http://127.0.0.1:8080/v1" */
    const char *bearer;   /* API key or NULL */
    const char *model;    /* model name to send, NULL: omitted */
};

struct pji_request_spec {
    const char *item;   /* item id, for the record */
    const char *prompt; /* rendered prompt (completions) or user message (chat) */
    enum pji_api api;
    int64_t max_tokens;
    bool ignore_eos;    /* fixed output length (vLLM and llama.cpp know "ignore_eos") */
    const char *stop;   /* stop sequence, NULL: none */
    double temperature; /* of sampling (no unit) */
    uint64_t seed;
    const char *extra;  /* further JSON members as an object text, merged into the body; NULL: none
                           (prompt cache off: {"cache_prompt": false}) */
};

struct pji_request_record {
    size_t spec;     /* index into the plan */
    int64_t stream;
    int64_t scheduled_ns, sent_ns, first_token_ns, last_token_ns; /* 0: did not happen */
    int64_t prompt_tokens, cached_tokens, output_tokens;          /* -1: the server did not say */
    long http_status;
    char finish[16];
    char *text;      /* output text, owned */
    char *error;     /* NULL when it succeeded, owned */
    int64_t *token_ns; /* arrival of every chunk with text, owned; equal stamps: one read */
    size_t n_tokens;
};

struct pji_load_plan {
    const struct pji_endpoint *endpoint;
    const struct pji_request_spec *specs;
    size_t n;
    int64_t concurrency;     /* closed loop: requests in flight; 0: open loop by due_ns */
    const int64_t *due_ns;   /* open loop: offset from the start for each spec, ascending */
    int64_t request_timeout_ns;
    int64_t deadline_ns;     /* absolute, whole phase; 0: none */
    int stop_fd;             /* readable: stop sending, let the rest finish, return PJ_ECANCELED */
    const char *spool_path;  /* NULL: none */
    void (*progress)(void *context, size_t done, size_t failed, int64_t output_tokens);
    void *progress_context;
};

struct pji_load_result {
    struct pji_request_record *records; /* n, in plan order; requests never sent have sent_ns 0 */
    size_t n;
    int64_t start_ns, end_ns; /* first send, last byte */
    int64_t client_cpu_ns;    /* CPU time of the calling thread */
};

/* Runs the plan on the calling thread. The result is valid (to be freed) also after a failure. */
pj_status pji_load_run(const struct pji_load_plan *plan, struct pji_load_result *result,
                       struct pj_error *err);
void pji_load_result_fini(struct pji_load_result *result);

#endif
