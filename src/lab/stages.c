/* lab/stages.c - see parts.h. */
#include "lab/stages.h"

#include "core/array.h"
#include "lab/shares.h"
#include "lab/split.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *pji_stage_name(enum pji_stage part)
{
    switch (part) {
    case PJI_STAGE_PREFILL:
        return "prefill";
    case PJI_STAGE_DECODE:
        return "decode";
    case PJI_STAGE_REST:
        return "rest";
    case PJI_STAGE_OTHER:
    case PJI_STAGES:
        break;
    }
    return "other";
}

static pj_status allocate(struct pji_stages *stages, size_t n, struct pj_error *err)
{
    stages->in_total = pji_zalloc(n + 1, sizeof *stages->in_total, err);
    bool good = stages->in_total != NULL;
    for (size_t i = 0; i < PJI_STAGES && good; i++) {
        stages->energies[i] = pji_zalloc(n + 1, sizeof *stages->energies[i], err);
        good = stages->energies[i] != NULL;
    }
    return good ? PJ_OK : PJ_ENOMEM;
}

static bool is_modelled(const struct pji_channel *c)
{
    return c->origin == PJ_ORIGIN_MODELLED || c->origin == PJ_ORIGIN_CONSTANT;
}

/* A total that lacks a channel of the window's would pass for the whole: it is missing then. What
 * instruments measured of it is not where only a model's channel is. */
static void add_up(struct pji_stages *stages, const struct pji_trace_header *header, size_t part)
{
    struct pji_total *total = &stages->totals[part];
    pji_ledger_total(total, header->channels, stages->energies[part], stages->in_total,
                     header->n_channels, header->missing, header->n_missing);
    for (size_t i = 0; i < header->n_channels; i++) {
        const struct pj_energy *e = &stages->energies[part][i];
        if (!stages->in_total[i] || e->origin != PJ_ORIGIN_MISSING)
            continue;
        if (total->energy.origin != PJ_ORIGIN_MISSING)
            pji_energy_missing(&total->energy, e->reason);
        if (!is_modelled(&header->channels[i]) && total->measured.origin != PJ_ORIGIN_MISSING)
            pji_energy_missing(&total->measured, e->reason);
    }
}

static pj_status split(struct pji_stages *stages, const struct pji_trace *trace,
                       const struct pj_energy *energies, struct pj_error *err)
{
    const struct pji_trace_header *header = &trace->header;
    struct pj_energy one[PJI_STAGES];
    pj_status status = PJ_OK;
    for (size_t i = 0; i < header->n_channels && status == PJ_OK; i++) {
        status = pji_split_series(&trace->series[i], &energies[i], &stages->spans, one, err);
        for (size_t k = 0; k < PJI_STAGES && status == PJ_OK; k++)
            stages->energies[k][i] = one[k];
    }
    for (size_t k = 0; k <= PJI_STAGE_REST && status == PJ_OK; k++)
        add_up(stages, header, k);
    return status;
}

/* There is no cut: every part of every channel is missing, and why. */
static void nothing(struct pji_stages *stages, size_t n)
{
    for (size_t k = 0; k < PJI_STAGES; k++) {
        for (size_t i = 0; i < n; i++)
            pji_energy_missing(&stages->energies[k][i], stages->spans.reason);
        pji_energy_missing(&stages->totals[k].energy, stages->spans.reason);
        pji_energy_missing(&stages->totals[k].measured, stages->spans.reason);
    }
}

static pj_status look(struct pji_stages *stages, const struct pji_trial_data *data,
                      const struct pji_phase_data *phase, struct pj_error *err)
{
    const struct pji_trace *trace = &data->trace;
    struct pji_spans *spans = &stages->spans;
    struct pji_total whole;
    struct pj_energy *energies = pji_zalloc(trace->header.n_channels + 1, sizeof *energies, err);
    if (energies == NULL)
        return PJ_ENOMEM;
    pj_status status = PJ_OK;
    pji_trace_window(trace, spans->start_ns, spans->end_ns, false, energies, stages->in_total,
                     &whole);
    stages->whole = whole.energy;
    stages->measured = whole.measured;
    stages->modelled = whole.modelled.origin != PJ_ORIGIN_MISSING;
    if (data->remote_reason[0] != '\0') {
        pji_energy_missing(&stages->whole, data->remote_reason);
        pji_energy_missing(&stages->measured, data->remote_reason);
        snprintf(spans->reason, sizeof spans->reason, "%s", data->remote_reason);
    }
    if (spans->overlap)
        status = pji_slopes_fit(&stages->slopes, trace, stages->in_total, &stages->whole,
                                &phase->load, spans->start_ns, spans->end_ns, err);
    if (status == PJ_OK && spans->reason[0] == '\0')
        status = split(stages, trace, energies, err);
    else
        nothing(stages, trace->header.n_channels);
    free(energies);
    return status;
}

