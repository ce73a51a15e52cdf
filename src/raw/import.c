#include "raw/import.h"

#include "core/array.h"
#include "core/units.h"
#include "platform/clock.h"
#include "platform/durable.h"
#include "raw/findings.h"
#include "raw/outcome.h"
#include "raw/plan.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct import {
    const struct pji_import_options *options;
    struct pji_import_result *result;
    struct pji_raw_tree tree;
    struct pji_raw_plan plan;
    struct pji_store *store;
    struct pji_raw_domains domains; /* of all runs */
    struct pji_raw_outcome *outcomes;
    int64_t now_ns; /* since 1970 */
};

/* ---- before the first run ---- */

/* What any of the runs recorded: read in the headers alone. */
static void find_domains(struct import *im)
{
    for (size_t i = 0; i < im->tree.n; i++) {
        struct pji_str path = {0};
        struct pji_raw_table table = {0};
        struct pji_raw_column column;
        pji_str_addf(&path, "%s/%s", im->tree.folders[i].path, pji_raw_file_names[PJI_RAW_SAMPLES]);
        struct pji_raw_source source = {.path = pji_str_text(&path), .shown = ""};
        if (pji_raw_table_open(&table, &source, NULL) == PJ_OK) {
            for (size_t c = 0; c < table.n_names; c++) {
                if (pji_raw_column_parse(table.names[c], &column) && column.factor > 0)
                    pji_raw_domains_add(&im->domains, &column);
            }
        }
        pji_raw_table_close(&table);
        pji_str_fini(&path);
    }
}

static pj_status put_meta(struct import *im, struct pj_error *err)
{
    char wall[32];
    char *path = realpath(im->tree.top, NULL);
    const char *slash = strrchr(im->options->out, '/');
    const char *name = slash != NULL && slash[1] != '\0' ? slash + 1 : im->options->out;
    snprintf(wall, sizeof wall, "%lld", (long long)im->now_ns);
    const char *const pairs[][2] = {
        {"study", name},
        {"question", ""},
        {"engine", "imported"},
        {"imported_from", path != NULL ? path : im->tree.top},
        {"imported_format", "greenlab"},
        {"treatments_from", im->plan.origin},
        {"decimal_comma", im->options->decimal_comma ? "declared" : "refused"},
        {"clock", "wall"},
        {"tool", "perjoule " PJ_VERSION},
        {"created_wall_ns", wall},
    };
    pj_status status = PJ_OK;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0] && status == PJ_OK; i++)
        status = pji_store_put_meta(im->store, pairs[i][0], pairs[i][1], err);
    free(path);
    return status;
}

static pj_status put_plan(struct import *im, struct pj_error *err)
{
    const struct pji_raw_plan *plan = &im->plan;
    pj_status status = PJ_OK;
    for (size_t f = 0; f < PJI_RAW_FACTORS && status == PJ_OK; f++)
        status = pji_store_add_factor(im->store, pji_raw_factor_names[f],
                                      (const char *const *)plan->levels[f], plan->n_levels[f], err);
    for (size_t i = 0; i < plan->n && status == PJ_OK; i++) {
        const struct pji_raw_planned *run = &plan->runs[i];
        const char *levels[PJI_RAW_FACTORS];
        for (size_t f = 0; f < PJI_RAW_FACTORS; f++)
            levels[f] = plan->levels[f][run->level[f]];
        struct pji_trial trial = {.id = (int64_t)i + 1,
                                  .cell = run->cell,
                                  .block = run->repetition,
                                  .repetition = run->repetition,
                                  .state = PJI_TRIAL_PLANNED,
                                  .reason = "",
                                  .levels = levels};
        status = pji_store_add_trial(im->store, &trial, err);
    }
    return status;
}

/* ---- one run ---- */

static pj_status digest_of(void *context, const struct pji_artefact_row *row, struct pj_error *err)
{
    struct pji_raw_outcome *outcome = context;
    (void)err;
    if (strcmp(row->name, pji_raw_file_names[PJI_RAW_SAMPLES]) == 0)
        snprintf(outcome->samples_sha256, sizeof outcome->samples_sha256, "%s", row->sha256);
    return PJ_OK;
}

/* The files that are there become artefacts, whatever is in them. */
static pj_status keep_files(struct import *im, size_t i, int64_t attempt, struct pj_error *err)
{
    const struct pji_raw_folder *folder = im->plan.runs[i].folder;
    pj_status status = PJ_OK;
    for (size_t f = 0; f < PJI_RAW_FILES && status == PJ_OK; f++) {
        struct stat info;
        struct pji_str path = {0};
        pji_str_addf(&path, "%s/%s", folder->path, pji_raw_file_names[f]);
        status = pji_str_ok(&path, err);
        if (status == PJ_OK && stat(path.text, &info) == 0 && S_ISREG(info.st_mode) &&
            access(path.text, R_OK) == 0)
            status = pji_store_copy_artefact(im->store, attempt, pji_raw_file_names[f], path.text,
                                             NULL, err);
        pji_str_fini(&path);
    }
    if (status == PJ_OK)
        status = pji_store_each_artefact(im->store, attempt, digest_of, &im->outcomes[i], err);
    return status;
}

