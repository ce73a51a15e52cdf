/* analysis/gather.c - see gather.h. */
#include "analysis/gather.h"

#include "core/array.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct gathering {
    struct pji_gathered *g;
    struct pji_gathered_trial *trial; /* whose records are being visited */
};

static pj_status on_factor(void *context, const char *name, const char *const *levels, size_t n,
                           struct pj_error *err)
{
    struct pji_gathered *g = context;
    (void)levels;
    (void)n;
    char **names = realloc(g->factor_names, (g->n_factors + 1) * sizeof *names);
    if (names == NULL)
        return pji_fail(err, PJ_ENOMEM, "out of memory");
    g->factor_names = names;
    names[g->n_factors] = pji_dup(name, err);
    if (names[g->n_factors] == NULL)
        return PJ_ENOMEM;
    g->n_factors++;
    return PJ_OK;
}

static pj_status on_trial(void *context, const struct pji_trial *trial, struct pj_error *err)
{
    struct pji_gathered *g = context;
    if (pji_array_reserve(&g->trials, &g->cap, g->n + 1, sizeof *g->trials, err) != PJ_OK)
        return PJ_ENOMEM;
    struct pji_gathered_trial *t = &g->trials[g->n++];
    *t = (struct pji_gathered_trial){
        .id = trial->id, .cell = trial->cell, .block = trial->block, .state = trial->state};
    t->reason = pji_dup(trial->reason, err);
    t->levels = pji_zalloc(g->n_factors + 1, sizeof *t->levels, err);
    if (t->reason == NULL || t->levels == NULL)
        return PJ_ENOMEM;
    for (size_t f = 0; f < g->n_factors; f++) {
        t->levels[f] = pji_dup(trial->levels[f], err);
        if (t->levels[f] == NULL)
            return PJ_ENOMEM;
    }
    return PJ_OK;
}

static pj_status on_metric(void *context, const struct pji_metric_row *row, struct pj_error *err)
{
    struct pji_gathered_trial *t = ((struct gathering *)context)->trial;
    if (pji_array_reserve(&t->metrics, &t->cap_metrics, t->n_metrics + 1, sizeof *t->metrics,
                          err) != PJ_OK)
        return PJ_ENOMEM;
    struct pji_gathered_metric *m = &t->metrics[t->n_metrics++];
    *m =
        (struct pji_gathered_metric){.value = row->value, .u_ind = row->u_ind, .u_com = row->u_com};
    snprintf(m->origin, sizeof m->origin, "%s", row->origin);
    snprintf(m->reason, sizeof m->reason, "%s", row->reason);
    m->task = pji_dup(row->task, err);
    m->name = pji_dup(row->name, err);
    return m->task != NULL && m->name != NULL ? PJ_OK : PJ_ENOMEM;
}

static pj_status on_energy(void *context, const struct pji_energy_row *row, struct pj_error *err)
{
    struct pji_gathered_trial *t = ((struct gathering *)context)->trial;
    bool total = strcmp(row->name, "total") == 0;
    if (strcmp(row->phase, "measure") != 0 || (!total && !row->in_total))
        return PJ_OK;
    if (pji_array_reserve(&t->energies, &t->cap_energies, t->n_energies + 1, sizeof *t->energies,
                          err) != PJ_OK)
        return PJ_ENOMEM;
    struct pji_gathered_energy *e = &t->energies[t->n_energies++];
    *e = (struct pji_gathered_energy){
        .energy = row->energy, .total = total, .task = pji_dup(row->task, err)};
    snprintf(e->domain, sizeof e->domain, "%s", row->domain);
    return e->task != NULL ? PJ_OK : PJ_ENOMEM;
}

static pj_status on_answer(void *context, const struct pji_answer_row *row, struct pj_error *err)
{
    struct pji_gathered_trial *t = ((struct gathering *)context)->trial;
    if (pji_array_reserve(&t->answers, &t->cap_answers, t->n_answers + 1, sizeof *t->answers,
                          err) != PJ_OK)
        return PJ_ENOMEM;
    struct pji_gathered_answer *a = &t->answers[t->n_answers++];
    *a = (struct pji_gathered_answer){.task = pji_dup(row->task, err),
                                      .item = pji_dup(row->item, err),
                                      .gold = pji_dup(row->gold, err)};
    if (row->parsable)
        a->answer = pji_dup(row->answer, err);
    bool ok = a->task != NULL && a->item != NULL && a->gold != NULL &&
              (a->answer != NULL || !row->parsable);
    return ok ? PJ_OK : PJ_ENOMEM;
}

