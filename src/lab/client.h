/* lab/client.h - what the gates want to know of the client of one measured phase, from the records
 * of its requests and from what was seen of its surroundings.
 */
#ifndef PJI_LAB_CLIENT_H
#define PJI_LAB_CLIENT_H

#include "lab/latency.h"
#include "lab/records.h"

/* The client's lags are those of `latency`, or `lags` (empty before; the caller frees its values).
 */
pj_status pji_client_of(struct pji_client_state *client, struct pji_sample *lags,
                        const struct pji_phase_data *phase, const struct pji_trial_data *data,
                        const struct pji_latency *latency, struct pj_error *err);

#endif
