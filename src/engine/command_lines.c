/* engine/command_lines.c - a program that answers items: `engine: {kind: command, run: [argv],
 * protocol: jsonl}`. It is started once for each trial, as in command.c (folder, environment), but
 * talks to us: load/jsonl.h has the protocol, docs/engines.md its manual.
 *
 * Start to ready is the load phase: ready is the line {"ready": true, …} on its standard output,
 * with which it may say its name, version and model for the manifest; files that its arguments name
 * (the script, the weights) are there with their digests. Its standard error is the
 * trial's log. The end of its standard input tells it to finish; what is left after
 * env->stop_grace_ns is ended.
 */
#include "engine/digest_cache.h"
#include "engine/image.h"
#include "engine/kinds.h"
#include "engine/launch.h"
#include "engine/server.h"

#include "core/array.h"
#include "load/jsonl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FACT_MOST = 200 };

struct program {
    struct pji_server server;
    struct pji_jsonl lines;
    struct pji_str command, name, version, model;
    char **args; /* copies, n_args of them */
    size_t n_args;
};

static pj_status program_check(const struct pji_setting *settings, size_t n, struct pj_error *err)
{
    const char *protocol = pji_setting_get(settings, n, "protocol", "");
    pj_status rc = pji_command_check(settings, n, err);
    if (rc == PJ_OK && strcmp(protocol, "jsonl") != 0)
        return pji_fail(err, PJ_EINVAL, "unknown 'protocol' of a command: '%.60s', known is jsonl",
                        protocol);
    return rc;
}

/* ---- start ---- */

