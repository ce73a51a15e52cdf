#include "lab/replicas.h"

#include "core/array.h"
#include "evidence/gates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- which repetition to hold it against ---- */

enum { FOUND = 1 };

struct search {
    int64_t trial, cell; /* cell -1: not found yet */
    int64_t other, repetition;
};

static pj_status find_cell(void *context, const struct pji_trial *trial, struct pj_error *err)
{
    struct search *s = context;
    (void)err;
    if (trial->id != s->trial)
        return PJ_OK;
    s->cell = trial->cell;
    return FOUND;
}

static pj_status find_other(void *context, const struct pji_trial *trial, struct pj_error *err)
{
    struct search *s = context;
    (void)err;
    if (trial->cell != s->cell || trial->id == s->trial || trial->state != PJI_TRIAL_DONE)
        return PJ_OK;
    s->other = trial->id;
    s->repetition = trial->repetition;
    return FOUND;
}

/* ---- the answers of one attempt ---- */

struct answer {
    char *task, *item;
    char sha256[72];
    int64_t prompt_tokens;
};

struct answers {
    struct answer *rows;
    size_t n, cap;
};

static pj_status take_request(void *context, const struct pji_request_row *row,
                              struct pj_error *err)
{
    struct answers *a = context;
    if (strcmp(row->phase, "measure") != 0 || row->error[0] != '\0')
        return PJ_OK;
    pj_status status = pji_array_reserve(&a->rows, &a->cap, a->n + 1, sizeof *a->rows, err);
    if (status != PJ_OK)
        return status;
    struct answer *answer = &a->rows[a->n];
    *answer = (struct answer){.task = pji_dup(row->task, err),
                              .item = pji_dup(row->item, err),
                              .prompt_tokens = row->prompt_tokens};
    a->n++;
    snprintf(answer->sha256, sizeof answer->sha256, "%s", row->text_sha256);
    return answer->task != NULL && answer->item != NULL ? PJ_OK : PJ_ENOMEM;
}

static int by_item(const void *a, const void *b)
{
    const struct answer *p = a, *q = b;
    int order = strcmp(p->task, q->task);
    order = order != 0 ? order : strcmp(p->item, q->item);
    return order != 0 ? order : strcmp(p->sha256, q->sha256);
}

static void answers_fini(struct answers *a)
{
    for (size_t i = 0; i < a->n; i++) {
        free(a->rows[i].task);
        free(a->rows[i].item);
    }
    free(a->rows);
}

struct difference {
    size_t common, same, recounted; /* recounted: another number of prompt tokens */
};

/* Items that both have; one that was asked several times is matched answer by answer. */
static struct difference compare(const struct answers *a, const struct answers *b)
{
    struct difference d = {0};
    for (size_t i = 0, j = 0; i < a->n && j < b->n;) {
        const struct answer *p = &a->rows[i], *q = &b->rows[j];
        int order = strcmp(p->task, q->task);
        order = order != 0 ? order : strcmp(p->item, q->item);
        if (order == 0) {
            d.common++;
            d.same += p->sha256[0] != '\0' && strcmp(p->sha256, q->sha256) == 0 ? 1 : 0;
            d.recounted += p->prompt_tokens >= 0 && q->prompt_tokens >= 0 &&
                                   p->prompt_tokens != q->prompt_tokens
                               ? 1
                               : 0;
        }
        i += order <= 0 ? 1 : 0;
        j += order >= 0 ? 1 : 0;
    }
    return d;
}

/* ---- rendered prompts ---- */

struct fact {
    char *key, *value;
};

struct facts {
    struct fact *rows;
    size_t n, cap;
};

static pj_status take_fact(void *context, const char *key, const char *value, struct pj_error *err)
{
    struct facts *f = context;
    if (strncmp(key, "prompt.", 7) != 0)
        return PJ_OK;
    pj_status status = pji_array_reserve(&f->rows, &f->cap, f->n + 1, sizeof *f->rows, err);
    if (status != PJ_OK)
        return status;
    f->rows[f->n] = (struct fact){pji_dup(key, err), pji_dup(value, err)};
    f->n++;
    return f->rows[f->n - 1].key != NULL && f->rows[f->n - 1].value != NULL ? PJ_OK : PJ_ENOMEM;
}

static const char *value_of(const struct facts *f, const char *key)
{
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->rows[i].key, key) == 0)
            return f->rows[i].value;
    return NULL;
}

