/* lab/remote.c - talking to an agent; see remote.h. */
#include "lab/remote_inside.h"

#include "core/array.h"
#include "core/str.h"
#include "core/units.h"
#include "platform/clock.h"
#include "platform/durable.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ANSWER_MOST = 4 << 20, TOKEN_MOST = 4096 };

int64_t pji_remote_now_ns(void)
{
    return pji_clock_ns(CLOCK_MONOTONIC);
}

/* ---- secrets ---- */

static char *below_study(const struct pji_study *study, const char *path, struct pj_error *err)
{
    struct pji_str text = {0};
    if (path[0] != '/')
        pji_str_addf(&text, "%s/", study->dir);
    pji_str_add(&text, path);
    char *out = pji_str_ok(&text, err) == PJ_OK ? pji_str_take(&text) : NULL;
    pji_str_fini(&text);
    return out;
}

static pj_status read_token_file(struct pji_remote *remote, struct pj_error *err)
{
    size_t len = 0;
    char *path = below_study(remote->study, remote->study->executor.token_file, err);
    if (path == NULL)
        return PJ_ENOMEM;
    pj_status status = pji_read_file(path, TOKEN_MOST, &remote->token, &len, err);
    while (status == PJ_OK && len > 0 && strchr(" \t\r\n", remote->token[len - 1]) != NULL)
        remote->token[--len] = '\0';
    if (status == PJ_OK && len == 0)
        status = pji_fail(err, PJ_EINVAL, "the token file %s is empty", path);
    else if (status == PJ_OK && !pji_is_one_line(remote->token, len))
        status =
            pji_fail(err, PJ_EINVAL,
                     "the token file %s holds more than one line, or a control character: copy "
                     "the agent's file again",
                     path);
    else if (status != PJ_OK)
        pji_error_prefix(err, "the agent's token");
    free(path);
    return status;
}

static pj_status read_token(struct pji_remote *remote, struct pj_error *err)
{
    const struct pji_executor *e = &remote->study->executor;
    if (e->token_file != NULL)
        return read_token_file(remote, err);
    const char *value = remote->env->lookup != NULL ? remote->env->lookup(e->token_env) : NULL;
    if (value == NULL || value[0] == '\0')
        return pji_fail(err, PJ_EINVAL,
                        "the environment variable %s, which should hold the agent's token, is not "
                        "set: set it, or name a token_file in executor",
                        e->token_env);
    remote->token = pji_dup(value, err);
    return remote->token != NULL ? PJ_OK : PJ_ENOMEM;
}

/* ---- questions ---- */

