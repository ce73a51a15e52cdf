/* See rapl_channel.h. Names follow the kernel's zones (drivers/powercap/intel_rapl_common.c):
 * "package-0", with several dies in a package "package-0-die-1", "psys" for the first package and
 * "psys-N" for others.
 *
 * Domains overlap (Intel SDM 3B, 15.10): core and uncore are parts of the package, the package is
 * part of psys, dram is beside the package. The domain tree says so; the ledger never adds both.
 */
#include "sources/rapl_channel.h"

#include "core/units.h"
#include "sources/rapl_accuracy.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The counters step about every millisecond (Intel SDM 3B, 15.10.3). */
#define REFRESH_NS (1 * PJI_NS_PER_MS)

/* A package may exceed its long-term limit (PL2 and PL4 are up to about twice PL1), and a short
 * step may catch twice the refreshes that its time is worth; the rest is margin, for what the cap
 * has to tell apart is work from garbage. */
static const double cap_factor = 10;

/* "0" of "package-0", "0-die-1" of "package-0-die-1". */
static const char *package_number(const struct pji_rapl_zone *package)
{
    if (package && strncmp(package->name, "package-", 8) == 0)
        return package->name + 8;
    return package ? strchr(package->id, ':') + 1 : "0";
}

static const char *psys_of(const struct pji_rapl_zones *zones, const struct pji_rapl_zone *package)
{
    const char *found = "machine";
    char wanted[48];

    (void)snprintf(wanted, sizeof wanted, "psys-%s", package_number(package));
    for (size_t i = 0; i < zones->n; i++) {
        if (strcmp(zones->zones[i].name, wanted) == 0)
            return zones->zones[i].name;
        if (strcmp(zones->zones[i].name, "psys") == 0)
            found = "psys";
    }
    return found;
}

static void set_part(struct pji_channel *channel, const char *number, const char *part)
{
    (void)snprintf(channel->parent, sizeof channel->parent, "package-%.30s", number);
    (void)snprintf(channel->domain, sizeof channel->domain, "package-%.15s/%.20s", number, part);
}

void pji_rapl_zone_domain(struct pji_channel *channel, const struct pji_rapl_zones *zones,
                          const struct pji_rapl_zone *zone)
{
    const struct pji_rapl_zone *above = pji_rapl_zones_parent(zones, zone);
    const char *parent = "machine";

    if (zone->depth == 0 && (strncmp(zone->name, "package-", 8) == 0 || zone->name[0] == '\0')) {
        channel->domain_kind = PJI_DOMAIN_PACKAGE;
        (void)snprintf(channel->domain, sizeof channel->domain, "package-%s", package_number(zone));
        parent = psys_of(zones, zone);
    } else if (strcmp(zone->name, "dram") == 0) {
        channel->domain_kind = PJI_DOMAIN_DRAM;
        (void)snprintf(channel->domain, sizeof channel->domain, "dram-%s", package_number(above));
    } else if (zone->depth == 0) {
        bool psys = strncmp(zone->name, "psys", 4) == 0;

        channel->domain_kind = psys ? PJI_DOMAIN_PSYS : PJI_DOMAIN_OTHER;
        (void)snprintf(channel->domain, sizeof channel->domain, "%s", zone->name);
        if (!psys) /* we do not know what it overlaps with: kept, never added */
            channel->role = PJI_ROLE_AUX;
    } else {
        channel->domain_kind = strcmp(zone->name, "core") == 0     ? PJI_DOMAIN_CORE
                               : strcmp(zone->name, "uncore") == 0 ? PJI_DOMAIN_UNCORE
                                                                   : PJI_DOMAIN_OTHER;
        set_part(channel, package_number(above), zone->name[0] ? zone->name : zone->id);
        return;
    }
    (void)snprintf(channel->parent, sizeof channel->parent, "%s", parent);
}

static void name_psys(char *out, size_t size, const char *number)
{
    if (strcmp(number, "0") == 0)
        (void)snprintf(out, size, "psys");
    else
        (void)snprintf(out, size, "psys-%s", number);
}

void pji_rapl_package_domain(struct pji_channel *channel, enum pji_domain_kind kind,
                             const char *number, bool psys)
{
    channel->domain_kind = kind;
    (void)snprintf(channel->parent, sizeof channel->parent, "machine");
    switch (kind) {
    case PJI_DOMAIN_PACKAGE:
        (void)snprintf(channel->domain, sizeof channel->domain, "package-%s", number);
        if (psys)
            name_psys(channel->parent, sizeof channel->parent, number);
        break;
    case PJI_DOMAIN_DRAM:
        (void)snprintf(channel->domain, sizeof channel->domain, "dram-%s", number);
        break;
    case PJI_DOMAIN_PSYS:
        name_psys(channel->domain, sizeof channel->domain, number);
        break;
    case PJI_DOMAIN_CORE:
    case PJI_DOMAIN_UNCORE:
        set_part(channel, number, pji_domain_kind_name(kind));
        break;
    case PJI_DOMAIN_MACHINE:
    case PJI_DOMAIN_GPU:
    case PJI_DOMAIN_OTHER:
        break; /* RAPL has no such domain */
    }
}

void pji_rapl_channel_init(struct pji_channel *channel, const char *source)
{
    *channel = (struct pji_channel){.kind = PJI_COUNTER,
                                    .role = PJI_ROLE_ENERGY,
                                    .unit = "uJ",
                                    .origin = PJ_ORIGIN_COUNTER,
                                    .refresh_ns = REFRESH_NS,
                                    .companion = -1};
    (void)snprintf(channel->source, sizeof channel->source, "%s", source);
}

void pji_rapl_channel_finish(struct pji_channel *channel, const char *prefix,
                             const struct pji_cpu_info *cpu)
{
    char name[25];

    (void)snprintf(channel->name, sizeof channel->name, "%s:%s", prefix, channel->domain);
    pji_com_id_name(name, sizeof name, cpu->name[0] ? cpu->name : "unknown cpu");
    (void)snprintf(channel->com_id, sizeof channel->com_id, "rapl:%s:%.7s@%.8s:%.15s", name,
                   pji_domain_kind_name(channel->domain_kind), cpu->machine, channel->domain);
    channel->gain_rel = pji_rapl_gain_rel(cpu, channel->domain_kind);
}

void pji_rapl_channel_limits(struct pji_channel *channel, const struct pji_rapl_zone *zone)
{
    channel->quantum = fmax(1, (double)zone->max_range_uj / (double)UINT32_MAX);
    channel->cap_mw = cap_factor * (double)zone->max_power_uw / 1e3;
}

static bool same_without_die(const char *a, const char *b)
{
    static const char mark[] = "-die-";
    const char *die = strstr(a, mark);
    size_t len = die ? (size_t)(die - a) : strcspn(a, "/");
    const char *rest = die ? die + sizeof mark - 1 : a + len;
    const char *other_rest;

    if (die)
        rest += strspn(rest, "0123456789");
    if (strncmp(a, b, len) != 0)
        return false;
    other_rest = b + len;
    if (strncmp(other_rest, mark, sizeof mark - 1) == 0) {
        if (die) /* two dies that are not the same one */
            return false;
        other_rest += sizeof mark - 1;
        other_rest += strspn(other_rest, "0123456789");
    }
    return strcmp(rest, other_rest) == 0;
}

bool pji_rapl_overlap(const char *domain, const char *other)
{
    return strcmp(domain, other) == 0 || same_without_die(domain, other);
}
