/* load/jsonl.h - the pipes to a program that answers items: one JSON object on each line, both
 * ways. docs/engines.md is the manual of the protocol, version 1:
 *
 *     program → us   {"ready": true, "name": "…", "version": "…", "model": "…"}     once, at first
 *     us → program   {"id": 7, "task": "…", "item": {…}, "prompt": "…"}
 *     program → us   {"id": 7, "output": …, "counts": {"pixel": 65536}}  or  {"id": 7, "error":
 * "…"}
 *
 * One of these lives as long as the program, over all phases: ids are never used twice. What breaks
 * the protocol ends the conversation with a code in `failure` (the reason of the failed trial).
 */
#ifndef PJI_LOAD_JSONL_H
#define PJI_LOAD_JSONL_H

#include "load/load.h"

enum { PJI_JSONL_LIMIT = 4 * 1024 * 1024 };

struct pji_jsonl {
    int to_fd, from_fd; /* our ends, non-blocking; -1: closed */
    int alive_fd;       /* readable: the program has ended; -1: nobody can tell */
    size_t line_limit;  /* longest line of the program; 0: PJI_JSONL_LIMIT */
    struct pji_str in;  /* read and not yet taken, from `at` on */
    size_t at, searched;
    bool ended;         /* the program closed its output */
    struct pji_str out; /* not yet written, from out_at on */
    size_t out_at;
    int64_t next_id; /* 0: none was used */
    int64_t *late;   /* ids whose time was over: their answers are dropped, ascending */
    size_t n_late, late_cap;
    int64_t dropped;     /* such answers that came */
    const char *failure; /* code, static; NULL: all is well */
};

void pji_jsonl_init(struct pji_jsonl *lines, int to_fd, int from_fd, int alive_fd);
/* Closes both ends. */
void pji_jsonl_fini(struct pji_jsonl *lines);

/* Reads what is there, without waiting: PJ_OK, or PJ_EPEER when the pipe cannot be read. */
pj_status pji_jsonl_fill(struct pji_jsonl *lines, struct pj_error *err);
/* The next whole line without its end, valid until the next fill. PJI_JSONL_NONE: there is none
 * yet; PJ_EPEER: it is too long, or the output ended inside it. */
enum { PJI_JSONL_NONE = 1 };
pj_status pji_jsonl_take(struct pji_jsonl *lines, const char **line, size_t *len,
                         struct pj_error *err);
/* Appends to what is to be written. */
void pji_jsonl_put(struct pji_jsonl *lines, const char *text, size_t len);
/* Writes what the pipe takes; *moved: it took something. PJ_EPEER: nobody reads it any more. */
pj_status pji_jsonl_flush(struct pji_jsonl *lines, bool *moved, struct pj_error *err);
bool pji_jsonl_pending(const struct pji_jsonl *lines);
/* After an end of a pipe was closed: did the program end? Waits a moment for it. */
bool pji_jsonl_ended(const struct pji_jsonl *lines);

/* Breaks off: sets the code (the first one stays) and returns PJ_EPEER with the sentence. */
pj_status pji_jsonl_break(struct pji_jsonl *lines, const char *code, struct pj_error *err,
                          const char *format, ...) __attribute__((format(printf, 4, 5)));

/* An answer in its parts; zero-initialise, pji_answer_fini frees. */
struct pji_answer_line {
    int64_t id;
    struct pji_str output;
    char *error; /* NULL: it succeeded */
    struct pji_count *counts;
    size_t n_counts;
    int64_t prompt_tokens, output_tokens; /* -1: not told */
};
/* PJ_EPEER with a sentence: the line is no answer. */
pj_status pji_answer_parse(struct pji_answer_line *answer, const char *line, size_t len,
                           struct pj_error *err);
void pji_answer_fini(struct pji_answer_line *answer);

#endif
