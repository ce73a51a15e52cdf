/* lab/client.h - what the gates want to know of the client of one measured phase, from the records
 * of its requests and from what was seen of its surroundings.
 */
#ifndef PJI_LAB_CLIENT_H
#define PJI_LAB_CLIENT_H

#include "lab/latency.h"
#include "lab/records.h"

/* Borrows the lags of `latency`. */
pj_status pji_client_of(struct pji_client_state *client, const struct pji_phase_data *phase,
                        const struct pji_trial_data *data, const struct pji_latency *latency,
                        struct pj_error *err);

#endif
