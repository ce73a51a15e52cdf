/* lab/trial.h - one attempt of one trial: meter on, engine up, phases on one clock, engine gone,
 * meter off, everything in one transaction.
 *
 * Phases: cooldown, baseline_before (lab/rest.h), load (engine start to ready), warmup, idle,
 * measure (one for each task), cooldown, baseline_after. Each keeps its energy; loading never leaks
 * into a measured window because windows are cut from the trace afterwards by their own time
 * stamps. Nothing is written to the database and nothing is fsynced between the first and the last
 * of these phases.
 */
#ifndef PJI_LAB_TRIAL_H
#define PJI_LAB_TRIAL_H

#include "core/log.h"
#include "lab/workload.h"
#include "store/store.h"

struct pji_run_event;
struct pji_around;

/* What a run needs from its surroundings; filled by cli/, borrowed throughout. */
struct pji_run_env {
    const char *perjoule;           /* meter program */
    const char *const *keeper_argv; /* see engine/engine.h */
    const char *root;               /* --root, NULL: the machine */
    const struct pji_log *log;
    int stop_fd;                      /* readable: finish cleanly */
    struct pji_digest_cache *digests; /* set by pji_study_run; NULL: none */
    const struct pji_around *around;  /* of this trial (lab/rest.h), set likewise; NULL: nothing */
    struct pji_remote *remote;        /* set by pji_study_run where trials run on a testbed */
    /* On a testbed: puts what its owner allows in the place of what the study asks for. NULL: the
     * study decides. */
    pj_status (*allow)(void *context, const char *kind, struct pji_setting *settings, size_t n,
                       struct pj_error *err);
    void *allow_context;
    /* Value of an environment variable (API keys); the library itself never reads them. */
    const char *(*lookup)(const char *name);
    void (*event)(void *context, const struct pji_run_event *event); /* may be NULL */
    /* The power now, NaN: unknown; with event_context, on the meter's thread. May be NULL. */
    void (*power)(void *context, double power_w);
    void *event_context;
};

enum pji_run_event_kind {
    PJI_RUN_TRIAL_START,
    PJI_RUN_PHASE,    /* phase changed */
    PJI_RUN_PROGRESS, /* requests finished, power now */
    PJI_RUN_TRIAL_END
};

/* A snapshot for progress bars and log lines. Called on the runner's thread. */
struct pji_run_event {
    enum pji_run_event_kind kind;
    size_t index, n; /* this trial is number index (1-based) of n still to do or done */
    int64_t trial;
    const char *treatment; /* "concurrency=4" */
    const char *phase;     /* "measure", "cooldown: what is waited for" */
    size_t requests_done, requests;
    double power_w;             /* NaN: unknown */
    double energy_j;            /* of all trials so far, NaN: unknown */
    double eta_s;               /* NaN: unknown */
    enum pji_trial_state state; /* TRIAL_END */
    const char *reason;         /* TRIAL_END: "" or why */
};

struct pji_trial_outcome {
    enum pji_trial_state state; /* DONE, FAILED, INVALID, or PLANNED: interrupted by the user */
    char reason[160];           /* "engine_start", gate codes, … */
    bool disk_full;             /* the run must stop */
    bool agent_lost;            /* likewise: no attempt was begun */
    bool agent_refuses;         /* likewise: it would refuse every other attempt too */
    double energy_j;            /* whole trial, NaN: unknown */
};

/* Runs one attempt and stores it. A negative status means that the store itself failed; everything
 * else is an outcome. */
pj_status pji_trial_run(const struct pji_run_env *env, const struct pji_study *study,
                        const struct pji_workload *workload, struct pji_store *store,
                        const struct pji_trial *trial, const struct pji_run_event *position,
                        struct pji_trial_outcome *outcome, struct pj_error *err);

#endif
