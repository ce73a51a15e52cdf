#include "lab/program.h"

#include "core/array.h"
#include "core/json.h"
#include "lab/internal.h"
#include "task/path.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ---- what a study may say ---- */

static void refuse(struct pji_study *study, const struct pji_yaml *node, const char *key,
                   const char *why)
{
    const struct pji_yaml *value = pji_yaml_get(node, key);
    if (value)
        pji_study_error(study, value, "%s has no meaning for engine kind '%s': %s", key,
                        study->engine->kind, why);
}

void pji_check_program(struct pji_study *study)
{
    static const char *const of_servers[] = {"max_tokens", "ignore_eos", "stop",     "temperature",
                                             "seed",       "api",        "thinking", "extra"};
    const struct pji_yaml *slo = study->load_node ? pji_yaml_get(study->load_node, "slo") : NULL;
    for (size_t t = 0; t < study->n_tasks; t++) {
        const struct pji_yaml *node = study->tasks[t].node;
        for (size_t i = 0; i < sizeof of_servers / sizeof of_servers[0]; i++)
            refuse(study, node, of_servers[i],
                   "its program gets the item alone; give it arguments with run");
        if (!pji_yaml_get(node, "prompt") && study->tasks[t].prompt[0] == '\0')
            refuse(study, node, "shots", "examples need a prompt to stand before");
    }
    for (size_t i = 0; slo && i < 2; i++)
        refuse(study, slo, i ? "tpot" : "ttft", "an answer comes as a whole; e2e can be limited");
}

/* ---- what the program gets ---- */

static json_t *mutable_member(json_t *object, const char *name, size_t len)
{
    return (json_t *)(uintptr_t)json_object_getn(object, name, len);
}

/* Takes away what pji_path_get finds. */
static bool take_away(json_t *object, const char *name, size_t len)
{
    if (json_object_getn(object, name, len) != NULL)
        return json_object_deln(object, name, len) == 0;
    for (size_t i = 0; i < len; i++) {
        json_t *inner = name[i] == '.' ? mutable_member(object, name, i) : NULL;
        if (inner != NULL && take_away(inner, name + i + 1, len - i - 1))
            return true;
    }
    return false;
}

static char *members_of(const struct pji_workload_task *task, const struct pji_item *item,
                        struct pj_error *err)
{
    const char *gold = task->spec->gold;
    struct pji_str text = {0};
    char *out = NULL;
    json_t *fields = json_deep_copy(item->fields);
    json_t *name = json_string(task->spec->name);
    if (fields == NULL || name == NULL)
        (void)pji_fail(err, PJ_ENOMEM, "out of memory while preparing the items");
    else if (gold != NULL && !take_away(fields, gold, strlen(gold)))
        (void)pji_fail(err, PJ_EINVAL, "the gold label '%s' of item '%s' cannot be taken out", gold,
                       item->id);
    else {
        pji_str_add(&text, "\"task\":");
        pji_json_write(&text, name, 0);
        pji_str_add(&text, ",\"item\":");
        pji_json_write(&text, fields, 0);
        if (pji_str_ok(&text, err) == PJ_OK)
            out = pji_str_take(&text);
    }
    json_decref(name);
    json_decref(fields);
    pji_str_fini(&text);
    return out;
}

pj_status pji_program_members(struct pji_workload_task *task, struct pj_error *err)
{
    task->members = pji_zalloc(task->items.n, sizeof *task->members, err);
    if (task->members == NULL)
        return PJ_ENOMEM;
    for (size_t i = 0; i < task->items.n; i++) {
        task->members[i] = members_of(task, &task->items.items[i], err);
        if (task->members[i] == NULL)
            return PJ_EINVAL;
    }
    return PJ_OK;
}

/* ---- what its answers count ---- */

static pj_status find_sum(struct pji_tally *t, const char *name, size_t *at, struct pj_error *err)
{
    for (*at = 0; *at < t->n; (*at)++)
        if (strcmp(t->sums[*at].name, name) == 0)
            return PJ_OK;
    pj_status status = pji_array_reserve(&t->sums, &t->cap, t->n + 1, sizeof *t->sums, err);
    if (status == PJ_OK)
        status = pji_array_reserve(&t->answers, &t->answers_cap, t->n + 1, sizeof *t->answers, err);
    if (status == PJ_OK) {
        t->answers[t->n] = 0;
        t->sums[t->n] = (struct pji_count){.value = 0};
        memcpy(t->sums[t->n++].name, name, strlen(name) + 1);
    }
    return status;
}

pj_status pji_tally_add(struct pji_tally *t, const struct pji_request_record *r,
                        struct pj_error *err)
{
    pj_status status = PJ_OK;
    if (r->error != NULL || r->sent_ns == 0)
        return PJ_OK;
    t->ok++;
    for (size_t i = 0; i < r->n_counts && status == PJ_OK; i++) {
        size_t at = 0;
        status = find_sum(t, r->counts[i].name, &at, err);
        if (status != PJ_OK)
            break;
        t->sums[at].value += r->counts[i].value;
        t->answers[at]++;
    }
    return status;
}

pj_status pji_tally_each(const struct pji_tally *t, pji_tally_fn *fn, void *context)
{
    pj_status status = PJ_OK;
    for (size_t i = 0; i < t->n && status == PJ_OK; i++) {
        bool whole = t->answers[i] == t->ok;
        status = fn(context, t->sums[i].name, whole ? t->sums[i].value : (double)NAN,
                    whole ? "" : "some answers did not tell this count");
    }
    return status;
}

void pji_tally_fini(struct pji_tally *t)
{
    free(t->sums);
    free(t->answers);
    *t = (struct pji_tally){0};
}
