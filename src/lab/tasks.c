/* task: of the study file: values with levels filled in and defaults applied. */
#include "lab/internal.h"

#include "core/array.h"
#include "core/num.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_TOKENS_DEFAULT = 128, MAX_TOKENS_MOST = 10000000 };

/* ---- one field from its text ---- */

struct filling {
    const struct pji_study *study;
    struct pji_task_values *out;
};

typedef pj_status field_fn(struct filling *f, const char *key, const char *text,
                           struct pj_error *err);

pj_status pji_whole_number(const char *key, const char *text, int64_t min, int64_t max,
                           int64_t *out, struct pj_error *err)
{
    if (pji_num_parse_i64(text, strlen(text), out, NULL) == PJ_OK && *out >= min && *out <= max)
        return PJ_OK;
    return pji_fail(err, PJ_EINVAL, "%s must be a whole number from %lld to %lld, not '%.60s'", key,
                    (long long)min, (long long)max, text);
}

static pj_status keep(char **slot, const char *text, struct pj_error *err)
{
    free(*slot);
    *slot = pji_dup(text, err);
    return *slot ? PJ_OK : PJ_ENOMEM;
}

static pj_status fill_items(struct filling *f, const char *key, const char *text,
                            struct pj_error *err)
{
    struct pji_str path = {0};
    (void)key;
    if (text[0] != '/')
        pji_str_addf(&path, "%s/", f->study->dir);
    pji_str_add(&path, text);
    free(f->out->items_path);
    f->out->items_path = pji_str_take(&path);
    return f->out->items_path ? PJ_OK : pji_fail(err, PJ_ENOMEM, "out of memory");
}

static pj_status fill_prompt(struct filling *f, const char *key, const char *text,
                             struct pj_error *err)
{
    (void)key;
    return keep(&f->out->prompt, text, err);
}

static pj_status fill_gold(struct filling *f, const char *key, const char *text,
                           struct pj_error *err)
{
    (void)key;
    return keep(&f->out->gold, text, err);
}

static pj_status fill_stop(struct filling *f, const char *key, const char *text,
                           struct pj_error *err)
{
    (void)key;
    return keep(&f->out->stop, text, err);
}

static pj_status fill_max_tokens(struct filling *f, const char *key, const char *text,
                                 struct pj_error *err)
{
    return pji_whole_number(key, text, 1, MAX_TOKENS_MOST, &f->out->max_tokens, err);
}

static pj_status fill_limit(struct filling *f, const char *key, const char *text,
                            struct pj_error *err)
{
    return pji_whole_number(key, text, 0, 1000000000, &f->out->limit, err);
}

static pj_status fill_seed(struct filling *f, const char *key, const char *text,
                           struct pj_error *err)
{
    if (pji_num_parse_u64(text, strlen(text), &f->out->seed, NULL) == PJ_OK)
        return PJ_OK;
    return pji_fail(err, PJ_EINVAL, "%s must be a whole number from 0 to 2^64-1, not '%.60s'", key,
                    text);
}

static pj_status fill_temperature(struct filling *f, const char *key, const char *text,
                                  struct pj_error *err)
{
    double value = -1.0;
    if (pji_num_parse(text, strlen(text), &value, NULL) != PJ_OK || value < 0.0 || value > 100.0)
        return pji_fail(err, PJ_EINVAL, "%s must be a number from 0 to 100, not '%.60s'", key,
                        text);
    f->out->temperature = value;
    return PJ_OK;
}

static pj_status one_of(const char *key, const char *text, const char *a, const char *b,
                        bool *second, struct pj_error *err)
{
    *second = strcmp(text, b) == 0;
    if (*second || strcmp(text, a) == 0)
        return PJ_OK;
    return pji_fail(err, PJ_EINVAL, "%s must be %s or %s, not '%.60s'", key, a, b, text);
}

static pj_status fill_ignore_eos(struct filling *f, const char *key, const char *text,
                                 struct pj_error *err)
{
    return one_of(key, text, "false", "true", &f->out->ignore_eos, err);
}

static pj_status fill_api(struct filling *f, const char *key, const char *text,
                          struct pj_error *err)
{
    bool chat = false;
    pj_status st = one_of(key, text, "completions", "chat", &chat, err);
    f->out->api = chat ? PJI_API_CHAT : PJI_API_COMPLETIONS;
    return st;
}

static pj_status fill_shots(struct filling *f, const char *key, const char *text,
                            struct pj_error *err)
{
    return pji_whole_number(key, text, 0, 1000, &f->out->shots, err);
}

