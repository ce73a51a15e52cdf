/* sources/nvml_track.h - from the driver's power sample buffer to readings: each sample once.
 *
 * The driver keeps the last ~120 power samples of a GPU (2.4 s at 50 Hz on an H200) and hands out
 * all of them, with wall-clock time stamps in microseconds, each time it is asked. A track
 * remembers the newest sample it passed on and finds it again in the next batch, by its time stamp:
 * equal values are different samples, and equal time stamps are one sample. Asking the driver for
 * "newer than" instead would lose everything after the wall clock was set back.
 *
 * A sample is the mean power over the stretch that ends at its time stamp, back to the sample
 * before it; that shows where the driver's spacing is irregular (11 to 35 ms on an H200): there the
 * energy of short bursts came out with a scatter of 1.6 J this way, of 4.4 J when each sample was
 * held until the next. Series hold a reading from its time until the next one's, less the lag. So a
 * reading is stamped with the time of the sample before it plus the usual spacing, which is the
 * channel's lag: for regular samples that is their own time stamp.
 *
 * Time: CLOCK_MONOTONIC = time stamp - offset, the offset (CLOCK_REALTIME - CLOCK_MONOTONIC) being
 * estimated at every read. Slewing (adjtime) moves both clocks alike; a step of the wall clock
 * shows as another offset, and the samples of that batch are divided where a step fits best: those
 * before it keep the old offset.
 *
 * A stretch without samples longer than three times the usual spacing (the reader was stalled for
 * longer than the buffer reaches back, or the sensor stopped) is marked with a failed reading, so
 * that it is bridged with its uncertainty, not held at the last value.
 */
#ifndef PJI_SOURCES_NVML_TRACK_H
#define PJI_SOURCES_NVML_TRACK_H

#include "meter/source.h"

struct pji_nvml_point {
    uint64_t device_us; /* wall-clock time stamp of the driver */
    int64_t power_mw;   /* negative: refused (a sentinel, or an unknown type) */
};

struct pji_nvml_track {
    int32_t channel;
    int64_t spacing_ns; /* usual distance of two samples, > 0 */
    bool started;
    bool silent;      /* a gap was marked at the end and not yet ended */
    uint64_t last_us; /* newest sample passed on */
    int64_t last_power_mw;
    int64_t last_t_ns; /* its time */
    int64_t put_t_ns;  /* time of the last reading */
    int64_t offset_ns; /* of the last read */
};

/* CLOCK_REALTIME - CLOCK_MONOTONIC, from the tightest of a few readings of both. */
int64_t pji_nvml_wall_offset(const struct pji_platform *platform);

/* Median distance of the points' time stamps, 0 when fewer than 3 differ. Sorts nothing it is
 * given; `scratch` has room for n. */
int64_t pji_nvml_spacing(const struct pji_nvml_point *points, size_t n, int64_t *scratch);

/* Passes the new points of a batch (oldest first, as the driver gives them) on to the sink, at most
 * `max` readings; what does not fit comes with the next read, as long as the buffer still has it.
 */
void pji_nvml_track_feed(struct pji_nvml_track *track, const struct pji_nvml_point *points,
                         size_t n, int64_t offset_ns, int64_t now_ns, size_t max,
                         struct pji_reading_sink *sink);

/* The buffer could not be read: marks the stretch after the last sample with the errno, once.
 * Nothing is lost when a later read still finds the samples. */
void pji_nvml_track_fail(struct pji_nvml_track *track, int sys_errno, int64_t now_ns,
                         struct pji_reading_sink *sink);

/* Values that no GPU draws: 0, and all ones in 32 bits or more. */
static inline bool pji_nvml_power_sane(int64_t power_mw)
{
    return power_mw > 0 && power_mw < INT64_C(0xFFFFFFFF);
}

#endif
