/* meter/stream.h - trace v1 to a descriptor (file, pipe, socket) without ever holding up the
 * sampler and without losing a reading silently.
 *
 * A tick's lines leave with one write(2). A pipe or socket whose reader is slow is never blocked
 * on: what does not fit waits in a ring of bounded size; when that is full whole ticks are dropped,
 * counted, and said by an event line ("dropped": readings, from_ns, to_ns) as soon as there is
 * room. Regular files are written directly. The writer must have SIGPIPE blocked or ignored. One
 * thread. No allocation after open except for events.
 */
#ifndef PJI_METER_STREAM_H
#define PJI_METER_STREAM_H

#include "energy/trace.h"
#include "platform/platform.h"

struct pji_stream;

struct pji_stream_config {
    const struct pji_platform *platform; /* its clock; borrowed */
    int fd;                              /* borrowed */
    size_t burst;                        /* most readings of one tick (pji_meter_burst) */
    size_t ring_b;                       /* bytes that may wait; one tick's worth is always taken */
    int64_t
        patience_ns; /* how long header, events and footer wait for a reader that takes nothing */
};

pj_status pji_stream_open(struct pji_stream **out, const struct pji_stream_config *config,
                          struct pj_error *err);
void pji_stream_close(struct pji_stream *stream); /* NULL is allowed; writes nothing */

/* The following three give PJI_STREAM_CLOSED when the reader is gone (EPIPE): stop cleanly. */
enum { PJI_STREAM_CLOSED = 1 };
/* One or more whole lines that are not readings (header, events, footer): never dropped; waits up
 * to patience_ns for room (PJ_ETIMEOUT). */
pj_status pji_stream_put(struct pji_stream *stream, const char *lines, size_t len,
                         struct pj_error *err);
/* All readings of one tick, in order of time. */
pj_status pji_stream_readings(struct pji_stream *stream, const struct pji_reading *readings,
                              size_t n, struct pj_error *err);
/* Writes what waits as far as it goes without blocking. */
pj_status pji_stream_pump(struct pji_stream *stream, struct pj_error *err);

/* Descriptor to poll for POLLOUT, then pump; -1 while nothing waits. */
int pji_stream_poll_fd(const struct pji_stream *stream);
/* Waits at most patience_ns until everything is written: PJ_OK, PJ_ETIMEOUT or PJI_STREAM_CLOSED.
 */
pj_status pji_stream_drain(struct pji_stream *stream, struct pj_error *err);

/* pji_fnv1a of everything that was put so far: for the footer (energy/trace.h), after a drain. */
uint64_t pji_stream_hash(const struct pji_stream *stream);
uint64_t pji_stream_dropped(const struct pji_stream *stream); /* readings */

#endif
