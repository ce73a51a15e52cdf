/* agent/job.c - running a job: a study of one trial, by the code of every local study. */
#include "agent/inside.h"

#include "core/array.h"
#include "core/digest.h"
#include "lab/runner.h"
#include "platform/durable.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ORDER_MOST = 64 << 20 };

/* ---- what was asked for ---- */

pj_status pji_order_allowed(const struct pji_agent *agent, const struct pji_study *study,
                            const char *const *levels, struct pj_error *err)
{
    struct pji_setting *settings = NULL;
    size_t n = 0;
    pj_status status = pji_study_settings(study, levels, &settings, &n, err);
    if (status == PJ_OK)
        status = pji_policy_allow(&agent->policy, study->engine->kind, settings, n, err);
    if (status == PJ_OK)
        status = study->engine->check(settings, n, err);
    pji_settings_free(settings, n);
    return status;
}

static bool has_level(const struct pji_factor *factor, const char *level)
{
    for (size_t l = 0; l < factor->n; l++)
        if (strcmp(factor->levels[l], level) == 0)
            return true;
    return false;
}

static pj_status read_levels(const json_t *message, struct pji_order *order, struct pj_error *err)
{
    const json_t *levels = json_object_get(message, "levels");
    const struct pji_study *study = &order->study;
    if (!json_is_array(levels) || json_array_size(levels) != study->n_factors)
        return pji_fail(err, PJ_EINVAL, "levels must name one level for each of the %zu factors",
                        study->n_factors);
    order->levels = pji_zalloc(study->n_factors + 1, sizeof *order->levels, err);
    if (order->levels == NULL)
        return PJ_ENOMEM;
    for (size_t f = 0; f < study->n_factors; f++) {
        const char *level = json_string_value(json_array_get(levels, f));
        if (level == NULL || !has_level(&study->factors[f], level))
            return pji_fail(err, PJ_EINVAL, "the level of factor '%.60s' is none of the study's",
                            study->factors[f].name);
        order->levels[f] = level;
    }
    return PJ_OK;
}

static pj_status read_trial(const json_t *message, struct pji_order *order, struct pj_error *err)
{
    static const char what[] = "the job";
    pj_status status = read_levels(message, order, err);
    if (status == PJ_OK)
        status = pji_json_get_i64(message, "cell", what, &order->cell, err);
    if (status == PJ_OK)
        status = pji_json_get_i64(message, "block", what, &order->block, err);
    if (status == PJ_OK)
        status = pji_json_get_i64(message, "repetition", what, &order->repetition, err);
    if (status == PJ_OK && (order->cell < 0 || order->block < 1 || order->repetition < 1))
        status = pji_fail(err, PJ_EINVAL, "cell, block or repetition is out of range");
    if (status == PJ_OK)
        status = pji_around_from_json(&order->around, json_object_get(message, "around"), err);
    return status;
}

pj_status pji_order_read(const struct pji_agent *agent, const json_t *message, bool with_trial,
                         struct pji_order *order, struct pj_error *err)
{
    char *path = NULL;
    *order = (struct pji_order){0};
    const json_t *text = json_object_get(message, "study_file");
    pj_status status = pji_order_shape(message, with_trial, err);
    if (status == PJ_OK)
        status = pji_policy_study_path(&agent->policy, &path, err);
    if (status == PJ_OK) {
        order->has_study = true;
        status = pji_study_parse(&order->study, json_string_value(text), json_string_length(text),
                                 path, err);
    }
    if (status == PJ_OK && with_trial)
        status = read_trial(message, order, err);
    if (status == PJ_OK)
        status = pji_policy_files(&agent->policy, &order->study, err);
    if (status == PJ_OK)
        status = pji_order_digests_told(message, &order->study, err);
    free(path);
    return status;
}

void pji_order_fini(struct pji_order *order)
{
    if (order->has_study)
        pji_study_fini(&order->study);
    free(order->levels);
    *order = (struct pji_order){0};
}

/* ---- the result ---- */

struct listing {
    struct pji_result *result;
    char *work;
};

static pj_status hash_file(const char *path, struct pji_result_file *file, struct pj_error *err)
{
    struct stat info;
    if (lstat(path, &info) != 0 || !S_ISREG(info.st_mode))
        return pji_fail_errno(err, errno != 0 ? errno : EIO, "cannot read %s", path);
    file->size_b = (int64_t)info.st_size;
    return pji_sha256_file(path, file->sha256, err);
}

