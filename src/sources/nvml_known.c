/* See nvml_known.h. */
#include "sources/nvml_known.h"

#include "core/units.h"

#include <stdio.h>
#include <string.h>

bool pji_nvml_key(const struct pji_nvml_api *api, pji_nvml_device device, const char *uuid,
                  char key[PJI_NVML_KEY])
{
    char vbios[PJI_NVML_TEXT] = "", driver[PJI_NVML_TEXT] = "";

    if (!uuid[0] || !api->vbios || !api->driver_version ||
        api->vbios(device, vbios, sizeof vbios) != PJI_NVML_SUCCESS ||
        api->driver_version(driver, sizeof driver) != PJI_NVML_SUCCESS)
        return false;
    vbios[sizeof vbios - 1] = driver[sizeof driver - 1] = '\0';
    (void)snprintf(key, PJI_NVML_KEY, "%.90s|%.90s|%.90s", uuid, vbios, driver);
    return true;
}

const struct pji_nvml_known *pji_nvml_known_find(const struct pji_nvml_known *known, size_t n,
                                                 const char *key)
{
    for (size_t i = n; i > 0; i--) {
        if (strcmp(known[i - 1].key, key) == 0)
            return &known[i - 1];
    }
    return NULL;
}

/* ---- JSON ---- */

static json_t *cost_to_json(const struct pji_call_cost *cost)
{
    if (cost->calls == 0)
        return json_null();
    return json_pack("{s:I, s:I, s:I}", "calls", (json_int_t)cost->calls, "p50_ns",
                     (json_int_t)cost->p50_ns, "p99_ns", (json_int_t)cost->p99_ns);
}

static json_t *positive(int64_t dur_ns)
{
    return dur_ns > 0 ? json_integer(dur_ns) : json_null();
}

json_t *pji_nvml_known_to_json(const struct pji_nvml_known *k)
{
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:s}", "gpu", k->key, "name",
                     k->name, "counter_refresh_ns", positive(k->counter_refresh_ns),
                     "sample_spacing_ns", positive(k->spacing_ns), "usage_average_ns",
                     k->usage_average_ns < 0 ? json_null() : json_integer(k->usage_average_ns),
                     "counter_call", cost_to_json(&k->counter), "buffer_call",
                     cost_to_json(&k->buffer), "usage_call", cost_to_json(&k->usage), "date",
                     k->date);
}

static int64_t number_or(const json_t *object, const char *key, int64_t fallback)
{
    const json_t *value = json_object_get(object, key);

    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

static void cost_from_json(struct pji_call_cost *out, const json_t *object)
{
    int64_t calls = number_or(object, "calls", 0);

    *out = (struct pji_call_cost){.p50_ns = number_or(object, "p50_ns", 0),
                                  .p99_ns = number_or(object, "p99_ns", 0),
                                  .calls = calls > 0 ? (size_t)calls : 0};
}

static bool within(int64_t dur_ns, int64_t most_ns)
{
    return dur_ns >= 0 && dur_ns <= most_ns;
}

pj_status pji_nvml_known_from_json(struct pji_nvml_known *out, const json_t *object,
                                   struct pj_error *err)
{
    static const char what[] = "probe of a GPU";
    const char *key = "", *name = "", *date = "";
    pj_status status = pji_json_get_str(object, "gpu", what, &key, err);

    *out = (struct pji_nvml_known){.usage_average_ns = -1};
    if (!status)
        status = pji_json_get_str(object, "name", what, &name, err);
    if (!status)
        status = pji_json_get_str(object, "date", what, &date, err);
    if (status)
        return status;
    (void)snprintf(out->key, sizeof out->key, "%s", key);
    (void)snprintf(out->name, sizeof out->name, "%s", name);
    (void)snprintf(out->date, sizeof out->date, "%s", date);
    out->counter_refresh_ns = number_or(object, "counter_refresh_ns", 0);
    out->spacing_ns = number_or(object, "sample_spacing_ns", 0);
    out->usage_average_ns = number_or(object, "usage_average_ns", -1);
    cost_from_json(&out->counter, json_object_get(object, "counter_call"));
    cost_from_json(&out->buffer, json_object_get(object, "buffer_call"));
    cost_from_json(&out->usage, json_object_get(object, "usage_call"));
    if (!within(out->counter_refresh_ns, 2 * PJI_NS_PER_S) ||
        !within(out->spacing_ns, 2 * PJI_NS_PER_S) || out->usage_average_ns > 2 * PJI_NS_PER_S ||
        !within(out->counter.p50_ns, PJI_NS_PER_S))
        return pji_fail(err, PJ_EINVAL, "the probe of '%.100s' makes no sense", key);
    return PJ_OK;
}
