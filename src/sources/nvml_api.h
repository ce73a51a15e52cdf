/* sources/nvml_api.h - the few entry points of libnvidia-ml that perjoule uses, declared by hand
 * and bound with dlopen, so that nothing of NVIDIA's is needed to build. Types and numbers follow
 * the NVML API Reference Guide (docs.nvidia.com/deploy/nvml-api); only the first fields of a
 * structure that later versions extended are named, the rest is room.
 *
 * A symbol that a driver lacks is NULL and its users do without; where a symbol has versions the
 * newest that exists is bound. Init, GetCount and GetHandleByIndex are required.
 */
#ifndef PJI_SOURCES_NVML_API_H
#define PJI_SOURCES_NVML_API_H

#include "platform/platform.h"

#include <stdint.h>

typedef int pji_nvml_return;
typedef struct pji_nvml_device_opaque *pji_nvml_device;

enum {
    PJI_NVML_SUCCESS = 0,
    PJI_NVML_UNINITIALIZED = 1,
    PJI_NVML_INVALID_ARGUMENT = 2,
    PJI_NVML_NOT_SUPPORTED = 3,
    PJI_NVML_NO_PERMISSION = 4,
    PJI_NVML_NOT_FOUND = 6,
    PJI_NVML_INSUFFICIENT_SIZE = 7,
    PJI_NVML_DRIVER_NOT_LOADED = 9,
    PJI_NVML_TIMEOUT = 10,
    PJI_NVML_GPU_IS_LOST = 15,
    PJI_NVML_RESET_REQUIRED = 16,
    PJI_NVML_LIB_RM_VERSION_MISMATCH = 18,
    PJI_NVML_IN_USE = 19,
    PJI_NVML_MEMORY = 20,
    PJI_NVML_NO_DATA = 21,
    PJI_NVML_GPU_NOT_FOUND = 28
};

enum { PJI_NVML_TOTAL_POWER_SAMPLES = 0, PJI_NVML_USE_SAMPLES = 1 }; /* nvmlSamplingType_t */
enum { PJI_NVML_TEMPERATURE_GPU = 0 };                               /* nvmlTemperatureSensors_t */
enum { PJI_NVML_CLOCK_SM = 1 };                                      /* nvmlClockType_t */
enum { PJI_NVML_CLOCK_MEM = 2 };
enum { PJI_NVML_ECC_CORRECTED = 0, PJI_NVML_ECC_UNCORRECTED = 1 }; /* nvmlMemoryErrorType_t */
enum { PJI_NVML_ECC_VOLATILE = 0 };                                /* nvmlEccCounterType_t */
enum { PJI_NVML_POLICY_POWER = 0, PJI_NVML_POLICY_THERMAL = 1 };   /* nvmlPerfPolicyType_t */
enum { PJI_NVML_EVENT_XID = 8 };   /* nvmlEventTypeXidCriticalError */
enum { PJI_NVML_ARCH_AMPERE = 7 }; /* nvmlDeviceArchitecture_t, newer ones are higher */
enum { PJI_NVML_TEXT = 96 };       /* NVML_DEVICE_UUID_V2_BUFFER_SIZE, ..._NAME_V2_... */

/* nvmlValueType_t: which member of the union a sample carries; it differs between drivers. */
enum {
    PJI_NVML_VALUE_DOUBLE = 0,
    PJI_NVML_VALUE_UINT = 1,
    PJI_NVML_VALUE_ULONG = 2,
    PJI_NVML_VALUE_ULLONG = 3,
    PJI_NVML_VALUE_SLLONG = 4,
    PJI_NVML_VALUE_SINT = 5,
    PJI_NVML_VALUE_USHORT = 6
};

union pji_nvml_value {
    double d;
    unsigned int ui;
    unsigned long ul;
    unsigned long long ull;
    signed long long sll;
    signed int si;
    unsigned short us;
};

struct pji_nvml_sample {
    unsigned long long device_us; /* wall-clock time stamp of the driver */
    union pji_nvml_value value;
};

/* nvmlProcessInfo_v2_t, of the calls _v2 and _v3. */
struct pji_nvml_process {
    unsigned int pid;
    unsigned long long used_b;
    unsigned int gpu_instance, compute_instance;
};

/* nvmlViolationTime_t */
struct pji_nvml_violation {
    unsigned long long reference_us, violation_ns;
};

typedef struct pji_nvml_events_opaque *pji_nvml_events;

