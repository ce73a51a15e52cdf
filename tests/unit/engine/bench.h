/* bench.h - one engine under test: its settings, environment and the facts that it reported. */
#ifndef TESTS_ENGINE_BENCH_H
#define TESTS_ENGINE_BENCH_H

#include "engine/engine.h"
#include "temp.h"

enum { BENCH_SETTINGS = 16, BENCH_VALUES = 24, BENCH_FACTS = 64 };

struct bench {
    const struct pji_engine_ops *ops;
    void *state;
    struct pji_setting settings[BENCH_SETTINGS];
    const char *values[BENCH_SETTINGS][BENCH_VALUES];
    size_t n;
    struct pji_engine_env env;
    struct pji_digest_cache digests;
    struct pj_error err;
    char dir[TEMP_PATH], log_path[96], model[96], mark[64];
    char *fact_keys[BENCH_FACTS], *fact_values[BENCH_FACTS];
    size_t n_facts;
    int processes;     /* told through on_process */
    char logged[4096]; /* what env->log got */
    struct pji_log log;
    int stop_pipe[2];
};

/* An engine of this kind without settings, its files in a new folder. */
void bench_open(struct bench *bench, const char *kind);
void bench_close(struct bench *bench);
/* Adds a scalar, or with a list's values ended by NULL a list. */
void bench_set(struct bench *bench, const char *key, const char *value);
void bench_set_list(struct bench *bench, const char *key, const char *const *values);

pj_status bench_check(struct bench *bench);
pj_status bench_start(struct bench *bench);
void bench_must_start(struct bench *bench);
pj_status bench_stop(struct bench *bench);
/* Collects the facts anew; then one of them, or "". */
void bench_facts(struct bench *bench);
const char *bench_fact(const struct bench *bench, const char *key);

#endif