static void facts_fini(struct facts *f)
{
    for (size_t i = 0; i < f->n; i++) {
        free(f->rows[i].key);
        free(f->rows[i].value);
    }
    free(f->rows);
}

/* The task whose prompts were rendered otherwise, of the same items; NULL: none. */
static const char *rendered_otherwise(const struct facts *now, const struct facts *then,
                                      char task[128])
{
    static const char suffix[] = ".rendered_sha256";
    for (size_t i = 0; i < now->n; i++) {
        const char *key = now->rows[i].key, *end = strstr(key, suffix);
        const char *old = value_of(then, key);
        char items[200];
        if (end == NULL || end[sizeof suffix - 1] != '\0' || old == NULL)
            continue;
        snprintf(items, sizeof items, "%.*s.rendered_items_sha256", (int)(end - key), key);
        const char *ids = value_of(now, items), *old_ids = value_of(then, items);
        if (ids == NULL || old_ids == NULL || strcmp(ids, old_ids) != 0 ||
            now->rows[i].value == NULL || strcmp(now->rows[i].value, old) == 0)
            continue;
        snprintf(task, 128, "%.*s", (int)(end - key - 7), key + 7);
        return task;
    }
    return NULL;
}

/* ---- the gates ---- */

static pj_status say(struct pji_store *store, int64_t attempt, const char *code, const char *detail,
                     struct pj_error *err)
{
    const struct pji_gate_def *gate = pji_gate_find(code);
    struct pji_gate_row row = {
        .code = code,
        .consequence = pji_gate_consequence_name(gate != NULL ? gate->consequence : PJI_GATE_NOTE),
        .detail = detail};
    return pji_store_add_gate(store, attempt, &row, err);
}

static pj_status judge(struct pji_store *store, int64_t attempt, const struct difference *d,
                       const char *task, int64_t repetition, struct pj_error *err)
{
    char detail[300];
    pj_status status = PJ_OK;
    if (d->common > 0 && d->same == d->common) {
        snprintf(detail, sizeof detail,
                 "all %zu answers are byte for byte those of repetition %lld: repetitions "
                 "replicate the measurement, not the answers",
                 d->common, (long long)repetition);
        status = say(store, attempt, "identical_outputs", detail, err);
    }
    if (status != PJ_OK || (task == NULL && d->recounted == 0))
        return status;
    if (task != NULL)
        snprintf(detail, sizeof detail,
                 "the server renders the same prompts of task %.100s otherwise than in repetition "
                 "%lld: a date in the chat template?",
                 task, (long long)repetition);
    else
        snprintf(detail, sizeof detail,
                 "the server counts other numbers of prompt tokens than in repetition %lld for "
                 "%zu of %zu items",
                 (long long)repetition, d->recounted, d->common);
    return say(store, attempt, "prompt_changed", detail, err);
}

pj_status pji_replicas_judge(struct pji_store *store, int64_t trial, int64_t attempt,
                             struct pj_error *err)
{
    struct search s = {.trial = trial, .cell = -1};
    struct answers now = {0}, then = {0};
    struct facts facts_now = {0}, facts_then = {0};
    char task[128];
    int64_t other = 0;
    pj_status status = pji_store_each_trial(store, find_cell, &s, err);
    if (status == FOUND)
        status = pji_store_each_trial(store, find_other, &s, err);
    if (status != FOUND)
        return status;
    status = pji_store_last_attempt(store, s.other, &other, err);
    if (status == PJ_OK)
        status = pji_store_each_request(store, attempt, take_request, &now, err);
    if (status == PJ_OK)
        status = pji_store_each_request(store, other, take_request, &then, err);
    if (status == PJ_OK)
        status = pji_store_each_fact(store, attempt, take_fact, &facts_now, err);
    if (status == PJ_OK)
        status = pji_store_each_fact(store, other, take_fact, &facts_then, err);
    if (status == PJ_OK) {
        if (now.n > 1)
            qsort(now.rows, now.n, sizeof *now.rows, by_item);
        if (then.n > 1)
            qsort(then.rows, then.n, sizeof *then.rows, by_item);
        struct difference d = compare(&now, &then);
        status = judge(store, attempt, &d, rendered_otherwise(&facts_now, &facts_then, task),
                       s.repetition, err);
    }
    answers_fini(&now);
    answers_fini(&then);
    facts_fini(&facts_now);
    facts_fini(&facts_then);
    return status == PJI_STORE_NONE ? PJ_OK : status;
}
