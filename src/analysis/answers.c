/* analysis/answers.c - the answers of every treatment against those of the first, task by task. */
#include "analysis/parts.h"

#include "core/array.h"
#include "stats/adjust.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The answers of one treatment to one task, borrowed. */
static struct pji_answer *collect(const struct pji_gathered *g, int64_t cell, const char *task,
                                  size_t *n, struct pj_error *err)
{
    size_t total = 0;
    for (size_t i = 0; i < g->n; i++)
        total += g->trials[i].cell == cell ? g->trials[i].n_answers : 0;
    struct pji_answer *out = pji_zalloc(total + 1, sizeof *out, err);
    *n = 0;
    for (size_t i = 0; i < g->n && out; i++) {
        const struct pji_gathered_trial *t = &g->trials[i];
        for (size_t a = 0; t->cell == cell && a < t->n_answers; a++)
            if (strcmp(t->answers[a].task, task) == 0)
                out[(*n)++] = (struct pji_answer){.item = t->answers[a].item,
                                                  .gold = t->answers[a].gold,
                                                  .answer = t->answers[a].answer};
    }
    return out;
}

static pj_status add_pair(struct pji_summary *s, size_t *cap, const struct pji_gathered *g,
                          const char *task, size_t other, struct pj_error *err)
{
    size_t n_a = 0, n_b = 0;
    struct pji_answer *b = NULL;
    struct pji_answer *a = collect(g, s->treatments[0].cell, task, &n_a, err);
    pj_status st = a ? PJ_OK : PJ_ENOMEM;
    if (st == PJ_OK) {
        b = collect(g, s->treatments[other].cell, task, &n_b, err);
        st = b ? pji_array_reserve(&s->answers, cap, s->n_answers + 1, sizeof *s->answers, err)
               : PJ_ENOMEM;
    }
    if (st == PJ_OK && n_a > 0 && n_b > 0) {
        struct pji_answers_compared *row = &s->answers[s->n_answers];
        *row = (struct pji_answers_compared){.other = other, .p_holm = (double)NAN};
        row->task = pji_dup(task, err);
        st = row->task ? PJ_OK : PJ_ENOMEM;
        if (st == PJ_OK) {
            s->n_answers++;
            st = pji_answers_pair(&row->pair, a, n_a, b, n_b, err);
        }
    }
    free(a);
    free(b);
    return st;
}

static pj_status adjust(struct pji_summary *s, struct pj_error *err)
{
    double *p = pji_zalloc(s->n_answers + 1, sizeof *p, err);
    if (!p)
        return PJ_ENOMEM;
    for (size_t i = 0; i < s->n_answers; i++)
        p[i] = s->answers[i].pair.p;
    pj_status st = pji_adjust_p(PJI_ADJUST_HOLM, p, s->n_answers, p, err);
    for (size_t i = 0; i < s->n_answers && st == PJ_OK; i++)
        s->answers[i].p_holm = p[i];
    free(p);
    return st;
}

pj_status pji_summary_answers(struct pji_summary *summary, const struct pji_gathered *g,
                              struct pj_error *err)
{
    size_t cap = 0;
    pj_status st = PJ_OK;
    if (summary->n_treatments < 2)
        return PJ_OK;
    const struct pji_treatment *first = &summary->treatments[0];
    for (size_t i = 0; i < first->n_scores && st == PJ_OK; i++)
        for (size_t t = 1; t < summary->n_treatments && st == PJ_OK; t++)
            st = add_pair(summary, &cap, g, first->scores[i].task, t, err);
    return st ? st : adjust(summary, err);
}
