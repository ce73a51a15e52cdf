/* How the answers of a task are scored: preset, scorer, labels and what belongs to them. */
#include "lab/internal.h"

#include "core/num.h"
#include "task/preset.h"

#include <stdlib.h>
#include <string.h>

static void add_choice(struct pji_study *study, struct pji_task_spec *spec, const char *label,
                       const char *choice)
{
    char *a = pji_study_dup(study, choice), *b = pji_study_dup(study, label);
    if (!a || !b) {
        free(a);
        free(b);
        return;
    }
    spec->choices[spec->n_choices] = a;
    spec->labels[spec->n_choices++] = b;
}

static bool make_room(struct pji_study *study, struct pji_task_spec *spec, size_t n)
{
    for (size_t i = 0; i < spec->n_choices; i++)
        free(spec->choices[i]);
    free(spec->choices);
    spec->n_choices = 0;
    spec->choices = pji_study_alloc(study, n, sizeof *spec->choices);
    spec->labels = pji_study_alloc(study, n, sizeof *spec->labels);
    return spec->choices && spec->labels;
}

/* What the file does not say itself comes from the preset. */
static bool use_preset(struct pji_study *study, struct pji_task_spec *spec)
{
    const struct pji_yaml *node = pji_yaml_get(spec->node, "preset");
    const char *name = node ? pji_node_text(study, node, "preset") : NULL;
    if (!name)
        return !node;
    const struct pji_preset *preset = pji_preset_find(name);
    if (!preset) {
        struct pji_str known = {0};
        for (size_t i = 0; pji_preset_at(i); i++)
            pji_str_addf(&known, "%s%s", i ? ", " : "", pji_preset_at(i)->name);
        pji_study_error(study, node, "unknown preset '%.60s': known are %s", name,
                        pji_str_text(&known));
        pji_str_fini(&known);
        return false;
    }
    if (!spec->prompt)
        spec->prompt = pji_study_dup(study, preset->prompt);
    if (!spec->gold)
        spec->gold = pji_study_dup(study, preset->gold);
    spec->scorer = preset->scorer;
    if (preset->positive)
        spec->positive = pji_study_dup(study, preset->positive);
    if (spec->n_choices > 0 || pji_yaml_get(spec->node, "labels"))
        return true;
    if (!make_room(study, spec, preset->n_labels))
        return false;
    for (size_t i = 0; i < preset->n_labels; i++)
        add_choice(study, spec, preset->labels[i].label, preset->labels[i].choice);
    return true;
}

static bool parse_labels(struct pji_study *study, struct pji_task_spec *spec)
{
    const struct pji_yaml *node = pji_yaml_get(spec->node, "labels");
    size_t before = study->errors.n;
    if (!node)
        return true;
    if (node->kind != PJI_YAML_MAPPING || node->n == 0) {
        pji_study_error(study, node,
                        "labels must map gold labels to answers: write labels: {\"true\": \"yes\", "
                        "\"false\": \"no\"}");
        return false;
    }
    if (pji_yaml_get(spec->node, "choices")) {
        pji_study_error(study, node, "labels say the choices already: remove one of the two");
        return false;
    }
    if (!make_room(study, spec, node->n))
        return false;
    for (size_t i = 0; i < node->n; i++) {
        const char *text = pji_node_text(study, &node->items[i], "the answer of a label");
        if (text)
            add_choice(study, spec, node->keys[i].text, text);
    }
    return study->errors.n == before;
}

static bool parse_scorer(struct pji_study *study, struct pji_task_spec *spec)
{
    const struct pji_yaml *node = pji_yaml_get(spec->node, "scorer");
    const char *name = node ? pji_node_text(study, node, "scorer") : NULL;
    int kind = 0;
    if (!name)
        return !node;
    while (kind < PJI_SCORERS && strcmp(pji_scorer_name((enum pji_scorer_kind)kind), name) != 0)
        kind++;
    if (kind == PJI_SCORERS) {
        pji_study_error(study, node,
                        "unknown scorer '%.60s': known are choice, binary, exact, f1 and numeric",
                        name);
        return false;
    }
    spec->scorer = (enum pji_scorer_kind)kind;
    if (spec->gold)
        return true;
    pji_study_error(study, node, "a scorer needs gold: the key of the right answer in each item");
    return false;
}

static bool parse_positive(struct pji_study *study, struct pji_task_spec *spec)
{
    const struct pji_yaml *node = pji_yaml_get(spec->node, "positive");
    const char *text = node ? pji_node_text(study, node, "positive") : NULL;
    if (node && !text)
        return false;
    if (text) {
        free(spec->positive);
        spec->positive = pji_study_dup(study, text);
    }
    if (spec->scorer != PJI_SCORER_BINARY) {
        if (node)
            pji_study_error(study, node, "'positive' has no meaning for the scorer %s",
                            pji_scorer_name(spec->scorer));
        return !node;
    }
    bool known = false;
    for (size_t i = 0; i < spec->n_choices; i++)
        known = known || (spec->positive && strcmp(spec->choices[i], spec->positive) == 0);
    if (!known)
        pji_study_error(study, node ? node : spec->node,
                        "the scorer binary needs choices (or labels) and positive: which of them "
                        "is the positive class");
    return known;
}

static bool parse_rest(struct pji_study *study, struct pji_task_spec *spec)
{
    const struct pji_yaml *after = pji_yaml_get(spec->node, "answer_after");
    const struct pji_yaml *tolerance = pji_yaml_get(spec->node, "tolerance");
    const char *text = after ? pji_node_text(study, after, "answer_after") : NULL;
    if (after && !text)
        return false;
    if (text)
        spec->answer_after = pji_study_dup(study, text);
    text = tolerance ? pji_node_text(study, tolerance, "tolerance") : NULL;
    if (!text)
        return !tolerance;
    if (spec->scorer != PJI_SCORER_NUMERIC) {
        pji_study_error(study, tolerance, "'tolerance' has no meaning for the scorer %s",
                        pji_scorer_name(spec->scorer));
        return false;
    }
    if (pji_num_parse(text, strlen(text), &spec->tolerance, NULL) == PJ_OK &&
        spec->tolerance >= 0 && spec->tolerance < 1)
        return true;
    pji_study_error(study, tolerance,
                    "tolerance must be a share of the right number from 0 to 1, not '%.60s'", text);
    return false;
}

/* Choices belong to choice and binary. */
static bool check_choices(struct pji_study *study, const struct pji_task_spec *spec)
{
    bool closed = spec->scorer == PJI_SCORER_CHOICE || spec->scorer == PJI_SCORER_BINARY;
    if (closed || spec->n_choices == 0)
        return true;
    const struct pji_yaml *at = pji_yaml_get(spec->node, "scorer");
    pji_study_error(study, at ? at : spec->node, "the scorer %s takes no choices and no labels",
                    pji_scorer_name(spec->scorer));
    return false;
}

bool pji_parse_scoring(struct pji_study *study, struct pji_task_spec *spec)
{
    return use_preset(study, spec) && parse_labels(study, spec) && parse_scorer(study, spec) &&
           parse_positive(study, spec) && parse_rest(study, spec) && check_choices(study, spec);
}
