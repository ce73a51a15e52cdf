#include "cli/records_check.h"

#include "cli/records_match.h"
#include "cli/run_session.h"
#include "core/digest.h"
#include "lab/recount.h"
#include "lab/runner.h"
#include "raw/recount.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct checking {
    struct pji_store *store, *again;
    struct pji_verified *out;
    struct pji_records_checked *checked;
    struct pji_raw_recount raw;
    struct pji_study study;
    bool imported, has_study;
    /* of the trial under way */
    const struct pji_trial *trial;
    struct pji_attempt_row attempt;
    bool found;
};

/* ---- the files themselves ---- */

static pj_status whole_file(struct checking *c, const char *path, const char *words,
                            struct pj_error *err)
{
    return pji_verify_add(c->out, path, 0, words, NULL, NULL, "", err);
}

static pj_status check_artefact(void *context, const struct pji_artefact_row *row,
                                struct pj_error *err)
{
    struct checking *c = context;
    struct pji_str path = {0};
    struct stat info;
    char sha256[PJI_SHA256_HEX] = "", words[200];
    if (row->size_b < 0)
        return PJ_OK; /* declared by an attempt that did not end */
    c->checked->artefacts++;
    pji_str_addf(&path, "%s/%s", pji_store_dir(c->store), row->path);
    pj_status status = pji_str_ok(&path, err);
    if (status == PJ_OK && stat(path.text, &info) != 0) {
        status = whole_file(c, row->path, "is missing: the study recorded it", err);
    } else if (status == PJ_OK) {
        status = pji_sha256_file(path.text, sha256, err);
        if (status == PJ_OK && strcmp(sha256, row->sha256) != 0) {
            snprintf(words, sizeof words,
                     "is not the file that was recorded: its SHA-256 is %.16s…, the study has "
                     "%.16s… (%lld bytes, recorded %lld)",
                     sha256, row->sha256, (long long)info.st_size, (long long)row->size_b);
            status = whole_file(c, row->path, words, err);
        }
    }
    pji_str_fini(&path);
    return status;
}

static pj_status check_files(void *context, const struct pji_attempt_row *row, struct pj_error *err)
{
    struct checking *c = context;
    return pji_store_each_artefact(c->store, row->id, check_artefact, c, err);
}

/* ---- a store for what the files give ---- */

static pj_status copy_factor(void *context, const char *name, const char *const *levels, size_t n,
                             struct pj_error *err)
{
    struct checking *c = context;
    return pji_store_add_factor(c->again, name, levels, n, err);
}

static pj_status copy_trial(void *context, const struct pji_trial *trial, struct pj_error *err)
{
    struct checking *c = context;
    struct pji_trial copy = *trial;
    copy.state = PJI_TRIAL_PLANNED;
    copy.reason = "";
    return pji_store_add_trial(c->again, &copy, err);
}

static pj_status open_again(struct checking *c, const char *scratch, struct pj_error *err)
{
    struct pji_str path = {0};
    pji_str_addf(&path, "%s/records", scratch);
    pj_status status = pji_str_ok(&path, err);
    if (status == PJ_OK)
        status = pji_store_create(&c->again, path.text, NULL, err);
    if (status == PJ_OK)
        status = pji_store_begin(c->again, err); /* never committed: nothing of it is kept */
    if (status == PJ_OK)
        status = pji_store_each_factor(c->store, copy_factor, c, err);
    if (status == PJ_OK)
        status = pji_store_each_trial(c->store, copy_trial, c, err);
    pji_str_fini(&path);
    return status;
}

/* ---- trial by trial ---- */

static pj_status note(void *context, const char *words, struct pj_error *err)
{
    struct checking *c = context;
    struct pji_str where = {0};
    char file[48];
    snprintf(file, sizeof file, "artefacts/%lld", (long long)c->attempt.id);
    pji_str_addf(&where, "trial %lld: %s", (long long)c->trial->id, words);
    pj_status status = pji_str_ok(&where, err);
    if (status == PJ_OK)
        status = whole_file(c, file, where.text, err);
    pji_str_fini(&where);
    return status;
}

