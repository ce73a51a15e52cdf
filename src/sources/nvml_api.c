/* Binding of libnvidia-ml: see nvml_api.h. One table names every symbol with its older spellings.
 */
#include "sources/nvml_api.h"

#include <errno.h>
#include <string.h>

struct symbol {
    size_t offset; /* of the function pointer in struct pji_nvml_api */
    bool required;
    const char *names[3]; /* newest first, NULL-terminated where shorter */
};

#define SLOT(member) offsetof(struct pji_nvml_api, member)

static const struct symbol symbols[] = {
    {SLOT(init), true, {"nvmlInit_v2", "nvmlInit", NULL}},
    {SLOT(count), true, {"nvmlDeviceGetCount_v2", "nvmlDeviceGetCount", NULL}},
    {SLOT(handle), true, {"nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetHandleByIndex", NULL}},
    {SLOT(shutdown), false, {"nvmlShutdown", NULL, NULL}},
    {SLOT(error_string), false, {"nvmlErrorString", NULL, NULL}},
    {SLOT(driver_version), false, {"nvmlSystemGetDriverVersion", NULL, NULL}},
    {SLOT(uuid), false, {"nvmlDeviceGetUUID", NULL, NULL}},
    {SLOT(name), false, {"nvmlDeviceGetName", NULL, NULL}},
    {SLOT(vbios), false, {"nvmlDeviceGetVbiosVersion", NULL, NULL}},
    {SLOT(pci),
     false,
     {"nvmlDeviceGetPciInfo_v3", "nvmlDeviceGetPciInfo_v2", "nvmlDeviceGetPciInfo"}},
    {SLOT(mig_mode), false, {"nvmlDeviceGetMigMode", NULL, NULL}},
    {SLOT(persistence), false, {"nvmlDeviceGetPersistenceMode", NULL, NULL}},
    {SLOT(energy), false, {"nvmlDeviceGetTotalEnergyConsumption", NULL, NULL}},
    {SLOT(power), false, {"nvmlDeviceGetPowerUsage", NULL, NULL}},
    {SLOT(samples), false, {"nvmlDeviceGetSamples", NULL, NULL}},
    {SLOT(enforced_limit), false, {"nvmlDeviceGetEnforcedPowerLimit", NULL, NULL}},
    {SLOT(limit), false, {"nvmlDeviceGetPowerManagementLimit", NULL, NULL}},
    {SLOT(limit_range), false, {"nvmlDeviceGetPowerManagementLimitConstraints", NULL, NULL}},
    {SLOT(architecture), false, {"nvmlDeviceGetArchitecture", NULL, NULL}},
    {SLOT(temperature), false, {"nvmlDeviceGetTemperature", NULL, NULL}},
    {SLOT(clock), false, {"nvmlDeviceGetClockInfo", NULL, NULL}},
    {SLOT(throttle),
     false,
     {"nvmlDeviceGetCurrentClocksThrottleReasons", "nvmlDeviceGetCurrentClocksEventReasons", NULL}},
    {SLOT(app_clock), false, {"nvmlDeviceGetApplicationsClock", NULL, NULL}},
    {SLOT(violation), false, {"nvmlDeviceGetViolationStatus", NULL, NULL}},
    {SLOT(ecc), false, {"nvmlDeviceGetTotalEccErrors", NULL, NULL}},
    {SLOT(remapped), false, {"nvmlDeviceGetRemappedRows", NULL, NULL}},
    /* not the first version: its rows are smaller */
    {SLOT(processes),
     false,
     {"nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2", NULL}},
    {SLOT(events_create), false, {"nvmlEventSetCreate", NULL, NULL}},
    {SLOT(events_register), false, {"nvmlDeviceRegisterEvents", NULL, NULL}},
    {SLOT(events_wait), false, {"nvmlEventSetWait_v2", "nvmlEventSetWait", NULL}},
    {SLOT(events_free), false, {"nvmlEventSetFree", NULL, NULL}},
};

