/* lab/records.c - see records.h. The derived figures are defined in docs/metrics.md; those of
 * tokens and latencies are computed in latency.c. A figure whose inputs are missing is missing with
 * the reason, never 0.
 */
#include "lab/records.h"

#include "core/array.h"
#include "core/digest.h"
#include "core/units.h"
#include "energy/ledger.h"
#include "lab/client.h"
#include "lab/latency.h"
#include "lab/loading.h"
#include "lab/parts_records.h"
#include "lab/phase_sum.h"
#include "lab/program.h"
#include "lab/request_records.h"
#include "lab/rest_records.h"
#include "lab/scores.h"
#include "lab/stages.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pji_phase_data *pji_trial_data_phase(struct pji_trial_data *data, const char *name,
                                            struct pj_error *err)
{
    if (pji_array_reserve(&data->phases, &data->cap, data->n + 1, sizeof *data->phases, err) !=
        PJ_OK)
        return NULL;
    struct pji_phase_data *phase = &data->phases[data->n++];
    *phase = (struct pji_phase_data){.name = name};
    return phase;
}

void pji_trial_data_fini(struct pji_trial_data *data)
{
    for (size_t i = 0; i < data->n; i++) {
        pji_load_result_fini(&data->phases[i].load);
        pji_task_run_fini(&data->phases[i].run);
        pji_circumstances_fini(&data->phases[i].around);
    }
    free(data->phases);
    if (data->has_trace)
        pji_trace_fini(&data->trace);
    *data = (struct pji_trial_data){0};
}

struct writer {
    struct pji_store *store;
    int64_t attempt;
    const struct pji_trial_data *data;
    struct pj_energy *energies; /* scratch: one for each channel */
    bool *in_total;
    struct pji_str *gates_failed;
    struct pji_phase_sum sum;
    struct pji_total window; /* of the last window stored */
    bool *wanted;            /* channels of the total when all can be read */
    char lost[64];           /* one of them without a value in that window, or "" */
    char lost_reason[PJ_REASON];
    struct pj_energy load; /* of the phase `load` */
    bool loaded;
    struct pj_error *err;
};

static const char *task_name(const struct pji_phase_data *phase)
{
    return phase->run.task != NULL ? phase->run.task->spec->name : "";
}

static pj_status store_total(struct writer *w, const char *phase, const char *task,
                             const struct pji_total *total)
{
    const struct pji_trace *trace = &w->data->trace;
    struct pji_str set = {0};
    for (size_t i = 0; i < trace->header.n_channels; i++) {
        if (!w->in_total[i])
            continue;
        if (set.len > 0)
            pji_str_addc(&set, ',');
        pji_str_add(&set, trace->header.channels[i].name);
    }
    struct pji_energy_row row = {.phase = phase,
                                 .task = task,
                                 .name = "total",
                                 .domain = total->label,
                                 .set = pji_str_text(&set),
                                 .energy = total->energy};
    pj_status status = pji_str_ok(&set, w->err);
    if (status == PJ_OK)
        status = pji_store_add_energy(w->store, w->attempt, &row, w->err);
    pji_str_fini(&set);
    return status;
}

/* The energies in w->energies and their total. Where the engine is on another host, what was
 * measured here is the client's and the total is missing. */
static pj_status store_energies(struct writer *w, const char *phase, const char *task,
                                struct pji_total *total)
{
    const struct pji_trace *trace = &w->data->trace;
    const char *remote = w->data->remote_reason;
    pj_status status = PJ_OK;
    for (size_t i = 0; i < trace->header.n_channels && status == PJ_OK; i++) {
        const struct pji_channel *channel = &trace->header.channels[i];
        if (channel->role != PJI_ROLE_ENERGY && channel->role != PJI_ROLE_POWER)
            continue;
        char domain[64];
        snprintf(domain, sizeof domain, "%s%s", remote[0] != '\0' ? "client/" : "",
                 channel->domain);
        struct pji_energy_row row = {.phase = phase,
                                     .task = task,
                                     .name = channel->name,
                                     .domain = domain,
                                     .set = "",
                                     .in_total = w->in_total[i] && remote[0] == '\0',
                                     .energy = w->energies[i]};
        status = pji_store_add_energy(w->store, w->attempt, &row, w->err);
    }
    if (remote[0] != '\0') {
        pji_energy_missing(&total->energy, remote);
        snprintf(total->label, sizeof total->label, "engine on another host");
        memset(w->in_total, 0, trace->header.n_channels * sizeof *w->in_total);
    }
    return status == PJ_OK ? store_total(w, phase, task, total) : status;
}

