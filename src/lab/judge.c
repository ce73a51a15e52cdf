#include "lab/judge.h"

#include "core/array.h"
#include "core/csv.h"
#include "core/digest.h"
#include "core/num.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct group {
    int64_t trial;
    char *task;
    double sum;
    size_t n, line; /* line: of its first score */
};

struct reader {
    const char *path;
    struct group *groups;
    size_t n, cap, n_scores;
    size_t trial_column, task_column, score_column; /* SIZE_MAX: none */
    bool has_head;
    struct pj_error *err;
};

static size_t column_of(const struct pji_csv_row *row, const char *name)
{
    for (size_t i = 0; i < row->n; i++)
        if (strcmp(row->fields[i], name) == 0)
            return i;
    return SIZE_MAX;
}

static pj_status check_twin(struct reader *r, const struct pji_csv_row *row, size_t column)
{
    for (size_t i = column == SIZE_MAX ? row->n : column + 1; i < row->n; i++)
        if (strcmp(row->fields[i], row->fields[column]) == 0)
            return pji_fail(r->err, PJ_EINVAL, "%s has two columns '%.60s'", r->path,
                            row->fields[column]);
    return PJ_OK;
}

static pj_status take_head(struct reader *r, const struct pji_csv_row *row)
{
    pj_status st = PJ_OK;
    r->has_head = true;
    r->trial_column = column_of(row, "trial");
    r->task_column = column_of(row, "task");
    r->score_column = column_of(row, "score");
    if (r->trial_column != SIZE_MAX && r->score_column != SIZE_MAX) {
        st = check_twin(r, row, r->trial_column);
        st = st == PJ_OK ? check_twin(r, row, r->task_column) : st;
        return st == PJ_OK ? check_twin(r, row, r->score_column) : st;
    }
    return pji_fail(r->err, PJ_EINVAL,
                    "%s needs a header with the columns trial and score (and task, where a study "
                    "has several)",
                    r->path);
}

static struct group *find_group(struct reader *r, int64_t trial, const char *task, size_t line)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->groups[i].trial == trial && strcmp(r->groups[i].task, task) == 0)
            return &r->groups[i];
    if (pji_array_reserve(&r->groups, &r->cap, r->n + 1, sizeof *r->groups, r->err))
        return NULL;
    struct group *g = &r->groups[r->n];
    *g = (struct group){.trial = trial, .task = pji_dup(task, r->err), .line = line};
    if (!g->task)
        return NULL;
    r->n++;
    return g;
}

static pj_status take_row(struct reader *r, const struct pji_csv_row *row)
{
    int64_t trial = 0;
    double score = 0;
    size_t last = r->trial_column > r->score_column ? r->trial_column : r->score_column;
    if (row->n == 1 && row->lens[0] == 0)
        return PJ_OK;
    if (row->n <= last || (r->task_column != SIZE_MAX && row->n <= r->task_column))
        return pji_fail(r->err, PJ_EINVAL, "%s:%zu: the row has only %zu fields", r->path,
                        row->line, row->n);
    const char *text = row->fields[r->trial_column];
    if (pji_num_parse_i64(text, strlen(text), &trial, NULL) != PJ_OK || trial < 1)
        return pji_fail(r->err, PJ_EINVAL, "%s:%zu: '%.60s' is not the number of a trial", r->path,
                        row->line, text);
    text = row->fields[r->score_column];
    if (pji_num_parse(text, strlen(text), &score, NULL) != PJ_OK)
        return pji_fail(r->err, PJ_EINVAL, "%s:%zu: '%.60s' is not a score: write a number",
                        r->path, row->line, text);
    const char *task = r->task_column != SIZE_MAX ? row->fields[r->task_column] : "";
    struct group *g = find_group(r, trial, task, row->line);
    if (!g)
        return PJ_ENOMEM;
    g->sum += score;
    g->n++;
    r->n_scores++;
    return PJ_OK;
}

static pj_status read_scores(struct reader *r)
{
    struct pji_csv *csv = NULL;
    struct pji_csv_row row;
    FILE *file = fopen(r->path, "re");
    if (!file)
        return pji_fail_errno(r->err, errno, "%s cannot be read", r->path);
    pj_status st = pji_csv_open(&csv, file, r->path, ',', r->err);
    while (st == PJ_OK && (st = pji_csv_read(csv, &row, r->err)) == PJ_OK)
        st = r->has_head ? take_row(r, &row) : take_head(r, &row);
    pji_csv_close(csv);
    fclose(file);
    if (st != PJI_CSV_END)
        return st;
    return r->n > 0 ? PJ_OK : pji_fail(r->err, PJ_EINVAL, "%s holds no score", r->path);
}

