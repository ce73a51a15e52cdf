/* lab/parts_records.h - what is said of the parts of a window that are not measured (lab/parts.h),
 * as records. docs/metrics.md: ramp_energy_j, ramp_dur_s, ramp_requests, and those of the drain.
 */
#ifndef PJI_LAB_PARTS_RECORDS_H
#define PJI_LAB_PARTS_RECORDS_H

#include "lab/parts.h"
#include "store/store.h"

/* The phase row of the ramp or the drain of a window [start_ns, end_ns]. */
struct pji_phase_row pji_parts_edge(const struct pji_parts *parts, enum pji_part part,
                                    const char *task, int64_t start_ns, int64_t end_ns);
/* That row and its figures; energy is missing where the part is empty. */
pj_status pji_parts_store_edge(struct pji_store *store, int64_t attempt,
                               const struct pji_parts *parts, enum pji_part part,
                               const struct pji_load_result *load, const struct pji_phase_row *row,
                               const struct pj_energy *energy, struct pj_error *err);
/* A task that never settles has no window, so none of the figures of one. */
pj_status pji_parts_store_unsettled(struct pji_store *store, int64_t attempt, const char *task,
                                    struct pj_error *err);

#endif
