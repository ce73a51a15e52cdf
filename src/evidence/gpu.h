/* evidence/gpu.h - what happened to the GPUs while a window was open: two looks of the meter, one
 * just before and one just after, the throttle reasons that it sampled inside, and the difference.
 *
 * A look is the event "look" of a trace (docs/formats/trace-v1.md; sources/nvml_look.h says what is
 * read and how). What could not be read is unknown and named, never 0. Processes are told ours from
 * foreign by their pid, which the driver gives in the machine's first pid namespace: from inside
 * another one (a container) a pid means nothing here, unless one of them is ours and so shows that
 * the numbers are the same.
 */
#ifndef PJI_EVIDENCE_GPU_H
#define PJI_EVIDENCE_GPU_H

#include "core/json.h"
#include "energy/trace.h"
#include "evidence/host.h"

enum { PJI_GPUS = 16, PJI_GPU_PIDS = 128, PJI_GPU_USES = 128 };

/* Share of the time until then in which a kernel ran. */
struct pji_gpu_use {
    int64_t t_ns;
    double percent;
};

/* nvmlClocksThrottleReasons, "clocks event reasons" since NVML 12.2. */
enum {
    PJI_GPU_SW_POWER_CAP = 0x4,
    PJI_GPU_HW_SLOWDOWN = 0x8, /* heat or power brake, as the hardware reports it */
    PJI_GPU_SW_THERMAL = 0x20,
    PJI_GPU_HW_THERMAL = 0x40,
    PJI_GPU_HW_POWER_BRAKE = 0x80,
    PJI_GPU_THROTTLED =
        PJI_GPU_HW_SLOWDOWN | PJI_GPU_SW_THERMAL | PJI_GPU_HW_THERMAL | PJI_GPU_HW_POWER_BRAKE
};

/* -1: could not be read. */
struct pji_gpu_look {
    char gpu[24]; /* the domain: "gpu-0" */
    int64_t reasons, thermal_ns, power_ns;
    int64_t limit_mw, app_sm_mhz, app_mem_mhz;
    int64_t ecc_uncorrected, ecc_corrected, remapped;
    int64_t xid; /* the last critical error since the look before; 0: none */
    int32_t pids[PJI_GPU_PIDS];
    int n_pids;
    struct pji_gpu_use uses[PJI_GPU_USES]; /* the last ones, oldest first */
    int n_uses;
    char unread[200]; /* names of what could not be read, with the driver's words */
};

struct pji_gpu_looks {
    struct pji_gpu_look gpus[PJI_GPUS];
    size_t n;
};

/* Of the event's fields; what is not understood is unknown. */
void pji_gpu_looks_parse(struct pji_gpu_looks *looks, const json_t *event);

/* Growth and times: -1 unknown. */
struct pji_gpu_change {
    char gpu[24];
    uint64_t reasons;    /* seen at the looks or sampled inside the window, PJI_GPU_… */
    double capped_share; /* of the samples inside: held by the power limit; NaN: none was taken */
    int64_t thermal_ns, power_ns;
    int64_t limit_before_mw, limit_after_mw;
    int64_t app_sm_before_mhz, app_sm_after_mhz, app_mem_before_mhz, app_mem_after_mhz;
    int64_t ecc_uncorrected, ecc_corrected, remapped;
    int64_t xid;
    int64_t foreign_pid; /* 0: none was seen */
    char foreign_name[16];
    struct pji_gpu_use uses[PJI_GPU_USES]; /* until the second look */
    int n_uses;
    int ours, nobodys; /* processes: of our family; of whom nobody can tell */
    char unread[200];
};

/* own: as pji_host_compare; 0: nobody can tell whose the processes are. Fills changes[0 … n) with a
 * row for each GPU of both looks; returns n. */
size_t pji_gpu_compare(const struct pji_gpu_looks *before, const struct pji_host_state *host_before,
                       const struct pji_gpu_looks *after, const struct pji_host_state *host_after,
                       int64_t own, struct pji_gpu_change changes[PJI_GPUS]);
/* Adds what the meter sampled of the GPU's throttle reasons between the two times. */
void pji_gpu_sampled(struct pji_gpu_change *change, const struct pji_trace *trace, int64_t start_ns,
                     int64_t end_ns);

#endif
