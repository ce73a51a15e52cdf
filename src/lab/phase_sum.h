/* lab/phase_sum.h - where the energy of a whole attempt went: every moment of it belongs to a named
 * phase or to `between`, and what they add up to is held against the attempt's total.
 *
 * The sum can only be right when no two phases overlap, each has an energy, and all windows were
 * cut from the same channels: the cumulative curve of a channel is read once at each edge, so that
 * what one window ends with the next begins with. A sum that is off by more than
 * 0.1 % fires the gate `phase_sum`.
 */
#ifndef PJI_LAB_PHASE_SUM_H
#define PJI_LAB_PHASE_SUM_H

#include "lab/records.h"

struct pji_phase_sum {
    struct pj_energy *between; /* one for each channel: over all moments of no phase */
    bool *in_total;
    struct pji_total total; /* of them */
    double off_share;       /* |phases + between - whole| / whole; NaN: not known */
    char reason[PJ_REASON]; /* why */
};

/* data must have a trace. Always to be given to pji_phase_sum_fini. */
pj_status pji_phase_sum_make(struct pji_phase_sum *sum, const struct pji_trial_data *data,
                             struct pj_error *err);
void pji_phase_sum_fini(struct pji_phase_sum *sum);

#endif
