/* Answers scored again: the texts are those of requests.jsonl, the gold labels those of the
 * records (the items are no file of the study). Where the choices are the labels that the items
 * happen to have, what the records took from a text stands.
 */
#include "lab/recount_parts.h"
#include "lab/scores.h"

#include "core/array.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

pj_status pji_recount_told(struct recounting *w, const struct pji_answer_row *row,
                           struct pj_error *err)
{
    size_t task = 0;
    while (task < w->r->study->n_tasks && strcmp(w->specs[task].name, row->task) != 0)
        task++;
    if (task == w->r->study->n_tasks)
        return PJ_OK;
    pj_status status =
        pji_array_reserve(&w->told, &w->cap_told, w->n_told + 1, sizeof *w->told, err);
    if (status != PJ_OK)
        return status;
    struct told_answer *told = &w->told[w->n_told];
    *told = (struct told_answer){.task = task,
                                 .item = pji_recount_keep(w, row->item, err),
                                 .answer = pji_recount_keep(w, row->answer, err),
                                 .gold = pji_recount_keep(w, row->gold, err),
                                 .parsable = row->parsable,
                                 .correct = row->correct};
    if (told->item == NULL || told->answer == NULL || told->gold == NULL)
        return PJ_ENOMEM;
    w->n_told++;
    return PJ_OK;
}

/* The request whose answer is the k-th of its task: they were written in one order. */
static const struct pji_request_record *request_of(const struct pji_phase_data *phase, size_t k,
                                                   const char *item)
{
    if (phase == NULL || k >= phase->load.n)
        return NULL;
    const struct pji_request_record *r = &phase->load.records[k];
    return strcmp(phase->run.specs[r->spec].item, item) == 0 ? r : NULL;
}

static bool knows_choices(const struct pji_task_spec *spec)
{
    return spec->n_choices > 0 ||
           (spec->scorer != PJI_SCORER_CHOICE && spec->scorer != PJI_SCORER_BINARY);
}

static pj_status score(struct recounting *w, struct told_answer *told,
                       const struct pji_request_record *record, struct pji_scores *scores,
                       struct pj_error *err)
{
    const struct pji_task_spec *spec = &w->specs[told->task];
    const struct pji_workload_task task = {
        .spec = spec, .choices = spec->choices, .n_choices = spec->n_choices};
    const struct pji_item item = {.id = told->item, .gold = told->gold};
    struct pji_scored scored = {0};
    pj_status status = pji_scores_add(scores, &task, &item, record, &scored, err);
    char *answer = status == PJ_OK ? pji_recount_keep(w, scored.answer, err) : NULL;
    if (status == PJ_OK && answer == NULL)
        status = PJ_ENOMEM;
    told->answer = answer;
    told->parsable = scored.parsable;
    told->correct = scored.correct;
    pji_scored_fini(&scored);
    return status;
}

static void believe(const struct told_answer *told, struct pji_scores *scores)
{
    scores->answers++;
    scores->parsable += told->parsable ? 1 : 0;
    scores->correct += told->correct ? 1 : 0;
}

struct figure_target {
    struct recounting *w;
    const char *task;
    struct pj_error *err;
};

static pj_status put_figure(void *context, const char *name, double value, const char *reason)
{
    const struct figure_target *t = context;
    const struct pji_metric_row row = {
        .task = t->task, .name = name, .value = value, .origin = "", .reason = reason};
    return pji_store_add_metric(t->w->r->into, t->w->r->into_attempt, &row, t->err);
}

pj_status pji_recount_answers(struct recounting *w, size_t task, const struct pji_phase_data *phase,
                              size_t *correct, struct pj_error *err)
{
    const char *name = w->specs[task].name;
    struct pji_scores scores = {0};
    pj_status status = PJ_OK;
    size_t k = 0;
    for (size_t i = 0; i < w->n_told && status == PJ_OK; i++) {
        struct told_answer *told = &w->told[i];
        if (told->task != task)
            continue;
        const struct pji_request_record *record = request_of(phase, k++, told->item);
        if (record != NULL && knows_choices(&w->specs[task]))
            status = score(w, told, record, &scores, err);
        else
            believe(told, &scores);
        const struct pji_answer_row row = {.task = name,
                                           .item = told->item,
                                           .answer = told->answer,
                                           .gold = told->gold,
                                           .parsable = told->parsable,
                                           .correct = told->correct};
        if (status == PJ_OK)
            status = pji_store_add_answer(w->r->into, w->r->into_attempt, &row, err);
    }
    struct figure_target target = {w, name, err};
    *correct = scores.correct;
    return status == PJ_OK ? pji_scores_each(&scores, put_figure, &target) : status;
}