pj_status pji_stages_make(struct pji_stages *stages, const struct pji_trial_data *data,
                          const struct pji_phase_data *phase, struct pj_error *err)
{
    *stages = (struct pji_stages){0};
    pj_status status = allocate(stages, data->trace.header.n_channels, err);
    if (status == PJ_OK)
        status = pji_spans_make(&stages->spans, &phase->load, phase->start_ns, phase->end_ns,
                                phase->run.load.concurrency == 1, err);
    if (status == PJ_OK)
        status = look(stages, data, phase, err);
    return status;
}

void pji_stages_fini(struct pji_stages *stages)
{
    for (size_t i = 0; i < PJI_STAGES; i++)
        free(stages->energies[i]);
    free(stages->in_total);
    pji_spans_fini(&stages->spans);
    *stages = (struct pji_stages){0};
}

static pj_status store_slopes(const struct pji_slopes *slopes, struct pji_store *store,
                              int64_t attempt, const char *task, struct pj_error *err)
{
    static const char *const names[PJI_SLOPES] = {"base_power_w", "prefill_marginal_j_per_token",
                                                  "decode_marginal_j_per_token"};
    bool there = slopes->reason[0] == '\0';
    pj_status status = PJ_OK;
    for (size_t j = 0; j < PJI_SLOPES && status == PJ_OK; j++) {
        struct pji_metric_row row = {.task = task,
                                     .name = names[j],
                                     .value = there ? slopes->value[j] : (double)NAN,
                                     .u_ind = slopes->u_ind[j],
                                     .u_com = slopes->u_com[j],
                                     .origin = pj_origin_name(PJ_ORIGIN_MODELLED),
                                     .reason = slopes->reason};
        status = pji_store_add_metric(store, attempt, &row, err);
    }
    struct pji_metric_row n = {.task = task,
                               .name = "slices",
                               .value = (double)slopes->slices,
                               .origin = "",
                               .reason = ""};
    struct pji_metric_row condition = {.task = task,
                                       .name = "slices_condition_number",
                                       .value = slopes->condition,
                                       .origin = "",
                                       .reason = slopes->reason};
    if (!isfinite(condition.value)) {
        condition.value = (double)NAN;
        condition.reason = there ? "not computed" : slopes->reason;
    }
    if (status == PJ_OK)
        status = pji_store_add_metric(store, attempt, &n, err);
    return status == PJ_OK ? pji_store_add_metric(store, attempt, &condition, err) : status;
}

/* What a part took of the window: of what was measured where anything was, so that the gain of one
 * instrument cancels. */
static struct pji_metric_row share_row(const struct pji_stages *stages, const char *task,
                                       const char *name, enum pji_stage part)
{
    bool any = stages->measured.origin != PJ_ORIGIN_MISSING;
    const struct pj_energy *whole = any ? &stages->measured : &stages->whole;
    const struct pji_total *total = &stages->totals[part];
    const struct pj_energy *own = any ? &total->measured : &total->energy;
    struct pji_metric_row row = {
        .task = task, .name = name, .value = (double)NAN, .origin = pj_origin_name(own->origin)};
    struct pji_ratio ratio;
    if (own->origin == PJ_ORIGIN_MISSING) {
        row.reason = own->reason;
    } else if (whole->origin == PJ_ORIGIN_MISSING ||
               pji_energy_ratio(&ratio, own, whole, NULL) != PJ_OK) {
        row.reason = "the window took no energy";
    } else {
        row.reason = "";
        row.value = ratio.value;
        row.u_ind = ratio.u_ind;
        row.u_com = ratio.u_com;
    }
    return row;
}

