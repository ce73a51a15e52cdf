/* meter/meter.h - opens the sources of a table, samples them on a timer and hands ticks on.
 *
 * The sampler uses a timerfd on CLOCK_MONOTONIC; ticks that passed while it was late are skipped
 * and counted, never caught up. No allocation and no open() after pji_meter_open. One thread.
 */
#ifndef PJI_METER_METER_H
#define PJI_METER_METER_H

#include "energy/trace.h"
#include "meter/source.h"

struct pji_meter;

/* Borrowed until pji_meter_close: the platform, the log and the ops. The strings of env are
 * borrowed for the call of pji_meter_open only. env.interval_ns is set from interval_ns. */
struct pji_meter_config {
    struct pji_source_env env;
    const struct pji_source_ops *const *sources; /* NULL-terminated, in order of preference */
    int64_t interval_ns;                         /* > 0 */
    bool defer_slow;                             /* slow sources wait for pji_meter_start_slow */
    int64_t lane_wait_ns; /* how long an edge waits for a slow source; 0: 2 s. What comes later is
                             in a later read */
};

/* PJ_EINVAL names a source whose ops are incomplete: the table is checked before anything opens. */
pj_status pji_meter_open(struct pji_meter **out, const struct pji_meter_config *config,
                         struct pj_error *err);
void pji_meter_close(struct pji_meter *meter); /* NULL is allowed */

/* With defer_slow: opens the slow sources in the background (meter/opening.h), so that a vendor
 * library that takes its time to start does not stand between a command and its start; what lags by
 * more than that, or remembers the past, loses nothing by it. The descriptor is readable when they
 * are open; -1: there is nothing to wait for. Then, or at the end whatever the descriptor says,
 * pji_meter_adopt_slow waits up to lane_wait_ns and adds their channels behind the others; readings
 * borrowed before are gone. A library that does not answer in time becomes a missing row. */
pj_status pji_meter_start_slow(struct pji_meter *meter, struct pj_error *err);
int pji_meter_slow_fd(const struct pji_meter *meter);
pj_status pji_meter_adopt_slow(struct pji_meter *meter, struct pj_error *err);

const struct pji_channel_table *pji_meter_channels(const struct pji_meter *meter);

/* The most readings that one read can give: sizes the buffers of whoever takes them. */
size_t pji_meter_burst(const struct pji_meter *meter);

/* Reads every source now: for edges (baseline and last reading). The readings are borrowed until
 * the next call. */
pj_status pji_meter_read(struct pji_meter *meter, const struct pji_reading **readings, size_t *n,
                         struct pj_error *err);
/* The same, but leaves out sources whose min_period_ns has not passed since their last read: for
 * ticks. *n may be 0. */
pj_status pji_meter_sample(struct pji_meter *meter, const struct pji_reading **readings, size_t *n,
                           struct pj_error *err);

/* How long the machine was suspended between the last two reads (CLOCK_BOOTTIME advanced that much
 * more than CLOCK_MONOTONIC); 0: it was not. For pji_series_suspend and the event "suspend". */
int64_t pji_meter_suspended_ns(const struct pji_meter *meter);

/* Waits until the instruments that lag have published what happened before now (energy/clip.h), and
 * returns true; returns false at once when none lags. For the end of a window: read after it. */
bool pji_meter_settle(const struct pji_meter *meter);

/* Timer for the caller's poll loop: readable when a tick is due. */
int pji_meter_timer_fd(const struct pji_meter *meter);
pj_status pji_meter_timer_start(struct pji_meter *meter, struct pj_error *err);
/* Consumes the tick: 0 = take a sample now (pji_meter_sample), PJI_METER_NO_TICK = spurious. */
enum { PJI_METER_NO_TICK = 1 };
pj_status pji_meter_tick(struct pji_meter *meter, struct pj_error *err);

/* For the header of a trace; new references, NULL on lack of memory. The instruments: a list of
 * {name, about, channels, period_ns, own_thread, probe}. */
json_t *pji_meter_schedule(const struct pji_meter *meter);
json_t *pji_meter_describe(const struct pji_meter *meter);

/* What the sources say of the state of their devices now (source.h, look): a list of objects, each
 * with its "source"; empty where none has anything to say. NULL on lack of memory. For the event
 * "look" of a trace; may take some 10 ms, so not inside a measured window. */
json_t *pji_meter_look(struct pji_meter *meter);

struct pji_meter_stats {
    uint64_t samples, late_ticks, failed_reads, dropped;
    double own_cpu_s;
    struct pji_lateness lateness; /* of the ticks taken, against the timer's schedule */
};
void pji_meter_stats(const struct pji_meter *meter, struct pji_meter_stats *out);

#endif
