/* agent/policy.c - see policy.h. */
#include "agent/policy.h"

#include "core/array.h"
#include "core/str.h"
#include "lab/secrets.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading ---- */

static pj_status complain(const struct pji_policy *policy, const struct pji_yaml *at,
                          const char *words, struct pj_error *err)
{
    return pji_fail(err, PJ_EINVAL, "%s:%zu:%zu: %s", policy->doc.name, at->line, at->column,
                    words);
}

static bool is_value(const struct pji_yaml *node)
{
    if (node->kind == PJI_YAML_SCALAR)
        return true;
    bool good = node->kind == PJI_YAML_SEQUENCE && node->n > 0;
    for (size_t i = 0; i < node->n && good; i++)
        good = node->items[i].kind == PJI_YAML_SCALAR;
    return good;
}

static pj_status check_rule(const struct pji_policy *policy, const struct pji_yaml *rule,
                            struct pj_error *err)
{
    if (rule->kind == PJI_YAML_SCALAR)
        return strcmp(rule->text, "number") == 0
                   ? PJ_OK
                   : complain(policy, rule,
                              "a setting's rule is `number`, a list of the values that are "
                              "allowed, or a mapping of names to values",
                              err);
    for (size_t i = 0; i < rule->n; i++)
        if (!is_value(&rule->items[i]))
            return complain(policy, &rule->items[i],
                            "an allowed value is a text or a list of texts", err);
    return PJ_OK;
}

static pj_status check_engine(const struct pji_policy *policy, const struct pji_yaml *entry,
                              struct pj_error *err)
{
    const struct pji_yaml *kind =
        entry->kind == PJI_YAML_MAPPING ? pji_yaml_get(entry, "kind") : NULL;
    if (kind == NULL || kind->kind != PJI_YAML_SCALAR || pji_engine_find(kind->text) == NULL)
        return complain(policy, entry,
                        "each entry of engines is a mapping with a known kind and rules for its "
                        "settings",
                        err);
    const struct pji_engine_ops *ops = pji_engine_find(kind->text);
    pj_status status = PJ_OK;
    for (size_t i = 0; i < entry->n && status == PJ_OK; i++) {
        const char *const *known = ops->keys;
        if (strcmp(entry->keys[i].text, "kind") == 0)
            continue;
        while (*known != NULL && strcmp(*known, entry->keys[i].text) != 0)
            known++;
        status = *known != NULL
                     ? check_rule(policy, &entry->items[i], err)
                     : complain(policy, &entry->keys[i], "the engine has no such setting", err);
    }
    return status;
}

static pj_status check_files(const struct pji_policy *policy, const struct pji_yaml *files,
                             struct pj_error *err)
{
    if (files != NULL && files->kind != PJI_YAML_MAPPING)
        return complain(policy, files, "this is a mapping of names to files", err);
    for (size_t i = 0; files != NULL && i < files->n; i++)
        if (files->items[i].kind != PJI_YAML_SCALAR || files->items[i].text[0] == '\0')
            return complain(policy, &files->items[i], "a file is one path", err);
    return PJ_OK;
}

/* What stands here becomes arguments, which go into the records of whoever asks (engine.command).
 */
static pj_status refuse_secrets(const struct pji_policy *policy, const struct pji_yaml *node,
                                struct pj_error *err)
{
    size_t line, column;
    const char *what = NULL;
    pj_status status = PJ_OK;
    if (node->kind == PJI_YAML_SCALAR &&
        pji_secret_find(node->text, strlen(node->text), &line, &column, &what))
        return complain(policy, node,
                        "a secret (an option, an address, a header or a key that holds one) would "
                        "get into the records of every study: give it to the program in the "
                        "environment of the agent",
                        err);
    for (size_t i = 0; i < node->n && status == PJ_OK; i++)
        status = refuse_secrets(policy, &node->items[i], err);
    return status;
}

