/* The entry points of the fake libnvidia-ml: see README.md. With FAKE_NVML_OLD defined only what a
 * driver of the Kepler age had. The NVML library has process-wide state, so has its fake.
 */
#include "fake_nvml.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EXPORT __attribute__((visibility("default")))

enum { RING_MAX = 4096 };

static struct {
    pthread_mutex_t lock;
    bool running;
    struct fake_script script;
    int64_t zero_ns;      /* CLOCK_MONOTONIC at time zero */
    int64_t zero_wall_ns; /* CLOCK_REALTIME at time zero */
    const int64_t *mono_ns, *wall_ns;
    uint64_t n_calls[FAKE_CALLS];
    struct fake_row rows[RING_MAX];
    char why[160];
} fake = {.lock = PTHREAD_MUTEX_INITIALIZER};

fake_nvml_use_clock_fn fake_nvml_use_clock;
fake_nvml_calls_fn fake_nvml_calls;

EXPORT void fake_nvml_use_clock(const int64_t *mono_ns, const int64_t *wall_ns)
{
    fake.mono_ns = mono_ns;
    fake.wall_ns = wall_ns;
}

EXPORT uint64_t fake_nvml_calls(const char *call)
{
    for (int i = 0; i < FAKE_CALLS; i++)
        if (strcmp(fake_call_name((enum fake_call)i), call) == 0)
            return fake.n_calls[i];
    return 0;
}

