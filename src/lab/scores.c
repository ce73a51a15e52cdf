#include "lab/scores.h"

#include <math.h>
#include <string.h>

static void count_binary(struct pji_scores *s, const struct pji_item *item,
                         const struct pji_scored *scored)
{
    bool gold = strcmp(item->gold, s->positive) == 0;
    bool said = scored->parsable && strcmp(scored->answer, s->positive) == 0;
    size_t *count = !scored->parsable ? (gold ? &s->binary.lost_positive : &s->binary.lost_negative)
                    : gold            ? (said ? &s->binary.tp : &s->binary.fn)
                                      : (said ? &s->binary.fp : &s->binary.tn);
    (*count)++;
}

pj_status pji_scores_add(struct pji_scores *s, const struct pji_workload_task *task,
                         const struct pji_item *item, const struct pji_request_record *record,
                         struct pji_scored *out, struct pj_error *err)
{
    const struct pji_task_spec *spec = task->spec;
    const struct pji_scorer scorer = {.kind = spec->scorer,
                                      .choices = (const char *const *)task->choices,
                                      .n_choices = task->n_choices,
                                      .answer_after = spec->answer_after,
                                      .tolerance = spec->tolerance};
    s->kind = spec->scorer;
    s->positive = spec->positive;
    pj_status status =
        pji_score(&scorer, record->error == NULL ? record->text : NULL, item->gold, out, err);
    if (status != PJ_OK)
        return status;
    s->answers++;
    s->parsable += out->parsable ? 1 : 0;
    s->correct += out->correct ? 1 : 0;
    s->f1 += spec->scorer == PJI_SCORER_F1 ? out->f1 : 0.0;
    if (spec->scorer == PJI_SCORER_BINARY)
        count_binary(s, item, out);
    return PJ_OK;
}

static pj_status put_one(pji_scores_sink *put, void *context, const char *name, double value,
                         const char *why_none)
{
    return put(context, name, value, isnan(value) ? why_none : "");
}

static pj_status each_binary(const struct pji_scores *s, pji_scores_sink *put, void *context)
{
    const struct pji_binary_figures b = pji_binary_figures(&s->binary);
    const struct {
        const char *name;
        double value;
        const char *why_none;
    } rows[] = {
        {"precision_share", b.precision, "no answer was positive"},
        {"recall_share", b.recall, "no item is positive"},
        {"f1_share", b.f1, "no item and no answer is positive"},
        {"mcc_coef", b.mcc, "items or parsable answers are all of one class"},
        {"balanced_accuracy_share", b.balanced_accuracy, "the items are all of one class"},
        {"positive_share", b.positive_rate, "no answer was parsable"},
        {"always_positive_f1_share", b.always_positive_f1, "no item"},
    };
    pj_status status = PJ_OK;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && status == PJ_OK; i++)
        status = put_one(put, context, rows[i].name, rows[i].value, rows[i].why_none);
    return status;
}

pj_status pji_scores_each(const struct pji_scores *s, pji_scores_sink *put, void *context)
{
    double n = (double)s->answers;
    if (s->answers == 0)
        return PJ_OK;
    pj_status status = put(context, "accuracy_share", (double)s->correct / n, "");
    if (status == PJ_OK)
        status = put(context, "coverage_share", (double)s->parsable / n, "");
    if (status == PJ_OK && s->kind == PJI_SCORER_F1)
        status = put(context, "f1_share", s->f1 / n, "");
    if (status == PJ_OK && s->kind == PJI_SCORER_BINARY)
        status = each_binary(s, put, context);
    return status;
}