/* The first instrument of the total that the last window lacks and no other of its domain replaces.
 */
static void find_lost(struct writer *w)
{
    const struct pji_trace_header *h = &w->data->trace.header;
    w->lost[0] = '\0';
    for (size_t i = 0; i < h->n_channels && w->lost[0] == '\0'; i++) {
        bool replaced = !w->wanted[i] || w->energies[i].origin != PJ_ORIGIN_MISSING;
        for (size_t k = 0; k < h->n_channels && !replaced; k++)
            replaced = w->in_total[k] && w->energies[k].origin != PJ_ORIGIN_MISSING &&
                       strcmp(h->channels[k].domain, h->channels[i].domain) == 0;
        if (!replaced) {
            snprintf(w->lost, sizeof w->lost, "%s", h->channels[i].name);
            snprintf(w->lost_reason, sizeof w->lost_reason, "%s", w->energies[i].reason);
        }
    }
}

/* Energy of one window: every channel and the total. */
static pj_status store_window(struct writer *w, const char *phase, const char *task,
                              int64_t start_ns, int64_t end_ns, struct pj_energy *total_out)
{
    struct pji_total total = {0};
    pj_status status = PJ_OK;
    if (w->data->has_trace) {
        pji_trace_window(&w->data->trace, start_ns, end_ns, false, w->energies, w->in_total,
                         &total);
        find_lost(w);
        status = store_energies(w, phase, task, &total);
    } else {
        pji_energy_missing(&total.energy, "the meter's trace is not complete");
        status = store_total(w, phase, task, &total);
    }
    *total_out = total.energy;
    w->window = total;
    return status;
}

/* Mean of the utilisation channels over a window: what a model saw (docs/metrics.md). */
static double window_utilisation(const struct writer *w, int64_t start_ns, int64_t end_ns)
{
    const struct pji_trace *trace = &w->data->trace;
    if (!w->data->has_trace)
        return (double)NAN;
    for (size_t i = 0; i < trace->header.n_channels; i++) {
        const struct pji_channel *channel = &trace->header.channels[i];
        if (channel->role == PJI_ROLE_AUX && strstr(channel->name, "utilisation") != NULL)
            return pji_series_mean(&trace->series[i], start_ns, end_ns) / 1e6;
    }
    return (double)NAN;
}

/* ---- derived figures ---- */

static pj_status put_metric(struct writer *w, const char *task, const char *name, double value,
                            const char *reason)
{
    struct pji_metric_row row = {
        .task = task, .name = name, .value = value, .origin = "", .reason = reason};
    return pji_store_add_metric(w->store, w->attempt, &row, w->err);
}

/* energy / count, with its uncertainty; missing when either is. */
static pj_status put_per(struct writer *w, const char *task, const char *name,
                         const struct pj_energy *energy, double count, const char *no_count)
{
    struct pji_metric_row row = pji_metric_per(task, name, energy, count, no_count);
    return pji_store_add_metric(w->store, w->attempt, &row, w->err);
}

/* The part of the window's total that instruments measured, where a model adds the rest: what can
 * be said without the model. */
static pj_status put_measured_part(struct writer *w, const char *task, double tokens)
{
    const struct pji_total *t = &w->window;
    if (t->energy.origin == PJ_ORIGIN_MISSING || t->measured.origin == PJ_ORIGIN_MISSING ||
        t->modelled.origin == PJ_ORIGIN_MISSING)
        return PJ_OK;
    pj_status status = put_per(w, task, "energy_measured_j", &t->measured, 1, "");
    if (status == PJ_OK && !isnan(tokens))
        status = put_per(w, task, "j_per_token_measured", &t->measured, tokens, "");
    return status;
}

struct latency_target {
    struct writer *w;
    const char *task;
};

static pj_status put_latency(void *context, const char *name, double value, const char *reason)
{
    const struct latency_target *t = context;
    return put_metric(t->w, t->task, name, value, reason);
}

