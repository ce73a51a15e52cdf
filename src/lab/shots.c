#include "lab/shots.h"

#include "core/array.h"
#include "core/str.h"

#include <stdlib.h>
#include <string.h>

char *pji_workload_path(const struct pji_study *study, const char *path, struct pj_error *err)
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

/* ---- labels ---- */

static pj_status unknown_label(const struct pji_task_spec *spec, const struct pji_items *items,
                               const struct pji_item *item, struct pj_error *err)
{
    struct pji_str known = {0};
    for (size_t l = 0; l < spec->n_choices && known.len < 80; l++)
        pji_str_addf(&known, "%s%.30s", l > 0 ? ", " : "", spec->labels[l]);
    (void)pji_fail(err, PJ_EINVAL,
                   "%s:%zu: gold label '%.60s' of item '%.60s' is not among the labels %s: say "
                   "with `labels` what it stands for",
                   items->path, item->line, item->gold, item->id, pji_str_text(&known));
    pji_str_fini(&known);
    return PJ_EINVAL;
}

pj_status pji_labels_apply(const struct pji_task_spec *spec, struct pji_items *items,
                           struct pj_error *err)
{
    for (size_t i = 0; i < items->n && spec->labels; i++) {
        struct pji_item *item = &items->items[i];
        size_t l = 0;
        while (l < spec->n_choices && strcmp(spec->labels[l], item->gold) != 0)
            l++;
        if (l == spec->n_choices)
            return unknown_label(spec, items, item, err);
        char *choice = pji_dup(spec->choices[l], err);
        if (!choice)
            return PJ_ENOMEM;
        free(item->gold);
        item->gold = choice;
    }
    return PJ_OK;
}

/* ---- reading ---- */

static pj_status render(struct pji_workload_task *task, struct pj_error *err)
{
    pj_status status = PJ_OK;
    task->example_prompts = pji_zalloc(task->examples.n, sizeof *task->example_prompts, err);
    if (!task->example_prompts)
        return PJ_ENOMEM;
    for (size_t i = 0; i < task->examples.n && status == PJ_OK; i++)
        status = pji_template_render(task->spec->prompt, &task->examples.items[i],
                                     &task->example_prompts[i], err);
    return status;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The next character, a run of blanks as one; blanks at the ends are none. */
static char next(const char **at, bool first)
{
    const char *p = *at;
    while (is_blank(*p))
        p++;
    bool between = p > *at && !first && *p != '\0';
    *at = between || *p == '\0' ? p : p + 1;
    return between ? ' ' : *p;
}

/* The same words, however they are spaced. */
static bool same_words(const char *a, const char *b)
{
    bool first = true;
    for (;; first = false) {
        char x = next(&a, first), y = next(&b, first);
        if (x != y || x == '\0')
            return x == y;
    }
}

struct most {
    const struct pji_study *study;
    size_t index, n_examples, n_items;
    size_t shown, asked; /* the most of any combination of levels */
};

static pj_status check_shots(void *context, const char *const *levels, struct pj_error *err)
{
    struct most *m = context;
    struct pji_task_values values = {0};
    pj_status status = pji_study_task(m->study, m->index, levels, &values, err);
    if (status == PJ_OK && (size_t)values.shots > m->n_examples)
        status = pji_fail(err, PJ_EINVAL, "task '%s' wants %lld shots, its examples are %zu",
                          values.name, (long long)values.shots, m->n_examples);
    if (status == PJ_OK) {
        size_t shown = (size_t)values.shots, limit = (size_t)values.limit;
        size_t asked = limit > 0 && limit < m->n_items ? limit : m->n_items;
        m->shown = shown > m->shown ? shown : m->shown;
        m->asked = asked > m->asked ? asked : m->asked;
    }
    pji_task_values_fini(&values);
    return status;
}

/* Ids say nothing: the files may be of different sets. */
static pj_status check_leaks(const struct pji_workload_task *task, const struct most *most,
                             struct pj_error *err)
{
    for (size_t i = 0; i < most->shown; i++)
        for (size_t k = 0; k < most->asked; k++)
            if (same_words(task->example_prompts[i], task->prompts[k]))
                return pji_fail(err, PJ_EINVAL,
                                "%s:%zu: this example is also item '%.60s' of %s: its answer "
                                "would be shown",
                                task->examples.path, task->examples.items[i].line,
                                task->items.items[k].id, task->items.path);
    return PJ_OK;
}

pj_status pji_shots_read(struct pji_workload_task *task, const struct pji_study *study,
                         struct pj_error *err)
{
    struct most most = {.study = study, .index = (size_t)(task->spec - study->tasks)};
    if (!task->spec->examples_path)
        return PJ_OK;
    char *path = pji_workload_path(study, task->spec->examples_path, err);
    bool *used = path ? pji_zalloc(study->n_factors + 1, sizeof *used, err) : NULL;
    pj_status status = used ? PJ_OK : PJ_ENOMEM;
    if (status == PJ_OK)
        status = pji_items_read(&task->examples, path, task->spec->gold, 0, err);
    if (status == PJ_OK)
        status = pji_labels_apply(task->spec, &task->examples, err);
    if (status == PJ_OK)
        status = render(task, err);
    if (status == PJ_OK) {
        most.n_examples = task->examples.n;
        most.n_items = task->items.n;
        pji_study_uses(study, task->spec->node, used);
        status = pji_study_each_combination(study, used, check_shots, &most, err);
    }
    if (status == PJ_OK)
        status = check_leaks(task, &most, err);
    free(used);
    free(path);
    return status;
}

/* ---- prompts ---- */

char *pji_shots_prompt(const struct pji_workload_task *task, size_t n, const char *prompt,
                       struct pj_error *err)
{
    struct pji_str text = {0};
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(task->example_prompts[i]);
        char last = len > 0 ? task->example_prompts[i][len - 1] : ' ';
        pji_str_addf(&text, "%s%s%s\n\n", task->example_prompts[i],
                     last == ' ' || last == '\n' ? "" : " ", task->examples.items[i].gold);
    }
    pji_str_add(&text, prompt);
    char *out = pji_str_ok(&text, err) ? NULL : pji_str_take(&text);
    pji_str_fini(&text);
    return out;
}