static pj_status fill_thinking(struct filling *f, const char *key, const char *text,
                               struct pj_error *err)
{
    bool on = false;
    pj_status st = one_of(key, text, "off", "on", &on, err);
    f->out->thinking = on ? PJI_THINKING_ON : PJI_THINKING_OFF;
    return st;
}

static const struct {
    const char *key;
    field_fn *fill;
} fields[] = {
    {"items", fill_items},
    {"prompt", fill_prompt},
    {"gold", fill_gold},
    {"max_tokens", fill_max_tokens},
    {"ignore_eos", fill_ignore_eos},
    {"stop", fill_stop},
    {"temperature", fill_temperature},
    {"seed", fill_seed},
    {"limit", fill_limit},
    {"api", fill_api},
    {"shots", fill_shots},
    {"thinking", fill_thinking},
};

enum { N_FIELDS = sizeof fields / sizeof fields[0] };

static const char *const task_keys[] = {
    "name",       "items",    "prompt",      "gold",     "choices",  "max_tokens",
    "ignore_eos", "stop",     "temperature", "seed",     "limit",    "api",
    "extra",      "preset",   "scorer",      "labels",   "positive", "answer_after",
    "tolerance",  "examples", "shots",       "thinking", "window",   NULL};

/* Read once for the whole study: a factor cannot change them. */
static const char *const fixed_keys[] = {
    "name",   "items",    "prompt",       "gold",      "choices",  "preset", "scorer",
    "labels", "positive", "answer_after", "tolerance", "examples", "window", NULL};

static pj_status fill_field(struct filling *f, size_t field, const struct pji_yaml *node,
                            const char *const *levels, struct pj_error *err)
{
    struct pj_error why = {0};
    char *text = NULL;
    pj_status st = pji_study_fill(f->study, node, levels, &text, err);
    if (st)
        return st;
    if (!*text)
        st = pji_fail(err, PJ_EINVAL, "%s is empty: give it a value or remove it",
                      fields[field].key);
    else if ((st = fields[field].fill(f, fields[field].key, text, &why)) != PJ_OK)
        pji_error_set(
            err, st, 0, "%s%s%.60s%s", why.text, strcmp(text, node->text) ? " (filled into '" : "",
            strcmp(text, node->text) ? node->text : "", strcmp(text, node->text) ? "')" : "");
    free(text);
    return st;
}

/* ---- a task ---- */

static pj_status fill_choices(struct filling *f, const struct pji_yaml *node,
                              const char *const *levels, struct pj_error *err)
{
    if (node->kind != PJI_YAML_SEQUENCE || node->n == 0)
        return pji_fail(err, PJ_EINVAL,
                        "choices must be a list of answers: write choices: [yes, no]");
    f->out->choices = pji_zalloc(node->n, sizeof *f->out->choices, err);
    if (!f->out->choices)
        return PJ_ENOMEM;
    for (size_t i = 0; i < node->n; i++) {
        char *text = NULL;
        pj_status st = pji_study_fill(f->study, &node->items[i], levels, &text, err);
        if (st)
            return st;
        f->out->choices[f->out->n_choices++] = text;
        for (size_t k = 0; k + 1 < f->out->n_choices; k++)
            if (strcmp(f->out->choices[k], text) == 0)
                return pji_fail(err, PJ_EINVAL, "choice '%.60s' is there twice", text);
        if (!*text)
            return pji_fail(err, PJ_EINVAL, "a choice is empty");
    }
    return PJ_OK;
}

static pj_status check_task(const struct pji_task_spec *spec, const struct pji_task_values *v,
                            struct pj_error *err)
{
    if (!v->items_path)
        return pji_fail(err, PJ_EINVAL,
                        "task '%s' needs items: the path of a JSON Lines file, seen from the "
                        "folder of the study file",
                        v->name);
    if (v->shots > 0 && !spec->examples_path)
        return pji_fail(err, PJ_EINVAL,
                        "task '%s' has shots and needs examples: a JSON Lines file with gold "
                        "labels whose items are not asked",
                        v->name);
    if (v->thinking != PJI_THINKING_UNSAID && v->api != PJI_API_CHAT)
        return pji_fail(err, PJ_EINVAL,
                        "task '%s': thinking is told through the chat template: write api: chat",
                        v->name);
    if (v->n_choices && !v->gold)
        return pji_fail(err, PJ_EINVAL,
                        "task '%s' has choices and needs gold: the key of the right answer in each "
                        "item",
                        v->name);
    return PJ_OK;
}

