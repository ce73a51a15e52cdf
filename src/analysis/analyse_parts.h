/* analysis/analyse_parts.h - the two routes of an analysis (room-internal: analysis/analyse.h). */
#ifndef PJI_ANALYSIS_ANALYSE_PARTS_H
#define PJI_ANALYSIS_ANALYSE_PARTS_H

#include "analysis/analyse.h"
#include "analysis/built.h"

struct pji_route {
    const struct pji_table *table;
    const struct pji_analysis *request;
    struct pji_build_options options;
    bool *keep; /* rows of the table that may take part */
    json_t *out;
    json_t *omitted;
    json_t *findings;
    json_t *checks;
    size_t used, left_out;
    bool conclusive;
};

/* Is this group of results asked for? */
bool pji_route_wants(const struct pji_route *route, const char *group);
/* Is it asked for by name? (Not by "all".) */
bool pji_route_names(const struct pji_route *route, const char *group);
double pji_route_alpha(const struct pji_route *route);
/* Adds a sentence; forbidding: a conclusion is not possible. */
void pji_route_find(struct pji_route *route, bool forbidding, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Runs all findings on the rows of `frame`: `response` and `factor` are columns, random one or
 * PJI_NO_COLUMN. Of a correlation `factor` is x and, if any, the column of its groups. */
pj_status pji_route_examine(struct pji_route *route, const struct pji_frame *frame, size_t response,
                            const size_t *factor, size_t factors, size_t random,
                            struct pj_error *err);

pj_status pji_route_by(struct pji_route *route, struct pj_error *err);
pj_status pji_route_correlate(struct pji_route *route, struct pj_error *err);
pj_status pji_route_model(struct pji_route *route, struct pj_error *err);

/* PJ_EINVAL with the nearest name: `tests` ("a,b", NULL) names a group that there is not. */
pj_status pji_route_check_tests(const char *tests, struct pj_error *err);

/* Names of all groups, NULL-terminated. */
extern const char *const pji_route_groups[];

#endif
