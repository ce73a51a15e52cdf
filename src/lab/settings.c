/* engine: of the study file, and its settings with levels filled in. */
#include "lab/internal.h"

#include "core/array.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- filling ---- */

static pj_status fill_setting(const struct pji_study *study, const struct pji_yaml *key,
                              const struct pji_yaml *value, const char *const *levels,
                              struct pji_setting *out, struct pj_error *err)
{
    bool list = value->kind == PJI_YAML_SEQUENCE;
    size_t n = list ? value->n : 1;
    char **values = pji_zalloc(n + 1, sizeof *values, err);
    if (!values)
        return PJ_ENOMEM;
    *out = (struct pji_setting){.key = key->text,
                                .values = (const char *const *)values,
                                .n = n,
                                .is_list = list,
                                .line = value->line,
                                .column = value->column};
    pj_status st = PJ_OK;
    for (size_t i = 0; i < n && st == PJ_OK; i++)
        st = pji_study_fill(study, list ? &value->items[i] : value, levels, &values[i], err);
    return st;
}

pj_status pji_study_settings(const struct pji_study *study, const char *const *levels,
                             struct pji_setting **out, size_t *n, struct pj_error *err)
{
    const struct pji_yaml *node = study->engine_node;
    *out = pji_zalloc(node->n + 1, sizeof **out, err);
    *n = 0;
    if (!*out)
        return PJ_ENOMEM;
    pj_status st = PJ_OK;
    for (size_t i = 0; i < node->n && st == PJ_OK; i++) {
        if (strcmp(node->keys[i].text, "kind") == 0)
            continue;
        st = fill_setting(study, &node->keys[i], &node->items[i], levels, &(*out)[*n], err);
        *n += (*out)[*n].values != NULL;
    }
    if (st == PJ_OK)
        return st;
    pji_settings_free(*out, *n);
    *out = NULL;
    *n = 0;
    return st;
}

void pji_settings_free(struct pji_setting *settings, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char **values = (char **)(uintptr_t)settings[i].values;
        for (size_t k = 0; k < settings[i].n; k++)
            free(values[k]);
        free(values);
    }
    free(settings);
}

/* ---- checking ---- */

static void unknown_kind(struct pji_study *study, const struct pji_yaml *at)
{
    const struct pji_engine_ops *const *table = pji_engine_table();
    const char *names[32] = {NULL};
    struct pji_str list = {0};
    for (size_t i = 0, n = 0; table[i] && n < 31; i++) {
        if (table[i]->protocol)
            continue;
        pji_str_addf(&list, "%s%s", n ? ", " : "", table[i]->kind);
        names[n++] = table[i]->kind;
    }
    const char *nearest = pji_str_nearest(at->text, names);
    if (nearest)
        pji_study_error(study, at, "unknown engine kind '%.60s', did you mean '%s'?", at->text,
                        nearest);
    else
        pji_study_error(study, at, "unknown engine kind '%.60s': known are %s", at->text,
                        pji_str_text(&list));
    pji_str_fini(&list);
}

static bool check_value(struct pji_study *study, const struct pji_yaml *key,
                        const struct pji_yaml *value)
{
    if (value->kind == PJI_YAML_SCALAR)
        return pji_study_check_names(study, value);
    bool good = value->kind == PJI_YAML_SEQUENCE;
    for (size_t i = 0; i < value->n && good; i++)
        good = value->items[i].kind == PJI_YAML_SCALAR;
    if (!good)
        pji_study_error(study, value, "engine setting '%s' must be a value or a list of values",
                        key->text);
    else if (value->n == 0)
        pji_study_error(study, value, "engine setting '%s' is an empty list", key->text);
    return good && value->n > 0 && pji_study_check_names(study, value);
}

static bool check_keys(struct pji_study *study, const struct pji_yaml *node)
{
    const char *known[64] = {"kind"};
    for (size_t i = 0; study->engine->keys[i] && i < 62; i++)
        known[i + 1] = study->engine->keys[i];
    char what[96];
    snprintf(what, sizeof what, "engine of kind '%s'", study->engine->kind);
    size_t before = study->errors.n;
    return pji_node_keys(study, node, what, known) && study->errors.n == before;
}

static bool quotes(const char *sentence, const char *word)
{
    char quoted[80];
    snprintf(quoted, sizeof quoted, "'%.70s'", word);
    return strstr(sentence, quoted) != NULL;
}

/* An engine quotes the setting that it complains of, or its value: point at that one. */
static struct pji_yaml blamed(const struct pji_yaml *node, const struct pji_setting *settings,
                              size_t n, const char *sentence)
{
    struct pji_yaml at = *node;
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < n; i++) {
            if (!quotes(sentence, pass ? settings[i].values[0] : settings[i].key))
                continue;
            at.line = settings[i].line;
            at.column = settings[i].column;
            return at;
        }
    }
    return at;
}

static pj_status check_combination(void *context, const char *const *levels, struct pj_error *err)
{
    struct pji_study *study = context;
    struct pji_setting *settings = NULL;
    size_t n = 0;
    struct pj_error why = {0};
    pj_status st = pji_study_settings(study, levels, &settings, &n, err);
    if (st)
        return st;
    st = study->engine->check(settings, n, &why);
    if (st) {
        struct pji_yaml at = blamed(study->engine_node, settings, n, why.text);
        pji_study_error(study, &at, "%s", why.text);
    }
    pji_settings_free(settings, n);
    return st ? 1 : PJ_OK; /* one complaint is enough: the other combinations would repeat it */
}

/* What a program is asked decides which sections the file has: no factor may change it. */
static bool choose_protocol(struct pji_study *study, const struct pji_yaml *node)
{
    const struct pji_yaml *protocol = pji_yaml_get(node, "protocol");
    const char *text = protocol ? pji_node_text(study, protocol, "engine protocol") : "";
    if (!protocol || !text || strcmp(study->engine->kind, "command") != 0)
        return text != NULL; /* a key that others do not know is refused as such */
    const struct pji_engine_ops *ops = pji_engine_speaking(study->engine->kind, text);
    study->engine = ops; /* NULL: what the file must have is not known */
    if (!ops)
        pji_study_error(study, protocol,
                        "unknown protocol '%.60s': write jsonl for a program that answers items, "
                        "or leave it out for one that runs once",
                        text);
    return ops != NULL;
}

void pji_parse_engine(struct pji_study *study, const struct pji_yaml *node)
{
    if (node->kind != PJI_YAML_MAPPING) {
        pji_study_error(study, node, "engine must be a mapping: write engine: {kind: llamacpp}");
        return;
    }
    const struct pji_yaml *kind = pji_yaml_get(node, "kind");
    if (!kind) {
        pji_study_error(study, node, "engine needs a kind: write engine: {kind: llamacpp}");
        return;
    }
    const char *name = pji_node_text(study, kind, "engine kind");
    if (!name)
        return;
    study->engine = pji_engine_find(name);
    if (!study->engine) {
        unknown_kind(study, kind);
        return;
    }
    study->engine_node = node;
    bool good = choose_protocol(study, node) && check_keys(study, node);
    for (size_t i = 0; i < node->n; i++)
        good &= check_value(study, &node->keys[i], &node->items[i]);
    bool *used = good ? pji_study_alloc(study, study->n_factors, sizeof *used) : NULL;
    if (!used)
        return;
    pji_study_uses(study, node, used);
    /* problems of the design itself are reported where the factors are read */
    pji_study_each_combination(study, used, check_combination, study, NULL);
    free(used);
}
