/* Problems with positions, and reading single values of the study file. */
#include "lab/internal.h"

#include "core/array.h"
#include "core/num.h"

#include <stdlib.h>
#include <string.h>

/* ---- problems ---- */

static void add_problem(struct pji_study *study, struct pji_problems *list,
                        const struct pji_yaml *at, const char *format, va_list args)
    __attribute__((format(printf, 4, 0)));

static void add_problem(struct pji_study *study, struct pji_problems *list,
                        const struct pji_yaml *at, const char *format, va_list args)
{
    struct pji_str text = {0};
    if (list->n >= PJI_STUDY_PROBLEMS)
        return;
    pji_str_addf(&text, "%s:%zu:%zu: ", study->path, at->line, at->column);
    pji_str_addv(&text, format, args);
    char *taken = pji_str_take(&text);
    /* without memory for the sentence the problem still counts: text NULL */
    if (pji_array_reserve(&list->items, &list->cap, list->n + 1, sizeof *list->items, NULL)) {
        free(taken);
        return;
    }
    list->items[list->n++] = (struct pji_problem){at->line, at->column, taken};
}

void pji_study_error(struct pji_study *study, const struct pji_yaml *at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_problem(study, &study->errors, at, format, args);
    va_end(args);
}

void pji_study_warn(struct pji_study *study, const struct pji_yaml *at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_problem(study, &study->warnings, at, format, args);
    va_end(args);
}

static bool comes_after(const struct pji_problem *a, const struct pji_problem *b)
{
    return a->line != b->line ? a->line > b->line : a->column > b->column;
}

/* Stable, and the list is short. */
static void sort_problems(struct pji_problems *problems)
{
    for (size_t i = 1; i < problems->n; i++) {
        struct pji_problem moving = problems->items[i];
        size_t k = i;
        for (; k > 0 && comes_after(&problems->items[k - 1], &moving); k--)
            problems->items[k] = problems->items[k - 1];
        problems->items[k] = moving;
    }
}

void pji_problems_fini(struct pji_problems *problems)
{
    for (size_t i = 0; i < problems->n; i++)
        free(problems->items[i].text);
    free(problems->items);
    *problems = (struct pji_problems){0};
}

pj_status pji_study_report(struct pji_study *study, struct pj_error *err)
{
    sort_problems(&study->errors);
    sort_problems(&study->warnings);
    if (study->errors.n == 0)
        return PJ_OK;
    const char *first = study->errors.items[0].text;
    return pji_fail(err, first ? PJ_EINVAL : PJ_ENOMEM, "%s", first ? first : "out of memory");
}

/* ---- nodes ---- */

static const char *kind_name(enum pji_yaml_kind kind)
{
    switch (kind) {
    case PJI_YAML_SCALAR:
        return "a single value";
    case PJI_YAML_SEQUENCE:
        return "a list";
    case PJI_YAML_MAPPING:
        return "a mapping";
    }
    return "something else";
}

bool pji_node_keys(struct pji_study *study, const struct pji_yaml *node, const char *what,
                   const char *const *known)
{
    if (node->kind != PJI_YAML_MAPPING) {
        pji_study_error(study, node, "%s must be a mapping of keys to values, not %s", what,
                        kind_name(node->kind));
        return false;
    }
    for (size_t i = 0; i < node->n; i++) {
        const char *key = node->keys[i].text;
        size_t k = 0;
        while (known[k] && strcmp(known[k], key) != 0)
            k++;
        if (known[k])
            continue;
        const char *nearest = pji_str_nearest(key, known);
        if (nearest && !pji_yaml_get(node, nearest))
            pji_study_error(study, &node->keys[i], "unknown key '%s', did you mean '%s'?", key,
                            nearest);
        else
            pji_study_error(study, &node->keys[i], "unknown key '%s' in %s", key, what);
    }
    return true;
}

bool pji_node_misspells(const struct pji_yaml *node, const char *key, const char *const *known)
{
    for (size_t i = 0; i < node->n; i++) {
        const char *nearest = pji_str_nearest(node->keys[i].text, known);
        if (nearest && strcmp(nearest, key) == 0)
            return true;
    }
    return false;
}

const char *pji_node_text(struct pji_study *study, const struct pji_yaml *node, const char *what)
{
    if (node->kind != PJI_YAML_SCALAR) {
        pji_study_error(study, node, "%s must be a single value, not %s", what,
                        kind_name(node->kind));
        return NULL;
    }
    if (node->text[0] == '\0') {
        pji_study_error(study, node, "%s is empty: give it a value or remove it", what);
        return NULL;
    }
    return node->text;
}

bool pji_node_i64(struct pji_study *study, const struct pji_yaml *node, const char *what,
                  int64_t min, int64_t max, int64_t *out)
{
    const char *text = pji_node_text(study, node, what);
    if (!text)
        return false;
    if (pji_num_parse_i64(text, strlen(text), out, NULL) == PJ_OK && *out >= min && *out <= max)
        return true;
    pji_study_error(study, node, "%s must be a whole number from %lld to %lld, not '%.60s'", what,
                    (long long)min, (long long)max, text);
    return false;
}

bool pji_node_duration(struct pji_study *study, const struct pji_yaml *node, const char *what,
                       int64_t min_ns, int64_t max_ns, int64_t *out_ns)
{
    struct pj_error why = {0};
    const char *text = pji_node_text(study, node, what);
    if (!text)
        return false;
    if (pji_duration_parse(text, out_ns, &why) != PJ_OK) {
        pji_study_error(study, node, "%s: %s", what, why.text);
        return false;
    }
    if (*out_ns >= min_ns && *out_ns <= max_ns)
        return true;
    pji_study_error(study, node, "%s must lie between %lld ms and %lld ms, not '%.60s'", what,
                    (long long)(min_ns / 1000000), (long long)(max_ns / 1000000), text);
    return false;
}

/* ---- memory: a lack of it is one problem at the top of the file ---- */

static void out_of_memory(struct pji_study *study)
{
    pji_study_error(study, &study->doc.root, "out of memory");
}

char *pji_study_dup(struct pji_study *study, const char *text)
{
    char *copy = pji_dup(text, NULL);
    if (!copy)
        out_of_memory(study);
    return copy;
}

void *pji_study_alloc(struct pji_study *study, size_t n, size_t size)
{
    void *memory = pji_zalloc(n ? n : 1, size, NULL);
    if (!memory)
        out_of_memory(study);
    return memory;
}
