/* lab/trial.c - see trial.h. A failure is classified where it happens (reason code + sentence); the
 * teardown below runs on every path, so nothing is left running and what was recorded is kept.
 */
#include "lab/trial.h"

#include "core/array.h"
#include "core/units.h"
#include "evidence/manifest.h"
#include "lab/cores.h"
#include "lab/metering.h"
#include "lab/records.h"
#include "lab/replicas.h"
#include "lab/rest.h"
#include "lab/rest_records.h"
#include "lab/surroundings.h"
#include "lab/watch.h"
#include "load/jsonl.h"
#include "platform/clock.h"
#include "platform/durable.h"
#include "platform/process.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* The kernel closes the sockets of a dying engine before its end can be seen: after failed requests
 * it gets so long to turn out dead, or the failure would be blamed on the requests. */
#define ENGINE_LAST_WORD_NS (200 * PJI_NS_PER_MS)

struct attempt {
    const struct pji_run_env *env;
    const struct pji_study *study;
    const struct pji_workload *workload;
    struct pji_store *store;
    const struct pji_trial *trial;
    struct pji_run_event event; /* last snapshot sent */
    int64_t id;
    char boot_id[48];
    struct pji_watch watch;
    struct pji_surroundings surroundings;
    struct pji_cores cores;
    struct pji_metering *metering;
    struct pji_around around;
    struct pji_rest rest;
    char waits_for[160]; /* behind event.phase */
    const struct pji_engine_ops *ops;
    void *engine;
    bool engine_up, has_metrics;
    struct pji_setting *settings;
    size_t n_settings;
    char **env_vars;
    char *trace_path, *log_path, *spool_path, *metrics_path;
    char *api_key;
    struct pji_trial_data data;
    struct pji_trial_outcome *out;
    struct pj_error error; /* sentence behind outcome.reason */
};

/* Records why the attempt ends; the first reason wins. Returns a negative status for `goto out`. */
static pj_status ends(struct attempt *a, const char *reason)
{
    if (a->out->reason[0] == '\0') {
        a->out->state = PJI_TRIAL_FAILED;
        snprintf(a->out->reason, sizeof a->out->reason, "%s", reason);
    }
    return PJ_EPEER;
}

/* The same for what the watch reports; a user's stop is not a failure. */
static pj_status stopped(struct attempt *a, enum pji_watch_cause cause)
{
    switch (cause) {
    case PJI_WATCH_USER:
        if (a->out->reason[0] == '\0') {
            a->out->state = PJI_TRIAL_PLANNED;
            snprintf(a->out->reason, sizeof a->out->reason, "interrupted");
        }
        return PJ_ECANCELED;
    case PJI_WATCH_METER:
        return ends(a, "meter_lost");
    case PJI_WATCH_ENGINE:
        pji_error_set(&a->error, PJ_EPEER, 0, "the engine ended by itself: see %s", a->log_path);
        return ends(a, "engine_died");
    case PJI_WATCH_DEADLINE:
        pji_error_set(&a->error, PJ_ETIMEOUT, 0,
                      "the trial did not end within %.1f s (limits: trial)",
                      pji_s_from_ns(a->study->limits.trial_ns));
        return ends(a, "timeout");
    case PJI_WATCH_NONE:
    case PJI_WATCH_TIMER:
        break;
    }
    return PJ_OK;
}

static void emit(struct attempt *a, enum pji_run_event_kind kind, const char *phase)
{
    a->event.kind = kind;
    if (phase != NULL)
        a->event.phase = phase;
    a->event.power_w = a->metering != NULL ? pji_metering_power_w(a->metering) : (double)NAN;
    if (a->env->event != NULL)
        a->env->event(a->env->event_context, &a->event);
}

static pj_status on_process(void *context, const char *role, int64_t pid, uint64_t start_ticks,
                            struct pj_error *err)
{
    struct attempt *a = context;
    struct pji_process_row row = {.attempt = a->id,
                                  .role = role,
                                  .pid = pid,
                                  .start_ticks = start_ticks,
                                  .boot_id = a->boot_id};
    return pji_store_add_process(a->store, &row, err);
}

/* ---- preparation ---- */

static pj_status declare(struct attempt *a, const char *name, char **path)
{
    pj_status status = pji_store_declare_artefact(a->store, a->id, name, &a->error);
    if (status == PJ_OK)
        status = pji_store_artefact_path(a->store, a->id, name, path, &a->error);
    return status;
}

