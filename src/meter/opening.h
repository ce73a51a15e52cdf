/* meter/opening.h - opens sources in a thread of their own, so that a vendor library that takes its
 * time to start (NVML: 10 ms and more) holds up nobody.
 *
 * The thread opens them one after the other into a channel table of its own; the caller waits for
 * the descriptor, or for as long as it likes, and then takes table and sources over. Until then it
 * touches neither. A library that never comes back keeps its thread: everything that the thread may
 * touch must then be left behind.
 */
#ifndef PJI_METER_OPENING_H
#define PJI_METER_OPENING_H

#include "meter/source.h"

struct pji_opening;

struct pji_opening_source {
    const struct pji_source_ops *ops;
    size_t tag;        /* the caller's */
    void *state;       /* state_size zeroed bytes, borrowed */
    size_t n_channels; /* out: that it added */
    bool open;         /* out: close it */
};

/* Starts opening. env is copied (its strings are borrowed), sources is copied. */
pj_status pji_opening_start(struct pji_opening **out, const struct pji_source_env *env,
                            const struct pji_opening_source *sources, size_t n,
                            struct pj_error *err);
/* Readable once all are open or one has failed. */
int pji_opening_fd(const struct pji_opening *opening);
/* 0 when it is over; PJI_OPENING_LATE after wait_ns; negative: the status with which a source's
 * open failed (those after it were not opened). */
enum { PJI_OPENING_LATE = 1 };
pj_status pji_opening_wait(struct pji_opening *opening, int64_t wait_ns, struct pj_error *err);

/* After it is over. */
const struct pji_channel_table *pji_opening_table(const struct pji_opening *opening);
const struct pji_opening_source *pji_opening_sources(const struct pji_opening *opening);

/* Only after it is over; NULL is allowed. The sources are the caller's to close. */
void pji_opening_free(struct pji_opening *opening);

#endif
