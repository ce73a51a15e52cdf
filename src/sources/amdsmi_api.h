/* sources/amdsmi_api.h - the few functions of libamd_smi that we use, loaded at run time.
 *
 * Types and numbers follow AMD's public reference (AMD SMI C++ API, ROCm 6.0 to 7.14): functions
 * whose arguments changed between releases, and all structures, are left alone. The library is not
 * thread-safe before ROCm 7.2: one thread at a time.
 */
#ifndef PJI_SOURCES_AMDSMI_API_H
#define PJI_SOURCES_AMDSMI_API_H

#include "platform/platform.h"

typedef int pji_amdsmi_status;
typedef void *pji_amdsmi_handle;

enum { PJI_AMDSMI_GPUS = 64 };

struct pji_amdsmi_api {
    const struct pji_platform *platform;
    void *library;
    pji_amdsmi_status (*init)(uint64_t flags);
    pji_amdsmi_status (*shut_down)(void);
    pji_amdsmi_status (*sockets)(uint32_t *n, pji_amdsmi_handle *sockets);
    pji_amdsmi_status (*processors)(pji_amdsmi_handle socket, uint32_t *n,
                                    pji_amdsmi_handle *processors);
    pji_amdsmi_status (*type)(pji_amdsmi_handle processor, int *type);
    pji_amdsmi_status (*bdf)(pji_amdsmi_handle processor, uint64_t *bdf);
    pji_amdsmi_status (*energy)(pji_amdsmi_handle processor, uint64_t *count, float *count_uj,
                                uint64_t *device_ns);
};

struct pji_amdsmi_gpu {
    pji_amdsmi_handle handle;
    uint64_t bdf; /* domain << 32 | bus << 8 | device << 3: without function and partition */
};

/* 0, or why not: `why` gets a sentence and nothing stays loaded. */
int pji_amdsmi_open(struct pji_amdsmi_api *api, const struct pji_platform *platform, char *why,
                    size_t size);
void pji_amdsmi_close(struct pji_amdsmi_api *api);

/* The GPUs in the order of their bus addresses, each once however it is partitioned. */
size_t pji_amdsmi_gpus(const struct pji_amdsmi_api *api,
                       struct pji_amdsmi_gpu gpus[PJI_AMDSMI_GPUS]);

/* 0 and the energy since the driver was loaded, or a negative errno. */
int pji_amdsmi_energy(const struct pji_amdsmi_api *api, pji_amdsmi_handle gpu, double *count_uj,
                      int64_t *energy_uj);

#endif
