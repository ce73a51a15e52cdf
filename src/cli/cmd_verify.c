/* cli/cmd_verify.c - perjoule verify REPORT STUDY: is every number what the records say? */
#include "cli/commands_lab.h"
#include "cli/records_check.h"
#include "cli/run_session.h"

#include "platform/durable.h"
#include "report/verify.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct pji_option options[] = {
    {"all", 'a', NULL, "print every difference, not only the first 50"},
    {0},
};

enum { SHOWN = 50 };

static void print_difference(const struct pji_difference *d)
{
    printf("%s", d->file);
    if (d->line > 0)
        printf(":%zu", d->line);
    if (d->printed == NULL) {
        printf(": %s\n", d->where);
        return;
    }
    bool stored = strcmp(d->file, "study.sqlite") == 0;
    printf(": %s: %s %s, recomputed %s", d->where, stored ? "stored" : "printed", d->printed,
           d->recomputed);
    if (d->records[0] != '\0')
        printf("; from %s", d->records);
    printf("\n");
}

/* What was made again from the files of the study, and what could not be. */
static void print_records(const struct pji_records_checked *r)
{
    if (r->why_none[0] != '\0')
        printf("Records: %s.\n", r->why_none);
    else
        printf("Records: %zu number%s of %zu trial%s made again from the files of the study; %zu "
               "file%s held against the digests.\n",
               r->numbers, r->numbers == 1 ? "" : "s", r->trials, r->trials == 1 ? "" : "s",
               r->artefacts, r->artefacts == 1 ? "" : "s");
    if (r->unchecked == 0)
        return;
    printf("Not made again, no file holds what they are made of (%zu number%s):", r->unchecked,
           r->unchecked == 1 ? "" : "s");
    const char *at = pji_str_text(&r->names);
    for (size_t len = strcspn(at, ","); len > 0; len = strcspn(at, ",")) {
        printf("%s %.*s", at == pji_str_text(&r->names) ? "" : ",", (int)len, at);
        at += len + 1;
    }
    printf("\n");
}

static int print(const struct pji_verified *v, const char *study, bool all)
{
    size_t shown = all || v->n < SHOWN ? v->n : SHOWN;
    for (size_t i = 0; i < shown; i++)
        print_difference(&v->differences[i]);
    if (shown < v->n)
        printf("… and %zu more (--all)\n", v->n - shown);
    if (v->n == 0) {
        printf("%zu number%s in %zu file%s: all as recomputed from the records of %s\n", v->numbers,
               v->numbers == 1 ? "" : "s", v->files, v->files == 1 ? "" : "s", study);
        return 0;
    }
    printf("%zu difference%s in %zu of %zu file%s, %zu numbers compared\n", v->n,
           v->n == 1 ? "" : "s", v->bad_files, v->files, v->files == 1 ? "" : "s", v->numbers);
    if (v->made_by[0] != '\0' && strcmp(v->made_by, PJ_VERSION) != 0)
        printf("The report was made by perjoule %s, this is %s: words may differ too.\n",
               v->made_by, PJ_VERSION);
    return 3;
}

static int fail(const struct pj_error *err, int code)
{
    fprintf(stderr, "perjoule: %s\n", err->text);
    return code;
}

static int verify(const char *report, struct pji_store *store, const char *study, bool all)
{
    struct pj_error err = {0};
    struct pji_verified verified;
    const char *temp = getenv("TMPDIR");
    char scratch[PATH_MAX];
    snprintf(scratch, sizeof scratch, "%s/perjoule-verify-XXXXXX",
             temp != NULL && temp[0] == '/' ? temp : "/tmp");
    if (mkdtemp(scratch) == NULL) {
        fprintf(stderr, "perjoule: cannot make a temporary folder (%s): set TMPDIR\n",
                strerror(errno));
        return 1;
    }
    int code = 1;
    struct pji_records_checked checked = {0};
    pj_status status = pji_verify(&verified, report, store, scratch, &pji_cli_log, &err);
    if (status == PJ_OK) {
        status = pji_records_check(store, scratch, &verified, &checked, &err);
        if (status == PJ_OK) {
            code = print(&verified, study, all);
            print_records(&checked);
        } else {
            code = fail(&err, 1);
        }
        pji_verified_fini(&verified);
    } else {
        code = fail(&err, status == PJ_EINVAL ? 2 : 1);
    }
    pji_str_fini(&checked.names);
    (void)pji_remove_tree(scratch, NULL);
    if (fflush(stdout) != 0) {
        fprintf(stderr, "perjoule: the result could not be written to standard output\n");
        return 1;
    }
    return code;
}

static int run(const struct pji_args *args)
{
    struct pj_error err = {0};
    struct pji_store *store = NULL;
    if (args->n_rest != 2) {
        fprintf(stderr, "perjoule: verify takes a report (its folder or a file of it) and the "
                        "folder of its study\n");
        return 2;
    }
    pj_status status = pji_store_open(&store, args->rest[1], PJI_STORE_READ, &pji_cli_log, &err);
    if (status != PJ_OK)
        return fail(&err, status == PJ_ENOTFOUND || status == PJ_EINVAL ? 2 : 1);
    int code = verify(args->rest[0], store, args->rest[1], pji_args_has(args, "all"));
    (void)pji_store_close(store, NULL);
    return code;
}

const struct pji_command pji_cmd_verify = {
    .name = "verify",
    .synopsis = "[--all] REPORT STUDY",
    .about = "recompute every number of a report from the records of its study, and those from its "
             "files",
    .details =
        "The report is made again from the records and compared number by number; pictures are "
        "drawn again. The records are made again from the files of the study (requests.jsonl, "
        "trace.jsonl, or the raw files of an import), whose digests are computed: a value changed "
        "in the database or in a file is named too. What no file holds is listed.\n\n"
        "Exit code: 0 all agree, 3 something differs, 2 no report or no study.",
    .options = options,
    .run = run,
};
