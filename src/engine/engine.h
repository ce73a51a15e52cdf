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

struct pji_engine_env {
    const struct pji_log *log;
    const char *const *keeper_argv; /* program and arguments that run a keeper ("perjoule-lab",
                                       "keeper"), NULL-terminated; filled by cli/ */
    const char *log_path;           /* file that collects the engine's output */
    const char *study_dir;          /* folder of the study file: relative paths start here */
    const char *const *env;         /* factor levels as NAME=value for `command`, NULL-terminated */
    int64_t start_deadline_ns;      /* how long start may take (duration) */
    int64_t stop_grace_ns;          /* TERM to KILL */
    int stop_fd;                    /* readable: give up waiting, PJ_ECANCELED; -1: none */
    /* Tells the owner of every process started, before it can do anything. */
    pj_status (*on_process)(void *context, const char *role, int64_t pid, uint64_t start_ticks,
                            struct pj_error *err);
    void *context;
    const char *api_key;            /* from the environment or a file, never stored; NULL: none */
};

/* Facts about the running engine for the manifest: "engine.version", "model.sha256", … */
typedef pj_status pji_fact_fn(void *context, const char *key, const char *value,
                              struct pj_error *err);

struct pji_engine_ops {
    const char *kind;  /* "llamacpp" */
    const char *about;
    size_t state_size;
    bool is_command;   /* the program is the trial: no endpoint, no load, no task */
    const char *const *keys; /* settings it knows, NULL-terminated: for messages */
    /* Checks the settings without starting anything: `perjoule check`. Messages name the setting;
     * the caller adds file:line:column. */
    pj_status (*check)(const struct pji_setting *settings, size_t n, struct pj_error *err);
    /* Starts and waits until ready or start_deadline_ns. On failure nothing is left running. */
    pj_status (*start)(void *state, const struct pji_setting *settings, size_t n,
                       const struct pji_engine_env *env, struct pj_error *err);
    /* Where to send requests; borrowed until stop. NULL for is_command. */
    const struct pji_endpoint *(*endpoint)(void *state);
    /* Readable when the engine's process has ended unexpectedly; -1: cannot tell. */
    int (*alive_fd)(void *state);
    /* is_command: runs the program (held child) to its end. */
    pj_status (*run)(void *state, int64_t *start_ns, int64_t *end_ns, int *exit_code,
                     struct pj_error *err);
    pj_status (*facts)(void *state, pji_fact_fn *fn, void *context, struct pj_error *err);
    /* Its metrics page as text (caller frees), PJ_EUNSUPPORTED when it has none. */
    pj_status (*scrape)(void *state, char **text, struct pj_error *err);
    /* Energy of the engine is not measured here (another host): reason text, else NULL. */
    const char *(*remote_reason)(void *state);
    /* Stops it and checks that it is gone; also after the engine died by itself. */
    pj_status (*stop)(void *state, struct pj_error *err);
};

const struct pji_engine_ops *const *pji_engine_table(void); /* NULL-terminated */
const struct pji_engine_ops *pji_engine_find(const char *kind); /* NULL: unknown */

/* Value of a scalar setting, or fallback. */
const char *pji_setting_get(const struct pji_setting *settings, size_t n, const char *key,
                            const char *fallback);

#endif