/* PERJOULE_FACTOR_<NAME>=level for every factor, PERJOULE_TRIAL and PERJOULE_REPETITION. */
static pj_status make_env(struct attempt *a)
{
    size_t n = a->study->n_factors + 2;
    a->env_vars = pji_zalloc(n + 1, sizeof *a->env_vars, &a->error);
    if (a->env_vars == NULL)
        return PJ_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        struct pji_str text = {0};
        if (i < a->study->n_factors) {
            pji_str_add(&text, "PERJOULE_FACTOR_");
            for (const char *p = a->study->factors[i].name; *p != '\0'; p++) {
                char c = *p;
                bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
                if (c >= 'a' && c <= 'z')
                    c = (char)(c - 'a' + 'A');
                else if (!plain)
                    c = '_';
                pji_str_addc(&text, c);
            }
            pji_str_addf(&text, "=%s", a->trial->levels[i]);
        } else if (i == a->study->n_factors) {
            pji_str_addf(&text, "PERJOULE_TRIAL=%lld", (long long)a->trial->id);
        } else {
            pji_str_addf(&text, "PERJOULE_REPETITION=%lld", (long long)a->trial->repetition);
        }
        a->env_vars[i] = pji_str_take(&text);
        if (a->env_vars[i] == NULL)
            return pji_fail(&a->error, PJ_ENOMEM, "out of memory");
    }
    return PJ_OK;
}

/* The API key comes from the environment or a file named in the settings; it is never stored. */
static pj_status read_api_key(struct attempt *a)
{
    const char *name = pji_setting_get(a->settings, a->n_settings, "api_key_env", NULL);
    const char *file = pji_setting_get(a->settings, a->n_settings, "api_key_file", NULL);
    if (name != NULL) {
        const char *value = a->env->lookup != NULL ? a->env->lookup(name) : NULL;
        if (value == NULL || value[0] == '\0')
            return pji_fail(&a->error, PJ_EINVAL,
                            "the environment variable %s that holds the API key is not set", name);
        a->api_key = pji_dup(value, &a->error);
        return a->api_key != NULL ? PJ_OK : PJ_ENOMEM;
    }
    if (file != NULL) {
        size_t len = 0;
        pj_status status = pji_read_file(file, 4096, &a->api_key, &len, &a->error);
        while (status == PJ_OK && len > 0 &&
               (a->api_key[len - 1] == '\n' || a->api_key[len - 1] == '\r'))
            a->api_key[--len] = '\0';
        return status;
    }
    return PJ_OK;
}

static pj_status prepare(struct attempt *a)
{
    pj_status status = declare(a, "trace.jsonl", &a->trace_path);
    if (status == PJ_OK && !a->ops->starts_nothing)
        status = declare(a, "engine.log", &a->log_path);
    if (status == PJ_OK && !a->ops->is_command)
        status = declare(a, "requests.jsonl", &a->spool_path);
    if (status == PJ_OK)
        status =
            pji_study_settings(a->study, a->trial->levels, &a->settings, &a->n_settings, &a->error);
    if (status == PJ_OK && a->env->allow != NULL)
        status = a->env->allow(a->env->allow_context, a->ops->kind, a->settings, a->n_settings,
                               &a->error);
    if (status == PJ_OK)
        status = make_env(a);
    if (status == PJ_OK)
        status = read_api_key(a);
    if (status == PJ_OK)
        status = pji_watch_open(&a->watch, a->env->stop_fd,
                                a->study->limits.trial_ns + pji_rest_most_ns(a->study), &a->error);
    if (status == PJ_OK)
        return PJ_OK;
    return ends(a, status == PJ_ENOSPC ? "disk" : "preparation");
}

/* ---- phases ---- */

static pj_status start_meter(struct attempt *a)
{
    struct pji_metering_config config = {.perjoule = a->env->perjoule,
                                         .root = a->env->root,
                                         .trace_path = a->trace_path,
                                         .interval_ns = a->study->meter_interval_ns,
                                         .silence_ns = a->study->limits.meter_ns,
                                         .on_process = on_process,
                                         .context = a,
                                         .on_power = a->env->power,
                                         .power_context = a->env->event_context};
    pj_status status = pji_metering_start(&a->metering, &config, &a->error);
    if (status != PJ_OK)
        return ends(a, status == PJ_ENOSPC ? "disk" : "meter_start");
    return pji_watch_add(&a->watch, pji_metering_lost_fd(a->metering), PJI_WATCH_METER, &a->error);
}

