/* evidence/gpu_idle.h - whether a GPU that serves requests stood idle while they waited.
 *
 * Two witnesses. Power: samples near the idle level, which is the 5th percentile of what the GPU
 * drew outside the window; near is within a quarter of the way to the 95th percentile inside.
 * Decoding that is bound by memory draws less than prefill, but not that little. A GPU whose power
 * inside hardly exceeds its idle power serves nothing (the engine runs on the processors): nothing
 * is said of it. Utilisation: the share of time in which a kernel ran, by the driver's own samples
 * (1/6 s to 1 s each), read after the window; they reach back some 20 s.
 */
#ifndef PJI_EVIDENCE_GPU_IDLE_H
#define PJI_EVIDENCE_GPU_IDLE_H

#include "evidence/gpu.h"

struct pji_stretch {
    int64_t start_ns, end_ns;
};

struct pji_gpu_idle {
    char gpu[24];     /* the one that idled most */
    double dip_share; /* of the time in which requests waited; NaN: unknown */
    double use;       /* mean utilisation then; NaN: unknown */
};

/* waits: when at least one request waited, apart and in order. */
pj_status pji_gpu_idle_find(struct pji_gpu_idle *idle, const struct pji_trace *trace,
                            const struct pji_gpu_change *gpus, size_t n_gpus,
                            const struct pji_stretch *waits, size_t n_waits, int64_t start_ns,
                            int64_t end_ns, struct pj_error *err);

#endif
