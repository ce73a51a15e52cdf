/* engine/llamacpp.c - a llama.cpp server (llama-server) that we start and stop.
 *
 * Settings: server (program and first arguments), model (a GGUF file), slots, context (tokens for
 * each slot), threads, args (passed as they are), host, port, prompt_cache.
 *
 * What its reader must know about llama-server (tools/server/README.md of llama.cpp):
 * - `--ctx-size` is the total; with an explicit `--parallel N` and a split KV cache each slot gets
 *   total / N, rounded up by the server. We ask for slots × context and compare with what
 *   GET /props reports (total_slots, default_generation_settings.n_ctx).
 * - GET /health is 503 while the model loads, 200 when ready. GET /metrics needs `--metrics`.
 * - A slot keeps the KV cache of its last prompt (cache_prompt, on by default), and newer servers
 *   keep more in RAM (`--cache-ram`). Both are off here unless prompt_cache is on: the server is
 * told where it knows the options, and every request says "cache_prompt": false.
 * - Options come and go between releases: optional ones are passed when `--help` lists them.
 */
#include "engine/digest_cache.h"
#include "engine/image.h"
#include "engine/kinds.h"
#include "engine/launch.h"
#include "engine/probe.h"
#include "engine/server.h"

#include "core/str.h"
#include "platform/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECOND_NS INT64_C(1000000000)

enum {
    MAX_SLOTS = 4096,
    MAX_CONTEXT = 16 * 1024 * 1024,
    MAX_THREADS = 4096,
    OWN_ARGUMENTS = 24, /* room for the options that we add */
    NUMBER_TEXT = 24
};

static const int64_t HELP_TIMEOUT_NS = 60 * SECOND_NS;

struct options {
    const struct pji_setting *server, *args;
    const char *model, *host;
    int64_t slots, context, threads, port; /* threads, port 0: not given */
    bool prompt_cache;
};

struct llamacpp {
    struct pji_server server;
    struct pji_str model_path, command;
    struct pji_str root_url, base_url, model_name;
    struct pji_endpoint endpoint;
    struct options options; /* borrowed texts are valid in start only */
    json_t *props;
};

static const char *const llamacpp_keys[] = {"server", "model", "slots", "context",      "threads",
                                            "args",   "host",  "port",  "prompt_cache", NULL};
static const char *const list_keys[] = {"server", "args", NULL};
static const char *const default_server[] = {"llama-server"};
static const struct pji_setting default_server_setting = {
    .key = "server", .values = default_server, .n = 1, .is_list = true};

/* ---- settings ---- */

static pj_status read_options(struct options *o, const struct pji_setting *settings, size_t n,
                              struct pj_error *err)
{
    pj_status rc = pji_setting_keys(settings, n, llamacpp_keys, list_keys, err);
    if (rc == PJ_OK)
        rc = pji_setting_i64(settings, n, "slots", 1, 1, MAX_SLOTS, &o->slots, err);
    if (rc == PJ_OK)
        rc = pji_setting_i64(settings, n, "context", 2048, 1, MAX_CONTEXT, &o->context, err);
    if (rc == PJ_OK)
        rc = pji_setting_i64(settings, n, "threads", 0, 1, MAX_THREADS, &o->threads, err);
    if (rc == PJ_OK)
        rc = pji_setting_i64(settings, n, "port", 0, 1, 65535, &o->port, err);
    if (rc == PJ_OK)
        rc = pji_setting_bool(settings, n, "prompt_cache", false, &o->prompt_cache, err);
    if (rc)
        return rc;
    o->server = pji_setting_find(settings, n, "server");
    if (o->server == NULL)
        o->server = &default_server_setting;
    o->args = pji_setting_find(settings, n, "args");
    rc = pji_setting_args(o->args, err);
    if (rc)
        return rc;
    o->host = pji_setting_get(settings, n, "host", "127.0.0.1");
    o->model = pji_setting_get(settings, n, "model", NULL);
    if (o->model == NULL || o->model[0] == '\0')
        return pji_fail(err, PJ_EINVAL,
                        "engine kind 'llamacpp' needs 'model': the path of a GGUF "
                        "file");
    return PJ_OK;
}

static pj_status llamacpp_check(const struct pji_setting *settings, size_t n, struct pj_error *err)
{
    struct options options;
    return read_options(&options, settings, n, err);
}

