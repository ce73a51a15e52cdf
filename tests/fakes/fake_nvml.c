/* The entry points of the fake libnvidia-ml: see README.md. With FAKE_NVML_OLD defined only what a
 * driver of the Kepler age had. The NVML library has process-wide state, so has its fake.
 */
#include "fake_nvml.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum { RING_MAX = 4096 };

static struct {
    pthread_mutex_t lock;
    bool running;
    struct fake_script script;
    int64_t zero_ns;      /* CLOCK_MONOTONIC at time zero */
    int64_t zero_wall_ns; /* CLOCK_REALTIME at time zero */
    int64_t *mono_ns, *wall_ns;
    uint64_t n_calls[FAKE_CALLS];
    struct fake_row rows[RING_MAX];
    char why[160];
} fake = {.lock = PTHREAD_MUTEX_INITIALIZER};

fake_nvml_use_clock_fn fake_nvml_use_clock;
fake_nvml_calls_fn fake_nvml_calls;

EXPORT void fake_nvml_use_clock(int64_t *mono_ns, int64_t *wall_ns)
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

static void pass(int64_t dur_ns)
{
    if (fake.mono_ns) {
        *fake.mono_ns += dur_ns;
        *fake.wall_ns += dur_ns;
    } else if (dur_ns > 0) {
        struct timespec wait = {.tv_sec = dur_ns / 1000000000, .tv_nsec = dur_ns % 1000000000};
        (void)nanosleep(&wait, NULL);
    }
}

/* Rules wait for the file that wakes them, where there is one. */
static bool awake(void)
{
    return !fake.script.when_file[0] || access(fake.script.when_file, F_OK) == 0;
}

/* The rule that is in force for this call now. */
static const struct fake_rule *find_rule(const struct fake_rule *rules, size_t n,
                                         enum fake_call call, int gpu)
{
    double t_s = (double)since_zero() / 1e9;
    if (!awake())
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (rules[i].call == call && (rules[i].gpu < 0 || rules[i].gpu == gpu) &&
            t_s >= rules[i].from_s && t_s < rules[i].to_s)
            return &rules[i];
    return NULL;
}

/* Half of the latency, after which the value is taken; counts. */
static void enter(enum fake_call call)
{
    (void)__atomic_add_fetch(&fake.n_calls[call], 1, __ATOMIC_RELAXED);
    pass(fake.script.latency_ns[call] / 2);
}

/* The other half; what the script wants this call to return. */
static pji_nvml_return leave(enum fake_call call, int gpu)
{
    const struct fake_rule *rule = find_rule(fake.script.rules, fake.script.n_rules, call, gpu);
    pass(fake.script.latency_ns[call] - fake.script.latency_ns[call] / 2);
    return rule ? (pji_nvml_return)rule->code : PJI_NVML_SUCCESS;
}

/* What the curve says, or what the script wants instead. */
static int64_t value_of(enum fake_call call, int gpu, enum fake_kind kind)
{
    const struct fake_rule *rule = find_rule(fake.script.values, fake.script.n_values, call, gpu);
    return rule ? (int64_t)rule->code : fake_curve_at(&fake.script.curve, kind, since_zero());
}

/* The same for what no curve knows. */
static int64_t stated(enum fake_call call, int gpu, int64_t fallback)
{
    const struct fake_rule *rule = find_rule(fake.script.values, fake.script.n_values, call, gpu);
    return rule ? (int64_t)rule->code : fallback;
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
    enter(FAKE_INIT);
    return leave(FAKE_INIT, -1);
}

static pji_nvml_return handle(unsigned int index, pji_nvml_device *device)
{
    if (index >= fake.script.n_gpus)
        return PJI_NVML_INVALID_ARGUMENT;
    enter(FAKE_HANDLE);
    *device = (pji_nvml_device)(void *)fake.script.uuids[index];
    return leave(FAKE_HANDLE, (int)index);
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
    int gpu = gpu_of(device);
    enter(FAKE_POWER);
    *power_mw = (unsigned int)value_of(FAKE_POWER, gpu, FAKE_K_USAGE);
    return leave(FAKE_POWER, gpu);
}

EXPORT pji_nvml_return nvmlDeviceGetPowerManagementLimit(pji_nvml_device device,
                                                         unsigned int *limit_mw)
{
    int gpu = gpu_of(device);
    enter(FAKE_LIMIT);
    *limit_mw = (unsigned int)stated(FAKE_LIMIT, gpu, fake.script.curve.limit_mw);
    return leave(FAKE_LIMIT, gpu);
}

EXPORT pji_nvml_return nvmlDeviceGetTemperature(pji_nvml_device device, int sensor,
                                                unsigned int *temp_c)
{
    int gpu = gpu_of(device);
    (void)sensor;
    enter(FAKE_TEMPERATURE);
    *temp_c = (unsigned int)value_of(FAKE_TEMPERATURE, gpu, FAKE_K_TEMP);
    return leave(FAKE_TEMPERATURE, gpu);
}

