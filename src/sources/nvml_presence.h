/* sources/nvml_presence.h - is there an NVIDIA GPU here at all, and what keeps us from it?
 *
 * A machine without one gets no row. Evidence, strongest first: the driver's /proc/driver/nvidia,
 * its device nodes, a display controller (class 0x03) of vendor 0x10de on the PCI bus.
 */
#ifndef PJI_SOURCES_NVML_PRESENCE_H
#define PJI_SOURCES_NVML_PRESENCE_H

#include "meter/source.h"
#include "sources/nvml_api.h"

struct pji_nvml_presence {
    bool driver; /* the kernel module is loaded */
    bool node;   /* /dev/nvidiactl or /dev/nvidia0 exists */
    bool pci;    /* a GPU on the bus */
};

void pji_nvml_presence(const struct pji_platform *platform, struct pji_nvml_presence *out);

static inline bool pji_nvml_present(const struct pji_nvml_presence *presence)
{
    return presence->driver || presence->node || presence->pci;
}

/* Adds the missing row of a library that could not be loaded (why: the loader's sentence), or whose
 * init returned `code`. Adds nothing where there is no GPU. */
pj_status pji_nvml_miss_library(const struct pji_nvml_presence *presence, const char *why,
                                struct pji_channel_table *table, struct pj_error *err);
pj_status pji_nvml_miss_init(const struct pji_nvml_presence *presence,
                             const struct pji_nvml_api *api, pji_nvml_return code,
                             struct pji_channel_table *table, struct pj_error *err);

#endif
