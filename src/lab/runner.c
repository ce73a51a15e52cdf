/* lab/runner.c - the loop over the plan, retries, and recovery after our own death. */
#include "lab/runner.h"

#include "core/array.h"
#include "core/units.h"
#include "engine/keeper.h"
#include "lab/net.h"
#include "lab/remote.h"
#include "lab/rest.h"
#include "lab/rest_records.h"
#include "platform/clock.h"
#include "platform/process.h"

#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- recovery ---- */

struct recovery {
    struct pji_store *store;
    const struct pji_log *log;
    int64_t *attempts;
    size_t n, cap;
    char boot_id[64];
};

static pj_status collect(void *context, int64_t attempt, int64_t trial_id, struct pj_error *err)
{
    struct recovery *r = context;
    (void)trial_id;
    pj_status status = pji_array_reserve(&r->attempts, &r->cap, r->n + 1, sizeof *r->attempts, err);
    if (status == PJ_OK)
        r->attempts[r->n++] = attempt;
    return status;
}

static pj_status end_leftover(void *context, const struct pji_process_row *row,
                              struct pj_error *err)
{
    struct recovery *r = context;
    if (strcmp(row->boot_id, r->boot_id) != 0)
        return PJ_OK; /* another boot: the pid belongs to somebody else */
    pj_status status =
        pji_process_end_foreign((pid_t)row->pid, row->start_ticks, 2 * PJI_NS_PER_S, err);
    if (status != PJ_OK)
        pji_error_prefix(err, "cannot end the %s (pid %lld) of the attempt that was cut off",
                         row->role, (long long)row->pid);
    return status;
}

pj_status pji_study_recover(struct pji_store *store, const struct pji_log *log,
                            struct pj_error *err)
{
    struct recovery r = {.store = store, .log = log};
    pji_boot_id(r.boot_id, sizeof r.boot_id);
    char *executor = NULL;
    pj_status status = pji_store_get_meta(store, "executor", &executor, err);
    bool remote = status == PJ_OK && executor != NULL && strcmp(executor, "agent") == 0;
    free(executor);
    if (remote)
        return PJ_OK;
    if (status == PJ_OK || status == PJI_STORE_NONE)
        status = pji_store_each_running(store, collect, &r, err);
    for (size_t i = 0; i < r.n && status == PJ_OK; i++) {
        /* Keepers first: they take their trees with them; then what may have escaped. */
        status = pji_store_each_process(store, r.attempts[i], end_leftover, &r, err);
        if (status == PJ_OK)
            status = pji_store_end_attempt(store, r.attempts[i], PJI_TRIAL_PLANNED, "runner_died",
                                           true, pji_clock_ns(CLOCK_MONOTONIC),
                                           pji_clock_ns(CLOCK_REALTIME), err);
        if (status == PJ_OK)
            pji_log(log, PJI_LOG_INFO, "an attempt that was cut off runs again");
    }
    free(r.attempts);
    return status;
}

/* ---- the loop ---- */

struct row {
    struct pji_trial trial;
    char **levels; /* owned copies */
};

struct rows {
    struct row *rows;
    size_t n, cap;
    size_t n_factors;
};

static pj_status copy_trial(void *context, const struct pji_trial *trial, struct pj_error *err)
{
    struct rows *rows = context;
    pj_status status =
        pji_array_reserve(&rows->rows, &rows->cap, rows->n + 1, sizeof *rows->rows, err);
    if (status != PJ_OK)
        return status;
    struct row *row = &rows->rows[rows->n];
    row->levels = pji_zalloc(rows->n_factors + 1, sizeof *row->levels, err);
    if (row->levels == NULL)
        return PJ_ENOMEM;
    rows->n++;
    for (size_t f = 0; f < rows->n_factors; f++) {
        row->levels[f] = pji_dup(trial->levels[f], err);
        if (row->levels[f] == NULL)
            return PJ_ENOMEM;
    }
    row->trial = *trial;
    row->trial.reason = "";
    row->trial.levels = (const char *const *)row->levels;
    return PJ_OK;
}

static void rows_fini(struct rows *rows)
{
    for (size_t i = 0; i < rows->n; i++) {
        for (size_t f = 0; f < rows->n_factors; f++)
            free(rows->rows[i].levels[f]);
        free(rows->rows[i].levels);
    }
    free(rows->rows);
}

