/* agent/agent.c - see agent.h: opens everything, serves, and closes in the reverse order. */
#include "agent/inside.h"

#include "core/array.h"
#include "core/units.h"
#include "platform/durable.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PEM_MOST = 1 << 20, CONNECTIONS = 64, BODY_MOST = 32 << 20 };

static pj_status check_transport(struct pji_agent *agent, struct pj_error *err)
{
    const struct pji_agent_config *c = agent->config;
    bool loopback = pji_address_is_loopback(c->address);
    pj_status status = pji_address_check(c->address, err);
    if (status != PJ_OK)
        return status;
    if ((c->tls_cert == NULL) != (c->tls_key == NULL))
        return pji_fail(err, PJ_EINVAL, "--tls-cert and --tls-key belong together");
    if (c->tls_cert == NULL && !loopback && !c->plain_http)
        return pji_fail(err, PJ_EINVAL,
                        "%s can be reached from other machines, and the token would cross the "
                        "network unencrypted: give --tls-cert and --tls-key, or say --plain-http "
                        "(it is recorded)",
                        c->address);
    agent->transport = c->tls_cert != NULL ? "https"
                       : loopback          ? "http on loopback"
                                           : "plain http (--plain-http)";
    return PJ_OK;
}

static char *state_path(const struct pji_agent *agent, const char *name, struct pj_error *err)
{
    struct pji_str path = {0};
    pji_str_addf(&path, "%s/%s", agent->config->state_dir, name);
    char *out = pji_str_ok(&path, err) == PJ_OK ? pji_str_take(&path) : NULL;
    pji_str_fini(&path);
    return out;
}

static pj_status open_token(struct pji_agent *agent, struct pj_error *err)
{
    bool created = false;
    char *path = state_path(agent, "token", err);
    if (path == NULL)
        return PJ_ENOMEM;
    pj_status status = pji_token_open(&agent->token, path, &created, err);
    if (status == PJ_OK && created)
        pji_log(agent->config->env->log, PJI_LOG_INFO,
                "a token was made: %s; the orchestrator needs a copy", path);
    free(path);
    return status;
}

static pj_status open_id(struct pji_agent *agent, struct pj_error *err)
{
    char *text = NULL;
    size_t len = 0;
    struct pj_error why = {0};
    char *path = state_path(agent, "id", err);
    if (path == NULL)
        return PJ_ENOMEM;
    pj_status status = pji_read_file(path, 64, &text, &len, &why);
    if (status == PJ_OK && len >= 32 && pji_is_hex(text, 32)) {
        memcpy(agent->id, text, 32);
    } else if (status == PJ_OK || status == PJ_ENOTFOUND) {
        status = pji_random_hex(agent->id, 32, err);
        if (status == PJ_OK)
            status = pji_durable_write(path, agent->id, 32, err);
    } else if (err != NULL) {
        *err = why;
    }
    free(text);
    free(path);
    return status;
}

static pj_status agent_open(struct pji_agent *agent, struct pj_error *err)
{
    agent->machine = json_object();
    agent->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (agent->cancel_fd < 0)
        return pji_fail_errno(err, errno, "cannot create an event descriptor");
    pj_status status = check_transport(agent, err);
    if (status == PJ_OK)
        status = pji_policy_read(&agent->policy, agent->config->policy, err);
    if (status == PJ_OK)
        status =
            pji_jobs_open(&agent->spool, agent->config->state_dir, agent->config->env->log, err);
    if (status == PJ_OK) {
        status = open_token(agent, err);
        if (status == PJ_OK)
            status = open_id(agent, err);
        if (status == PJ_OK)
            status = pji_machine_put(agent->machine, err);
        if (status == PJ_OK)
            status = pji_agent_recover(agent, err);
        if (status != PJ_OK)
            pji_jobs_close(&agent->spool);
    }
    return status;
}

/* ---- serving ---- */

static pj_status read_pem(const char *option, const char *path, char **text, struct pj_error *err)
{
    size_t len = 0;
    pj_status status = path != NULL ? pji_read_file(path, PEM_MOST, text, &len, err) : PJ_OK;
    if (status != PJ_OK)
        pji_error_prefix(err, "%s", option);
    return status;
}

static pj_status write_port(const struct pji_agent *agent, int64_t port, struct pj_error *err)
{
    char text[32];
    int len = snprintf(text, sizeof text, "%lld\n", (long long)port);
    if (agent->config->port_file == NULL)
        return PJ_OK;
    return pji_durable_write(agent->config->port_file, text, (size_t)len, err);
}

static void end_work(struct pji_agent *agent, pthread_t worker)
{
    uint64_t one = 1;
    pthread_mutex_lock(&agent->spool.lock);
    agent->stopping = true;
    pthread_cond_broadcast(&agent->spool.work);
    if (agent->running != NULL) {
        ssize_t n = write(agent->cancel_fd, &one, sizeof one);
        (void)n;
    }
    pthread_mutex_unlock(&agent->spool.lock);
    pthread_join(worker, NULL);
}

static pj_status serve(struct pji_agent *agent, struct pji_server *server, struct pj_error *err)
{
    pthread_t worker;
    pj_status status = write_port(agent, pji_server_port(server), err);
    if (status != PJ_OK)
        return status;
    int rc = pthread_create(&worker, NULL, pji_agent_work, agent);
    if (rc != 0)
        return pji_fail_errno(err, rc, "cannot start the thread that runs trials");
    pji_log(agent->config->env->log, PJI_LOG_INFO, "agent %.8s listens on %s port %lld: %s",
            agent->id, agent->config->address, (long long)pji_server_port(server),
            agent->transport);
    status = pji_server_run(server, agent->config->stop_fd, err);
    end_work(agent, worker);
    return status;
}

static pj_status listen_and_serve(struct pji_agent *agent, struct pj_error *err)
{
    const struct pji_agent_config *c = agent->config;
    struct pji_server *server = NULL;
    char *cert = NULL;
    char *key = NULL;
    pj_status status = read_pem("--tls-cert", c->tls_cert, &cert, err);
    if (status == PJ_OK)
        status = read_pem("--tls-key", c->tls_key, &key, err);
    struct pji_server_config config = {.address = c->address,
                                       .port = c->port,
                                       .tls_cert = cert,
                                       .tls_key = key,
                                       .header_ns = c->header_ns,
                                       .body_ns = c->body_ns,
                                       .reply_ns = c->reply_ns,
                                       .connections = CONNECTIONS,
                                       .per_address = c->per_address,
                                       .body_most = BODY_MOST,
                                       .log = c->env->log,
                                       .admit = pji_api_admit,
                                       .answer = pji_api_answer,
                                       .context = agent};
    if (status == PJ_OK)
        status = pji_server_open(&server, &config, err);
    if (status == PJ_OK)
        status = serve(agent, server, err);
    pji_server_close(server);
    if (key != NULL)
        explicit_bzero(key, strlen(key));
    free(key);
    free(cert);
    return status;
}

pj_status pji_agent_run(const struct pji_agent_config *config, struct pj_error *err)
{
    struct pji_agent agent = {.config = config, .cancel_fd = -1};
    pj_status status = agent_open(&agent, err);
    if (status == PJ_OK) {
        status = listen_and_serve(&agent, err);
        pji_jobs_close(&agent.spool);
    }
    pji_policy_fini(&agent.policy);
    pji_digest_cache_fini(&agent.digests);
    json_decref(agent.machine);
    if (agent.cancel_fd >= 0)
        close(agent.cancel_fd);
    return status;
}
