/* lab/surroundings.h - what else the machine does while a window is open: a look just before it and
 * one just after (evidence/host.h), for the gates.
 */
#ifndef PJI_LAB_SURROUNDINGS_H
#define PJI_LAB_SURROUNDINGS_H

#include "evidence/host.h"

/* Zero-initialise. */
struct pji_surroundings {
    struct pji_platform platform;
    struct pji_host_state before;
    bool open;
};

/* Looks at the machine, or at the tree below root (may be NULL). What cannot be seen stays unknown:
 * a missing look is no reason to lose a trial. */
void pji_surroundings_begin(struct pji_surroundings *s, const char *root);
/* Looks again. `ours`: the engine is of our process's family; without it nobody can tell its CPU
 * time from a stranger's. */
void pji_surroundings_end(struct pji_surroundings *s, bool ours, struct pji_host_change *change);
void pji_surroundings_close(struct pji_surroundings *s);

#endif