/* Of one processor: how busy the busiest threads were; and how long the client stood still. */
static pj_status put_client_metrics(struct writer *w, const struct pji_phase_data *phase)
{
    static const char unseen[] = "no thread could be seen";
    const struct pji_circumstances *around = &phase->around;
    const char *task = task_name(phase);
    pj_status status = PJ_OK;
    if (around->busiest.known)
        status = put_metric(w, task, "client_thread_share", around->busiest.client_share,
                            isnan(around->busiest.client_share) ? unseen : "");
    if (status == PJ_OK && around->busiest.known)
        status = put_metric(w, task, "server_thread_share", around->busiest.server_share,
                            isnan(around->busiest.server_share) ? unseen : "");
    if (status == PJ_OK && around->busiest.known)
        status = put_metric(w, task, "client_stopped_share", around->stopped_share,
                            isnan(around->stopped_share) ? "the kernel does not tell" : "");
    return status;
}

static pj_status put_window_metrics(struct writer *w, const struct pji_phase_data *phase,
                                    const struct pj_energy *energy)
{
    const char *task = task_name(phase);
    double dur_s = pji_s_from_ns(phase->end_ns - phase->start_ns);
    double utilisation = window_utilisation(w, phase->start_ns, phase->end_ns);
    pj_status status = put_per(w, task, "energy_j", energy, 1, "");
    if (status == PJ_OK)
        status = put_metric(w, task, "dur_s", dur_s, "");
    if (status == PJ_OK)
        status = put_per(w, task, "power_w", energy, dur_s, "the window is empty");
    if (status == PJ_OK)
        status = put_metric(w, task, "utilisation_share", utilisation,
                            isnan(utilisation) ? "no utilisation was recorded" : "");
    const struct pji_host_change *host = &phase->around.host;
    if (status == PJ_OK && host->known)
        status = put_metric(w, task, "steal_share", host->steal_share,
                            isnan(host->steal_share) ? "no /proc/stat" : "");
    if (status == PJ_OK && host->known)
        status = put_metric(w, task, "foreign_cpu_share", host->foreign_share,
                            isnan(host->foreign_share) ? "the engine was started by others" : "");
    if (status == PJ_OK && phase->load.n > 0)
        status = put_client_metrics(w, phase);
    return status;
}

/* Output tokens of the window; NaN where somebody did not count. A steady part has those that
 * arrived in it, of requests that began or ended outside too. */
static double output_tokens(const struct pji_phase_data *phase, const struct pji_parts *parts,
                            const struct pji_latency *f)
{
    uint64_t uncounted = f->uncounted;
    double tokens = parts->settled ? pji_parts_tokens(parts, &phase->load, &uncounted)
                                   : (double)f->output_tokens;
    return uncounted == 0 && tokens > 0 ? tokens : (double)NAN;
}

struct count_target {
    struct writer *w;
    const char *task;
    const struct pj_energy *energy;
    double dur_s;
};

/* What a program counts: the sum, its rate and the energy of one. */
static pj_status put_count(void *context, const char *name, double sum, const char *why_none)
{
    const struct count_target *t = context;
    char metric[PJI_COUNT_NAME + 16];
    snprintf(metric, sizeof metric, "count_%s", name);
    pj_status status = put_metric(t->w, t->task, metric, sum, why_none);
    snprintf(metric, sizeof metric, "%s_per_s", name);
    if (status == PJ_OK)
        status = put_metric(t->w, t->task, metric, sum / t->dur_s, why_none);
    snprintf(metric, sizeof metric, "j_per_%s", name);
    return status == PJ_OK ? put_per(t->w, t->task, metric, t->energy, sum, why_none) : status;
}

static pj_status put_counts(struct writer *w, const struct pji_phase_data *phase,
                            const struct pj_energy *energy, const struct pji_parts *parts)
{
    struct pji_tally tally = {0};
    struct count_target target = {w, task_name(phase), energy,
                                  pji_s_from_ns(phase->end_ns - phase->start_ns)};
    pj_status status = PJ_OK;
    for (size_t i = 0; i < phase->load.n && status == PJ_OK; i++)
        if (!parts->settled || pji_parts_of(parts, &phase->load.records[i]) == PJI_PART_STEADY)
            status = pji_tally_add(&tally, &phase->load.records[i], w->err);
    if (status == PJ_OK)
        status = pji_tally_each(&tally, put_count, &target);
    pji_tally_fini(&tally);
    return status;
}

