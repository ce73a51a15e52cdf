/* lab/workload.c - see workload.h. */
#include "lab/workload.h"

#include "core/array.h"
#include "core/json.h"
#include "core/prng.h"
#include "core/str.h"
#include "lab/program.h"
#include "lab/shots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    bool closed =
        task->spec->scorer == PJI_SCORER_CHOICE || task->spec->scorer == PJI_SCORER_BINARY;
    if (task->spec->n_choices > 0 || task->spec->gold == NULL || !closed)
        return status;
    for (size_t i = 0; i < task->items.n && status == PJ_OK; i++)
        status = add_choice(task, &cap, task->items.items[i].gold, err);
    return status;
}

static pj_status read_task(struct pji_workload_task *task, const struct pji_study *study,
                           struct pj_error *err)
{
    char *path = pji_workload_path(study, task->spec->items_path, err);
    if (path == NULL)
        return PJ_ENOMEM;
    pj_status status = pji_items_read(&task->items, path, task->spec->gold, 0, err);
    if (status == PJ_OK)
        status = pji_labels_apply(task->spec, &task->items, err);
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
    if (status == PJ_OK && study->engine->lines != NULL)
        status = pji_program_members(task, err);
    if (status == PJ_OK)
        status = make_choices(task, err);
    if (status == PJ_OK)
        status = pji_shots_read(task, study, err);
    free(path);
    return status;
}

static pj_status read_times(struct pji_workload *workload, const struct pji_study *study,
                            struct pj_error *err)
{
    char *path = NULL;
    const char *field = NULL;
    double unit_ns = 0;
    pj_status status = pji_study_times(study, &path, &field, &unit_ns, err);
    if (status == PJ_OK && path != NULL)
        status = pji_times_read(&workload->times, path, field, unit_ns, err);
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
    pj_status times = read_times(workload, study, err);
    if (times != PJ_OK) {
        pji_workload_fini(workload);
        return times;
    }
    for (size_t i = 0; i < study->n_tasks; i++) {
        workload->tasks[i].spec = &study->tasks[i];
        workload->tasks[i].times = &workload->times;
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
        for (size_t j = 0; task->members != NULL && j < task->items.n; j++)
            free(task->members[j]);
        free(task->members);
        free(task->prompts);
        for (size_t j = 0; j < task->n_choices; j++)
            free(task->choices[j]);
        free(task->choices);
        for (size_t j = 0; task->example_prompts != NULL && j < task->examples.n; j++)
            free(task->example_prompts[j]);
        free(task->example_prompts);
        pji_items_fini(&task->examples);
        pji_items_fini(&task->items);
    }
    free(workload->tasks);
    pji_times_fini(&workload->times);
    *workload = (struct pji_workload){0};
}

/* ---- the requests of one trial ---- */

