/* Reading a study file: sections in turn, problems collected, the first one in the file reported.
 */
#include "lab/study.h"

#include "core/num.h"
#include "core/units.h"
#include "lab/design.h"
#include "lab/internal.h"
#include "lab/secrets.h"
#include "platform/durable.h"

#include <stdlib.h>
#include <string.h>

enum { STUDY_BYTES_MOST = 4 << 20, REPETITIONS_MOST = 100000, ATTEMPTS_MOST = 1000 };

#define HOUR_NS (3600 * PJI_NS_PER_S)

/* ---- sections with a fixed list of durations and numbers ---- */

struct duration_key {
    const char *key, *what;
    int64_t min_ns, max_ns;
    int64_t *out_ns;
};

static void parse_durations(struct pji_study *study, const struct pji_yaml *node,
                            const struct duration_key *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct pji_yaml *value = pji_yaml_get(node, keys[i].key);
        if (value)
            pji_node_duration(study, value, keys[i].what, keys[i].min_ns, keys[i].max_ns,
                              keys[i].out_ns);
    }
}

static void parse_phases(struct pji_study *study, const struct pji_yaml *node)
{
    static const char *const known[] = {"warmup", "idle", "cooldown", NULL};
    struct pji_phases *p = &study->phases;
    const struct duration_key keys[] = {
        {"warmup", "phase warmup", 0, 24 * HOUR_NS, &p->warmup_ns},
        {"idle", "phase idle", 0, 24 * HOUR_NS, &p->idle_ns},
        {"cooldown", "phase cooldown", 0, 24 * HOUR_NS, &p->cooldown_ns},
    };
    if (!pji_node_keys(study, node, "phases", known))
        return;
    const struct pji_yaml *cooldown = pji_yaml_get(node, "cooldown");
    bool settle = cooldown && cooldown->kind == PJI_YAML_MAPPING;
    parse_durations(study, node, keys, sizeof keys / sizeof keys[0] - (settle ? 1 : 0));
    if (settle)
        pji_parse_settle(study, cooldown);
    if (study->engine && study->engine->is_command && p->warmup_ns > 0)
        pji_study_error(study, pji_yaml_get(node, "warmup"),
                        "phase warmup has no meaning for engine kind '%s': nothing is served",
                        study->engine->kind);
}

static void parse_limits(struct pji_study *study, const struct pji_yaml *node)
{
    static const char *const known[] = {"engine_start", "request",  "trial", "engine_stop",
                                        "meter",        "attempts", NULL};
    struct pji_limits *l = &study->limits;
    const int64_t least = 10 * PJI_NS_PER_MS, most = 1000 * HOUR_NS;
    const struct duration_key keys[] = {
        {"engine_start", "limit engine_start", least, most, &l->engine_start_ns},
        {"request", "limit request", least, most, &l->request_ns},
        {"trial", "limit trial", least, most, &l->trial_ns},
        {"engine_stop", "limit engine_stop", least, most, &l->engine_stop_ns},
        {"meter", "limit meter", least, most, &l->meter_ns},
    };
    if (!pji_node_keys(study, node, "limits", known))
        return;
    parse_durations(study, node, keys, sizeof keys / sizeof keys[0]);
    const struct pji_yaml *attempts = pji_yaml_get(node, "attempts");
    if (attempts)
        pji_node_i64(study, attempts, "limit attempts", 1, ATTEMPTS_MOST, &l->attempts);
}

static void parse_share(struct pji_study *study, const struct pji_yaml *node, const char *key,
                        double *share)
{
    const struct pji_yaml *at = pji_yaml_get(node, key);
    const char *text = at ? pji_node_text(study, at, key) : NULL;
    double value = 0;
    if (!text)
        return;
    if (pji_num_parse(text, strlen(text), &value, NULL) != PJ_OK || value < 0 || value > 1)
        pji_study_error(study, at, "gate %s must be a share from 0 to 1, not '%.60s'", key, text);
    else
        *share = value;
}

static void parse_gates(struct pji_study *study, const struct pji_yaml *node)
{
    static const char *const known[] = {"cpu_thief", "steal_time", "send_lag", NULL};
    if (!pji_node_keys(study, node, "gates", known))
        return;
    parse_share(study, node, "cpu_thief", &study->gates.foreign_invalid);
    parse_share(study, node, "steal_time", &study->gates.steal_invalid);
    parse_share(study, node, "send_lag", &study->gates.lag_share);
}

static void parse_meter(struct pji_study *study, const struct pji_yaml *node)
{
    static const char *const known[] = {"interval", NULL};
    const struct duration_key key = {"interval", "meter interval", PJI_NS_PER_MS, 60 * PJI_NS_PER_S,
                                     &study->meter_interval_ns};
    if (pji_node_keys(study, node, "meter", known))
        parse_durations(study, node, &key, 1);
}