/* Processors of the server that we start; NULL: all of ours. */
static const char *divide_cores(struct attempt *a)
{
    struct pji_platform platform;
    if (a->ops->is_command || a->ops->starts_nothing ||
        pji_platform_open_real(&platform, NULL, NULL) != PJ_OK)
        return NULL;
    pji_cores_divide(&a->cores, &platform);
    pji_platform_close_real(&platform);
    a->data.shared_cores = !a->cores.split;
    return a->cores.split ? a->cores.server : NULL;
}

/* ---- the machine without an engine ---- */

static void on_rest(void *context, const char *what)
{
    struct attempt *a = context;
    snprintf(a->waits_for, sizeof a->waits_for, "%.159s", what);
    emit(a, PJI_RUN_PHASE, a->waits_for);
}

static pj_status rested(struct attempt *a, enum pji_watch_cause cause)
{
    if (cause == PJI_WATCH_NONE)
        return ends(a, "internal");
    return cause == PJI_WATCH_TIMER ? PJ_OK : stopped(a, cause);
}

static pj_status rest_before(struct attempt *a)
{
    a->rest = (struct pji_rest){.study = a->study,
                                .around = &a->around,
                                .watch = &a->watch,
                                .metering = a->metering,
                                .data = &a->data,
                                .say = on_rest,
                                .context = a};
    if (pji_rest_open(&a->rest, a->env->root, &a->error) != PJ_OK)
        return ends(a, "internal");
    pj_status status = rested(a, pji_rest_before(&a->rest, &a->error));
    bool says = a->study->phases.settle || a->data.reference.temps.n > 0;
    if (status == PJ_OK && a->data.took_reference && says)
        status = pji_rest_store_reference(a->store, a->id, &a->data.reference, &a->error);
    return status == PJ_OK || a->out->reason[0] != '\0' ? status : ends(a, "preparation");
}

/* Also after a failure that left the machine in our hands: the baseline belongs to the block.
 */
static void rest_after(struct attempt *a)
{
    if (a->metering == NULL || !a->data.looked || a->engine_up ||
        pji_watch_cause(&a->watch) != PJI_WATCH_NONE)
        return;
    (void)rested(a, pji_rest_after(&a->rest, &a->error));
}

static pj_status start_engine(struct attempt *a)
{
    struct pji_phase_data *phase = pji_trial_data_phase(&a->data, "load", &a->error);
    if (phase == NULL)
        return PJ_ENOMEM;
    emit(a, PJI_RUN_PHASE, "load");
    struct pji_engine_env env = {.log = a->env->log,
                                 .keeper_argv = a->env->keeper_argv,
                                 .log_path = a->log_path,
                                 .study_dir = a->study->dir,
                                 .env = (const char *const *)a->env_vars,
                                 .start_deadline_ns = a->study->limits.engine_start_ns,
                                 .stop_grace_ns = a->study->limits.engine_stop_ns,
                                 .run_limit_ns = a->study->limits.trial_ns,
                                 .digests = a->env->digests,
                                 .stop_fd = a->watch.fd,
                                 .on_process = on_process,
                                 .context = a,
                                 .cpus = divide_cores(a),
                                 .api_key = a->api_key};
    phase->start_ns = pji_clock_ns(CLOCK_MONOTONIC);
    pj_status status = a->ops->start(a->engine, a->settings, a->n_settings, &env, &a->error);
    phase->end_ns = pji_clock_ns(CLOCK_MONOTONIC);
    if (status != PJ_OK) {
        enum pji_watch_cause cause = pji_watch_cause(&a->watch);
        return cause != PJI_WATCH_NONE ? stopped(a, cause) : ends(a, "engine_start");
    }
    a->engine_up = true;
    pji_cores_bind(&a->cores);
    const char *remote = a->ops->remote_reason != NULL ? a->ops->remote_reason(a->engine) : NULL;
    if (remote != NULL)
        snprintf(a->data.remote_reason, sizeof a->data.remote_reason, "%s", remote);
    return pji_watch_add(&a->watch, pji_engine_alive_fd(a->ops, a->engine), PJI_WATCH_ENGINE,
                         &a->error);
}

