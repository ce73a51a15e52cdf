/* lab/remote_trial.c - the life of one attempt on a testbed; see remote.h. */
#include "lab/remote_inside.h"

#include "core/array.h"
#include "core/units.h"
#include "lab/rest.h"
#include "platform/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SUBMISSIONS_MOST = 3, SETTLE_TRIES = 10 };

/* Beyond the limits of the study: hashing and storing on the testbed. */
#define SLACK_NS (60 * PJI_NS_PER_S)

struct job {
    struct pji_remote *remote;
    const struct pji_workload *workload;
    const struct pji_trial *trial;
    struct pji_job_id id;
    struct pji_run_event event;
    char phase[160];
    int64_t deadline_ns; /* of the whole attempt once it runs */
    int64_t patience_ns; /* with an agent that is busy with others; it never ends later */
    int submissions;
    struct pji_result result;
    struct pji_trial_outcome *out;
    struct pj_error error;
};

static void emit(struct job *j, enum pji_run_event_kind kind)
{
    const struct pji_run_env *env = j->remote->env;
    j->event.kind = kind;
    j->event.phase = j->phase;
    if (env->event != NULL)
        env->event(env->event_context, &j->event);
}

/* ---- other jobs of ours that the agent still has ---- */

struct known {
    const struct pji_job_id *id;
    bool ended, same_nonce;
};

static pj_status look_up(void *context, const struct pji_attempt_row *row, struct pj_error *err)
{
    struct known *k = context;
    (void)err;
    if (row->id != k->id->attempt)
        return PJ_OK;
    k->same_nonce = row->trial_id == k->id->trial && strcmp(row->nonce, k->id->nonce) == 0;
    k->ended = row->state != PJI_TRIAL_RUNNING;
    return PJ_OK;
}

struct digest_of {
    char text[65];
};

static pj_status find_digest(void *context, const char *key, const char *value,
                             struct pj_error *err)
{
    struct digest_of *d = context;
    (void)err;
    if (strcmp(key, "agent.result_sha256") == 0)
        snprintf(d->text, sizeof d->text, "%s", value);
    return PJ_OK;
}

static void acknowledge(struct pji_remote *remote, const struct pji_job_id *id, const char *digest)
{
    char path[PJI_JOB_PATH];
    char whole[PJI_JOB_PATH + 8];
    long http_status = 0;
    json_t *body = json_object();
    pji_job_id_put(id, body);
    json_object_set_new(body, "digest", json_string(digest));
    pji_job_id_path(id, path);
    snprintf(whole, sizeof whole, "%s/ack", path);
    struct pji_remote_call call = {.method = "POST", .path = whole, .body = body, .always = true};
    /* without an answer it is told again before the next attempt */
    (void)pji_remote_ask(remote, &call, &http_status, NULL, NULL);
    json_decref(body);
}

static void discard(struct pji_remote *remote, const struct pji_job_id *id)
{
    char path[PJI_JOB_PATH];
    long http_status = 0;
    pji_job_id_path(id, path);
    struct pji_remote_call call = {.method = "DELETE", .path = path, .always = true};
    (void)pji_remote_ask(remote, &call, &http_status, NULL, NULL);
}

/* What is stored is acknowledged again; everything else came too late, or is not ours: refused. */
static pj_status settle(struct pji_remote *remote, const struct pji_job_id *id, const json_t *item,
                        struct pj_error *err)
{
    char text[80];
    struct known known = {.id = id};
    struct digest_of stored = {""};
    const char *digest = json_string_value(json_object_get(item, "digest"));
    pj_status status = pji_store_each_attempt(remote->store, 0, look_up, &known, err);
    if (status == PJ_OK && known.same_nonce)
        status = pji_store_each_fact(remote->store, id->attempt, find_digest, &stored, err);
    if (status != PJ_OK)
        return status;
    pji_job_id_show(id, text, sizeof text);
    if (known.same_nonce && known.ended && digest != NULL && strcmp(digest, stored.text) == 0) {
        acknowledge(remote, id, digest);
        return PJ_OK;
    }
    pji_log(remote->env->log, PJI_LOG_WARNING,
            known.same_nonce ? "the agent has a result of %s, which was given up before: it came "
                               "too late and is refused"
                             : "the agent has a result of %s that this study did not ask for: it "
                               "is refused",
            text);
    discard(remote, id);
    return PJ_OK;
}