static void interleave_one(struct pji_study *study, const struct pji_yaml *node)
{
    struct pj_error why = {0};
    const char *text = pji_node_text(study, node, "order interleave");
    if (!text)
        return;
    size_t f = pji_factor_find(study, text, strlen(text));
    if (f < study->n_factors) {
        study->interleave[f] = true;
        return;
    }
    pji_unknown_factor(study, text, strlen(text), &why);
    pji_study_error(study, node, "%s", why.text);
}

static void parse_interleave(struct pji_study *study, const struct pji_yaml *node)
{
    if (study->blocks && strcmp(study->blocks, "none") == 0) {
        pji_study_error(study, node, "interleave needs blocks: repetition");
        return;
    }
    study->interleave = pji_study_alloc(study, study->n_factors, sizeof *study->interleave);
    if (!study->interleave)
        return;
    if (node->kind == PJI_YAML_SCALAR)
        interleave_one(study, node);
    else if (node->kind == PJI_YAML_SEQUENCE && node->n > 0)
        for (size_t i = 0; i < node->n; i++)
            interleave_one(study, &node->items[i]);
    else
        pji_study_error(study, node, "interleave must name factors: write interleave: [size]");
}

static void parse_order(struct pji_study *study, const struct pji_yaml *node, bool factors)
{
    static const char *const known[] = {"seed", "blocks", "interleave", NULL};
    if (!pji_node_keys(study, node, "order", known))
        return;
    const struct pji_yaml *seed = pji_yaml_get(node, "seed");
    const char *text = seed ? pji_node_text(study, seed, "order seed") : NULL;
    if (text && pji_num_parse_u64(text, strlen(text), &study->seed, NULL) != PJ_OK)
        pji_study_error(study, seed,
                        "order seed must be a whole number from 0 to 2^64-1, not '%.60s'", text);
    const struct pji_yaml *blocks = pji_yaml_get(node, "blocks");
    text = blocks ? pji_node_text(study, blocks, "order blocks") : NULL;
    if (text && strcmp(text, "repetition") != 0 && strcmp(text, "none") != 0) {
        pji_study_error(study, blocks, "order blocks must be repetition or none, not '%.60s'",
                        text);
    } else if (text) {
        free(study->blocks);
        study->blocks = pji_study_dup(study, text);
    }
    const struct pji_yaml *interleave = pji_yaml_get(node, "interleave");
    if (interleave && factors)
        parse_interleave(study, interleave);
}

static void set_defaults(struct pji_study *study)
{
    study->seed = 1;
    study->limits = (struct pji_limits){
        .engine_start_ns = 300 * PJI_NS_PER_S,
        .request_ns = 120 * PJI_NS_PER_S,
        .trial_ns = HOUR_NS,
        .engine_stop_ns = 15 * PJI_NS_PER_S,
        .meter_ns = 10 * PJI_NS_PER_S,
        .attempts = 3,
    };
    study->gates = pji_gate_limits_default();
    study->meter_interval_ns = 100 * PJI_NS_PER_MS;
}

/* ---- the whole file ---- */

static const char *const study_keys[] = {
    "study",    "question", "factors",  "exclude",  "repetitions", "order",
    "engine",   "load",     "task",     "phases",   "limits",      "meter",
    "executor", "gates",    "analysis", "baseline", NULL};

static const struct pji_yaml *need(struct pji_study *study, const char *key, const char *example)
{
    const struct pji_yaml *node = pji_yaml_get(&study->doc.root, key);
    /* the misspelt key was reported already, where it stands */
    if (!node && !pji_node_misspells(&study->doc.root, key, study_keys))
        pji_study_error(study, &study->doc.root, "'%s' is missing: write %s", key, example);
    return node;
}

static void parse_names(struct pji_study *study)
{
    const struct pji_yaml *node = need(study, "study", "study: a name");
    const char *text = node ? pji_node_text(study, node, "study") : NULL;
    if (text)
        study->name = pji_study_dup(study, text);
    node = pji_yaml_get(&study->doc.root, "question");
    text = node ? pji_node_text(study, node, "question") : "";
    if (text)
        study->question = pji_study_dup(study, text);
}

