/* lab/workload.c - see workload.h. */
#include "lab/workload.h"

#include "core/array.h"
#include "core/json.h"
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

/* The members of both objects; the study's win over the engine's. */
static pj_status merge_extra(const char *engine, const char *study, char **out,
                             struct pj_error *err)
{
    struct pji_str text = {0};
    *out = NULL;
    if (engine == NULL && study == NULL)
        return PJ_OK;
    json_t *base = pji_json_parse(engine != NULL ? engine : "{}",
                                  engine != NULL ? strlen(engine) : 2, "engine settings", err);
    json_t *more = pji_json_parse(study != NULL ? study : "{}", study != NULL ? strlen(study) : 2,
                                  "task: extra", err);
    pj_status status = PJ_EINVAL;
    if (base != NULL && more != NULL && json_object_update(base, more) == 0) {
        pji_json_write(&text, base, 0);
        status = pji_str_ok(&text, err);
        *out = pji_str_take(&text);
    }
    json_decref(base);
    json_decref(more);
    return status;
}

/* The first `limit` items of the file, in an order of their own for each repetition. */
static size_t *make_order(const struct pji_study *study, const struct pji_task_values *values,
                          size_t n, int64_t repetition, struct pj_error *err)
{
    char stream[128];
    struct pji_prng prng;
    size_t *order = pji_zalloc(n + 1, sizeof *order, err);
    if (order == NULL)
        return NULL;
    snprintf(stream, sizeof stream, "items/%s/%lld", values->name, (long long)repetition);
    pji_prng_init(&prng, study->seed, stream);
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    pji_prng_shuffle(&prng, order, n);
    return order;
}

pj_status pji_task_run_make(struct pji_task_run *run, const struct pji_study *study,
                            const struct pji_workload_task *task, const char *const *levels,
                            int64_t repetition, const char *engine_extra, struct pj_error *err)
{
    *run = (struct pji_task_run){.task = task};
    size_t index = (size_t)(task->spec - study->tasks);
    pj_status status = pji_study_task(study, index, levels, &run->values, err);
    size_t n = task->items.n;
    if (status == PJ_OK && run->values.limit > 0 && (size_t)run->values.limit < n)
        n = (size_t)run->values.limit;
    if (status == PJ_OK)
        status = merge_extra(engine_extra, run->values.extra, &run->extra, err);
    if (status == PJ_OK) {
        run->items = make_order(study, &run->values, n, repetition, err);
        run->specs = pji_zalloc(n + 1, sizeof *run->specs, err);
        status = run->items != NULL && run->specs != NULL ? PJ_OK : PJ_ENOMEM;
    }
    if (status != PJ_OK || run->specs == NULL || run->items == NULL) {
        pji_task_run_fini(run);
        return status;
    }
    for (size_t i = 0; i < n; i++) {
        run->specs[i] = (struct pji_request_spec){
            .item = task->items.items[run->items[i]].id,
            .prompt = task->prompts[run->items[i]],
            .api = run->values.api,
            .max_tokens = run->values.max_tokens,
            .ignore_eos = run->values.ignore_eos,
            .stop = run->values.stop,
            .temperature = run->values.temperature,
            .seed = run->values.seed,
            .extra = run->extra,
        };
    }
    run->n = n;
    run->max_tokens = run->values.max_tokens;
    run->fixed_length = run->values.ignore_eos;
    return PJ_OK;
}

void pji_task_run_fini(struct pji_task_run *run)
{
    free(run->specs);
    free(run->items);
    free(run->extra);
    pji_task_values_fini(&run->values);
    *run = (struct pji_task_run){0};
}
