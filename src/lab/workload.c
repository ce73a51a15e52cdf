/* lab/workload.c - see workload.h. Settings of a task are read through pji_study_fill, so that each
 * of them may name a factor.
 */
#include "lab/workload.h"

#include "core/array.h"
#include "core/num.h"
#include "core/prng.h"
#include "core/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Path of an items file: absolute, or below the study's folder. Caller frees. */
static char *items_path(const struct pji_study *study, const char *path, struct pj_error *err)
{
    struct pji_str text = {0};
    if (path[0] != '/' && study->dir != NULL && study->dir[0] != '\0') {
        pji_str_add(&text, study->dir);
        pji_str_addc(&text, '/');
    }
    pji_str_add(&text, path);
    if (pji_str_ok(&text, err) != PJ_OK) {
        pji_str_fini(&text);
        return NULL;
    }
    return pji_str_take(&text);
}

static bool has_choice(const struct pji_workload_task *task, const char *label)
{
    for (size_t i = 0; i < task->n_choices; i++) {
        if (strcmp(task->choices[i], label) == 0)
            return true;
    }
    return false;
}

static pj_status add_choice(struct pji_workload_task *task, size_t *cap, const char *label,
                            struct pj_error *err)
{
    if (has_choice(task, label))
        return PJ_OK;
    pj_status status =
        pji_array_reserve(&task->choices, cap, task->n_choices + 1, sizeof *task->choices, err);
    if (status != PJ_OK)
        return status;
    char *copy = pji_dup(label, err);
    if (copy == NULL)
        return PJ_ENOMEM;
    task->choices[task->n_choices++] = copy;
    return PJ_OK;
}

static pj_status make_choices(struct pji_workload_task *task, struct pj_error *err)
{
    size_t cap = 0;
    pj_status status = PJ_OK;
    for (size_t i = 0; i < task->spec->n_choices && status == PJ_OK; i++)
        status = add_choice(task, &cap, task->spec->choices[i], err);
    if (task->spec->n_choices > 0 || task->spec->gold == NULL)
        return status;
    for (size_t i = 0; i < task->items.n && status == PJ_OK; i++)
        status = add_choice(task, &cap, task->items.items[i].gold, err);
    return status;
}

static pj_status read_task(struct pji_workload_task *task, const struct pji_study *study,
                           struct pj_error *err)
{
    char *path = items_path(study, task->spec->items_path, err);
    if (path == NULL)
        return PJ_ENOMEM;
    pj_status status = pji_items_read(&task->items, path, task->spec->gold, 0, err);
    if (status == PJ_OK) {
        task->prompts = pji_zalloc(task->items.n, sizeof *task->prompts, err);
        status = task->prompts != NULL ? PJ_OK : PJ_ENOMEM;
    }
    for (size_t i = 0; i < task->items.n && status == PJ_OK; i++) {
        status =
            pji_template_render(task->spec->prompt, &task->items.items[i], &task->prompts[i], err);
        if (status != PJ_OK)
            pji_error_prefix(err, "%s:%zu", path, task->items.items[i].line);
    }
    if (status == PJ_OK)
        status = make_choices(task, err);
    free(path);
    return status;
}

pj_status pji_workload_read(struct pji_workload *workload, const struct pji_study *study,
                            struct pj_error *err)
{
    *workload = (struct pji_workload){0};
    if (study->n_tasks == 0)
        return PJ_OK;
    workload->tasks = pji_zalloc(study->n_tasks, sizeof *workload->tasks, err);
    if (workload->tasks == NULL)
        return PJ_ENOMEM;
    workload->n = study->n_tasks;
    for (size_t i = 0; i < study->n_tasks; i++) {
        workload->tasks[i].spec = &study->tasks[i];
        pj_status status = read_task(&workload->tasks[i], study, err);
        if (status != PJ_OK) {
            pji_workload_fini(workload);
            return status;
        }
    }
    return PJ_OK;
}

void pji_workload_fini(struct pji_workload *workload)
{
    for (size_t i = 0; i < workload->n; i++) {
        struct pji_workload_task *task = &workload->tasks[i];
        for (size_t j = 0; task->prompts != NULL && j < task->items.n; j++)
            free(task->prompts[j]);
        free(task->prompts);
        for (size_t j = 0; j < task->n_choices; j++)
            free(task->choices[j]);
        free(task->choices);
        pji_items_fini(&task->items);
    }
    free(workload->tasks);
    *workload = (struct pji_workload){0};
}

/* ---- the requests of one trial ---- */

struct reader {
    const struct pji_study *study;
    const struct pji_yaml *node;
    const char *const *levels;
    struct pj_error *err;
};