static pj_status sleep_phase(struct attempt *a, const char *name, int64_t dur_ns)
{
    if (dur_ns <= 0)
        return PJ_OK;
    struct pji_phase_data *phase = pji_trial_data_phase(&a->data, name, &a->error);
    if (phase == NULL)
        return PJ_ENOMEM;
    emit(a, PJI_RUN_PHASE, name);
    pji_metering_mark(a->metering);
    phase->start_ns = pji_clock_ns(CLOCK_MONOTONIC);
    enum pji_watch_cause cause = pji_watch_sleep(&a->watch, dur_ns);
    phase->end_ns = pji_clock_ns(CLOCK_MONOTONIC);
    pji_metering_mark(a->metering);
    return cause == PJI_WATCH_TIMER ? PJ_OK : stopped(a, cause);
}

static void on_progress(void *context, size_t done, size_t failed, int64_t output_tokens)
{
    struct attempt *a = context;
    (void)failed;
    (void)output_tokens;
    a->event.requests_done = done;
    emit(a, PJI_RUN_PROGRESS, NULL);
}

static struct pji_load_plan load_plan(struct attempt *a, const char *phase,
                                      const struct pji_task_run *run, int stop_fd)
{
    a->event.requests_done = 0;
    a->event.requests = run->n;
    return (struct pji_load_plan){.phase = phase,
                                  .endpoint = a->ops->endpoint ? a->ops->endpoint(a->engine) : NULL,
                                  .lines = a->ops->lines ? a->ops->lines(a->engine) : NULL,
                                  .specs = run->specs,
                                  .n = run->n,
                                  .concurrency = run->load.concurrency,
                                  .due_ns = run->due_ns,
                                  .request_timeout_ns = a->study->limits.request_ns,
                                  .stop_fd = stop_fd,
                                  .spool_path = a->spool_path,
                                  .progress = on_progress,
                                  .progress_context = a};
}

static const char *request_extra(const struct attempt *a)
{
    return a->ops->request_extra != NULL ? a->ops->request_extra(a->engine) : NULL;
}

/* After the requests of a phase: what ended it, where something did. */
static pj_status load_ended(struct attempt *a, pj_status status, const struct pji_jsonl *lines,
                            const struct pji_load_result *load)
{
    bool doubt = load->n_failed > 0 || status == PJ_EPEER;
    enum pji_watch_cause cause =
        doubt ? pji_watch_sleep(&a->watch, ENGINE_LAST_WORD_NS) : pji_watch_cause(&a->watch);
    if (cause != PJI_WATCH_NONE && cause != PJI_WATCH_TIMER)
        return stopped(a, cause);
    if (status == PJ_OK)
        return PJ_OK;
    const char *broken = lines != NULL && lines->failure != NULL ? lines->failure : "load";
    return ends(a, status == PJ_ENOSPC ? "disk" : broken);
}

/* Warm-up: passes over the first task's items until the time is over; then in-flight requests
 * finish. */
static pj_status warm_up(struct attempt *a)
{
    int64_t dur_ns = a->study->phases.warmup_ns;
    struct pji_watch until = {.fd = -1, .deadline_fd = -1};
    if (dur_ns <= 0 || a->workload->n == 0)
        return PJ_OK;
    struct pji_phase_data *phase = pji_trial_data_phase(&a->data, "warmup", &a->error);
    pj_status status = phase != NULL ? PJ_OK : PJ_ENOMEM;
    if (status == PJ_OK)
        status = pji_task_run_make(&phase->run, a->study, &a->workload->tasks[0], a->trial->levels,
                                   a->trial->repetition, request_extra(a), &a->error);
    if (status == PJ_OK)
        status = pji_watch_open(&until, a->watch.fd, dur_ns, &a->error);
    if (status != PJ_OK || phase == NULL)
        return ends(a, "preparation");
    emit(a, PJI_RUN_PHASE, "warmup");
    struct pji_load_plan plan = load_plan(a, "warmup", &phase->run, until.fd);
    pji_metering_mark(a->metering);
    phase->start_ns = pji_clock_ns(CLOCK_MONOTONIC);
    do {
        pji_load_result_fini(&phase->load); /* the last pass is kept */
        status = pji_load_run(&plan, &phase->load, &a->error);
    } while (status == PJ_OK);
    phase->end_ns = pji_clock_ns(CLOCK_MONOTONIC);
    pji_watch_close(&until);
    if (status == PJ_ECANCELED)
        status = PJ_OK; /* the time being over is what was wanted */
    status = load_ended(a, status, plan.lines, &phase->load);
    if (status != PJ_OK)
        return status;
    pji_error_clear(&a->error);
    return PJ_OK;
}

