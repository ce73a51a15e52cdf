/* lab/create.c - making the folder of a study and reading it back. */
#include "lab/runner.h"

#include "core/array.h"
#include "core/digest.h"
#include "core/units.h"
#include "evidence/manifest.h"
#include "platform/clock.h"
#include "platform/durable.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* what will be analysed, with its digest: what is looked at besides is exploratory */
static pj_status put_analysis(struct pji_store *store, const char *plan, struct pj_error *err)
{
    char sha256[PJI_SHA256_HEX];
    pj_status status = pji_sha256_bytes(plan, strlen(plan), sha256, err);
    if (status == PJ_OK)
        status = pji_store_put_meta(store, "analysis_plan", plan, err);
    if (status == PJ_OK)
        status = pji_store_put_meta(store, "analysis_sha256", sha256, err);
    return status;
}

static pj_status put_meta(struct pji_store *store, const struct pji_study *study,
                          const struct pji_plan *plan, struct pj_error *err)
{
    char seed[32];
    char wall[32];
    char *path = realpath(study->path, NULL);
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)study->seed);
    snprintf(wall, sizeof wall, "%lld", (long long)pji_clock_ns(CLOCK_REALTIME));
    const char *const pairs[][2] = {
        {"study", study->name},
        {"question", study->question != NULL ? study->question : ""},
        {"study_file", study->text},
        {"study_path", path != NULL ? path : study->path},
        {"seed", seed},
        {"plan_sha256", plan->sha256},
        {"engine", study->engine->kind},
        {"executor", study->executor.agent ? "agent" : "local"},
        {"tool", "perjoule " PJ_VERSION},
        {"created_wall_ns", wall},
    };
    pj_status status = PJ_OK;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0] && status == PJ_OK; i++)
        status = pji_store_put_meta(store, pairs[i][0], pairs[i][1], err);
    if (status == PJ_OK && pji_study_steady(study))
        status = pji_store_put_meta(store, "window", "steady", err);
    if (status == PJ_OK && pji_study_steady(study))
        status = pji_store_put_fact(store, 0, "window", "steady", err);
    if (status == PJ_OK && study->analysis != NULL)
        status = put_analysis(store, study->analysis, err);
    free(path);
    return status;
}

static pj_status put_items(struct pji_store *store, const struct pji_workload *workload,
                           struct pj_error *err)
{
    pj_status status = PJ_OK;
    for (size_t i = 0; i < workload->n && status == PJ_OK; i++) {
        char key[160];
        snprintf(key, sizeof key, "items.%s.sha256", workload->tasks[i].spec->name);
        status = pji_store_put_meta(store, key, workload->tasks[i].items.sha256, err);
        snprintf(key, sizeof key, "examples.%s.sha256", workload->tasks[i].spec->name);
        if (status == PJ_OK && workload->tasks[i].examples.n > 0)
            status = pji_store_put_meta(store, key, workload->tasks[i].examples.sha256, err);
    }
    if (status == PJ_OK && workload->times.n > 0)
        status = pji_store_put_meta(store, "load.times.sha256", workload->times.sha256, err);
    return status;
}

static pj_status put_plan(struct pji_store *store, const struct pji_study *study,
                          const struct pji_plan *plan, struct pj_error *err)
{
    const char *levels[64];
    pj_status status = PJ_OK;
    if (study->n_factors > sizeof levels / sizeof levels[0])
        return pji_fail(err, PJ_EINVAL, "a study can have at most 64 factors");
    for (size_t f = 0; f < study->n_factors && status == PJ_OK; f++)
        status = pji_store_add_factor(store, study->factors[f].name,
                                      (const char *const *)study->factors[f].levels,
                                      study->factors[f].n, err);
    for (size_t t = 0; t < plan->n_trials && status == PJ_OK; t++) {
        const struct pji_planned *planned = &plan->trials[t];
        for (size_t f = 0; f < study->n_factors; f++)
            levels[f] =
                study->factors[f].levels[plan->cell_levels[planned->cell * plan->n_factors + f]];
        struct pji_trial trial = {.id = (int64_t)t + 1,
                                  .cell = (int64_t)planned->cell,
                                  .block = planned->block,
                                  .repetition = planned->repetition,
                                  .state = PJI_TRIAL_PLANNED,
                                  .reason = "",
                                  .levels = levels};
        status = pji_store_add_trial(store, &trial, err);
    }
    return status;
}