static pj_status check_root(const struct pji_policy *policy, struct pj_error *err)
{
    const struct pji_yaml *root = &policy->doc.root;
    const struct pji_yaml *engines =
        root->kind == PJI_YAML_MAPPING ? pji_yaml_get(root, "engines") : NULL;
    if (engines == NULL || engines->kind != PJI_YAML_SEQUENCE)
        return complain(policy, root,
                        "an agent's configuration needs engines: a list of what may be run", err);
    pj_status status = PJ_OK;
    for (size_t i = 0; i < root->n && status == PJ_OK; i++)
        if (strcmp(root->keys[i].text, "engines") != 0 &&
            strcmp(root->keys[i].text, "tasks") != 0 && strcmp(root->keys[i].text, "times") != 0)
            status =
                complain(policy, &root->keys[i], "known keys are engines, tasks and times", err);
    for (size_t i = 0; i < engines->n && status == PJ_OK; i++)
        status = check_engine(policy, &engines->items[i], err);
    if (status == PJ_OK)
        status = refuse_secrets(policy, engines, err);
    if (status == PJ_OK)
        status = check_files(policy, pji_yaml_get(root, "tasks"), err);
    return status == PJ_OK ? check_files(policy, pji_yaml_get(root, "times"), err) : status;
}

pj_status pji_policy_read(struct pji_policy *policy, const char *path, struct pj_error *err)
{
    *policy = (struct pji_policy){0};
    const char *slash = strrchr(path, '/');
    pj_status status = pji_yaml_read(&policy->doc, path, err);
    if (status != PJ_OK)
        return status;
    policy->open = true;
    policy->dir = slash == NULL   ? pji_dup(".", err)
                  : slash == path ? pji_dup("/", err)
                                  : pji_dupn(path, (size_t)(slash - path), err);
    status = policy->dir != NULL ? check_root(policy, err) : PJ_ENOMEM;
    if (status != PJ_OK)
        pji_policy_fini(policy);
    return status;
}

void pji_policy_fini(struct pji_policy *policy)
{
    if (policy->open)
        pji_yaml_fini(&policy->doc);
    free(policy->dir);
    *policy = (struct pji_policy){0};
}

/* ---- matching ---- */

/* Whole number, on or off: what can never name a file. */
static bool is_number(const struct pji_setting *setting)
{
    static const char *const words[] = {"on", "off", "true", "false", "yes", "no"};
    if (setting->n != 1 || setting->is_list)
        return false;
    const char *text = setting->values[0];
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(text, words[i]) == 0)
            return true;
    size_t n = strspn(text, "0123456789");
    return n > 0 && n <= 18 && text[n] == '\0';
}

static bool same_value(const struct pji_yaml *value, const struct pji_setting *setting)
{
    bool list = value->kind == PJI_YAML_SEQUENCE;
    size_t n = list ? value->n : 1;
    if (n != setting->n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (strcmp(list ? value->items[i].text : value->text, setting->values[i]) != 0)
            return false;
    return true;
}

/* What stands in the configuration for this setting; NULL: nothing. *as_is: it may stay. */
static const struct pji_yaml *find_value(const struct pji_yaml *rule,
                                         const struct pji_setting *setting, bool *as_is)
{
    *as_is = rule->kind == PJI_YAML_SCALAR && is_number(setting);
    if (rule->kind == PJI_YAML_MAPPING)
        return setting->n == 1 ? pji_yaml_get(rule, setting->values[0]) : NULL;
    for (size_t i = 0; rule->kind == PJI_YAML_SEQUENCE && i < rule->n; i++)
        if (same_value(&rule->items[i], setting))
            return &rule->items[i];
    return NULL;
}

/* The first setting that the entry does not allow; n: all are fine. */
static size_t first_refused(const struct pji_yaml *entry, const struct pji_setting *settings,
                            size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool as_is = false;
        const struct pji_yaml *rule = pji_yaml_get(entry, settings[i].key);
        if (strcmp(settings[i].key, "kind") == 0 || rule == NULL ||
            (find_value(rule, &settings[i], &as_is) == NULL && !as_is))
            return i;
    }
    return n;
}

static pj_status replace(struct pji_setting *setting, const struct pji_yaml *value,
                         struct pj_error *err)
{
    bool list = value->kind == PJI_YAML_SEQUENCE;
    size_t n = list ? value->n : 1;
    char **values = pji_zalloc(n + 1, sizeof *values, err);
    pj_status status = values != NULL ? PJ_OK : PJ_ENOMEM;
    for (size_t i = 0; i < n && status == PJ_OK; i++) {
        values[i] = pji_dup(list ? value->items[i].text : value->text, err);
        status = values[i] != NULL ? PJ_OK : PJ_ENOMEM;
    }
    if (values == NULL)
        return status;
    char **old = (char **)(uintptr_t)setting->values;
    for (size_t i = 0; i < setting->n; i++)
        free(old[i]);
    free(old);
    setting->values = (const char *const *)values;
    setting->n = n;
    setting->is_list = list;
    return status;
}

