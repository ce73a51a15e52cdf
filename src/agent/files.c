/* Are the files that a study reads the same on both machines? Their digests are compared. */
#include "agent/inside.h"

#include "lab/workload.h"

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
