/* sources/rapl_pmu.h - what sysfs tells about the PMU "power": its events and where they count. */
#ifndef PJI_SOURCES_RAPL_PMU_H
#define PJI_SOURCES_RAPL_PMU_H

#include "energy/channel.h"
#include "platform/platform.h"
#include "sources/cpu_info.h"

enum { PJI_RAPL_PLACES = 64 };

enum pji_rapl_event_id {
    PJI_RAPL_EVENT_PSYS,
    PJI_RAPL_EVENT_PACKAGE,
    PJI_RAPL_EVENT_CORE,
    PJI_RAPL_EVENT_UNCORE,
    PJI_RAPL_EVENT_DRAM,
    PJI_RAPL_EVENTS
};

struct pji_rapl_event {
    const char *name; /* "energy-pkg" */
    enum pji_domain_kind kind;
    bool there;
    const char *trouble; /* why its description cannot be used, NULL: it can */
    uint64_t config;
    double count_uj; /* one count */
};

/* A counter of each event. */
struct pji_rapl_place {
    int cpu;          /* to open the event on */
    int package, die; /* -1: unknown */
    char number[24];  /* "0", "0-die-1": as in names of powercap's zones */
};

struct pji_rapl_pmu {
    uint32_t type;
    struct pji_rapl_event events[PJI_RAPL_EVENTS];
    struct pji_rapl_place places[PJI_RAPL_PLACES];
    size_t n_places;
    const char *trouble; /* why nothing can be opened, NULL: it can */
};

/* false: there is no such PMU. */
bool pji_rapl_pmu_read(const struct pji_platform *platform, const struct pji_cpu_info *cpu,
                       struct pji_rapl_pmu *pmu);

#endif
