/* cli/tally.h - takes the readings of a run: into a series for each channel, whose memory does not
 * grow, and into a trace when one is wanted.
 *
 * Nothing here stops a run: the first failure is kept in `trouble`, for the end to tell. The trace
 * is an extra: when it cannot be written any more, measuring goes on without it.
 */
#ifndef PJI_CLI_TALLY_H
#define PJI_CLI_TALLY_H

#include "cli/instruments.h"
#include "cli/run_series.h"
#include "meter/stream.h"

struct pji_tally {
    struct pji_instruments *instruments; /* borrowed */
    struct pji_run_series run;
    struct pji_reading *latest; /* of each channel, as it came; t_ns 0: none yet */
    size_t cap_latest;
    struct pji_stream *stream; /* NULL: no trace, or it failed */
    struct pj_error trouble;
};

/* trace_fd: -1 for none; borrowed. The trace's header is written. Zero-initialise; fini also after
 * a failure. */
pj_status pji_tally_init(struct pji_tally *tally, struct pji_instruments *instruments, int trace_fd,
                         struct pj_error *err);
void pji_tally_fini(struct pji_tally *tally);

/* When the run began and ended: lagging instruments are cut there, and the trace says it. The last
 * sample is taken after pji_meter_settle. */
void pji_tally_start(struct pji_tally *tally, int64_t start_ns);
void pji_tally_end(struct pji_tally *tally, int64_t end_ns);
/* The meter has adopted its slow sources. Only without a trace, whose header names all channels. */
void pji_tally_extend(struct pji_tally *tally);
/* Takes a sample (edge: from every instrument, now). */
void pji_tally_take(struct pji_tally *tally, bool edge);
/* Descriptor to poll for POLLOUT, then pump; -1: nothing waits. */
int pji_tally_poll_fd(const struct pji_tally *tally);
void pji_tally_pump(struct pji_tally *tally);
/* No sample comes any more. Writes the trace's footer and what still waits. */
void pji_tally_finish(struct pji_tally *tally);
/* Keeps err unless a failure is kept already. */
void pji_tally_trouble(struct pji_tally *tally, const struct pj_error *err);

#endif
