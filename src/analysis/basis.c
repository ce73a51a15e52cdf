/* analysis/basis.c - what a study's figures rest on. */
#include "analysis/parts.h"

#include "core/array.h"
#include "core/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- scores ---- */

pj_status pji_summary_scores(struct pji_treatment *treatment, const struct pji_gathered *g,
                             struct pj_error *err)
{
    size_t cap = 0;
    size_t total = 0;
    pj_status status = PJ_OK;
    for (size_t i = 0; i < g->n; i++)
        total += g->trials[i].cell == treatment->cell ? g->trials[i].n_answers : 0;
    struct pji_answer *answers = pji_zalloc(total + 1, sizeof *answers, err);
    if (answers == NULL)
        return PJ_ENOMEM;
    for (size_t f = 0; f < treatment->n_figures && status == PJ_OK; f++) {
        const char *task = treatment->figures[f].task;
        size_t n = 0;
        if (strcmp(treatment->figures[f].name, "accuracy_share") != 0)
            continue;
        for (size_t i = 0; i < g->n; i++) {
            const struct pji_gathered_trial *t = &g->trials[i];
            for (size_t a = 0; t->cell == treatment->cell && a < t->n_answers; a++) {
                if (strcmp(t->answers[a].task, task) == 0)
                    answers[n++] = (struct pji_answer){.item = t->answers[a].item,
                                                       .gold = t->answers[a].gold,
                                                       .answer = t->answers[a].answer};
            }
        }
        if (n == 0)
            continue;
        status = pji_array_reserve(&treatment->scores, &cap, treatment->n_scores + 1,
                                   sizeof *treatment->scores, err);
        if (status != PJ_OK)
            break;
        struct pji_score *score = &treatment->scores[treatment->n_scores++];
        *score = (struct pji_score){.task = pji_dup(task, err)};
        status = score->task != NULL ? pji_accuracy_compute(&score->accuracy, answers, n, err)
                                     : PJ_ENOMEM;
    }
    free(answers);
    return status;
}

/* ---- identical outputs ---- */

static int by_item(const void *a, const void *b)
{
    const struct pji_gathered_output *x = *(const struct pji_gathered_output *const *)a;
    const struct pji_gathered_output *y = *(const struct pji_gathered_output *const *)b;
    int c = strcmp(x->task, y->task);
    if (c == 0)
        c = strcmp(x->item, y->item);
    return c != 0 ? c : strcmp(x->sha256, y->sha256);
}

/* Within one treatment: does every item that was answered twice or more have one output only? */
static pj_status identical(struct pji_summary *s, const struct pji_gathered *g, int64_t cell,
                           struct pj_error *err)
{
    size_t n = 0;
    for (size_t i = 0; i < g->n; i++)
        n += g->trials[i].cell == cell ? g->trials[i].n_outputs : 0;
    const struct pji_gathered_output **all = pji_zalloc(n + 1, sizeof(void *), err);
    if (all == NULL)
        return PJ_ENOMEM;
    n = 0;
    for (size_t i = 0; i < g->n; i++) {
        for (size_t o = 0; g->trials[i].cell == cell && o < g->trials[i].n_outputs; o++)
            all[n++] = &g->trials[i].outputs[o];
    }
    qsort(all, n, sizeof(void *), by_item);
    for (size_t i = 1; i < n; i++) {
        if (strcmp(all[i]->task, all[i - 1]->task) != 0 ||
            strcmp(all[i]->item, all[i - 1]->item) != 0)
            continue;
        s->repeated_items++;
        if (strcmp(all[i]->sha256, all[i - 1]->sha256) != 0)
            s->identical_outputs = false;
    }
    free(all);
    return PJ_OK;
}

/* ---- pairs, gates, texts ---- */

static pj_status add_pair(struct pji_pair **pairs, size_t *n, const char *key, const char *value,
                          struct pj_error *err)
{
    struct pji_pair *grown = realloc(*pairs, (*n + 1) * sizeof *grown);
    if (grown == NULL)
        return pji_fail(err, PJ_ENOMEM, "out of memory");
    *pairs = grown;
    grown[*n] = (struct pji_pair){.key = pji_dup(key, err), .value = pji_dup(value, err)};
    (*n)++;
    return grown[*n - 1].key != NULL && grown[*n - 1].value != NULL ? PJ_OK : PJ_ENOMEM;
}

static pj_status on_fact(void *context, const char *key, const char *value, struct pj_error *err)
{
    struct pji_summary *s = context;
    return add_pair(&s->facts, &s->n_facts, key, value, err);
}

