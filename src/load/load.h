/* load/load.h - sends the requests of one phase and keeps one record for each.
 *
 * A plan is a list of requests with a due time each; an arrival process makes the plan (closed
 * loop: due when one of N streams is free; open loop: due at a time; both together: at a time, but
 * never more than N in flight). Records are complete in memory when the run returns; during the run
 * they are also appended to a spool file, written without fsync, so that a crash leaves what was
 * finished. Nothing else is written inside the window. Failed requests are records too and never
 * count as fast ones.
 *
 * Terms, fixed here for every later computation: a request is scheduled when its arrival process
 * wanted it sent (closed loop: when its stream became free) and sent just before it was handed to
 * the socket layer, so that the wait for a connection counts as latency. The first token is the
 * first chunk whose text is not empty, be it answer or reasoning. Time stamps of chunks are those
 * of the read(2) that brought them: chunks of one read share a stamp. Nothing is padded: a chunk of
 * several tokens has one stamp, and token counts come from the server's usage alone.
 */
#ifndef PJI_LOAD_LOAD_H
#define PJI_LOAD_LOAD_H

#include "core/json.h"
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
    const char *item;    /* item id, for the record */
    const char *prompt;  /* rendered prompt (completions) or user message (chat) */
    const char *members; /* lines: what the program gets beside id and prompt, as the members of a
                            JSON object ("task":"…","item":{…}); NULL: nothing */
    enum pji_api api;
    int64_t max_tokens; /* 0: not sent, the server decides */
    bool ignore_eos;    /* fixed output length (vLLM and llama.cpp know "ignore_eos") */
    bool whole;         /* ask for one JSON answer instead of a stream: no token times then */
    const char *stop;   /* stop sequence, NULL: none */
    double temperature; /* of sampling (no unit) */
    uint64_t seed;      /* its low 31 bits are sent: every server takes those */
    const char *extra;  /* further JSON members as an object text, merged into the body; NULL: none
                           (prompt cache off: {"cache_prompt": false}). They win over the fields
                           above, but "prompt", "messages", "stream", "stream_options" and "n" are
                           refused: the records rest on them. */
};

/* What one answer of a program says that it contains: 65536 of "pixel". */
enum { PJI_COUNT_NAME = 32, PJI_COUNTS = 8 };
struct pji_count {
    char name[PJI_COUNT_NAME];
    double value;
};

struct pji_request_record {
    size_t spec;    /* index into the plan */
    int64_t stream; /* which of the request slots sent it: closed loop 0…N-1 */
    int64_t scheduled_ns, sent_ns, first_token_ns, last_token_ns; /* 0: did not happen */
    int64_t end_ns; /* the answer was whole, or had failed; 0: never sent */
    int64_t prompt_tokens, cached_tokens, output_tokens; /* -1: the server did not say */
    long http_status;
    char finish[16];
    char *text;        /* output text, owned; NULL: none */
    char *reasoning;   /* what a reasoning model said before it, owned; NULL: none */
    char *error;       /* NULL when it succeeded, owned */
    int64_t *token_ns; /* arrival of every chunk with text, owned; equal stamps: one read */
    size_t n_tokens;
    struct pji_count *counts; /* owned; NULL: none */
    size_t n_counts;
};

struct pji_jsonl;

struct pji_load_plan {
    const struct pji_endpoint *endpoint;
    struct pji_jsonl *lines; /* the requests go to this program instead; NULL: to the endpoint */
    const struct pji_request_spec *specs;
    size_t n;
    int64_t concurrency;        /* closed loop: requests in flight; 0: open loop by due_ns */
    const int64_t *due_ns;      /* open loop: offset from the start for each spec, ascending */
    int64_t request_timeout_ns; /* 0: 60 s */
    int64_t deadline_ns;        /* absolute, whole phase; 0: none */
    int stop_fd;                /* readable: stop sending, let the rest finish, return PJ_ECANCELED;
                                   -1: none */
    const char *spool_path;     /* NULL: none; lines are appended */
    const char *phase;          /* written into each spool line, so that phases may share a file;
                                   NULL: null */
    /* Between polls, when something changed. */
    void (*progress)(void *context, size_t done, size_t failed, int64_t output_tokens);
    void *progress_context;
};

struct pji_load_result {
    struct pji_request_record *records; /* n, in plan order; requests never sent have sent_ns 0 */
    size_t n;
    size_t n_done, n_failed;  /* records with an end; those among them with an error */
    int64_t start_ns, end_ns; /* first send, last end; 0: nothing was sent */
    int64_t client_cpu_ns;    /* CPU time of the calling thread */
};

/* Runs the plan on the calling thread. The result is valid (to be freed) also after a failure.
 * PJ_ECANCELED: stop_fd; PJ_ETIMEOUT: deadline_ns passed, and what was in flight has the error
 * "deadline: …"; PJ_EPEER: the program broke the protocol or ended (plan->lines->failure says the
 * kind); PJ_ENOSPC: everything was run, but the spool is cut off; PJ_EINVAL: the plan is
 * wrong, nothing was sent. Failed requests are not a failure of the run. */
pj_status pji_load_run(const struct pji_load_plan *plan, struct pji_load_result *result,
                       struct pj_error *err);
void pji_load_result_fini(struct pji_load_result *result);

#endif
