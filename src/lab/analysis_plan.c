/* The section `analysis` of a study file: what will be concluded from, said before anything runs.
 * It becomes one line of JSON with sorted keys, which is stored with its digest;
 * analysis/declared.h reads it. Which tests there are, analysis/ knows. */
#include "lab/internal.h"

#include "core/num.h"
#include "core/str.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* a list of texts, each accepted by `good`; false when something was wrong */
static bool add_list(struct pji_study *study, const struct pji_yaml *node, const char *what,
                     bool (*good)(struct pji_study *, const struct pji_yaml *), json_t *out)
{
    if (node->kind != PJI_YAML_SEQUENCE || node->n == 0) {
        pji_study_error(study, node, "%s is a list: [first, second]", what);
        return false;
    }
    for (size_t i = 0; i < node->n; i++) {
        const char *text = pji_node_text(study, &node->items[i], what);
        if (!text || !good(study, &node->items[i]))
            return false;
        json_array_append_new(out, json_string(text));
    }
    return true;
}

static bool is_factor(struct pji_study *study, const struct pji_yaml *node)
{
    struct pj_error why = {0};
    size_t len = strlen(node->text);
    if (pji_factor_find(study, node->text, len) < study->n_factors)
        return true;
    (void)pji_unknown_factor(study, node->text, len, &why);
    pji_study_error(study, node, "analysis factors: %s", why.text);
    return false;
}

static bool is_word(struct pji_study *study, const struct pji_yaml *node)
{
    if (pji_name_len(node->text) == strlen(node->text))
        return true;
    pji_study_error(study, node, "analysis tests are names such as kruskal, not '%.60s'",
                    node->text);
    return false;
}

static void add_alpha(struct pji_study *study, const struct pji_yaml *node, json_t *out)
{
    double alpha = 0.05;
    const char *text = node ? pji_node_text(study, node, "analysis alpha") : NULL;
    if (text && (pji_num_parse(text, strlen(text), &alpha, NULL) || !(alpha > 0) || alpha > 0.5))
        pji_study_error(study, node, "analysis alpha is a number above 0, at most 0.5, not '%.60s'",
                        text);
    json_object_set_new(out, "alpha", json_real(alpha));
}

/* one of a few words, the first of them when the file says nothing */
static void add_choice(struct pji_study *study, const struct pji_yaml *section, const char *key,
                       const char *const *choices, json_t *out)
{
    const struct pji_yaml *node = pji_yaml_get(section, key);
    const char *text = node ? pji_node_text(study, node, key) : choices[0];
    struct pji_str list = {0};
    size_t i = 0;
    for (; text && choices[i] && strcmp(choices[i], text) != 0; i++)
        pji_str_addf(&list, "%s%s", i ? ", " : "", choices[i]);
    if (text && !choices[i])
        pji_study_error(study, node, "analysis %s is one of %s, not '%.60s'", key,
                        pji_str_text(&list), text);
    pji_str_fini(&list);
    json_object_set_new(out, key, json_string(text ? text : ""));
}

void pji_parse_analysis(struct pji_study *study, const struct pji_yaml *node)
{
    static const char *const known[] = {"response", "factors", "blocks", "tests",
                                        "alpha",    "adjust",  NULL};
    static const char *const adjusts[] = {"BH",       "Holm",   "Bonferroni", "BY",
                                          "Hochberg", "Hommel", "Tukey",      NULL};
    static const char *const blocks[] = {"none", "block", NULL};
    if (!pji_node_keys(study, node, "analysis", known))
        return;
    json_t *out = json_object();
    json_t *factors = json_array();
    json_t *tests = json_array();
    const struct pji_yaml *response = pji_yaml_get(node, "response");
    const char *name = response ? pji_node_text(study, response, "analysis response") : NULL;
    if (!response)
        pji_study_error(study, node,
                        "analysis needs a response: a column of the results, such as energy_j");
    json_object_set_new(out, "response", json_string(name ? name : ""));
    if (pji_yaml_get(node, "factors"))
        (void)add_list(study, pji_yaml_get(node, "factors"), "analysis factors", is_factor,
                       factors);
    else
        pji_study_error(study, node, "analysis needs factors: [name, …] of those of the study");
    if (pji_yaml_get(node, "tests"))
        (void)add_list(study, pji_yaml_get(node, "tests"), "analysis tests", is_word, tests);
    json_object_set_new(out, "factors", factors);
    json_object_set_new(out, "tests", tests);
    add_alpha(study, pji_yaml_get(node, "alpha"), out);
    add_choice(study, node, "adjust", adjusts, out);
    add_choice(study, node, "blocks", blocks, out);
    char *text = json_dumps(out, JSON_COMPACT | JSON_SORT_KEYS);
    study->analysis = text ? pji_study_dup(study, text) : NULL;
    free(text);
    json_decref(out);
}
