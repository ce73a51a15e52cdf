/* See amdsmi_api.h. */
#include "sources/amdsmi_api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, NOT_SUPPORTED = 2, TIMEOUT = 8, NO_PERM = 10, BUSY = 30, NOT_FOUND = 31 };
enum { NOT_INIT = 32, DRIVER_NOT_LOADED = 34, NO_DATA = 40 };
enum { INIT_GPUS = 1 << 1, TYPE_GPU = 1, SOCKETS = 64, PROCESSORS = 64 };

static const char *const names[] = {"libamd_smi.so", "libamd_smi.so.26", "libamd_smi.so.25",
                                    "libamd_smi.so.24", "/opt/rocm/lib/libamd_smi.so"};

static bool bind(const struct pji_amdsmi_api *api, const char *symbol, void *function, size_t size)
{
    void *address = api->platform->ops->lib_symbol(api->platform->context, api->library, symbol);

    memcpy(function, &address, size); /* an object pointer as a function pointer: dlsym(3) */
    return address != NULL;
}

static bool bind_all(struct pji_amdsmi_api *api)
{
    return bind(api, "amdsmi_init", &api->init, sizeof api->init) &&
           bind(api, "amdsmi_shut_down", &api->shut_down, sizeof api->shut_down) &&
           bind(api, "amdsmi_get_socket_handles", &api->sockets, sizeof api->sockets) &&
           bind(api, "amdsmi_get_processor_handles", &api->processors, sizeof api->processors) &&
           bind(api, "amdsmi_get_processor_type", &api->type, sizeof api->type) &&
           bind(api, "amdsmi_get_gpu_bdf_id", &api->bdf, sizeof api->bdf) &&
           bind(api, "amdsmi_get_energy_count", &api->energy, sizeof api->energy);
}

static void unload(struct pji_amdsmi_api *api)
{
    if (api->library)
        api->platform->ops->lib_close(api->platform->context, api->library);
    api->library = NULL;
}

int pji_amdsmi_open(struct pji_amdsmi_api *api, const struct pji_platform *platform, char *why,
                    size_t size)
{
    pji_amdsmi_status status;

    *api = (struct pji_amdsmi_api){.platform = platform};
    for (size_t i = 0; i < sizeof names / sizeof names[0] && !api->library; i++)
        api->library = platform->ops->lib_open(platform->context, names[i], why, size);
    if (!api->library) {
        (void)snprintf(why, size, "libamd_smi.so, a part of ROCm, cannot be loaded");
        return -ENOENT;
    }
    if (!bind_all(api)) {
        unload(api);
        (void)snprintf(why, size, "libamd_smi.so lacks a function: it is older than ROCm 6.0");
        return -ENOSYS;
    }
    status = api->init(INIT_GPUS);
    if (status != SUCCESS) {
        unload(api);
        (void)snprintf(why, size, "amdsmi_init failed with status %d%s", status,
                       status == DRIVER_NOT_LOADED || status == NOT_INIT
                           ? ": the driver amdgpu is not loaded"
                           : "");
        return -EIO;
    }
    return 0;
}

void pji_amdsmi_close(struct pji_amdsmi_api *api)
{
    if (api->library)
        (void)api->shut_down();
    unload(api);
}

static int compare(const void *a, const void *b)
{
    const struct pji_amdsmi_gpu *x = a, *y = b;

    return x->bdf < y->bdf ? -1 : x->bdf > y->bdf;
}

static void add_gpu(const struct pji_amdsmi_api *api, pji_amdsmi_handle handle,
                    struct pji_amdsmi_gpu *gpus, size_t *n)
{
    struct pji_amdsmi_gpu gpu = {.handle = handle};
    int type = 0;

    if (api->type(handle, &type) != SUCCESS || type != TYPE_GPU ||
        api->bdf(handle, &gpu.bdf) != SUCCESS)
        return;
    gpu.bdf &= UINT64_C(0xffffffff0000fff8);
    for (size_t i = 0; i < *n; i++) {
        if (gpus[i].bdf == gpu.bdf)
            return;
    }
    if (*n < PJI_AMDSMI_GPUS)
        gpus[(*n)++] = gpu;
}

size_t pji_amdsmi_gpus(const struct pji_amdsmi_api *api,
                       struct pji_amdsmi_gpu gpus[PJI_AMDSMI_GPUS])
{
    pji_amdsmi_handle sockets[SOCKETS], processors[PROCESSORS];
    uint32_t n_sockets = SOCKETS;
    size_t n = 0;

    if (api->sockets(&n_sockets, sockets) != SUCCESS)
        return 0;
    for (uint32_t i = 0; i < n_sockets && i < SOCKETS; i++) {
        uint32_t n_processors = PROCESSORS;

        if (api->processors(sockets[i], &n_processors, processors) != SUCCESS)
            continue;
        for (uint32_t k = 0; k < n_processors && k < PROCESSORS; k++)
            add_gpu(api, processors[k], gpus, &n);
    }
    if (n > 1)
        qsort(gpus, n, sizeof *gpus, compare);
    return n;
}

static int errno_of(pji_amdsmi_status status)
{
    switch (status) {
    case NOT_SUPPORTED:
        return EOPNOTSUPP;
    case TIMEOUT:
        return ETIMEDOUT;
    case NO_PERM:
        return EACCES;
    case BUSY:
        return EBUSY;
    case NO_DATA:
        return ENODATA;
    case NOT_FOUND:
    case DRIVER_NOT_LOADED:
        return ENODEV;
    default:
        return EIO;
    }
}

int pji_amdsmi_energy(const struct pji_amdsmi_api *api, pji_amdsmi_handle gpu, double *count_uj,
                      int64_t *energy_uj)
{
    uint64_t count = 0, device_ns = 0;
    float resolution_uj = 0;
    pji_amdsmi_status status = api->energy(gpu, &count, &resolution_uj, &device_ns);
    double energy = (double)count * (double)resolution_uj;

    if (status != SUCCESS)
        return -errno_of(status);
    /* all ones: the firmware has no such figure */
    if (count == UINT64_MAX || !(resolution_uj > 0 && resolution_uj < 1e6F) || energy > 9e18)
        return -ERANGE;
    *count_uj = (double)resolution_uj;
    *energy_uj = (int64_t)energy;
    return 0;
}