static bool to_do(const struct pji_trial *trial, int64_t attempts)
{
    switch (trial->state) {
    case PJI_TRIAL_PLANNED:
    case PJI_TRIAL_RUNNING:
        return true;
    case PJI_TRIAL_FAILED:
        return trial->failures < attempts;
    case PJI_TRIAL_DONE:
    case PJI_TRIAL_INVALID:
    case PJI_TRIAL_SKIPPED:
        break;
    }
    return false;
}

static void treatment_text(const struct pji_study *study, const struct pji_trial *trial, char *text,
                           size_t size)
{
    struct pji_str all = {0};
    for (size_t f = 0; f < study->n_factors; f++) {
        pji_str_addf(&all, "%s%s=", f > 0 ? " " : "", study->factors[f].name);
        pji_str_add_shown(&all, trial->levels[f]);
    }
    snprintf(text, size, "%s", pji_str_text(&all));
    text[pji_utf8_span(text, strlen(text))] = '\0'; /* where it was cut */
    pji_str_fini(&all);
}

static bool stop_asked(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return fd >= 0 && poll(&wait, 1, 0) > 0;
}

struct progress {
    size_t finished, attempts_run;
    double energy_j;
    int64_t started_ns;
};

/* Attempts of one trial until it is no longer to do. *again: the run goes on with the next trial.
 */
static pj_status run_trial(const struct pji_run_env *env, const struct pji_study *study,
                           const struct pji_workload *workload, struct pji_store *store,
                           struct pji_trial *trial, const struct rows *rows,
                           struct progress *progress, struct pji_run_summary *summary,
                           struct pj_error *err)
{
    char treatment[256];
    treatment_text(study, trial, treatment, sizeof treatment);
    while (to_do(trial, study->limits.attempts)) {
        if (stop_asked(env->stop_fd)) {
            summary->interrupted = true;
            return PJ_OK;
        }
        double spent_s = pji_s_from_ns(pji_clock_ns(CLOCK_MONOTONIC) - progress->started_ns);
        double left = (double)(rows->n - progress->finished);
        double runs = (double)progress->attempts_run;
        struct pji_run_event position = {.index = progress->finished + 1,
                                         .n = rows->n,
                                         .trial = trial->id,
                                         .treatment = treatment,
                                         .phase = "",
                                         .reason = "",
                                         .energy_j = progress->energy_j,
                                         .power_w = (double)NAN,
                                         .eta_s = progress->attempts_run > 0 ? spent_s / runs * left
                                                                             : (double)NAN};
        struct pji_trial_outcome outcome;
        pj_status status =
            env->remote != NULL
                ? pji_remote_trial(env->remote, workload, trial, &position, &outcome, err)
                : pji_trial_run(env, study, workload, store, trial, &position, &outcome, err);
        if (status != PJ_OK)
            return status;
        progress->attempts_run++;
        if (!isnan(outcome.energy_j))
            progress->energy_j += outcome.energy_j;
        trial->state = outcome.state;
        if (outcome.state == PJI_TRIAL_FAILED)
            trial->failures++;
        summary->disk_full |= outcome.disk_full;
        summary->agent_lost |= outcome.agent_lost;
        summary->agent_refuses |= outcome.agent_refuses;
        if (outcome.disk_full || outcome.agent_lost || outcome.agent_refuses)
            return PJ_OK;
    }
    return PJ_OK;
}

/* ---- the machine at rest (lab/rest.h) ---- */

struct resting {
    struct pji_around around; /* of the trial that comes */
    int64_t block;            /* of the trial before, 0: none in this run */
    int64_t baseline_ns;      /* when the last baseline ended */
};

static pj_status plan_rest(struct resting *r, const struct pji_study *study,
                           struct pji_store *store, const struct rows *rows, size_t i,
                           struct pj_error *err)
{
    const struct pji_baseline *b = &study->baseline;
    int64_t block = rows->rows[i].trial.block;
    bool more = false;
    for (size_t k = i + 1; k < rows->n && !more; k++)
        more = rows->rows[k].trial.block == block &&
               to_do(&rows->rows[k].trial, study->limits.attempts);
    bool old = pji_clock_ns(CLOCK_MONOTONIC) - r->baseline_ns > b->every_ns;
    r->around.baseline_before = b->asked && (r->block != block || old);
    r->around.baseline_after = b->asked && !more;
    r->block = block;
    return r->around.reference.known ? PJ_OK
                                     : pji_rest_load_reference(store, &r->around.reference, err);
}

