/* Checking the items files that a study names, before anything starts. */
#include "lab/internal.h"

#include "lab/shots.h"
#include "load/times.h"
#include "task/task.h"

#include <stdlib.h>
#include <sys/stat.h>

/* A gold label that no answer could ever match is a mistake of the file. */
static pj_status check_gold(const struct pji_task_spec *spec, const struct pji_item *item,
                            struct pj_error *why)
{
    struct pji_scored scored = {0};
    const struct pji_scorer scorer = {.kind = spec->scorer};
    pj_status st = PJ_OK;
    if (spec->scorer == PJI_SCORER_NUMERIC)
        st = pji_score(&scorer, NULL, item->gold, &scored, why);
    if (st)
        pji_error_prefix(why, "%s:%zu", item->file, item->line);
    pji_scored_fini(&scored);
    return st;
}

static pj_status check_item(const struct pji_task_spec *spec, const struct pji_task_values *v,
                            const struct pji_item *item, const struct pji_yaml *node,
                            const struct pji_yaml **at, struct pj_error *why)
{
    char *text = NULL;
    pj_status st = pji_template_render(v->prompt, item, &text, why);
    free(text);
    if (st) {
        const struct pji_yaml *prompt = pji_yaml_get(node, "prompt");
        *at = prompt ? prompt : node;
        return st;
    }
    if (v->n_choices && !spec->labels &&
        pji_choice_extract(item->gold, (const char *const *)v->choices, v->n_choices) < 0) {
        *at = pji_yaml_get(node, "choices");
        return pji_fail(why, PJ_EINVAL,
                        "gold label '%.60s' of item '%.60s' (%s, line %zu) is not among the "
                        "choices",
                        item->gold, item->id, v->items_path, item->line);
    }
    return check_gold(spec, item, why);
}

static pj_status read_items(struct pji_items *items, const struct pji_task_values *v,
                            struct pj_error *why)
{
    struct stat info;
    /* a pipe or a device would be read for ever */
    if (stat(v->items_path, &info) == 0 && !S_ISREG(info.st_mode))
        return pji_fail(why, PJ_EINVAL, "items file %s is not a regular file", v->items_path);
    pj_status st = pji_items_read(items, v->items_path, v->gold, 0, why);
    if (st)
        *items = (struct pji_items){0};
    return st;
}

static pj_status check_task(struct pji_task_spec *spec, const struct pji_task_values *v,
                            const struct pji_yaml **at, struct pj_error *why)
{
    struct pji_items items = {0};
    *at = pji_yaml_get(spec->node, "items");
    pj_status st = read_items(&items, v, why);
    if (st == PJ_OK && items.n == 0)
        st = pji_fail(why, PJ_EINVAL, "items file %s holds no item", v->items_path);
    if (st == PJ_OK && spec->labels) {
        const struct pji_yaml *labels = pji_yaml_get(spec->node, "labels");
        st = pji_labels_apply(spec, &items, why);
        *at = st && labels ? labels : *at;
    }
    for (size_t i = 0; i < items.n && st == PJ_OK; i++)
        st = check_item(spec, v, &items.items[i], spec->node, at, why);
    spec->n_items = v->limit > 0 && (size_t)v->limit < items.n ? (size_t)v->limit : items.n;
    pji_items_fini(&items);
    return st;
}

/* The trace of the load: every trial will replay it. */
static pj_status check_times(struct pji_study *study, struct pj_error *err)
{
    struct pji_times times = {0};
    struct pj_error why = {0};
    char *path = NULL;
    const char *field = NULL;
    double unit_ns = 0;
    pj_status st = pji_study_times(study, &path, &field, &unit_ns, err);
    const struct pji_yaml *at = pji_yaml_get(study->load_node, "times");
    if (st == PJ_OK && path && pji_times_read(&times, path, field, unit_ns, &why) != PJ_OK)
        pji_study_error(study, at, "%s", why.text);
    for (size_t t = 0; t < study->n_tasks && times.n > 0; t++)
        if (study->tasks[t].n_items != times.n)
            pji_study_warn(study, at,
                           "the trace has %zu times and task '%s' %zu items: items are %s", times.n,
                           study->tasks[t].name, study->tasks[t].n_items,
                           times.n > study->tasks[t].n_items ? "asked again" : "left out");
    pji_times_fini(&times);
    free(path);
    return st;
}

pj_status pji_study_check_items(struct pji_study *study, struct pj_error *err)
{
    for (size_t t = 0; t < study->n_tasks; t++) {
        struct pji_task_values values = {0};
        const struct pji_yaml *at = NULL;
        struct pj_error why = {0};
        pj_status st = pji_study_task(study, t, NULL, &values, err);
        if (st == PJ_OK && check_task(&study->tasks[t], &values, &at, &why) != PJ_OK)
            pji_study_error(study, at, "task '%s': %s", study->tasks[t].name, why.text);
        pji_task_values_fini(&values);
        if (st)
            return st;
    }
    pj_status st = check_times(study, err);
    return st ? st : pji_study_report(study, err);
}