/* The same recording under another name would count twice. */
static const struct pji_raw_folder *copied_from(const struct import *im, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (im->outcomes[i].samples_sha256[0] != '\0' &&
            strcmp(im->outcomes[k].samples_sha256, im->outcomes[i].samples_sha256) == 0)
            return im->plan.runs[k].folder;
    }
    return NULL;
}

/* What this run lacks of what others have: its total is not theirs. */
static pj_status check_domains(struct import *im, size_t i, const struct pji_raw_run *run,
                               int64_t attempt, struct pji_str *invalid, struct pj_error *err)
{
    for (size_t m = run->energies.first_lacking; m < run->energies.n_missing; m++) {
        const struct pji_missing *missing = &run->energies.missing[m];
        bool matters =
            missing->domain_kind == PJI_DOMAIN_PACKAGE || missing->domain_kind == PJI_DOMAIN_GPU;
        char detail[256];
        if (!matters)
            continue;
        snprintf(detail, sizeof detail, "%s: %s, and other runs of the study recorded it",
                 missing->domain, missing->reason);
        pji_str_addf(invalid, "%sdomain_missing", invalid->len > 0 ? "," : "");
        pji_log(im->options->log, PJI_LOG_ERROR, "%s: %s", im->plan.runs[i].folder->name, detail);
        struct pji_gate_row row = {"domain_missing", "invalid", detail};
        return pji_store_add_gate(im->store, attempt, &row, err);
    }
    return PJ_OK;
}

static pj_status end_run(struct import *im, size_t i, int64_t attempt, const char *failed,
                         const struct pji_str *invalid, int64_t end_ns, struct pj_error *err)
{
    enum pji_trial_state state = PJI_TRIAL_DONE;
    if (failed != NULL)
        state = PJI_TRIAL_FAILED;
    else if (invalid->len > 0)
        state = PJI_TRIAL_INVALID;
    if (state == PJI_TRIAL_INVALID)
        pji_log(im->options->log, PJI_LOG_ERROR, "%s is invalid (%s): no figure contains it",
                im->plan.runs[i].folder->name, invalid->text);
    im->outcomes[i].state = state;
    im->result->runs++;
    im->result->done += state == PJI_TRIAL_DONE;
    im->result->failed += state == PJI_TRIAL_FAILED;
    im->result->invalid += state == PJI_TRIAL_INVALID;
    return pji_store_end_attempt(im->store, attempt, state,
                                 failed != NULL ? failed : pji_str_text(invalid), false, end_ns,
                                 end_ns, err);
}

static pj_status put_names(struct import *im, size_t i, int64_t attempt, const char *why,
                           struct pj_error *err)
{
    pj_status status =
        pji_store_put_fact(im->store, attempt, "run_id", im->plan.runs[i].folder->name, err);
    if (status == PJ_OK && why[0] != '\0')
        status = pji_store_put_fact(im->store, attempt, "failure", why, err);
    return status;
}

/* Records of a run that was read, or what kept it from being read. */
static pj_status write_run(struct import *im, size_t i, const struct pji_raw_run *run,
                           const char *failed, const char *why, struct pj_error *err)
{
    struct pji_str invalid = {0};
    int64_t attempt = 0;
    bool read = failed == NULL;
    int64_t start_ns = read ? pji_raw_run_start(run, PJI_RAW_WHOLE) : im->now_ns;
    int64_t end_ns = read ? pji_raw_run_end(run, PJI_RAW_WHOLE) : im->now_ns;
    char text[PJI_RAW_COLUMNS + 256] = "";
    pj_status status = pji_store_start_attempt(im->store, (int64_t)i + 1, "import", start_ns,
                                               start_ns, &attempt, err);
    if (status == PJ_OK)
        status = keep_files(im, i, attempt, err);
    const struct pji_raw_folder *twin = status == PJ_OK && read ? copied_from(im, i) : NULL;
    if (twin != NULL) {
        failed = "copy_of_another_run";
        snprintf(text, sizeof text, "its energibridge.csv is, byte for byte, that of %.150s",
                 twin->name);
        why = text;
    }
    if (failed != NULL)
        pji_log(im->options->log, PJI_LOG_ERROR, "%s failed (%s): %s",
                im->plan.runs[i].folder->name, failed, why);
    if (status == PJ_OK)
        status = put_names(im, i, attempt, why, err);
    if (status == PJ_OK && read)
        status = pji_raw_run_store(run, im->store, attempt, &invalid, err);
    if (status == PJ_OK && read)
        status = check_domains(im, i, run, attempt, &invalid, err);
    if (status == PJ_OK && read)
        status = pji_raw_outcome_take(&im->outcomes[i], run, err);
    if (status == PJ_OK)
        status = end_run(im, i, attempt, failed, &invalid, end_ns, err);
    pji_str_fini(&invalid);
    return status;
}

