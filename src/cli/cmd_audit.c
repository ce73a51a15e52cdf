/* cli/cmd_audit.c - perjoule audit PUBLISHED.csv STUDY: what was published against what the raw
 * files say, run by run, and the difference by cause. docs/greenlab.md.
 */
#include "cli/audit_print.h"
#include "cli/commands_lab.h"
#include "cli/run_session.h"
#include "platform/durable.h"

#include <stdio.h>
#include <string.h>

static const struct pji_option options[] = {
    {"json", 0, NULL, "print it as JSON"},
    {"csv", 0, "FILE", "write every figure with every cause to FILE"},
    {"energy", 0, "COLUMN", "the column of published energies, where its name does not tell"},
    {"decimal-comma", 0, NULL, "a comma inside a published number is a decimal mark"},
    {0},
};

static pj_status print(const struct pji_args *args, const struct pji_audit *audit,
                       const struct pji_runs_table *table, struct pj_error *err)
{
    struct pji_str text = {0}, csv = {0};
    const char *file = pji_args_get(args, "csv");
    pj_status status = PJ_OK;
    if (file != NULL) {
        pji_audit_csv(audit, table, &csv);
        status = pji_str_ok(&csv, err);
        if (status == PJ_OK)
            status = pji_durable_write(file, csv.text, csv.len, err);
    }
    if (pji_args_has(args, "json")) {
        json_t *json = pji_audit_json(audit, table, args->rest[1]);
        pji_json_write(&text, json, 2);
        pji_str_addc(&text, '\n');
        json_decref(json);
    } else {
        pji_audit_text(audit, table, &text);
    }
    if (status == PJ_OK)
        status = pji_str_ok(&text, err);
    if (status == PJ_OK && (fputs(text.text, stdout) == EOF || fflush(stdout) != 0))
        status = pji_fail_errno(err, errno, "the audit could not be written to standard output");
    pji_str_fini(&text);
    pji_str_fini(&csv);
    return status;
}

static bool explained(const struct pji_audit *audit)
{
    for (size_t c = 0; c < audit->n_columns; c++) {
        if (audit->columns[c].n_unexplained > 0)
            return false;
    }
    /* an energy that nobody compared is not explained */
    return audit->energy_compared || audit->n_overlooked == 0;
}

static pj_status audit_study(const struct pji_args *args, int *code, struct pj_error *err)
{
    struct pji_audit audit = {0};
    struct pji_runs_table table;
    struct pji_store *store = NULL;
    pj_status status = pji_runs_table_read(&table, args->rest[0], err);
    if (status != PJ_OK)
        return status;
    status = pji_store_open(&store, args->rest[1], PJI_STORE_READ, &pji_cli_log, err);
    if (status == PJ_OK)
        status = pji_audit_load(&audit, store, err);
    if (status == PJ_OK)
        status = pji_audit_match(&audit, &table, err);
    if (status == PJ_OK)
        status = pji_audit_make(&audit, &table, pji_args_get(args, "energy"),
                                pji_args_has(args, "decimal-comma"), err);
    if (status == PJ_OK)
        status = print(args, &audit, &table, err);
    *code = explained(&audit) ? 0 : 3;
    (void)pji_store_close(store, NULL);
    pji_audit_fini(&audit);
    pji_runs_table_fini(&table);
    return status;
}

static int run(const struct pji_args *args)
{
    struct pj_error err = {0};
    int code = 0;
    if (args->n_rest != 2) {
        fprintf(stderr, "perjoule: audit takes a published table and the folder of a study\n");
        return 2;
    }
    pj_status status = audit_study(args, &code, &err);
    if (status == PJ_OK)
        return code;
    fprintf(stderr, "perjoule: %s\n", err.text);
    return status == PJ_EINVAL || status == PJ_ENOTFOUND ? 2 : 1;
}

const struct pji_command pji_cmd_audit = {
    .name = "audit",
    .synopsis = "[--json] [--csv FILE] [--energy COLUMN] [--decimal-comma] PUBLISHED.csv STUDY",
    .about = "compare published figures with a study's and explain the differences by cause",
    .details =
        "STUDY was made by `perjoule import greenlab`; its raw files are read again and their "
        "digests checked. Rows are found by a column `__run_id`, `run_id` or `run` with the names "
        "of the folders, else by `run` and `repetition` with their numbers. Columns: `energy`, "
        "`energy_j`, `published_…_j` (J), `time(s)`, `time_s`, `duration_ms`, `tokens`; with an "
        "energy and a time also the mean power.\n\n"
        "The causes of a difference add up to it exactly; what none of them explains is its own "
        "line. Exit code: 0 everything is explained, 3 something is not, 2 bad input.",
    .options = options,
    .run = run,
};