/* keep: the attempt that is wanted. */
static pj_status settle_all(struct pji_remote *remote, const struct pji_job_id *keep,
                            const json_t *jobs, struct pj_error *err)
{
    pj_status status = PJ_OK;
    for (size_t i = 0; status == PJ_OK && i < json_array_size(jobs); i++) {
        struct pji_job_id id;
        const json_t *item = json_array_get(jobs, i);
        if (pji_job_id_get(item, &id, NULL) != PJ_OK || strcmp(id.study, remote->study_id) != 0)
            pji_log(remote->env->log, PJI_LOG_WARNING,
                    "the agent lists a job of another study: it is left alone");
        else if (keep == NULL || !pji_job_id_same(&id, keep))
            status = settle(remote, &id, item, err);
    }
    return status;
}

static pj_status housekeep(struct job *j, struct pj_error *err)
{
    char path[64];
    json_t *answer = NULL;
    long http_status = 0;
    snprintf(path, sizeof path, "/v1/studies/%s/jobs", j->remote->study_id);
    struct pji_remote_call call = {.method = "GET", .path = path};
    pj_status status = pji_remote_insist(j->remote, &call, &http_status, &answer, err);
    if (status == PJ_OK)
        status = settle_all(j->remote, &j->id, json_object_get(answer, "jobs"), err);
    json_decref(answer);
    return status;
}

static pj_status find_any_running(void *context, int64_t attempt, int64_t trial_id,
                                  struct pj_error *err)
{
    (void)attempt;
    (void)trial_id;
    (void)err;
    *(bool *)context = true;
    return PJ_OK;
}

void pji_remote_settle(struct pji_remote *remote)
{
    char path[64];
    bool running = false;
    struct pj_error err = {0};
    snprintf(path, sizeof path, "/v1/studies/%s/jobs", remote->study_id);
    struct pji_remote_call call = {.method = "GET", .path = path, .always = true};
    /* an attempt that is still running belongs to a resume */
    if (pji_store_each_running(remote->store, find_any_running, &running, &err) != PJ_OK || running)
        return;
    for (int try = 0; try < SETTLE_TRIES; try++) {
        json_t *answer = NULL;
        long http_status = 0;
        remote->trouble_ns = 0;
        pji_error_clear(&err);
        pj_status status = pji_remote_ask(remote, &call, &http_status, &answer, &err);
        bool settled = status == PJ_OK && json_array_size(json_object_get(answer, "jobs")) == 0;
        if (status == PJ_OK)
            (void)settle_all(remote, NULL, json_object_get(answer, "jobs"), &err);
        json_decref(answer);
        if (settled || pji_remote_breathe(remote, &err) != PJ_OK)
            return;
    }
}

/* ---- submitting ---- */

static json_t *submission(const struct job *j)
{
    json_t *body = pji_remote_study_json(j->remote->study, j->workload);
    json_t *levels = json_array();
    pji_job_id_put(&j->id, body);
    json_object_set_new(body, "cell", json_integer((json_int_t)j->trial->cell));
    json_object_set_new(body, "block", json_integer((json_int_t)j->trial->block));
    json_object_set_new(body, "repetition", json_integer((json_int_t)j->trial->repetition));
    for (size_t f = 0; f < j->remote->study->n_factors; f++)
        json_array_append_new(levels, json_string(j->trial->levels[f]));
    json_object_set_new(body, "levels", levels);
    if (j->remote->env->around != NULL)
        json_object_set_new(body, "around", pji_around_to_json(j->remote->env->around));
    return body;
}

static pj_status failed(struct job *j, const char *reason)
{
    if (j->out->reason[0] == '\0') {
        j->out->state = PJI_TRIAL_FAILED;
        snprintf(j->out->reason, sizeof j->out->reason, "%s", reason);
    }
    return PJ_EPEER;
}

/* Why talking to the agent ended; sets the outcome. */
static pj_status ended(struct job *j, pj_status status)
{
    switch (status) {
    case PJ_ECANCELED:
        j->out->state = PJI_TRIAL_PLANNED;
        snprintf(j->out->reason, sizeof j->out->reason, "interrupted");
        return status;
    case PJ_ETIMEOUT:
        return failed(j, "agent_lost");
    case PJ_EACCESS:
        return failed(j, "agent_refused");
    case PJ_ECORRUPT:
        return failed(j, "result_corrupt");
    case PJ_ESTATE:
        return failed(j, "agent_discarded");
    default:
        return failed(j, "agent_protocol");
    }
}

/* What is no property of the trial gives it back and stops the run: every other attempt would end
 * alike, until nothing is left of the plan. */
