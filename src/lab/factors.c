/* factors: and exclude: of the study file. */
#include "lab/internal.h"

#include "store/columns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FACTORS_MOST = 64 };

/* Columns of the exports that a factor's own column must not hide, whatever its capitals. */
static bool is_reserved(const char *name)
{
    static const char *const others[] = {"cell", "__run_id", "__done", NULL};
    for (size_t i = 0; others[i]; i++)
        if (strcasecmp(others[i], name) == 0)
            return true;
    return pji_column_is_fixed(name);
}

static bool check_factor_name(struct pji_study *study, const struct pji_yaml *key)
{
    size_t len = pji_name_len(key->text);
    if (len == 0 || key->text[len] != '\0') {
        pji_study_error(study, key,
                        "'%.60s' cannot name a factor: use letters, digits and '_', not starting "
                        "with a digit",
                        key->text);
        return false;
    }
    if (!is_reserved(key->text))
        return true;
    pji_study_error(study, key, "'%s' cannot name a factor: the export has a column of that name",
                    key->text);
    return false;
}

/* Names become columns and environment variables, where case may not count. */
static bool check_case(struct pji_study *study, const struct pji_yaml *key)
{
    for (size_t f = 0; f < study->n_factors; f++) {
        if (strcasecmp(study->factors[f].name, key->text) == 0) {
            pji_study_error(study, key, "factors '%s' and '%s' differ in capitals only: rename one",
                            study->factors[f].name, key->text);
            return false;
        }
    }
    return true;
}

static size_t find_level(const struct pji_factor *factor, const char *text)
{
    size_t l = 0;
    while (l < factor->n && strcmp(factor->levels[l], text) != 0)
        l++;
    return l;
}

static void add_level(struct pji_study *study, struct pji_factor *factor,
                      const struct pji_yaml *node)
{
    char what[128];
    snprintf(what, sizeof what, "a level of factor '%.60s'", factor->name);
    const char *text = pji_node_text(study, node, what);
    if (!text)
        return;
    if (find_level(factor, text) < factor->n) {
        pji_study_error(study, node, "level '%.60s' of factor '%s' is there twice", text,
                        factor->name);
        return;
    }
    char *copy = pji_study_dup(study, text);
    if (copy)
        factor->levels[factor->n++] = copy;
}

/* ---- nested: {nested_in: PARENT, levels: {PARENT LEVEL: [levels]}} ---- */

/* Levels of one parent level; a text that another parent level has too is one level. */
static void add_nested(struct pji_study *study, struct pji_factor *factor, size_t parent_level,
                       const struct pji_yaml *list, size_t width)
{
    char what[128];
    snprintf(what, sizeof what, "a level of factor '%.60s'", factor->name);
    if (list->kind != PJI_YAML_SEQUENCE || list->n == 0) {
        pji_study_error(study, list, "factor '%s' needs a list of levels for each level of '%s'",
                        factor->name, study->factors[factor->parent].name);
        return;
    }
    for (size_t i = 0; i < list->n; i++) {
        const char *text = pji_node_text(study, &list->items[i], what);
        if (!text)
            continue;
        size_t l = find_level(factor, text);
        if (l == factor->n) {
            char *copy = pji_study_dup(study, text);
            if (!copy)
                return;
            factor->levels[factor->n++] = copy;
        }
        bool *flag = &factor->allowed[parent_level * width + l];
        if (*flag)
            pji_study_error(study, &list->items[i], "level '%.60s' of factor '%s' is there twice",
                            text, factor->name);
        *flag = true;
    }
}

/* From rows of `width` flags to rows of factor->n. */
static void pack_allowed(struct pji_factor *factor, size_t rows, size_t width)
{
    for (size_t p = 0; p < rows; p++)
        for (size_t l = 0; l < factor->n; l++)
            factor->allowed[p * factor->n + l] = factor->allowed[p * width + l];
}

static void parse_nested_levels(struct pji_study *study, struct pji_factor *factor,
                                const struct pji_yaml *levels)
{
    const struct pji_factor *parent = &study->factors[factor->parent];
    size_t width = 0, before = study->errors.n;
    for (size_t i = 0; i < levels->n; i++)
        width += levels->items[i].kind == PJI_YAML_SEQUENCE ? levels->items[i].n : 0;
    factor->levels = pji_study_alloc(study, width, sizeof *factor->levels);
    factor->allowed = pji_study_alloc(study, parent->n * width, sizeof *factor->allowed);
    for (size_t i = 0; i < levels->n && factor->levels && factor->allowed; i++) {
        size_t p = find_level(parent, levels->keys[i].text);
        if (p < parent->n)
            add_nested(study, factor, p, &levels->items[i], width);
        else
            pji_study_error(study, &levels->keys[i], "factor '%s' has no level '%.60s'",
                            parent->name, levels->keys[i].text);
    }
    for (size_t p = 0; p < parent->n && study->errors.n == before; p++)
        if (!pji_yaml_get(levels, parent->levels[p]))
            pji_study_error(study, levels, "factor '%s' has no levels for '%s' = '%.60s'",
                            factor->name, parent->name, parent->levels[p]);
    if (factor->levels && factor->allowed)
        pack_allowed(factor, parent->n, width);
}

