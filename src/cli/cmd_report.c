/* cli/cmd_report.c - perjoule report DIR: the answer first, then what it rests on. */
#include "cli/commands_lab.h"
#include "cli/run_session.h"

#include "report/report.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const struct pji_option options[] = {
    {"out", 'o', "DIR",
     "folder for report.html, Markdown, LaTeX, CSV, pictures (default: DIR/report)"},
    {"no-files", 0, NULL, "print the terminal report only"},
    {0},
};

static int terminal_width(void)
{
    struct winsize size = {0};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 40)
        return size.ws_col > 160 ? 160 : size.ws_col;
    return 120;
}

static int fail(const struct pj_error *err, int code)
{
    fprintf(stderr, "perjoule: %s\n", err->text);
    return code;
}

static int report(struct pji_store *store, const char *out)
{
    struct pj_error err = {0};
    struct pji_str text = {0};
    bool conclusive = false;
    struct pji_report_files files = {.dir = out,
                                     .width = terminal_width(),
                                     .colour = isatty(STDOUT_FILENO) == 1,
                                     .log = &pji_cli_log};
    pj_status status = pji_report_make(store, &files, &text, &conclusive, &err);
    if (text.len > 0)
        fputs(pji_str_text(&text), stdout);
    pji_str_fini(&text);
    if (status != PJ_OK)
        return fail(&err, 1);
    if (out != NULL)
        printf("\nPage: %s/report.html\n", out);
    if (fflush(stdout) != 0) {
        fprintf(stderr, "perjoule: the report could not be written to standard output\n");
        return 1;
    }
    return conclusive ? 0 : 3;
}

static int run(const struct pji_args *args)
{
    struct pj_error err = {0};
    struct pji_store *store = NULL;
    char dir[PATH_MAX];
    if (args->n_rest != 1) {
        fprintf(stderr, "perjoule: report takes the folder of one study\n");
        return 2;
    }
    const char *out = pji_args_get(args, "out");
    if (out == NULL) {
        snprintf(dir, sizeof dir, "%s/report", args->rest[0]);
        out = dir;
    }
    if (pji_args_has(args, "no-files")) {
        out = NULL;
    } else if (!pji_args_has(args, "out") && access(args->rest[0], W_OK) != 0 &&
               access(args->rest[0], F_OK) == 0) {
        fprintf(stderr,
                "perjoule: %s is read-only: no files are written (choose a folder with --out)\n",
                args->rest[0]);
        out = NULL;
    }
    pj_status status = pji_store_open(&store, args->rest[0], PJI_STORE_READ, &pji_cli_log, &err);
    if (status != PJ_OK)
        return fail(&err, status == PJ_ENOTFOUND || status == PJ_EINVAL ? 2 : 1);
    int code = report(store, out);
    (void)pji_store_close(store, NULL);
    return code;
}

const struct pji_command pji_cmd_report = {
    .name = "report",
    .synopsis = "[--out DIR] DIR",
    .about = "the answer of a study, its tables, pictures and page",
    .options = options,
    .run = run,
};
