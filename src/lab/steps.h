/* lab/steps.h - the readings of one channel in a window as steps: between two points of its curve,
 * and the two parts of steps at the window's edges.
 */
#ifndef PJI_LAB_STEPS_H
#define PJI_LAB_STEPS_H

#include "energy/series.h"

struct pji_steps {
    int64_t *t_ns;    /* n + 1 edges */
    double *energy_j; /* n, and `spare` more that are 0 */
    double *weight;   /* likewise: 1 / length, 1/s */
    size_t n;
};

/* Where the curve is not known at an edge, the energy of the whole window decides. */
pj_status pji_steps_make(struct pji_steps *steps, const struct pji_series *series, double whole_j,
                         int64_t start_ns, int64_t end_ns, size_t spare, struct pj_error *err);
void pji_steps_fini(struct pji_steps *steps);

/* Length of step k, s. */
/* A gauge that lags by more than the distance of its readings shows means over longer than that:
 * about how long; 0: it does not. What is shorter is mixed in its readings, which no delay undoes.
 */
int64_t pji_blur_ns(const struct pji_channel *channel);

double pji_step_s(const struct pji_steps *steps, size_t k);

/* First point after t_ns; n when there is none. */
size_t pji_point_after(const struct pji_series *series, int64_t t_ns);
/* The curve at t_ns, J; NaN outside the points. */
double pji_curve_j(const struct pji_series *series, int64_t t_ns);

#endif
