/* cli/progress.h - what a person sees of a running study: one line that is redrawn on a terminal,
 * plain lines elsewhere. Words go to stderr; stdout is data.
 */
#ifndef PJI_CLI_PROGRESS_H
#define PJI_CLI_PROGRESS_H

#include "lab/trial.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

enum { PJI_PROGRESS_HEAD = 400 };

struct pji_progress {
    FILE *out;
    bool terminal;
    int width;            /* of the terminal, columns */
    pthread_mutex_t lock; /* for what follows: the meter's thread tells the power */
    int64_t drawn_ns;     /* last redraw: at most five a second */
    bool line_open;       /* a redrawn line stands on the terminal */
    /* what the line says */
    char head[PJI_PROGRESS_HEAD]; /* bar, trial, treatment, phase */
    double power_w, energy_j;     /* NaN: unknown */
    double eta_s;                 /* as of eta_ns; NaN: unknown */
    int64_t eta_ns;
};

/* End with pji_progress_fini. */
void pji_progress_init(struct pji_progress *progress, FILE *out);
void pji_progress_fini(struct pji_progress *progress);
/* A pji_run_env.event. */
void pji_progress_event(void *context, const struct pji_run_event *event);
/* A pji_run_env.power. */
void pji_progress_power(void *context, double power_w);

#endif
