/* See nvml_inventory.h. */
#include "sources/nvml_inventory.h"

#include <stdio.h>

static void identify(const struct pji_nvml_api *api, pji_nvml_device device,
                     struct pji_nvml_identity *out)
{
    struct pji_nvml_pci pci = {.domain = 0};
    unsigned int now = 0, pending = 0;
    *out = (struct pji_nvml_identity){0};
    if (!api->uuid || api->uuid(device, out->uuid, sizeof out->uuid) != PJI_NVML_SUCCESS)
        out->uuid[0] = '\0';
    if (!api->name || api->name(device, out->name, sizeof out->name) != PJI_NVML_SUCCESS)
        (void)snprintf(out->name, sizeof out->name, "NVIDIA GPU");
    if (api->pci && api->pci(device, &pci) == PJI_NVML_SUCCESS) {
        out->domain = pci.domain;
        out->bus = pci.bus;
        out->device = pci.device;
        (void)snprintf(out->pci, sizeof out->pci, "%08x:%02x:%02x.0", pci.domain, pci.bus & 0xFFu,
                       pci.device & 0xFFu);
    }
    out->uuid[sizeof out->uuid - 1] = out->name[sizeof out->name - 1] = '\0';
    out->mig = api->mig_mode && api->mig_mode(device, &now, &pending) == PJI_NVML_SUCCESS && now;
}

void pji_nvml_inventory_take(const struct pji_nvml_api *api, struct pji_nvml_inventory *out)
{
    unsigned int n = 0;
    if (api->count(&n) != PJI_NVML_SUCCESS)
        n = 0;
    out->n = n < PJI_NVML_GPUS ? n : PJI_NVML_GPUS;
    for (unsigned int i = 0; i < out->n; i++) {
        out->codes[i] = api->handle(i, &out->devices[i]);
        if (out->codes[i] == PJI_NVML_SUCCESS)
            identify(api, out->devices[i], &out->identities[i]);
    }
}