static pj_status measure_task(struct attempt *a, const struct pji_workload_task *task)
{
    struct pji_phase_data *phase = pji_trial_data_phase(&a->data, "measure", &a->error);
    pj_status status = phase != NULL ? PJ_OK : PJ_ENOMEM;
    if (status == PJ_OK)
        status = pji_task_run_make(&phase->run, a->study, task, a->trial->levels,
                                   a->trial->repetition, request_extra(a), &a->error);
    if (status != PJ_OK || phase == NULL)
        return ends(a, "preparation");
    emit(a, PJI_RUN_PHASE, "measure");
    struct pji_load_plan plan = load_plan(a, "measure", &phase->run, a->watch.fd);
    if (!a->ops->starts_nothing && plan.endpoint != NULL)
        pji_render(&phase->rendered, plan.endpoint, phase->run.specs, phase->run.n);
    pji_surroundings_begin(&a->surroundings, a->env->root, a->metering);
    pji_metering_mark(a->metering);
    status = pji_load_run(&plan, &phase->load, &a->error);
    pji_metering_mark(a->metering);
    pji_surroundings_end(&a->surroundings, a->metering, pji_engine_alive_fd(a->ops, a->engine) >= 0,
                         &phase->around);
    phase->start_ns = phase->load.start_ns;
    phase->end_ns = phase->load.end_ns;
    return load_ended(a, status, plan.lines, &phase->load);
}

static pj_status measure_command(struct attempt *a)
{
    struct pji_phase_data *phase = pji_trial_data_phase(&a->data, "measure", &a->error);
    int exit_code = 0;
    if (phase == NULL)
        return PJ_ENOMEM;
    emit(a, PJI_RUN_PHASE, "measure");
    pji_surroundings_begin(&a->surroundings, a->env->root, a->metering);
    pji_metering_mark(a->metering);
    pj_status status =
        a->ops->run(a->engine, &phase->start_ns, &phase->end_ns, &exit_code, &a->error);
    pji_metering_mark(a->metering);
    pji_surroundings_end(&a->surroundings, a->metering, true, &phase->around);
    enum pji_watch_cause cause = pji_watch_cause(&a->watch);
    if (cause == PJI_WATCH_USER || cause == PJI_WATCH_METER || cause == PJI_WATCH_DEADLINE)
        return stopped(a, cause);
    if (status != PJ_OK)
        return ends(a, "command_start");
    if (exit_code != 0) {
        char reason[40];
        snprintf(reason, sizeof reason, "command_exit_%d", exit_code);
        pji_error_set(&a->error, PJ_EPEER, 0, "the command ended with exit code %d: see %s",
                      exit_code, a->log_path);
        return ends(a, reason);
    }
    return PJ_OK;
}

static void scrape(struct attempt *a)
{
    char *text = NULL;
    struct pj_error ignored = {0}; /* a server without a metrics page is not at fault */
    if (a->ops->scrape == NULL || a->ops->scrape(a->engine, &text, &ignored) != PJ_OK)
        return;
    if (declare(a, "metrics.txt", &a->metrics_path) == PJ_OK)
        a->has_metrics = pji_durable_write(a->metrics_path, text, strlen(text), &a->error) == PJ_OK;
    free(text);
}

static pj_status put_fact(void *context, const char *key, const char *value, struct pj_error *err)
{
    struct attempt *a = context;
    return pji_store_put_fact(a->store, a->id, key, value, err);
}

static pj_status phases(struct attempt *a)
{
    pj_status status = start_meter(a);
    if (status == PJ_OK)
        status = rest_before(a);
    if (status == PJ_OK)
        status = start_engine(a);
    if (status == PJ_OK)
        status = warm_up(a);
    if (status == PJ_OK)
        status = sleep_phase(a, "idle", a->study->phases.idle_ns);
    if (status == PJ_OK && a->ops->is_command)
        status = measure_command(a);
    for (size_t i = 0; i < a->workload->n && status == PJ_OK && !a->ops->is_command; i++)
        status = measure_task(a, &a->workload->tasks[i]);
    if (status == PJ_OK && !a->ops->is_command)
        scrape(a);
    return status;
}