static pj_status store_measured(const struct pji_stages *stages, struct pji_store *store,
                                int64_t attempt, const char *task, struct pj_error *err)
{
    const struct pji_spans *s = &stages->spans;
    const struct pj_energy *prefill = &stages->totals[PJI_STAGE_PREFILL].measured;
    const struct pj_energy *decode = &stages->totals[PJI_STAGE_DECODE].measured;
    const struct pji_metric_row rows[] = {
        share_row(stages, task, "prefill_share", PJI_STAGE_PREFILL),
        share_row(stages, task, "decode_share", PJI_STAGE_DECODE),
        pji_metric_per(task, "prefill_j_per_token_measured", prefill, (double)s->prompt_tokens,
                       "all prompt tokens came from a cache"),
        pji_metric_per(task, "decode_j_per_token_measured", decode, (double)s->decode_tokens,
                       "no answer of the pool had more than one token"),
    };
    bool both = stages->modelled && stages->measured.origin != PJ_ORIGIN_MISSING;
    pj_status status = PJ_OK;
    for (size_t i = 0; i < (both ? 4 : 2) && status == PJ_OK; i++)
        status = pji_store_add_metric(store, attempt, &rows[i], err);
    return status;
}

pj_status pji_stages_store_metrics(const struct pji_stages *stages, struct pji_store *store,
                                   int64_t attempt, const char *task, struct pj_error *err)
{
    const struct pji_spans *s = &stages->spans;
    const struct pj_energy *prefill = &stages->totals[PJI_STAGE_PREFILL].energy;
    const struct pj_energy *decode = &stages->totals[PJI_STAGE_DECODE].energy;
    bool cut = s->reason[0] == '\0';
    static const char none[] = "no answer of the pool had more than one token";
    const struct pji_metric_row rows[] = {
        pji_metric_per(task, "prefill_j", prefill, 1, ""),
        pji_metric_per(task, "decode_j", decode, s->decode_tokens > 0 ? 1 : 0, none),
        pji_metric_per(task, "prefill_j_per_token", prefill, (double)s->prompt_tokens,
                       "all prompt tokens came from a cache"),
        pji_metric_per(task, "decode_j_per_token", decode, (double)s->decode_tokens, none),
        {.task = task,
         .name = "split_requests",
         .value = cut ? (double)s->requests : (double)NAN,
         .origin = "",
         .reason = s->reason},
    };
    pj_status status = PJ_OK;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && status == PJ_OK; i++)
        status = pji_store_add_metric(store, attempt, &rows[i], err);
    if (status == PJ_OK)
        status = store_measured(stages, store, attempt, task, err);
    if (status == PJ_OK && s->overlap)
        status = store_slopes(&stages->slopes, store, attempt, task, err);
    return status;
}

pj_status pji_stages_store_shares(const struct pji_stages *stages, struct pji_store *store,
                                  int64_t attempt, const struct pji_trial_data *data,
                                  const struct pji_phase_data *phase, struct pj_error *err)
{
    const char *task = phase->run.task != NULL ? phase->run.task->spec->name : "";
    size_t n = phase->load.n;
    if (stages->whole.origin == PJ_ORIGIN_MISSING)
        return PJ_OK;
    struct pji_share *shares = pji_zalloc(n + 1, sizeof *shares, err);
    pj_status status = shares != NULL ? PJ_OK : PJ_ENOMEM;
    if (status == PJ_OK)
        status = pji_shares_make(shares, &data->trace, stages->in_total, &stages->whole,
                                 &phase->load, phase->start_ns, phase->end_ns, err);
    for (size_t i = 0; i < n && status == PJ_OK; i++) {
        struct pji_share_row row = {.phase = phase->name,
                                    .task = task,
                                    .sequence = (int64_t)i,
                                    .end_ns = pji_request_end_ns(&phase->load.records[i]),
                                    .energy_j = shares[i].energy_j,
                                    .u_ind_j = shares[i].u_ind_j,
                                    .u_com_j = shares[i].u_com_j};
        if (shares[i].given)
            status = pji_store_add_share(store, attempt, &row, err);
    }
    free(shares);
    return status;
}