/* ---- the study ---- */

struct lookup {
    const struct group *group;
    bool done, has_task, scored;
    char task[128]; /* a task of the trial, once one was seen */
    bool several;
};

static pj_status on_trial(void *context, const struct pji_trial *trial, struct pj_error *err)
{
    struct lookup *l = context;
    (void)err;
    if (trial->id == l->group->trial)
        l->done = trial->state == PJI_TRIAL_DONE;
    return PJ_OK;
}

static pj_status on_metric(void *context, const struct pji_metric_row *row, struct pj_error *err)
{
    struct lookup *l = context;
    (void)err;
    l->several = l->several || (l->task[0] && row->task[0] && strcmp(l->task, row->task) != 0);
    if (row->task[0])
        snprintf(l->task, sizeof l->task, "%s", row->task);
    if (strcmp(row->task, l->group->task) != 0)
        return PJ_OK;
    l->has_task = true;
    l->scored = l->scored || strcmp(row->name, "judge_score") == 0;
    return PJ_OK;
}

static pj_status put_group(struct pji_store *store, const struct reader *r, const struct group *g,
                           const char *sha256)
{
    struct lookup l = {.group = g};
    int64_t attempt = 0;
    pj_status st = pji_store_each_trial(store, on_trial, &l, r->err);
    if (st == PJ_OK && !l.done)
        st = pji_fail(r->err, PJ_EINVAL, "%s:%zu: the study has no trial %lld that is done",
                      r->path, g->line, (long long)g->trial);
    if (st == PJ_OK)
        st = pji_store_last_attempt(store, g->trial, &attempt, r->err);
    if (st == PJ_OK)
        st = pji_store_each_metric(store, attempt, on_metric, &l, r->err);
    if (st == PJ_OK && !l.has_task)
        st = pji_fail(r->err, PJ_EINVAL, "%s:%zu: trial %lld has no task '%.60s'", r->path, g->line,
                      (long long)g->trial, g->task);
    if (st == PJ_OK && l.several && !g->task[0])
        st = pji_fail(r->err, PJ_EINVAL,
                      "%s:%zu: trial %lld has several tasks: say in a column `task` which of them "
                      "the score is of",
                      r->path, g->line, (long long)g->trial);
    if (st == PJ_OK && l.scored)
        st = pji_fail(r->err, PJ_EINVAL,
                      "%s:%zu: trial %lld has judge scores already: they are not written over",
                      r->path, g->line, (long long)g->trial);
    const struct pji_metric_row rows[] = {
        {g->task, "judge_score", g->sum / (double)g->n, 0, 0, "", ""},
        {g->task, "judge_scores", (double)g->n, 0, 0, "", ""},
    };
    for (size_t i = 0; i < 2 && st == PJ_OK; i++)
        st = pji_store_add_metric(store, attempt, &rows[i], r->err);
    if (st == PJ_OK) {
        char key[160];
        snprintf(key, sizeof key, "judge_score%s%.100s.sha256", g->task[0] ? "." : "", g->task);
        st = pji_store_put_fact(store, attempt, key, sha256, r->err);
    }
    return st;
}

pj_status pji_judge_import(struct pji_store *store, const char *path,
                           struct pji_judge_result *result, struct pj_error *err)
{
    struct pj_error own = {0};
    struct reader r = {.path = path, .err = err ? err : &own};
    char sha256[PJI_SHA256_HEX] = "";
    pj_status st = read_scores(&r);
    if (st == PJ_OK)
        st = pji_sha256_file(path, sha256, r.err);
    if (st == PJ_OK && (st = pji_store_begin(store, r.err)) == PJ_OK) {
        for (size_t i = 0; i < r.n && st == PJ_OK; i++)
            st = put_group(store, &r, &r.groups[i], sha256);
        if (st == PJ_OK)
            st = pji_store_commit(store, r.err);
        else
            pji_store_rollback(store);
    }
    *result = (struct pji_judge_result){.scores = r.n_scores, .trials = r.n};
    for (size_t i = 0; i < r.n; i++)
        free(r.groups[i].task);
    free(r.groups);
    return st;
}
