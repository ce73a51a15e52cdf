/* lab/remote_inside.h - what the files of the orchestrator's side share. */
#ifndef PJI_LAB_REMOTE_INSIDE_H
#define PJI_LAB_REMOTE_INSIDE_H

#include "lab/protocol.h"
#include "lab/remote.h"
#include "net/http.h"

struct pji_clock_sample {
    int64_t wall_offset_ns, monotonic_offset_ns; /* agent's clock minus ours */
    int64_t u_ns;                                /* half of the round trip; 0: no sample */
};

struct pji_remote {
    const struct pji_run_env *env;
    const struct pji_study *study;
    struct pji_store *store; /* NULL in a preflight */
    struct pji_http *http;
    char *token;
    char *ca_file;
    char study_id[33], agent_id[33];
    int64_t trouble_ns;            /* of the first question without an answer, 0: all is well */
    bool told;                     /* the user knows that there is no answer */
    struct pji_clock_sample clock; /* best of this attempt */
};

int64_t pji_remote_now_ns(void);

/* One question, one answer (a JSON object, released by the caller; NULL allowed). Any HTTP status
 * is PJ_OK except 401, which is PJ_EACCESS. PJ_ETIMEOUT and PJ_EPEER: ask again. PJ_ECANCELED: the
 * user asked to stop (not when `always`). */
struct pji_remote_call {
    const char *method, *path;
    const json_t *body; /* NULL: none */
    bool always;        /* ask although the user wants to stop */
};
pj_status pji_remote_ask(struct pji_remote *remote, const struct pji_remote_call *call,
                         long *http_status, json_t **answer, struct pj_error *err);
/* The same, again and again until an answer came or the agent is lost (PJ_ETIMEOUT). */
pj_status pji_remote_insist(struct pji_remote *remote, const struct pji_remote_call *call,
                            long *http_status, json_t **answer, struct pj_error *err);
/* Bytes [offset, offset + len) of a file of a result. */
pj_status pji_remote_bytes(struct pji_remote *remote, const struct pji_job_id *id, size_t index,
                           int64_t offset, int64_t len, struct pji_http_answer *answer,
                           struct pj_error *err);
/* Sleeps for a heartbeat; PJ_ECANCELED when the user asked to stop, PJ_ETIMEOUT when the agent has
 * not answered for executor.lost_after. */
pj_status pji_remote_breathe(const struct pji_remote *remote, struct pj_error *err);
/* The sentence of an error answer, else a stock one with the status. */
void pji_remote_words(long http_status, const json_t *answer, char *text, size_t size);

/* {"study_file", "items": […]}: what check and submission share. */
json_t *pji_remote_study_json(const struct pji_study *study, const struct pji_workload *workload);

/* ---- remote_result.c ---- */

/* Fetches every file of the result below DIR/incoming/ATTEMPT, going on where an earlier fetch was
 * cut off, and checks digests (PJ_ECORRUPT). */
pj_status pji_remote_fetch(struct pji_remote *remote, const struct pji_job_id *id,
                           const struct pji_result *result, struct pj_error *err);
/* One transaction: records, artefacts, facts, end of the attempt. */
pj_status pji_remote_adopt(struct pji_remote *remote, const struct pji_job_id *id,
                           const struct pji_result *result, struct pji_trial_outcome *outcome,
                           struct pj_error *err);
void pji_remote_forget_incoming(struct pji_remote *remote, const struct pji_job_id *id);
/* What we know beyond the records: the agent, its clock against ours, the digest ("": none). */
pj_status pji_remote_put_facts(struct pji_remote *remote, int64_t attempt, const char *digest,
                               struct pj_error *err);

#endif
