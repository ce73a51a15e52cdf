/* lab/split.h - the energy of a window split into its parts (lab/spans.h), pooled over all
 * requests, from the readings of one channel.
 *
 * A step of the sensor that lies within one part belongs to it whole. What a step holds of several
 * parts is shared between them by the time that each has in it and by the parts' mean powers, which
 * come from all steps of the window together: weighted least squares of the steps' energies on the
 * times of the parts in them. So steps may be longer than prefill, as long as they hold it in
 * different shares, and the parts add up to the window's energy. docs/uncertainty.md has the terms
 * of u; docs/metrics.md says when there is no split.
 */
#ifndef PJI_LAB_SPLIT_H
#define PJI_LAB_SPLIT_H

#include "energy/series.h"
#include "lab/spans.h"

/* parts[PREFILL], [DECODE] and [REST] (which includes OTHER); parts[OTHER] is missing, "in rest".
 * whole: the channel's energy in the window of the spans, which have a cut. A part that cannot be
 * told is missing with a reason. */
pj_status pji_split_series(const struct pji_series *series, const struct pj_energy *whole,
                           const struct pji_spans *spans, struct pj_energy parts[PJI_STAGES],
                           struct pj_error *err);

#endif