/* ---- teardown ---- */

static void teardown(struct attempt *a, bool ok)
{
    struct pj_error stop_error = {0};
    struct pj_error fact_error = {0};
    pji_cores_release(&a->cores);
    if (a->engine_up && a->cores.split) {
        (void)put_fact(a, "cpus.client", a->cores.client, &fact_error);
        (void)put_fact(a, "cpus.engine", a->cores.server, &fact_error);
    }
    if (a->engine_up && a->ops->facts != NULL)
        (void)a->ops->facts(a->engine, put_fact, a, &fact_error);
    if (a->engine_up) {
        pji_watch_remove(&a->watch, pji_engine_alive_fd(a->ops, a->engine));
        if (a->ops->stop(a->engine, &stop_error) != PJ_OK) {
            pji_error_set(&a->error, stop_error.code, stop_error.sys_errno, "%s", stop_error.text);
            (void)ends(a, "engine_stop");
            ok = false;
        }
        a->engine_up = false;
    }
    if (ok)
        (void)sleep_phase(a, "cooldown", a->study->phases.cooldown_ns);
    rest_after(a);
    if (a->metering != NULL) {
        struct pj_error meter_error = {0};
        pj_status status = pji_metering_stop(a->metering, &a->data.trace, &meter_error);
        a->metering = NULL;
        a->data.has_trace = status == PJ_OK;
        if (status != PJ_OK && (a->error.code == 0 || strcmp(a->out->reason, "meter_lost") == 0))
            a->error = meter_error;
        if (status != PJ_OK)
            (void)ends(a, status == PJ_ENOSPC ? "disk" : "meter_lost");
    }
}

static pj_status seal(struct attempt *a)
{
    const char *const names[] = {"trace.jsonl", a->log_path != NULL ? "engine.log" : NULL,
                                 a->spool_path != NULL ? "requests.jsonl" : NULL,
                                 a->has_metrics ? "metrics.txt" : NULL};
    pj_status status = PJ_OK;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && status == PJ_OK; i++) {
        if (names[i] != NULL)
            status = pji_store_seal_artefact(a->store, a->id, names[i], &a->error);
    }
    return status;
}

/* Everything that the attempt left, in one transaction. A full disk or a lost artefact turns a
 * good attempt into a failed one: then only its state is stored. */
static pj_status commit_records(struct attempt *a)
{
    struct pji_str invalid = {0};
    pj_status status = pji_store_begin(a->store, &a->error);
    if (status == PJ_OK)
        status =
            pji_records_store(a->store, a->id, &a->data, &invalid, &a->out->energy_j, &a->error);
    if (status == PJ_OK && a->data.has_trace)
        status = pji_manifest_meter(&a->data.trace.header, put_fact, a, &a->error);
    if (status == PJ_OK && a->out->state == PJI_TRIAL_DONE)
        status = seal(a);
    if (status == PJ_OK && a->out->state == PJI_TRIAL_DONE)
        status = pji_replicas_judge(a->store, a->trial->id, a->id, &a->error);
    if (status == PJ_OK && a->out->state == PJI_TRIAL_DONE && invalid.len > 0) {
        a->out->state = PJI_TRIAL_INVALID;
        snprintf(a->out->reason, sizeof a->out->reason, "%s", pji_str_text(&invalid));
    }
    if (status == PJ_OK)
        status = pji_store_end_attempt(
            a->store, a->id, a->out->state, a->out->reason, a->out->state == PJI_TRIAL_PLANNED,
            pji_clock_ns(CLOCK_MONOTONIC), pji_clock_ns(CLOCK_REALTIME), &a->error);
    if (status == PJ_OK)
        status = pji_store_commit(a->store, &a->error);
    if (status != PJ_OK)
        pji_store_rollback(a->store);
    pji_str_fini(&invalid);
    return status;
}

