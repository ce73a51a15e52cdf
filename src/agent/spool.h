/* agent/spool.h - the jobs of an agent, in memory and below STATE/jobs/N (N is ours):
 *
 *     job.json     what was asked, as it was accepted
 *     work/        the study of this one trial: study.sqlite and artefacts
 *     result.json  how it ended, with digests: there once it is finished
 *
 * and STATE/retired, one line for each job that was acknowledged or discarded: its files are gone
 * and its name is never used again. Everything is on disk before a function returns. The caller
 * holds `lock` around all of it but pji_jobs_open.
 */
#ifndef PJI_AGENT_SPOOL_H
#define PJI_AGENT_SPOOL_H

#include "core/log.h"
#include "lab/protocol.h"

#include <pthread.h>

enum { PJI_JOBS_RESULTS = 64 }; /* unacknowledged results before new jobs are refused */

enum pji_job_state { PJI_JOB_QUEUED, PJI_JOB_RUNNING, PJI_JOB_FINISHED };
const char *pji_job_state_name(enum pji_job_state state);

struct pji_job {
    struct pji_job *next; /* in the order of acceptance */
    struct pji_job_id id;
    int64_t number; /* of its folder */
    enum pji_job_state state;
    char phase[160];
    size_t requests_done, requests;
    double power_w;
    bool discarded; /* its result is not wanted any more: retire it when it ends */
    bool cut_off;   /* it was running when the agent before us died */
    struct pji_result result;
};

struct pji_jobs {
    pthread_mutex_t lock;
    pthread_cond_t work; /* something was queued, or the agent ends */
    char *dir;
    const struct pji_log *log;
    struct pji_job *jobs;
    struct pji_job_id *retired;
    size_t n_retired, cap_retired;
    int64_t next_number;
    int lock_fd;
};

/* PJ_EBUSY when another agent uses the folder. */
pj_status pji_jobs_open(struct pji_jobs *spool, const char *dir, const struct pji_log *log,
                        struct pj_error *err);
void pji_jobs_close(struct pji_jobs *spool);

struct pji_job *pji_jobs_find(struct pji_jobs *spool, const struct pji_job_id *id);
bool pji_jobs_retired(const struct pji_jobs *spool, const struct pji_job_id *id);
/* Another job has this study, trial and attempt with another nonce. */
bool pji_jobs_contradicts(const struct pji_jobs *spool, const struct pji_job_id *id);
size_t pji_jobs_count(const struct pji_jobs *spool, enum pji_job_state state);
pj_status pji_jobs_add(struct pji_jobs *spool, const struct pji_job_id *id, const json_t *order,
                       struct pji_job **out, struct pj_error *err);
pj_status pji_jobs_finish(struct pji_jobs *spool, struct pji_job *job,
                          const struct pji_result *result, struct pj_error *err);
/* Removes it for good; frees job. It must not be running. */
pj_status pji_jobs_retire(struct pji_jobs *spool, struct pji_job *job, const char *why,
                          struct pj_error *err);

/* Paths; caller frees. `below` is "", "/job.json", "/work", … */
char *pji_jobs_path(const struct pji_jobs *spool, const struct pji_job *job, const char *below,
                    struct pj_error *err);

#endif