static pj_status put_fact(void *context, const char *key, const char *value, struct pj_error *err)
{
    return pji_store_put_fact(context, 0, key, value, err);
}

/* Where trials run elsewhere, our own machine is the orchestrator's; the agent tells of its own. */
static pj_status put_own_fact(void *context, const char *key, const char *value,
                              struct pj_error *err)
{
    char name[128];
    snprintf(name, sizeof name, "orchestrator.%s", key);
    return pji_store_put_fact(context, 0, name, value, err);
}

static pj_status fill(struct pji_store *store, const struct pji_study *study,
                      const struct pji_plan *plan, const struct pji_workload *workload,
                      struct pj_error *err)
{
    pj_status status = pji_store_begin(store, err);
    if (status == PJ_OK)
        status = put_meta(store, study, plan, err);
    if (status == PJ_OK)
        status = put_items(store, workload, err);
    if (status == PJ_OK)
        status = put_plan(store, study, plan, err);
    if (status == PJ_OK)
        status = pji_manifest_machine(study->executor.agent ? put_own_fact : put_fact, store, err);
    if (status == PJ_OK)
        status = pji_store_commit(store, err);
    if (status != PJ_OK)
        pji_store_rollback(store);
    return status;
}

pj_status pji_study_create(const char *dir, const struct pji_study *study,
                           const struct pji_plan *plan, const struct pji_workload *workload,
                           const struct pji_log *log, struct pj_error *err)
{
    char building[PATH_MAX];
    struct stat info;
    struct pji_store *store = NULL;
    size_t len = strlen(dir);
    while (len > 1 && dir[len - 1] == '/')
        len--;
    if (lstat(dir, &info) == 0)
        return pji_fail(err, PJ_EBUSY,
                        "%s exists already: `perjoule resume %s` goes on with it, or choose "
                        "another folder with --out",
                        dir, dir);
    if (snprintf(building, sizeof building, "%.*s.building-%ld", (int)len, dir, (long)getpid()) >=
        (int)sizeof building)
        return pji_fail(err, PJ_EINVAL, "the folder name %s is too long", dir);
    pji_store_clear_leftovers(dir, log);
    pj_status status = pji_store_create(&store, building, log, err);
    if (status == PJ_OK) {
        status = fill(store, study, plan, workload, err);
        struct pj_error close_error = {0};
        pj_status closed = pji_store_close(store, &close_error);
        if (status == PJ_OK && closed != PJ_OK) {
            status = closed;
            if (err != NULL)
                *err = close_error;
        }
        if (status == PJ_OK)
            status = pji_durable_rename(building, dir, true, err);
        if (status != PJ_OK)
            (void)pji_remove_tree(building, NULL);
    }
    return status;
}

pj_status pji_study_extensions(struct pji_store *store, int64_t *n, struct pj_error *err)
{
    pj_status status = PJ_OK;
    for (*n = 0; status == PJ_OK; *n += status == PJ_OK ? 1 : 0) {
        char key[64];
        char *digest = NULL;
        snprintf(key, sizeof key, "extension.%lld.plan_sha256", (long long)*n + 1);
        status = pji_store_get_meta(store, key, &digest, err);
        free(digest);
    }
    return status == PJI_STORE_NONE ? PJ_OK : status;
}

static pj_status no_study_file(struct pji_store *store, struct pj_error *err)
{
    char *format = NULL;
    pj_status status = pji_store_get_meta(store, "imported_format", &format, err);
    free(format);
    if (status == PJI_STORE_NONE)
        return pji_fail(err, PJ_ECORRUPT, "%s holds no study file: it was not made by perjoule",
                        pji_store_dir(store));
    return status
               ? status
               : pji_fail(err, PJ_EINVAL,
                          "%s was imported: nothing says how its trials are run, so it can be "
                          "neither resumed nor extended; import it again when more runs are done",
                          pji_store_dir(store));
}