static pj_status give_back(struct job *j, pj_status code, const char *lead, const char *words,
                           const char *reason)
{
    pji_error_set(&j->error, code, 0, "%s: %s", lead, words);
    pji_log(j->remote->env->log, PJI_LOG_ERROR, "%s", j->error.text);
    j->out->state = PJI_TRIAL_PLANNED;
    snprintf(j->out->reason, sizeof j->out->reason, "%s", reason);
    return code;
}

/* As a full disk at home does. */
static pj_status no_room(struct job *j, const char *words)
{
    j->out->disk_full = true;
    return give_back(j, PJ_ENOSPC, "the testbed's disk is full", words, "disk");
}

/* Neither is what the testbed's owner allows, or has in his files. */
static pj_status turned_away(struct job *j, const char *words)
{
    j->out->agent_refuses = true;
    return give_back(j, PJ_EACCESS, "the agent refuses the trial", words, "agent_refused");
}

/* One answer to a submission: PJ_OK accepted, PJ_EBUSY: ask again later. */
static pj_status judge_submission(struct job *j, long http_status, const json_t *answer)
{
    char words[400];
    const char *code = json_string_value(json_object_get(answer, "error"));
    if (http_status == 200 || http_status == 201)
        return pji_job_id_check(&j->id, answer, &j->error);
    if (http_status == 507 && code != NULL && strcmp(code, "disk_full") == 0) {
        pji_remote_words(http_status, answer, words, sizeof words);
        return no_room(j, words);
    }
    if (http_status == 429 || http_status == 503 || http_status == 507)
        return PJ_EBUSY;
    pji_remote_words(http_status, answer, words, sizeof words);
    if (http_status == 403 || http_status == 422)
        return turned_away(j, words);
    pji_error_set(&j->error, PJ_EPEER, 0, "the agent refuses the trial: %s%s", words,
                  http_status == 409 || http_status == 410
                      ? " (is this folder a copy, or an older state, of a study that went on?)"
                      : "");
    return failed(j, http_status == 410 ? "agent_discarded" : "agent_refused");
}

static pj_status too_busy(struct job *j)
{
    pji_error_set(&j->error, PJ_ETIMEOUT, 0, "the agent was busy all the time");
    return failed(j, "agent_busy");
}

static pj_status submit(struct job *j)
{
    char path[PJI_JOB_PATH];
    json_t *body = submission(j);
    pji_job_id_path(&j->id, path);
    struct pji_remote_call call = {.method = "PUT", .path = path, .body = body};
    pj_status status = PJ_EBUSY;
    while (status == PJ_EBUSY) {
        long http_status = 0;
        json_t *answer = NULL;
        status = pji_remote_insist(j->remote, &call, &http_status, &answer, &j->error);
        if (status != PJ_OK) {
            status = ended(j, status);
        } else {
            status = judge_submission(j, http_status, answer);
            if (status != PJ_OK && status != PJ_EBUSY && j->out->reason[0] == '\0')
                (void)failed(j, "agent_protocol");
        }
        json_decref(answer);
        if (status != PJ_EBUSY)
            break;
        if (pji_remote_now_ns() > j->patience_ns)
            status = too_busy(j);
        else if (pji_remote_breathe(j->remote, &j->error) != PJ_OK)
            status = ended(j, PJ_ECANCELED);
    }
    json_decref(body);
    return status;
}

/* ---- watching ---- */

static int64_t attempt_limit_ns(const struct pji_study *study)
{
    const struct pji_limits *l = &study->limits;
    return l->trial_ns + l->engine_start_ns + 2 * l->engine_stop_ns + 2 * l->meter_ns +
           study->phases.cooldown_ns + pji_rest_most_ns(study) + SLACK_NS;
}

static void follow(struct job *j, const json_t *answer)
{
    const char *phase = json_string_value(json_object_get(answer, "phase"));
    const json_t *power_w = json_object_get(answer, "power_w");
    int64_t done = json_integer_value(json_object_get(answer, "requests_done"));
    int64_t all = json_integer_value(json_object_get(answer, "requests"));
    bool changed = phase != NULL && strcmp(phase, j->phase) != 0 && phase[0] != '\0';
    if (changed)
        snprintf(j->phase, sizeof j->phase, "%s", phase);
    j->event.requests_done = done > 0 ? (size_t)done : 0;
    j->event.requests = all > 0 ? (size_t)all : 0;
    j->event.power_w = json_is_number(power_w) ? json_number_value(power_w) : (double)NAN;
    emit(j, changed ? PJI_RUN_PHASE : PJI_RUN_PROGRESS);
}

