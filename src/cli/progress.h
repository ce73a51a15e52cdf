/* cli/progress.h - what a person sees of a running study: one line that is redrawn on a terminal,
 * plain lines elsewhere. Words go to stderr; stdout is data.
 */
#ifndef PJI_CLI_PROGRESS_H
#define PJI_CLI_PROGRESS_H

#include "lab/trial.h"

#include <stdbool.h>
#include <stdio.h>

struct pji_progress {
    FILE *out;
    bool terminal;
    int width;        /* of the terminal, columns */
    int64_t drawn_ns; /* last redraw: at most five a second */
    bool line_open;   /* a redrawn line stands on the terminal */
};

void pji_progress_init(struct pji_progress *progress, FILE *out);
/* A pji_run_env.event. */
void pji_progress_event(void *context, const struct pji_run_event *event);
/* Clears the redrawn line, so that a message can be printed. */
void pji_progress_clear(struct pji_progress *progress);

#endif