static pj_status find_model(struct pji_str *out, const char *study_dir, const char *model,
                            struct pj_error *err)
{
    pji_engine_path(out, study_dir, model);
    pj_status rc = pji_str_ok(out, err);
    if (rc == PJ_OK && access(pji_str_text(out), R_OK) != 0)
        rc = pji_fail_errno(err, errno, "cannot read the model %s", pji_str_text(out));
    return rc;
}

static pj_status llamacpp_preflight(const struct pji_setting *settings, size_t n,
                                    const struct pji_engine_env *env, struct pj_error *err)
{
    struct options options;
    struct pji_str path = {0};
    pj_status rc = read_options(&options, settings, n, err);
    if (rc == PJ_OK)
        rc = find_model(&path, env->study_dir, options.model, err);
    if (rc == PJ_OK)
        rc = pji_process_find(env->study_dir, options.server->values[0], err);
    pji_str_fini(&path);
    return rc;
}

/* ---- the command line ---- */

struct numbers {
    char port[NUMBER_TEXT], slots[NUMBER_TEXT], context[NUMBER_TEXT], threads[NUMBER_TEXT];
};

static size_t add_pair(const char **argv, size_t at, const char *option, const char *value)
{
    argv[at] = option;
    argv[at + 1] = value;
    return at + 2;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* Options that not every release knows. */
static size_t add_optional(const char **argv, size_t at, const struct options *o, const char *alias,
                           const char *help)
{
    if (pji_probe_has(help, "--alias"))
        at = add_pair(argv, at, "--alias", alias);
    if (pji_probe_has(help, "--metrics"))
        argv[at++] = "--metrics";
    if (pji_probe_has(help, "--no-webui"))
        argv[at++] = "--no-webui";
    else if (pji_probe_has(help, "--no-ui"))
        argv[at++] = "--no-ui";
    if (o->prompt_cache)
        return at;
    if (pji_probe_has(help, "--no-cache-prompt"))
        argv[at++] = "--no-cache-prompt";
    if (pji_probe_has(help, "--cache-ram"))
        at = add_pair(argv, at, "--cache-ram", "0");
    return at;
}

static void complete_argv(const char **argv, const struct llamacpp *l, struct numbers *text,
                          const char *help)
{
    const struct options *o = &l->options;
    size_t at = o->server->n;
    snprintf(text->port, sizeof text->port, "%lld", (long long)o->port);
    snprintf(text->slots, sizeof text->slots, "%lld", (long long)o->slots);
    snprintf(text->context, sizeof text->context, "%lld", (long long)o->slots * o->context);
    snprintf(text->threads, sizeof text->threads, "%lld", (long long)o->threads);
    at = add_pair(argv, at, "--model", pji_str_text(&l->model_path));
    at = add_pair(argv, at, "--host", o->host);
    at = add_pair(argv, at, "--port", text->port);
    at = add_pair(argv, at, "--parallel", text->slots);
    at = add_pair(argv, at, "--ctx-size", text->context);
    if (o->threads > 0) {
        at = add_pair(argv, at, "--threads", text->threads);
        at = add_pair(argv, at, "--threads-batch", text->threads);
    }
    at = add_optional(argv, at, o, base_name(pji_str_text(&l->model_path)), help);
    for (size_t i = 0; o->args != NULL && i < o->args->n; i++)
        argv[at++] = o->args->values[i];
}

static pj_status ask_help(const char **argv, size_t n, const struct pji_engine_env *env,
                          char **help, struct pj_error *err)
{
    argv[n] = "--help";
    argv[n + 1] = NULL;
    pj_status rc = pji_probe(argv, HELP_TIMEOUT_NS, help, err);
    argv[n] = NULL;
    if (rc == PJ_OK && !pji_probe_has(*help, "--ctx-size"))
        pji_log(env->log, PJI_LOG_WARNING,
                "%s --help does not list the options of llama-server: optional ones are left out",
                argv[0]);
    return rc;
}

/* ---- after it answers ---- */

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static int64_t number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? json_integer_value(value) : -1;
}

static int64_t slot_context(const json_t *props)
{
    return number_of(json_object_get(props, "default_generation_settings"), "n_ctx");
}