pj_status pji_study_reopen(struct pji_study *study, struct pji_store *store, struct pj_error *err)
{
    char file_key[64] = "study_file", path_key[64] = "study_path";
    char *text = NULL;
    char *path = NULL;
    int64_t extensions = 0;
    pj_status status = pji_study_extensions(store, &extensions, err);
    if (extensions > 0) {
        snprintf(file_key, sizeof file_key, "extension.%lld.study_file", (long long)extensions);
        snprintf(path_key, sizeof path_key, "extension.%lld.study_path", (long long)extensions);
    }
    if (status == PJ_OK)
        status = pji_store_get_meta(store, file_key, &text, err);
    if (status == PJ_OK)
        status = pji_store_get_meta(store, path_key, &path, err);
    if (status == PJI_STORE_NONE)
        status = no_study_file(store, err);
    if (status == PJ_OK)
        status = pji_study_parse(study, text, strlen(text), path, err);
    free(text);
    free(path);
    return status;
}

static pj_status same_file(struct pji_store *store, const char *key, const char *sha256,
                           const char *path, struct pj_error *err)
{
    char *stored = NULL;
    pj_status status = pji_store_get_meta(store, key, &stored, err);
    if (status == PJI_STORE_NONE ||
        (status == PJ_OK && stored != NULL && strcmp(stored, sha256) != 0))
        status = pji_fail(err, PJ_EINVAL,
                          "%s changed since the study was planned: its trials would not be "
                          "comparable; restore the file or start a new study",
                          path);
    free(stored);
    return status;
}

pj_status pji_study_same_items(struct pji_store *store, const struct pji_workload *workload,
                               struct pj_error *err)
{
    pj_status status = PJ_OK;
    for (size_t i = 0; i < workload->n && status == PJ_OK; i++) {
        char key[160];
        snprintf(key, sizeof key, "items.%s.sha256", workload->tasks[i].spec->name);
        status = same_file(store, key, workload->tasks[i].items.sha256,
                           workload->tasks[i].spec->items_path, err);
        snprintf(key, sizeof key, "examples.%s.sha256", workload->tasks[i].spec->name);
        if (status == PJ_OK && workload->tasks[i].examples.n > 0)
            status = same_file(store, key, workload->tasks[i].examples.sha256,
                               workload->tasks[i].spec->examples_path, err);
    }
    if (status == PJ_OK && workload->times.n > 0)
        status = same_file(store, "load.times.sha256", workload->times.sha256,
                           "the trace of the load", err);
    return status;
}

static pj_status preflight_levels(void *context, const char *const *levels, struct pj_error *err)
{
    const struct pji_study *study = *(const struct pji_study *const *)context;
    struct pji_setting *settings = NULL;
    size_t n = 0;
    struct pji_engine_env env = {.study_dir = study->dir, .stop_fd = -1};
    pj_status status = pji_study_settings(study, levels, &settings, &n, err);
    if (status == PJ_OK)
        status = study->engine->preflight(settings, n, &env, err);
    if (status != PJ_OK)
        pji_error_prefix(err, "%s:%zu: engine", study->path, study->engine_node->line);
    pji_settings_free(settings, n);
    return status;
}

pj_status pji_study_preflight(const struct pji_study *study, struct pj_error *err)
{
    if (study->engine->preflight == NULL || study->executor.agent)
        return PJ_OK; /* the agent looks on its own machine */
    bool *used = pji_zalloc(study->n_factors + 1, sizeof *used, err);
    if (used == NULL)
        return PJ_ENOMEM;
    pji_study_uses(study, study->engine_node, used);
    pj_status status = pji_study_each_combination(study, used, preflight_levels, &study, err);
    free(used);
    return status;
}