static pj_status apply(const struct pji_yaml *entry, struct pji_setting *settings, size_t n,
                       struct pj_error *err)
{
    pj_status status = PJ_OK;
    for (size_t i = 0; i < n && status == PJ_OK; i++) {
        bool as_is = false;
        const struct pji_yaml *value =
            find_value(pji_yaml_get(entry, settings[i].key), &settings[i], &as_is);
        if (value != NULL)
            status = replace(&settings[i], value, err);
    }
    return status;
}

pj_status pji_policy_allow(const struct pji_policy *policy, const char *kind,
                           struct pji_setting *settings, size_t n, struct pj_error *err)
{
    const struct pji_yaml *engines = pji_yaml_get(&policy->doc.root, "engines");
    size_t refused = n;
    bool known = false;
    for (size_t e = 0; e < engines->n; e++) {
        const struct pji_yaml *entry = &engines->items[e];
        if (strcmp(pji_yaml_get(entry, "kind")->text, kind) != 0)
            continue;
        known = true;
        size_t at = first_refused(entry, settings, n);
        if (at == n)
            return apply(entry, settings, n, err);
        refused = at;
    }
    if (!known || refused >= n)
        return pji_fail(err, PJ_EACCESS,
                        "this agent's configuration does not allow engines of kind '%.40s'", kind);
    char excerpt[PJI_EXCERPT];
    const char *first = settings[refused].values[0];
    return pji_fail(err, PJ_EACCESS,
                    "this agent's configuration does not allow the %s '%s' for engines of kind %s",
                    settings[refused].key, pji_excerpt(first, strlen(first), excerpt), kind);
}

/* ---- items ---- */

static char *our_path(const struct pji_policy *policy, const char *path, struct pj_error *err)
{
    struct pji_str text = {0};
    if (path[0] != '/')
        pji_str_addf(&text, "%s/", policy->dir);
    pji_str_add(&text, path);
    char *out = pji_str_ok(&text, err) == PJ_OK ? pji_str_take(&text) : NULL;
    pji_str_fini(&text);
    return out;
}

/* The file that the configuration has below `key` for a name; caller frees. */
static pj_status find_file(const struct pji_policy *policy, const char *key, const char *name,
                           char **path, struct pj_error *err)
{
    char excerpt[PJI_EXCERPT];
    const struct pji_yaml *files = pji_yaml_get(&policy->doc.root, key);
    const struct pji_yaml *value = files != NULL ? pji_yaml_get(files, name) : NULL;
    if (value == NULL)
        return pji_fail(err, PJ_EACCESS, "this agent's configuration does not allow the %s '%s'",
                        strcmp(key, "tasks") == 0 ? "items" : key,
                        pji_excerpt(name, strlen(name), excerpt));
    *path = our_path(policy, value->text, err);
    return *path != NULL ? PJ_OK : PJ_ENOMEM;
}

/* A name of the study becomes our path. */
static pj_status our_file(const struct pji_policy *policy, char **name, struct pj_error *err)
{
    char *path = NULL;
    pj_status status = find_file(policy, "tasks", *name, &path, err);
    if (status != PJ_OK)
        return status;
    free(*name);
    *name = path;
    return PJ_OK;
}

pj_status pji_policy_files(const struct pji_policy *policy, struct pji_study *study,
                           struct pj_error *err)
{
    const struct pji_yaml *times =
        study->load_node != NULL ? pji_yaml_get(study->load_node, "times") : NULL;
    pj_status status = PJ_OK;
    for (size_t i = 0; i < study->n_tasks && status == PJ_OK; i++) {
        struct pji_task_spec *spec = &study->tasks[i];
        status = our_file(policy, &spec->items_path, err);
        if (status == PJ_OK && spec->examples_path != NULL)
            status = our_file(policy, &spec->examples_path, err);
    }
    if (status == PJ_OK && times != NULL)
        status = find_file(policy, "times", times->text, &study->times_path, err);
    return status;
}

pj_status pji_policy_study_path(const struct pji_policy *policy, char **path, struct pj_error *err)
{
    *path = our_path(policy, "study.yaml", err);
    return *path != NULL ? PJ_OK : PJ_ENOMEM;
}
