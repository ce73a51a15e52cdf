/* meter/inside.h - what the files of the sampler share; private to meter/. */
#ifndef PJI_METER_INSIDE_H
#define PJI_METER_INSIDE_H

#include "core/units.h"
#include "meter/lane.h"
#include "meter/meter.h"
#include "meter/opening.h"
#include "platform/clock.h"

#include <time.h>

struct pji_slot {
    const struct pji_source_ops *ops;
    void *state;
    bool open;
    bool lost; /* its thread did not come back: left behind */
    size_t n_channels;
    struct pji_lane *lane; /* of a slow source, else NULL */
    int64_t due_ns;        /* not sampled before: min_period_ns after the last read */
};

struct pji_meter {
    struct pji_source_env env;
    struct pji_channel_table table;
    struct pji_slot *slots;
    size_t n_slots;
    struct pji_opening *opening; /* of the slow sources, until they are adopted */
    struct pji_reading_sink sink;
    struct pji_meter_stats stats;
    int64_t interval_ns, lane_wait_ns;
    int64_t tick_ns;      /* of the timer: the interval, but lanes are emptied in time */
    int64_t ahead_ns;     /* BOOTTIME - MONOTONIC at the last read */
    int64_t suspended_ns; /* its growth since the read before */
    int64_t due_ns;       /* when the next tick is due, on the machine's own clock */
    int timer_fd;
};

/* CLOCK_MONOTONIC of the machine, also where the sources read a scripted platform: what timers and
 * condition variables wait on. */
static inline int64_t pji_real_now_ns(void)
{
    return pji_clock_ns(CLOCK_MONOTONIC);
}

static inline struct timespec pji_timespec(int64_t t_ns)
{
    return (struct timespec){.tv_sec = (time_t)(t_ns / PJI_NS_PER_S),
                             .tv_nsec = (long)(t_ns % PJI_NS_PER_S)};
}

/* Room for the largest burst of every source that is open. */
pj_status pji_meter_make_sink(struct pji_meter *meter, struct pj_error *err);
/* Gives an open slow source its lane; channel numbers of its own count from `base`. */
pj_status pji_slot_start_lane(struct pji_meter *meter, struct pji_slot *slot, int32_t base,
                              struct pj_error *err);
/* Waits for what is still opening; sources that do not come back are lost. */
void pji_meter_end_opening(struct pji_meter *meter);

#endif
