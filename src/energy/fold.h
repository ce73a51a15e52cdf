/* energy/fold.h - a series that goes on for days while windows come and go: which of its points are
 * still needed, and when does it know all about a moment?
 *
 * A window takes what it needs from the points around its two edges; what lies between enters by
 * differences of the cumulative curve and by its quality flags alone. So the points far from every
 * edge can go without changing any window by a bit.
 */
#ifndef PJI_ENERGY_FOLD_H
#define PJI_ENERGY_FOLD_H

#include "energy/series.h"

struct pji_fold {
    const int64_t *edges_ns; /* ascending: all edges of windows that may still be evaluated */
    size_t n_edges;
    int64_t after_ns; /* windows that begin later may have edges anywhere from here on */
};

/* Drops the points that no such window needs and hands their quality flags on to the next point.
 * Windows with other edges are wrong afterwards, and so is pji_series_mean. Allocates nothing. */
void pji_series_fold(struct pji_series *series, const struct pji_fold *fold);

/* Whether the readings so far settle the energy up to t_ns: later ones can narrow or widen u by
 * what they teach about the channel, but move the value only where an instrument is at fault.
 * A channel whose reads fail is waited for, but not longer than one second of readings. */
bool pji_series_settled(const struct pji_series *series, int64_t t_ns);
/* How long after t_ns a reading must be taken for that, at most. */
int64_t pji_series_settling_ns(const struct pji_channel *channel);

#endif