static pj_status fill_other(struct filling *f, const char *key, const struct pji_yaml *node,
                            const char *const *levels, struct pj_error *err)
{
    if (strcmp(key, "choices") == 0)
        return fill_choices(f, node, levels, err);
    if (strcmp(key, "extra") != 0)
        return PJ_OK; /* name was read before, unknown keys were reported before */
    if (node->kind != PJI_YAML_MAPPING)
        return pji_fail(err, PJ_EINVAL,
                        "extra must be a mapping of members of the request: write extra: "
                        "{cache_prompt: false}");
    return pji_yaml_to_json(f->study, node, levels, &f->out->extra, err);
}

pj_status pji_task_fill(const struct pji_study *study, size_t index, const char *const *levels,
                        struct pji_task_values *out, const struct pji_yaml **at,
                        struct pj_error *err)
{
    const struct pji_task_spec *spec = &study->tasks[index];
    *out = (struct pji_task_values){
        .name = spec->name,
        .max_tokens = study->engine && study->engine->lines ? 0 : MAX_TOKENS_DEFAULT,
        .seed = study->seed};
    *at = spec->node;
    struct filling f = {study, out};
    pj_status st = keep(&out->prompt, spec->prompt ? spec->prompt : "{prompt}", err);
    if (st == PJ_OK && spec->gold)
        st = keep(&out->gold, spec->gold, err);
    for (size_t i = 0; i < spec->node->n && st == PJ_OK; i++) {
        const char *key = spec->node->keys[i].text;
        size_t field = 0;
        while (field < N_FIELDS && strcmp(fields[field].key, key) != 0)
            field++;
        st = field < N_FIELDS ? fill_field(&f, field, &spec->node->items[i], levels, err)
                              : fill_other(&f, key, &spec->node->items[i], levels, err);
        if (st)
            *at = &spec->node->items[i];
    }
    return st ? st : check_task(spec, out, err);
}

bool pji_study_steady(const struct pji_study *study)
{
    return study->n_tasks > 0 && study->tasks[0].steady;
}

pj_status pji_study_task(const struct pji_study *study, size_t index, const char *const *levels,
                         struct pji_task_values *out, struct pj_error *err)
{
    const struct pji_yaml *at = NULL;
    return pji_task_fill(study, index, levels, out, &at, err);
}

void pji_task_values_fini(struct pji_task_values *v)
{
    for (size_t i = 0; i < v->n_choices; i++)
        free(v->choices[i]);
    free(v->choices);
    free(v->items_path);
    free(v->prompt);
    free(v->gold);
    free(v->stop);
    free(v->extra);
    *v = (struct pji_task_values){0};
}

/* ---- parsing ---- */

struct check {
    struct pji_study *study;
    size_t index;
};

static pj_status check_combination(void *context, const char *const *levels, struct pj_error *err)
{
    struct check *c = context;
    struct pji_task_values values = {0};
    const struct pji_yaml *at = NULL;
    struct pj_error why = {0};
    (void)err;
    pj_status st = pji_task_fill(c->study, c->index, levels, &values, &at, &why);
    if (st)
        pji_study_error(c->study, at, "%s", why.text);
    pji_task_values_fini(&values);
    return st ? 1 : PJ_OK; /* one complaint for each task */
}

static char *written(struct pji_study *study, const struct pji_yaml *node, const char *key)
{
    const struct pji_yaml *value = pji_yaml_get(node, key);
    return value && value->kind == PJI_YAML_SCALAR ? pji_study_dup(study, value->text) : NULL;
}

static void written_choices(struct pji_study *study, struct pji_task_spec *spec)
{
    const struct pji_yaml *node = pji_yaml_get(spec->node, "choices");
    if (!node || node->kind != PJI_YAML_SEQUENCE)
        return;
    spec->choices = pji_study_alloc(study, node->n, sizeof *spec->choices);
    for (size_t i = 0; i < node->n && spec->choices; i++) {
        if (node->items[i].kind != PJI_YAML_SCALAR)
            continue;
        char *text = pji_study_dup(study, node->items[i].text);
        if (text)
            spec->choices[spec->n_choices++] = text;
    }
}

