#include "lab/recount.h"

#include "core/array.h"
#include "core/json.h"
#include "lab/net.h"
#include "lab/recount_parts.h"
#include "lab/scores.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what the database says: phases, requests ---- */

char *pji_recount_keep(struct recounting *w, const char *text, struct pj_error *err)
{
    if (pji_array_reserve(&w->texts, &w->cap_texts, w->n_texts + 1, sizeof *w->texts, err) != PJ_OK)
        return NULL;
    w->texts[w->n_texts] = pji_dup(text, err);
    return w->texts[w->n_texts] != NULL ? w->texts[w->n_texts++] : NULL;
}

static const struct pji_workload_task *task_of(const struct recounting *w, const char *name)
{
    for (size_t i = 0; i < w->r->study->n_tasks; i++) {
        if (strcmp(w->specs[i].name, name) == 0)
            return &w->tasks[i];
    }
    return NULL;
}

static struct pji_phase_data *find_phase(struct recounting *w, const char *name, const char *task)
{
    for (size_t i = 0; i < w->data.n; i++) {
        if (strcmp(w->data.phases[i].name, name) == 0 && strcmp(w->phase_task[i], task) == 0)
            return &w->data.phases[i];
    }
    return NULL;
}

static pj_status begin_phase(struct recounting *w, const struct pji_phase_row *row,
                             struct pj_error *err)
{
    const char *name = pji_recount_keep(w, row->name, err);
    const char *task = name != NULL ? pji_recount_keep(w, row->task, err) : NULL;
    if (task == NULL || w->data.n == MOST_PHASES)
        return task == NULL ? PJ_ENOMEM
                            : pji_fail(err, PJ_ECORRUPT, "an attempt of more than %d phases",
                                       (int)MOST_PHASES);
    w->phase_task[w->data.n] = task;
    struct pji_phase_data *phase = pji_trial_data_phase(&w->data, name, err);
    if (phase == NULL)
        return PJ_ENOMEM;
    phase->start_ns = row->start_ns;
    phase->end_ns = row->end_ns;
    phase->run.task = task_of(w, row->task);
    pj_status status = pji_study_load(w->r->study, w->r->levels, &phase->run.load, err);
    if (status == PJ_OK && phase->run.load.arrival.kind != PJI_ARRIVAL_CLOSED) {
        phase->run.due_ns = pji_zalloc(1, sizeof *phase->run.due_ns, err); /* an open loop */
        status = phase->run.due_ns != NULL ? PJ_OK : PJ_ENOMEM;
    }
    return status;
}

/* The ramp and the drain of a task belong to its window: the whole of it is what was measured. */
static pj_status on_phase(void *context, const struct pji_phase_row *row, struct pj_error *err)
{
    struct recounting *w = context;
    if (strcmp(row->name, "ramp") == 0) {
        w->ramp_start_ns = row->start_ns;
        return PJ_OK;
    }
    if (strcmp(row->name, "drain") == 0) {
        struct pji_phase_data *phase = find_phase(w, "measure", row->task);
        if (phase != NULL)
            phase->end_ns = row->end_ns;
        return PJ_OK;
    }
    pj_status status = begin_phase(w, row, err);
    if (status == PJ_OK && w->ramp_start_ns != 0)
        w->data.phases[w->data.n - 1].start_ns = w->ramp_start_ns;
    w->ramp_start_ns = 0;
    return status;
}

