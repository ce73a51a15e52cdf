/* lab/observe.h - a window of a trace as a series: the energy of its total in equal steps, for what
 * looks at how power moves (lab/parts.h) or scatters (idle baselines).
 */
#ifndef PJI_LAB_OBSERVE_H
#define PJI_LAB_OBSERVE_H

#include "energy/trace.h"

/* values[i], J, of n steps from start_ns on. PJI_UNOBSERVED: the total is not known at every step.
 */
enum { PJI_UNOBSERVED = 1 };
pj_status pji_observe_energy(const struct pji_trace *trace, int64_t start_ns, int64_t step_ns,
                             size_t n, double *values, struct pj_error *err);

#endif
