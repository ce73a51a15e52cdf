/* factors: and exclude: of the study file. */
#include "lab/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FACTORS_MOST = 64 };

/* Columns of the export that a factor's own column must not hide. */
static const char *const reserved[] = {"trial",   "repetition", "block", "state", "reason",
                                       "attempt", "start_utc",  "flags", "cell",  NULL};

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
    for (size_t i = 0; reserved[i]; i++) {
        if (strcmp(reserved[i], key->text) == 0) {
            pji_study_error(study, key,
                            "'%s' cannot name a factor: the export has a column of that name",
                            key->text);
            return false;
        }
    }
    return true;
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

static void parse_factor(struct pji_study *study, const struct pji_yaml *key,
                         const struct pji_yaml *levels)
{
    if (!check_factor_name(study, key) || !check_case(study, key))
        return;
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
