/* lab/forecast.h - what a plan will ask for: requests, tokens, time and disk, before anything runs.
 *
 * Nothing here is measured: `least_s` is what the study file's own phases take, `most_s` what its
 * limits allow, and `expected_s` is there only when the caller states a generation speed or every
 * load has a schedule. Disk is an upper estimate from the size of records; PJI_FORECAST_* are its
 * assumptions, printed beside it.
 */
#ifndef PJI_LAB_FORECAST_H
#define PJI_LAB_FORECAST_H

#include "lab/design.h"
#include "lab/workload.h"

enum {
    PJI_FORECAST_REQUEST_B =
        1024,                    /* of a request in the database and in its spool, without tokens */
    PJI_FORECAST_TOKEN_B = 40,   /* of an output token: its time and its text, in both */
    PJI_FORECAST_TICK_B = 300,   /* of a meter tick with some ten readings in the trace */
    PJI_FORECAST_TRIAL_B = 65536 /* of a trial: engine log, energies, metrics, facts */
};

struct pji_forecast {
    int64_t requests;    /* of the whole study, warm-up apart */
    int64_t tokens_most; /* output tokens, when every answer reaches max_tokens */
    double least_s;      /* phases alone */
    double most_s;       /* every trial runs into limits.trial, once, and stops slowly */
    double expected_s;   /* NaN: no speed was stated for a closed loop */
    double disk_b;       /* upper estimate; over expected_s, else over least_s */
};

/* tok_per_s: generation speed of one request alone, stated by the caller; 0: none. Requests in
 * flight together are taken to run at that speed each, which no machine exceeds for long. */
pj_status pji_forecast_make(struct pji_forecast *out, const struct pji_study *study,
                            const struct pji_plan *plan, const struct pji_workload *workload,
                            double tok_per_s, struct pj_error *err);

#endif
