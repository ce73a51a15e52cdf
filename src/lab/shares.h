/* lab/shares.h - what of a window's energy each request is given, by a rule and not by measurement:
 * the energy of every instant is shared equally among the requests in flight then, from the send to
 * the end of the answer, failed ones too; that of an instant with none in flight among all requests
 * of the window. So the shares add up to the window's energy. docs/metrics.md.
 */
#ifndef PJI_LAB_SHARES_H
#define PJI_LAB_SHARES_H

#include "energy/trace.h"
#include "load/load.h"

struct pji_share {
    double energy_j, u_ind_j, u_com_j; /* k = 1; u is that of the energy: a rule has no error */
    bool given;                        /* false: never sent, or not in the window */
};

/* in_total and total: of the window [start_ns, end_ns], which has an energy. shares: one for each
 * record of the load. */
pj_status pji_shares_make(struct pji_share *shares, const struct pji_trace *trace,
                          const bool *in_total, const struct pj_energy *total,
                          const struct pji_load_result *load, int64_t start_ns, int64_t end_ns,
                          struct pj_error *err);

#endif