static void close_all(int fds[2])
{
    for (int i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

/* Our ends do not block; those of the program do, as every program expects. */
static pj_status open_pipes(int to[2], int from[2], struct pj_error *err)
{
    to[0] = to[1] = from[0] = from[1] = -1;
    if (pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0 &&
        fcntl(to[1], F_SETFL, O_NONBLOCK) == 0 && fcntl(from[0], F_SETFL, O_NONBLOCK) == 0)
        return PJ_OK;
    pj_status rc = pji_fail_errno(err, errno, "cannot make pipes to the engine's program");
    close_all(to);
    close_all(from);
    return rc;
}

static pj_status spawn(struct program *p, const char **argv, struct pj_error *err)
{
    int to[2], from[2];
    const struct pji_engine_env *env = &p->server.env;
    pj_status rc = open_pipes(to, from, err);
    if (rc)
        return rc;
    struct pji_keeper_spawn how = {
        .keeper_argv = env->keeper_argv,
        .argv = argv,
        .env = env->env,
        .cwd = env->study_dir,
        .log_path = env->log_path,
        .in_fd = to[0],
        .out_fd = from[1],
        .grace_ns = env->stop_grace_ns,
        .on_process = env->on_process,
        .context = env->context,
    };
    rc = pji_keeper_spawn(&p->server.keeper, &how, err);
    close(to[0]);
    close(from[1]);
    pji_jsonl_init(&p->lines, to[1], from[0], p->server.keeper.engine_pidfd);
    return rc ? rc : pji_keeper_release(&p->server.keeper, NULL, err);
}

static void keep_text(struct pji_str *out, const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    char excerpt[PJI_EXCERPT];
    if (text != NULL && strlen(text) <= FACT_MOST)
        pji_str_add(out, text);
    else if (text != NULL)
        pji_str_add(out, pji_excerpt(text, strlen(text), excerpt));
}

static pj_status read_ready(struct program *p, const char *line, size_t len, struct pj_error *err)
{
    char excerpt[PJI_EXCERPT];
    json_error_t fault;
    json_t *object = json_loadb(line, len, JSON_REJECT_DUPLICATES, &fault);
    bool ready = json_is_true(json_object_get(object, "ready"));
    const char *why = json_string_value(json_object_get(object, "error"));
    pj_status rc = PJ_OK;
    if (!ready && why != NULL)
        rc = pji_fail(err, PJ_EPEER, "the program cannot begin: %.300s", why);
    else if (!ready)
        rc = pji_fail(err, PJ_EPEER, "the program's first line must be {\"ready\": true}, not '%s'",
                      pji_excerpt(line, len, excerpt));
    keep_text(&p->name, object, "name");
    keep_text(&p->version, object, "version");
    keep_text(&p->model, object, "model");
    json_decref(object);
    return rc ? rc : pji_str_ok(&p->model, err);
}

static int64_t left_ms(const struct program *p, int64_t deadline_ns)
{
    int64_t left_ns = deadline_ns - pji_now_ns(&p->server.keeper.platform);
    return left_ns <= 0 ? 0 : left_ns / 1000000 + 1 < 3600000 ? left_ns / 1000000 + 1 : 3600000;
}

static pj_status await_ready(struct program *p, struct pj_error *err)
{
    const struct pji_engine_env *env = &p->server.env;
    int64_t deadline_ns = pji_now_ns(&p->server.keeper.platform) + env->start_deadline_ns;
    for (;;) {
        const char *line = NULL;
        size_t len = 0;
        struct pollfd fds[3] = {{.fd = p->lines.from_fd, .events = POLLIN},
                                {.fd = p->server.keeper.engine_pidfd, .events = POLLIN},
                                {.fd = env->stop_fd, .events = POLLIN}};
        int64_t wait_ms = left_ms(p, deadline_ns);
        poll(fds, 3, (int)wait_ms);
        pj_status rc = pji_jsonl_fill(&p->lines, err);
        if (rc == PJ_OK)
            rc = pji_jsonl_take(&p->lines, &line, &len, err);
        if (rc == PJ_OK)
            return read_ready(p, line, len, err);
        if (rc < 0)
            return rc;
        if (fds[1].revents != 0 || (p->lines.ended && pji_jsonl_ended(&p->lines))) {
            pji_keeper_wait(&p->server.keeper, INT64_C(1000000000), -1, NULL);
            return pji_server_died(&p->server, err);
        }
        if (fds[2].revents != 0)
            return pji_fail(err, PJ_ECANCELED, "stopped while the engine was starting");
        if (p->lines.ended)
            return pji_fail(err, PJ_EPEER,
                            "the program closed its standard output before it was ready");
        if (wait_ms == 0)
            return pji_fail(err, PJ_ETIMEOUT,
                            "the program was not ready after %.1f s ({\"ready\": true} on its "
                            "standard output); its log is %s",
                            (double)env->start_deadline_ns / 1e9, env->log_path);
    }
}

/* Closing its input lets it end by itself. */
static void let_finish(struct program *p)
{
    if (p->lines.to_fd >= 0)
        close(p->lines.to_fd);
    p->lines.to_fd = -1;
    if (!p->server.keeper.open || !p->server.keeper.running)
        return;
    char bytes[4096];
    int64_t deadline_ns = pji_now_ns(&p->server.keeper.platform) + p->server.env.stop_grace_ns;
    for (int64_t wait_ms = left_ms(p, deadline_ns); wait_ms > 0;
         wait_ms = left_ms(p, deadline_ns)) {
        struct pollfd fds[2] = {{.fd = p->server.keeper.engine_pidfd, .events = POLLIN},
                                {.fd = p->lines.from_fd, .events = POLLIN}};
        poll(fds, 2, (int)wait_ms);
        if (fds[0].revents != 0)
            return;
        /* a full pipe would keep it from its end */
        if (fds[1].revents != 0 && read(p->lines.from_fd, bytes, sizeof bytes) == 0) {
            close(p->lines.from_fd);
            p->lines.from_fd = -1;
        }
    }
}

static pj_status program_stop(void *state, struct pj_error *err)
{
    struct program *p = state;
    if (!p->server.used)
        return PJ_OK;
    let_finish(p);
    pj_status rc = pji_server_stop(&p->server, err);
    pji_jsonl_fini(&p->lines);
    for (size_t i = 0; i < p->n_args; i++)
        free(p->args[i]);
    free(p->args);
    p->args = NULL;
    p->n_args = 0;
    pji_str_fini(&p->command);
    pji_str_fini(&p->name);
    pji_str_fini(&p->version);
    pji_str_fini(&p->model);
    return rc;
}

static pj_status keep_args(struct program *p, const struct pji_setting *run, struct pj_error *err)
{
    p->args = pji_zalloc(run->n, sizeof *p->args, err);
    for (size_t i = 0; p->args != NULL && i < run->n; i++) {
        p->args[i] = pji_dup(run->values[i], err);
        if (p->args[i] == NULL)
            return PJ_ENOMEM;
        p->n_args++;
    }
    return p->args != NULL ? PJ_OK : PJ_ENOMEM;
}

static pj_status program_start(void *state, const struct pji_setting *settings, size_t n,
                               const struct pji_engine_env *env, struct pj_error *err)
{
    struct program *p = state;
    pji_keeper_init(&p->server.keeper);
    pji_jsonl_init(&p->lines, -1, -1, -1);
    p->server.env = *env;
    p->server.used = true;
    p->server.log_start = pji_log_size(env->log_path);
    pj_status rc = program_check(settings, n, err);
    if (rc)
        return rc;
    const struct pji_setting *run = pji_setting_find(settings, n, "run");
    const char **argv = pji_setting_argv(run, 0, err);
    rc = argv != NULL ? keep_args(p, run, err) : PJ_ENOMEM;
    if (rc == PJ_OK) {
        pji_argv_text(&p->command, argv, NULL);
        rc = spawn(p, argv, err);
    }
    free(argv);
    if (rc == PJ_OK)
        rc = await_ready(p, err);
    if (rc) {
        p->server.env.stop_grace_ns = 0; /* it did not begin: there is nothing to finish */
        program_stop(p, NULL);
    }
    return rc;
}

/* ---- the rest of the contract ---- */

static struct pji_jsonl *program_lines(void *state)
{
    struct program *p = state;
    return &p->lines;
}

static int program_alive_fd(void *state)
{
    struct program *p = state;
    return p->server.keeper.engine_pidfd;
}

/* Of every argument that names a file, seen from the study's folder. */
static pj_status file_facts(struct program *p, pji_fact_fn *fn, void *context, struct pj_error *err)
{
    pj_status rc = PJ_OK;
    for (size_t i = 1; i < p->n_args && rc == PJ_OK; i++) {
        char hex[PJI_SHA256_HEX];
        int64_t size_b = 0;
        struct stat info;
        struct pj_error ignored = {0};
        struct pji_str path = {0}, key = {0};
        pji_engine_path(&path, p->server.env.study_dir, p->args[i]);
        pji_str_addf(&key, "engine.file.%s.sha256", p->args[i]);
        if (p->args[i][0] != '\0' && stat(pji_str_text(&path), &info) == 0 &&
            S_ISREG(info.st_mode) &&
            pji_digest_cached(p->server.env.digests, pji_str_text(&path), hex, &size_b, &ignored) ==
                PJ_OK)
            rc = pji_fact(fn, context, pji_str_text(&key), hex, err);
        pji_str_fini(&path);
        pji_str_fini(&key);
    }
    return rc;
}

static pj_status program_facts(void *state, pji_fact_fn *fn, void *context, struct pj_error *err)
{
    static const char *const words[] = {NULL}; /* of its libraries none is known to matter */
    struct program *p = state;
    char late[24] = "";
    if (p->lines.dropped > 0)
        snprintf(late, sizeof late, "%lld", (long long)p->lines.dropped);
    const char *const facts[][2] = {
        {"engine.kind", "command"},
        {"engine.protocol", "jsonl"},
        {"engine.command", pji_str_text(&p->command)},
        {"engine.name", pji_str_text(&p->name)},
        {"engine.version", pji_str_text(&p->version)},
        {"engine.late_answers", late},
        {"model.id", pji_str_text(&p->model)},
    };
    pj_status rc = PJ_OK;
    for (size_t i = 0; i < sizeof facts / sizeof facts[0] && rc == PJ_OK; i++)
        rc = pji_fact(fn, context, facts[i][0], facts[i][1], err);
    if (rc == PJ_OK)
        rc = pji_image_facts(p->server.keeper.engine_pid, words, p->server.env.digests, fn, context,
                             err);
    return rc == PJ_OK ? file_facts(p, fn, context, err) : rc;
}

const struct pji_engine_ops pji_engine_command_lines = {
    .kind = "command",
    .protocol = "jsonl",
    .about = "a program that answers items, a JSON object on each line",
    .state_size = sizeof(struct program),
    .keys = pji_command_keys,
    .check = program_check,
    .preflight = pji_command_preflight,
    .start = program_start,
    .lines = program_lines,
    .alive_fd = program_alive_fd,
    .facts = program_facts,
    .stop = program_stop,
};
