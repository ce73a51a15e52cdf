/* agent/inside.h - what the files of the agent share. */
#ifndef PJI_AGENT_INSIDE_H
#define PJI_AGENT_INSIDE_H

#include "agent/agent.h"
#include "agent/policy.h"
#include "agent/spool.h"
#include "agent/token.h"
#include "lab/rest.h"
#include "net/server.h"

struct pji_agent {
    const struct pji_agent_config *config;
    struct pji_policy policy;
    struct pji_token token;
    struct pji_jobs spool; /* its lock also guards `running` and `stopping` */
    struct pji_job *running;
    bool stopping;
    int cancel_fd; /* eventfd: ends the job that runs */
    char id[33];   /* of this agent, for ever */
    json_t *machine;
    const char *transport;
    struct pji_digest_cache digests; /* of the worker */
};

/* What was asked for, checked: study (with our items' paths) and the levels of the trial. */
struct pji_order {
    struct pji_study study;
    bool has_study;
    const char **levels; /* one for each factor, borrowed from the JSON */
    int64_t cell, block, repetition;
    struct pji_around around; /* what to do with the machine at rest */
};
/* with_trial: levels and the trial's numbers too. PJ_EACCESS: not allowed here; PJ_EINVAL: wrong.
 */
pj_status pji_order_read(const struct pji_agent *agent, const json_t *message, bool with_trial,
                         struct pji_order *order, struct pj_error *err);
void pji_order_fini(struct pji_order *order);
/* The types of a message's parts that no other function reads: PJ_EINVAL. */
pj_status pji_order_shape(const json_t *message, bool with_trial, struct pj_error *err);
/* Does the message tell a digest for every file that the study reads? PJ_EINVAL. */
pj_status pji_order_digests_told(const json_t *message, const struct pji_study *study,
                                 struct pj_error *err);
/* The digests in a message against those of our files; PJ_EINVAL says which file differs.
 * examples_sha256 NULL: the task has none. */
pj_status pji_order_same_items(const json_t *message, const char *task, const char *sha256,
                               const char *examples_sha256, struct pj_error *err);
pj_status pji_order_same_times(const json_t *message, const char *sha256, struct pj_error *err);
struct pji_workload;
pj_status pji_order_same_workload(const json_t *message, const struct pji_workload *workload,
                                  struct pj_error *err);
/* The settings of a treatment as this agent would use them; PJ_EACCESS. */
pj_status pji_order_allowed(const struct pji_agent *agent, const struct pji_study *study,
                            const char *const *levels, struct pj_error *err);

/* The thread that runs queued jobs until agent->stopping; argument: the agent. */
void *pji_agent_work(void *agent);
/* Ends what the agent before us left running, and says how those jobs ended. */
pj_status pji_agent_recover(struct pji_agent *agent, struct pj_error *err);

/* The API, as callbacks of net/server.h; context: the agent. */
bool pji_api_admit(void *context, const struct pji_server_request *request,
                   struct pji_server_reply *reply);
void pji_api_answer(void *context, const struct pji_server_request *request,
                    struct pji_server_reply *reply);

#endif
