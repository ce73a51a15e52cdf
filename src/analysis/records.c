/* analysis/records.c - every trial and value that a summary is made of, and the energy by domain.
 */
#include "analysis/parts.h"

#include "core/array.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t treatment_of(const struct pji_summary *s, int64_t cell)
{
    for (size_t t = 0; t < s->n_treatments; t++) {
        if (s->treatments[t].cell == cell)
            return t;
    }
    return 0;
}

static pj_status add_record(struct pji_summary *s, size_t *cap, size_t line,
                            const struct pji_gathered_metric *m, struct pj_error *err)
{
    pj_status status =
        pji_array_reserve(&s->records, cap, s->n_records + 1, sizeof *s->records, err);
    if (status != PJ_OK)
        return status;
    struct pji_record *r = &s->records[s->n_records++];
    *r = (struct pji_record){.line = line,
                             .task = pji_dup(m->task, err),
                             .name = pji_dup(m->name, err),
                             .value = m->value,
                             .u_ind = m->u_ind,
                             .u_com = m->u_com};
    snprintf(r->origin, sizeof r->origin, "%s", m->origin);
    snprintf(r->reason, sizeof r->reason, "%s", m->reason);
    return r->task != NULL && r->name != NULL ? PJ_OK : PJ_ENOMEM;
}

static pj_status add_lines(struct pji_summary *s, const struct pji_gathered *g,
                           struct pj_error *err)
{
    size_t cap = 0;
    pj_status status = PJ_OK;
    s->lines = pji_zalloc(g->n + 1, sizeof *s->lines, err);
    if (s->lines == NULL)
        return PJ_ENOMEM;
    for (size_t i = 0; i < g->n && status == PJ_OK; i++) {
        const struct pji_gathered_trial *t = &g->trials[i];
        s->lines[s->n_lines++] = (struct pji_trial_line){.trial = t->id,
                                                         .attempt = t->attempt,
                                                         .block = t->block,
                                                         .treatment = treatment_of(s, t->cell),
                                                         .state = t->state,
                                                         .reason = pji_dup(t->reason, err)};
        if (s->lines[i].reason == NULL)
            return PJ_ENOMEM;
        for (size_t m = 0; m < t->n_metrics && status == PJ_OK; m++)
            status = add_record(s, &cap, i, &t->metrics[m], err);
    }
    return status;
}

/* ---- energy by domain ---- */

static pj_status name_domain(struct pji_domains *d, const char *name, struct pj_error *err)
{
    for (size_t i = 0; i < d->n; i++) {
        if (strcmp(d->names[i], name) == 0)
            return PJ_OK;
    }
    if (pji_array_reserve(&d->names, &d->cap, d->n + 1, sizeof *d->names, err) != PJ_OK)
        return PJ_ENOMEM;
    d->names[d->n] = pji_dup(name, err);
    return d->names[d->n++] != NULL ? PJ_OK : PJ_ENOMEM;
}

/* Sum of a trial's channels of one domain; NaN when one of them is missing or there is none. */
static double domain_energy_j(const struct pji_gathered_trial *t, const char *task,
                              const char *domain)
{
    double sum = 0;
    bool any = false;
    for (size_t i = 0; i < t->n_energies; i++) {
        const struct pji_gathered_energy *e = &t->energies[i];
        if (e->total || strcmp(e->task, task) != 0 || strcmp(e->domain, domain) != 0)
            continue;
        any = true;
        sum += e->energy.origin == PJ_ORIGIN_MISSING ? (double)NAN : e->energy.value_j;
    }
    return any ? sum : (double)NAN;
}

static double mean_energy_j(const struct pji_gathered *g, int64_t cell, const char *task,
                            const char *domain)
{
    double sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < g->n; i++) {
        if (g->trials[i].cell != cell || g->trials[i].state != PJI_TRIAL_DONE)
            continue;
        sum += domain_energy_j(&g->trials[i], task, domain);
        n++;
    }
    return n > 0 ? sum / (double)n : (double)NAN;
}

static pj_status fill_domains(struct pji_summary *s, struct pji_domains *d,
                              const struct pji_gathered *g, struct pj_error *err)
{
    pj_status status = PJ_OK;
    for (size_t i = 0; i < g->n; i++) {
        for (size_t e = 0; e < g->trials[i].n_energies && status == PJ_OK; e++) {
            const struct pji_gathered_energy *energy = &g->trials[i].energies[e];
            if (!energy->total && strcmp(energy->task, d->task) == 0)
                status = name_domain(d, energy->domain, err);
        }
    }
    if (status != PJ_OK)
        return status;
    d->energy_j = pji_zalloc(s->n_treatments * d->n + 1, sizeof *d->energy_j, err);
    if (d->energy_j == NULL)
        return PJ_ENOMEM;
    for (size_t t = 0; t < s->n_treatments; t++) {
        for (size_t k = 0; k < d->n; k++)
            d->energy_j[t * d->n + k] =
                mean_energy_j(g, s->treatments[t].cell, d->task, d->names[k]);
    }
    return PJ_OK;
}

static bool known_task(const struct pji_summary *s, const char *task)
{
    for (size_t i = 0; i < s->n_domains; i++) {
        if (strcmp(s->domains[i].task, task) == 0)
            return true;
    }
    return false;
}

static pj_status add_domains(struct pji_summary *s, const struct pji_gathered *g,
                             struct pj_error *err)
{
    size_t cap = 0;
    for (size_t i = 0; i < g->n; i++) {
        for (size_t e = 0; e < g->trials[i].n_energies; e++) {
            const char *task = g->trials[i].energies[e].task;
            if (g->trials[i].energies[e].total || known_task(s, task))
                continue;
            pj_status status =
                pji_array_reserve(&s->domains, &cap, s->n_domains + 1, sizeof *s->domains, err);
            if (status != PJ_OK)
                return status;
            struct pji_domains *d = &s->domains[s->n_domains++];
            *d = (struct pji_domains){.task = pji_dup(task, err)};
            status = d->task != NULL ? fill_domains(s, d, g, err) : PJ_ENOMEM;
            if (status != PJ_OK)
                return status;
        }
    }
    return PJ_OK;
}

pj_status pji_summary_records(struct pji_summary *summary, const struct pji_gathered *g,
                              struct pj_error *err)
{
    pj_status status = add_lines(summary, g, err);
    return status == PJ_OK ? add_domains(summary, g, err) : status;
}

void pji_summary_records_fini(struct pji_summary *s)
{
    for (size_t i = 0; i < s->n_lines; i++)
        free(s->lines[i].reason);
    free(s->lines);
    for (size_t i = 0; i < s->n_records; i++) {
        free(s->records[i].task);
        free(s->records[i].name);
    }
    free(s->records);
    for (size_t i = 0; i < s->n_domains; i++) {
        struct pji_domains *d = &s->domains[i];
        for (size_t k = 0; k < d->n; k++)
            free(d->names[k]);
        free(d->names);
        free(d->task);
        free(d->energy_j);
    }
    free(s->domains);
}