static pj_status take_attempt(void *context, const struct pji_attempt_row *row,
                              struct pj_error *err)
{
    struct checking *c = context;
    (void)err;
    c->attempt = *row; /* the last one is the one that counts */
    c->attempt.nonce = c->attempt.reason = "";
    c->found = true;
    return PJ_OK;
}

static pj_status make_again(struct checking *c, int64_t again, struct pj_error *err)
{
    struct pj_error why = {0};
    if (c->imported) {
        pj_status status =
            pji_raw_recount_run(&c->raw, c->store, c->attempt.id, c->again, again, &why);
        if (status == PJ_OK)
            return PJ_OK;
        return status == PJ_ENOMEM ? pji_fail(err, status, "out of memory")
                                   : note(c, why.text, err);
    }
    const struct pji_recount recount = {.from = c->store,
                                        .attempt = &c->attempt,
                                        .study = &c->study,
                                        .levels = c->trial->levels,
                                        .into = c->again,
                                        .into_attempt = again,
                                        .note = note,
                                        .context = c};
    return pji_recount_attempt(&recount, err);
}

static pj_status check_trial(void *context, const struct pji_trial *trial, struct pj_error *err)
{
    struct checking *c = context;
    int64_t again = 0;
    size_t before = c->out->n;
    if (trial->state != PJI_TRIAL_DONE && trial->state != PJI_TRIAL_INVALID)
        return PJ_OK;
    c->trial = trial;
    c->found = false;
    pj_status status = pji_store_each_attempt(c->store, trial->id, take_attempt, c, err);
    if (status != PJ_OK || !c->found)
        return status;
    status = pji_store_start_attempt(c->again, trial->id, "again", c->attempt.start_ns,
                                     c->attempt.start_wall_ns, &again, err);
    if (status == PJ_OK)
        status = make_again(c, again, err);
    const struct pji_match match = {.stored = c->store,
                                    .again = c->again,
                                    .attempt = c->attempt.id,
                                    .again_attempt = again,
                                    .trial = trial->id,
                                    .out = c->out,
                                    .checked = c->checked};
    bool readable = !c->imported || c->out->n == before;
    if (status == PJ_OK && readable)
        status = pji_records_match(&match, err);
    c->checked->trials++;
    return status;
}

/* The study file is what says how a trial's figures are made; runs that were imported need none. */
static pj_status find_makings(struct checking *c, struct pj_error *err)
{
    char *text = NULL;
    pj_status status = pji_raw_recount_begin(&c->raw, c->store, &c->imported, err);
    if (status != PJ_OK || c->imported)
        return status;
    status = pji_store_get_meta(c->store, "study_file", &text, err);
    free(text);
    if (status == PJI_STORE_NONE) {
        snprintf(c->checked->why_none, sizeof c->checked->why_none,
                 "the study was imported from a table: there are no files that its figures were "
                 "made from");
        return PJ_OK;
    }
    if (status == PJ_OK)
        status = pji_study_reopen(&c->study, c->store, err);
    c->has_study = status == PJ_OK;
    return status;
}

pj_status pji_records_check(struct pji_store *store, const char *scratch, struct pji_verified *out,
                            struct pji_records_checked *checked, struct pj_error *err)
{
    struct checking c = {.store = store, .out = out, .checked = checked};
    *checked = (struct pji_records_checked){0};
    pj_status status = pji_store_each_attempt(store, 0, check_files, &c, err);
    if (status == PJ_OK)
        status = find_makings(&c, err);
    if (status == PJ_OK && (c.imported || c.has_study)) {
        status = open_again(&c, scratch, err);
        if (status == PJ_OK)
            status = pji_store_each_trial(store, check_trial, &c, err);
        if (c.again != NULL)
            pji_store_rollback(c.again);
        (void)pji_store_close(c.again, NULL);
    }
    if (c.has_study)
        pji_study_fini(&c.study);
    if (status == PJ_OK)
        status = pji_str_ok(&checked->names, err);
    return status;
}
