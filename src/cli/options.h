/* cli/options.h - one table for each subcommand feeds parsing, `--help` and the man page.
 *
 * Long options as --name VALUE or --name=VALUE, short ones as -x VALUE; `--` ends them. A command
 * with `passthrough` stops at the first word that is not an option (the program to run); others
 * take options anywhere. Unknown options are errors with a suggestion: exit code 2.
 */
#ifndef PJI_CLI_OPTIONS_H
#define PJI_CLI_OPTIONS_H

#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct pji_option {
    const char *name; /* "interval"; NULL ends the table */
    char letter;      /* 'i', or 0 */
    const char *arg;  /* "MS"; NULL: a flag */
    const char *help; /* one line */
};

enum { PJI_MAX_OPTIONS = 24, PJI_MAX_GIVEN = 128 };

struct pji_args;

struct pji_command {
    const char *name;
    const char *synopsis; /* behind the name: "[options] -- COMMAND…" */
    const char *about;    /* one line */
    const char *details;  /* paragraphs for --help, separated by "\n\n"; may be NULL */
    const struct pji_option *options;
    bool passthrough;
    int (*run)(const struct pji_args *args); /* returns the exit code */
};

struct pji_args {
    const struct pji_command *command;
    const char *values[PJI_MAX_OPTIONS]; /* parallel to command->options; a set flag is "" */
    struct {
        int option;
        const char *value;
    } given[PJI_MAX_GIVEN]; /* every value, in the order of the words */
    size_t n_given;
    char **rest; /* positional words, NULL-terminated */
    size_t n_rest;
};

/* argv[0] is the command's name. argv is permuted. `--help` is known to every command: then
 * PJI_ARGS_HELP. */
enum { PJI_ARGS_HELP = 1 };
pj_status pji_args_parse(struct pji_args *args, const struct pji_command *command, int argc,
                         char **argv, struct pj_error *err);
/* Value of an option, NULL when it was not given. The name must be in the table. */
const char *pji_args_get(const struct pji_args *args, const char *name);
/* Value number `index` of an option that may be given several times; NULL behind the last. */
const char *pji_args_nth(const struct pji_args *args, const char *name, size_t index);
bool pji_args_has(const struct pji_args *args, const char *name);

/* Usage and options of one command. `program` is "perjoule". */
void pji_command_help(const struct pji_command *command, const char *program, FILE *out);
/* The same as a subsection of a man page (mdoc(7)). */
void pji_command_man(const struct pji_command *command, const char *program, FILE *out);
/* Commands and what they do, one line each; commands end with a NULL pointer. */
void pji_commands_list(const struct pji_command *const *commands, FILE *out);

/* Finds, parses and runs: the whole of a main(). Prints errors on stderr; 2 for usage errors. */
int pji_commands_run(const struct pji_command *const *commands, const char *program, int argc,
                     char **argv);

#endif