static pj_status fill_record(struct pji_request_record *r, const struct pji_request_row *row,
                             struct pj_error *err)
{
    r->stream = row->stream;
    r->scheduled_ns = row->scheduled_ns;
    r->sent_ns = row->sent_ns;
    r->first_token_ns = row->first_token_ns;
    r->last_token_ns = row->last_token_ns;
    r->prompt_tokens = row->prompt_tokens;
    r->cached_tokens = row->cached_tokens;
    r->output_tokens = row->output_tokens;
    snprintf(r->finish, sizeof r->finish, "%s", row->finish);
    r->text = row->text != NULL ? pji_dup(row->text, err) : NULL;
    r->error = row->error[0] != '\0' ? pji_dup(row->error, err) : NULL;
    r->token_ns = row->n_tokens > 0 ? pji_zalloc(row->n_tokens, sizeof *r->token_ns, err) : NULL;
    if ((row->text != NULL && r->text == NULL) || (row->error[0] != '\0' && r->error == NULL) ||
        (row->n_tokens > 0 && r->token_ns == NULL))
        return PJ_ENOMEM;
    if (row->n_tokens > 0)
        memcpy(r->token_ns, row->token_ns, row->n_tokens * sizeof *r->token_ns);
    r->n_tokens = row->n_tokens;
    return PJ_OK;
}

static pj_status on_request(void *context, const struct pji_request_row *row, struct pj_error *err)
{
    struct recounting *w = context;
    struct pji_phase_data *phase = find_phase(w, row->phase, row->task);
    if (phase == NULL)
        return PJ_OK;
    size_t n = phase->load.n;
    size_t caps[] = {n, n, n};
    char *item = pji_recount_keep(w, row->item, err);
    if (item == NULL ||
        pji_array_reserve(&phase->load.records, &caps[0], n + 1, sizeof *phase->load.records,
                          err) != PJ_OK ||
        pji_array_reserve(&phase->run.specs, &caps[1], n + 1, sizeof *phase->run.specs, err) !=
            PJ_OK ||
        pji_array_reserve(&phase->run.items, &caps[2], n + 1, sizeof *phase->run.items, err) !=
            PJ_OK)
        return PJ_ENOMEM;
    phase->run.specs[n] = (struct pji_request_spec){.item = item};
    phase->run.items[n] = n;
    phase->load.records[n] = (struct pji_request_record){.spec = n};
    phase->load.n = phase->run.n = n + 1;
    return fill_record(&phase->load.records[n], row, err);
}

/* ---- where the engine ran ---- */

static pj_status on_energy(void *context, const struct pji_energy_row *row, struct pj_error *err)
{
    struct recounting *w = context;
    (void)err;
    if (strcmp(row->name, "total") == 0 && strcmp(row->domain, "engine on another host") == 0)
        snprintf(w->data.remote_reason, sizeof w->data.remote_reason, "%.150s", row->energy.reason);
    return PJ_OK;
}

/* ---- answers ---- */

static pj_status on_answer(void *context, const struct pji_answer_row *row, struct pj_error *err)
{
    return pji_recount_told(context, row, err);
}

static bool is_scored(const struct recounting *w, size_t task)
{
    for (size_t i = 0; i < w->n_told; i++)
        if (w->told[i].task == task)
            return true;
    return false;
}

static pj_status put_answers(struct recounting *w, size_t task, struct pj_error *err)
{
    const char *name = w->specs[task].name;
    const struct pji_phase_data *phase = find_phase(w, "measure", name);
    size_t correct = 0;
    if (!is_scored(w, task))
        return PJ_OK;
    pj_status status = pji_recount_answers(w, task, phase, &correct, err);
    if (status != PJ_OK || phase == NULL || w->specs[task].steady || !w->data.has_trace ||
        w->data.remote_reason[0] != '\0')
        return status;
    size_t channels = w->data.trace.header.n_channels + 1;
    struct pj_energy *energies = pji_zalloc(channels, sizeof *energies, err);
    bool *in_total = pji_zalloc(channels, sizeof *in_total, err);
    struct pji_total total = {0};
    status = energies != NULL && in_total != NULL ? PJ_OK : PJ_ENOMEM;
    if (status == PJ_OK) {
        pji_trace_window(&w->data.trace, phase->start_ns, phase->end_ns, false, energies, in_total,
                         &total);
        struct pji_metric_row row = pji_metric_per(name, "j_per_correct", &total.energy,
                                                   (double)correct, "no answer was correct");
        status = pji_store_add_metric(w->r->into, w->r->into_attempt, &row, err);
    }
    free(energies);
    free(in_total);
    return status;
}

