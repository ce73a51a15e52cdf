/* cli/cmd_resume.c - perjoule resume DIR: go on where a study stopped, whatever stopped it. */
#include "cli/commands_lab.h"
#include "cli/run_session.h"

#include <stdio.h>
#include <stdlib.h>

static const struct pji_option options[] = {
    {"root", 0, "DIR", "read DIR/sys, DIR/proc, DIR/dev instead of the machine's own"},
    {0},
};

static int fail(const struct pj_error *err, int code)
{
    fprintf(stderr, "perjoule: %s\n", err->text);
    return code;
}

static int resume(struct pji_store *store, const char *dir, const char *root)
{
    struct pj_error err = {0};
    struct pji_study study;
    struct pji_workload workload;
    if (pji_study_recover(store, &pji_cli_log, &err) != PJ_OK)
        return fail(&err, 1);
    if (pji_study_reopen(&study, store, &err) != PJ_OK)
        return fail(&err, 2);
    pj_status status = pji_workload_read(&workload, &study, &err);
    if (status == PJ_OK) {
        status = pji_study_same_items(store, &workload, &err);
        int code = status == PJ_OK ? pji_session_run(dir, root, store, &study, &workload) : 2;
        pji_workload_fini(&workload);
        pji_study_fini(&study);
        return status == PJ_OK ? code : fail(&err, 2);
    }
    pji_study_fini(&study);
    return fail(&err, 2);
}

static int run(const struct pji_args *args)
{
    struct pj_error err = {0};
    struct pji_store *store = NULL;
    if (args->n_rest != 1) {
        fprintf(stderr, "perjoule: resume takes the folder of one study\n");
        return 2;
    }
    const char *root = pji_args_get(args, "root");
    if (root == NULL)
        root = getenv("PERJOULE_ROOT");
    pj_status status = pji_store_open(&store, args->rest[0], PJI_STORE_WRITE, &pji_cli_log, &err);
    if (status != PJ_OK)
        return fail(&err, status == PJ_EINVAL || status == PJ_ENOTFOUND ? 2 : 1);
    int code = resume(store, args->rest[0], root);
    if (pji_store_close(store, &err) != PJ_OK)
        return fail(&err, 1);
    return code;
}

const struct pji_command pji_cmd_resume = {
    .name = "resume",
    .synopsis = "DIR",
    .about = "go on with a study: what is done stays, what was cut off runs again",
    .options = options,
    .run = run,
};
