/* engine/server.h - a model server that we start: under a keeper, healthy before a deadline, with
 * the end of its log in the message when it is not.
 */
#ifndef PJI_ENGINE_SERVER_H
#define PJI_ENGINE_SERVER_H

#include "core/json.h"
#include "engine/engine.h"
#include "engine/keeper.h"

struct pji_server {
    struct pji_keeper keeper;
    struct pji_engine_env env;
    bool used;         /* env is set */
    int64_t log_start; /* size of the log before this start: the tail shows nothing older */
};

/* Starts argv and waits until GET health_url is 200. On failure nothing is left running. */
pj_status pji_server_start(struct pji_server *server, const char *const *argv,
                           const char *health_url, const struct pji_engine_env *env,
                           struct pj_error *err);
pj_status pji_server_stop(struct pji_server *server, struct pj_error *err);
/* It ended before it was ready: its exit code and the end of its log as one sentence; the rest goes
 * to env->log. */
pj_status pji_server_died(struct pji_server *server, struct pj_error *err);
/* 0: there is none. */
int64_t pji_log_size(const char *path);
/* The last lines that the server wrote since it was started, at most size - 1 bytes. */
void pji_server_log_tail(const struct pji_server *server, char *text, size_t size);

/* A TCP port of this address that is free now. */
pj_status pji_free_port(const char *address, int *port, struct pj_error *err);
/* Whether somebody listens on it or it cannot be bound. */
bool pji_port_is_free(const char *address, int port);

/* GET that answers with a JSON object; new reference in *out. PJ_EACCESS for HTTP 401
 * and 403, PJ_EPEER for another status. */
pj_status pji_get_json(const char *url, const char *bearer, json_t **out, struct pj_error *err);
/* The same of root_url + path, at a server that we started: we have no API key for it. */
pj_status pji_server_page(const char *root_url, const char *path, json_t **out,
                          struct pj_error *err);
/* GET of root_url/metrics, where llama.cpp and vLLM have their metrics page; PJ_EUNSUPPORTED when
 * the server has none. */
pj_status pji_get_metrics(const char *root_url, const char *bearer, char **text,
                          struct pj_error *err);

#endif