static pj_status import_run(struct import *im, size_t i, struct pj_error *err)
{
    struct pji_raw_run *run = pji_zalloc(1, sizeof *run, err);
    struct pj_error own = {0};
    if (run == NULL)
        return PJ_ENOMEM;
    const struct pji_raw_folder *folder = im->plan.runs[i].folder;
    im->outcomes[i].planned = &im->plan.runs[i];
    pj_status status = pji_raw_run_read(run, folder->path, folder->path, im->options->decimal_comma,
                                        &im->domains, &own);
    bool ours = status == PJ_ENOMEM || (status != PJ_OK && run->reason == NULL);
    if (ours)
        status = pji_fail(err, status, "%s", own.text);
    else
        status = write_run(im, i, run, status != PJ_OK ? run->reason : NULL, own.text, err);
    pji_raw_run_fini(run);
    free(run);
    return status;
}

/* ---- the whole ---- */

static pj_status fill(struct import *im, struct pj_error *err)
{
    pj_status status = pji_store_begin(im->store, err);
    if (status == PJ_OK)
        status = put_meta(im, err);
    if (status == PJ_OK)
        status = put_plan(im, err);
    for (size_t i = 0; i < im->plan.n && status == PJ_OK; i++)
        status = import_run(im, i, err);
    if (status == PJ_OK && im->result->done + im->result->invalid == 0)
        status = pji_fail(err, PJ_EINVAL, "not one of the %zu runs below %s could be read",
                          im->plan.n, im->tree.top);
    if (status == PJ_OK)
        status =
            pji_raw_findings_put(im->store, im->outcomes, &im->plan, im->options, im->result, err);
    if (status == PJ_OK)
        status = pji_store_commit(im->store, err);
    if (status == PJ_OK)
        status = pji_store_sync(im->store, err);
    if (status != PJ_OK)
        pji_store_rollback(im->store);
    return status;
}

static pj_status close_store(struct import *im, pj_status status, struct pj_error *err)
{
    struct pj_error close_error = {0};
    pj_status closed = pji_store_close(im->store, &close_error);
    im->store = NULL;
    if (status != PJ_OK || closed == PJ_OK)
        return status;
    return pji_fail(err, closed, "%s", close_error.text);
}

static pj_status build(struct import *im, const char *building, const char *out,
                       struct pj_error *err)
{
    pji_store_clear_leftovers(out, im->options->log);
    pj_status status = pji_store_create(&im->store, building, im->options->log, err);
    if (status != PJ_OK)
        return status;
    status = close_store(im, fill(im, err), err);
    if (status == PJ_OK)
        status = pji_durable_rename(building, out, true, err);
    if (status != PJ_OK)
        (void)pji_remove_tree(building, NULL);
    return status;
}

static pj_status prepare(struct import *im, struct pj_error *err)
{
    const struct pji_import_options *options = im->options;
    im->now_ns = pji_clock_ns(CLOCK_REALTIME);
    pj_status status = pji_raw_tree_read(&im->tree, options->dir, err);
    if (status == PJ_OK)
        status = pji_raw_plan_make(&im->plan, &im->tree, options->runs_table, err);
    if (status != PJ_OK)
        return status;
    pji_log(options->log, PJI_LOG_INFO, "%zu runs below %s; treatments: %s", im->tree.n,
            im->tree.top, im->plan.origin);
    find_domains(im);
    im->outcomes = pji_zalloc(im->plan.n, sizeof *im->outcomes, err);
    return im->outcomes != NULL ? PJ_OK : PJ_ENOMEM;
}

pj_status pji_import_greenlab(const struct pji_import_options *options,
                              struct pji_import_result *result, struct pj_error *err)
{
    struct import im = {.options = options, .result = result};
    char out[PATH_MAX], building[PATH_MAX];
    struct stat info;
    size_t len = strlen(options->out);
    *result = (struct pji_import_result){0};
    while (len > 1 && options->out[len - 1] == '/')
        len--;
    if (snprintf(out, sizeof out, "%.*s", (int)len, options->out) >= (int)sizeof out ||
        snprintf(building, sizeof building, "%s.building-%ld", out, (long)getpid()) >=
            (int)sizeof building)
        return pji_fail(err, PJ_EINVAL, "the folder name %s is too long", options->out);
    if (lstat(out, &info) == 0)
        return pji_fail(err, PJ_EBUSY,
                        "%s exists already and is left as it is: choose another folder with --out",
                        out);
    pj_status status = prepare(&im, err);
    if (status == PJ_OK)
        status = build(&im, building, out, err);
    for (size_t i = 0; im.outcomes != NULL && i < im.plan.n; i++)
        pji_raw_outcome_fini(&im.outcomes[i]);
    free(im.outcomes);
    pji_raw_plan_fini(&im.plan);
    pji_raw_tree_fini(&im.tree);
    return status;
}
