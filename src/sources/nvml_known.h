/* sources/nvml_known.h - what `perjoule doctor --probe` once measured of a GPU; it holds for the
 * same GPU (UUID) with the same VBIOS and driver.
 */
#ifndef PJI_SOURCES_NVML_KNOWN_H
#define PJI_SOURCES_NVML_KNOWN_H

#include "core/json.h"
#include "sources/nvml_api.h"

enum { PJI_NVML_KEY = 3 * PJI_NVML_TEXT };

struct pji_call_cost {
    int64_t p50_ns, p99_ns; /* 0: not measured */
    size_t calls;
};

struct pji_nvml_known {
    char key[PJI_NVML_KEY]; /* pji_nvml_key */
    char name[PJI_NVML_TEXT];
    struct pji_call_cost counter, buffer, usage;
    int64_t counter_refresh_ns; /* median distance of the counter's steps, 0: none seen */
    int64_t spacing_ns;         /* of the buffer's samples, 0: there is none */
    int64_t usage_average_ns;   /* PowerUsage is the mean of this past time, 0: momentary; -1: power
                                   was too steady to tell */
    char date[24];
};

/* "UUID|VBIOS|driver"; false when one of them is unknown: then nothing can be kept. */
bool pji_nvml_key(const struct pji_nvml_api *api, pji_nvml_device device, const char *uuid,
                  char key[PJI_NVML_KEY]);
/* The entry of that key, the newest one; NULL. */
const struct pji_nvml_known *pji_nvml_known_find(const struct pji_nvml_known *known, size_t n,
                                                 const char *key);

json_t *pji_nvml_known_to_json(const struct pji_nvml_known *known);
pj_status pji_nvml_known_from_json(struct pji_nvml_known *out, const json_t *object,
                                   struct pj_error *err);

#endif
