/* engine/openai.c - a server that already runs and speaks the OpenAI API: vLLM, SGLang, TGI, a
 * llama.cpp server, a hosted service.
 *
 * Settings: base_url (http://host:port/v1), model (default: the first that GET /v1/models lists),
 * api_key_env or api_key_file (where perjoule finds the key; the key itself is never stored).
 *
 * Nothing is started or stopped. What we cannot see we do not claim: the energy of an endpoint on
 * another host is missing, and a server that was started by somebody else has no command line in
 * the manifest. Its version is asked for at /version (vLLM) and its metrics at /metrics, both
 * beside /v1; many services have neither. Requests get no further members: an unknown one would be
 * refused by some services.
 */
#include "engine/host.h"
#include "engine/kinds.h"
#include "engine/server.h"

#include "core/str.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct openai {
    struct pji_engine_env env;
    struct pji_str base_url, root_url, model;
    struct pji_endpoint endpoint;
    char host[256];
    bool remote;
    int64_t max_model_len; /* -1: the server did not say */
};

static const char *const openai_keys[] = {"base_url", "model", "api_key_env", "api_key_file", NULL};

static pj_status openai_check(const struct pji_setting *settings, size_t n, struct pj_error *err)
{
    char host[256];
    pj_status rc = pji_setting_keys(settings, n, openai_keys, NULL, err);
    if (rc)
        return rc;
    const char *url = pji_setting_get(settings, n, "base_url", NULL);
    if (url == NULL)
        return pji_fail(err, PJ_EINVAL,
                        "engine kind 'openai' needs 'base_url', such as http://127.0.0.1:8000/v1");
    rc = pji_url_host(url, host, sizeof host, err);
    if (rc)
        return rc;
    if (strchr(url, '@') != NULL)
        return pji_fail(err, PJ_EINVAL,
                        "'base_url' holds a user name or password, which would be stored with the "
                        "study; use api_key_env or api_key_file");
    if (strpbrk(url, "?#") != NULL)
        return pji_fail(err, PJ_EINVAL,
                        "'base_url' must end with the path (/v1), not with a query");
    if (pji_setting_find(settings, n, "api_key_env") != NULL &&
        pji_setting_find(settings, n, "api_key_file") != NULL)
        return pji_fail(err, PJ_EINVAL, "give 'api_key_env' or 'api_key_file', not both");
    return PJ_OK;
}

/* base_url without its trailing slashes, and the same without /v1. */
static pj_status set_urls(struct openai *o, const char *url, struct pj_error *err)
{
    size_t len = strlen(url);
    while (len > 0 && url[len - 1] == '/')
        len--;
    pji_str_addn(&o->base_url, url, len);
    if (len > 3 && strncmp(url + len - 3, "/v1", 3) == 0)
        len -= 3;
    pji_str_addn(&o->root_url, url, len);
    pj_status rc = pji_str_ok(&o->base_url, err);
    return rc ? rc : pji_str_ok(&o->root_url, err);
}

static pj_status get_models(struct openai *o, json_t **models, struct pj_error *err)
{
    struct pji_str url = {0};
    pji_str_addf(&url, "%s/models", pji_str_text(&o->base_url));
    pj_status rc = pji_get_json(pji_str_text(&url), o->env.api_key, models, err);
    pji_str_fini(&url);
    return rc;
}

/* One try. PJ_OK with *again false ends the waiting, so does any failure with *again false. */
static pj_status try_models(struct openai *o, json_t **models, bool last_try, bool *again,
                            struct pj_error *err)
{
    struct pollfd stop = {.fd = o->env.stop_fd, .events = POLLIN};
    struct pj_error why = {0};
    *again = false;
    if (poll(&stop, 1, 0) == 1)
        return pji_fail(err, PJ_ECANCELED, "stopped while waiting for the endpoint");
    pj_status rc = get_models(o, models, &why);
    if (rc == PJ_OK)
        return rc;
    if (rc == PJ_EACCESS) /* waiting does not help */
        return pji_fail(err, rc, "%s", why.text);
    if (last_try)
        return pji_fail(err, rc, "the endpoint is not ready after %.1f s: %s",
                        (double)o->env.start_deadline_ns / 1e9, why.text);
    *again = true;
    return PJ_OK;
}

/* A server that is still loading refuses connections: asks again until the deadline. */
static pj_status await_models(struct openai *o, json_t **models, struct pj_error *err)
{
    const int64_t pause_ns = o->env.poll_ns > 0 ? o->env.poll_ns : INT64_C(500000000);
    struct pji_platform platform;
    pj_status rc = pji_platform_open_real(&platform, NULL, err);
    if (rc)
        return rc;
    int64_t deadline_ns = pji_now_ns(&platform) + o->env.start_deadline_ns;
    bool again = true;
    while (again) {
        rc = try_models(o, models, pji_now_ns(&platform) >= deadline_ns, &again, err);
        struct pollfd stop = {.fd = o->env.stop_fd, .events = POLLIN};
        if (again)
            poll(&stop, 1, (int)(pause_ns / 1000000 + 1));
    }
    pji_platform_close_real(&platform);
    return rc;
}

static const char *model_id(const json_t *model)
{
    return json_string_value(json_object_get(model, "id"));
}

