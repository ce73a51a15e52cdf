/* sources/nvml_inventory.h - all GPUs that NVML knows, before any is chosen. */
#ifndef PJI_SOURCES_NVML_INVENTORY_H
#define PJI_SOURCES_NVML_INVENTORY_H

#include "sources/nvml_select.h"

struct pji_nvml_inventory {
    size_t n;
    struct pji_nvml_identity identities[PJI_NVML_GPUS];
    pji_nvml_device devices[PJI_NVML_GPUS];
    pji_nvml_return codes[PJI_NVML_GPUS]; /* why there is no handle */
};

void pji_nvml_inventory_take(const struct pji_nvml_api *api, struct pji_nvml_inventory *out);

#endif