/* What the cells depend on; false when there are no factors to check the rest against. */
static bool parse_design(struct pji_study *study)
{
    const struct pji_yaml *root = &study->doc.root;
    size_t before = study->errors.n;
    const struct pji_yaml *node = need(study, "factors", "factors: {size: [1B, 3B]}");
    if (node)
        pji_parse_factors(study, node);
    bool factors = node && study->errors.n == before;
    const struct pji_yaml *exclude = pji_yaml_get(root, "exclude");
    if (exclude && factors)
        pji_parse_exclusions(study, exclude);
    if (pji_yaml_get(root, "order"))
        parse_order(study, pji_yaml_get(root, "order"), factors);
    const struct pji_yaml *repetitions = need(study, "repetitions", "repetitions: 5");
    if (repetitions)
        pji_node_i64(study, repetitions, "repetitions", 1, REPETITIONS_MOST, &study->repetitions);
    if (study->errors.n > before || !repetitions)
        return factors;
    struct pj_error why = {0};
    if (pji_plan_check(study, &why) != PJ_OK)
        pji_study_error(study, exclude ? exclude : node, "%s", why.text);
    return factors;
}

static void refuse_for_command(struct pji_study *study, const char *key)
{
    const struct pji_yaml *node = pji_yaml_get(&study->doc.root, key);
    if (node)
        pji_study_error(
            study, node,
            "%s has no meaning for engine kind '%s': its program is the trial; one that "
            "answers items says protocol: jsonl",
            key, study->engine->kind);
}

static void parse_work(struct pji_study *study)
{
    const struct pji_yaml *node =
        need(study, "engine", "engine: {kind: llamacpp, model: model.gguf}");
    if (node)
        pji_parse_engine(study, node);
    if (!study->engine)
        return;
    if (study->engine->is_command) {
        refuse_for_command(study, "load");
        refuse_for_command(study, "task");
        return;
    }
    study->phases.warmup_ns = study->phases.idle_ns = 2 * PJI_NS_PER_S;
    node = need(study, "load", "load: {kind: closed, concurrency: 1}");
    if (node)
        pji_parse_load(study, node);
    node = need(study, "task", "task: {items: items.jsonl, prompt: \"{question}\"}");
    if (node)
        pji_parse_tasks(study, node);
    if (study->engine->lines)
        pji_check_program(study);
}

static void warn_of(struct pji_study *study, const struct pji_yaml *key)
{
    struct pji_str name = {0};
    for (const char *c = key->text; *c; c++)
        pji_str_addc(&name, (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c));
    if (study->engine->is_command)
        pji_study_warn(study, key,
                       "factor '%s' is not named in engine: the program sees it only as the "
                       "environment variable PERJOULE_FACTOR_%s",
                       key->text, pji_str_text(&name));
    else
        pji_study_warn(study, key,
                       "factor '%s' is never used: its levels differ in name only; write ${%s} in "
                       "engine, load or task",
                       key->text, key->text);
    pji_str_fini(&name);
}

static void warn_unused(struct pji_study *study)
{
    const struct pji_yaml *root = &study->doc.root, *factors = pji_yaml_get(root, "factors");
    bool *used = pji_study_alloc(study, study->n_factors, sizeof *used);
    if (!used)
        return;
    pji_study_uses(study, study->engine_node, used);
    pji_study_uses(study, study->load_node, used);
    pji_study_uses(study, pji_yaml_get(root, "task"), used);
    for (size_t f = 0; f < study->n_factors; f++)
        if (!used[f])
            warn_of(study, &factors->keys[f]);
    free(used);
}

/* A value that was left out has no place of its own: its key's, or that of its list. */
static void place_empty_values(struct pji_yaml *node)
{
    for (size_t i = 0; i < node->n && node->kind != PJI_YAML_SCALAR; i++) {
        struct pji_yaml *item = &node->items[i];
        const struct pji_yaml *near = node->kind == PJI_YAML_MAPPING ? &node->keys[i] : node;
        if (item->kind != PJI_YAML_SCALAR) {
            place_empty_values(item);
        } else if (item->text[0] == '\0' && !item->quoted) {
            item->line = near->line;
            item->column = near->column;
        }
    }
}

static void parse_root(struct pji_study *study)
{
    const struct pji_yaml *root = &study->doc.root;
    set_defaults(study);
    if (root->kind != PJI_YAML_MAPPING) {
        pji_study_error(study, root,
                        "a study file is a mapping of keys such as study, factors, "
                        "repetitions, engine");
        return;
    }
    pji_node_keys(study, root, "a study file", study_keys);
    study->blocks = pji_study_dup(study, "repetition");
    parse_names(study);
    if (study->blocks && parse_design(study))
        parse_work(study);
    if (pji_yaml_get(root, "phases"))
        parse_phases(study, pji_yaml_get(root, "phases"));
    if (pji_yaml_get(root, "limits"))
        parse_limits(study, pji_yaml_get(root, "limits"));
    if (pji_yaml_get(root, "gates"))
        parse_gates(study, pji_yaml_get(root, "gates"));
    if (pji_yaml_get(root, "meter"))
        parse_meter(study, pji_yaml_get(root, "meter"));
    if (pji_yaml_get(root, "baseline"))
        pji_parse_baseline(study, pji_yaml_get(root, "baseline"));
    if (pji_yaml_get(root, "executor"))
        pji_parse_executor(study, pji_yaml_get(root, "executor"));
    if (pji_yaml_get(root, "analysis"))
        pji_parse_analysis(study, pji_yaml_get(root, "analysis"));
    if (study->errors.n == 0)
        warn_unused(study);
}

