#include "sources/nvml_look.h"

#include <stdio.h>

enum { PROCESSES_MAX = 128, EVENTS_MAX = 64, USES_MAX = 256 };

/* One GPU being described. */
struct look {
    const struct pji_nvml_api *api;
    pji_nvml_device device;
    json_t *facts, *unread;
};

static void put(struct look *look, const char *key, pji_nvml_return code, unsigned long long value)
{
    if (code == PJI_NVML_SUCCESS && value <= INT64_MAX)
        (void)json_object_set_new(look->facts, key, json_integer((json_int_t)value));
    else
        (void)json_object_set_new(look->unread, key,
                                  json_string(code == PJI_NVML_SUCCESS
                                                  ? "an impossible value"
                                                  : pji_nvml_why(look->api, code)));
}

static void look_at_clocks(struct look *look)
{
    static const struct {
        const char *key;
        int policy;
    } policies[] = {{"thermal_ns", PJI_NVML_POLICY_THERMAL}, {"power_ns", PJI_NVML_POLICY_POWER}};
    static const struct {
        const char *key;
        int type;
    } clocks[] = {{"app_sm_mhz", PJI_NVML_CLOCK_SM}, {"app_mem_mhz", PJI_NVML_CLOCK_MEM}};
    const struct pji_nvml_api *api = look->api;
    pji_nvml_return code = PJI_NVML_NOT_SUPPORTED;
    unsigned long long wide = 0;
    unsigned int small = 0;
    if (api->throttle)
        code = api->throttle(look->device, &wide);
    put(look, "reasons", code, wide);
    for (size_t i = 0; i < 2; i++) {
        struct pji_nvml_violation violation = {0};
        code = api->violation ? api->violation(look->device, policies[i].policy, &violation)
                              : PJI_NVML_NOT_SUPPORTED;
        put(look, policies[i].key, code, violation.violation_ns);
    }
    code = api->enforced_limit ? api->enforced_limit(look->device, &small) : PJI_NVML_NOT_SUPPORTED;
    if (code != PJI_NVML_SUCCESS && api->limit)
        code = api->limit(look->device, &small);
    put(look, "limit_mw", code, small);
    for (size_t i = 0; i < 2; i++) {
        code = api->app_clock ? api->app_clock(look->device, clocks[i].type, &small)
                              : PJI_NVML_NOT_SUPPORTED;
        put(look, clocks[i].key, code, small);
    }
}

static void look_at_memory(struct look *look)
{
    const struct pji_nvml_api *api = look->api;
    unsigned long long errors = 0;
    unsigned int rows[4] = {0};
    pji_nvml_return code = PJI_NVML_NOT_SUPPORTED;
    if (api->ecc)
        code = api->ecc(look->device, PJI_NVML_ECC_UNCORRECTED, PJI_NVML_ECC_VOLATILE, &errors);
    put(look, "ecc_uncorrected", code, errors);
    if (api->ecc)
        code = api->ecc(look->device, PJI_NVML_ECC_CORRECTED, PJI_NVML_ECC_VOLATILE, &errors);
    put(look, "ecc_corrected", code, errors);
    code = api->remapped ? api->remapped(look->device, &rows[0], &rows[1], &rows[2], &rows[3])
                         : PJI_NVML_NOT_SUPPORTED;
    put(look, "remapped", code, (unsigned long long)rows[0] + rows[1]);
}

static void look_at_processes(struct look *look)
{
    struct pji_nvml_process processes[PROCESSES_MAX];
    unsigned int n = PROCESSES_MAX;
    json_t *pids = json_array();
    pji_nvml_return code = look->api->processes ? look->api->processes(look->device, &n, processes)
                                                : PJI_NVML_NOT_SUPPORTED;
    for (unsigned int i = 0; code == PJI_NVML_SUCCESS && i < n && i < PROCESSES_MAX; i++)
        (void)json_array_append_new(pids, json_integer((json_int_t)processes[i].pid));
    if (code == PJI_NVML_SUCCESS)
        (void)json_object_set(look->facts, "processes", pids);
    else
        put(look, "processes", code, 0);
    json_decref(pids);
}

