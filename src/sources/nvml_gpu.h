/* sources/nvml_gpu.h - one GPU behind NVML: what it offers, and its readings.
 *
 * Schedule. The sample buffer is read once a second and at window edges. The counter costs ten to
 * twenty times a read of the buffer (3.5 ms of CPU time on an H200), so its calls are rationed by
 * measured latency: all calls for a GPU together shall take 0.08 % of a core, so what buffer and
 * aux values leave of that is saved up for the counter (its credit; about a call in ten seconds on
 * an H200). Two calls are kept for the end of a run. An edge takes what credit there is: the
 * baseline and the last readings of a run always find some, the marks of windows in between, whose
 * energy is the buffer's, may find none. Where there is no buffer the counter has 1 % of a core, at
 * most twice a second, and every edge. Temperature, clock and throttle reasons are read with the
 * buffer, less often where they are slow. PowerUsage, where there is nothing better, at every read.
 * Between the times that something is due nobody is woken (pji_nvml_gpu_rest_ns).
 */
#ifndef PJI_SOURCES_NVML_GPU_H
#define PJI_SOURCES_NVML_GPU_H

#include "sources/nvml_known.h"
#include "sources/nvml_rows.h"
#include "sources/nvml_track.h"

struct pji_nvml_gpu {
    pji_nvml_device device;
    struct pji_nvml_identity identity;
    int32_t channel[PJI_NVML_ROWS]; /* -1: does not exist here */
    bool gone;
    struct pji_nvml_track track;
    struct pji_nvml_sample *samples; /* as the driver fills them */
    struct pji_nvml_point *points;
    unsigned int n_samples;   /* room in both */
    unsigned int number;      /* as nvidia-smi counts */
    int64_t known_refresh_ns; /* of the counter, by an earlier probe; 0: assumed */
    int64_t probed_cost_ns;   /* of the first call of the counter */
    int64_t counter_cost_ns, buffer_cost_ns, slow_cost_ns; /* smoothed latencies of the calls */
    int64_t credit_ns, credit_at_ns; /* time that the counter may take, and as of when */
    bool bracket;                    /* the next call of the counter is the one after an edge */
    int64_t buffer_due_ns, counter_due_ns, slow_due_ns;
};

/* known: what was once measured of this GPU, NULL: nothing; it takes the place of assumptions.
 *
 * Finds out in at most 50 ms, without changing anything on the device, which of the rows exist, and
 * adds them, or a missing row. gpu->device and identity are set by the caller. */
pj_status pji_nvml_gpu_open(struct pji_nvml_gpu *gpu, const struct pji_nvml_api *api,
                            unsigned int number, const struct pji_nvml_known *known,
                            struct pji_channel_table *table, struct pj_error *err);
void pji_nvml_gpu_close(struct pji_nvml_gpu *gpu);

/* Fetches the buffer into gpu->points[0 … *n); an empty buffer is a success. */
pji_nvml_return pji_nvml_gpu_fetch(struct pji_nvml_gpu *gpu, const struct pji_nvml_api *api,
                                   unsigned int *n);

/* Values that no counter has: 0, and all ones in 32 bits or more. */
static inline bool pji_nvml_energy_sane(unsigned long long energy_mj)
{
    return energy_mj != 0 && energy_mj != 0xFFFFFFFFull && energy_mj < INT64_MAX / 1000;
}

/* Reads what is due; everything that energy needs at an edge. offset_ns: pji_nvml_wall_offset. */
void pji_nvml_gpu_read(struct pji_nvml_gpu *gpu, const struct pji_nvml_api *api, int64_t offset_ns,
                       bool edge, struct pji_reading_sink *sink);

/* How long after now_ns nothing is due. */
int64_t pji_nvml_gpu_rest_ns(const struct pji_nvml_gpu *gpu, int64_t now_ns);

#endif
