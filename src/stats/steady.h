/* stats/steady.h - where a series of observations at equal distances becomes steady, and whether it
 * ever does.
 *
 * The ramp is cut by MSER-5 (K. P. White Jr. 1997, An effective truncation heuristic for bias
 * reduction in simulation output, Simulation 69:323-334; White, Cobb and Spratt 2000, A comparison
 * of five steady-state truncation heuristics for simulation, Winter Simulation Conference): five
 * observations make one batch, and of the batches y_d+1 … y_b those stay for which
 *
 *     MSER(d) = sum over j > d of (y_j - mean of y_d+1 … y_b)^2 / (b - d)^2
 *
 * is least. At least a third of the batches stay in every candidate, because the statistic of a
 * few batches is small by chance. A least value in the second half of the series says that the
 * series is too short or never settles (White's own rule).
 *
 * What stays is held against the method of batch means with von Neumann's ratio (J. von Neumann
 * 1941, Ann. Math. Stat. 12:367-395; G. S. Fishman 1978, Grouping observations in digital
 * simulation, Management Science 24:510-521): of k batch means,
 *
 *     z = (1 - sum (m_i+1 - m_i)^2 / (2 sum (m_i - mean)^2)) * sqrt((k^2 - 1) / (k - 2))
 *
 * is close to standard normal when they are uncorrelated at lag 1. The series is not steady when z
 * exceeds the 99.5 % point with 10 batches (a drift), or the 99.9 % point with 20 (a wave of which
 * a few fit into the window). Quicker waves average out over a window and are no reason to refuse
 * it.
 *
 * Pure functions on arrays.
 */
#ifndef PJI_STATS_STEADY_H
#define PJI_STATS_STEADY_H

#include "perjoule/status.h"

#include <stddef.h>

enum {
    PJI_STEADY_BATCH = 5,  /* observations of one batch of MSER-5 */
    PJI_STEADY_LEAST = 200 /* observations below which nothing is said */
};

enum pji_steady_verdict {
    PJI_STEADY_FOUND,
    PJI_STEADY_SHORT,     /* fewer than PJI_STEADY_LEAST observations */
    PJI_STEADY_RAMPING,   /* MSER-5 would cut more than half */
    PJI_STEADY_CORRELATED /* the batch means of what stays follow one another */
};

struct pji_steady {
    enum pji_steady_verdict verdict;
    size_t cut;      /* observations of the ramp: a multiple of PJI_STEADY_BATCH */
    double z20, z10; /* von Neumann's ratio of 20 and of 10 batches, standardised */
};

/* PJ_EINVAL: a number is not finite. PJ_ENOMEM. */
pj_status pji_steady_find(struct pji_steady *out, const double *x, size_t n, struct pj_error *err);

/* Standard error of the mean of x from k batch means (what does not fill a batch is left out at the
 * front). NaN when n < 2 k or k < 2. Fishman 1978, as above. */
double pji_batch_means_u(const double *x, size_t n, size_t k);

/* Von Neumann's ratio of k batch means, standardised as above; 0 for a constant series. */
double pji_batch_means_z(const double *x, size_t n, size_t k);

#endif
