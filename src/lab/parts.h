/* lab/parts.h - the parts of one measured window: ramp, steady part, drain (task key `window`).
 *
 * The drain is known, not estimated: it begins when nothing more will be sent. In a closed loop
 * that is the first end of a request after the last send (from then on fewer than `concurrency` are
 * in flight), in an open loop the last send itself. What lies before is cut into observations of
 * one sampling interval, and MSER-5 with batch means (stats/steady.h) finds where the ramp ends: in
 * the power of the total, and in the output that arrives. The later of the two counts; both have to
 * settle. Pure: records and a trace in, times out.
 */
#ifndef PJI_LAB_PARTS_H
#define PJI_LAB_PARTS_H

#include "energy/trace.h"
#include "load/load.h"

#include <stdbool.h>

enum pji_part { PJI_PART_RAMP, PJI_PART_STEADY, PJI_PART_DRAIN };

struct pji_parts {
    bool asked;           /* false: the whole task is the window */
    bool settled;         /* asked, and the steady part was found */
    int64_t steady_ns[2]; /* begin and end of the steady part */
    char detail[200];     /* asked and not settled: why, in figures */
};

struct pji_parts_input {
    const struct pji_load_result *load;
    bool open_loop;
    const struct pji_trace *trace; /* NULL: there is none */
    int64_t interval_ns;           /* between readings */
    int64_t start_ns, end_ns;      /* of the whole window */
};

pj_status pji_parts_find(struct pji_parts *parts, const struct pji_parts_input *in,
                         struct pj_error *err);

/* The part in which a request ended: a request belongs to that one. One that failed has no end and
 * belongs where it was sent. */
enum pji_part pji_parts_of(const struct pji_parts *parts, const struct pji_request_record *record);

/* Output tokens that arrived inside the steady part: of each request as large a share as of its
 * chunks. Adds to *uncounted the requests with chunks there whose tokens nobody told. */
double pji_parts_tokens(const struct pji_parts *parts, const struct pji_load_result *load,
                        uint64_t *uncounted);

#endif