static pj_status put_request_metrics(struct writer *w, const struct pji_phase_data *phase,
                                     const struct pj_energy *energy, const struct pji_parts *parts,
                                     const struct pji_latency *f)
{
    static const char no_tokens[] = "the server told no token counts";
    const char *task = task_name(phase);
    double dur_s = pji_s_from_ns(phase->end_ns - phase->start_ns);
    double ok = (double)(f->requests - f->failed);
    double tokens = output_tokens(phase, parts, f);
    bool counted = !isnan(tokens), prompted = f->prompt_tokens > 0 && f->unprompted == 0;
    pj_status status = put_metric(w, task, "requests", (double)f->requests, "");
    if (status == PJ_OK)
        status = put_metric(w, task, "requests_failed", (double)f->failed, "");
    if (status == PJ_OK)
        status =
            put_metric(w, task, "prompt_tokens", prompted ? (double)f->prompt_tokens : (double)NAN,
                       prompted ? "" : no_tokens);
    if (status == PJ_OK)
        status = put_metric(w, task, "output_tokens", tokens, counted ? "" : no_tokens);
    if (status == PJ_OK)
        status = put_metric(w, task, "output_tok_per_s", tokens / dur_s, counted ? "" : no_tokens);
    if (status == PJ_OK)
        status = put_per(w, task, "j_per_token", energy, tokens, no_tokens);
    if (status == PJ_OK)
        status = put_per(w, task, "j_per_request", energy, ok, "no request succeeded");
    if (status == PJ_OK)
        status = pji_loading_store(w->store, w->attempt, task, w->loaded ? &w->load : NULL,
                                   w->data->loads_nothing ? "the server was running before"
                                                          : "the trial has no phase load",
                                   energy, ok, w->err);
    struct latency_target target = {w, task};
    if (status == PJ_OK)
        status = pji_latency_each(f, &phase->run.load.slo, dur_s, put_latency, &target, w->err);
    return status;
}

static pj_status on_gate(void *context, const struct pji_gate_def *gate, const char *detail,
                         struct pj_error *err)
{
    struct writer *w = context;
    struct pji_gate_row row = {.code = gate->code,
                               .consequence = pji_gate_consequence_name(gate->consequence),
                               .detail = detail};
    if (gate->consequence == PJI_GATE_INVALID &&
        strstr(pji_str_text(w->gates_failed), gate->code) == NULL) {
        if (w->gates_failed->len > 0)
            pji_str_addc(w->gates_failed, ',');
        pji_str_add(w->gates_failed, gate->code);
    }
    return pji_store_add_gate(w->store, w->attempt, &row, err);
}

static double measured_share(const struct pji_total *t)
{
    return t->measured.origin != PJ_ORIGIN_MISSING && t->energy.value_j > 0
               ? t->measured.value_j / t->energy.value_j
               : 0;
}

static pj_status apply_gates(struct writer *w, const struct pji_phase_data *phase,
                             const struct pj_energy *energy, const struct pji_parts *parts,
                             const struct pji_latency *f)
{
    const char *remote = w->data->remote_reason;
    for (size_t i = 0; w->data->has_trace && i < phase->around.n_gpus; i++)
        pji_gpu_sampled(&phase->around.gpus[i], &w->data->trace, phase->start_ns, phase->end_ns);
    struct pji_client_state client;
    struct pji_sample lags = {0};
    pj_status status = pji_client_of(&client, &lags, phase, w->data, f, w->err);
    char start_off[200];
    bool off = pji_rest_start_off(w->data, start_off, sizeof start_off);
    struct pji_gate_inputs in = {
        .task = task_name(phase),
        .window_ns = phase->end_ns - phase->start_ns,
        .interval_ns = w->data->interval_ns,
        .max_gap_ns = w->data->trace.max_gap_ns,
        .requests = f->requests,
        .failed = f->failed,
        .wrong_length = f->wrong_length,
        /* a program need not count tokens */
        .uncounted = phase->run.task != NULL && phase->run.task->members != NULL ? 0 : f->uncounted,
        .cache_hits = f->cache_hits,
        .gaps = f->gaps,
        .shared_gaps = f->shared_gaps,
        .cache_expected = w->data->cache_expected,
        .host = &phase->around.host,
        .gpus = phase->around.gpus,
        .n_gpus = phase->around.n_gpus,
        .client = &client,
        .total = energy,
        .lost = w->lost[0] != '\0' ? w->lost : NULL,
        .lost_reason = w->lost_reason,
        .measured_share = measured_share(&w->window),
        .phase_sum_off_share = w->sum.off_share,
        .unsettled = parts->asked && !parts->settled ? parts->detail : NULL,
        .cooldown_timeout = w->data->cooldown_detail[0] != '\0' ? w->data->cooldown_detail : NULL,
        .start_off = off ? start_off : NULL,
        .remote_reason = remote[0] != '\0' ? remote : NULL};
    if (status == PJ_OK)
        status = pji_gates_apply(&in, &w->data->gates, on_gate, w, w->err);
    free(lags.values);
    return status;
}