/* The server that answers is the one we started, with the slots that were asked for. */
static pj_status compare_props(const struct llamacpp *l, struct pj_error *err)
{
    const char *path = text_of(l->props, "model_path");
    const char *own = base_name(pji_str_text(&l->model_path));
    const char *name = path != NULL ? base_name(path) : NULL;
    if (name != NULL && strcmp(name, own) != 0)
        return pji_fail(err, PJ_EPEER,
                        "the server at %s serves %s instead of %s: another program has the port",
                        pji_str_text(&l->root_url), name, own);
    int64_t slots = number_of(l->props, "total_slots");
    if (slots >= 0 && slots != l->options.slots)
        return pji_fail(err, PJ_EPEER, "the server runs %lld slots, %lld were asked for",
                        (long long)slots, (long long)l->options.slots);
    int64_t context = slot_context(l->props);
    if (context >= 0 && context < l->options.context)
        return pji_fail(err, PJ_EPEER,
                        "each slot of the server has a context of %lld tokens, %lld were asked "
                        "for: the model may not allow more",
                        (long long)context, (long long)l->options.context);
    return PJ_OK;
}

static pj_status meet(struct llamacpp *l, struct pj_error *err)
{
    json_t *models = NULL;
    pj_status rc = pji_server_page(pji_str_text(&l->root_url), "/props", &l->props, err);
    if (rc == PJ_OK)
        rc = compare_props(l, err);
    if (rc == PJ_OK)
        rc = pji_server_page(pji_str_text(&l->root_url), "/v1/models", &models, err);
    if (rc)
        return rc;
    const char *id = text_of(json_array_get(json_object_get(models, "data"), 0), "id");
    pji_str_add(&l->model_name, id != NULL ? id : "");
    l->endpoint = (struct pji_endpoint){
        .base_url = pji_str_text(&l->base_url),
        .model = id != NULL ? pji_str_text(&l->model_name) : NULL,
    };
    json_decref(models);
    return pji_str_ok(&l->model_name, err);
}

static void forget(struct llamacpp *l)
{
    json_decref(l->props);
    l->props = NULL;
    pji_str_fini(&l->model_path);
    pji_str_fini(&l->command);
    pji_str_fini(&l->root_url);
    pji_str_fini(&l->base_url);
    pji_str_fini(&l->model_name);
    l->endpoint = (struct pji_endpoint){0};
}

/* ---- contract ---- */

static pj_status llamacpp_stop(void *state, struct pj_error *err)
{
    struct llamacpp *l = state;
    pj_status rc = pji_server_stop(&l->server, err);
    forget(l);
    return rc;
}

static pj_status launch(struct llamacpp *l, const char **argv, const struct pji_engine_env *env,
                        struct pj_error *err)
{
    struct options *o = &l->options;
    struct numbers numbers;
    struct pji_str program = {0};
    struct pji_str health = {0};
    char *help = NULL;
    if (strchr(argv[0], '/') != NULL) {
        pji_engine_path(&program, env->study_dir, argv[0]);
        argv[0] = pji_str_text(&program);
    }
    pj_status rc = pji_str_ok(&program, err);
    if (rc == PJ_OK)
        rc = ask_help(argv, o->server->n, env, &help, err);
    if (rc == PJ_OK)
        rc = pji_choose_port(o->host, &o->port, err);
    if (rc)
        goto out;
    complete_argv(argv, l, &numbers, help);
    pji_argv_text(&l->command, argv, numbers.port);
    pji_str_addf(&l->root_url, "http://%s:%lld", o->host, (long long)o->port);
    pji_str_addf(&l->base_url, "%s/v1", pji_str_text(&l->root_url));
    pji_str_addf(&health, "%s/health", pji_str_text(&l->root_url));
    rc = pji_str_ok(&l->command, err);
    if (rc == PJ_OK)
        rc = pji_server_start(&l->server, argv, pji_str_text(&health), env, err);
out:
    free(help);
    pji_str_fini(&health);
    pji_str_fini(&program);
    return rc;
}

static pj_status llamacpp_start(void *state, const struct pji_setting *settings, size_t n,
                                const struct pji_engine_env *env, struct pj_error *err)
{
    struct llamacpp *l = state;
    pji_keeper_init(&l->server.keeper);
    l->server.env = *env;
    l->server.used = true;
    pj_status rc = read_options(&l->options, settings, n, err);
    if (rc == PJ_OK)
        rc = find_model(&l->model_path, env->study_dir, l->options.model, err);
    if (rc == PJ_OK) {
        size_t extra = OWN_ARGUMENTS + (l->options.args != NULL ? l->options.args->n : 0);
        const char **argv = pji_setting_argv(l->options.server, extra, err);
        rc = argv != NULL ? launch(l, argv, env, err) : PJ_ENOMEM;
        free(argv);
    }
    if (rc == PJ_OK)
        rc = meet(l, err);
    if (rc)
        llamacpp_stop(l, NULL);
    return rc;
}