/* One heartbeat's answer: PJ_OK when the job has ended, PJ_EBUSY while it goes on. */
static pj_status judge_state(struct job *j, long http_status, const json_t *answer)
{
    if (http_status == 404 && ++j->submissions <= SUBMISSIONS_MOST) {
        pj_status status = submit(j); /* it never arrived, or the testbed's spool was emptied */
        return status == PJ_OK ? PJ_EBUSY : status;
    }
    if (http_status != 200) {
        char words[400];
        pji_remote_words(http_status, answer, words, sizeof words);
        pji_error_set(&j->error, PJ_EPEER, 0, "the agent no longer has the trial: %s", words);
        return failed(j, "agent_discarded");
    }
    if (pji_job_id_check(&j->id, answer, &j->error) != PJ_OK) {
        pji_log(j->remote->env->log, PJI_LOG_WARNING, "%s", j->error.text);
        return failed(j, "agent_protocol");
    }
    const char *state = json_string_value(json_object_get(answer, "state"));
    if (state != NULL && strcmp(state, "finished") == 0)
        return pji_result_get(answer, &j->id, &j->result, &j->error) == PJ_OK
                   ? PJ_OK
                   : failed(j, "agent_protocol");
    if (state == NULL || strcmp(state, "queued") == 0) {
        j->deadline_ns = pji_remote_now_ns() + attempt_limit_ns(j->remote->study);
        if (pji_remote_now_ns() > j->patience_ns)
            return too_busy(j);
    }
    follow(j, answer);
    return PJ_EBUSY;
}

static pj_status watch(struct job *j)
{
    char path[PJI_JOB_PATH];
    pji_job_id_path(&j->id, path);
    struct pji_remote_call call = {.method = "GET", .path = path};
    j->deadline_ns = pji_remote_now_ns() + attempt_limit_ns(j->remote->study);
    for (;;) {
        long http_status = 0;
        json_t *answer = NULL;
        pj_status status = pji_remote_insist(j->remote, &call, &http_status, &answer, &j->error);
        if (status != PJ_OK)
            return ended(j, status);
        status = judge_state(j, http_status, answer);
        json_decref(answer);
        if (status != PJ_EBUSY)
            return status;
        if (pji_remote_now_ns() > j->deadline_ns) {
            pji_error_set(&j->error, PJ_ETIMEOUT, 0,
                          "the testbed did not end the trial within its limits and %lld s more",
                          (long long)(SLACK_NS / PJI_NS_PER_S));
            return failed(j, "timeout");
        }
        status = pji_remote_breathe(j->remote, &j->error);
        if (status != PJ_OK)
            return ended(j, status);
    }
}

/* ---- the end ---- */

static pj_status end_without_result(struct job *j, struct pj_error *err)
{
    struct pji_remote *remote = j->remote;
    struct pji_store *store = remote->store;
    bool own = j->out->state == PJI_TRIAL_PLANNED;
    pj_status status = pji_remote_put_facts(remote, j->id.attempt, "", err);
    if (status == PJ_OK && j->error.code != 0)
        status = pji_store_put_fact(store, j->id.attempt, "failure.detail", j->error.text, err);
    if (status == PJ_OK)
        status =
            pji_store_end_attempt(store, j->id.attempt, j->out->state, j->out->reason, own,
                                  pji_clock_ns(CLOCK_MONOTONIC), pji_clock_ns(CLOCK_REALTIME), err);
    return status;
}

/* Our disk or a second thought of the user: the attempt stays running, its result stays on the
 * testbed, and resume fetches it. */
static bool postponed(struct job *j, pj_status status)
{
    if (status != PJ_ENOSPC && status != PJ_EIO && status != PJ_ENOMEM && status != PJ_ECANCELED)
        return false;
    j->out->state = PJI_TRIAL_PLANNED;
    j->out->disk_full = status != PJ_ECANCELED;
    snprintf(j->out->reason, sizeof j->out->reason, "%s",
             status == PJ_ECANCELED ? "interrupted" : "disk");
    if (status != PJ_ECANCELED)
        pji_log(j->remote->env->log, PJI_LOG_ERROR, "%s", j->error.text);
    return true;
}

