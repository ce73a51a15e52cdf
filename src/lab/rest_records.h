/* lab/rest_records.h - what an attempt says about the machine at rest, as records: temperatures at
 * its start, the reference that it took, and the power of its idle baselines.
 *
 * docs/metrics.md: start_temp_c, baseline_before_power_w, baseline_after_power_w.
 */
#ifndef PJI_LAB_REST_RECORDS_H
#define PJI_LAB_REST_RECORDS_H

#include "lab/records.h"

pj_status pji_rest_store(struct pji_store *store, int64_t attempt,
                         const struct pji_trial_data *data, struct pj_error *err);
/* The fact `rest.reference`, written at once: an attempt that is cut off has taken it too. */
pj_status pji_rest_store_reference(struct pji_store *store, int64_t attempt,
                                   const struct pji_rest_reference *reference,
                                   struct pj_error *err);
/* That of the study's earliest attempt that took one; reference->known false: there is none. */
pj_status pji_rest_load_reference(struct pji_store *store, struct pji_rest_reference *reference,
                                  struct pj_error *err);

/* What the gate start_temperature says; false: it does not fire. */
bool pji_rest_start_off(const struct pji_trial_data *data, char *text, size_t size);

#endif
