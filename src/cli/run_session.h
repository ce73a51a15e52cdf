/* cli/run_session.h - what `run` and `resume` share: where our programs are, signals, progress, and
 * the words at the end.
 */
#ifndef PJI_CLI_RUN_SESSION_H
#define PJI_CLI_RUN_SESSION_H

#include "lab/runner.h"

#include <limits.h>

/* The programs that a run starts. */
struct pji_programs {
    char meter[PATH_MAX];  /* $PERJOULE_METER, else found from our own place, else by PATH */
    char keeper[PATH_MAX]; /* beside us */
};
pj_status pji_programs_find(struct pji_programs *p, struct pj_error *err);
/* A pji_run_env.lookup: getenv(3). */
const char *pji_cli_lookup(const char *name);

/* Runs the open study to its end, prints what happened on stderr and returns the exit code: 0 all
 * done, 1 something failed or is still open, 3 some trial is invalid. dir is named in the advice.
 */
int pji_session_run(const char *dir, const char *root, struct pji_store *store,
                    const struct pji_study *study, const struct pji_workload *workload);

/* Errors and warnings of a study file on stderr, one line each. */
void pji_cli_say_problems(const struct pji_study *study);

/* The log of the command line: words on stderr. */
extern const struct pji_log pji_cli_log;

#endif
