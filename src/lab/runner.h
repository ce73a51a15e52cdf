/* lab/runner.h - a study from plan to last trial.
 *
 * `create` builds DIR under a temporary name and renames it once the plan is stored, so any DIR
 * that exists can be resumed. `run` works through the plan in order: what is done or invalid stays;
 * a failed trial is tried again until limits.attempts; an attempt that our own death cut off counts
 * against nothing and runs again as a new attempt. A full disk stops the run: resume goes on.
 */
#ifndef PJI_LAB_RUNNER_H
#define PJI_LAB_RUNNER_H

#include "lab/design.h"
#include "lab/trial.h"

/* Looks for the files that the engine's settings name (model, server), for every treatment, without
 * starting anything. */
pj_status pji_study_preflight(const struct pji_study *study, struct pj_error *err);

/* Creates the study folder. PJ_EBUSY when DIR exists already: resume it or choose another. */
pj_status pji_study_create(const char *dir, const struct pji_study *study,
                           const struct pji_plan *plan, const struct pji_workload *workload,
                           const struct pji_log *log, struct pj_error *err);

/* How often the study was extended (lab/extend.h). */
pj_status pji_study_extensions(struct pji_store *store, int64_t *n, struct pj_error *err);

/* Reads the study back from an open store (same text, same folder for relative paths): as its last
 * extension left it. */
pj_status pji_study_reopen(struct pji_study *study, struct pji_store *store, struct pj_error *err);

/* Refuses to go on when an items file changed since the study was created (PJ_EINVAL). */
pj_status pji_study_same_items(struct pji_store *store, const struct pji_workload *workload,
                               struct pj_error *err);

/* Ends processes that a dead runner left behind (by pid and start time) and closes its attempts.
 * Attempts on a testbed stay open: pji_study_run asks its agent for them. */
pj_status pji_study_recover(struct pji_store *store, const struct pji_log *log,
                            struct pj_error *err);

struct pji_run_summary {
    size_t planned, done, failed, invalid; /* states after the run */
    bool interrupted, disk_full, agent_lost, agent_refuses;
};

pj_status pji_study_run(const struct pji_run_env *env, const struct pji_study *study,
                        const struct pji_workload *workload, struct pji_store *store,
                        struct pji_run_summary *summary, struct pj_error *err);

#endif