static int64_t machine_ns(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void now(int64_t *mono_ns, int64_t *wall_ns)
{
    long long mono, wall;
    *mono_ns = fake.mono_ns ? *fake.mono_ns : machine_ns(CLOCK_MONOTONIC);
    *wall_ns = fake.wall_ns ? *fake.wall_ns : machine_ns(CLOCK_REALTIME);
    if (fake.script.clock_file[0]) {
        FILE *file = fopen(fake.script.clock_file, "r");
        if (file && fscanf(file, "%lld %lld", &mono, &wall) == 2) {
            *mono_ns = mono;
            *wall_ns = wall;
        }
        if (file)
            (void)fclose(file);
    }
}

static int64_t since_zero(void)
{
    int64_t mono_ns, wall_ns;
    now(&mono_ns, &wall_ns);
    return mono_ns - fake.zero_ns;
}

/* Counts, sleeps and says what the script wants this call to return. */
static pji_nvml_return enter(enum fake_call call, int gpu)
{
    int64_t latency_ns = fake.script.latency_ns[call];
    (void)__atomic_add_fetch(&fake.n_calls[call], 1, __ATOMIC_RELAXED);
    if (latency_ns > 0) {
        struct timespec wait = {.tv_sec = latency_ns / 1000000000,
                                .tv_nsec = latency_ns % 1000000000};
        (void)nanosleep(&wait, NULL);
    }
    double t_s = (double)since_zero() / 1e9;
    for (size_t i = 0; i < fake.script.n_rules; i++) {
        const struct fake_rule *rule = &fake.script.rules[i];
        if (rule->call == call && (rule->gpu < 0 || rule->gpu == gpu) && t_s >= rule->from_s &&
            t_s < rule->to_s)
            return (pji_nvml_return)rule->code;
    }
    return PJI_NVML_SUCCESS;
}

/* A device is the address of its UUID. */
static int gpu_of(pji_nvml_device device)
{
    for (unsigned int i = 0; i < fake.script.n_gpus; i++)
        if ((const void *)device == (const void *)fake.script.uuids[i])
            return (int)i;
    return -1;
}

static pji_nvml_return give_text(const char *from, char *text, unsigned int size)
{
    if (strlen(from) >= size)
        return PJI_NVML_INSUFFICIENT_SIZE;
    memcpy(text, from, strlen(from) + 1);
    return PJI_NVML_SUCCESS;
}

static pji_nvml_return start(void)
{
    if (fake.running)
        fake_script_fini(&fake.script);
    fake.running = fake_script_read(&fake.script, fake.why, sizeof fake.why);
    if (!fake.running) {
        (void)fprintf(stderr, "fake_nvml: %s\n", fake.why);
        return 999;
    }
    memset(fake.n_calls, 0, sizeof fake.n_calls);
    now(&fake.zero_ns, &fake.zero_wall_ns);
    return enter(FAKE_INIT, -1);
}

static pji_nvml_return handle(unsigned int index, pji_nvml_device *device)
{
    if (index >= fake.script.n_gpus)
        return PJI_NVML_INVALID_ARGUMENT;
    pji_nvml_return code = enter(FAKE_HANDLE, (int)index);
    *device = (pji_nvml_device)(void *)fake.script.uuids[index];
    return code;
}

/* ---- the library ---- */

EXPORT pji_nvml_return nvmlInit(void);
EXPORT pji_nvml_return nvmlDeviceGetCount(unsigned int *n);
EXPORT pji_nvml_return nvmlDeviceGetHandleByIndex(unsigned int index, pji_nvml_device *device);
EXPORT pji_nvml_return nvmlShutdown(void);
EXPORT const char *nvmlErrorString(pji_nvml_return code);
EXPORT pji_nvml_return nvmlSystemGetDriverVersion(char *text, unsigned int size);
EXPORT pji_nvml_return nvmlDeviceGetUUID(pji_nvml_device device, char *text, unsigned int size);
EXPORT pji_nvml_return nvmlDeviceGetName(pji_nvml_device device, char *text, unsigned int size);
EXPORT pji_nvml_return nvmlDeviceGetVbiosVersion(pji_nvml_device device, char *text,
                                                 unsigned int size);
EXPORT pji_nvml_return nvmlDeviceGetPciInfo(pji_nvml_device device, struct pji_nvml_pci *pci);
EXPORT pji_nvml_return nvmlDeviceGetPowerUsage(pji_nvml_device device, unsigned int *power_mw);
EXPORT pji_nvml_return nvmlDeviceGetPowerManagementLimit(pji_nvml_device device,
                                                         unsigned int *limit_mw);
EXPORT pji_nvml_return nvmlDeviceGetTemperature(pji_nvml_device device, int sensor,
                                                unsigned int *temp_c);
EXPORT pji_nvml_return nvmlDeviceGetClockInfo(pji_nvml_device device, int type,
                                              unsigned int *clock_mhz);

EXPORT pji_nvml_return nvmlInit(void)
{
    (void)pthread_mutex_lock(&fake.lock);
    pji_nvml_return code = start();
    (void)pthread_mutex_unlock(&fake.lock);
    return code;
}

EXPORT pji_nvml_return nvmlDeviceGetCount(unsigned int *n)
{
    *n = fake.script.n_gpus;
    return fake.running ? PJI_NVML_SUCCESS : PJI_NVML_UNINITIALIZED;
}

EXPORT pji_nvml_return nvmlDeviceGetHandleByIndex(unsigned int index, pji_nvml_device *device)
{
    return fake.running ? handle(index, device) : PJI_NVML_UNINITIALIZED;
}

EXPORT pji_nvml_return nvmlShutdown(void)
{
    if (!fake.running)
        return PJI_NVML_UNINITIALIZED;
    fake_script_fini(&fake.script);
    fake.running = false;
    return PJI_NVML_SUCCESS;
}

EXPORT const char *nvmlErrorString(pji_nvml_return code)
{
    switch (code) {
    case PJI_NVML_SUCCESS:
        return "The operation was successful";
    case PJI_NVML_NOT_SUPPORTED:
        return "Not Supported";
    case PJI_NVML_NO_PERMISSION:
        return "Insufficient Permissions";
    case PJI_NVML_DRIVER_NOT_LOADED:
        return "Driver Not Loaded";
    case PJI_NVML_GPU_IS_LOST:
        return "GPU is lost";
    default:
        return "Unknown Error";
    }
}

EXPORT pji_nvml_return nvmlSystemGetDriverVersion(char *text, unsigned int size)
{
    return give_text("580.00.fake", text, size);
}

EXPORT pji_nvml_return nvmlDeviceGetUUID(pji_nvml_device device, char *text, unsigned int size)
{
    return give_text(fake.script.uuids[gpu_of(device)], text, size);
}

EXPORT pji_nvml_return nvmlDeviceGetName(pji_nvml_device device, char *text, unsigned int size)
{
    return give_text(fake.script.names[gpu_of(device)], text, size);
}

EXPORT pji_nvml_return nvmlDeviceGetVbiosVersion(pji_nvml_device device, char *text,
                                                 unsigned int size)
{
    (void)device;
    return give_text("96.00.fake", text, size);
}

EXPORT pji_nvml_return nvmlDeviceGetPciInfo(pji_nvml_device device, struct pji_nvml_pci *pci)
{
    pci->domain = 0;
    pci->bus = fake.script.buses[gpu_of(device)];
    pci->device = 0;
    return PJI_NVML_SUCCESS;
}

EXPORT pji_nvml_return nvmlDeviceGetPowerUsage(pji_nvml_device device, unsigned int *power_mw)
{
    pji_nvml_return code = enter(FAKE_POWER, gpu_of(device));
    *power_mw = fake.script.overridden[FAKE_POWER]
                    ? (unsigned int)fake.script.values[FAKE_POWER]
                    : (unsigned int)fake_curve_at(&fake.script.curve, FAKE_K_USAGE, since_zero());
    return code;
}

EXPORT pji_nvml_return nvmlDeviceGetPowerManagementLimit(pji_nvml_device device,
                                                         unsigned int *limit_mw)
{
    (void)device;
    *limit_mw = (unsigned int)fake.script.curve.limit_mw;
    return PJI_NVML_SUCCESS;
}

EXPORT pji_nvml_return nvmlDeviceGetTemperature(pji_nvml_device device, int sensor,
                                                unsigned int *temp_c)
{
    (void)sensor;
    *temp_c = (unsigned int)fake_curve_at(&fake.script.curve, FAKE_K_TEMP, since_zero());
    return enter(FAKE_TEMPERATURE, gpu_of(device));
}

EXPORT pji_nvml_return nvmlDeviceGetClockInfo(pji_nvml_device device, int type,
                                              unsigned int *clock_mhz)
{
    (void)type;
    *clock_mhz = (unsigned int)fake_curve_at(&fake.script.curve, FAKE_K_SMCLK, since_zero());
    return enter(FAKE_CLOCK, gpu_of(device));
}

#ifndef FAKE_NVML_OLD
EXPORT pji_nvml_return nvmlInit_v2(void);
EXPORT pji_nvml_return nvmlDeviceGetCount_v2(unsigned int *n);
EXPORT pji_nvml_return nvmlDeviceGetHandleByIndex_v2(unsigned int index, pji_nvml_device *device);
EXPORT pji_nvml_return nvmlDeviceGetPciInfo_v3(pji_nvml_device device, struct pji_nvml_pci *pci);
EXPORT pji_nvml_return nvmlDeviceGetEnforcedPowerLimit(pji_nvml_device device,
                                                       unsigned int *limit_mw);
EXPORT pji_nvml_return nvmlDeviceGetMigMode(pji_nvml_device device, unsigned int *current,
                                            unsigned int *pending);
EXPORT pji_nvml_return nvmlDeviceGetTotalEnergyConsumption(pji_nvml_device device,
                                                           unsigned long long *energy_mj);
EXPORT pji_nvml_return nvmlDeviceGetSamples(pji_nvml_device device, int type,
                                            unsigned long long last_seen_us, int *value_type,
                                            unsigned int *n, struct pji_nvml_sample *samples);
EXPORT pji_nvml_return nvmlDeviceGetCurrentClocksThrottleReasons(pji_nvml_device device,
                                                                 unsigned long long *reasons);

EXPORT pji_nvml_return nvmlInit_v2(void)
{
    return nvmlInit();
}

EXPORT pji_nvml_return nvmlDeviceGetCount_v2(unsigned int *n)
{
    return nvmlDeviceGetCount(n);
}

EXPORT pji_nvml_return nvmlDeviceGetHandleByIndex_v2(unsigned int index, pji_nvml_device *device)
{
    return nvmlDeviceGetHandleByIndex(index, device);
}

EXPORT pji_nvml_return nvmlDeviceGetPciInfo_v3(pji_nvml_device device, struct pji_nvml_pci *pci)
{
    return nvmlDeviceGetPciInfo(device, pci);
}

EXPORT pji_nvml_return nvmlDeviceGetEnforcedPowerLimit(pji_nvml_device device,
                                                       unsigned int *limit_mw)
{
    return nvmlDeviceGetPowerManagementLimit(device, limit_mw);
}

EXPORT pji_nvml_return nvmlDeviceGetMigMode(pji_nvml_device device, unsigned int *current,
                                            unsigned int *pending)
{
    *current = *pending = fake.script.mig[gpu_of(device)];
    return PJI_NVML_SUCCESS;
}

EXPORT pji_nvml_return nvmlDeviceGetTotalEnergyConsumption(pji_nvml_device device,
                                                           unsigned long long *energy_mj)
{
    pji_nvml_return code = enter(FAKE_ENERGY, gpu_of(device));
    *energy_mj =
        fake.script.overridden[FAKE_ENERGY]
            ? fake.script.values[FAKE_ENERGY]
            : (unsigned long long)fake_curve_at(&fake.script.curve, FAKE_K_COUNTER, since_zero());
    return code;
}

static union pji_nvml_value typed(uint64_t value)
{
    switch (fake.script.value_type) {
    case PJI_NVML_VALUE_DOUBLE:
        return (union pji_nvml_value){.d = (double)value};
    case PJI_NVML_VALUE_UINT:
        return (union pji_nvml_value){.ui = (unsigned int)value};
    case PJI_NVML_VALUE_SINT:
        return (union pji_nvml_value){.si = (int)value};
    default:
        return (union pji_nvml_value){.ull = value};
    }
}

EXPORT pji_nvml_return nvmlDeviceGetSamples(pji_nvml_device device, int type,
                                            unsigned long long last_seen_us, int *value_type,
                                            unsigned int *n, struct pji_nvml_sample *samples)
{
    pji_nvml_return code = enter(FAKE_SAMPLES, gpu_of(device));
    size_t ring = fake.script.ring < RING_MAX ? fake.script.ring : RING_MAX, filled = 0;
    if (code != PJI_NVML_SUCCESS || type != PJI_NVML_TOTAL_POWER_SAMPLES)
        return code != PJI_NVML_SUCCESS ? code : PJI_NVML_NOT_SUPPORTED;
    *value_type = fake.script.value_type;
    if (!samples) {
        *n = (unsigned int)ring;
        return PJI_NVML_SUCCESS;
    }
    (void)pthread_mutex_lock(&fake.lock);
    size_t have = fake_curve_samples(&fake.script.curve, since_zero(), fake.rows, ring);
    for (size_t i = 0; i < have && filled < *n; i++) {
        uint64_t device_us = (uint64_t)(fake.rows[i].t_ns + fake.zero_wall_ns) / 1000;
        uint64_t value = fake.script.overridden[FAKE_SAMPLES] ? fake.script.values[FAKE_SAMPLES]
                                                              : (uint64_t)fake.rows[i].value;
        if (device_us > last_seen_us)
            samples[filled++] = (struct pji_nvml_sample){device_us, typed(value)};
    }
    (void)pthread_mutex_unlock(&fake.lock);
    *n = (unsigned int)filled;
    return filled ? PJI_NVML_SUCCESS : PJI_NVML_NOT_FOUND;
}

EXPORT pji_nvml_return nvmlDeviceGetCurrentClocksThrottleReasons(pji_nvml_device device,
                                                                 unsigned long long *reasons)
{
    *reasons = (unsigned long long)fake_curve_at(&fake.script.curve, FAKE_K_THROTTLE, since_zero());
    return enter(FAKE_THROTTLE, gpu_of(device));
}
#endif