static pj_status list_artefact(void *context, const struct pji_artefact_row *row,
                               struct pj_error *err)
{
    struct listing *l = context;
    struct pji_str path = {0};
    struct pji_result_file *file = &l->result->files[l->result->n_files];
    struct stat info;
    if (l->result->n_files == PJI_RESULT_FILES)
        return pji_fail(err, PJ_EUNSUPPORTED, "a trial left more than %d files",
                        (int)PJI_RESULT_FILES);
    pji_str_addf(&path, "%s/%s", l->work, row->path);
    pj_status status = pji_str_ok(&path, err);
    if (status == PJ_OK && lstat(path.text, &info) == 0) { /* declared, but perhaps never begun */
        snprintf(file->name, sizeof file->name, "%s", row->name);
        status = hash_file(path.text, file, err);
        l->result->n_files += status == PJ_OK;
    }
    pji_str_fini(&path);
    return status;
}

static pj_status list_files(struct listing *l, const struct pji_job_id *id, struct pj_error *err)
{
    struct pji_store *store = NULL;
    struct pji_str path = {0};
    int64_t attempt = 0;
    pji_str_addf(&path, "%s/study.sqlite", l->work);
    pj_status status = pji_str_ok(&path, err);
    if (status == PJ_OK) {
        snprintf(l->result->files[0].name, sizeof l->result->files[0].name, "study.sqlite");
        status = hash_file(path.text, &l->result->files[0], err);
    }
    if (status == PJ_OK)
        status = pji_store_open(&store, l->work, PJI_STORE_READ, NULL, err);
    if (status == PJ_OK)
        status = pji_store_last_attempt(store, id->trial, &attempt, err);
    if (status == PJ_OK) {
        l->result->n_files = 1;
        status = pji_store_each_artefact(store, attempt, list_artefact, l, err);
    }
    if (store != NULL)
        (void)pji_store_close(store, NULL);
    pji_str_fini(&path);
    return status == PJI_STORE_NONE ? PJ_OK : status;
}

/* Digests and writes down how a job ended. A result that cannot be kept is a failure of its own. */
static void conclude(struct pji_agent *agent, struct pji_job *job, struct pji_result *result,
                     bool with_files)
{
    struct pj_error err = {0};
    struct listing l = {.result = result};
    l.work = pji_jobs_path(&agent->spool, job, "/work", &err);
    pj_status status = l.work != NULL ? PJ_OK : PJ_ENOMEM;
    if (status == PJ_OK && with_files)
        status = list_files(&l, &job->id, &err);
    if (status != PJ_OK) {
        *result = (struct pji_result){.state = "failed"};
        snprintf(result->reason, sizeof result->reason, "%s",
                 status == PJ_ENOSPC ? "disk" : "agent_spool");
        snprintf(result->detail, sizeof result->detail, "%s", err.text);
    }
    free(l.work);
    pji_error_clear(&err);
    status = pji_result_digest(&job->id, result, result->digest, &err);
    pthread_mutex_lock(&agent->spool.lock);
    if (status == PJ_OK)
        status = pji_jobs_finish(&agent->spool, job, result, &err);
    if (status != PJ_OK) { /* a full disk: what we have is in memory at least */
        pji_log(agent->spool.log, PJI_LOG_ERROR, "%s", err.text);
        job->result = *result;
        job->state = PJI_JOB_FINISHED;
    }
    if (job->discarded && pji_jobs_retire(&agent->spool, job, "discarded", &err) != PJ_OK)
        pji_log(agent->spool.log, PJI_LOG_ERROR, "%s", err.text);
    agent->running = NULL;
    pthread_mutex_unlock(&agent->spool.lock);
}

static struct pji_result failure(const char *reason, const struct pj_error *why)
{
    struct pji_result result = {.state = "failed"};
    snprintf(result.reason, sizeof result.reason, "%s", reason);
    snprintf(result.detail, sizeof result.detail, "%s", why->text);
    return result;
}

/* ---- running ---- */

struct run {
    struct pji_agent *agent;
    struct pji_job *job;
};

static void on_event(void *context, const struct pji_run_event *event)
{
    struct run *r = context;
    /* on the trial's thread, perhaps in a measured window: it never waits for an answer of ours */
    if (pthread_mutex_trylock(&r->agent->spool.lock) != 0)
        return;
    snprintf(r->job->phase, sizeof r->job->phase, "%s", event->phase != NULL ? event->phase : "");
    r->job->requests_done = event->requests_done;
    r->job->requests = event->requests;
    r->job->power_w = event->power_w;
    pthread_mutex_unlock(&r->agent->spool.lock);
}

