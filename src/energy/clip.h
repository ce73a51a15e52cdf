/* energy/clip.h - cuts the readings of an instrument that lags to a window, as they come.
 *
 * A total runs from the first to the last reading of a series. That is a window's energy when both
 * were taken at its edges and describe that very moment. A lagging instrument (a power sample
 * buffer, a counter that publishes every 100 ms) describes the past by lag_ns, and its readings
 * have times of their own. A clip holds back what lies before the window, begins with a reading at
 * start + lag and ends with one at end + lag, which it makes from the two readings around it: a
 * gauge goes on with the value that held, a counter in proportion. Readings must therefore go on
 * until pji_settle_ns after the end.
 *
 * Channels without lag are not clipped: their readings at the edges are the edges, and what comes
 * after the first one at or after the end is not the window's. No allocation.
 */
#ifndef PJI_ENERGY_CLIP_H
#define PJI_ENERGY_CLIP_H

#include "energy/channel.h"

#include <stdbool.h>

struct pji_clip {
    bool on; /* this channel is clipped */
    bool gauge;
    bool begun, ended;
    bool has_last;
    int64_t from_ns, to_ns; /* the window on the channel's own time: plus lag */
    int64_t lag_ns;
    struct pji_reading last;
    double ends_u_uj; /* k=1, of the two readings that were made: for pji_series_doubt */
};

/* A window without edges yet: everything is held back. */
void pji_clip_init(struct pji_clip *clip, const struct pji_channel *channel);
void pji_clip_start(struct pji_clip *clip, int64_t start_ns);
void pji_clip_end(struct pji_clip *clip, int64_t end_ns);

/* What the series shall get for this reading: 0 to 2 readings in `out`, in order. */
size_t pji_clip_add(struct pji_clip *clip, const struct pji_reading *reading,
                    struct pji_reading out[2]);
/* No reading will come any more. Where the end was not reached: a failed reading there, so that the
 * rest is bridged and marked; 0 or 1 in `out`. */
size_t pji_clip_finish(struct pji_clip *clip, struct pji_reading *out);

/* How long after a window's end the last reading must be taken for these channels; 0 when none
 * lags. */
int64_t pji_settle_ns(const struct pji_channel *channels, size_t n);

#endif