/* What the requests of a window say: all of them, and those of its steady part where that is the
 * window (else both are the same). */
struct figures {
    struct pji_latency all, steady;
    size_t correct; /* answers of the window */
};

static pj_status store_one(struct writer *w, const struct pji_phase_data *phase, size_t i,
                           const struct pji_parts *parts, struct figures *f,
                           struct pji_scores *scores)
{
    const struct pji_request_record *r = &phase->load.records[i];
    const struct pji_task_run *run = &phase->run;
    size_t correct = scores->correct;
    bool steady = parts->settled && pji_parts_of(parts, r) == PJI_PART_STEADY;
    pj_status status =
        pji_latency_add(&f->all, r, &run->load.slo, run->fixed_length, run->max_tokens, w->err);
    if (status == PJ_OK && steady)
        status = pji_latency_add(&f->steady, r, &run->load.slo, run->fixed_length, run->max_tokens,
                                 w->err);
    if (status == PJ_OK)
        status = pji_request_store(w->store, w->attempt, phase, i, w->err);
    if (status == PJ_OK && strcmp(phase->name, "measure") == 0)
        status = pji_answer_store(w->store, w->attempt, phase, i, scores, w->err);
    if (steady || !parts->asked)
        f->correct += scores->correct - correct;
    return status;
}

static pj_status store_requests(struct writer *w, const struct pji_phase_data *phase,
                                const struct pj_energy *energy, const struct pji_parts *parts,
                                struct figures *f)
{
    pj_status status = PJ_OK;
    struct pji_scores scores = {0};
    for (size_t i = 0; i < phase->load.n && status == PJ_OK; i++)
        status = store_one(w, phase, i, parts, f, &scores);
    struct latency_target target = {w, task_name(phase)};
    if (status == PJ_OK && strcmp(phase->name, "measure") == 0)
        status = pji_scores_each(&scores, put_latency, &target);
    if (status == PJ_OK && scores.answers > 0 && (parts->settled || !parts->asked))
        status = put_per(w, task_name(phase), "j_per_correct", energy, (double)f->correct,
                         "no answer was correct");
    return status;
}

static pj_status put_load_fact(struct writer *w, const char *task, const char *what,
                               const char *value)
{
    char key[160];
    snprintf(key, sizeof key, "load.%s.%s", task, what);
    return pji_store_put_fact(w->store, w->attempt, key, value, w->err);
}

/* The schedule itself is in the requests: scheduled_ns less that of the first one. */
static pj_status store_load(struct writer *w, const struct pji_phase_data *phase)
{
    const struct pji_task_run *run = &phase->run;
    char number[32];
    snprintf(number, sizeof number, "%zu", run->n);
    pj_status status =
        put_load_fact(w, task_name(phase), "kind", pji_arrival_name(run->load.arrival.kind));
    if (status == PJ_OK)
        status = put_load_fact(w, task_name(phase), "requests", number);
    if (status == PJ_OK && run->schedule_sha256[0] != '\0')
        status = put_load_fact(w, task_name(phase), "schedule_sha256", run->schedule_sha256);
    return status;
}

static pj_status store_rendered(struct writer *w, const struct pji_phase_data *phase)
{
    const struct pji_rendered *r = &phase->rendered;
    const struct {
        const char *what, *value;
    } facts[] = {{"rendered_sha256", r->sha256},
                 {"rendered_items_sha256", r->items_sha256},
                 {"rendered_by", r->by}};
    char key[160];
    pj_status status = PJ_OK;
    for (size_t i = 0; i < 3 && r->n > 0 && status == PJ_OK; i++) {
        snprintf(key, sizeof key, "prompt.%.100s.%s", task_name(phase), facts[i].what);
        status = pji_store_put_fact(w->store, w->attempt, key, facts[i].value, w->err);
    }
    return status;
}