EXPORT pji_nvml_return nvmlDeviceGetClockInfo(pji_nvml_device device, int type,
                                              unsigned int *clock_mhz)
{
    int gpu = gpu_of(device);
    (void)type;
    enter(FAKE_CLOCK);
    *clock_mhz = (unsigned int)value_of(FAKE_CLOCK, gpu, FAKE_K_SMCLK);
    return leave(FAKE_CLOCK, gpu);
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
EXPORT pji_nvml_return nvmlDeviceGetPersistenceMode(pji_nvml_device device, int *mode);
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

EXPORT pji_nvml_return nvmlDeviceGetPersistenceMode(pji_nvml_device device, int *mode)
{
    *mode = fake.script.persistence[gpu_of(device)];
    return PJI_NVML_SUCCESS;
}

EXPORT pji_nvml_return nvmlDeviceGetTotalEnergyConsumption(pji_nvml_device device,
                                                           unsigned long long *energy_mj)
{
    int gpu = gpu_of(device);
    enter(FAKE_ENERGY);
    *energy_mj = (unsigned long long)value_of(FAKE_ENERGY, gpu, FAKE_K_COUNTER);
    return leave(FAKE_ENERGY, gpu);
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

static unsigned int fill(int gpu, size_t ring, uint64_t last_seen_us,
                         struct pji_nvml_sample *samples, unsigned int room)
{
    unsigned int filled = 0;
    (void)pthread_mutex_lock(&fake.lock);
    const struct fake_rule *rule =
        find_rule(fake.script.values, fake.script.n_values, FAKE_SAMPLES, gpu);
    size_t have = fake_curve_samples(&fake.script.curve, since_zero(), fake.rows, ring);
    for (size_t i = 0; i < have && filled < room; i++) {
        uint64_t device_us = (uint64_t)(fake.rows[i].t_ns + fake.zero_wall_ns) / 1000;
        uint64_t value = rule ? (uint64_t)rule->code : (uint64_t)fake.rows[i].value;
        if (device_us > last_seen_us)
            samples[filled++] = (struct pji_nvml_sample){device_us, typed(value)};
    }
    (void)pthread_mutex_unlock(&fake.lock);
    return filled;
}

/* Of the last 20 s, six a second. */
static pji_nvml_return give_use(int gpu, unsigned int *n, struct pji_nvml_sample *samples)
{
    enum { USES = 120, APART_US = 166667 };
    int64_t mono_ns, wall_ns;
    unsigned int room = *n;
    now(&mono_ns, &wall_ns);
    enter(FAKE_USE);
    for (*n = 0; samples && *n < USES && *n < room; (*n)++)
        samples[*n] = (struct pji_nvml_sample){
            (unsigned long long)(wall_ns / 1000 - (USES - 1 - (int)*n) * APART_US),
            typed((uint64_t)stated(FAKE_USE, gpu, 0))};
    return leave(FAKE_USE, gpu);
}

EXPORT pji_nvml_return nvmlDeviceGetSamples(pji_nvml_device device, int type,
                                            unsigned long long last_seen_us, int *value_type,
                                            unsigned int *n, struct pji_nvml_sample *samples)
{
    int gpu = gpu_of(device);
    size_t ring = fake.script.ring < RING_MAX ? fake.script.ring : RING_MAX;
    *value_type = fake.script.value_type;
    if (type == PJI_NVML_USE_SAMPLES)
        return give_use(gpu, n, samples);
    if (type != PJI_NVML_TOTAL_POWER_SAMPLES)
        return PJI_NVML_NOT_SUPPORTED;
    if (!samples) {
        *n = (unsigned int)ring;
        return leave(FAKE_SAMPLES, gpu);
    }
    enter(FAKE_SAMPLES);
    *n = fill(gpu, ring, last_seen_us, samples, *n);
    pji_nvml_return code = leave(FAKE_SAMPLES, gpu);
    return code == PJI_NVML_SUCCESS && *n == 0 ? PJI_NVML_NOT_FOUND : code;
}

EXPORT pji_nvml_return nvmlDeviceGetCurrentClocksThrottleReasons(pji_nvml_device device,
                                                                 unsigned long long *reasons)
{
    int gpu = gpu_of(device);
    enter(FAKE_THROTTLE);
    *reasons = (unsigned long long)value_of(FAKE_THROTTLE, gpu, FAKE_K_THROTTLE);
    return leave(FAKE_THROTTLE, gpu);
}

/* ---- the state of a GPU ---- */

EXPORT pji_nvml_return nvmlDeviceGetApplicationsClock(pji_nvml_device device, int type,
                                                      unsigned int *clock_mhz);
EXPORT pji_nvml_return nvmlDeviceGetViolationStatus(pji_nvml_device device, int policy,
                                                    struct pji_nvml_violation *violation);
EXPORT pji_nvml_return nvmlDeviceGetTotalEccErrors(pji_nvml_device device, int type, int counter,
                                                   unsigned long long *errors);
EXPORT pji_nvml_return nvmlDeviceGetRemappedRows(pji_nvml_device device, unsigned int *corrected,
                                                 unsigned int *uncorrected, unsigned int *pending,
                                                 unsigned int *failed);
EXPORT pji_nvml_return nvmlDeviceGetComputeRunningProcesses_v3(pji_nvml_device device,
                                                               unsigned int *n,
                                                               struct pji_nvml_process *processes);
EXPORT pji_nvml_return nvmlEventSetCreate(pji_nvml_events *events);
EXPORT pji_nvml_return nvmlDeviceRegisterEvents(pji_nvml_device device, unsigned long long types,
                                                pji_nvml_events events);
EXPORT pji_nvml_return nvmlEventSetWait_v2(pji_nvml_events events, struct pji_nvml_event *event,
                                           unsigned int timeout_ms);
EXPORT pji_nvml_return nvmlEventSetFree(pji_nvml_events events);

EXPORT pji_nvml_return nvmlDeviceGetApplicationsClock(pji_nvml_device device, int type,
                                                      unsigned int *clock_mhz)
{
    int gpu = gpu_of(device);
    enter(FAKE_APPCLOCK);
    *clock_mhz = type == PJI_NVML_CLOCK_SM ? (unsigned int)stated(FAKE_APPCLOCK, gpu, 1980) : 3201;
    return leave(FAKE_APPCLOCK, gpu);
}

EXPORT pji_nvml_return nvmlDeviceGetViolationStatus(pji_nvml_device device, int policy,
                                                    struct pji_nvml_violation *violation)
{
    int gpu = gpu_of(device);
    enum fake_call call = policy == PJI_NVML_POLICY_THERMAL ? FAKE_THERMAL : FAKE_POWERCAP;
    enter(call);
    violation->violation_ns = (unsigned long long)stated(call, gpu, 0);
    return leave(call, gpu);
}

EXPORT pji_nvml_return nvmlDeviceGetTotalEccErrors(pji_nvml_device device, int type, int counter,
                                                   unsigned long long *errors)
{
    int gpu = gpu_of(device);
    enum fake_call call = type == PJI_NVML_ECC_UNCORRECTED ? FAKE_ECC : FAKE_ECCFIXED;
    (void)counter;
    enter(call);
    *errors = (unsigned long long)stated(call, gpu, 0);
    return leave(call, gpu);
}

EXPORT pji_nvml_return nvmlDeviceGetRemappedRows(pji_nvml_device device, unsigned int *corrected,
                                                 unsigned int *uncorrected, unsigned int *pending,
                                                 unsigned int *failed)
{
    int gpu = gpu_of(device);
    enter(FAKE_REMAPPED);
    *corrected = (unsigned int)stated(FAKE_REMAPPED, gpu, 0);
    *uncorrected = *pending = *failed = 0;
    return leave(FAKE_REMAPPED, gpu);
}

/* Those of the file, and the one that the script wants. */
EXPORT pji_nvml_return nvmlDeviceGetComputeRunningProcesses_v3(pji_nvml_device device,
                                                               unsigned int *n,
                                                               struct pji_nvml_process *processes)
{
    int gpu = gpu_of(device);
    unsigned int room = *n, pid = (unsigned int)stated(FAKE_PID, gpu, 0);
    enter(FAKE_PID);
    *n = 0;
    if (pid != 0 && *n < room)
        processes[(*n)++] = (struct pji_nvml_process){.pid = pid};
    FILE *file = fake.script.pids_file[0] ? fopen(fake.script.pids_file, "r") : NULL;
    while (file && *n < room && fscanf(file, "%u", &pid) == 1)
        processes[(*n)++] = (struct pji_nvml_process){.pid = pid};
    if (file)
        (void)fclose(file);
    return leave(FAKE_PID, gpu);
}

EXPORT pji_nvml_return nvmlEventSetCreate(pji_nvml_events *events)
{
    *events = (pji_nvml_events)(void *)&fake;
    return PJI_NVML_SUCCESS;
}

EXPORT pji_nvml_return nvmlDeviceRegisterEvents(pji_nvml_device device, unsigned long long types,
                                                pji_nvml_events events)
{
    (void)types;
    (void)events;
    return leave(FAKE_XID, gpu_of(device));
}

EXPORT pji_nvml_return nvmlEventSetWait_v2(pji_nvml_events events, struct pji_nvml_event *event,
                                           unsigned int timeout_ms)
{
    double t_s = (double)since_zero() / 1e9;
    (void)events;
    (void)timeout_ms;
    for (size_t i = 0; i < fake.script.n_values; i++) {
        const struct fake_rule *rule = &fake.script.values[i];
        if (rule->call != FAKE_XID || fake.script.xid_given[i] || t_s < rule->from_s || !awake())
            continue;
        fake.script.xid_given[i] = true;
        event->type = PJI_NVML_EVENT_XID;
        event->data = (unsigned long long)rule->code;
        (void)handle(rule->gpu < 0 ? 0 : (unsigned int)rule->gpu, &event->device);
        return PJI_NVML_SUCCESS;
    }
    return PJI_NVML_TIMEOUT;
}

EXPORT pji_nvml_return nvmlEventSetFree(pji_nvml_events events)
{
    (void)events;
    return PJI_NVML_SUCCESS;
}
#endif