/* Text of a setting with the levels filled in; *out stays NULL where it is absent. */
static pj_status get_text(const struct reader *r, const char *key, char **out)
{
    const struct pji_yaml *node = r->node != NULL ? pji_yaml_get(r->node, key) : NULL;
    *out = NULL;
    return node != NULL ? pji_study_fill(r->study, node, r->levels, out, r->err) : PJ_OK;
}

static pj_status get_i64(const struct reader *r, const char *key, int64_t *value)
{
    char *text = NULL;
    pj_status status = get_text(r, key, &text);
    if (status == PJ_OK && text != NULL) {
        status = pji_num_parse_i64(text, strlen(text), value, r->err);
        if (status != PJ_OK)
            pji_error_prefix(r->err, "task: %s", key);
    }
    free(text);
    return status;
}

static pj_status get_num(const struct reader *r, const char *key, double *value)
{
    char *text = NULL;
    pj_status status = get_text(r, key, &text);
    if (status == PJ_OK && text != NULL) {
        status = pji_num_parse(text, strlen(text), value, r->err);
        if (status != PJ_OK)
            pji_error_prefix(r->err, "task: %s", key);
    }
    free(text);
    return status;
}

static pj_status get_bool(const struct reader *r, const char *key, bool *value)
{
    char *text = NULL;
    pj_status status = get_text(r, key, &text);
    if (status == PJ_OK && text != NULL)
        *value = strcmp(text, "true") == 0 || strcmp(text, "yes") == 0 || strcmp(text, "on") == 0;
    free(text);
    return status;
}

struct settings {
    int64_t max_tokens, limit, seed;
    double temperature; /* of sampling (no unit) */
    bool ignore_eos, chat;
};

static pj_status read_settings(const struct reader *r, struct settings *s, char **stop)
{
    *s = (struct settings){.max_tokens = 64};
    char *api = NULL;
    pj_status status = get_i64(r, "max_tokens", &s->max_tokens);
    if (status == PJ_OK)
        status = get_i64(r, "limit", &s->limit);
    if (status == PJ_OK)
        status = get_i64(r, "seed", &s->seed);
    if (status == PJ_OK)
        status = get_num(r, "temperature", &s->temperature);
    if (status == PJ_OK)
        status = get_bool(r, "ignore_eos", &s->ignore_eos);
    if (status == PJ_OK)
        status = get_text(r, "api", &api);
    if (status == PJ_OK)
        status = get_text(r, "stop", stop);
    s->chat = api != NULL && strcmp(api, "chat") == 0;
    free(api);
    return status;
}

pj_status pji_task_run_make(struct pji_task_run *run, const struct pji_study *study,
                            const struct pji_workload_task *task, const char *const *levels,
                            int64_t repetition, struct pj_error *err)
{
    *run = (struct pji_task_run){.task = task};
    struct reader r = {study, task->spec->node, levels, err};
    struct settings s;
    pj_status status = read_settings(&r, &s, &run->stop);
    size_t n = task->items.n;
    size_t *order = status == PJ_OK ? pji_zalloc(n, sizeof *order, err) : NULL;
    if (status == PJ_OK && order == NULL)
        status = PJ_ENOMEM;
    /* The first `limit` items of the file, in an order of their own for each repetition. */
    if (s.limit > 0 && (size_t)s.limit < n)
        n = (size_t)s.limit;
    run->specs = status == PJ_OK ? pji_zalloc(n, sizeof *run->specs, err) : NULL;
    if (status == PJ_OK && run->specs == NULL)
        status = PJ_ENOMEM;
    if (status != PJ_OK || order == NULL || run->specs == NULL) {
        free(order);
        pji_task_run_fini(run);
        return status;
    }
    char stream[128];
    struct pji_prng prng;
    snprintf(stream, sizeof stream, "items/%s/%lld", task->spec->name, (long long)repetition);
    pji_prng_init(&prng, study->seed, stream);
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    pji_prng_shuffle(&prng, order, n);
    for (size_t i = 0; i < n; i++) {
        run->specs[i] = (struct pji_request_spec){
            .item = task->items.items[order[i]].id,
            .prompt = task->prompts[order[i]],
            .api = s.chat ? PJI_API_CHAT : PJI_API_COMPLETIONS,
            .max_tokens = s.max_tokens,
            .ignore_eos = s.ignore_eos,
            .stop = run->stop,
            .temperature = s.temperature,
            .seed = (uint64_t)s.seed,
        };
    }
    run->items = order;
    run->n = n;
    run->max_tokens = s.max_tokens;
    run->fixed_length = s.ignore_eos;
    return PJ_OK;
}

void pji_task_run_fini(struct pji_task_run *run)
{
    free(run->specs);
    free(run->items);
    free(run->stop);
    *run = (struct pji_task_run){0};
}
