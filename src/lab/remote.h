/* lab/remote.h - the orchestrator's side of a trial that runs on a testbed: submit, ask, fetch,
 * store, acknowledge.
 *
 * The attempt is in our store as `running` before the agent hears of it, and ends in the one
 * transaction that takes over the agent's records; only then is the agent told that it may forget.
 * So whoever dies, and whenever: a resumed study finds its running attempts and asks for them
 * again. Nothing is believed without its identity (lab/protocol.h) and digest. No wait is without a
 * deadline: an answer may take executor.reply, an agent may be silent for executor.lost_after.
 * All time stamps of the records are of the testbed's clock.
 */
#ifndef PJI_LAB_REMOTE_H
#define PJI_LAB_REMOTE_H

#include "lab/trial.h"

struct pji_remote;

/* Asks the agent whether it would run every treatment of the study; once, without patience.
 * PJ_EINVAL: it refuses, and says what. */
pj_status pji_remote_preflight(const struct pji_run_env *env, const struct pji_study *study,
                               const struct pji_workload *workload, struct pj_error *err);

/* Meets the agent (waiting for it up to executor.lost_after) and records what it and its machine
 * are. PJ_EINVAL when another agent answers than the one that the study began with. */
pj_status pji_remote_open(struct pji_remote **out, const struct pji_run_env *env,
                          const struct pji_study *study, struct pji_store *store,
                          struct pj_error *err);
void pji_remote_close(struct pji_remote *remote);
/* At the end of a run: acknowledges once more what the agent still keeps of this study. A few
 * tries; a later resume would do it too. */
void pji_remote_settle(struct pji_remote *remote);

/* As pji_trial_run, on the testbed. A trial that is `running` in the store is gone on with. When
 * the agent cannot be reached before an attempt began, outcome->agent_lost is set and the trial
 * stays planned. */
pj_status pji_remote_trial(struct pji_remote *remote, const struct pji_workload *workload,
                           const struct pji_trial *trial, const struct pji_run_event *position,
                           struct pji_trial_outcome *outcome, struct pj_error *err);

#endif
