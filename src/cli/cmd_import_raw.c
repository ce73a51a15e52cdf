/* cli/cmd_import_raw.c - perjoule import greenlab|experiment-runner DIR --out STUDY: raw runs
 * become a study. docs/greenlab.md, docs/experiment-runner.md. The lean program hands this over;
 * its own `import` reads single tables.
 */
#include "cli/commands_lab.h"
#include "cli/run_session.h"
#include "lab/judge.h"
#include "raw/import.h"
#include "raw/runner_table.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>

static const struct pji_option options[] = {
    {"out", 'o', "STUDY", "folder of the new study; it must not exist"},
    {"runs", 0, "TABLE.csv",
     "which generation, model_size and task each run is (default: looked for in DIR and beside "
     "it)"},
    {"published", 0, "TABLE.csv", "published figures, for the findings"},
    {"factors", 0, "A,B", "experiment-runner: which columns are factors (default: found)"},
    {"decimal-comma", 0, NULL, "a comma inside a number is a decimal mark"},
    {0},
};

static pj_status print_finding(void *context, const struct pji_finding_row *row,
                               struct pj_error *err)
{
    (void)context;
    (void)err;
    printf("%-8s %s: %s\n         %s\n", row->consequence, row->code, row->subject, row->detail);
    return PJ_OK;
}

static int print(const char *out, const struct pji_import_result *result)
{
    struct pj_error err = {0};
    struct pji_store *store = NULL;
    pj_status status = pji_store_open(&store, out, PJI_STORE_READ, &pji_cli_log, &err);
    if (status == PJ_OK) {
        printf("%s: %zu runs: %zu done, %zu failed, %zu invalid; %zu findings\n", out, result->runs,
               result->done, result->failed, result->invalid, result->findings);
        status = pji_store_each_finding(store, print_finding, NULL, &err);
    }
    (void)pji_store_close(store, NULL);
    if (status == PJ_OK && (fflush(stdout) != 0 || ferror(stdout)))
        status = pji_fail_errno(&err, errno, "the findings could not be written");
    if (status != PJ_OK) {
        fprintf(stderr, "perjoule: %s\n", err.text);
        return 1;
    }
    return result->failed > 0 || result->invalid > 0 ? 3 : 0;
}

static int fail(const struct pj_error *err)
{
    fprintf(stderr, "perjoule: %s\n", err->text);
    return err->code == PJ_EINVAL || err->code == PJ_ENOTFOUND || err->code == PJ_EBUSY ? 2 : 1;
}

static int run_runner(const struct pji_args *args)
{
    struct pj_error err = {0};
    struct pji_runner_result result;
    const struct pji_runner_options import = {.dir = args->rest[1],
                                              .out = pji_args_get(args, "out"),
                                              .factors = pji_args_get(args, "factors"),
                                              .decimal_comma = pji_args_has(args, "decimal-comma"),
                                              .log = &pji_cli_log};
    if (pji_import_runner(&import, &result, &err) != PJ_OK)
        return fail(&err);
    printf("%s: %zu runs: %zu done, %zu to do; factors %s\n", import.out, result.rows, result.done,
           result.todo, result.factors);
    if (result.nameless > 0)
        fprintf(stderr,
                "perjoule: warning: the table has %zu column%s without a name (results that the "
                "configuration did not declare): called column_N\n",
                result.nameless, result.nameless == 1 ? "" : "s");
    if (result.renamed[0] != '\0')
        fprintf(stderr,
                "perjoule: warning: the export has columns of these names, so the factors have "
                "others: %s\n",
                result.renamed);
    if (result.left_out > 0)
        fprintf(stderr,
                "perjoule: warning: not kept of the run folders: %zu folder%s or files with "
                "blanks or other signs in their names\n",
                result.left_out, result.left_out == 1 ? "" : "s");
    if (result.without_folder > 0)
        fprintf(stderr,
                "perjoule: warning: %zu run%s DONE in the table, but without a folder or a file "
                "in it: flagged run_folder_missing\n",
                result.without_folder, result.without_folder == 1 ? " is" : "s are");
    return 0;
}

static int run_judge(const struct pji_args *args)
{
    struct pj_error err = {0};
    struct pji_store *store = NULL;
    struct pji_judge_result result;
    if (args->n_rest != 3) {
        fprintf(stderr,
                "perjoule: import judge takes a table of scores and the folder of a study\n");
        return 2;
    }
    pj_status status = pji_store_open(&store, args->rest[2], PJI_STORE_WRITE, &pji_cli_log, &err);
    if (status == PJ_OK)
        status = pji_judge_import(store, args->rest[1], &result, &err);
    pj_status closed = pji_store_close(store, status == PJ_OK ? &err : NULL);
    if (status != PJ_OK || closed != PJ_OK)
        return fail(&err);
    printf("%s: %zu judge scores of %zu trials and tasks: column judge_score\n", args->rest[2],
           result.scores, result.trials);
    return 0;
}

static int run(const struct pji_args *args)
{
    struct pj_error err = {0};
    struct pji_import_result result;
    struct pji_import_options import = {.out = pji_args_get(args, "out"),
                                        .runs_table = pji_args_get(args, "runs"),
                                        .published = pji_args_get(args, "published"),
                                        .decimal_comma = pji_args_has(args, "decimal-comma"),
                                        .log = &pji_cli_log};
    if (args->n_rest > 0 && strcmp(args->rest[0], "judge") == 0)
        return run_judge(args);
    bool runner = args->n_rest > 0 && strcmp(args->rest[0], "experiment-runner") == 0;
    if (args->n_rest != 2 || (!runner && strcmp(args->rest[0], "greenlab") != 0)) {
        fprintf(stderr, "perjoule: import %s takes one folder that holds the runs\n",
                runner ? "experiment-runner" : "greenlab");
        return 2;
    }
    if (import.out == NULL || import.out[0] == '\0') {
        fprintf(stderr, "perjoule: say with --out STUDY where the new study shall be\n");
        return 2;
    }
    if (runner)
        return run_runner(args);
    import.dir = args->rest[1];
    pj_status status = pji_import_greenlab(&import, &result, &err);
    if (status == PJ_OK)
        return print(import.out, &result);
    return fail(&err);
}

const struct pji_command pji_cmd_import_raw = {
    .name = "import",
    .synopsis = "greenlab|experiment-runner DIR --out STUDY [--runs TABLE.csv] "
                "[--published TABLE.csv] [--factors A,B] [--decimal-comma]",
    .about = "make a study from the raw runs of a GreenLab experiment or of Experiment Runner",
    .details =
        "judge SCORES.csv STUDY: scores that another model or a person gave, columns trial, score "
        "and task, become the column judge_score of a study; they are never called accuracy.\n\n"
        "experiment-runner: DIR/run_table.csv and the files of its run folders become a study; "
        "docs/experiment-runner.md.\n\ngreenlab: "
        "Each folder below DIR with energibridge.csv, energibridge-summary.txt and prompts_out.tsv "
        "is a run. Counter wraps are found and repaired, the CPU is counted once, the GPU's power "
        "is integrated on its time stamps, loading is told apart from the prompts. The study that "
        "comes out is one like any other: status, export, report and analyse work on it.\n\n"
        "A run whose files are missing, torn or wrong is failed, with the reason on standard "
        "error; "
        "the others stand. What is wrong with the study as a whole is printed as findings and kept "
        "in it. A number with a decimal comma is refused unless --decimal-comma declares it.\n\n"
        "Exit code: 0 all runs are done, 3 some are failed or invalid, 2 nothing could be imported "
        "or STUDY exists, 1 the machine failed.",
    .options = options,
    .run = run,
};