/* ---- parts of a window (task key `window`) ---- */

static bool wants_steady(const struct pji_phase_data *phase)
{
    return strcmp(phase->name, "measure") == 0 && phase->run.task != NULL &&
           phase->run.task->spec->steady && phase->load.n > 0;
}

static pj_status find_parts(struct writer *w, const struct pji_phase_data *phase,
                            struct pji_parts *parts)
{
    struct pji_parts_input in = {.load = &phase->load,
                                 .open_loop = phase->run.due_ns != NULL,
                                 .trace = w->data->has_trace ? &w->data->trace : NULL,
                                 .interval_ns = w->data->interval_ns,
                                 .start_ns = phase->start_ns,
                                 .end_ns = phase->end_ns};
    return pji_parts_find(parts, &in, w->err);
}

/* Ramp or drain: a phase of its own. */
static pj_status store_edge(struct writer *w, const struct pji_phase_data *phase,
                            const struct pji_parts *parts, enum pji_part part)
{
    struct pji_phase_row row =
        pji_parts_edge(parts, part, task_name(phase), phase->start_ns, phase->end_ns);
    struct pj_energy energy = {0};
    pj_status status = PJ_OK;
    if (row.end_ns > row.start_ns)
        status = store_window(w, row.name, row.task, row.start_ns, row.end_ns, &energy);
    else
        pji_energy_missing(&energy, "there is no such part");
    return status == PJ_OK ? pji_parts_store_edge(w->store, w->attempt, parts, part, &phase->load,
                                                  &row, &energy, w->err)
                           : status;
}

/* Prefill, decode and what is neither, as phases of their own. */
static pj_status store_stages(struct writer *w, const struct pji_phase_data *phase)
{
    struct pji_stages stages = {0};
    size_t n = w->data->trace.header.n_channels;
    if (!w->data->has_trace)
        return PJ_OK; /* the trial has failed: there is no figure of energy at all */
    pj_status status = pji_stages_make(&stages, w->data, phase, w->err);
    for (enum pji_stage k = 0; k <= PJI_STAGE_REST && status == PJ_OK; k++) {
        if (stages.spans.overlap || n == 0)
            break;
        memcpy(w->energies, stages.energies[k], n * sizeof *w->energies);
        memcpy(w->in_total, stages.in_total, n * sizeof *w->in_total);
        status = store_energies(w, pji_stage_name(k), task_name(phase), &stages.totals[k]);
    }
    if (status == PJ_OK)
        status = pji_stages_store_metrics(&stages, w->store, w->attempt, task_name(phase), w->err);
    if (status == PJ_OK)
        status = pji_stages_store_shares(&stages, w->store, w->attempt, w->data, phase, w->err);
    pji_stages_fini(&stages);
    return status;
}

static pj_status put_measured(struct writer *w, const struct pji_phase_data *phase,
                              const struct pj_energy *total, const struct pji_parts *parts,
                              const struct figures *f)
{
    const struct pji_latency *shown = parts->settled ? &f->steady : &f->all;
    pj_status status = PJ_OK;
    if (parts->asked && !parts->settled) {
        status = pji_parts_store_unsettled(w->store, w->attempt, task_name(phase), w->err);
    } else {
        status = put_window_metrics(w, phase, total);
        if (status == PJ_OK && phase->load.n > 0)
            status = put_request_metrics(w, phase, total, parts, shown);
        if (status == PJ_OK && phase->load.n > 0)
            status = put_counts(w, phase, total, parts);
        if (status == PJ_OK && phase->load.n > 0)
            status = store_stages(w, phase);
        if (status == PJ_OK)
            status = put_measured_part(w, task_name(phase), output_tokens(phase, parts, shown));
    }
    if (status == PJ_OK && phase->load.n > 0)
        status = store_load(w, phase);
    if (status == PJ_OK && phase->load.n > 0)
        status = store_rendered(w, phase);
    return status == PJ_OK ? apply_gates(w, phase, total, parts, &f->all) : status;
}

