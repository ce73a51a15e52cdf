/* conformance/machines.h - for each source a machine on which it finds something. A source without
 * one fails the suite: add a row to the table in machines.c.
 */
#ifndef CONFORMANCE_MACHINES_H
#define CONFORMANCE_MACHINES_H

#include "meter/source.h"
#include "scripted_platform.h"

struct machine {
    const char *source;
    bool real_clock;   /* its time passes by itself: advance sleeps */
    bool foreign_rows; /* its channels name other sources (a replayed trace) */
    /* Fills env; what it needs lives until close. false: not available here (said why). */
    bool (*open)(struct machine *machine, struct pji_source_env *env);
    /* state of one use */
    struct scripted *script;      /* NULL with a real platform */
    struct pji_platform platform; /* with real_clock */
    char path[64];                /* of a temporary file, "" without */
};

/* The machine of a source, closed; NULL when there is none. */
struct machine *machine_of(const char *source);
void machine_close(struct machine *machine);
void machine_advance(struct machine *machine, int64_t dur_ns);

#endif
