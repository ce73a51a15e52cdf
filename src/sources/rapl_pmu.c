/* The PMU "power" (arch/x86/events/rapl.c,
 * Documentation/ABI/testing/sysfs-bus-event_source-devices-events).
 *
 * - type, events/NAME ("event=0x02"), events/NAME.scale (joules for one count, 2^-32) and
 *   events/NAME.unit ("Joules") say how to open and read an event; cpumask names one CPU for each
 *   counter: of each package, or of each die where a package has several.
 * - On AMD the package counter is one for the package, but Linux 6.9 to 6.11 list a CPU of each
 *   core complex die, which would count it that many times: there the first CPU of a package stands
 *   for it (Linux 6.12, "perf/x86/rapl: Fix the energy-pkg event for AMD CPUs"). Its other events
 *   are not used: core planes were seen far off on EPYC.
 */
#include "sources/rapl_pmu.h"

#include "core/num.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PMU "/sys/bus/event_source/devices/power"

enum { TEXT = 256 };

static const struct {
    const char *name;
    enum pji_domain_kind kind;
} known[PJI_RAPL_EVENTS] = {
    [PJI_RAPL_EVENT_PSYS] = {"energy-psys", PJI_DOMAIN_PSYS},
    [PJI_RAPL_EVENT_PACKAGE] = {"energy-pkg", PJI_DOMAIN_PACKAGE},
    [PJI_RAPL_EVENT_CORE] = {"energy-cores", PJI_DOMAIN_CORE},
    [PJI_RAPL_EVENT_UNCORE] = {"energy-gpu", PJI_DOMAIN_UNCORE},
    [PJI_RAPL_EVENT_DRAM] = {"energy-ram", PJI_DOMAIN_DRAM},
};

static bool read_pmu_text(const struct pji_platform *platform, const char *file, char *text)
{
    char path[128];

    (void)snprintf(path, sizeof path, PMU "/%s", file);
    return pji_read_text(platform, path, text, TEXT, NULL, NULL) == PJ_OK;
}

/* "event=0x02", and nothing else: any other term would change what is counted. */
static bool parse_config(const char *text, uint64_t *config)
{
    static const char key[] = "event=0x";
    char *end;

    if (strncmp(text, key, sizeof key - 1) != 0)
        return false;
    text += sizeof key - 1;
    if (strspn(text, "0123456789abcdefABCDEF") == 0 || strlen(text) > 2)
        return false;
    *config = strtoull(text, &end, 16);
    return *end == '\0';
}

static void read_event(const struct pji_platform *platform, struct pji_rapl_event *event)
{
    const char *name = event->name;
    char file[64], text[TEXT];
    double scale_j;

    (void)snprintf(file, sizeof file, "events/%s", name);
    if (!read_pmu_text(platform, file, text))
        return;
    event->there = true;
    if (!parse_config(text, &event->config))
        event->trouble = "the event's description is not of the form event=0xNN";
    (void)snprintf(file, sizeof file, "events/%s.unit", name);
    if (!read_pmu_text(platform, file, text) || strcmp(text, "Joules") != 0)
        event->trouble = "the event's unit is not Joules";
    (void)snprintf(file, sizeof file, "events/%s.scale", name);
    if (!read_pmu_text(platform, file, text) || pji_num_parse(text, strlen(text), &scale_j, NULL) ||
        !(scale_j > 0 && scale_j < 1))
        event->trouble = "the event's scale is not a number between 0 and 1";
    else
        event->count_uj = scale_j * 1e6;
}

static int topology(const struct pji_platform *platform, int cpu, const char *file)
{
    char path[128];
    int64_t value;

    (void)snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/%s", cpu, file);
    if (pji_read_i64(platform, path, &value, NULL) || value < 0 || value > INT32_MAX)
        return -1;
    return (int)value;
}

static bool add_place(const struct pji_platform *platform, struct pji_rapl_pmu *pmu, int cpu,
                      bool amd)
{
    struct pji_rapl_place place = {.cpu = cpu,
                                   .package = topology(platform, cpu, "physical_package_id"),
                                   .die = topology(platform, cpu, "die_id")};

    for (size_t i = 0; amd && i < pmu->n_places; i++) {
        if (pmu->places[i].package == place.package)
            return true; /* the same counter again */
    }
    if (pmu->n_places == PJI_RAPL_PLACES)
        return false;
    pmu->places[pmu->n_places++] = place;
    return true;
}

/* A list of CPUs: "0,28" or "0-1". */
static bool parse_cpumask(const struct pji_platform *platform, const char *text,
                          struct pji_rapl_pmu *pmu, bool amd)
{
    while (*text) {
        char *end;
        long first = strtol(text, &end, 10), last = first;

        if (end == text || *text == '-')
            return false;
        if (*end == '-') {
            text = end + 1;
            last = strtol(text, &end, 10);
            if (end == text)
                return false;
        }
        if (first < 0 || last < first || last > 65535 || (*end != ',' && *end != '\0'))
            return false;
        for (long cpu = first; cpu <= last; cpu++) {
            if (!add_place(platform, pmu, (int)cpu, amd))
                return false;
        }
        text = *end == ',' ? end + 1 : end;
    }
    return pmu->n_places > 0;
}

/* Numbers as powercap's zones have them; false when packages cannot be told apart. */
static bool number_places(struct pji_rapl_pmu *pmu)
{
    for (size_t i = 0; i < pmu->n_places; i++) {
        struct pji_rapl_place *place = &pmu->places[i];
        bool shared = false;

        if (place->package < 0 && pmu->n_places > 1)
            return false;
        for (size_t k = 0; k < pmu->n_places; k++) {
            bool same = k != i && pmu->places[k].package == place->package;

            if (same && (place->die < 0 || pmu->places[k].die == place->die))
                return false;
            shared = shared || same;
        }
        if (shared)
            (void)snprintf(place->number, sizeof place->number, "%d-die-%d", place->package,
                           place->die);
        else
            (void)snprintf(place->number, sizeof place->number, "%d",
                           place->package < 0 ? 0 : place->package);
    }
    return true;
}

static void read_events(const struct pji_platform *platform, bool amd, struct pji_rapl_pmu *pmu)
{
    for (size_t i = 0; i < PJI_RAPL_EVENTS; i++) {
        pmu->events[i].name = known[i].name;
        pmu->events[i].kind = known[i].kind;
        if (!amd || i == PJI_RAPL_EVENT_PACKAGE)
            read_event(platform, &pmu->events[i]);
    }
}

bool pji_rapl_pmu_read(const struct pji_platform *platform, const struct pji_cpu_info *cpu,
                       struct pji_rapl_pmu *pmu)
{
    bool amd = strcmp(cpu->vendor, "AuthenticAMD") == 0 || strcmp(cpu->vendor, "HygonGenuine") == 0;
    char text[TEXT];
    int64_t type;

    *pmu = (struct pji_rapl_pmu){0};
    if (!read_pmu_text(platform, "type", text))
        return false;
    if (pji_num_parse_i64(text, strlen(text), &type, NULL) || type < 0 || type > UINT32_MAX)
        pmu->trouble = "its type is not a number";
    else
        pmu->type = (uint32_t)type;
    read_events(platform, amd, pmu);
    if (!read_pmu_text(platform, "cpumask", text) || !parse_cpumask(platform, text, pmu, amd))
        pmu->trouble = "its cpumask is not a list of CPUs";
    else if (!number_places(pmu))
        pmu->trouble = "its CPUs cannot be assigned to packages in /sys/devices/system/cpu";
    return true;
}