static pj_status store_phase(struct writer *w, const struct pji_phase_data *whole)
{
    struct pji_phase_data phase = *whole; /* borrows; the steady part narrows its times */
    struct pji_parts parts = {0};
    struct figures f = {0};
    struct pj_energy total = {0};
    if (!pji_phase_began(whole))
        return PJ_OK;
    pj_status status = wants_steady(&phase) ? find_parts(w, &phase, &parts) : PJ_OK;
    if (status == PJ_OK && parts.settled)
        status = store_edge(w, whole, &parts, PJI_PART_RAMP);
    if (parts.settled) {
        phase.start_ns = parts.steady_ns[0];
        phase.end_ns = parts.steady_ns[1];
    }
    struct pji_phase_row row = {.name = phase.name,
                                .task = task_name(&phase),
                                .start_ns = phase.start_ns,
                                .end_ns = phase.end_ns};
    if (status == PJ_OK)
        status = pji_store_add_phase(w->store, w->attempt, &row, w->err);
    if (status == PJ_OK)
        status = store_window(w, row.name, row.task, row.start_ns, row.end_ns, &total);
    if (strcmp(phase.name, "load") == 0 && !w->data->loads_nothing) {
        w->load = total;
        w->loaded = true;
    }
    if (status == PJ_OK)
        status = store_requests(w, &phase, &total, &parts, &f);
    if (status == PJ_OK && strcmp(phase.name, "measure") == 0)
        status = put_measured(w, &phase, &total, &parts, &f);
    if (status == PJ_OK && parts.settled)
        status = store_edge(w, whole, &parts, PJI_PART_DRAIN);
    pji_latency_fini(&f.all);
    pji_latency_fini(&f.steady);
    return status;
}

/* The moments of no phase, and whether everything adds up to the whole. */
static pj_status store_between(struct writer *w)
{
    struct pji_total total = w->sum.total;
    size_t n = w->data->trace.header.n_channels;
    if (n > 0) {
        memcpy(w->energies, w->sum.between, n * sizeof *w->energies);
        memcpy(w->in_total, w->sum.in_total, n * sizeof *w->in_total);
    }
    pj_status status = store_energies(w, "between", "", &total);
    if (status == PJ_OK)
        status = put_metric(w, "", "phase_sum_off_share", w->sum.off_share, w->sum.reason);
    return status;
}

pj_status pji_records_store(struct pji_store *store, int64_t attempt,
                            const struct pji_trial_data *data, struct pji_str *gates_failed,
                            double *energy_j, struct pj_error *err)
{
    size_t n = data->has_trace ? data->trace.header.n_channels : 0;
    struct writer w = {
        .store = store, .attempt = attempt, .data = data, .gates_failed = gates_failed, .err = err};
    struct pj_energy total = {0};
    *energy_j = (double)NAN;
    w.energies = pji_zalloc(n + 1, sizeof *w.energies, err);
    w.in_total = pji_zalloc(n + 1, sizeof *w.in_total, err);
    w.wanted = pji_zalloc(n + 1, sizeof *w.wanted, err);
    pj_status status =
        w.energies != NULL && w.in_total != NULL && w.wanted != NULL ? PJ_OK : PJ_ENOMEM;
    if (status == PJ_OK && n > 0)
        pji_ledger_cover(data->trace.header.channels, n, false, w.wanted);
    bool whole = data->has_trace && data->end_ns > data->start_ns;
    w.sum.off_share = (double)NAN;
    if (status == PJ_OK && whole)
        status = pji_phase_sum_make(&w.sum, data, err);
    for (size_t i = 0; i < data->n && status == PJ_OK; i++)
        status = store_phase(&w, &data->phases[i]);
    if (status == PJ_OK && whole)
        status = store_between(&w);
    if (status == PJ_OK && whole) {
        /* From the first reading on: the meter started after the attempt did. */
        int64_t start_ns = data->trace.header.t_ns;
        status = store_window(&w, "trial", "", start_ns, data->trace.footer.t_ns, &total);
        if (total.origin != PJ_ORIGIN_MISSING)
            *energy_j = total.value_j;
    }
    if (status == PJ_OK)
        status = pji_rest_store(store, attempt, data, err);
    pji_phase_sum_fini(&w.sum);
    free(w.energies);
    free(w.in_total);
    free(w.wanted);
    return status;
}
