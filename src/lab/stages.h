/* lab/stages.h - prefill, decode and rest of one measured window: every channel, their totals, and
 * the figures made of them; what each request's share of the window is (docs/metrics.md).
 */
#ifndef PJI_LAB_STAGES_H
#define PJI_LAB_STAGES_H

#include "lab/records.h"
#include "lab/slices.h"
#include "lab/spans.h"

struct pji_stages {
    struct pji_spans spans;
    struct pj_energy whole;    /* of the window */
    struct pj_energy measured; /* what instruments measured of it */
    bool modelled;             /* models add the rest */
    bool *in_total;
    struct pj_energy *energies[PJI_STAGES]; /* one for each channel */
    struct pji_total totals[PJI_STAGES];
    struct pji_slopes slopes; /* where requests overlap */
};

/* The window of `phase`, which has requests. Where there is no cut, spans.reason says why and the
 * totals are missing. data has a trace. Given to pji_stages_fini in every case. */
pj_status pji_stages_make(struct pji_stages *stages, const struct pji_trial_data *data,
                          const struct pji_phase_data *phase, struct pj_error *err);
void pji_stages_fini(struct pji_stages *stages);

/* prefill_j, decode_j, prefill_j_per_token, decode_j_per_token, split_requests, prefill_share,
 * decode_share; where models add to what was measured also prefill_j_per_token_measured and
 * decode_j_per_token_measured; where requests overlap also prefill_marginal_j_per_token,
 * decode_marginal_j_per_token, base_power_w and slices.
 */
pj_status pji_stages_store_metrics(const struct pji_stages *stages, struct pji_store *store,
                                   int64_t attempt, const char *task, struct pj_error *err);

/* The shares of the phase's requests (lab/shares.h); none where the window has no energy. */
pj_status pji_stages_store_shares(const struct pji_stages *stages, struct pji_store *store,
                                  int64_t attempt, const struct pji_trial_data *data,
                                  const struct pji_phase_data *phase, struct pj_error *err);

/* "prefill", "decode", "rest": phases of the store. */
const char *pji_stage_name(enum pji_stage part);

#endif
