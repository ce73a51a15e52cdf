/* lab/surroundings.h - what else the machine does while a window is open: a look at it and at its
 * GPUs just before and one just after (evidence/host.h, evidence/gpu.h), for the gates. The GPUs
 * are looked at by the meter, which alone loads their libraries.
 */
#ifndef PJI_LAB_SURROUNDINGS_H
#define PJI_LAB_SURROUNDINGS_H

#include "evidence/threads.h"
#include "lab/metering.h"
#include "lab/pulse.h"

/* What happened between the looks; zeroed: nobody looked. Zero-initialise, and
 * pji_circumstances_fini. */
struct pji_circumstances {
    struct pji_host_change host;
    struct pji_gpu_change *gpus;
    size_t n_gpus;
    struct pji_busiest busiest;
    double stopped_share; /* of the window in which our process could not run; NaN: unknown */
};
void pji_circumstances_fini(struct pji_circumstances *circumstances);

/* Zero-initialise. */
struct pji_surroundings {
    struct pji_platform platform;
    struct pji_host_state before;
    struct pji_gpu_looks gpus;
    struct pji_threads threads;
    struct pji_pulse *pulse;
    bool open;
};

/* Looks at the machine, or at the tree below root (may be NULL). What cannot be seen stays unknown:
 * a missing look is no reason to lose a trial. */
void pji_surroundings_begin(struct pji_surroundings *s, const char *root,
                            struct pji_metering *metering);
/* Looks again. `ours`: the engine is of our process's family; without it nobody can tell its CPU
 * time from a stranger's. */
void pji_surroundings_end(struct pji_surroundings *s, struct pji_metering *metering, bool ours,
                          struct pji_circumstances *circumstances);
void pji_surroundings_close(struct pji_surroundings *s);

#endif