static pj_status finish(struct attempt *a, struct pj_error *err)
{
    pj_status status = commit_records(a);
    if (status != PJ_OK) {
        a->out->reason[0] = '\0';
        (void)ends(a, status == PJ_ENOSPC ? "disk" : "store");
        status = pji_store_end_attempt(a->store, a->id, a->out->state, a->out->reason,
                                       status == PJ_ENOSPC, pji_clock_ns(CLOCK_MONOTONIC),
                                       pji_clock_ns(CLOCK_REALTIME), err);
    }
    a->out->disk_full = strcmp(a->out->reason, "disk") == 0;
    if (status == PJ_OK && a->error.code != 0 && a->out->state == PJI_TRIAL_FAILED)
        status = pji_store_put_fact(a->store, a->id, "failure.detail", a->error.text, err);
    if (a->out->disk_full)
        status = PJ_OK; /* the caller stops and says how to resume */
    return status;
}

static void attempt_fini(struct attempt *a)
{
    pji_surroundings_close(&a->surroundings);
    pji_rest_close(&a->rest);
    if (a->watch.fd >= 0)
        pji_watch_close(&a->watch);
    pji_trial_data_fini(&a->data);
    pji_settings_free(a->settings, a->n_settings);
    for (size_t i = 0; a->env_vars != NULL && a->env_vars[i] != NULL; i++)
        free(a->env_vars[i]);
    free(a->env_vars);
    free(a->trace_path);
    free(a->log_path);
    free(a->spool_path);
    free(a->metrics_path);
    if (a->api_key != NULL)
        explicit_bzero(a->api_key, strlen(a->api_key));
    free(a->api_key);
    free(a->engine);
}

static void make_nonce(char nonce[33])
{
    unsigned char bytes[16] = {0};
    if (getrandom(bytes, sizeof bytes, 0) < 0) {
        int64_t t_ns = pji_clock_ns(CLOCK_REALTIME);
        memcpy(bytes, &t_ns, sizeof t_ns);
    }
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(nonce + 2 * i, 3, "%02x", bytes[i]);
}

pj_status pji_trial_run(const struct pji_run_env *env, const struct pji_study *study,
                        const struct pji_workload *workload, struct pji_store *store,
                        const struct pji_trial *trial, const struct pji_run_event *position,
                        struct pji_trial_outcome *outcome, struct pj_error *err)
{
    char nonce[33];
    struct attempt a = {.env = env,
                        .study = study,
                        .workload = workload,
                        .store = store,
                        .trial = trial,
                        .event = *position,
                        .ops = study->engine,
                        .watch = {.fd = -1, .deadline_fd = -1},
                        .out = outcome};
    *outcome = (struct pji_trial_outcome){.state = PJI_TRIAL_DONE, .energy_j = (double)NAN};
    a.engine = pji_zalloc(1, study->engine->state_size, err);
    if (a.engine == NULL)
        return PJ_ENOMEM;
    make_nonce(nonce);
    pji_boot_id(a.boot_id, sizeof a.boot_id);
    a.data.interval_ns = study->meter_interval_ns;
    a.data.gates = study->gates;
    a.data.loads_nothing = study->engine->starts_nothing;
    a.data.wants_net = study->baseline.asked;
    snprintf(a.data.boot_id, sizeof a.data.boot_id, "%s", a.boot_id);
    if (env->around != NULL)
        a.around = *env->around;
    a.data.start_ns = pji_clock_ns(CLOCK_MONOTONIC);
    pj_status status = pji_store_start_attempt(store, trial->id, nonce, a.data.start_ns,
                                               pji_clock_ns(CLOCK_REALTIME), &a.id, err);
    if (status == PJ_OK) {
        emit(&a, PJI_RUN_TRIAL_START, "load");
        bool ok = prepare(&a) == PJ_OK && phases(&a) == PJ_OK;
        a.data.cache_expected =
            strcmp(pji_setting_get(a.settings, a.n_settings, "prompt_cache", "off"), "on") == 0;
        teardown(&a, ok);
        a.data.end_ns = pji_clock_ns(CLOCK_MONOTONIC);
        if (a.error.code != 0 && outcome->reason[0] == '\0' && !ok)
            (void)ends(&a, "internal");
        status = finish(&a, err);
        a.event.state = outcome->state;
        a.event.reason = outcome->state == PJI_TRIAL_FAILED && a.error.code != 0 ? a.error.text
                                                                                 : outcome->reason;
        emit(&a, PJI_RUN_TRIAL_END, NULL);
    }
    attempt_fini(&a);
    return status;
}
