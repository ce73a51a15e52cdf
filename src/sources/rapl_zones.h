/* sources/rapl_zones.h - the RAPL zones that the powercap class shows, as plain rows. */
#ifndef PJI_SOURCES_RAPL_ZONES_H
#define PJI_SOURCES_RAPL_ZONES_H

#include "platform/platform.h"

struct pji_rapl_zone {
    char id[48];          /* "intel-rapl:0:1": unique */
    char path[160];       /* folder of the zone */
    char name[32];        /* its file "name": "package-0", "dram", … */
    int64_t max_range_uj; /* its file "max_energy_range_uj", 0: unknown */
    int64_t max_power_uw; /* largest of its constraints' max_power_uw, 0: unknown */
    int depth;            /* 0: intel-rapl:N, 1: intel-rapl:N:M */
    bool mmio;            /* intel-rapl-mmio: the same counters by another way */
};

struct pji_rapl_zones {
    struct pji_rapl_zone *zones; /* parents before children, MSR before MMIO */
    size_t n, cap;
    int list_errno; /* why /sys/class/powercap could not be listed, 0: it could */
};

/* Negative only for lack of memory. */
pj_status pji_rapl_zones_find(const struct pji_platform *platform, struct pji_rapl_zones *out,
                              struct pj_error *err);
void pji_rapl_zones_fini(struct pji_rapl_zones *zones);

/* The zone above `zone` ("intel-rapl:0" of "intel-rapl:0:1"), or NULL. */
const struct pji_rapl_zone *pji_rapl_zones_parent(const struct pji_rapl_zones *zones,
                                                  const struct pji_rapl_zone *zone);

#endif