static pj_status finish(struct job *j, pj_status talked, struct pj_error *err)
{
    pj_status status = talked;
    if (talked == PJ_OK)
        status = pji_remote_fetch(j->remote, &j->id, &j->result, &j->error);
    if (talked == PJ_OK && status == PJ_OK)
        status = pji_remote_adopt(j->remote, &j->id, &j->result, j->out, &j->error);
    if (talked == PJ_OK && postponed(j, status))
        return PJ_OK;
    if (talked == PJ_OK && status != PJ_OK)
        (void)ended(j, status == PJ_ETIMEOUT || status == PJ_ESTATE ? status : PJ_ECORRUPT);
    if (status == PJ_OK && j->out->disk_full)
        (void)no_room(j, j->result.detail);
    if (status == PJ_OK && j->out->agent_refuses)
        (void)turned_away(j, j->result.detail);
    if (status == PJ_OK)
        acknowledge(j->remote, &j->id, j->result.digest);
    else
        discard(j->remote, &j->id);
    pji_remote_forget_incoming(j->remote, &j->id);
    return status == PJ_OK ? PJ_OK : end_without_result(j, err);
}

/* ---- the attempt ---- */

static pj_status find_running(void *context, const struct pji_attempt_row *row,
                              struct pj_error *err)
{
    struct pji_job_id *id = context;
    (void)err;
    if (row->state == PJI_TRIAL_RUNNING) {
        id->attempt = row->id;
        snprintf(id->nonce, sizeof id->nonce, "%s", row->nonce);
    }
    return PJ_OK;
}

/* The attempt that was cut off by our own death, or a new one. */
static pj_status begin(struct job *j, struct pj_error *err)
{
    struct pji_store *store = j->remote->store;
    pj_status status = pji_store_each_attempt(store, j->trial->id, find_running, &j->id, err);
    if (status != PJ_OK || j->id.attempt > 0)
        return status;
    status = pji_random_hex(j->id.nonce, 32, err);
    if (status == PJ_OK)
        status =
            pji_store_start_attempt(store, j->trial->id, j->id.nonce, pji_clock_ns(CLOCK_MONOTONIC),
                                    pji_clock_ns(CLOCK_REALTIME), &j->id.attempt, err);
    return status;
}

/* Before an attempt begins: is anybody there? */
static pj_status meet(struct job *j)
{
    j->remote->clock = (struct pji_clock_sample){0};
    j->remote->trouble_ns = 0;
    pj_status status = housekeep(j, &j->error);
    if (status == PJ_OK)
        return PJ_OK;
    j->out->state = PJI_TRIAL_PLANNED;
    j->out->agent_lost = status != PJ_ECANCELED;
    snprintf(j->out->reason, sizeof j->out->reason, "%s",
             status == PJ_ECANCELED ? "interrupted" : "agent_lost");
    if (j->out->agent_lost)
        pji_log(j->remote->env->log, PJI_LOG_ERROR, "%s", j->error.text);
    return status;
}

static pj_status run(struct job *j, struct pj_error *err)
{
    bool reattached = j->id.attempt > 0;
    pj_status status = begin(j, err);
    if (status != PJ_OK)
        return status;
    emit(j, PJI_RUN_TRIAL_START);
    pj_status talked = reattached ? PJ_OK : submit(j);
    if (talked == PJ_OK)
        talked = watch(j);
    status = finish(j, talked, err);
    j->event.state = j->out->state;
    j->event.reason =
        j->out->state == PJI_TRIAL_FAILED && j->error.code != 0 ? j->error.text : j->out->reason;
    emit(j, PJI_RUN_TRIAL_END);
    return status;
}

pj_status pji_remote_trial(struct pji_remote *remote, const struct pji_workload *workload,
                           const struct pji_trial *trial, const struct pji_run_event *position,
                           struct pji_trial_outcome *outcome, struct pj_error *err)
{
    struct job j = {.remote = remote,
                    .workload = workload,
                    .trial = trial,
                    .event = *position,
                    .phase = "load",
                    .patience_ns = pji_remote_now_ns() + remote->study->executor.lost_ns +
                                   remote->study->limits.trial_ns,
                    .out = outcome};
    *outcome = (struct pji_trial_outcome){.state = PJI_TRIAL_DONE, .energy_j = (double)NAN};
    snprintf(j.id.study, sizeof j.id.study, "%s", remote->study_id);
    j.id.trial = trial->id;
    pj_status status = pji_store_each_attempt(remote->store, trial->id, find_running, &j.id, err);
    if (status != PJ_OK)
        return status;
    if (meet(&j) != PJ_OK)
        return PJ_OK;
    return run(&j, err);
}
