/* lab/protocol.h - what orchestrator and agent say to each other: identities and JSON bodies of the
 * agent's API, version 1. docs/agent-api.md is its manual, docs/agent-openapi.json its description
 * for machines, which a test holds against the running agent.
 */
#ifndef PJI_LAB_PROTOCOL_H
#define PJI_LAB_PROTOCOL_H

#include "core/json.h"

#include <stdbool.h>
#include <stdint.h>

enum { PJI_AGENT_API = 1, PJI_AGENT_PORT = 7411, PJI_TOKEN_CHARS = 64, PJI_JOB_PATH = 160 };

/* Names one attempt for ever: every message carries it. */
struct pji_job_id {
    char study[33];  /* 32 hex digits, drawn when a study first meets an agent */
    int64_t trial;   /* as in the study */
    int64_t attempt; /* number of the attempt within the whole study */
    char nonce[33];  /* 32 hex digits, drawn for the attempt */
};

bool pji_job_id_same(const struct pji_job_id *a, const struct pji_job_id *b);
/* "/v1/jobs/STUDY/TRIAL/ATTEMPT/NONCE" */
void pji_job_id_path(const struct pji_job_id *id, char path[PJI_JOB_PATH]);
/* Reads the four parts behind "/v1/jobs/"; *rest (borrowed) is what follows, "" or "/…". */
bool pji_job_id_parse(const char *path, struct pji_job_id *id, const char **rest);
bool pji_is_hex(const char *text, size_t n);
/* "trial 3, attempt 17" */
void pji_job_id_show(const struct pji_job_id *id, char *text, size_t size);
/* Sets the four members of an object. */
void pji_job_id_put(const struct pji_job_id *id, json_t *object);
/* PJ_EPEER when a message is about another job than `want`, or about none. */
pj_status pji_job_id_check(const struct pji_job_id *want, const json_t *message,
                           struct pj_error *err);
pj_status pji_job_id_get(const json_t *message, struct pji_job_id *id, struct pj_error *err);
/* n random hex digits (n even) and a NUL. */
pj_status pji_random_hex(char *text, size_t n, struct pj_error *err);

/* Facts of this machine as members of an object: "machine.cpu_model" and so on. */
pj_status pji_machine_put(json_t *object, struct pj_error *err);

/* http:// and https:// URLs whose host is this machine. */
bool pji_url_is_loopback(const char *url);

/* One file of a result. */
struct pji_result_file {
    char name[129]; /* for people and for the store; never a path */
    int64_t size_b;
    char sha256[65];
};
enum { PJI_RESULT_FILES = 32 };

/* How a job ended, and the files it left: [0] is the study of one trial, then its artefacts. */
struct pji_result {
    char state[16];   /* "done", "failed", "invalid", "interrupted" */
    char reason[161]; /* "" for done */
    char detail[505]; /* a sentence, "" when there is none */
    struct pji_result_file files[PJI_RESULT_FILES];
    size_t n_files;
    char digest[65]; /* SHA-256 over identity, state, reason and all files */
};
pj_status pji_result_digest(const struct pji_job_id *id, const struct pji_result *result,
                            char sha256[65], struct pj_error *err);
/* "outcome" and "result" of a job's message. */
void pji_result_put(const struct pji_result *result, json_t *object);
/* Also checks the digest. */
pj_status pji_result_get(const json_t *message, const struct pji_job_id *id,
                         struct pji_result *result, struct pj_error *err);

#endif
