/* Are the files that a study reads the same on both machines? Their digests are compared. */
#include "agent/inside.h"

#include "core/str.h"
#include "lab/workload.h"

#include <stdint.h>
#include <string.h>

/* The digest that the orchestrator has for a task's file; NULL: it told none. */
static const char *told(const json_t *message, const char *task, const char *key)
{
    const json_t *items = json_object_get(message, "items");
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        const char *name = json_string_value(json_object_get(item, "task"));
        if (name != NULL && strcmp(name, task) == 0)
            return json_string_value(json_object_get(item, key));
    }
    return NULL;
}

static bool is_digest(const json_t *value)
{
    const char *text = json_string_value(value);
    return text != NULL && strlen(text) == 64 && pji_is_hex(text, 64);
}

static bool is_known(const char *key, const char *const *known)
{
    while (*known != NULL && strcmp(*known, key) != 0)
        known++;
    return *known != NULL;
}

static pj_status check_keys(const json_t *object, const char *what, const char *const *known,
                            struct pj_error *err)
{
    const char *key = NULL;
    json_t *value = NULL;
    char excerpt[PJI_EXCERPT];
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        if (!is_known(key, known))
            return pji_fail(err, PJ_EINVAL, "%s has a key that this agent does not know: '%s'",
                            what, pji_excerpt(key, strlen(key), excerpt));
    }
    return PJ_OK;
}

static pj_status check_item(const json_t *item, struct pj_error *err)
{
    static const char *const known[] = {"task", "sha256", "examples_sha256", NULL};
    const json_t *examples = json_object_get(item, "examples_sha256");
    if (!json_is_string(json_object_get(item, "task")) ||
        !is_digest(json_object_get(item, "sha256")) || (examples != NULL && !is_digest(examples)))
        return pji_fail(err, PJ_EINVAL,
                        "each of items must have a task and the sha256 of its file (and, where "
                        "there are examples, examples_sha256)");
    return check_keys(item, "an entry of items", known, err);
}

pj_status pji_order_shape(const json_t *message, bool with_trial, struct pj_error *err)
{
    static const char *const check[] = {"study_file", "items", "times_sha256", NULL};
    static const char *const job[] = {
        "study_file", "items", "times_sha256", "study",      "trial",  "attempt", "nonce",
        "levels",     "cell",  "block",        "repetition", "around", NULL};
    const json_t *text = json_object_get(message, "study_file");
    const json_t *items = json_object_get(message, "items");
    const json_t *times = json_object_get(message, "times_sha256");
    if (!json_is_string(text) || json_string_length(text) == 0)
        return pji_fail(err, PJ_EINVAL, "study_file must be the text of a study file");
    if (!json_is_array(items))
        return pji_fail(err, PJ_EINVAL, "items must be the list of the tasks' digests");
    if (times != NULL && !is_digest(times))
        return pji_fail(err, PJ_EINVAL, "times_sha256 must be a SHA-256 in hexadecimal digits");
    pj_status status = check_keys(message, "the message", with_trial ? job : check, err);
    for (size_t i = 0; i < json_array_size(items) && status == PJ_OK; i++)
        status = check_item(json_array_get(items, i), err);
    return status;
}

/* Which files are the same is found when the trial runs; that a digest was told is needed now. */
pj_status pji_order_digests_told(const json_t *message, const struct pji_study *study,
                                 struct pj_error *err)
{
    for (size_t t = 0; t < study->n_tasks; t++) {
        const struct pji_task_spec *spec = &study->tasks[t];
        if (told(message, spec->name, "sha256") == NULL ||
            (spec->examples_path != NULL && told(message, spec->name, "examples_sha256") == NULL))
            return pji_fail(err, PJ_EINVAL, "items lacks a digest of task %s", spec->name);
    }
    if (study->times_path != NULL && json_object_get(message, "times_sha256") == NULL)
        return pji_fail(err, PJ_EINVAL, "times_sha256, the digest of the load's times, is missing");
    return PJ_OK;
}

pj_status pji_order_same_items(const json_t *message, const char *task, const char *sha256,
                               const char *examples_sha256, struct pj_error *err)
{
    const char *items = told(message, task, "sha256");
    const char *examples = told(message, task, "examples_sha256");
    if (items == NULL || strcmp(items, sha256) != 0)
        return pji_fail(err, PJ_EINVAL,
                        "the items of task %s are not the same on both machines: copy the file",
                        task);
    if (examples_sha256 != NULL && (examples == NULL || strcmp(examples, examples_sha256) != 0))
        return pji_fail(err, PJ_EINVAL,
                        "the examples of task %s are not the same on both machines: copy the file",
                        task);
    return PJ_OK;
}

pj_status pji_order_same_times(const json_t *message, const char *sha256, struct pj_error *err)
{
    const char *times = json_string_value(json_object_get(message, "times_sha256"));
    if (times != NULL && strcmp(times, sha256) == 0)
        return PJ_OK;
    return pji_fail(err, PJ_EINVAL,
                    "the times of the load are not the same on both machines: copy the file");
}

pj_status pji_order_same_workload(const json_t *message, const struct pji_workload *workload,
                                  struct pj_error *err)
{
    pj_status status = PJ_OK;
    for (size_t i = 0; i < workload->n && status == PJ_OK; i++) {
        const struct pji_workload_task *task = &workload->tasks[i];
        status = pji_order_same_items(message, task->spec->name, task->items.sha256,
                                      task->examples.n > 0 ? task->examples.sha256 : NULL, err);
    }
    if (status == PJ_OK && workload->times.n > 0)
        status = pji_order_same_times(message, workload->times.sha256, err);
    return status;
}
