/* Documentation/power/powercap/powercap.rst: each zone is a folder with `name`, `energy_uj`,
 * `max_energy_range_uj` and constraints; /sys/class/powercap links to all of them side by side
 * ("intel-rapl:0", "intel-rapl:0:1"), while below /sys/devices children are folders of their
 * parents. Both layouts are read, and a zone seen twice counts once.
 */
#include "sources/rapl_zones.h"

#include "core/array.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POWERCAP "/sys/class/powercap"

static const char msr_prefix[] = "intel-rapl:";
static const char mmio_prefix[] = "intel-rapl-mmio:";

enum { MAX_DEPTH = 2, NAME_MAX_B = 48 };

struct finder {
    const struct pji_platform *platform;
    struct pji_rapl_zones *out;
    struct pj_error *err;
    const char *folder; /* being listed */
    const char *prefix; /* entries that count */
    pj_status status;
};

static int depth_of(const char *id)
{
    int colons = 0;

    for (; *id; id++)
        colons += *id == ':';
    return colons - 1;
}

static bool is_known(const struct pji_rapl_zones *zones, const char *id)
{
    for (size_t i = 0; i < zones->n; i++) {
        if (strcmp(zones->zones[i].id, id) == 0)
            return true;
    }
    return false;
}

static void read_attributes(const struct pji_platform *platform, struct pji_rapl_zone *zone)
{
    char path[224];

    (void)snprintf(path, sizeof path, "%s/name", zone->path);
    if (pji_read_text(platform, path, zone->name, sizeof zone->name, NULL, NULL))
        zone->name[0] = '\0';
    (void)snprintf(path, sizeof path, "%s/max_energy_range_uj", zone->path);
    if (pji_read_i64(platform, path, &zone->max_range_uj, NULL) || zone->max_range_uj < 0)
        zone->max_range_uj = 0;
    for (int i = 0; i < 3; i++) {
        int64_t max_uw;

        (void)snprintf(path, sizeof path, "%s/constraint_%d_max_power_uw", zone->path, i);
        if (!pji_read_i64(platform, path, &max_uw, NULL) && max_uw > zone->max_power_uw)
            zone->max_power_uw = max_uw;
    }
}

static int visit(void *arg, const char *name);

static void descend(struct finder *finder, const struct pji_rapl_zone *zone)
{
    char folder[sizeof zone->path];
    char prefix[NAME_MAX_B + 1];
    struct finder below = *finder;

    (void)snprintf(folder, sizeof folder, "%s", zone->path);
    (void)snprintf(prefix, sizeof prefix, "%s:", zone->id);
    below.folder = folder;
    below.prefix = prefix;
    (void)finder->platform->ops->list(finder->platform->context, folder, visit, &below);
    finder->status = below.status;
}

static int visit(void *arg, const char *name)
{
    struct finder *finder = arg;
    struct pji_rapl_zones *zones = finder->out;
    struct pji_rapl_zone zone = {0};
    pj_status status;

    if (strncmp(name, finder->prefix, strlen(finder->prefix)) != 0 ||
        strlen(name) >= sizeof zone.id || depth_of(name) >= MAX_DEPTH || is_known(zones, name))
        return 0;
    (void)snprintf(zone.id, sizeof zone.id, "%s", name);
    (void)snprintf(zone.path, sizeof zone.path, "%s/%s", finder->folder, name);
    zone.depth = depth_of(name);
    zone.mmio = strncmp(name, mmio_prefix, sizeof mmio_prefix - 1) == 0;
    read_attributes(finder->platform, &zone);
    status = pji_array_reserve(&zones->zones, &zones->cap, zones->n + 1, sizeof zone, finder->err);
    if (status) {
        finder->status = status;
        return 1;
    }
    zones->zones[zones->n++] = zone;
    descend(finder, &zone);
    return finder->status != PJ_OK;
}

pj_status pji_rapl_zones_find(const struct pji_platform *platform, struct pji_rapl_zones *out,
                              struct pj_error *err)
{
    static const struct {
        const char *folder, *prefix;
    } places[] = {
        {POWERCAP, msr_prefix},
        {POWERCAP "/intel-rapl", msr_prefix},
        {POWERCAP, mmio_prefix},
        {POWERCAP "/intel-rapl-mmio", mmio_prefix},
    };
    struct finder finder = {.platform = platform, .out = out, .err = err};

    *out = (struct pji_rapl_zones){0};
    for (size_t i = 0; i < sizeof places / sizeof places[0] && !finder.status; i++) {
        int listed;

        finder.folder = places[i].folder;
        finder.prefix = places[i].prefix;
        listed = platform->ops->list(platform->context, finder.folder, visit, &finder);
        if (i == 0 && listed < 0)
            out->list_errno = -listed;
    }
    if (finder.status)
        pji_rapl_zones_fini(out);
    return finder.status;
}

void pji_rapl_zones_fini(struct pji_rapl_zones *zones)
{
    free(zones->zones);
    *zones = (struct pji_rapl_zones){0};
}

const struct pji_rapl_zone *pji_rapl_zones_parent(const struct pji_rapl_zones *zones,
                                                  const struct pji_rapl_zone *zone)
{
    const char *colon = strrchr(zone->id, ':');
    size_t len = (size_t)(colon - zone->id);

    for (size_t i = 0; zone->depth > 0 && i < zones->n; i++) {
        if (strlen(zones->zones[i].id) == len && memcmp(zones->zones[i].id, zone->id, len) == 0)
            return &zones->zones[i];
    }
    return NULL;
}