/* nvmlEventData_t; the first version lacks the instances. */
struct pji_nvml_event {
    pji_nvml_device device;
    unsigned long long type, data;
    unsigned int gpu_instance, compute_instance;
};

struct pji_nvml_pci {
    char bus_id_legacy[16];
    unsigned int domain, bus, device;
    unsigned int room[64]; /* later fields, of which versions 2 and 3 have different ones */
};

struct pji_nvml_api {
    const struct pji_platform *platform;
    void *library;
    const char *library_name; /* the name or path that was loaded */

    pji_nvml_return (*init)(void);
    pji_nvml_return (*shutdown)(void);
    const char *(*error_string)(pji_nvml_return);
    pji_nvml_return (*driver_version)(char *text, unsigned int size);
    pji_nvml_return (*count)(unsigned int *n);
    pji_nvml_return (*handle)(unsigned int index, pji_nvml_device *device);
    pji_nvml_return (*uuid)(pji_nvml_device device, char *text, unsigned int size);
    pji_nvml_return (*name)(pji_nvml_device device, char *text, unsigned int size);
    pji_nvml_return (*vbios)(pji_nvml_device device, char *text, unsigned int size);
    pji_nvml_return (*pci)(pji_nvml_device device, struct pji_nvml_pci *pci);
    pji_nvml_return (*mig_mode)(pji_nvml_device device, unsigned int *now, unsigned int *pending);
    pji_nvml_return (*persistence)(pji_nvml_device device, int *mode); /* 1: on */
    pji_nvml_return (*energy)(pji_nvml_device device, unsigned long long *energy_mj);
    pji_nvml_return (*power)(pji_nvml_device device, unsigned int *power_mw);
    pji_nvml_return (*samples)(pji_nvml_device device, int type, unsigned long long last_seen_us,
                               int *value_type, unsigned int *n, struct pji_nvml_sample *samples);
    pji_nvml_return (*enforced_limit)(pji_nvml_device device, unsigned int *limit_mw);
    pji_nvml_return (*limit)(pji_nvml_device device, unsigned int *limit_mw);
    pji_nvml_return (*limit_range)(pji_nvml_device device, unsigned int *min_mw,
                                   unsigned int *max_mw);
    pji_nvml_return (*architecture)(pji_nvml_device device, unsigned int *architecture);
    pji_nvml_return (*temperature)(pji_nvml_device device, int sensor, unsigned int *temp_c);
    pji_nvml_return (*clock)(pji_nvml_device device, int type, unsigned int *clock_mhz);
    pji_nvml_return (*throttle)(pji_nvml_device device, unsigned long long *reasons);
    pji_nvml_return (*app_clock)(pji_nvml_device device, int type, unsigned int *clock_mhz);
    pji_nvml_return (*violation)(pji_nvml_device device, int policy,
                                 struct pji_nvml_violation *violation);
    pji_nvml_return (*ecc)(pji_nvml_device device, int type, int counter,
                           unsigned long long *errors);
    pji_nvml_return (*remapped)(pji_nvml_device device, unsigned int *corrected,
                                unsigned int *uncorrected, unsigned int *pending,
                                unsigned int *failed);
    pji_nvml_return (*processes)(pji_nvml_device device, unsigned int *n,
                                 struct pji_nvml_process *processes);
    pji_nvml_return (*events_create)(pji_nvml_events *events);
    pji_nvml_return (*events_register)(pji_nvml_device device, unsigned long long types,
                                       pji_nvml_events events);
    pji_nvml_return (*events_wait)(pji_nvml_events events, struct pji_nvml_event *event,
                                   unsigned int timeout_ms);
    pji_nvml_return (*events_free)(pji_nvml_events events);
};

/* Loads `path`, or where it is NULL libnvidia-ml.so.1, then libnvidia-ml.so. PJ_ENOTFOUND when no
 * library could be loaded, PJ_EUNSUPPORTED when it is not NVML. Does not call init. */
pj_status pji_nvml_load(struct pji_nvml_api *api, const struct pji_platform *platform,
                        const char *path, struct pj_error *err);
void pji_nvml_unload(struct pji_nvml_api *api);

/* Never NULL. */
const char *pji_nvml_why(const struct pji_nvml_api *api, pji_nvml_return code);
/* The nearest errno; ENODEV means that the device will not come back. */
int pji_nvml_errno(pji_nvml_return code);
/* A sample's value by its type; negative where the type is unknown or the value does not fit. */
int64_t pji_nvml_value(const union pji_nvml_value *value, int type);

#endif
