/* energy/trace_line.h - one line of a trace; private to energy/. */
#ifndef PJI_ENERGY_TRACE_LINE_H
#define PJI_ENERGY_TRACE_LINE_H

#include "energy/trace.h"

/* Where in the input we are, for messages. */
struct pji_trace_place {
    char *name;
    uint64_t line; /* 1-based */
};

pj_status pji_trace_corrupt(const struct pji_trace_place *place, struct pj_error *err,
                            const char *what);
pj_status pji_trace_time(const json_t *object, int64_t *t_ns, const struct pji_trace_place *place,
                         struct pj_error *err);
pj_status pji_trace_header_parse(struct pji_trace_header *header, const json_t *object,
                                 const struct pji_trace_place *place, struct pj_error *err);
pj_status pji_trace_footer_parse(struct pji_trace_footer *footer, const json_t *object,
                                 const struct pji_trace_place *place, struct pj_error *err);

/* What stands between the footer's other fields and its digest: the digest is of all bytes before.
 */
#define PJI_TRACE_DIGEST ",\"digest\":\"fnv1a64:"

/* Compares the footer's digest with the bytes: hash of the lines before, and the line itself. */
enum pji_trace_seal pji_trace_seal_check(uint64_t hash, const char *line, size_t len);

/* A line of readings in any spelling that JSON allows. */
pj_status pji_trace_readings_parse(const json_t *object, size_t n_channels,
                                   const struct pji_trace_visitor *visitor,
                                   const struct pji_trace_place *place, struct pj_error *err);

/* The same in exactly the spelling that pji_trace_format_readings writes, without allocation:
 * PJI_TRACE_NOT_SIMPLE for every other line, valid or not, before the visitor was called. */
enum { PJI_TRACE_NOT_SIMPLE = 1 };
pj_status pji_trace_readings_scan(const char *text, size_t len, size_t n_channels,
                                  const struct pji_trace_visitor *visitor,
                                  const struct pji_trace_place *place, struct pj_error *err);

#endif