static const struct pji_endpoint *llamacpp_endpoint(void *state)
{
    struct llamacpp *l = state;
    return &l->endpoint;
}

static const char *llamacpp_request_extra(void *state)
{
    struct llamacpp *l = state;
    return l->options.prompt_cache ? "{\"cache_prompt\": true}" : "{\"cache_prompt\": false}";
}

static int llamacpp_alive_fd(void *state)
{
    struct llamacpp *l = state;
    return l->server.keeper.engine_pidfd;
}

static pj_status number_fact(pji_fact_fn *fn, void *context, const char *key, int64_t value,
                             struct pj_error *err)
{
    char text[NUMBER_TEXT];
    snprintf(text, sizeof text, "%lld", (long long)value);
    return value >= 0 ? pji_fact(fn, context, key, text, err) : PJ_OK;
}

static pj_status model_facts(struct llamacpp *l, pji_fact_fn *fn, void *context,
                             struct pj_error *err)
{
    char hex[PJI_SHA256_HEX];
    int64_t size_b = -1;
    const char *path = pji_str_text(&l->model_path);
    pj_status rc = pji_digest_cached(l->server.env.digests, path, hex, &size_b, err);
    if (rc == PJ_OK)
        rc = pji_fact(fn, context, "model.path", path, err);
    if (rc == PJ_OK)
        rc = pji_fact(fn, context, "model.id", pji_str_text(&l->model_name), err);
    if (rc == PJ_OK)
        rc = pji_fact(fn, context, "model.sha256", hex, err);
    if (rc == PJ_OK)
        rc = number_fact(fn, context, "model.size_b", size_b, err);
    const char *template = text_of(l->props, "chat_template");
    if (rc != PJ_OK || template == NULL || template[0] == '\0')
        return rc;
    rc = pji_sha256_bytes(template, strlen(template), hex, err);
    return rc == PJ_OK ? pji_fact(fn, context, "model.chat_template_sha256", hex, err) : rc;
}

static pj_status llamacpp_facts(void *state, pji_fact_fn *fn, void *context, struct pj_error *err)
{
    static const char *const words[] = {"llama", "ggml", NULL};
    struct llamacpp *l = state;
    const struct options *o = &l->options;
    pj_status rc = pji_fact(fn, context, "engine.kind", "llamacpp", err);
    if (rc == PJ_OK)
        rc = pji_fact(fn, context, "engine.version", text_of(l->props, "build_info"), err);
    if (rc == PJ_OK)
        rc = pji_fact(fn, context, "engine.command", pji_str_text(&l->command), err);
    if (rc == PJ_OK)
        rc = number_fact(fn, context, "engine.slots", number_of(l->props, "total_slots"), err);
    if (rc == PJ_OK)
        rc = number_fact(fn, context, "engine.slot_context_tokens", slot_context(l->props), err);
    if (rc == PJ_OK && o->threads > 0)
        rc = number_fact(fn, context, "engine.threads", o->threads, err);
    if (rc == PJ_OK)
        rc = pji_fact(fn, context, "engine.prompt_cache", o->prompt_cache ? "on" : "off", err);
    if (rc == PJ_OK)
        rc = pji_image_facts(l->server.keeper.engine_pid, words, l->server.env.digests, fn, context,
                             err);
    return rc ? rc : model_facts(l, fn, context, err);
}

static pj_status llamacpp_scrape(void *state, char **text, struct pj_error *err)
{
    struct llamacpp *l = state;
    return pji_get_metrics(pji_str_text(&l->root_url), NULL, text, err);
}

const struct pji_engine_ops pji_engine_llamacpp = {
    .kind = "llamacpp",
    .about = "a llama.cpp server that perjoule starts and stops",
    .state_size = sizeof(struct llamacpp),
    .keys = llamacpp_keys,
    .check = llamacpp_check,
    .preflight = llamacpp_preflight,
    .start = llamacpp_start,
    .endpoint = llamacpp_endpoint,
    .request_extra = llamacpp_request_extra,
    .alive_fd = llamacpp_alive_fd,
    .facts = llamacpp_facts,
    .scrape = llamacpp_scrape,
    .stop = llamacpp_stop,
};
