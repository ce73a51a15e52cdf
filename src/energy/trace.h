/* energy/trace.h - trace v1, the seam in the middle of the house: JSON Lines, one header, then
 * readings and events in order of time, then a footer. docs/formats/trace-v1.md is the schema.
 *
 *   {"type":"header","format":"perjoule-trace","version":1,"tool":…,"t_ns":…,"wall_ns":…,
 *    "interval_ns":…,"machine":{…},"schedule":{…},"instruments":[…],"channels":[…],"missing":[…]}
 *   {"t_ns":…,"r":[[channel,value],[channel,null,errno],…]}      readings of one time stamp;
 *                                        a fourth element 1: the channel is gone
 *   {"type":"event","t_ns":…,"name":…,…}
 *   {"type":"footer","t_ns":…,"samples":…,"late_ticks":…,"own_cpu_s":…,"lateness":{…},"digest":…}
 *
 * A trace without footer was cut off: readable, and `complete` is false. A torn last line is
 * tolerated and said (`torn`). A line that is not JSON anywhere else is PJ_ECORRUPT with
 * file:line. Reading is streaming with memory bounded by the longest line (at most 1 MiB).
 */
#ifndef PJI_ENERGY_TRACE_H
#define PJI_ENERGY_TRACE_H

#include "energy/lateness.h"
#include "energy/ledger.h"

#include <stdbool.h>
#include <stdio.h>

struct pji_trace_header {
    char tool[48];
    int64_t t_ns, wall_ns, interval_ns;
    struct pji_channel *channels;
    size_t n_channels;
    struct pji_missing *missing;
    size_t n_missing;
    json_t *machine;     /* object or NULL: host facts that the meter saw */
    json_t *schedule;    /* object or NULL: how often what was to be read */
    json_t *instruments; /* array or NULL: the sources, with what their probes found */
};

/* Whether a trace is as it was written: its footer has a digest of every byte before it. Traces
 * written before version 1 had one, and traces without a footer, have none. */
enum pji_trace_seal { PJI_SEAL_NONE, PJI_SEAL_INTACT, PJI_SEAL_BROKEN };

struct pji_trace_footer {
    int64_t t_ns;
    uint64_t samples;             /* ticks taken */
    uint64_t late_ticks;          /* ticks skipped because an earlier one ran late */
    double own_cpu_s;             /* CPU time of the meter's process */
    struct pji_lateness lateness; /* n 0: not recorded */
    enum pji_trace_seal seal;     /* writing: with PJI_SEAL_INTACT a digest is written */
    uint64_t hash; /* pji_fnv1a of all bytes before the footer's line; writing: give it */
};

void pji_trace_header_fini(struct pji_trace_header *header);

/* ---- writing: into a caller's buffer, no allocation for readings ---- */

/* Appends the header line (allocates; once, at start). */
pj_status pji_trace_put_header(struct pji_str *out, const struct pji_trace_header *header,
                               struct pj_error *err);
/* Formats the readings (all of one tick; equal t_ns are grouped) into buffer; returns the length, 0
 * when it does not fit. Not NUL-terminated. About 24 bytes for each reading and 32 for each time
 * stamp suffice: PJI_TRACE_READING_MAX for each reading always does. Allocates nothing. */
enum { PJI_TRACE_READING_MAX = 128 };
size_t pji_trace_format_readings(char *buffer, size_t size, const struct pji_reading *readings,
                                 size_t n);
pj_status pji_trace_put_event(struct pji_str *out, int64_t t_ns, const char *name, json_t *fields,
                              struct pj_error *err); /* takes fields (may be NULL) */
void pji_trace_put_footer(struct pji_str *out, const struct pji_trace_footer *footer);

/* ---- reading: feed bytes as they come from a pipe or a file ---- */

struct pji_trace_visitor {
    void *context;
    /* Each may be NULL; a negative return stops and is passed up. header is borrowed for the call.
     */
    pj_status (*header)(void *context, const struct pji_trace_header *header, struct pj_error *err);
    pj_status (*reading)(void *context, const struct pji_reading *reading, struct pj_error *err);
    pj_status (*event)(void *context, int64_t t_ns, const char *name, const json_t *fields,
                       struct pj_error *err);
    pj_status (*footer)(void *context, const struct pji_trace_footer *footer, struct pj_error *err);
};

struct pji_trace_reader;

pj_status pji_trace_reader_new(struct pji_trace_reader **out, const char *name,
                               const struct pji_trace_visitor *visitor, struct pj_error *err);
pj_status pji_trace_reader_feed(struct pji_trace_reader *reader, const void *bytes, size_t len,
                                struct pj_error *err);
/* End of input. *complete: a footer was seen; *torn: the last line was cut. Both may be NULL. */
pj_status pji_trace_reader_end(struct pji_trace_reader *reader, bool *complete, bool *torn,
                               struct pj_error *err);
void pji_trace_reader_free(struct pji_trace_reader *reader);

/* All of a trace file; complete and torn as above. */
pj_status pji_trace_visit(const char *path, const struct pji_trace_visitor *visitor, bool *complete,
                          bool *torn, struct pj_error *err);

/* ---- a whole trace in memory: series of every channel, for windows after the fact ---- */

struct pji_trace {
    struct pji_trace_header header; /* owned */
    struct pji_series *series;      /* one for each channel */
    struct pji_trace_footer footer;
    bool has_header, complete, torn;
    bool thin; /* set by the caller: keep only what windows between these edges need, and totals */
    const int64_t *edges_ns; /* thin: ascending, borrowed; also of no window at all */
    size_t n_edges;
    size_t *fold_at;      /* private: of each series, when it is folded next */
    int64_t max_gap_ns;   /* longest gap between ticks */
    int64_t last_tick_ns; /* private */
    bool ticked;          /* private */
};

/* An edge before all times: in pji_trace.edges_ns first, so that the first points are kept. */
#define PJI_TRACE_BEGINNING (-(INT64_C(1) << 61))

/* A visitor that builds a pji_trace (zero-initialised by the caller, who may set thin and edges:
 * then memory does not grow with the length of the trace). */
struct pji_trace_visitor pji_trace_builder(struct pji_trace *trace);
pj_status pji_trace_load(struct pji_trace *trace, const char *path, struct pj_error *err);
void pji_trace_fini(struct pji_trace *trace);

/* Energy of a window for every channel and for the cover. `energies` holds header.n_channels. */
void pji_trace_window(const struct pji_trace *trace, int64_t start_ns, int64_t end_ns,
                      bool measured_only, struct pj_energy *energies, bool *in_total,
                      struct pji_total *total);

#endif