/* ---- memory ---- */

static char *folder_of(const char *path, struct pj_error *err)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return pji_dup(".", err);
    return slash == path ? pji_dup("/", err) : pji_dupn(path, (size_t)(slash - path), err);
}

static void free_tasks(struct pji_study *study)
{
    for (size_t t = 0; t < study->n_tasks; t++) {
        struct pji_task_spec *spec = &study->tasks[t];
        for (size_t i = 0; i < spec->n_choices; i++)
            free(spec->choices[i]);
        for (size_t i = 0; i < spec->n_choices && spec->labels; i++)
            free(spec->labels[i]);
        free(spec->choices);
        free(spec->labels);
        free(spec->examples_path);
        free(spec->positive);
        free(spec->answer_after);
        free(spec->name);
        free(spec->items_path);
        free(spec->prompt);
        free(spec->gold);
    }
    free(study->tasks);
}

static void free_design(struct pji_study *study)
{
    for (size_t e = 0; e < study->n_exclusions; e++) {
        for (size_t f = 0; f < study->n_factors; f++)
            free(study->exclusions[e].levels[f]);
        free(study->exclusions[e].levels);
    }
    free(study->exclusions);
    for (size_t f = 0; f < study->n_factors; f++) {
        for (size_t l = 0; l < study->factors[f].n; l++)
            free(study->factors[f].levels[l]);
        free(study->factors[f].levels);
        free(study->factors[f].allowed);
        free(study->factors[f].name);
    }
    free(study->factors);
}

void pji_study_fini(struct pji_study *study)
{
    free_tasks(study);
    free_design(study);
    pji_executor_fini(&study->executor);
    free(study->times_path);
    pji_yaml_fini(&study->doc);
    free(study->path);
    free(study->dir);
    free(study->text);
    free(study->name);
    free(study->question);
    free(study->blocks);
    free(study->interleave);
    free(study->analysis);
    pji_problems_fini(&study->errors);
    pji_problems_fini(&study->warnings);
    *study = (struct pji_study){0};
}

/* ---- entry points ---- */

/* The text is kept with the records: it must hold nothing that is not for their readers. Nothing
 * else is said of such a file, so that no message repeats the secret. */
static bool refuse_secrets(struct pji_study *study)
{
    struct pji_yaml at = study->doc.root;
    const char *what = NULL;
    if (!pji_secret_find(study->text, study->text_len, &at.line, &at.column, &what))
        return false;
    pji_study_error(study, &at,
                    "%s: a study file is kept with its records, so no secret may stand in it; give "
                    "it in the environment (api_key_env) or in a file (api_key_file)",
                    what);
    return true;
}

pj_status pji_study_parse(struct pji_study *study, const char *text, size_t len, const char *path,
                          struct pj_error *err)
{
    *study = (struct pji_study){0};
    if (len > STUDY_BYTES_MOST) /* an agent gets it from the wire */
        return pji_fail(err, PJ_EINVAL, "%s is larger than %d bytes", path, (int)STUDY_BYTES_MOST);
    study->path = pji_dup(path, err);
    study->dir = study->path ? folder_of(path, err) : NULL;
    study->text = study->dir ? pji_dupn(text, len, err) : NULL;
    if (!study->text)
        return PJ_ENOMEM;
    study->text_len = len;
    if (memchr(text, '\0', len))
        return pji_fail(err, PJ_EINVAL, "%s holds a NUL byte: a study file is plain text", path);
    pj_status st = pji_yaml_parse(&study->doc, text, len, path, err);
    if (st)
        return st;
    place_empty_values(&study->doc.root);
    if (!refuse_secrets(study))
        parse_root(study);
    return pji_study_report(study, err);
}

pj_status pji_study_read(struct pji_study *study, const char *path, struct pj_error *err)
{
    char *text = NULL;
    size_t len = 0;
    *study = (struct pji_study){0};
    pj_status st = pji_read_file(path, STUDY_BYTES_MOST, &text, &len, err);
    if (st)
        return st;
    st = pji_study_parse(study, text, len, path, err);
    free(text);
    return st ? st : pji_study_check_items(study, err);
}
