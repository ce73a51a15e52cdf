/* lab/cores.h - processors of their own for the client and for the server that it measures.
 *
 * Where this process may use at least four cores, one of them is the client's and the others the
 * server's; threads of one core (SMT) stay together. The meter stays where it is (metering.h). With
 * fewer cores client and server share them, and the gate shared_cores says so.
 */
#ifndef PJI_LAB_CORES_H
#define PJI_LAB_CORES_H

#include "platform/platform.h"

#include <sched.h>
#include <stdbool.h>

enum { PJI_CORES_TEXT = 256 };

/* Zero-initialise. */
struct pji_cores {
    bool split;
    char client[PJI_CORES_TEXT], server[PJI_CORES_TEXT]; /* lists such as "0,2-3"; "" not split */
    cpu_set_t before, client_set;                        /* of the calling thread */
    bool bound;
};

/* Divides the processors of the calling thread; changes nothing. */
void pji_cores_divide(struct pji_cores *cores, const struct pji_platform *platform);
/* The calling thread and those it starts use the client's core; and what they did before again. */
void pji_cores_bind(struct pji_cores *cores);
void pji_cores_release(struct pji_cores *cores);

#endif
