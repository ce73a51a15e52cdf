/* lab/slices.h - what a prompt token and a decoded token cost where several requests are in flight:
 * a regression of the energies of slices of the window on the tokens that were processed in them,
 * and on time for the base power. A model, not a measurement: docs/metrics.md says what it takes
 * for granted.
 *
 * Slices begin and end at readings of the slowest channel of the total. Prompt tokens are spread
 * evenly from the send, or the last first token of another request where that is later, to the
 * request's own first token (u holds what another place makes: only since the last token of any
 * request before that, because it had to wait); those of a chunk over the time since the chunk
 * before. Slices in which a request was in flight that does not tell this are left out.
 */
#ifndef PJI_LAB_SLICES_H
#define PJI_LAB_SLICES_H

#include "energy/trace.h"
#include "load/load.h"

enum pji_slope { PJI_SLOPE_BASE, PJI_SLOPE_PROMPT, PJI_SLOPE_DECODE, PJI_SLOPES };

struct pji_slopes {
    double value[PJI_SLOPES]; /* base power in W, J per prompt token, J per decoded token */
    double u_ind[PJI_SLOPES], u_com[PJI_SLOPES]; /* k = 1 */
    size_t slices;                               /* used */
    double slice_s;                              /* their mean length */
    double condition;                            /* NaN: not computed */
    char reason[PJ_REASON];                      /* why there are none; "": there are */
};

/* in_total and total: of the window [start_ns, end_ns]. */
pj_status pji_slopes_fit(struct pji_slopes *slopes, const struct pji_trace *trace,
                         const bool *in_total, const struct pj_energy *total,
                         const struct pji_load_result *load, int64_t start_ns, int64_t end_ns,
                         struct pj_error *err);

#endif
