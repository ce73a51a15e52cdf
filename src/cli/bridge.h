/* cli/bridge.h - one run of `energibridge`: what it has open, and the rows that it writes. */
#ifndef PJI_CLI_BRIDGE_H
#define PJI_CLI_BRIDGE_H

#include "cli/bridge_energy.h"
#include "cli/bridge_host.h"
#include "platform/process.h"
#include "platform/signals.h"

enum { PJI_BRIDGE_SOURCES = 32 };

struct pji_bridge {
    struct pji_args args; /* with our own defaults */
    const struct pji_source_ops *sources[PJI_BRIDGE_SOURCES + 1];
    const char *separator;
    bool literal;
    struct pji_instruments instruments;
    struct pji_signals signals;
    struct pji_process child;
    struct pji_tally tally;
    struct pji_bridge_table table;
    struct pji_bridge_host host;
    struct pji_bridge_energy energy;
    int table_fd, child_fd, json_fd, trace_fd; /* -1: not wanted */
    struct pji_str text;
    int64_t row_t_ns, row_wall_ns;      /* of the row that waits; row_t_ns 0: none */
    int64_t start_ns, end_ns, limit_ns; /* limit_ns 0: none */
    bool interrupted, expired;
};

/* Opens everything that the options of `args` name; pji_bridge_close also after a failure. */
pj_status pji_bridge_open(struct pji_bridge *bridge, const struct pji_args *args,
                          struct pj_error *err);
void pji_bridge_close(struct pji_bridge *bridge);

/* Writes `text` and empties it; a failure is kept in the tally. */
void pji_bridge_write(struct pji_bridge *bridge, int fd);
void pji_bridge_write_header(struct pji_bridge *bridge);
/* Writes the row that waits, if any, and takes a new sample, which waits in its turn unless it is
 * the first or the last. */
enum pji_bridge_moment { PJI_BRIDGE_FIRST, PJI_BRIDGE_BETWEEN, PJI_BRIDGE_LAST };
void pji_bridge_row(struct pji_bridge *bridge, enum pji_bridge_moment moment);

#endif
