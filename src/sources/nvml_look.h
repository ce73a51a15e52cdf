/* sources/nvml_look.h - the state of a GPU for whoever judges a measurement by it: limits, errors,
 * who uses it. Read just before and just after a measured window, never inside.
 *
 * What is read, and why (NVML API reference, docs.nvidia.com/deploy/nvml-api):
 *   reasons           why the clocks are not higher, now (nvmlClocksThrottleReasons)
 *   thermal_ns,       time for which heat or the power limit held the clocks down, since the driver
 *   power_ns          was loaded (nvmlDeviceGetViolationStatus): sees what is over by now
 *   limit_mw          enforced power limit
 *   app_sm_mhz, app_mem_mhz   application clocks. Locked clocks have no getter: what they do shows
 *                     in the channel sm-clock alone
 *   ecc_uncorrected, ecc_corrected   memory errors since the driver was loaded
 *   remapped          rows of memory that were replaced
 *   processes         pids with a compute context, as the driver counts them: its own namespace
 *   use               share of the time in which a kernel ran, the driver's own samples of the last
 *                     seconds: pairs of time and percent
 *   xids              critical errors since the look before (the first look begins to listen; an
 *                     event set with a wait of 0 ms needs no thread)
 * What cannot be read is absent and named in `unread`, with the driver's word for it.
 */
#ifndef PJI_SOURCES_NVML_LOOK_H
#define PJI_SOURCES_NVML_LOOK_H

#include "core/json.h"
#include "sources/nvml_gpu.h"

/* Zero-initialise. */
struct pji_nvml_watch {
    pji_nvml_events events; /* NULL: not listening */
    pji_nvml_return why;    /* … because of this, where `tried` */
    bool tried;
};

/* New object {"gpus": [{"gpu": "gpu-0", …}, …]}; NULL on lack of memory. */
json_t *pji_nvml_look(struct pji_nvml_watch *watch, const struct pji_nvml_api *api,
                      const struct pji_nvml_gpu *gpus, size_t n);
void pji_nvml_watch_close(struct pji_nvml_watch *watch, const struct pji_nvml_api *api);

#endif
