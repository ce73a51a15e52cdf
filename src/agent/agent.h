/* agent/agent.h - the testbed's service: runs the trials of an orchestrator that shows the token,
 * one at a time, with engines and items that this machine's owner allows.
 *
 * It executes a trial by the same code as a local study (lab/trial.h), in a study of its own below
 * STATE/jobs, and keeps that with digests until the orchestrator acknowledges it. What it promised
 * (a queued job, a result) is on disk before it says so; after its own death it ends what was left
 * running and reports that job as failed(agent_died). docs/agent-api.md is its manual.
 */
#ifndef PJI_AGENT_AGENT_H
#define PJI_AGENT_AGENT_H

#include "lab/trial.h"

struct pji_agent_config {
    const char *policy;    /* path of the configuration */
    const char *state_dir; /* token, identity, spool; nobody else can read token and jobs */
    const char *address;
    int64_t port;
    const char *tls_cert, *tls_key; /* paths of PEM files, NULL: no TLS */
    bool plain_http;                /* beyond loopback without TLS, said explicitly */
    const char *port_file;          /* gets the port once we listen, NULL: none */
    int64_t header_ns, body_ns, reply_ns;
    unsigned per_address;
    const struct pji_run_env *env; /* programs, root, log, lookup; the rest is ours */
    int stop_fd;                   /* readable: end the job that runs, and us */
};

/* Serves until stop_fd is readable. */
pj_status pji_agent_run(const struct pji_agent_config *config, struct pj_error *err);

/* Route number `index` of the API: "METHOD PATH" with {names} for its variable parts; NULL behind
 * the last. */
const char *pji_agent_route(size_t index);

#endif