static void parse_nested(struct pji_study *study, const struct pji_yaml *key,
                         const struct pji_yaml *node)
{
    static const char *const known[] = {"nested_in", "levels", NULL};
    struct pj_error why = {0};
    const struct pji_yaml *in = pji_yaml_get(node, "nested_in");
    const struct pji_yaml *levels = pji_yaml_get(node, "levels");
    size_t before = study->errors.n;
    if (!pji_node_keys(study, node, "a nested factor", known) || study->errors.n > before)
        return;
    if (!in || !levels || levels->kind != PJI_YAML_MAPPING || levels->n == 0) {
        pji_study_error(study, node,
                        "a nested factor names its parent and the levels for each of the parent's: "
                        "write %s: {nested_in: a, levels: {a1: [x, y], a2: [z]}}",
                        key->text);
        return;
    }
    const char *text = pji_node_text(study, in, "nested_in");
    size_t parent = text ? pji_factor_find(study, text, strlen(text)) : 0;
    if (text && parent == study->n_factors) {
        pji_unknown_factor(study, text, strlen(text), &why);
        pji_study_error(study, in, "%s (a parent stands before the factors nested in it)",
                        why.text);
    }
    if (!text || parent == study->n_factors)
        return;
    struct pji_factor *factor = &study->factors[study->n_factors++];
    factor->name = pji_study_dup(study, key->text);
    factor->nested = true;
    factor->parent = parent;
    if (factor->name)
        parse_nested_levels(study, factor, levels);
}

static void parse_factor(struct pji_study *study, const struct pji_yaml *key,
                         const struct pji_yaml *levels)
{
    if (!check_factor_name(study, key) || !check_case(study, key))
        return;
    if (levels->kind == PJI_YAML_MAPPING && levels->n > 0) {
        parse_nested(study, key, levels);
        return;
    }
    if (levels->kind != PJI_YAML_SEQUENCE || levels->n == 0) {
        pji_study_error(study, levels, "factor '%s' needs a list of levels: write %s: [a, b]",
                        key->text, key->text);
        return;
    }
    struct pji_factor *factor = &study->factors[study->n_factors];
    factor->name = pji_study_dup(study, key->text);
    factor->levels = pji_study_alloc(study, levels->n, sizeof *factor->levels);
    study->n_factors++;
    for (size_t i = 0; i < levels->n && factor->name && factor->levels; i++)
        add_level(study, factor, &levels->items[i]);
}

void pji_parse_factors(struct pji_study *study, const struct pji_yaml *node)
{
    if (node->kind != PJI_YAML_MAPPING || node->n == 0) {
        pji_study_error(study, node,
                        "factors must map names to lists of levels: write factors: {size: [1B, "
                        "3B]}");
        return;
    }
    if (node->n > FACTORS_MOST) {
        pji_study_error(study, node, "%zu factors: a study can have at most %d", node->n,
                        (int)FACTORS_MOST);
        return;
    }
    study->factors = pji_study_alloc(study, node->n, sizeof *study->factors);
    for (size_t i = 0; i < node->n && study->factors; i++)
        parse_factor(study, &node->keys[i], &node->items[i]);
}

/* ---- exclude ---- */

static void exclude_level(struct pji_study *study, const struct pji_factor *factor, bool *set,
                          const struct pji_yaml *node)
{
    const char *text = pji_node_text(study, node, "an excluded level");
    if (!text)
        return;
    size_t l = find_level(factor, text);
    if (l < factor->n) {
        set[l] = true;
        return;
    }
    struct pji_str known = {0};
    for (size_t i = 0; i < factor->n && known.len < 100; i++)
        pji_str_addf(&known, "%s%.40s", i ? ", " : "", factor->levels[i]);
    pji_study_error(study, node, "factor '%s' has no level '%.60s': it has %s", factor->name, text,
                    pji_str_text(&known));
    pji_str_fini(&known);
}

static void exclude_factor(struct pji_study *study, struct pji_exclusion *exclusion,
                           const struct pji_yaml *key, const struct pji_yaml *levels)
{
    struct pj_error why = {0};
    size_t f = pji_factor_find(study, key->text, strlen(key->text));
    if (f == study->n_factors) {
        pji_unknown_factor(study, key->text, strlen(key->text), &why);
        pji_study_error(study, key, "%s", why.text);
        return;
    }
    exclusion->levels[f] =
        pji_study_alloc(study, study->factors[f].n, sizeof *exclusion->levels[f]);
    if (!exclusion->levels[f])
        return;
    if (levels->kind == PJI_YAML_SCALAR)
        exclude_level(study, &study->factors[f], exclusion->levels[f], levels);
    else if (levels->kind == PJI_YAML_SEQUENCE && levels->n > 0)
        for (size_t i = 0; i < levels->n; i++)
            exclude_level(study, &study->factors[f], exclusion->levels[f], &levels->items[i]);
    else
        pji_study_error(study, levels, "exclude needs a list of levels of '%s'", key->text);
}

void pji_parse_exclusions(struct pji_study *study, const struct pji_yaml *node)
{
    if (node->kind != PJI_YAML_SEQUENCE) {
        pji_study_error(study, node,
                        "exclude must be a list of combinations: write exclude: [{size: [3B]}]");
        return;
    }
    study->exclusions = pji_study_alloc(study, node->n, sizeof *study->exclusions);
    for (size_t i = 0; i < node->n && study->exclusions; i++) {
        const struct pji_yaml *item = &node->items[i];
        if (item->kind != PJI_YAML_MAPPING || item->n == 0) {
            pji_study_error(study, item,
                            "an exclusion must map factors to levels: write {size: [3B]}");
            continue;
        }
        struct pji_exclusion *exclusion = &study->exclusions[study->n_exclusions];
        exclusion->levels = pji_study_alloc(study, study->n_factors, sizeof *exclusion->levels);
        if (!exclusion->levels)
            return;
        study->n_exclusions++;
        for (size_t k = 0; k < item->n; k++)
            exclude_factor(study, exclusion, &item->keys[k], &item->items[k]);
    }
}