/* ---- the whole ---- */

static pj_status make_tasks(struct recounting *w, struct pj_error *err)
{
    size_t n = w->r->study->n_tasks;
    w->specs = pji_zalloc(n + 1, sizeof *w->specs, err);
    w->tasks = pji_zalloc(n + 1, sizeof *w->tasks, err);
    if (w->specs == NULL || w->tasks == NULL)
        return PJ_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        w->specs[i] = w->r->study->tasks[i];
        w->specs[i].gold = NULL; /* the items are not here: answers are scored apart */
        w->tasks[i] = (struct pji_workload_task){.spec = &w->specs[i]};
    }
    return PJ_OK;
}

static pj_status load_trace(struct recounting *w, struct pj_error *err)
{
    struct pj_error why = {0};
    struct pji_str path = {0};
    struct pji_str words = {0};
    pji_str_addf(&path, "%s/artefacts/%lld/trace.jsonl", pji_store_dir(w->r->from),
                 (long long)w->r->attempt->id);
    pj_status status = pji_str_ok(&path, err);
    if (status == PJ_OK && access(path.text, F_OK) == 0) {
        status = pji_trace_load(&w->data.trace, path.text, &why);
        w->data.has_trace = status == PJ_OK && w->data.trace.complete;
        if (status != PJ_OK && status != PJ_ENOMEM) {
            pji_trace_fini(&w->data.trace);
            pji_str_addf(&words, "its trace cannot be read: %s", why.text);
            status = w->r->note(w->r->context, pji_str_text(&words), err);
        }
    }
    pji_str_fini(&words);
    pji_str_fini(&path);
    return status;
}

static pj_status gather(struct recounting *w, struct pj_error *err)
{
    struct pji_store *from = w->r->from;
    int64_t attempt = w->r->attempt->id;
    pj_status status = make_tasks(w, err);
    if (status == PJ_OK)
        status = pji_store_each_phase(from, attempt, on_phase, w, err);
    if (status == PJ_OK)
        status = pji_store_each_request(from, attempt, on_request, w, err);
    if (status == PJ_OK)
        status = pji_store_each_energy(from, attempt, on_energy, w, err);
    if (status == PJ_OK)
        status = pji_store_each_answer(from, attempt, on_answer, w, err);
    if (status == PJ_OK)
        status = load_trace(w, err);
    return status == PJ_OK ? pji_recount_requests(w, err) : status;
}

static pj_status put_all(struct recounting *w, struct pj_error *err)
{
    struct pji_str gates = {0};
    double energy_j = 0;
    pj_status status =
        pji_records_store(w->r->into, w->r->into_attempt, &w->data, &gates, &energy_j, err);
    for (size_t i = 0; i < w->r->study->n_tasks && status == PJ_OK; i++)
        status = put_answers(w, i, err);
    pji_str_fini(&gates);
    return status;
}

pj_status pji_recount_attempt(const struct pji_recount *recount, struct pj_error *err)
{
    struct recounting w = {.r = recount};
    w.data.interval_ns = recount->study->meter_interval_ns;
    w.data.gates = recount->study->gates;
    w.data.loads_nothing = recount->study->engine->starts_nothing;
    w.data.start_ns = recount->attempt->start_ns;
    w.data.end_ns = recount->attempt->end_ns;
    pj_status status = gather(&w, err);
    if (status == PJ_OK)
        status = put_all(&w, err);
    if (status == PJ_OK && recount->study->baseline.asked)
        status = pji_net_again(recount->from, recount->attempt->id, recount->into,
                               recount->into_attempt, err);
    pji_trial_data_fini(&w.data);
    for (size_t i = 0; i < w.n_texts; i++)
        free(w.texts[i]);
    free(w.texts);
    free(w.specs);
    free(w.tasks);
    free(w.told);
    return status;
}