static pj_status on_factor(void *context, const char *name, const char *const *levels, size_t n,
                           struct pj_error *err)
{
    struct pji_summary *s = context;
    struct pji_str text = {0};
    for (size_t i = 0; i < n; i++)
        pji_str_addf(&text, "%s%s", i > 0 ? ", " : "", levels[i]);
    pj_status status = pji_str_ok(&text, err);
    if (status == PJ_OK)
        status = add_pair(&s->factors, &s->n_factors, name, pji_str_text(&text), err);
    pji_str_fini(&text);
    return status;
}

struct gate_visit {
    struct pji_summary *summary;
    int64_t trial;
};

static pj_status on_gate(void *context, const struct pji_gate_row *row, struct pj_error *err)
{
    struct gate_visit *visit = context;
    struct pji_summary *s = visit->summary;
    for (size_t i = 0; i < s->n_gates; i++) {
        if (strcmp(s->gates[i].code, row->code) == 0) {
            s->gates[i].n_trials += s->gates[i].last_trial == visit->trial ? 0 : 1;
            s->gates[i].last_trial = visit->trial;
            return PJ_OK;
        }
    }
    struct pji_fired_gate *grown = realloc(s->gates, (s->n_gates + 1) * sizeof *grown);
    if (grown == NULL)
        return pji_fail(err, PJ_ENOMEM, "out of memory");
    s->gates = grown;
    struct pji_fired_gate *gate = &grown[s->n_gates++];
    *gate = (struct pji_fired_gate){.code = pji_dup(row->code, err),
                                    .consequence = pji_dup(row->consequence, err),
                                    .detail = pji_dup(row->detail, err),
                                    .n_trials = 1,
                                    .first_trial = visit->trial,
                                    .last_trial = visit->trial};
    return gate->code != NULL && gate->consequence != NULL && gate->detail != NULL ? PJ_OK
                                                                                   : PJ_ENOMEM;
}

static pj_status on_energy(void *context, const struct pji_energy_row *row, struct pj_error *err)
{
    struct pji_summary *s = context;
    if (strcmp(row->phase, "measure") != 0)
        return PJ_OK;
    if (strcmp(row->name, "total") == 0) {
        snprintf(s->total_label, sizeof s->total_label, "%s", row->domain);
        snprintf(s->total_set, sizeof s->total_set, "%s", row->set);
        return PJ_OK;
    }
    for (size_t i = 0; i < s->n_sensors; i++) {
        if (strcmp(s->sensors[i].key, row->name) == 0)
            return PJ_OK;
    }
    struct pji_str text = {0};
    const struct pj_energy *e = &row->energy;
    pji_str_addf(&text, "%s, %s", row->domain, pj_origin_name(e->origin));
    if (e->origin == PJ_ORIGIN_MISSING)
        pji_str_addf(&text, " (%s)", e->reason);
    else if (e->value_j > 0)
        pji_str_addf(&text, ", u = %.1f %% of a window (%.1f %% common)",
                     100 * pj_energy_u(e) / e->value_j, 100 * e->u_com_j / e->value_j);
    pji_str_add(&text, row->in_total ? ", in the total" : ", not in the total");
    pj_status status = pji_str_ok(&text, err);
    if (status == PJ_OK)
        status = add_pair(&s->sensors, &s->n_sensors, row->name, pji_str_text(&text), err);
    pji_str_fini(&text);
    return status;
}

static pj_status get_text(struct pji_store *store, const char *key, char **out,
                          struct pj_error *err)
{
    pj_status status = pji_store_get_meta(store, key, out, err);
    if (status == PJI_STORE_NONE) {
        *out = pji_dup("", err);
        return *out != NULL ? PJ_OK : PJ_ENOMEM;
    }
    return status;
}

/* The plan's digest and those of its extensions. */
static pj_status read_plan(struct pji_summary *s, struct pji_store *store, struct pj_error *err)
{
    struct pji_str text = {0};
    char *digest = NULL;
    char key[64];
    pj_status status = get_text(store, "plan_sha256", &digest, err);
    for (int n = 1; status == PJ_OK && digest[0] != '\0'; n++) {
        if (n > 1)
            pji_str_addf(&text, "; extension %d: ", n - 1);
        pji_str_add(&text, digest);
        free(digest);
        digest = NULL;
        snprintf(key, sizeof key, "extension.%d.plan_sha256", n);
        status = get_text(store, key, &digest, err);
    }
    free(digest);
    if (status == PJ_OK)
        status = pji_str_ok(&text, err);
    if (status == PJ_OK)
        s->plan_sha256 = pji_dup(pji_str_text(&text), err);
    pji_str_fini(&text);
    return status == PJ_OK && s->plan_sha256 == NULL ? PJ_ENOMEM : status;
}

