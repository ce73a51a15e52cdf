/* analysis/summary.c - treatments and their figures: see summary.h for the definitions. */
#include "analysis/summary.h"

#include "analysis/gather.h"
#include "analysis/parts.h"
#include "core/array.h"
#include "stats/interval.h"
#include "stats/normal.h"
#include "stats/student.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double level = 0.95;

static pj_status make_label(struct pji_treatment *treatment, const struct pji_gathered *g,
                            const struct pji_gathered_trial *trial, struct pj_error *err)
{
    struct pji_str text = {0};
    treatment->levels = pji_zalloc(g->n_factors + 1, sizeof *treatment->levels, err);
    if (treatment->levels == NULL)
        return PJ_ENOMEM;
    for (size_t f = 0; f < g->n_factors; f++) {
        pji_str_addf(&text, "%s%s=", f > 0 ? ", " : "", g->factor_names[f]);
        pji_str_add_shown(&text, trial->levels[f]);
        treatment->levels[f] = pji_dup(trial->levels[f], err);
        if (treatment->levels[f] == NULL) {
            pji_str_fini(&text);
            return PJ_ENOMEM;
        }
    }
    if (g->n_factors == 0)
        pji_str_add(&text, "(all)");
    pj_status status = pji_str_ok(&text, err);
    treatment->label = pji_str_take(&text);
    return status;
}

static int by_cell(const void *a, const void *b)
{
    const struct pji_treatment *x = a;
    const struct pji_treatment *y = b;
    return (x->cell > y->cell) - (x->cell < y->cell);
}

static pj_status make_treatments(struct pji_summary *s, const struct pji_gathered *g,
                                 struct pj_error *err)
{
    size_t cap = 0;
    for (size_t i = 0; i < g->n; i++) {
        bool known = false;
        for (size_t t = 0; t < s->n_treatments; t++)
            known = known || s->treatments[t].cell == g->trials[i].cell;
        if (known)
            continue;
        pj_status status = pji_array_reserve(&s->treatments, &cap, s->n_treatments + 1,
                                             sizeof *s->treatments, err);
        if (status != PJ_OK)
            return status;
        struct pji_treatment *t = &s->treatments[s->n_treatments++];
        *t = (struct pji_treatment){.cell = g->trials[i].cell};
        status = make_label(t, g, &g->trials[i], err);
        if (status != PJ_OK)
            return status;
    }
    if (s->n_treatments > 0)
        qsort(s->treatments, s->n_treatments, sizeof *s->treatments, by_cell);
    return PJ_OK;
}

/* 95 % interval of a mean whose repetitions scatter with sd and which shares u_com (GUM G.4.1). */
static void full_interval(struct pji_figure *f)
{
    double type_a = f->n > 1 ? f->sd * f->sd / (double)f->n : 0;
    double u2 = type_a + f->u_com * f->u_com;
    f->lo = f->hi = (double)NAN;
    if (f->n < 2)
        return;
    double k = pji_normal_quantile(0.5 + level / 2);
    if (type_a > 0)
        k = pji_t_quantile(0.5 + level / 2, (double)(f->n - 1) * (u2 / type_a) * (u2 / type_a));
    f->lo = f->mean - k * sqrt(u2);
    f->hi = f->mean + k * sqrt(u2);
    /* Every figure here is a count, a time, an energy or a share: none but a net energy can be
     * negative. */
    if (f->mean >= 0 && f->lo < 0 && strcmp(f->name, "energy_net_j") != 0)
        f->lo = 0;
}

/* The weakest origin of two names: a mean is as good as its worst trial. */
static void weaken(char *origin, size_t size, const char *other)
{
    static const char *const order[] = {"", "counter", "integrated", "modelled", "constant"};
    size_t mine = 0;
    size_t theirs = 0;
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        mine = strcmp(origin, order[i]) == 0 ? i : mine;
        theirs = strcmp(other, order[i]) == 0 ? i : theirs;
    }
    if (theirs > mine)
        snprintf(origin, size, "%s", other);
}

static pj_status make_figure(struct pji_figure *f, const struct pji_gathered *g, int64_t cell,
                             struct pj_error *err)
{
    struct pji_mean_ci ci = {0};
    f->values = pji_zalloc(g->n + 1, sizeof *f->values, err);
    f->trials = pji_zalloc(g->n + 1, sizeof *f->trials, err);
    if (f->values == NULL || f->trials == NULL)
        return PJ_ENOMEM;
    f->mean = f->sd = f->lo = f->hi = (double)NAN;
    for (size_t i = 0; i < g->n; i++) {
        const struct pji_gathered_trial *t = &g->trials[i];
        const struct pji_gathered_metric *m =
            t->cell == cell ? pji_gathered_find(t, f->task, f->name) : NULL;
        if (m == NULL)
            continue;
        if (isnan(m->value)) {
            if (f->n_missing == 0)
                snprintf(f->reason, sizeof f->reason, "%s", m->reason);
            if (f->n == 0) /* as long as there is no value */
                f->trials[f->n_missing] = t->id;
            f->n_missing++;
            continue;
        }
        weaken(f->origin, sizeof f->origin, m->origin);
        f->u_com += m->u_com; /* common: adds linearly in a sum, so a mean keeps it */
        f->trials[f->n] = t->id;
        f->values[f->n++] = m->value;
    }
    if (f->n == 0)
        return PJ_OK;
    f->u_com /= (double)f->n;
    pj_status status = pji_mean_ci(f->values, f->n, level, &ci, err);
    if (status < 0)
        return status;
    f->mean = ci.mean;
    f->sd = ci.sd;
    full_interval(f);
    return PJ_OK;
}

