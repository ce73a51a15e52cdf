/* engine/vllm.c - a vLLM server (`vllm serve MODEL`) that we start and stop.
 *
 * Settings: server (program and first arguments, default vllm), model (a folder, seen from the
 * study's, or a name that vLLM finds itself), args (passed as they are: quantisation, tensor
 * parallelism and the rest), host, port, prompt_cache.
 *
 * What its reader must know about vLLM (docs.vllm.ai, "OpenAI-Compatible Server"): GET /health is
 * 200 when it serves, GET /version tells the version, GET /metrics is there always. It keeps the KV
 * cache of prompt prefixes between requests unless --no-enable-prefix-caching is given, which we do
 * unless prompt_cache is on.
 */
#include "engine/digest_cache.h"
#include "engine/kinds.h"
#include "engine/launch.h"
#include "engine/server.h"

#include "core/str.h"
#include "platform/process.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OWN_ARGUMENTS = 12, NUMBER_TEXT = 24 };

struct options {
    const struct pji_setting *server, *args;
    const char *model, *host;
    int64_t port; /* 0: not given */
    bool prompt_cache;
};

struct vllm {
    struct pji_server server;
    struct pji_str model, command, root_url, base_url, model_name, version;
    bool is_folder; /* the model */
    struct pji_endpoint endpoint;
    struct options options; /* borrowed texts are valid in start only */
};

static const char *const vllm_keys[] = {"server", "model",        "args", "host",
                                        "port",   "prompt_cache", NULL};
static const char *const list_keys[] = {"server", "args", NULL};
static const char *const default_server[] = {"vllm"};
static const struct pji_setting default_server_setting = {
    .key = "server", .values = default_server, .n = 1, .is_list = true};

/* ---- settings ---- */

static pj_status read_options(struct options *o, const struct pji_setting *settings, size_t n,
                              struct pj_error *err)
{
    pj_status rc = pji_setting_keys(settings, n, vllm_keys, list_keys, err);
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
                        "engine kind 'vllm' needs 'model': a folder, or a name that vLLM knows");
    return PJ_OK;
}

static pj_status vllm_check(const struct pji_setting *settings, size_t n, struct pj_error *err)
{
    struct options options;
    return read_options(&options, settings, n, err);
}

/* A folder seen from the study's when there is one; else the name as it stands. A path that is
 * none is refused: vLLM would look for it on the network. */
static pj_status find_model(struct pji_str *out, bool *is_folder, const char *study_dir,
                            const char *model, struct pj_error *err)
{
    pji_engine_path(out, study_dir, model);
    pj_status rc = pji_str_ok(out, err);
    *is_folder = rc == PJ_OK && access(pji_str_text(out), R_OK) == 0;
    if (rc || *is_folder)
        return rc;
    if (model[0] == '/' || model[0] == '.')
        return pji_fail_errno(err, errno, "cannot read the model %s", pji_str_text(out));
    pji_str_clear(out);
    pji_str_add(out, model);
    return pji_str_ok(out, err);
}

static pj_status vllm_preflight(const struct pji_setting *settings, size_t n,
                                const struct pji_engine_env *env, struct pj_error *err)
{
    struct options options;
    struct pji_str path = {0};
    bool is_folder = false;
    pj_status rc = read_options(&options, settings, n, err);
    if (rc == PJ_OK)
        rc = find_model(&path, &is_folder, env->study_dir, options.model, err);
    if (rc == PJ_OK)
        rc = pji_process_find(env->study_dir, options.server->values[0], err);
    pji_str_fini(&path);
    return rc;
}

/* ---- start ---- */

static void complete_argv(const char **argv, const struct vllm *v, const char *port)
{
    const struct options *o = &v->options;
    size_t at = o->server->n;
    argv[at++] = "serve";
    argv[at++] = pji_str_text(&v->model);
    argv[at++] = "--host";
    argv[at++] = o->host;
    argv[at++] = "--port";
    argv[at++] = port;
    if (!o->prompt_cache)
        argv[at++] = "--no-enable-prefix-caching";
    for (size_t i = 0; o->args != NULL && i < o->args->n; i++)
        argv[at++] = o->args->values[i];
}