static void look_at_use(struct look *look)
{
    struct pji_nvml_sample samples[USES_MAX];
    unsigned int n = USES_MAX;
    int type = PJI_NVML_VALUE_UINT;
    int64_t offset_ns = pji_nvml_wall_offset(look->api->platform);
    json_t *list = json_array();
    pji_nvml_return code = PJI_NVML_NOT_SUPPORTED;
    if (look->api->samples)
        code = look->api->samples(look->device, PJI_NVML_USE_SAMPLES, 0, &type, &n, samples);
    bool empty = code == PJI_NVML_NOT_FOUND || code == PJI_NVML_NO_DATA;
    for (unsigned int i = 0; code == PJI_NVML_SUCCESS && i < n && i < USES_MAX; i++) {
        int64_t percent = pji_nvml_value(&samples[i].value, type);
        if (samples[i].device_us != 0 && samples[i].device_us < INT64_MAX / 1000 && percent >= 0 &&
            percent <= 100)
            (void)json_array_append_new(
                list,
                json_pack("[I, I]", (json_int_t)((int64_t)samples[i].device_us * 1000 - offset_ns),
                          (json_int_t)percent));
    }
    if (code == PJI_NVML_SUCCESS || empty)
        (void)json_object_set(look->facts, "use", list);
    else
        put(look, "use", code, 0);
    json_decref(list);
}

/* ---- critical errors ---- */

static void listen(struct pji_nvml_watch *watch, const struct pji_nvml_api *api,
                   const struct pji_nvml_gpu *gpus, size_t n)
{
    watch->tried = true;
    watch->why = PJI_NVML_NOT_SUPPORTED;
    if (!api->events_create || !api->events_register || !api->events_wait || !api->events_free)
        return;
    watch->why = api->events_create(&watch->events);
    for (size_t i = 0; i < n && watch->why == PJI_NVML_SUCCESS; i++)
        watch->why = api->events_register(gpus[i].device, PJI_NVML_EVENT_XID, watch->events);
    if (watch->why != PJI_NVML_SUCCESS)
        pji_nvml_watch_close(watch, api);
}

void pji_nvml_watch_close(struct pji_nvml_watch *watch, const struct pji_nvml_api *api)
{
    if (watch->events)
        (void)api->events_free(watch->events);
    watch->events = NULL;
}

/* What came since the look before goes to the GPU that it is of. */
static void take_xids(struct pji_nvml_watch *watch, const struct pji_nvml_api *api,
                      const struct pji_nvml_gpu *gpus, size_t n, json_t *list)
{
    for (int taken = 0; watch->events && taken < EVENTS_MAX; taken++) {
        struct pji_nvml_event event = {0};
        if (api->events_wait(watch->events, &event, 0) != PJI_NVML_SUCCESS)
            return;
        if (!(event.type & PJI_NVML_EVENT_XID))
            continue;
        for (size_t i = 0; i < n; i++) {
            json_t *xids = json_object_get(json_array_get(list, i), "xids");
            if (gpus[i].device == event.device)
                (void)json_array_append_new(xids, json_integer((json_int_t)event.data));
        }
    }
}

json_t *pji_nvml_look(struct pji_nvml_watch *watch, const struct pji_nvml_api *api,
                      const struct pji_nvml_gpu *gpus, size_t n)
{
    json_t *list = json_array();
    if (!watch->tried)
        listen(watch, api, gpus, n);
    for (size_t i = 0; i < n; i++) {
        struct look look = {api, gpus[i].device, json_object(), json_object()};
        char name[24];
        (void)snprintf(name, sizeof name, "gpu-%u", gpus[i].number);
        (void)json_object_set_new(look.facts, "gpu", json_string(name));
        look_at_clocks(&look);
        look_at_memory(&look);
        look_at_processes(&look);
        look_at_use(&look);
        if (watch->events)
            (void)json_object_set_new(look.facts, "xids", json_array());
        else
            put(&look, "xids", watch->why, 0);
        (void)json_object_set_new(look.facts, "unread", look.unread);
        (void)json_array_append_new(list, look.facts);
    }
    take_xids(watch, api, gpus, n, list);
    return json_pack("{s:o}", "gpus", list);
}