static pj_status after_rest(struct resting *r, struct pji_store *store, struct pj_error *err)
{
    if (!r->around.baseline_before && !r->around.baseline_after)
        return PJ_OK;
    r->baseline_ns = pji_clock_ns(CLOCK_MONOTONIC);
    return pji_net_store(store, false, err);
}

static pj_status take_state(void *context, const struct pji_trial *trial, struct pj_error *err)
{
    struct rows *rows = context;
    (void)err;
    for (size_t i = 0; i < rows->n; i++)
        if (rows->rows[i].trial.id == trial->id)
            rows->rows[i].trial.state = trial->state;
    return PJ_OK;
}

/* The net energies that are still open, and the trials that they made invalid. */
static pj_status end_rest(const struct pji_study *study, struct pji_store *store, bool complete,
                          struct rows *rows, struct pj_error *err)
{
    if (!study->baseline.asked)
        return PJ_OK;
    pj_status status = pji_net_store(store, complete, err);
    return status == PJ_OK ? pji_store_each_trial(store, take_state, rows, err) : status;
}

static void summarise(const struct rows *rows, struct pji_run_summary *summary)
{
    for (size_t i = 0; i < rows->n; i++) {
        switch (rows->rows[i].trial.state) {
        case PJI_TRIAL_PLANNED:
        case PJI_TRIAL_RUNNING:
            summary->planned++;
            break;
        case PJI_TRIAL_DONE:
            summary->done++;
            break;
        case PJI_TRIAL_FAILED:
            summary->failed++;
            break;
        case PJI_TRIAL_INVALID:
            summary->invalid++;
            break;
        case PJI_TRIAL_SKIPPED:
            break;
        }
    }
}

pj_status pji_study_run(const struct pji_run_env *env, const struct pji_study *study,
                        const struct pji_workload *workload, struct pji_store *store,
                        struct pji_run_summary *summary, struct pj_error *err)
{
    struct rows rows = {.n_factors = study->n_factors};
    struct progress progress = {.started_ns = pji_clock_ns(CLOCK_MONOTONIC)};
    struct pji_digest_cache digests = {0};
    struct pji_run_env run_env = *env;
    struct resting resting = {0};
    run_env.digests = &digests;
    run_env.around = &resting.around;
    *summary = (struct pji_run_summary){0};
    pj_status status = pji_store_each_trial(store, copy_trial, &rows, err);
    if (status == PJ_OK && study->executor.agent)
        status = pji_remote_open(&run_env.remote, &run_env, study, store, err);
    if (status == PJ_ECANCELED) {
        summary->interrupted = true; /* while waiting for the agent */
        pji_error_clear(err);
        status = PJ_OK;
    }
    for (size_t i = 0; i < rows.n; i++)
        progress.finished += to_do(&rows.rows[i].trial, study->limits.attempts) ? 0 : 1;
    for (size_t i = 0; i < rows.n && status == PJ_OK && !summary->interrupted; i++) {
        struct pji_trial *trial = &rows.rows[i].trial;
        if (!to_do(trial, study->limits.attempts))
            continue;
        status = plan_rest(&resting, study, store, &rows, i, err);
        if (status == PJ_OK)
            status =
                run_trial(&run_env, study, workload, store, trial, &rows, &progress, summary, err);
        if (status == PJ_OK && !summary->disk_full)
            status = after_rest(&resting, store, err);
        if (summary->interrupted || summary->disk_full || summary->agent_lost ||
            summary->agent_refuses)
            break;
        progress.finished++;
    }
    if (status == PJ_OK && !summary->disk_full)
        status = end_rest(study, store,
                          !summary->interrupted && !summary->agent_lost && !summary->agent_refuses,
                          &rows, err);
    if (status == PJ_OK)
        summarise(&rows, summary);
    rows_fini(&rows);
    if (run_env.remote != NULL && status == PJ_OK && !summary->agent_lost)
        pji_remote_settle(run_env.remote);
    pji_remote_close(run_env.remote);
    pji_digest_cache_fini(&digests);
    return status;
}
