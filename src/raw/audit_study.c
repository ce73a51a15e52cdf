/* The runs of an imported study as the audit needs them: read again from the raw files that the
 * study keeps, whose digests are checked. One run's samples are in memory at a time.
 */
#include "raw/audit.h"

#include "core/array.h"
#include "core/digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct loading {
    struct pji_audit *audit;
    struct pji_store *store;
    bool decimal_comma;
    char *name; /* of the run under way */
};

static pj_status take_name(void *context, const char *key, const char *value, struct pj_error *err)
{
    struct loading *loading = context;
    if (strcmp(key, "run_id") != 0)
        return PJ_OK;
    loading->name = pji_dup(value, err);
    return loading->name != NULL ? PJ_OK : PJ_ENOMEM;
}

static pj_status check_digest(void *context, const struct pji_artefact_row *row,
                              struct pj_error *err)
{
    const struct loading *loading = context;
    struct pji_str path = {0};
    char sha256[PJI_SHA256_HEX] = "";
    pji_str_addf(&path, "%s/%s", pji_store_dir(loading->store), row->path);
    pj_status status = pji_str_ok(&path, err);
    if (status == PJ_OK)
        status = pji_sha256_file(path.text, sha256, err);
    if (status == PJ_OK && strcmp(sha256, row->sha256) != 0)
        status =
            pji_fail(err, PJ_ECORRUPT,
                     "%s is not what was imported: its SHA-256 is %.12s…, the study has %.12s…",
                     path.text, sha256, row->sha256);
    pji_str_fini(&path);
    return status;
}

static pj_status take_terms(struct loading *loading, int64_t attempt, struct pji_terms *terms,
                            struct pj_error *err)
{
    struct pji_str folder = {0};
    struct pji_raw_run *run = pji_zalloc(1, sizeof *run, err);
    if (run == NULL)
        return PJ_ENOMEM;
    pji_str_addf(&folder, "%s/artefacts/%lld", pji_store_dir(loading->store), (long long)attempt);
    pj_status status = pji_str_ok(&folder, err);
    if (status == PJ_OK)
        status = pji_store_each_artefact(loading->store, attempt, check_digest, loading, err);
    if (status == PJ_OK)
        status = pji_raw_run_read(run, folder.text, folder.text, loading->decimal_comma, NULL, err);
    if (status == PJ_OK)
        pji_terms_take(terms, run);
    pji_raw_run_fini(run);
    free(run);
    pji_str_fini(&folder);
    return status;
}

static pj_status load_trial(void *context, const struct pji_trial *trial, struct pj_error *err)
{
    struct loading *loading = context;
    struct pji_audit *audit = loading->audit;
    int64_t attempt = 0;
    if (trial->state != PJI_TRIAL_DONE)
        return PJ_OK;
    pj_status status = pji_store_last_attempt(loading->store, trial->id, &attempt, err);
    if (status == PJ_OK)
        status = pji_array_reserve(&audit->runs, &audit->cap_runs, audit->n_runs + 1,
                                   sizeof *audit->runs, err);
    loading->name = NULL;
    if (status == PJ_OK)
        status = pji_store_each_fact(loading->store, attempt, take_name, loading, err);
    if (status != PJ_OK || loading->name == NULL)
        return status < 0 ? status
                          : pji_fail(err, PJ_EINVAL,
                                     "trial %lld of %s was not imported from raw runs: an audit "
                                     "needs the raw files",
                                     (long long)trial->id, pji_store_dir(loading->store));
    struct pji_audit_run *run = &audit->runs[audit->n_runs++];
    const char *slash = strrchr(loading->name, '/');
    *run = (struct pji_audit_run){.name = loading->name};
    if (!pji_raw_key_parse(slash != NULL ? slash + 1 : loading->name, &run->run, &run->repetition))
        run->run = run->repetition = -1;
    return take_terms(loading, attempt, &run->terms, err);
}

pj_status pji_audit_load(struct pji_audit *audit, struct pji_store *store, struct pj_error *err)
{
    struct loading loading = {.audit = audit, .store = store};
    char *comma = NULL;
    *audit = (struct pji_audit){0};
    pj_status status = pji_store_get_meta(store, "decimal_comma", &comma, err);
    loading.decimal_comma = status == PJ_OK && strcmp(comma, "declared") == 0;
    free(comma);
    if (status >= 0)
        status = pji_store_each_trial(store, load_trial, &loading, err);
    if (status == PJ_OK && audit->n_runs == 0)
        status = pji_fail(err, PJ_EINVAL, "%s has no run that is done", pji_store_dir(store));
    return status;
}
