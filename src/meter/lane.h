/* meter/lane.h - a thread of its own for a source whose reads are slow, so that a vendor library
 * that takes 25 ms delays nobody else.
 *
 * The lane calls the source's read on its own schedule and puts the readings into a preallocated
 * ring; the sampler takes them from there, without waiting. One thread produces (the lane's), one
 * consumes (the sampler's); the source's read is called by the lane's thread alone. At an edge the
 * sampler asks for a fresh read, goes on with its fast sources, and then waits for the answer as
 * long as it is willing to.
 *
 * After pji_lane_open no memory is taken. Waiting is on CLOCK_MONOTONIC of the machine, also where
 * the source reads a scripted platform.
 */
#ifndef PJI_METER_LANE_H
#define PJI_METER_LANE_H

#include "meter/source.h"

struct pji_lane;

/* ops and state (open, with n_channels > 0 channels) are borrowed until pji_lane_close. The numbers
 * of the source's channels are raised by `base`. period_ns: time between two reads of the schedule,
 * > 0. The ring holds four of the source's largest reads.
 */
pj_status pji_lane_open(struct pji_lane **out, const struct pji_source_ops *ops, void *state,
                        size_t n_channels, int32_t base, int64_t period_ns, struct pj_error *err);

/* Asks for a read that begins after this call (sink->edge is set for it). Does not wait. */
void pji_lane_ask(struct pji_lane *lane);
/* Waits until the read that was asked for last is done. 0, or PJI_LANE_LATE after wait_ns: the
 * readings come with a later take. */
enum { PJI_LANE_LATE = 1 };
pj_status pji_lane_wait(struct pji_lane *lane, int64_t wait_ns);

/* Moves readings from the ring to the sink, oldest first, as many as have room; the rest stays.
 * sink->dropped grows by what the ring had to drop. Negative: the status with which the source's
 * read failed, once; the lane has stopped reading. */
pj_status pji_lane_take(struct pji_lane *lane, struct pji_reading_sink *sink, struct pj_error *err);

/* Ends the thread. 0: the source may be closed. PJI_LANE_LATE: a call into the library did not
 * return within wait_ns; the thread is left behind and source, state and lane must be too. */
pj_status pji_lane_close(struct pji_lane *lane, int64_t wait_ns);

#endif
