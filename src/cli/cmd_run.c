/* cli/cmd_run.c - perjoule run STUDY.yaml [--out DIR]: plan, store, run. */
#include "cli/commands_lab.h"
#include "cli/run_session.h"

#include "analysis/declared.h"
#include "lab/design.h"
#include "lab/remote.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct pji_option options[] = {
    {"out", 'o', "DIR", "folder of the study (default: NAME-YYYYMMDD-HHMMSS here)"},
    {"root", 0, "DIR", "read DIR/sys, DIR/proc, DIR/dev instead of the machine's own"},
    {0},
};

/* NAME-YYYYMMDD-HHMMSS, with everything but letters, digits, '.', '_' and '-' as '-'. */
static void default_dir(const char *name, char *text, size_t size)
{
    struct tm local;
    char stamp[32];
    time_t now = time(NULL);
    localtime_r(&now, &local);
    strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &local);
    size_t len = 0;
    for (; name[len] != '\0' && len + sizeof stamp + 2 < size; len++) {
        char c = name[len];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     c == '_' || c == '-' || (c == '.' && len > 0);
        text[len] = plain ? c : '-';
    }
    snprintf(text + len, size - len, "-%s", stamp);
}

static int fail(const struct pj_error *err, int code)
{
    fprintf(stderr, "perjoule: %s\n", err->text);
    return code;
}

static int create_and_run(const char *dir, const char *root, const struct pji_study *study,
                          const struct pji_workload *workload)
{
    struct pj_error err = {0};
    struct pji_plan plan;
    struct pji_store *store = NULL;
    if (pji_plan_make(&plan, study, &err) != PJ_OK)
        return fail(&err, 2);
    pj_status status = pji_study_create(dir, study, &plan, workload, &pji_cli_log, &err);
    size_t n_trials = plan.n_trials;
    pji_plan_fini(&plan);
    if (status != PJ_OK)
        return fail(&err, status == PJ_EBUSY || status == PJ_EINVAL ? 2 : 1);
    fprintf(stderr, "perjoule: %s: %zu trials in %s\n", study->name, n_trials, dir);
    status = pji_store_open(&store, dir, PJI_STORE_WRITE, &pji_cli_log, &err);
    if (status != PJ_OK)
        return fail(&err, 1);
    int code = pji_session_run(dir, root, store, study, workload);
    if (pji_store_close(store, &err) != PJ_OK)
        return fail(&err, 1);
    return code;
}

static pj_status ask_agent(const struct pji_study *study, const struct pji_workload *workload,
                           struct pj_error *err)
{
    struct pji_run_env env = {.log = &pji_cli_log, .stop_fd = -1, .lookup = pji_cli_lookup};
    return pji_remote_preflight(&env, study, workload, err);
}

static int run(const struct pji_args *args)
{
    struct pj_error err = {0};
    struct pji_study study;
    struct pji_workload workload;
    char dir[PATH_MAX];
    if (args->n_rest != 1) {
        fprintf(stderr, "perjoule: run takes one study file; `perjoule run --help` says more\n");
        return 2;
    }
    const char *root = pji_args_get(args, "root");
    if (root == NULL)
        root = getenv("PERJOULE_ROOT");
    pj_status status = pji_study_read(&study, args->rest[0], &err);
    pji_cli_say_problems(&study);
    if (status == PJ_OK) {
        status = pji_declared_check_tests(study.analysis, &err);
        if (status != PJ_OK)
            pji_error_prefix(&err, "%s, analysis tests", args->rest[0]);
    }
    if (status != PJ_OK) {
        int code = study.errors.n > 0 ? 2 : fail(&err, 2);
        pji_study_fini(&study);
        return code;
    }
    if (pji_study_preflight(&study, &err) != PJ_OK) {
        pji_study_fini(&study);
        return fail(&err, 2);
    }
    if (pji_workload_read(&workload, &study, &err) != PJ_OK) {
        pji_study_fini(&study);
        return fail(&err, 2);
    }
    if (study.executor.agent && (status = ask_agent(&study, &workload, &err)) != PJ_OK) {
        pji_workload_fini(&workload);
        pji_study_fini(&study);
        return fail(&err, status == PJ_EINVAL ? 2 : 1);
    }
    default_dir(study.name, dir, sizeof dir);
    const char *out = pji_args_get(args, "out");
    int code = create_and_run(out != NULL ? out : dir, root, &study, &workload);
    pji_workload_fini(&workload);
    pji_study_fini(&study);
    return code;
}

const struct pji_command pji_cmd_run = {
    .name = "run",
    .synopsis = "[--out DIR] STUDY.yaml",
    .about = "run a study: plan its trials, measure each, keep every record",
    .options = options,
    .run = run,
};