static pj_status on_request(void *context, const struct pji_request_row *row, struct pj_error *err)
{
    struct pji_gathered_trial *t = ((struct gathering *)context)->trial;
    if (strcmp(row->phase, "measure") != 0 || row->text_sha256[0] == '\0')
        return PJ_OK;
    if (pji_array_reserve(&t->outputs, &t->cap_outputs, t->n_outputs + 1, sizeof *t->outputs,
                          err) != PJ_OK)
        return PJ_ENOMEM;
    struct pji_gathered_output *o = &t->outputs[t->n_outputs++];
    *o = (struct pji_gathered_output){.task = pji_dup(row->task, err),
                                      .item = pji_dup(row->item, err),
                                      .sha256 = pji_dup(row->text_sha256, err)};
    return o->task != NULL && o->item != NULL && o->sha256 != NULL ? PJ_OK : PJ_ENOMEM;
}

static pj_status gather_records(struct gathering *ctx, struct pji_store *store,
                                struct pj_error *err)
{
    int64_t attempt = ctx->trial->attempt;
    pj_status status = pji_store_each_metric(store, attempt, on_metric, ctx, err);
    if (status == PJ_OK)
        status = pji_store_each_energy(store, attempt, on_energy, ctx, err);
    if (status == PJ_OK)
        status = pji_store_each_answer(store, attempt, on_answer, ctx, err);
    if (status == PJ_OK)
        status = pji_store_each_request(store, attempt, on_request, ctx, err);
    return status;
}

pj_status pji_gather(struct pji_gathered *gathered, struct pji_store *store, struct pj_error *err)
{
    *gathered = (struct pji_gathered){0};
    pj_status status = pji_store_each_factor(store, on_factor, gathered, err);
    if (status == PJ_OK)
        status = pji_store_each_trial(store, on_trial, gathered, err);
    for (size_t i = 0; i < gathered->n && status == PJ_OK; i++) {
        struct gathering ctx = {gathered, &gathered->trials[i]};
        status = pji_store_last_attempt(store, gathered->trials[i].id, &gathered->trials[i].attempt,
                                        err);
        if (status == PJI_STORE_NONE) {
            status = PJ_OK;
            continue;
        }
        if (status == PJ_OK && gathered->trials[i].state == PJI_TRIAL_DONE)
            status = gather_records(&ctx, store, err);
    }
    if (status != PJ_OK)
        pji_gathered_fini(gathered);
    return status;
}

static void trial_fini(struct pji_gathered_trial *t, size_t n_factors)
{
    for (size_t i = 0; i < t->n_metrics; i++) {
        free(t->metrics[i].task);
        free(t->metrics[i].name);
    }
    for (size_t i = 0; i < t->n_energies; i++)
        free(t->energies[i].task);
    for (size_t i = 0; i < t->n_answers; i++) {
        free(t->answers[i].task);
        free(t->answers[i].item);
        free(t->answers[i].gold);
        free(t->answers[i].answer);
    }
    for (size_t i = 0; i < t->n_outputs; i++) {
        free(t->outputs[i].task);
        free(t->outputs[i].item);
        free(t->outputs[i].sha256);
    }
    for (size_t f = 0; t->levels != NULL && f < n_factors; f++)
        free(t->levels[f]);
    free(t->levels);
    free(t->reason);
    free(t->metrics);
    free(t->energies);
    free(t->answers);
    free(t->outputs);
}

void pji_gathered_fini(struct pji_gathered *gathered)
{
    for (size_t i = 0; i < gathered->n; i++)
        trial_fini(&gathered->trials[i], gathered->n_factors);
    free(gathered->trials);
    for (size_t f = 0; f < gathered->n_factors; f++)
        free(gathered->factor_names[f]);
    free(gathered->factor_names);
    *gathered = (struct pji_gathered){0};
}

const struct pji_gathered_metric *pji_gathered_find(const struct pji_gathered_trial *trial,
                                                    const char *task, const char *name)
{
    for (size_t i = 0; i < trial->n_metrics; i++) {
        if (strcmp(trial->metrics[i].task, task) == 0 && strcmp(trial->metrics[i].name, name) == 0)
            return &trial->metrics[i];
    }
    return NULL;
}

const struct pj_energy *pji_gathered_energy(const struct pji_gathered_trial *trial,
                                            const char *task)
{
    for (size_t i = 0; i < trial->n_energies; i++) {
        if (trial->energies[i].total && strcmp(trial->energies[i].task, task) == 0)
            return &trial->energies[i].energy;
    }
    return NULL;
}

size_t pji_gathered_parts(const struct pji_gathered_trial *trial, const char *task,
                          struct pj_energy *parts, size_t size)
{
    const struct pj_energy *total = pji_gathered_energy(trial, task);
    size_t n = 0;
    for (size_t i = 0; i < trial->n_energies; i++) {
        const struct pji_gathered_energy *e = &trial->energies[i];
        if (e->total || strcmp(e->task, task) != 0 || e->energy.origin == PJ_ORIGIN_MISSING)
            continue;
        if (n == size)
            break;
        parts[n++] = e->energy;
    }
    if (n == 0 && total != NULL && size > 0)
        parts[n++] = *total;
    return n;
}