static pj_status read_texts(struct pji_summary *s, struct pji_store *store, struct pj_error *err)
{
    char *created = NULL;
    pj_status status = get_text(store, "study", &s->study, err);
    if (status == PJ_OK)
        status = get_text(store, "question", &s->question, err);
    if (status == PJ_OK)
        status = read_plan(s, store, err);
    if (status == PJ_OK)
        status = get_text(store, "seed", &s->seed, err);
    if (status == PJ_OK)
        status = get_text(store, "tool", &s->tool, err);
    if (status == PJ_OK)
        status = get_text(store, "created_wall_ns", &created, err);
    if (status == PJ_OK && created != NULL)
        s->created_wall_ns = strtoll(created, NULL, 10);
    free(created);
    if (status == PJ_OK) {
        s->dir = pji_dup(pji_store_dir(store), err);
        status = s->dir != NULL ? PJ_OK : PJ_ENOMEM;
    }
    return status;
}

struct file_visit {
    struct pji_summary *summary;
    struct pji_store *store;
    struct pji_str names;
};

/* A file counts when it is where the study says. */
static pj_status on_artefact(void *context, const struct pji_artefact_row *row,
                             struct pj_error *err)
{
    struct file_visit *visit = context;
    struct pji_str path = {0};
    pji_str_addf(&path, "%s/%s", pji_store_dir(visit->store), row->path);
    pj_status status = pji_str_ok(&path, err);
    if (status == PJ_OK && access(path.text, F_OK) == 0) {
        pji_str_addf(&visit->names, "%s%s", visit->names.len > 0 ? ", " : "", row->name);
        visit->summary->example_trace =
            visit->summary->example_trace || strcmp(row->name, "trace.jsonl") == 0;
    }
    pji_str_fini(&path);
    return status;
}

static pj_status find_files(struct pji_summary *s, struct pji_store *store, struct pj_error *err)
{
    struct file_visit visit = {.summary = s, .store = store};
    pj_status status = pji_store_each_artefact(store, s->example_attempt, on_artefact, &visit, err);
    if (status == PJ_OK)
        status = pji_str_ok(&visit.names, err);
    if (status == PJ_OK) {
        s->example_files = pji_dup(pji_str_text(&visit.names), err);
        status = s->example_files != NULL ? PJ_OK : PJ_ENOMEM;
    }
    pji_str_fini(&visit.names);
    return status;
}

static pj_status visit_trial(struct pji_summary *s, const struct pji_gathered_trial *t,
                             struct pji_store *store, struct pj_error *err)
{
    struct gate_visit visit = {s, t->id};
    char number[32];
    pj_status status = PJ_OK;
    if (t->attempt == 0)
        return PJ_OK;
    if (t->state == PJI_TRIAL_FAILED || t->state == PJI_TRIAL_INVALID) {
        snprintf(number, sizeof number, "%lld", (long long)t->id);
        status = add_pair(&s->failures, &s->n_failures, number, t->reason, err);
    }
    if (status == PJ_OK)
        status = pji_store_each_gate(store, t->attempt, on_gate, &visit, err);
    if (status == PJ_OK && t->state == PJI_TRIAL_DONE && s->example_attempt == 0) {
        s->example_attempt = t->attempt;
        s->example_trial = t->id;
        status = pji_store_each_energy(store, t->attempt, on_energy, s, err);
        if (status == PJ_OK)
            status = pji_store_each_fact(store, t->attempt, on_fact, s, err);
        if (status == PJ_OK)
            status = find_files(s, store, err);
    }
    return status;
}

pj_status pji_summary_basis(struct pji_summary *summary, const struct pji_gathered *g,
                            struct pji_store *store, struct pj_error *err)
{
    pj_status status = read_texts(summary, store, err);
    if (status == PJ_OK)
        status = pji_store_each_factor(store, on_factor, summary, err);
    if (status == PJ_OK)
        status = pji_store_each_fact(store, 0, on_fact, summary, err);
    summary->n_study_facts = summary->n_facts;
    for (size_t i = 0; i < g->n && status == PJ_OK; i++)
        status = visit_trial(summary, &g->trials[i], store, err);
    summary->identical_outputs = true;
    for (size_t t = 0; t < summary->n_treatments && status == PJ_OK; t++)
        status = identical(summary, g, summary->treatments[t].cell, err);
    if (summary->repeated_items == 0)
        summary->identical_outputs = false;
    return status;
}