static pj_status make_figures(struct pji_treatment *treatment, const struct pji_gathered *g,
                              struct pj_error *err)
{
    pj_status status = PJ_OK;
    for (size_t i = 0; i < g->n && status == PJ_OK; i++) {
        const struct pji_gathered_trial *t = &g->trials[i];
        for (size_t m = 0; t->cell == treatment->cell && m < t->n_metrics && status == PJ_OK; m++) {
            const struct pji_gathered_metric *metric = &t->metrics[m];
            if (pji_summary_figure(treatment, metric->task, metric->name) != NULL)
                continue;
            status = pji_array_reserve(&treatment->figures, &treatment->cap_figures,
                                       treatment->n_figures + 1, sizeof *treatment->figures, err);
            if (status != PJ_OK)
                return status;
            struct pji_figure *f = &treatment->figures[treatment->n_figures++];
            *f = (struct pji_figure){.task = pji_dup(metric->task, err),
                                     .name = pji_dup(metric->name, err)};
            status = f->task != NULL && f->name != NULL ? make_figure(f, g, treatment->cell, err)
                                                        : PJ_ENOMEM;
        }
    }
    return status;
}

static void count_states(struct pji_summary *s, struct pji_treatment *treatment,
                         const struct pji_gathered *g)
{
    for (size_t i = 0; i < g->n; i++) {
        if (g->trials[i].cell != treatment->cell)
            continue;
        treatment->n_trials++;
        switch (g->trials[i].state) {
        case PJI_TRIAL_DONE:
            treatment->done++;
            break;
        case PJI_TRIAL_FAILED:
            treatment->failed++;
            break;
        case PJI_TRIAL_INVALID:
            treatment->invalid++;
            break;
        case PJI_TRIAL_PLANNED:
        case PJI_TRIAL_RUNNING:
        case PJI_TRIAL_SKIPPED:
            treatment->open++;
            break;
        }
    }
    s->done += treatment->done;
    s->failed += treatment->failed;
    s->invalid += treatment->invalid;
    s->open += treatment->open;
}

pj_status pji_summary_make(struct pji_summary *summary, struct pji_store *store,
                           struct pj_error *err)
{
    struct pji_gathered g = {0};
    *summary = (struct pji_summary){0};
    pj_status status = pji_gather(&g, store, err);
    if (status == PJ_OK)
        status = make_treatments(summary, &g, err);
    for (size_t t = 0; t < summary->n_treatments && status == PJ_OK; t++) {
        count_states(summary, &summary->treatments[t], &g);
        status = make_figures(&summary->treatments[t], &g, err);
        if (status == PJ_OK)
            status = pji_summary_scores(&summary->treatments[t], &g, err);
    }
    if (status == PJ_OK)
        status = pji_summary_compare(summary, &g, err);
    if (status == PJ_OK)
        status = pji_summary_answers(summary, &g, err);
    if (status == PJ_OK)
        status = pji_summary_basis(summary, &g, store, err);
    if (status == PJ_OK)
        status = pji_summary_records(summary, &g, err);
    pji_gathered_fini(&g);
    if (status != PJ_OK)
        pji_summary_fini(summary);
    return status;
}

const struct pji_figure *pji_summary_figure(const struct pji_treatment *treatment, const char *task,
                                            const char *name)
{
    for (size_t i = 0; i < treatment->n_figures; i++) {
        const struct pji_figure *f = &treatment->figures[i];
        if (strcmp(f->task, task) == 0 && strcmp(f->name, name) == 0)
            return f;
    }
    return NULL;
}

static void treatment_fini(struct pji_treatment *t, size_t n_factors)
{
    for (size_t i = 0; i < t->n_figures; i++) {
        free(t->figures[i].task);
        free(t->figures[i].name);
        free(t->figures[i].values);
        free(t->figures[i].trials);
    }
    for (size_t i = 0; i < t->n_scores; i++)
        free(t->scores[i].task);
    for (size_t f = 0; t->levels != NULL && f < n_factors; f++)
        free(t->levels[f]);
    free(t->levels);
    free(t->label);
    free(t->figures);
    free(t->scores);
}

static void pairs_fini(struct pji_pair *pairs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(pairs[i].key);
        free(pairs[i].value);
    }
    free(pairs);
}

void pji_summary_fini(struct pji_summary *summary)
{
    for (size_t i = 0; i < summary->n_treatments; i++)
        treatment_fini(&summary->treatments[i], summary->n_factors);
    free(summary->treatments);
    for (size_t i = 0; i < summary->n_comparisons; i++) {
        free(summary->comparisons[i].task);
        free(summary->comparisons[i].name);
    }
    free(summary->comparisons);
    for (size_t i = 0; i < summary->n_answers; i++)
        free(summary->answers[i].task);
    free(summary->answers);
    for (size_t i = 0; i < summary->n_gates; i++) {
        free(summary->gates[i].code);
        free(summary->gates[i].consequence);
        free(summary->gates[i].detail);
    }
    free(summary->gates);
    pji_summary_records_fini(summary);
    pairs_fini(summary->factors, summary->n_factors);
    pairs_fini(summary->facts, summary->n_facts);
    pairs_fini(summary->sensors, summary->n_sensors);
    pairs_fini(summary->failures, summary->n_failures);
    free(summary->study);
    free(summary->question);
    free(summary->plan_sha256);
    free(summary->seed);
    free(summary->tool);
    free(summary->dir);
    free(summary->example_files);
    *summary = (struct pji_summary){0};
}