static bool name_task(struct pji_study *study, struct pji_task_spec *spec, bool several)
{
    const struct pji_yaml *node = pji_yaml_get(spec->node, "name");
    const char *text = node ? pji_node_text(study, node, "name of a task") : "task";
    if (!node && several)
        pji_study_error(study, spec->node, "each of several tasks needs a name");
    if (!text || (!node && several))
        return false;
    size_t len = pji_name_len(text);
    if (node && (len == 0 || text[len] != '\0')) {
        pji_study_error(study, node,
                        "'%.60s' cannot name a task: use letters, digits and '_', not starting "
                        "with a digit",
                        text);
        return false;
    }
    for (size_t i = 0; i < study->n_tasks; i++) {
        if (strcmp(study->tasks[i].name, text) == 0) {
            pji_study_error(study, node ? node : spec->node, "two tasks are named '%.60s'", text);
            return false;
        }
    }
    spec->name = pji_study_dup(study, text);
    return spec->name != NULL;
}

/* The keys that name no factor; what they hold is then right for every trial. */
static bool check_fixed(struct pji_study *study, const struct pji_yaml *node)
{
    bool good = true;
    bool *used = pji_study_alloc(study, study->n_factors, sizeof *used);
    for (size_t i = 0; fixed_keys[i] && used; i++) {
        const struct pji_yaml *value = pji_yaml_get(node, fixed_keys[i]);
        memset(used, 0, study->n_factors * sizeof *used);
        pji_study_uses(study, value, used);
        for (size_t f = 0; f < study->n_factors; f++) {
            if (!used[f])
                continue;
            good = false;
            pji_study_error(study, value,
                            "%s cannot name factor '%s': it is read once for all trials; write "
                            "one task for each",
                            fixed_keys[i], study->factors[f].name);
        }
    }
    free(used);
    return good && used;
}

/* One window for all tasks of a study: figures over a whole task and over its steady part are no
 * figures of one table. */
static void parse_window(struct pji_study *study, struct pji_task_spec *spec)
{
    const struct pji_yaml *node = pji_yaml_get(spec->node, "window");
    const char *text = node ? pji_node_text(study, node, "window") : "whole_task";
    if (!text)
        return;
    spec->steady = strcmp(text, "steady") == 0;
    if (!spec->steady && strcmp(text, "whole_task") != 0)
        pji_study_error(study, node, "window must be whole_task or steady, not '%.60s'", text);
    else if (study->n_tasks > 0 && study->tasks[0].steady != spec->steady)
        pji_study_error(study, node ? node : spec->node,
                        "window is %s here and %s in task '%s': figures of the two may not stand "
                        "in one table; give all tasks the same one, or make two studies",
                        spec->steady ? "steady" : "whole_task",
                        spec->steady ? "whole_task" : "steady", study->tasks[0].name);
    else if (spec->steady && pji_factor_find(study, "window", 6) < study->n_factors)
        pji_study_error(study, node,
                        "window: steady needs the name of factor 'window' for a column of the "
                        "export: rename the factor");
}

static void parse_task(struct pji_study *study, const struct pji_yaml *node, bool several)
{
    struct pji_task_spec spec = {.node = node};
    if (!pji_node_keys(study, node, "task", task_keys) || !name_task(study, &spec, several))
        return;
    spec.items_path = written(study, node, "items");
    spec.prompt = written(study, node, "prompt");
    spec.gold = written(study, node, "gold");
    spec.examples_path = written(study, node, "examples");
    written_choices(study, &spec);
    bool scored = pji_parse_scoring(study, &spec);
    parse_window(study, &spec);
    if (!spec.prompt)
        spec.prompt = pji_study_dup(study, study->engine->lines ? "" : "{prompt}");
    struct check check = {study, study->n_tasks};
    study->tasks[study->n_tasks++] = spec;
    if (!scored || !pji_study_check_names(study, node) || !check_fixed(study, node))
        return;
    bool *used = pji_study_alloc(study, study->n_factors, sizeof *used);
    if (!used)
        return;
    pji_study_uses(study, node, used);
    pji_study_each_combination(study, used, check_combination, &check, NULL);
    free(used);
}

void pji_parse_tasks(struct pji_study *study, const struct pji_yaml *node)
{
    bool several = node->kind == PJI_YAML_SEQUENCE;
    size_t n = several ? node->n : 1;
    if (n == 0) {
        pji_study_error(study, node, "task is an empty list: describe at least one task");
        return;
    }
    study->tasks = pji_study_alloc(study, n, sizeof *study->tasks);
    for (size_t i = 0; i < n && study->tasks; i++)
        parse_task(study, several ? &node->items[i] : node, several && n > 1);
}