static pj_status on_allow(void *context, const char *kind, struct pji_setting *settings, size_t n,
                          struct pj_error *err)
{
    const struct pji_agent *agent = context;
    return pji_policy_allow(&agent->policy, kind, settings, n, err);
}

static pj_status make_store(struct pji_store **store, const char *work,
                            const struct pji_order *order, const struct pji_trial *trial,
                            const struct pji_log *log, struct pj_error *err)
{
    pj_status status = pji_store_create(store, work, log, err);
    if (status == PJ_OK)
        status = pji_store_begin(*store, err);
    for (size_t f = 0; f < order->study.n_factors && status == PJ_OK; f++)
        status = pji_store_add_factor(*store, order->study.factors[f].name,
                                      (const char *const *)order->study.factors[f].levels,
                                      order->study.factors[f].n, err);
    if (status == PJ_OK)
        status = pji_store_add_trial(*store, trial, err);
    return status == PJ_OK ? pji_store_commit(*store, err) : status;
}

static void tell(const struct pji_trial_outcome *outcome, struct pji_agent *agent,
                 const struct pji_job *job, struct pji_result *result)
{
    *result = (struct pji_result){0};
    snprintf(result->state, sizeof result->state, "%s", pji_trial_state_name(outcome->state));
    snprintf(result->reason, sizeof result->reason, "%s", outcome->reason);
    if (outcome->state != PJI_TRIAL_PLANNED)
        return;
    pthread_mutex_lock(&agent->spool.lock);
    bool cancelled = job->discarded;
    pthread_mutex_unlock(&agent->spool.lock);
    snprintf(result->state, sizeof result->state, "interrupted");
    snprintf(result->reason, sizeof result->reason, "%s",
             cancelled ? "cancelled" : "agent_stopped");
}

/* PJ_OK: `result` says how the trial ended and its study is in `work`. */
static pj_status run_order(struct run *r, const json_t *message, struct pji_order *order,
                           const char *work, struct pji_result *result, struct pj_error *err)
{
    struct pji_agent *agent = r->agent;
    struct pji_workload workload = {0};
    struct pji_store *store = NULL;
    struct pji_trial_outcome outcome = {0};
    struct pji_run_event position = {.index = 1,
                                     .n = 1,
                                     .trial = r->job->id.trial,
                                     .treatment = "",
                                     .phase = "",
                                     .reason = "",
                                     .power_w = (double)NAN,
                                     .energy_j = (double)NAN,
                                     .eta_s = (double)NAN};
    struct pji_trial trial = {.id = r->job->id.trial,
                              .cell = order->cell,
                              .block = order->block,
                              .repetition = order->repetition,
                              .state = PJI_TRIAL_PLANNED,
                              .reason = "",
                              .levels = order->levels};
    struct pji_run_env env = *agent->config->env;
    env.stop_fd = agent->cancel_fd;
    env.digests = &agent->digests;
    env.allow = on_allow;
    env.allow_context = agent;
    env.event = on_event;
    env.around = &order->around;
    env.event_context = r;
    pj_status status = pji_workload_read(&workload, &order->study, err);
    if (status == PJ_OK)
        status = pji_order_same_workload(message, &workload, err);
    if (status == PJ_OK)
        status = make_store(&store, work, order, &trial, env.log, err);
    if (status == PJ_OK)
        status =
            pji_trial_run(&env, &order->study, &workload, store, &trial, &position, &outcome, err);
    if (store != NULL) {
        pj_status closed = pji_store_close(store, err);
        status = status == PJ_OK ? closed : status;
    }
    if (status == PJ_OK)
        tell(&outcome, agent, r->job, result);
    pji_workload_fini(&workload);
    return status;
}

static json_t *read_order(const struct pji_agent *agent, const struct pji_job *job,
                          struct pj_error *err)
{
    char *text = NULL;
    size_t len = 0;
    json_t *out = NULL;
    char *path = pji_jobs_path(&agent->spool, job, "/job.json", err);
    if (path != NULL && pji_read_file(path, ORDER_MOST, &text, &len, err) == PJ_OK)
        out = pji_json_parse(text, len, path, err);
    free(text);
    free(path);
    return out;
}

static void say_end(const struct pji_agent *agent, const struct pji_job *job,
                    const struct pji_result *result)
{
    char text[80];
    pji_job_id_show(&job->id, text, sizeof text);
    pji_log(agent->spool.log, PJI_LOG_INFO, "%s of study %.8s: %s%s%s", text, job->id.study,
            result->state, result->reason[0] != '\0' ? ": " : "", result->reason);
}

