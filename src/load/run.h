/* load/run.h - what the request loop (run.c) and the life of one request (flight.c) share. */
#ifndef PJI_LOAD_RUN_H
#define PJI_LOAD_RUN_H

#include "load/body.h"
#include "load/spool.h"
#include "net/sse.h"
#include "platform/platform.h"

struct pji_run;

enum pji_answer_kind {
    PJI_ANSWER_STREAM, /* server-sent events, as asked for */
    PJI_ANSWER_JSON,   /* one object, as asked for */
    PJI_ANSWER_OTHER   /* an error page or the wrong kind: its start is kept for the message */
};

/* A slot that sends one request after the other and keeps its buffers. */
struct pji_flight {
    struct pji_run *run;
    struct pji_request_record *record; /* of the request going on; NULL: none */
    int64_t stream;
    enum pji_answer_kind kind;
    struct pji_str body, page, text, reasoning;
    struct pji_sse sse;
    int64_t *token_ns;
    size_t n_tokens, cap;
    int64_t read_ns; /* of the last bytes */
    bool done_seen;
    struct pj_error problem; /* what was wrong with the answer */
};

struct pji_run {
    const struct pji_load_plan *plan;
    struct pji_load_result *result;
    struct pji_http *http; /* NULL: talk */
    struct pji_talk *talk; /* NULL: http */
    struct pji_platform platform;
    char *completions_url, *chat_url;
    struct pji_extras extras;
    struct pji_spool spool;
    struct pji_flight **flights; /* all slots */
    size_t n_flights, flights_cap;
    struct pji_flight **idle; /* stack of free slots */
    size_t n_idle, idle_cap;
    size_t next;     /* first spec not sent yet */
    int64_t zero_ns; /* due times count from here */
    int64_t output_tokens;
    bool stopping, changed;
    pj_status status; /* fatal: the loop must end */
    struct pj_error *err;
};

pj_status pji_flight_new(struct pji_flight **out, struct pji_run *run, int64_t stream,
                         struct pj_error *err);
void pji_flight_free(struct pji_flight *flight);
/* Sends spec number `spec`. Failures become the record's error (pji_run_landed was called then). */
void pji_flight_send(struct pji_flight *flight, size_t spec, int64_t scheduled_ns);
/* Forgets the request before and takes up this one. */
void pji_flight_begin(struct pji_flight *flight, size_t spec, int64_t scheduled_ns);
/* The request going on has ended; what is in the slot becomes its record. */
void pji_flight_land(struct pji_flight *flight, int64_t t_ns);
/* Ends the request going on from our side; `why` is the error. */
void pji_flight_abandon(struct pji_flight *flight, const char *why);

/* run.c: a request has ended, its record is complete, the slot is free. */
void pji_run_landed(struct pji_run *run, struct pji_flight *flight, int64_t t_ns);
/* run.c: sends what is due, at most so many requests. */
void pji_run_send_due(struct pji_run *run, int64_t now_ns, int most);
void pji_run_out_of_memory(struct pji_run *run);

/* ---- talk.c: requests over the pipes of plan->lines, in the place of net/http.h ---- */

pj_status pji_talk_open(struct pji_run *run, struct pj_error *err);
/* What is unanswered then will be dropped when it comes. */
void pji_talk_close(struct pji_run *run);
void pji_talk_send(struct pji_flight *flight, size_t spec, int64_t scheduled_ns);
/* As pji_http_poll; also ends requests whose time is over. */
pj_status pji_talk_poll(struct pji_run *run, int64_t timeout_ns, int extra_fd,
                        struct pj_error *err);

#endif
