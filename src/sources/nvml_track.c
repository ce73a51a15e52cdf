/* Readings from a power sample buffer: see nvml_track.h. */
#include "sources/nvml_track.h"

#include "core/array.h"
#include "core/units.h"

#include <errno.h>
#include <stdlib.h>

/* An offset that differs by less than this is noise of its estimate (the reader was interrupted
 * between two clock readings); a smaller step of the wall clock shifts samples by less. */
static const int64_t step_ns = PJI_NS_PER_MS;

int64_t pji_nvml_wall_offset(const struct pji_platform *platform)
{
    int64_t best_ns = INT64_MAX, offset_ns = 0;
    for (int i = 0; i < 3; i++) {
        int64_t before_ns = pji_now_ns(platform);
        int64_t wall_ns = pji_wall_ns(platform);
        int64_t after_ns = pji_now_ns(platform);
        if (after_ns - before_ns < best_ns) {
            best_ns = after_ns - before_ns;
            offset_ns = wall_ns - before_ns - best_ns / 2;
        }
    }
    return offset_ns;
}

int64_t pji_nvml_spacing(const struct pji_nvml_point *points, size_t n, int64_t *scratch)
{
    size_t steps = 0;
    for (size_t i = 1; i < n; i++)
        if (points[i].device_us > points[i - 1].device_us)
            scratch[steps++] = (int64_t)(points[i].device_us - points[i - 1].device_us);
    if (steps < 2)
        return 0;
    qsort(scratch, steps, sizeof *scratch, pji_i64_order);
    return scratch[steps / 2] * PJI_NS_PER_US;
}

static int64_t mapped(const struct pji_nvml_point *point, int64_t offset_ns)
{
    return (int64_t)point->device_us * PJI_NS_PER_US - offset_ns;
}

/* Index of the first point that was not passed on yet. */
static size_t first_new(const struct pji_nvml_track *track, const struct pji_nvml_point *points,
                        size_t n)
{
    if (!track->started)
        return 0;
    for (size_t i = n; i > 0; i--)
        if (points[i - 1].device_us == track->last_us &&
            points[i - 1].power_mw == track->last_power_mw)
            return i;
    return 0;
}

/* How badly a step of the wall clock just before point k fits: the distance of the two samples at
 * the step from the usual spacing; negative when it contradicts the order of time. */
static int64_t misfit(const struct pji_nvml_track *track, const struct pji_nvml_point *points,
                      size_t first, size_t n, size_t k, int64_t offset_ns, int64_t now_ns)
{
    int64_t before_ns = k > first ? mapped(&points[k - 1], track->offset_ns) : track->last_t_ns;
    if (before_ns < track->last_t_ns || before_ns > now_ns)
        return -1;
    if (k < n) {
        if (mapped(&points[k], offset_ns) <= before_ns ||
            mapped(&points[n - 1], offset_ns) > now_ns)
            return -1;
        return llabs(mapped(&points[k], offset_ns) - before_ns - track->spacing_ns);
    }
    int64_t age_ns = now_ns - before_ns;
    return age_ns > track->spacing_ns ? age_ns - track->spacing_ns : 0;
}

/* First point with the new offset; n when none has it yet. */
static size_t find_step(const struct pji_nvml_track *track, const struct pji_nvml_point *points,
                        size_t first, size_t n, int64_t offset_ns, int64_t now_ns)
{
    size_t best = first;
    int64_t best_ns = INT64_MAX;
    for (size_t k = first; k <= n; k++) {
        int64_t at_ns = misfit(track, points, first, n, k, offset_ns, now_ns);
        if (at_ns >= 0 && at_ns < best_ns) {
            best_ns = at_ns;
            best = k;
        }
    }
    return best;
}

static void put(struct pji_nvml_track *track, int64_t t_ns, enum pji_reading_status status,
                int64_t value, struct pji_reading_sink *sink)
{
    if (track->started && t_ns <= track->put_t_ns)
        t_ns = track->put_t_ns + 1;
    pji_reading_put(sink, track->channel, t_ns, status, value);
    track->put_t_ns = t_ns;
}

/* Marks the stretch after the last sample as unknown, once. */
static void mark_gap(struct pji_nvml_track *track, int sys_errno, struct pji_reading_sink *sink)
{
    if (!track->silent)
        put(track, track->last_t_ns + track->spacing_ns, PJI_READ_FAILED, sys_errno, sink);
    track->silent = true;
}

void pji_nvml_track_fail(struct pji_nvml_track *track, int sys_errno, int64_t now_ns,
                         struct pji_reading_sink *sink)
{
    if (track->started)
        mark_gap(track, sys_errno, sink);
    else
        pji_reading_put(sink, track->channel, now_ns, PJI_READ_FAILED, sys_errno);
}

static void pass_on(struct pji_nvml_track *track, const struct pji_nvml_point *point, int64_t t_ns,
                    struct pji_reading_sink *sink)
{
    bool sane = pji_nvml_power_sane(point->power_mw);
    int64_t begin_ns = track->last_t_ns;
    if (!track->started || t_ns - begin_ns > 3 * track->spacing_ns) {
        if (track->started)
            mark_gap(track, ENODATA, sink);
        begin_ns = t_ns - track->spacing_ns;
    }
    put(track, begin_ns + track->spacing_ns, sane ? PJI_READ_OK : PJI_READ_FAILED,
        sane ? point->power_mw : EBADMSG, sink);
    track->started = true;
    track->silent = false;
    track->last_us = point->device_us;
    track->last_power_mw = point->power_mw;
    track->last_t_ns = t_ns;
}

void pji_nvml_track_feed(struct pji_nvml_track *track, const struct pji_nvml_point *points,
                         size_t n, int64_t offset_ns, int64_t now_ns, size_t max,
                         struct pji_reading_sink *sink)
{
    size_t first = first_new(track, points, n), begin = sink->n;
    size_t step = first;
    if (track->started && llabs(offset_ns - track->offset_ns) >= step_ns)
        step = find_step(track, points, first, n, offset_ns, now_ns);
    size_t i = first;
    for (; i < n && sink->n - begin + 2 <= max; i++) {
        if (track->started && points[i].device_us == track->last_us)
            continue;
        int64_t t_ns = mapped(&points[i], i < step ? track->offset_ns : offset_ns);
        if (t_ns > now_ns)
            t_ns = now_ns;
        if (track->started && t_ns <= track->last_t_ns)
            t_ns = track->last_t_ns + 1;
        pass_on(track, &points[i], t_ns, sink);
    }
    if (i == n || !track->started)
        track->offset_ns = offset_ns;
    /* the driver may publish late; a real gap is also seen when the next sample comes */
    if (track->started && i == n && now_ns - track->last_t_ns > 10 * track->spacing_ns)
        mark_gap(track, ENODATA, sink);
}