/* The members of both objects; the study's win over the engine's. */
static pj_status merge_extra(const char *engine, enum pji_thinking thinking, const char *study,
                             char **out, struct pj_error *err)
{
    struct pji_str text = {0};
    *out = NULL;
    if (engine == NULL && study == NULL && thinking == PJI_THINKING_UNSAID)
        return PJ_OK;
    json_t *base = pji_json_parse(engine != NULL ? engine : "{}",
                                  engine != NULL ? strlen(engine) : 2, "engine settings", err);
    json_t *more = pji_json_parse(study != NULL ? study : "{}", study != NULL ? strlen(study) : 2,
                                  "task: extra", err);
    pj_status status = PJ_EINVAL;
    if (base != NULL && thinking != PJI_THINKING_UNSAID)
        json_object_set_new(
            base, "chat_template_kwargs",
            json_pack("{s:b}", "enable_thinking", thinking == PJI_THINKING_ON ? 1 : 0));
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

/* How many requests, and when each is due. */
static pj_status make_schedule(struct pji_task_run *run, const struct pji_study *study,
                               int64_t repetition, struct pj_error *err)
{
    char stream[128];
    const struct pji_times *times = run->task->times;
    struct pji_arrival arrival = run->load.arrival;
    if (times != NULL) {
        arrival.times_ns = times->times_ns;
        arrival.n_times = times->n;
    }
    snprintf(stream, sizeof stream, "arrivals/%s/%lld", run->values.name, (long long)repetition);
    pj_status status =
        pji_arrival_schedule(&arrival, run->n, study->seed, stream, &run->due_ns, err);
    if (status == PJ_OK && run->due_ns != NULL)
        status = pji_arrival_digest(run->due_ns, run->n, run->schedule_sha256, err);
    return status;
}

size_t pji_workload_requests(const struct pji_workload_task *task,
                             const struct pji_load_values *load, size_t n_items)
{
    if (load->requests > 0)
        return (size_t)load->requests;
    if (load->arrival.kind == PJI_ARRIVAL_TRACE && task->times != NULL)
        return task->times->n;
    return n_items;
}

static void make_spec(struct pji_task_run *run, size_t i)
{
    const struct pji_workload_task *task = run->task;
    run->specs[i] = (struct pji_request_spec){
        .item = task->items.items[run->items[i]].id,
        .prompt = run->prompts != NULL ? run->prompts[run->items[i]] : task->prompts[run->items[i]],
        .members = task->members != NULL ? task->members[run->items[i]] : NULL,
        .api = run->values.api,
        .max_tokens = run->values.max_tokens,
        .ignore_eos = run->values.ignore_eos,
        .stop = run->values.stop,
        .temperature = run->values.temperature,
        .seed = run->values.seed,
        .extra = run->extra,
    };
}

/* The prompts with their examples before them; without shots the task's own are used. */
static pj_status make_prompts(struct pji_task_run *run, struct pj_error *err)
{
    if (run->values.shots == 0)
        return PJ_OK;
    run->prompts = pji_zalloc(run->task->items.n + 1, sizeof *run->prompts, err);
    if (run->prompts == NULL)
        return PJ_ENOMEM;
    for (size_t i = 0; i < run->task->items.n; i++) {
        run->prompts[i] =
            pji_shots_prompt(run->task, (size_t)run->values.shots, run->task->prompts[i], err);
        if (run->prompts[i] == NULL)
            return PJ_ENOMEM;
    }
    return PJ_OK;
}

/* The values of the study file with the levels filled in, and how many requests they make. */
static pj_status read_values(struct pji_task_run *run, const struct pji_study *study,
                             const char *const *levels, size_t *n_items, struct pj_error *err)
{
    size_t index = (size_t)(run->task->spec - study->tasks);
    pj_status status = pji_study_task(study, index, levels, &run->values, err);
    run->load = (struct pji_load_values){.concurrency = 1};
    if (status == PJ_OK && study->load_node != NULL)
        status = pji_study_load(study, levels, &run->load, err);
    *n_items = run->task->items.n;
    if (run->values.limit > 0 && (size_t)run->values.limit < *n_items)
        *n_items = (size_t)run->values.limit;
    run->n = pji_workload_requests(run->task, &run->load, *n_items);
    return status;
}

pj_status pji_task_run_make(struct pji_task_run *run, const struct pji_study *study,
                            const struct pji_workload_task *task, const char *const *levels,
                            int64_t repetition, const char *engine_extra, struct pj_error *err)
{
    size_t n_items = 0;
    size_t *order = NULL;
    *run = (struct pji_task_run){.task = task};
    pj_status status = read_values(run, study, levels, &n_items, err);
    if (status == PJ_OK)
        status =
            merge_extra(engine_extra, run->values.thinking, run->values.extra, &run->extra, err);
    if (status == PJ_OK)
        status = make_prompts(run, err);
    if (status == PJ_OK)
        status = make_schedule(run, study, repetition, err);
    if (status == PJ_OK) {
        order = make_order(study, &run->values, n_items, repetition, err);
        run->items = pji_zalloc(run->n + 1, sizeof *run->items, err);
        run->specs = pji_zalloc(run->n + 1, sizeof *run->specs, err);
        if (order == NULL || run->items == NULL || run->specs == NULL)
            status = PJ_ENOMEM;
    }
    for (size_t i = 0; i < run->n && status == PJ_OK; i++) {
        run->items[i] = order[i % n_items];
        make_spec(run, i);
    }
    run->max_tokens = run->values.max_tokens;
    run->fixed_length = run->values.ignore_eos;
    free(order);
    if (status != PJ_OK)
        pji_task_run_fini(run);
    return status;
}

void pji_task_run_fini(struct pji_task_run *run)
{
    free(run->specs);
    free(run->items);
    free(run->due_ns);
    free(run->extra);
    for (size_t i = 0; run->prompts != NULL && run->prompts[i] != NULL; i++)
        free(run->prompts[i]);
    free(run->prompts);
    pji_task_values_fini(&run->values);
    *run = (struct pji_task_run){0};
}
