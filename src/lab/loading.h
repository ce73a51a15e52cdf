/* lab/loading.h - what loading the model cost, in its own column, and how much serving it is worth.
 *
 * docs/metrics.md: load_j, load_break_even_requests.
 */
#ifndef PJI_LAB_LOADING_H
#define PJI_LAB_LOADING_H

#include "perjoule/energy.h"
#include "store/store.h"

/* load NULL: there is none, and why_none says why. window: the measured window's energy, of
 * `served` requests that succeeded. */
pj_status pji_loading_store(struct pji_store *store, int64_t attempt, const char *task,
                            const struct pj_energy *load, const char *why_none,
                            const struct pj_energy *window, double served, struct pj_error *err);

#endif
