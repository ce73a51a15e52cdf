/* cli/main_lab.c - perjoule-lab: everything that `perjoule` hands on (run, resume, check, report,
 * …).
 *
 * Lives in libexec; `perjoule run …` execs it.
 */
#include "cli/commands_lab.h"

#include <stdio.h>
#include <string.h>

/* One row for each subcommand, in the order of `perjoule help`. */
static const struct pji_command *const commands[] = {
    &pji_cmd_check,
    &pji_cmd_run,
    &pji_cmd_resume,
    &pji_cmd_extend,
    &pji_cmd_status,
    &pji_cmd_export,
    &pji_cmd_report,
    &pji_cmd_verify,
    &pji_cmd_analyse,
    &pji_cmd_agent,
    &pji_cmd_import_raw,
    &pji_cmd_audit,
    NULL,
};

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        puts("perjoule-lab " PJ_VERSION);
        return 0;
    }
    if (argc < 2 || strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0) {
        fputs("usage: perjoule COMMAND [options]\n\ncommands:\n", argc < 2 ? stderr : stdout);
        pji_commands_list(commands, argc < 2 ? stderr : stdout);
        return argc < 2 ? 2 : 0;
    }
    return pji_commands_run(commands, "perjoule", argc, argv);
}
