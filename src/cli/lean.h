/* cli/lean.h - what the commands of the lean program share: exit codes, messages, typed options. */
#ifndef PJI_CLI_LEAN_H
#define PJI_CLI_LEAN_H

#include "cli/options.h"
#include "core/str.h"

#include <stdint.h>

enum {
    PJI_EXIT_DONE = 0,
    PJI_EXIT_FAILED = 1,
    PJI_EXIT_USAGE = 2,   /* usage or bad input */
    PJI_EXIT_INVALID = 3, /* done but not valid */
    /* of a program that runs another, as in env(1) and timeout(1) */
    PJI_EXIT_OURS = 125, /* we failed, not the command */
    PJI_EXIT_NOT_EXECUTABLE = 126,
    PJI_EXIT_NOT_FOUND = 127
};

/* "perjoule measure: SENTENCE" on standard error, in one write. */
void pji_lean_say(const struct pji_args *args, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Says err's sentence and returns the exit code for it: 2 for PJ_EINVAL, else 1. */
int pji_lean_failed(const struct pji_args *args, const struct pj_error *err);
/* 0, or 2 with a message when the number of positional words is outside [least, most]. `missing`
 * says what lacks. */
int pji_lean_check_rest(const struct pji_args *args, size_t least, size_t most,
                        const char *missing);
/* Writes all of `text` to a descriptor: 0 or an errno. */
int pji_lean_write(int fd, const char *text, size_t len);
/* Writes all of `text` to standard output: the exit code (0, or 1 with a message). */
int pji_lean_print(const struct pji_args *args, const struct pji_str *text);

/* An option as a number; `fallback` when it was not given. PJ_EINVAL names option and text. */
pj_status pji_args_num(const struct pji_args *args, const char *name, double fallback,
                       double *value, struct pj_error *err);
pj_status pji_args_int(const struct pji_args *args, const char *name, int fallback, int *value,
                       struct pj_error *err);

#endif
