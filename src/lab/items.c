/* Checking the items files that a study names, before anything starts. */
#include "lab/internal.h"

#include "core/array.h"
#include "task/task.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct check {
    struct pji_study *study;
    const struct pji_task_spec *spec;
    size_t index;
    /* what was read last: most combinations of a task share one file */
    struct pji_items items;
    char *path, *gold;
};

static void forget(struct check *c)
{
    pji_items_fini(&c->items);
    c->items = (struct pji_items){0};
    free(c->path);
    free(c->gold);
    c->path = c->gold = NULL;
}

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static pj_status read_items(struct check *c, const struct pji_task_values *v, struct pj_error *why)
{
    if (c->path && same(c->path, v->items_path) && same(c->gold, v->gold))
        return PJ_OK;
    forget(c);
    struct stat info;
    /* a pipe or a device would be read for ever */
    if (stat(v->items_path, &info) == 0 && !S_ISREG(info.st_mode))
        return pji_fail(why, PJ_EINVAL, "items file %s is not a regular file", v->items_path);
    pj_status st = pji_items_read(&c->items, v->items_path, v->gold, 0, why);
    if (st) {
        c->items = (struct pji_items){0};
        return st;
    }
    c->path = pji_dup(v->items_path, why);
    c->gold = v->gold ? pji_dup(v->gold, why) : NULL;
    return c->path && (c->gold || !v->gold) ? PJ_OK : PJ_ENOMEM;
}

static pj_status check_item(const struct pji_task_values *v, const struct pji_item *item,
                            const struct pji_yaml *node, const struct pji_yaml **at,
                            struct pj_error *why)
{
    char *text = NULL;
    pj_status st = pji_template_render(v->prompt, item, &text, why);
    free(text);
    if (st) {
        const struct pji_yaml *prompt = pji_yaml_get(node, "prompt");
        *at = prompt ? prompt : node;
        return st;
    }
    if (v->n_choices &&
        pji_choice_extract(item->gold, (const char *const *)v->choices, v->n_choices) < 0) {
        *at = pji_yaml_get(node, "choices");
        return pji_fail(why, PJ_EINVAL,
                        "gold label '%.60s' of item '%.60s' (%s, line %zu) is not among the "
                        "choices",
                        item->gold, item->id, v->items_path, item->line);
    }
    return PJ_OK;
}

static pj_status check_values(struct check *c, const struct pji_task_values *v,
                              const struct pji_yaml **at, struct pj_error *why)
{
    const struct pji_yaml *node = c->spec->node;
    *at = pji_yaml_get(node, "items");
    pj_status st = read_items(c, v, why);
    if (st == PJ_OK && c->items.n == 0)
        st = pji_fail(why, PJ_EINVAL, "items file %s holds no item", v->items_path);
    size_t n = c->items.n;
    if (v->limit > 0 && (uint64_t)v->limit < n)
        n = (size_t)v->limit;
    for (size_t i = 0; i < n && st == PJ_OK; i++)
        st = check_item(v, &c->items.items[i], node, at, why);
    return st;
}

static pj_status check_combination(void *context, const char *const *levels, struct pj_error *err)
{
    struct check *c = context;
    struct pji_task_values values = {0};
    const struct pji_yaml *at = c->spec->node;
    struct pj_error why = {0};
    pj_status st = pji_study_task(c->study, c->index, levels, &values, err);
    if (st == PJ_OK && (st = check_values(c, &values, &at, &why)) != PJ_OK)
        pji_study_error(c->study, at, "task '%s': %s", c->spec->name, why.text);
    pji_task_values_fini(&values);
    return st ? 1 : PJ_OK;
}

pj_status pji_study_check_items(struct pji_study *study, struct pj_error *err)
{
    for (size_t t = 0; t < study->n_tasks; t++) {
        struct check check = {.study = study, .spec = &study->tasks[t], .index = t};
        bool *used = pji_zalloc(study->n_factors + 1, sizeof *used, err);
        if (!used)
            return PJ_ENOMEM;
        pji_study_uses(study, check.spec->node, used);
        pj_status st = pji_study_each_combination(study, used, check_combination, &check, err);
        forget(&check);
        free(used);
        if (st < 0)
            return st;
    }
    pji_problems_sort(&study->errors);
    if (study->errors.n == 0)
        return PJ_OK;
    const char *first = study->errors.items[0].text;
    return pji_fail(err, first ? PJ_EINVAL : PJ_ENOMEM, "%s", first ? first : "out of memory");
}
