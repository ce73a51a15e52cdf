/* cli/cmd_verify.c - perjoule verify REPORT STUDY: is every number what the records say? */
#include "cli/commands_lab.h"
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
    printf(": %s: printed %s, recomputed %s", d->where, d->printed, d->recomputed);
    if (d->records[0] != '\0')
        printf("; from %s", d->records);
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
    pj_status status = pji_verify(&verified, report, store, scratch, &pji_cli_log, &err);
    if (status == PJ_OK) {
        code = print(&verified, study, all);
        pji_verified_fini(&verified);
    } else {
        code = fail(&err, status == PJ_EINVAL ? 2 : 1);
    }
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
    .about = "recompute every number of a report from the records of its study",
    .options = options,
    .run = run,
};
