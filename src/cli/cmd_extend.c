/* cli/cmd_extend.c - perjoule extend DIR STUDY.yaml: more repetitions, more levels. */
#include "cli/commands_lab.h"
#include "cli/run_session.h"
#include "lab/extend.h"

#include <stdio.h>

static const struct pji_option options[] = {{0}};

static int fail(const struct pj_error *err, int code)
{
    fprintf(stderr, "perjoule: %s\n", err->text);
    return code;
}

static void say(const char *dir, const struct pji_extension *e)
{
    printf("%s: %zu new trials (%zu new cells, %zu new levels), extension %lld, plan %s\n", dir,
           e->new_trials, e->new_cells, e->new_levels, (long long)e->number, e->sha256);
    if (e->alone > 0)
        fprintf(stderr,
                "perjoule: warning: no new block holds a cell that was there before: new and old "
                "treatments cannot be compared within blocks; with more repetitions they share "
                "blocks\n");
    printf("go on with: perjoule resume %s\n", dir);
}

static int extend(const char *dir, const struct pji_study *study,
                  const struct pji_workload *workload)
{
    struct pj_error err = {0};
    struct pji_store *store = NULL;
    struct pji_extension extension;
    pj_status st = pji_store_open(&store, dir, PJI_STORE_WRITE, &pji_cli_log, &err);
    if (st)
        return fail(&err, st == PJ_EINVAL || st == PJ_ENOTFOUND ? 2 : 1);
    st = pji_study_extend(store, study, workload, &extension, &err);
    if (st == PJ_OK)
        st = pji_store_close(store, &err);
    else
        (void)pji_store_close(store, NULL);
    if (st)
        return fail(&err, st == PJ_EINVAL ? 2 : 1);
    say(dir, &extension);
    return 0;
}

static int run(const struct pji_args *args)
{
    struct pj_error err = {0};
    struct pji_study study;
    struct pji_workload workload = {0};
    if (args->n_rest != 2) {
        fprintf(stderr, "perjoule: extend takes the folder of a study and the file that says what "
                        "it becomes\n");
        return 2;
    }
    int code = 2;
    pj_status st = pji_study_read(&study, args->rest[1], &err);
    pji_cli_say_problems(&study);
    if (st != PJ_OK && study.errors.n == 0)
        (void)fail(&err, 2);
    if (st == PJ_OK && pji_workload_read(&workload, &study, &err) != PJ_OK)
        (void)fail(&err, 2);
    else if (st == PJ_OK)
        code = extend(args->rest[0], &study, &workload);
    pji_workload_fini(&workload);
    pji_study_fini(&study);
    return code;
}

const struct pji_command pji_cmd_extend = {
    .name = "extend",
    .synopsis = "DIR STUDY.yaml",
    .about = "plan more repetitions or levels of a study; what is there stays as it is",
    .options = options,
    .run = run,
};
