/* tests/stub/stub.h - an OpenAI-compatible server that computes nothing, for tests and benches.
 *
 * One thread, epoll, plain sockets, libc only and none of perjoule's own code, so that it is an
 * independent witness. Text depends on the prompt alone; times come from options; faults happen to
 * every k-th completion request. It takes llama-server's options too (and ignores those that mean
 * nothing here), so that a study of kind llamacpp can start it as its engine. It ends by itself
 * after --max-life-s, so that a test that forgets it leaves nothing behind.
 */
#ifndef STUB_H
#define STUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum stub_fault {
    FAULT_FAIL,      /* HTTP 500 with an error object */
    FAULT_STALL,     /* never answers */
    FAULT_HANG,      /* half of the stream, then silence */
    FAULT_CUT,       /* half of the stream, then the connection is closed */
    FAULT_RESET,     /* half of the stream, then a TCP reset */
    FAULT_GARBAGE,   /* a chunk that is not JSON */
    FAULT_ERROR,     /* an error object inside the stream */
    FAULT_EMPTY,     /* no text at all */
    FAULT_NO_DONE,   /* the stream ends well but without [DONE] */
    FAULT_NO_STREAM, /* one JSON object although a stream was asked for */
    FAULT_HTML,      /* HTTP 200 with a page of HTML */
    FAULT_DIE,       /* the server exits at once */
    N_FAULTS
};

struct stub_options {
    int64_t port, tokens, ttft_us, itl_us, health_delay_ms, tokens_per_chunk, reasoning;
    int64_t cached, split, dribble_us, keep_alive, wrong_every, max_life_s, parallel, ctx_size;
    int64_t every[N_FAULTS]; /* 0: never */
    const char *host, *model, *alias, *api_key, *port_file, *grandchild, *answer, *echo_after,
        *chat_template, *tokenizer;
    bool no_usage, own_length, usage_each, empty_first, crlf, write_each, ignore_term, health_hang,
        start_fail;
    bool arrivals; /* keep when each completion was asked for */
};

void stub_options_read(struct stub_options *options, int argc, char **argv);

struct stub_buf {
    char *p;
    size_t n, cap;
};
void stub_add(struct stub_buf *b, const void *bytes, size_t n);
void stub_puts(struct stub_buf *b, const char *text);
void stub_printf(struct stub_buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* One completion being answered. */
struct stub_job {
    bool chat, stream, ignore_eos, head_sent, ended;
    int64_t max_tokens, n_tokens, prompt_tokens;
    int64_t sent_tokens;   /* so far */
    enum stub_fault fault; /* N_FAULTS: none */
    uint64_t state;        /* of the word generator */
    char *answer;          /* a text to give instead of words; owned */
    size_t answer_at;
    const char *finish;
};

void stub_job_read(struct stub_job *job, const struct stub_options *o, bool chat, const char *body,
                   int64_t number);
void stub_job_fini(struct stub_job *job);
/* Appends the next event (head first); sets job->ended after the last. Returns false when the
 * connection must be closed now (fault). */
bool stub_job_event(struct stub_job *job, const struct stub_options *o, struct stub_buf *out);
/* Appends the whole answer of a request that asked for no stream. */
void stub_job_whole(struct stub_job *job, const struct stub_options *o, struct stub_buf *out);
void stub_respond(struct stub_buf *out, int status, const char *type, const char *body, size_t n);

#endif
