/* cli/cmd_export.c - perjoule export DIR --format csv|json|run-table|requests: one row for each
 * trial, or for each request, on stdout. */
#include "cli/commands_lab.h"
#include "cli/run_session.h"
#include "store/export.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct pji_option options[] = {
    {"format", 'f', "FORMAT", "csv (default), json, run-table (Experiment Runner) or requests"},
    {0},
};

static pj_status unwritten(struct pj_error *err)
{
    return pji_fail_errno(err, errno, "the table could not be written to standard output");
}

static pj_status print(void *context, const char *text, size_t len, struct pj_error *err)
{
    (void)context;
    return fwrite(text, 1, len, stdout) == len ? PJ_OK : unwritten(err);
}

static int run(const struct pji_args *args)
{
    struct pj_error err = {0};
    struct pji_store *store = NULL;
    const char *format = pji_args_get(args, "format");
    bool json = format && strcmp(format, "json") == 0;
    bool run_table = format && strcmp(format, "run-table") == 0;
    bool requests = format && strcmp(format, "requests") == 0;
    bool known = !format || json || run_table || requests || strcmp(format, "csv") == 0;
    if (args->n_rest != 1 || !known) {
        fprintf(stderr, "perjoule: export takes the folder of one study and --format csv, json, "
                        "run-table or requests\n");
        return 2;
    }
    pj_status st = pji_store_open(&store, args->rest[0], PJI_STORE_READ, &pji_cli_log, &err);
    if (st == PJ_OK && run_table)
        st = pji_store_export_run_table(store, print, NULL, &err);
    else if (st == PJ_OK && requests)
        st = pji_store_export_requests(store, print, NULL, &err);
    else if (st == PJ_OK)
        st = pji_store_export(store, json ? PJI_EXPORT_JSON : PJI_EXPORT_CSV, print, NULL, &err);
    if (st == PJ_OK && fflush(stdout) != 0)
        st = unwritten(&err);
    (void)pji_store_close(store, NULL);
    if (st == PJ_OK)
        return 0;
    fprintf(stderr, "perjoule: %s\n", err.text);
    return st == PJ_ENOTFOUND || st == PJ_EINVAL ? 2 : 1;
}

const struct pji_command pji_cmd_export = {
    .name = "export",
    .synopsis = "[--format csv|json|run-table|requests] DIR",
    .about = "the study as one table: a row for each trial in planned order, or for each request",
    .options = options,
    .run = run,
};