static void run_job(struct pji_agent *agent, struct pji_job *job)
{
    struct pj_error err = {0};
    struct pji_order order = {0};
    struct pji_result result = {0};
    struct run r = {agent, job};
    json_t *message = read_order(agent, job, &err);
    char *work = pji_jobs_path(&agent->spool, job, "/work", &err);
    pj_status status = message != NULL && work != NULL ? PJ_OK : PJ_EIO;
    if (status == PJ_OK)
        status = pji_order_read(agent, message, true, &order, &err);
    if (status == PJ_OK) /* an agent with another configuration may have accepted it */
        status = pji_order_allowed(agent, &order.study, order.levels, &err);
    if (status == PJ_OK)
        status = pji_remove_tree(work, &err);
    if (status == PJ_OK)
        status = run_order(&r, message, &order, work, &result, &err);
    if (status != PJ_OK)
        result = failure(status == PJ_ENOSPC ? "disk"
                         : status == PJ_EINVAL || status == PJ_EACCESS || status == PJ_ENOTFOUND
                             ? "agent_refused" /* files or configuration changed meanwhile */
                             : "agent_preparation",
                         &err);
    say_end(agent, job, &result);
    conclude(agent, job, &result, status == PJ_OK);
    pji_order_fini(&order);
    json_decref(message);
    free(work);
}

static struct pji_job *next_queued(const struct pji_agent *agent)
{
    struct pji_job *job = agent->spool.jobs;
    while (job != NULL && job->state != PJI_JOB_QUEUED)
        job = job->next;
    return job;
}

void *pji_agent_work(void *context)
{
    struct pji_agent *agent = context;
    pthread_mutex_lock(&agent->spool.lock);
    for (;;) {
        struct pji_job *job = NULL;
        while (!agent->stopping && (job = next_queued(agent)) == NULL)
            pthread_cond_wait(&agent->spool.work, &agent->spool.lock);
        if (agent->stopping)
            break;
        uint64_t old = 0;
        ssize_t n = read(agent->cancel_fd, &old, sizeof old); /* of a job before */
        (void)n;
        job->state = PJI_JOB_RUNNING;
        agent->running = job;
        pthread_mutex_unlock(&agent->spool.lock);
        run_job(agent, job);
        pthread_mutex_lock(&agent->spool.lock);
    }
    pthread_mutex_unlock(&agent->spool.lock);
    return NULL;
}

/* ---- after the death of an agent before us ---- */

static pj_status last_state(void *context, const struct pji_attempt_row *row, struct pj_error *err)
{
    struct pji_result *result = context;
    (void)err;
    if (row->state == PJI_TRIAL_RUNNING)
        return PJ_OK;
    /* it had ended, only the result was not written down yet */
    *result = (struct pji_result){0};
    snprintf(result->state, sizeof result->state, "%s",
             row->own_death ? "interrupted" : pji_trial_state_name(row->state));
    snprintf(result->reason, sizeof result->reason, "%s",
             row->own_death ? "agent_stopped" : row->reason);
    return PJ_OK;
}

static void recover_job(struct pji_agent *agent, struct pji_job *job)
{
    struct pj_error err = {0};
    struct pji_store *store = NULL;
    struct pj_error why = {0};
    char *work = pji_jobs_path(&agent->spool, job, "/work", &err);
    pji_error_set(&why, PJ_EPEER, 0, "the agent died while the trial was running");
    struct pji_result result = failure("agent_died", &why);
    pj_status status = work != NULL ? PJ_OK : PJ_ENOMEM;
    if (status == PJ_OK)
        status = pji_store_open(&store, work, PJI_STORE_WRITE, agent->spool.log, &err);
    if (status == PJ_OK)
        status = pji_store_each_attempt(store, job->id.trial, last_state, &result, &err);
    if (status == PJ_OK)
        status = pji_study_recover(store, NULL, &err); /* its words are those of a resume */
    if (store != NULL) {
        pj_status closed = pji_store_close(store, &err);
        status = status == PJ_OK ? closed : status;
    }
    if (status != PJ_OK)
        pji_log(agent->spool.log, PJI_LOG_WARNING, "%s", err.text);
    say_end(agent, job, &result);
    conclude(agent, job, &result, status == PJ_OK);
    free(work);
}

pj_status pji_agent_recover(struct pji_agent *agent, struct pj_error *err)
{
    (void)err;
    struct pji_job *next = NULL;
    for (struct pji_job *job = agent->spool.jobs; job != NULL; job = next) {
        next = job->next;
        if (job->cut_off)
            recover_job(agent, job);
    }
    return PJ_OK;
}