static bool bind(struct pji_nvml_api *api, const struct symbol *symbol)
{
    const struct pji_platform *platform = api->platform;
    void *address = NULL;
    for (size_t i = 0; i < 3 && symbol->names[i] && !address; i++)
        address = platform->ops->lib_symbol(platform->context, api->library, symbol->names[i]);
    /* POSIX lets a function travel as void *; C does not, so the bits are copied */
    memcpy((char *)api + symbol->offset, &address, sizeof address);
    return address != NULL;
}

static pj_status open_library(struct pji_nvml_api *api, const char *path, struct pj_error *err)
{
    const char *const usual[] = {"libnvidia-ml.so.1", "libnvidia-ml.so"};
    const char *const given[] = {path};
    const char *const *names = path ? given : usual;
    char why[160] = "", first[160] = "";
    for (size_t i = 0; i < (path ? 1u : 2u); i++) {
        api->library =
            api->platform->ops->lib_open(api->platform->context, names[i], why, sizeof why);
        if (api->library) {
            api->library_name = names[i];
            return PJ_OK;
        }
        if (i == 0)
            memcpy(first, why, sizeof first);
    }
    return pji_fail(err, PJ_ENOTFOUND, "the NVML library %s cannot be loaded: %s", names[0], first);
}

pj_status pji_nvml_load(struct pji_nvml_api *api, const struct pji_platform *platform,
                        const char *path, struct pj_error *err)
{
    *api = (struct pji_nvml_api){.platform = platform};
    pj_status status = open_library(api, path, err);
    if (status)
        return status;
    for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
        if (!bind(api, &symbols[i]) && symbols[i].required) {
            status = pji_fail(err, PJ_EUNSUPPORTED, "%s is not an NVML library: it lacks %s",
                              api->library_name, symbols[i].names[0]);
            pji_nvml_unload(api);
            return status;
        }
    }
    return PJ_OK;
}

void pji_nvml_unload(struct pji_nvml_api *api)
{
    if (api->library)
        api->platform->ops->lib_close(api->platform->context, api->library);
    *api = (struct pji_nvml_api){0};
}

const char *pji_nvml_why(const struct pji_nvml_api *api, pji_nvml_return code)
{
    const char *text = api->error_string ? api->error_string(code) : NULL;
    return text ? text : "unknown NVML error";
}

int pji_nvml_errno(pji_nvml_return code)
{
    switch (code) {
    case PJI_NVML_GPU_IS_LOST:
    case PJI_NVML_RESET_REQUIRED:
    case PJI_NVML_DRIVER_NOT_LOADED:
    case PJI_NVML_GPU_NOT_FOUND:
        return ENODEV;
    case PJI_NVML_NO_PERMISSION:
        return EACCES;
    case PJI_NVML_NOT_SUPPORTED:
        return EOPNOTSUPP;
    case PJI_NVML_INVALID_ARGUMENT:
        return EINVAL;
    case PJI_NVML_TIMEOUT:
        return ETIMEDOUT;
    case PJI_NVML_IN_USE:
        return EBUSY;
    case PJI_NVML_MEMORY:
        return ENOMEM;
    case PJI_NVML_NOT_FOUND:
    case PJI_NVML_NO_DATA:
        return ENODATA;
    default:
        return EIO;
    }
}

int64_t pji_nvml_value(const union pji_nvml_value *value, int type)
{
    unsigned long long wide;
    switch (type) {
    case PJI_NVML_VALUE_DOUBLE:
        return value->d >= 0 && value->d < 9e18 ? (int64_t)value->d : -1;
    case PJI_NVML_VALUE_UINT:
        return value->ui;
    case PJI_NVML_VALUE_ULONG:
        wide = value->ul;
        break;
    case PJI_NVML_VALUE_ULLONG:
        wide = value->ull;
        break;
    case PJI_NVML_VALUE_SLLONG:
        return value->sll;
    case PJI_NVML_VALUE_SINT:
        return value->si;
    case PJI_NVML_VALUE_USHORT:
        return value->us;
    default:
        return -1;
    }
    return wide <= INT64_MAX ? (int64_t)wide : -1;
}