void pji_remote_words(long http_status, const json_t *answer, char *text, size_t size)
{
    const char *words = json_string_value(json_object_get(answer, "message"));
    snprintf(text, size, "%s", words != NULL ? words : "");
    for (char *p = text; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    if (words == NULL)
        snprintf(text, size, "it answered with HTTP status %ld", http_status);
}

/* Cristian's method (Probabilistic clock synchronization, 1989): the other clock was read between
 * our two readings; the shortest round trip says most. */
static void sample_clock(struct pji_remote *remote, const json_t *answer, const int64_t before[2],
                         const int64_t after[2])
{
    const json_t *clock = json_object_get(answer, "clock");
    const json_t *wall = json_object_get(clock, "wall_ns");
    const json_t *mono = json_object_get(clock, "monotonic_ns");
    int64_t u_ns = (after[0] - before[0] + 1) / 2;
    int64_t stepped_ns = (after[1] - before[1]) - (after[0] - before[0]);
    if (stepped_ns > u_ns || stepped_ns < -u_ns)
        return; /* our wall clock was set in between: no bound holds for it */
    if (!json_is_integer(wall) || !json_is_integer(mono) || u_ns <= 0)
        return;
    if (remote->clock.u_ns > 0 && remote->clock.u_ns <= u_ns)
        return;
    remote->clock.u_ns = u_ns;
    remote->clock.monotonic_offset_ns =
        json_integer_value(mono) - (before[0] + (after[0] - before[0]) / 2);
    remote->clock.wall_offset_ns =
        json_integer_value(wall) - (before[1] + (after[1] - before[1]) / 2);
}

/* Since when is there no answer that can be used? */
static pj_status note(struct pji_remote *remote, pj_status status)
{
    if (status == PJ_OK && remote->told) {
        pji_log(remote->env->log, PJI_LOG_INFO, "the agent answers again");
        remote->told = false;
    }
    if (status == PJ_OK)
        remote->trouble_ns = 0;
    else if (remote->trouble_ns == 0)
        remote->trouble_ns = pji_remote_now_ns();
    return status;
}

/* Waiting for hours would otherwise look like a trial that takes long. */
static void tell(struct pji_remote *remote, const struct pj_error *why)
{
    const struct pji_executor *e = &remote->study->executor;
    if (remote->told || pji_remote_now_ns() - remote->trouble_ns < 2 * e->heartbeat_ns)
        return;
    remote->told = true;
    pji_log(remote->env->log, PJI_LOG_WARNING,
            "%s; it is asked again for %.0f s (executor: lost_after)", why->text,
            pji_s_from_ns(e->lost_ns));
}

/* The agent's own failures: ask again, as when there is no answer. */
static bool is_trouble(long http_status)
{
    return http_status >= 500 && http_status != 503 && http_status != 507;
}

static pj_status exchange(struct pji_remote *remote, const char *method, const char *path,
                          const struct pji_str *body, bool always, size_t limit,
                          struct pji_http_answer *answer, struct pj_error *err)
{
    struct pji_str url = {0};
    const struct pji_executor *e = &remote->study->executor;
    size_t len = strlen(e->url);
    pji_str_addf(&url, "%.*s%s", (int)(len > 0 && e->url[len - 1] == '/' ? len - 1 : len), e->url,
                 path);
    struct pji_http_exchange what = {.method = method,
                                     .url = pji_str_text(&url),
                                     .bearer = remote->token,
                                     .ca_file = remote->ca_file,
                                     .body = body != NULL ? pji_str_text(body) : NULL,
                                     .body_len = body != NULL ? body->len : 0,
                                     .timeout_ns = e->reply_ns,
                                     .limit = limit,
                                     .has_stop_fd = !always && remote->env->stop_fd >= 0,
                                     .stop_fd = remote->env->stop_fd};
    pj_status status = pji_str_ok(&url, err);
    if (status == PJ_OK)
        status = pji_http_exchange(&remote->http, &what, answer, err);
    if (status == PJ_EPEER && err != NULL && strstr(err->text, "certificate") != NULL) {
        struct pj_error why = *err;
        *err = (struct pj_error){0};
        pji_error_set(err, status, 0, "%.400s: %s", why.text,
                      e->ca_file != NULL
                          ? "ca_file must be the agent's certificate or that of its authority, and "
                            "url must name a host that it is for"
                          : "name the agent's own certificate as ca_file in executor");
    }
    if (status == PJ_OK && answer->http_status == 401) {
        free(answer->body);
        *answer = (struct pji_http_answer){0};
        status =
            pji_fail(err, PJ_EACCESS,
                     "the agent at %s refuses our token: copy the one in its state folder", e->url);
    }
    pji_str_fini(&url);
    return status;
}

pj_status pji_remote_ask(struct pji_remote *remote, const struct pji_remote_call *call,
                         long *http_status, json_t **answer, struct pj_error *err)
{
    struct pji_str body = {0};
    struct pji_http_answer got = {0};
    if (call->body != NULL)
        pji_json_write(&body, call->body, 0);
    pj_status status = pji_str_ok(&body, err);
    int64_t before[2] = {pji_clock_ns(CLOCK_MONOTONIC), pji_clock_ns(CLOCK_REALTIME)};
    if (status == PJ_OK)
        status = exchange(remote, call->method, call->path, call->body != NULL ? &body : NULL,
                          call->always, ANSWER_MOST, &got, err);
    int64_t after[2] = {pji_clock_ns(CLOCK_MONOTONIC), pji_clock_ns(CLOCK_REALTIME)};
    json_t *parsed = NULL;
    if (status == PJ_OK) {
        struct pj_error why = {0};
        parsed = pji_json_parse(got.body, got.len, "the agent's answer", &why);
        if (!json_is_object(parsed))
            status = pji_fail(err, PJ_EPEER,
                              "%s answered something that is no JSON object: is it an agent?",
                              remote->study->executor.url);
    }
    if (status == PJ_OK && is_trouble(got.http_status)) {
        char words[300];
        pji_remote_words(got.http_status, parsed, words, sizeof words);
        status = pji_fail(err, PJ_EPEER, "the agent at %s has trouble of its own: %s",
                          remote->study->executor.url, words);
    }
    if (status == PJ_OK) {
        sample_clock(remote, parsed, before, after);
        *http_status = got.http_status;
    }
    if (status == PJ_OK && answer != NULL)
        *answer = json_incref(parsed);
    json_decref(parsed);
    free(got.body);
    pji_str_fini(&body);
    return note(remote, status);
}

pj_status pji_remote_breathe(const struct pji_remote *remote, struct pj_error *err)
{
    const struct pji_executor *e = &remote->study->executor;
    struct pollfd stop = {.fd = remote->env->stop_fd, .events = POLLIN};
    /* counted from the first question in vain, so that our own sleep is not held against it */
    int64_t silent_ns = remote->trouble_ns > 0 ? pji_remote_now_ns() - remote->trouble_ns : 0;
    if (silent_ns >= e->lost_ns)
        return pji_fail(err, PJ_ETIMEOUT,
                        "the agent at %s has not answered for %.1f s (executor: lost_after)",
                        e->url, pji_s_from_ns(silent_ns));
    int64_t wait_ns = e->heartbeat_ns;
    if (wait_ns > e->lost_ns - silent_ns)
        wait_ns = e->lost_ns - silent_ns;
    struct timespec t = {.tv_sec = wait_ns / PJI_NS_PER_S, .tv_nsec = wait_ns % PJI_NS_PER_S};
    if (ppoll(&stop, 1, &t, NULL) > 0)
        return PJ_ECANCELED;
    return PJ_OK;
}

pj_status pji_remote_insist(struct pji_remote *remote, const struct pji_remote_call *call,
                            long *http_status, json_t **answer, struct pj_error *err)
{
    struct pj_error why = {0};
    for (;;) {
        pji_error_clear(&why);
        pj_status status = pji_remote_ask(remote, call, http_status, answer, &why);
        if (status != PJ_ETIMEOUT && status != PJ_EPEER) {
            if (status != PJ_OK && err != NULL && err->code == 0)
                *err = why;
            return status;
        }
        tell(remote, &why);
        struct pj_error lost = {0};
        status = pji_remote_breathe(remote, &lost);
        if (status == PJ_ETIMEOUT)
            return pji_fail(err, PJ_ETIMEOUT, "%.240s: %.240s", lost.text, why.text);
        if (status != PJ_OK)
            return status;
    }
}

pj_status pji_remote_bytes(struct pji_remote *remote, const struct pji_job_id *id, size_t index,
                           int64_t offset, int64_t len, struct pji_http_answer *answer,
                           struct pj_error *err)
{
    char path[PJI_JOB_PATH];
    char whole[PJI_JOB_PATH + 96];
    pji_job_id_path(id, path);
    snprintf(whole, sizeof whole, "%s/files/%zu?offset=%lld&length=%lld", path, index,
             (long long)offset, (long long)len);
    pj_status status = exchange(remote, "GET", whole, NULL, false, (size_t)len, answer, err);
    if (status == PJ_OK && answer->http_status != 200) {
        status = pji_fail(err, answer->http_status >= 500 ? PJ_EPEER : PJ_ESTATE,
                          "the agent does not give file %zu of the result (HTTP status %ld)", index,
                          answer->http_status);
        free(answer->body);
        *answer = (struct pji_http_answer){0};
    }
    return note(remote, status);
}

/* ---- meeting ---- */

json_t *pji_remote_study_json(const struct pji_study *study, const struct pji_workload *workload)
{
    json_t *out = json_object();
    json_t *items = json_array();
    json_object_set_new(out, "study_file", json_stringn(study->text, study->text_len));
    for (size_t i = 0; i < workload->n; i++) {
        json_t *item = json_object();
        json_object_set_new(item, "task", json_string(workload->tasks[i].spec->name));
        json_object_set_new(item, "sha256", json_string(workload->tasks[i].items.sha256));
        if (workload->tasks[i].examples.n > 0)
            json_object_set_new(item, "examples_sha256",
                                json_string(workload->tasks[i].examples.sha256));
        json_array_append_new(items, item);
    }
    json_object_set_new(out, "items", items);
    if (workload->times.n > 0)
        json_object_set_new(out, "times_sha256", json_string(workload->times.sha256));
    return out;
}

static pj_status check_version(struct pji_remote *remote, long http_status, const json_t *answer,
                               struct pj_error *err)
{
    const char *url = remote->study->executor.url;
    const char *id = json_string_value(json_object_get(answer, "agent"));
    int64_t api = 0;
    if (http_status != 200 || id == NULL || strlen(id) != 32 || !pji_is_hex(id, 32) ||
        pji_json_get_i64(answer, "api", "the agent", &api, NULL) != PJ_OK)
        return pji_fail(err, PJ_EINVAL, "%s answers, but not as an agent of perjoule does", url);
    if (api != PJI_AGENT_API)
        return pji_fail(err, PJ_EINVAL,
                        "the agent at %s speaks version %lld of the API, we speak %d: install the "
                        "same perjoule on both machines",
                        url, (long long)api, (int)PJI_AGENT_API);
    memcpy(remote->agent_id, id, sizeof remote->agent_id);
    return PJ_OK;
}

static pj_status remote_new(struct pji_remote **out, const struct pji_run_env *env,
                            const struct pji_study *study, struct pji_store *store,
                            struct pj_error *err)
{
    struct pji_remote *remote = pji_zalloc(1, sizeof *remote, err);
    *out = remote;
    if (remote == NULL)
        return PJ_ENOMEM;
    remote->env = env;
    remote->study = study;
    remote->store = store;
    pj_status status = read_token(remote, err);
    if (status == PJ_OK && study->executor.ca_file != NULL) {
        remote->ca_file = below_study(study, study->executor.ca_file, err);
        status = remote->ca_file != NULL ? PJ_OK : PJ_ENOMEM;
    }
    return status;
}

void pji_remote_close(struct pji_remote *remote)
{
    if (remote == NULL)
        return;
    pji_http_close(remote->http);
    if (remote->token != NULL)
        explicit_bzero(remote->token, strlen(remote->token));
    free(remote->token);
    free(remote->ca_file);
    free(remote);
}

pj_status pji_remote_preflight(const struct pji_run_env *env, const struct pji_study *study,
                               const struct pji_workload *workload, struct pj_error *err)
{
    struct pji_remote *remote = NULL;
    json_t *answer = NULL;
    json_t *body = pji_remote_study_json(study, workload);
    long http_status = 0;
    struct pji_remote_call hello = {.method = "GET", .path = "/v1/agent"};
    struct pji_remote_call check = {.method = "POST", .path = "/v1/check", .body = body};
    pj_status status = remote_new(&remote, env, study, NULL, err);
    if (status == PJ_OK)
        status = pji_remote_ask(remote, &hello, &http_status, &answer, err);
    if (status == PJ_OK)
        status = check_version(remote, http_status, answer, err);
    json_decref(answer);
    answer = NULL;
    if (status == PJ_OK)
        status = pji_remote_ask(remote, &check, &http_status, &answer, err);
    if (status == PJ_OK && http_status != 200) {
        char words[400];
        pji_remote_words(http_status, answer, words, sizeof words);
        status = pji_fail(err, PJ_EINVAL, "the agent at %s would not run this study: %s",
                          study->executor.url, words);
    }
    json_decref(answer);
    json_decref(body);
    pji_remote_close(remote);
    return status;
}

/* The study's name for agents: drawn once, kept in the store. */
static pj_status study_id(struct pji_remote *remote, struct pj_error *err)
{
    char *stored = NULL;
    pj_status status = pji_store_get_meta(remote->store, "study_id", &stored, err);
    if (status == PJI_STORE_NONE) {
        status = pji_random_hex(remote->study_id, 32, err);
        if (status == PJ_OK)
            status = pji_store_put_meta(remote->store, "study_id", remote->study_id, err);
        return status;
    }
    if (status == PJ_OK && (stored == NULL || strlen(stored) != 32 || !pji_is_hex(stored, 32)))
        status = pji_fail(err, PJ_ECORRUPT, "%s: the study's identity is damaged",
                          pji_store_dir(remote->store));
    if (status == PJ_OK && stored != NULL)
        memcpy(remote->study_id, stored, sizeof remote->study_id);
    free(stored);
    return status;
}

static pj_status same_agent(struct pji_remote *remote, struct pj_error *err)
{
    char *stored = NULL;
    pj_status status = pji_store_get_meta(remote->store, "agent_id", &stored, err);
    if (status == PJI_STORE_NONE)
        return pji_store_put_meta(remote->store, "agent_id", remote->agent_id, err);
    if (status == PJ_OK && stored != NULL && strcmp(stored, remote->agent_id) != 0)
        status = pji_fail(err, PJ_EINVAL,
                          "another agent (%.8s) answers at %s than the one that this study began "
                          "with (%.8s): trials of two machines do not mix",
                          remote->agent_id, remote->study->executor.url, stored);
    free(stored);
    return status;
}

static const char *transport(const struct pji_study *study)
{
    if (strncmp(study->executor.url, "https://", 8) == 0)
        return "https";
    return pji_url_is_loopback(study->executor.url) ? "http over loopback"
                                                    : "plain http (plain_http: yes)";
}

static pj_status put_machine(struct pji_remote *remote, const json_t *answer, struct pj_error *err)
{
    const char *key = NULL;
    json_t *value = NULL;
    const char *agent_says = json_string_value(json_object_get(answer, "transport"));
    const char *version = json_string_value(json_object_get(answer, "version"));
    pj_status status = pji_store_begin(remote->store, err);
    if (status != PJ_OK)
        return status;
    status = pji_store_put_fact(remote->store, 0, "agent.id", remote->agent_id, err);
    if (status == PJ_OK)
        status =
            pji_store_put_fact(remote->store, 0, "agent.transport", transport(remote->study), err);
    if (status == PJ_OK && agent_says != NULL)
        status = pji_store_put_fact(remote->store, 0, "agent.listens", agent_says, err);
    if (status == PJ_OK && version != NULL)
        status = pji_store_put_fact(remote->store, 0, "agent.version", version, err);
    json_object_foreach(json_object_get(answer, "machine"), key, value)
    {
        if (status == PJ_OK && json_is_string(value) && strncmp(key, "machine.", 8) == 0)
            status = pji_store_put_fact(remote->store, 0, key, json_string_value(value), err);
    }
    if (status == PJ_OK)
        status = pji_store_commit(remote->store, err);
    if (status != PJ_OK)
        pji_store_rollback(remote->store);
    return status;
}

pj_status pji_remote_open(struct pji_remote **out, const struct pji_run_env *env,
                          const struct pji_study *study, struct pji_store *store,
                          struct pj_error *err)
{
    json_t *answer = NULL;
    long http_status = 0;
    struct pji_remote_call hello = {.method = "GET", .path = "/v1/agent"};
    struct pji_remote *remote = NULL;
    *out = NULL;
    pj_status status = remote_new(&remote, env, study, store, err);
    if (status == PJ_OK)
        status = study_id(remote, err);
    if (status == PJ_OK)
        status = pji_remote_insist(remote, &hello, &http_status, &answer, err);
    if (status == PJ_OK)
        status = check_version(remote, http_status, answer, err);
    if (status == PJ_OK)
        status = same_agent(remote, err);
    if (status == PJ_OK)
        status = put_machine(remote, answer, err);
    json_decref(answer);
    if (status == PJ_OK)
        *out = remote;
    else
        pji_remote_close(remote);
    return status;
}
