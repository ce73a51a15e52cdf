/* engine/engine.h - how a model gets served: one file for each kind, one row in engine/table.c.
 *
 * An engine runs under a keeper (engine/keeper.h): own session, child subreaper, one end of a pipe
 * to us; when we die, the keeper ends the whole tree. All waits have deadlines.
 */
#ifndef PJI_ENGINE_ENGINE_H
#define PJI_ENGINE_ENGINE_H

#include "core/log.h"
#include "core/yaml.h"
#include "load/load.h"

#include <stdbool.h>
#include <stdint.h>

/* One setting of the study's `engine:` mapping, after factor levels were filled in. */
struct pji_setting {
    const char *key;
    const char *const *values; /* a scalar has one */
    size_t n;
    bool is_list;
    size_t line, column; /* in the study file, for messages */
};

/* Digests of model files computed earlier in this run, by path, size and times: a 60 GB file is not
 * read again for each trial. Zero-initialise; pji_digest_cache_fini frees. */
struct pji_digest_cache {
    struct pji_digest_entry *entries;
    size_t n, cap;
};
void pji_digest_cache_fini(struct pji_digest_cache *cache);

struct pji_engine_env {
    const struct pji_log *log;
    const char *const *keeper_argv; /* program and arguments that run a keeper ("perjoule-lab",
                                       "keeper"), NULL-terminated; filled by cli/ */
    const char *log_path;           /* file that collects the engine's output */
    const char *study_dir;          /* folder of the study file: relative paths start here */
    const char *const *env;         /* factor levels as NAME=value for `command`, NULL-terminated */
    int64_t start_deadline_ns;      /* how long start may take (duration) */
    int64_t stop_grace_ns;          /* TERM to KILL */
    int64_t run_limit_ns; /* is_command: how long run may take, then PJ_ETIMEOUT; 0: any */
    int stop_fd;          /* readable: give up waiting, PJ_ECANCELED; -1: none */
    /* Tells the owner of every process started, before it can do anything. */
    pj_status (*on_process)(void *context, const char *role, int64_t pid, uint64_t start_ticks,
                            struct pj_error *err);
    void *context;
    const char *api_key;              /* from the environment or a file, never stored; NULL: none */
    struct pji_digest_cache *digests; /* NULL: none is kept */
    const char *cpus;                 /* processors of the engine, "0,2-3"; NULL: ours */
    int64_t poll_ns;                  /* between two looks at a starting server; 0: 50 ms */
};

/* Facts about the running engine for the manifest: "engine.version", "model.sha256", … */
typedef pj_status pji_fact_fn(void *context, const char *key, const char *value,
                              struct pj_error *err);

struct pji_engine_ops {
    const char *kind; /* "llamacpp" */
    /* What `protocol` says to choose this row among those of one kind; NULL: its first row. */
    const char *protocol;
    const char *about;
    size_t state_size;
    bool is_command;         /* the program is the trial: no endpoint, no load, no task */
    bool starts_nothing;     /* the server is somebody else's: there is no output to keep */
    const char *const *keys; /* settings it knows, NULL-terminated: for messages */
    /* Checks the settings without starting anything: `perjoule check`. Messages name the setting;
     * the caller adds file:line:column. */
    pj_status (*check)(const struct pji_setting *settings, size_t n, struct pj_error *err);
    /* Looks, still without starting anything, for the files that the settings name (env: log and
     * study_dir only). NULL: there are none. */
    pj_status (*preflight)(const struct pji_setting *settings, size_t n,
                           const struct pji_engine_env *env, struct pj_error *err);
    /* Starts and waits until ready or start_deadline_ns. On failure nothing is left running.
     * is_command: the program exists afterwards but waits for run to exec. env itself is copied;
     * what it points to stays valid until stop. */
    pj_status (*start)(void *state, const struct pji_setting *settings, size_t n,
                       const struct pji_engine_env *env, struct pj_error *err);
    /* Where to send requests; borrowed until stop. NULL where there is no server. */
    const struct pji_endpoint *(*endpoint)(void *state);
    /* In its place: the pipes of a program that answers items (load/jsonl.h). Borrowed until stop.
     */
    struct pji_jsonl *(*lines)(void *state);
    /* Further JSON members, an object text, for every request (pji_request_spec.extra): here the
     * prompt cache is switched off. Borrowed until stop. May be NULL, and give NULL: none. */
    const char *(*request_extra)(void *state);
    /* Readable when the engine's process has ended unexpectedly. NULL: nobody can tell; call it
     * through pji_engine_alive_fd. */
    int (*alive_fd)(void *state);
    /* is_command: lets the program exec and waits for its end (env->stop_fd: PJ_ECANCELED). A
     * program that cannot be run is an error, never an exit code. Else NULL. */
    pj_status (*run)(void *state, int64_t *start_ns, int64_t *end_ns, int *exit_code,
                     struct pj_error *err);
    /* May read a whole model file for its digest: never call it inside a measured window. */
    pj_status (*facts)(void *state, pji_fact_fn *fn, void *context, struct pj_error *err);
    /* Its metrics page as text (caller frees), PJ_EUNSUPPORTED when it has none. NULL: never has.
     */
    pj_status (*scrape)(void *state, char **text, struct pj_error *err);
    /* Energy of the engine is not measured here (another host): reason text, else NULL. NULL: we
     * start it, so it is here. */
    const char *(*remote_reason)(void *state);
    /* Stops it and checks that it is gone; also after the engine died by itself. */
    pj_status (*stop)(void *state, struct pj_error *err);
};

const struct pji_engine_ops *const *pji_engine_table(void);     /* NULL-terminated */
const struct pji_engine_ops *pji_engine_find(const char *kind); /* NULL: unknown */
/* The row of a kind whose `protocol` is this one. NULL: it has no such row. */
const struct pji_engine_ops *pji_engine_speaking(const char *kind, const char *protocol);
/* -1: nobody can tell. */
int pji_engine_alive_fd(const struct pji_engine_ops *ops, void *state);

/* Value of a scalar setting, or fallback. */
const char *pji_setting_get(const struct pji_setting *settings, size_t n, const char *key,
                            const char *fallback);
/* The whole setting, or NULL. */
const struct pji_setting *pji_setting_find(const struct pji_setting *settings, size_t n,
                                           const char *key);
/* A whole number within [min, max]; absent: fallback. */
pj_status pji_setting_i64(const struct pji_setting *settings, size_t n, const char *key,
                          int64_t fallback, int64_t min, int64_t max, int64_t *out,
                          struct pj_error *err);
/* on, off, true, false, yes or no; absent: fallback. */
pj_status pji_setting_bool(const struct pji_setting *settings, size_t n, const char *key,
                           bool fallback, bool *out, struct pj_error *err);
/* Every key is one of keys, and named in list_keys exactly when it is a list (a scalar is
 * accepted there as a list of one). The message suggests the nearest key. */
pj_status pji_setting_keys(const struct pji_setting *settings, size_t n, const char *const *keys,
                           const char *const *list_keys, struct pj_error *err);
/* Reports one fact; a NULL or empty value is left out. */
pj_status pji_fact(pji_fact_fn *fn, void *context, const char *key, const char *value,
                   struct pj_error *err);

#endif