static pj_status choose_model(struct openai *o, const json_t *models, const char *wanted,
                              struct pj_error *err)
{
    const json_t *data = json_object_get(models, "data");
    const json_t *chosen = NULL;
    struct pji_str names = {0};
    for (size_t i = 0; i < json_array_size(data) && chosen == NULL; i++) {
        const json_t *model = json_array_get(data, i);
        const char *id = model_id(model);
        if (id != NULL && (wanted == NULL || strcmp(id, wanted) == 0))
            chosen = model;
        else if (id != NULL && i < 8)
            pji_str_addf(&names, "%s%s", names.len > 0 ? ", " : "", id);
    }
    pj_status rc = PJ_OK;
    if (names.len > 0)
        pji_hide(names.text, names.len, o->env.api_key);
    if (chosen == NULL && wanted != NULL)
        rc = pji_fail(err, PJ_ENOTFOUND,
                      "the endpoint does not serve the model '%.120s'; it has: %s", wanted,
                      pji_str_text(&names));
    else if (chosen == NULL)
        rc = pji_fail(err, PJ_EPEER, "the endpoint lists no model; give 'model'");
    if (rc == PJ_OK) {
        const json_t *len = json_object_get(chosen, "max_model_len");
        o->max_model_len = json_is_integer(len) ? json_integer_value(len) : -1;
        pji_str_add(&o->model, model_id(chosen));
        rc = pji_str_ok(&o->model, err);
    }
    pji_str_fini(&names);
    return rc;
}

static pj_status openai_stop(void *state, struct pj_error *err)
{
    (void)err;
    struct openai *o = state;
    pji_str_fini(&o->base_url);
    pji_str_fini(&o->root_url);
    pji_str_fini(&o->model);
    o->endpoint = (struct pji_endpoint){0};
    return PJ_OK;
}

static pj_status openai_start(void *state, const struct pji_setting *settings, size_t n,
                              const struct pji_engine_env *env, struct pj_error *err)
{
    struct openai *o = state;
    json_t *models = NULL;
    bool local = false;
    o->env = *env;
    pj_status rc = openai_check(settings, n, err);
    const char *url = pji_setting_get(settings, n, "base_url", "");
    if (rc == PJ_OK)
        rc = pji_url_host(url, o->host, sizeof o->host, err);
    if (rc == PJ_OK)
        rc = pji_host_is_local(o->host, &local, err);
    o->remote = !local;
    if (rc == PJ_OK)
        rc = set_urls(o, url, err);
    if (rc == PJ_OK)
        rc = await_models(o, &models, err);
    if (rc == PJ_OK)
        rc = choose_model(o, models, pji_setting_get(settings, n, "model", NULL), err);
    json_decref(models);
    if (rc) {
        openai_stop(o, NULL);
        return rc;
    }
    o->endpoint = (struct pji_endpoint){
        .base_url = pji_str_text(&o->base_url),
        .bearer = env->api_key,
        .model = pji_str_text(&o->model),
    };
    return PJ_OK;
}

static const struct pji_endpoint *openai_endpoint(void *state)
{
    struct openai *o = state;
    return &o->endpoint;
}

/* What the server says of itself, without the API key that it may echo. */
static pj_status told_fact(const struct openai *o, pji_fact_fn *fn, void *context, const char *key,
                           const char *value, struct pj_error *err)
{
    char *text = value != NULL ? pji_dup(value, err) : NULL;
    if (text != NULL)
        pji_hide(text, strlen(text), o->env.api_key);
    pj_status rc =
        text == NULL && value != NULL ? PJ_ENOMEM : pji_fact(fn, context, key, text, err);
    free(text);
    return rc;
}

/* vLLM: GET /version is {"version": "…"}. */
static pj_status version_fact(struct openai *o, pji_fact_fn *fn, void *context,
                              struct pj_error *err)
{
    struct pji_str url = {0};
    json_t *answer = NULL;
    pji_str_addf(&url, "%s/version", pji_str_text(&o->root_url));
    pj_status rc = PJ_OK;
    if (pji_get_json(pji_str_text(&url), o->env.api_key, &answer, NULL) == PJ_OK)
        rc = told_fact(o, fn, context, "engine.version",
                       json_string_value(json_object_get(answer, "version")), err);
    json_decref(answer);
    pji_str_fini(&url);
    return rc;
}

static pj_status openai_facts(void *state, pji_fact_fn *fn, void *context, struct pj_error *err)
{
    struct openai *o = state;
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)o->max_model_len);
    pj_status rc = pji_fact(fn, context, "engine.kind", "openai", err);
    if (rc == PJ_OK)
        rc = pji_fact(fn, context, "engine.base_url", pji_str_text(&o->base_url), err);
    if (rc == PJ_OK)
        rc = pji_fact(fn, context, "engine.host", o->remote ? o->host : "this machine", err);
    if (rc == PJ_OK)
        rc = told_fact(o, fn, context, "model.id", pji_str_text(&o->model), err);
    if (rc == PJ_OK && o->max_model_len >= 0)
        rc = pji_fact(fn, context, "engine.max_model_len_tokens", text, err);
    return rc ? rc : version_fact(o, fn, context, err);
}

static pj_status openai_scrape(void *state, char **text, struct pj_error *err)
{
    struct openai *o = state;
    return pji_get_metrics(pji_str_text(&o->root_url), o->env.api_key, text, err);
}

static const char *openai_remote_reason(void *state)
{
    const struct openai *o = state;
    return o->remote ? "not measured here" : NULL;
}

const struct pji_engine_ops pji_engine_openai = {
    .kind = "openai",
    .starts_nothing = true,
    .about = "a server with the OpenAI API that already runs (vLLM and others)",
    .state_size = sizeof(struct openai),
    .keys = openai_keys,
    .check = openai_check,
    .start = openai_start,
    .endpoint = openai_endpoint,
    .facts = openai_facts,
    .scrape = openai_scrape,
    .remote_reason = openai_remote_reason,
    .stop = openai_stop,
};