static pj_status launch(struct vllm *v, const char **argv, const struct pji_engine_env *env,
                        struct pj_error *err)
{
    struct options *o = &v->options;
    char port[NUMBER_TEXT];
    struct pji_str program = {0};
    struct pji_str health = {0};
    if (strchr(argv[0], '/') != NULL) {
        pji_engine_path(&program, env->study_dir, argv[0]);
        argv[0] = pji_str_text(&program);
    }
    pj_status rc = pji_str_ok(&program, err);
    if (rc == PJ_OK)
        rc = pji_choose_port(o->host, &o->port, err);
    if (rc == PJ_OK) {
        snprintf(port, sizeof port, "%lld", (long long)o->port);
        complete_argv(argv, v, port);
        pji_argv_text(&v->command, argv, port);
        pji_str_addf(&v->root_url, "http://%s:%s", o->host, port);
        pji_str_addf(&v->base_url, "%s/v1", pji_str_text(&v->root_url));
        pji_str_addf(&health, "%s/health", pji_str_text(&v->root_url));
        rc = pji_str_ok(&v->command, err);
    }
    if (rc == PJ_OK)
        rc = pji_server_start(&v->server, argv, pji_str_text(&health), env, err);
    pji_str_fini(&health);
    pji_str_fini(&program);
    return rc;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

/* The model that it lists is the one to ask for; a version that it does not tell stays unknown. */
static pj_status meet(struct vllm *v, struct pj_error *err)
{
    json_t *models = NULL, *version = NULL;
    struct pj_error ignored = {0};
    pj_status rc = pji_server_page(pji_str_text(&v->root_url), "/v1/models", &models, err);
    if (rc)
        return rc;
    const json_t *first = json_array_get(json_object_get(models, "data"), 0);
    const char *id = json_string_value(json_object_get(first, "id"));
    if (id == NULL) {
        json_decref(models);
        return pji_fail(err, PJ_EPEER, "the server at %s lists no model",
                        pji_str_text(&v->root_url));
    }
    /* `root` is what it was told to serve */
    const char *root = json_string_value(json_object_get(first, "root"));
    const char *own = pji_str_text(&v->model);
    if (v->is_folder && root != NULL && strcmp(base_name(root), base_name(own)) != 0) {
        rc = pji_fail(err, PJ_EPEER,
                      "the server at %s serves %s instead of %s: another program has the port",
                      pji_str_text(&v->root_url), root, own);
        json_decref(models);
        return rc;
    }
    pji_str_add(&v->model_name, id);
    json_decref(models);
    if (pji_server_page(pji_str_text(&v->root_url), "/version", &version, &ignored) == PJ_OK) {
        const char *text = json_string_value(json_object_get(version, "version"));
        pji_str_add(&v->version, text != NULL ? text : "");
        json_decref(version);
    }
    v->endpoint = (struct pji_endpoint){.base_url = pji_str_text(&v->base_url),
                                        .model = pji_str_text(&v->model_name)};
    return pji_str_ok(&v->model_name, err);
}

static void forget(struct vllm *v)
{
    pji_str_fini(&v->model);
    pji_str_fini(&v->command);
    pji_str_fini(&v->root_url);
    pji_str_fini(&v->base_url);
    pji_str_fini(&v->model_name);
    pji_str_fini(&v->version);
    v->endpoint = (struct pji_endpoint){0};
}

static pj_status vllm_stop(void *state, struct pj_error *err)
{
    struct vllm *v = state;
    pj_status rc = pji_server_stop(&v->server, err);
    forget(v);
    return rc;
}

static pj_status vllm_start(void *state, const struct pji_setting *settings, size_t n,
                            const struct pji_engine_env *env, struct pj_error *err)
{
    struct vllm *v = state;
    pji_keeper_init(&v->server.keeper);
    v->server.env = *env;
    v->server.used = true;
    pj_status rc = read_options(&v->options, settings, n, err);
    if (rc == PJ_OK)
        rc = find_model(&v->model, &v->is_folder, env->study_dir, v->options.model, err);
    if (rc == PJ_OK) {
        size_t extra = OWN_ARGUMENTS + (v->options.args != NULL ? v->options.args->n : 0);
        const char **argv = pji_setting_argv(v->options.server, extra, err);
        rc = argv != NULL ? launch(v, argv, env, err) : PJ_ENOMEM;
        free(argv);
    }
    if (rc == PJ_OK)
        rc = meet(v, err);
    if (rc)
        vllm_stop(v, NULL);
    return rc;
}

/* ---- the rest of the contract ---- */

static const struct pji_endpoint *vllm_endpoint(void *state)
{
    struct vllm *v = state;
    return &v->endpoint;
}

static int vllm_alive_fd(void *state)
{
    struct vllm *v = state;
    return v->server.keeper.engine_pidfd;
}

static pj_status file_fact(struct vllm *v, const char *file, const char *key, pji_fact_fn *fn,
                           void *context, struct pj_error *err)
{
    char hex[PJI_SHA256_HEX];
    int64_t size_b = 0;
    struct pj_error ignored = {0};
    struct pji_str path = {0};
    pj_status rc = PJ_OK;
    pji_str_addf(&path, "%s/%s", pji_str_text(&v->model), file);
    if (access(pji_str_text(&path), R_OK) == 0 &&
        pji_digest_cached(v->server.env.digests, pji_str_text(&path), hex, &size_b, &ignored) ==
            PJ_OK)
        rc = pji_fact(fn, context, key, hex, err);
    pji_str_fini(&path);
    return rc;
}

static bool is_weights(const char *name)
{
    static const char *const ends[] = {".safetensors", ".bin", ".gguf", ".pt"};
    size_t len = strlen(name);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (len > strlen(ends[i]) && strcmp(name + len - strlen(ends[i]), ends[i]) == 0)
            return true;
    return false;
}

/* Each file of the weights, read once in a run. */
static pj_status weights_facts(struct vllm *v, pji_fact_fn *fn, void *context, struct pj_error *err)
{
    DIR *dir = opendir(pji_str_text(&v->model));
    pj_status rc = PJ_OK;
    if (dir == NULL)
        return PJ_OK;
    for (struct dirent *entry = readdir(dir); entry != NULL && rc == PJ_OK; entry = readdir(dir)) {
        char key[NAME_MAX + 32];
        snprintf(key, sizeof key, "model.file.%s.sha256", entry->d_name);
        if (is_weights(entry->d_name))
            rc = file_fact(v, entry->d_name, key, fn, context, err);
    }
    closedir(dir);
    return rc;
}

/* What decides the work of a model in a folder. */
static pj_status folder_facts(struct vllm *v, pji_fact_fn *fn, void *context, struct pj_error *err)
{
    static const struct {
        const char *file, *key;
    } files[] = {{"config.json", "model.config_sha256"},
                 {"model.safetensors.index.json", "model.index_sha256"},
                 {"tokenizer.json", "model.tokenizer_sha256"},
                 {"tokenizer_config.json", "model.tokenizer_config_sha256"},
                 {"chat_template.jinja", "model.chat_template_sha256"}};
    pj_status rc = PJ_OK;
    for (size_t i = 0; i < sizeof files / sizeof files[0] && rc == PJ_OK; i++)
        rc = file_fact(v, files[i].file, files[i].key, fn, context, err);
    return rc == PJ_OK ? weights_facts(v, fn, context, err) : rc;
}

static pj_status vllm_facts(void *state, pji_fact_fn *fn, void *context, struct pj_error *err)
{
    struct vllm *v = state;
    const char *const facts[][2] = {
        {"engine.kind", "vllm"},
        {"engine.version", pji_str_text(&v->version)},
        {"engine.command", pji_str_text(&v->command)},
        {"engine.prompt_cache", v->options.prompt_cache ? "on" : "off"},
        {"model.id", pji_str_text(&v->model_name)},
        {"model.path", v->is_folder ? pji_str_text(&v->model) : NULL},
    };
    pj_status rc = PJ_OK;
    for (size_t i = 0; i < sizeof facts / sizeof facts[0] && rc == PJ_OK; i++)
        rc = pji_fact(fn, context, facts[i][0], facts[i][1], err);
    return rc == PJ_OK && v->is_folder ? folder_facts(v, fn, context, err) : rc;
}

static pj_status vllm_scrape(void *state, char **text, struct pj_error *err)
{
    struct vllm *v = state;
    return pji_get_metrics(pji_str_text(&v->root_url), NULL, text, err);
}

const struct pji_engine_ops pji_engine_vllm = {
    .kind = "vllm",
    .about = "a vLLM server that perjoule starts and stops",
    .state_size = sizeof(struct vllm),
    .keys = vllm_keys,
    .check = vllm_check,
    .preflight = vllm_preflight,
    .start = vllm_start,
    .endpoint = vllm_endpoint,
    .alive_fd = vllm_alive_fd,
    .facts = vllm_facts,
    .scrape = vllm_scrape,
    .stop = vllm_stop,
};
