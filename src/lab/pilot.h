/* lab/pilot.h - what a study that was run already says about the next one: how long a trial takes,
 * what it uses, how much trials of one cell scatter.
 *
 * Only trials that are done count. Scatter is the coefficient of variation of a task's energy_j
 * within cells, pooled over the cells with two trials or more: the root of the mean of the squared
 * coefficients, weighted by their degrees of freedom.
 */
#ifndef PJI_LAB_PILOT_H
#define PJI_LAB_PILOT_H

#include "lab/design.h"
#include "store/store.h"

struct pji_pilot_cell {
    char *key;                              /* levels, each followed by a unit separator */
    double trials, dur_s, energy_j, size_b; /* sums over its trials */
    double metered;                         /* trials whose energy is known */
};

struct pji_pilot_scatter {
    char *task;
    double cv, df; /* cv NaN: no cell with two trials */
};

struct pji_pilot {
    char **factors;
    size_t n_factors, cap_factors;
    struct pji_pilot_cell *cells; /* sorted by key */
    size_t n, cap;
    struct pji_pilot_scatter *scatter;
    size_t n_scatter, cap_scatter;
    struct pji_pilot_cell all; /* sums over everything */
    double database_b;         /* its records, beside the artefacts of its trials */
    bool steady;               /* it measured the steady part of its tasks */
};

/* PJ_EINVAL: no trial is done. */
pj_status pji_pilot_read(struct pji_pilot *pilot, struct pji_store *store, struct pj_error *err);
void pji_pilot_fini(struct pji_pilot *pilot);

/* PJ_EINVAL from pji_pilot_estimate: the pilot's figures are over another kind of window. */
struct pji_pilot_estimate {
    double dur_s, energy_j, disk_b; /* energy NaN: the pilot had none */
    size_t matched; /* cells of the plan that the pilot had too; the others get its mean trial */
};
pj_status pji_pilot_estimate(const struct pji_pilot *pilot, const struct pji_study *study,
                             const struct pji_plan *plan, struct pji_pilot_estimate *out,
                             struct pj_error *err);

#endif
