/* RAPL energy counters through the powercap class of sysfs.
 *
 * - energy_uj counts 0…max_energy_range_uj and wraps. The hardware counter has 32 bits: the kernel
 *   (drivers/powercap/intel_rapl_common.c) shows 2^32 - 1 units, in uJ, as the range, so one unit,
 *   range / (2^32 - 1), is the resolution, and the modulus is the range plus that unit: on real
 *   hardware range + 61 uJ or + 15 uJ, in general at least range + 1. Each zone has its own.
 * - Domains overlap (Intel SDM 3B, 15.10): core and uncore are parts of the package, the package is
 *   part of psys, dram is beside the package. The domain tree says so; the ledger never adds both.
 * - intel-rapl-mmio shows the counters of the package again: an alternative reading of the same
 *   domain, used only where the MSR zone cannot be read.
 * - The counters step about every millisecond.
 * - Since Linux 5.10 energy_uj is readable by root only (CVE-2020-8694).
 */
#include "sources/rapl_accuracy.h"
#include "sources/rapl_zones.h"
#include "sources/table.h"

#include "core/array.h"
#include "core/units.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFRESH_NS (1 * PJI_NS_PER_MS)
/* All zones are stamped with one time when reading them took no longer than this. */
#define PASS_NS (100 * PJI_NS_PER_US)

/* A package may exceed its long-term limit (PL2 and PL4 are up to about twice PL1), and a short
 * step may catch twice the refreshes that its time is worth; the rest is margin, for what the cap
 * has to tell apart is work from garbage. */
static const double cap_factor = 10;

struct counter {
    int handle;
    int32_t channel;
    bool gone;
    int64_t t_ns;
    int64_t value; /* errno when status is not OK */
    enum pji_reading_status status;
};

struct state {
    const struct pji_platform *platform;
    struct counter *counters;
    size_t n, cap;
};

static const char source_name[] = "rapl_powercap";

/* ---- zones to domains ---- */

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

static void set_domain(struct pji_channel *channel, const struct pji_rapl_zones *zones,
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
        (void)snprintf(channel->parent, sizeof channel->parent, "package-%s",
                       package_number(above));
        (void)snprintf(channel->domain, sizeof channel->domain, "package-%.15s/%.20s",
                       package_number(above), zone->name[0] ? zone->name : zone->id);
        return;
    }
    (void)snprintf(channel->parent, sizeof channel->parent, "%s", parent);
}

/* The channel that already reads this domain, or -1. */
static int32_t twin_of(const struct pji_channel_table *table, const struct pji_channel *channel)
{
    for (size_t i = 0; i < table->n; i++) {
        if (strcmp(table->channels[i].source, source_name) == 0 &&
            strcmp(table->channels[i].domain, channel->domain) == 0)
            return (int32_t)i;
    }
    return -1;
}

static void describe(struct pji_channel *channel, const struct pji_rapl_zones *zones,
                     const struct pji_rapl_zone *zone, const struct pji_cpu_info *cpu,
                     const struct pji_channel_table *table)
{
    int32_t twin;

    *channel = (struct pji_channel){.kind = PJI_COUNTER,
                                    .role = PJI_ROLE_ENERGY,
                                    .unit = "uJ",
                                    .origin = PJ_ORIGIN_COUNTER,
                                    .refresh_ns = REFRESH_NS,
                                    .companion = -1};
    (void)snprintf(channel->source, sizeof channel->source, "%s", source_name);
    (void)snprintf(channel->device, sizeof channel->device, "%s", zone->id);
    set_domain(channel, zones, zone);
    twin = twin_of(table, channel);
    if (twin >= 0 && !zone->mmio) {
        /* two MSR zones of one name: two instruments as far as anybody can tell */
        size_t len = strlen(channel->domain);

        (void)snprintf(channel->domain + len, sizeof channel->domain - len, "@%s", zone->id);
    } else {
        channel->companion = twin;
    }
    (void)snprintf(channel->name, sizeof channel->name, "%s:%s", zone->mmio ? "rapl-mmio" : "rapl",
                   channel->domain);
    (void)snprintf(channel->com_id, sizeof channel->com_id, "rapl:%.24s:%.32s",
                   cpu->name[0] ? cpu->name : "unknown cpu", channel->domain);
    channel->quantum = fmax(1, (double)zone->max_range_uj / (double)UINT32_MAX);
    if (zone->max_range_uj > 0)
        channel->modulus = zone->max_range_uj + (int64_t)llround(channel->quantum);
    channel->gain_rel = pji_rapl_gain_rel(cpu, channel->domain_kind);
    channel->cap_mw = cap_factor * (double)zone->max_power_uw / 1e3;
}

/* ---- opening ---- */

static pj_status miss_zone(struct pji_channel_table *table, const struct pji_channel *channel,
                           const struct pji_rapl_zone *zone, int sys_errno, struct pj_error *err)
{
    char reason[160], text[64];
    const char *fix = "";

    if (sys_errno == EACCES || sys_errno == EPERM) {
        (void)snprintf(reason, sizeof reason, "permission denied: %.96s/energy_uj", zone->path);
        fix = "let a group read the counters: sudo chgrp GROUP /sys/class/powercap/*/energy_uj; "
              "sudo chmod g+r /sys/class/powercap/*/energy_uj";
    } else {
        (void)snprintf(reason, sizeof reason, "cannot read %.80s/energy_uj: %.48s", zone->path,
                       sys_errno == EBADMSG ? "it holds no number"
                                            : strerror_r(sys_errno, text, sizeof text));
    }
    return pji_channel_table_miss(table, source_name, channel->domain_kind, channel->domain, reason,
                                  fix, err);
}

/* Opens the counter and reads it once: a zone that cannot be read now is missing, not a channel. */
static int try_zone(const struct pji_platform *platform, const struct pji_rapl_zone *zone)
{
    char path[224];
    uint64_t value;
    int handle, failed;

    (void)snprintf(path, sizeof path, "%s/energy_uj", zone->path);
    handle = platform->ops->open(platform->context, path);
    if (handle < 0)
        return handle;
    failed = pji_pread_u64(platform, handle, &value);
    if (failed) {
        platform->ops->close(platform->context, handle);
        return failed;
    }
    return handle;
}

/* *failed gets the errno of a zone that cannot be read. */
static pj_status add_zone(struct state *state, const struct pji_rapl_zones *zones,
                          const struct pji_rapl_zone *zone, const struct pji_cpu_info *cpu,
                          struct pji_channel_table *table, int *failed, struct pj_error *err)
{
    struct pji_channel channel;
    struct counter counter = {.handle = try_zone(state->platform, zone)};
    pj_status status;

    if (counter.handle < 0) {
        *failed = -counter.handle;
        return PJ_OK;
    }
    describe(&channel, zones, zone, cpu, table);
    status = pji_array_reserve(&state->counters, &state->cap, state->n + 1, sizeof counter, err);
    if (!status)
        status = pji_channel_table_add(table, &channel, &counter.channel, err);
    if (status) {
        state->platform->ops->close(state->platform->context, counter.handle);
        return status;
    }
    state->counters[state->n++] = counter;
    return PJ_OK;
}

static pj_status add_zones(struct state *state, const struct pji_rapl_zones *zones,
                           struct pji_channel_table *table, const struct pji_cpu_info *cpu,
                           struct pj_error *err)
{
    int *failed = pji_zalloc(zones->n, sizeof *failed, err);
    pj_status status = failed ? PJ_OK : PJ_ENOMEM;

    for (size_t i = 0; i < zones->n && !status; i++)
        status = add_zone(state, zones, &zones->zones[i], cpu, table, &failed[i], err);
    /* afterwards: an unreadable zone is nobody's loss where its twin can be read */
    for (size_t i = 0; i < zones->n && !status; i++) {
        struct pji_channel channel = {0};

        set_domain(&channel, zones, &zones->zones[i]);
        if (failed[i] && twin_of(table, &channel) < 0)
            status = miss_zone(table, &channel, &zones->zones[i], failed[i], err);
    }
    free(failed);
    return status;
}

static pj_status miss_all(const struct pji_cpu_info *cpu, struct pji_channel_table *table,
                          struct pj_error *err)
{
    if (strcmp(cpu->vendor, "GenuineIntel") != 0 && strcmp(cpu->vendor, "AuthenticAMD") != 0)
        return PJ_OK;
    if (cpu->virtual_machine)
        return pji_channel_table_miss(table, source_name, PJI_DOMAIN_PACKAGE, "package",
                                      "no RAPL zone in /sys/class/powercap: the hypervisor does "
                                      "not show its energy counters to this virtual machine",
                                      "measure on the host", err);
    return pji_channel_table_miss(table, source_name, PJI_DOMAIN_PACKAGE, "package",
                                  "no RAPL zone in /sys/class/powercap",
                                  "load the driver: sudo modprobe intel_rapl_msr (AMD: Linux 5.11 "
                                  "or newer); in a container mount /sys/class/powercap",
                                  err);
}

static void rapl_close(void *context)
{
    struct state *state = context;

    for (size_t i = 0; i < state->n; i++)
        state->platform->ops->close(state->platform->context, state->counters[i].handle);
    free(state->counters);
}

static pj_status rapl_open(void *context, const struct pji_source_env *env,
                           struct pji_channel_table *table, struct pj_error *err)
{
    struct state *state = context;
    struct pji_rapl_zones zones;
    struct pji_cpu_info cpu;
    pj_status status;

    state->platform = env->platform;
    status = pji_rapl_zones_find(env->platform, &zones, err);
    if (status)
        return status;
    pji_cpu_info_read(env->platform, &cpu);
    status = zones.n == 0 ? miss_all(&cpu, table, err) : add_zones(state, &zones, table, &cpu, err);
    pji_rapl_zones_fini(&zones);
    if (status)
        rapl_close(state);
    return status;
}

/* ---- reading ---- */

static void read_counter(const struct pji_platform *platform, struct counter *counter)
{
    uint64_t value = 0;
    int failed = pji_pread_u64(platform, counter->handle, &value);

    if (!failed && value > INT64_MAX)
        failed = -ERANGE;
    counter->status = PJI_READ_OK;
    counter->value = (int64_t)value;
    if (failed) {
        counter->status = failed == -ENODEV ? PJI_READ_GONE : PJI_READ_FAILED;
        counter->value = -failed;
    }
}

static pj_status rapl_read(void *context, struct pji_reading_sink *sink, struct pj_error *err)
{
    struct state *state = context;
    int64_t start_ns = pji_now_ns(state->platform);
    int64_t before_ns = start_ns;
    bool together;

    (void)err;
    for (size_t i = 0; i < state->n; i++) {
        struct counter *counter = &state->counters[i];
        int64_t after_ns;

        if (counter->gone)
            continue;
        read_counter(state->platform, counter);
        after_ns = pji_now_ns(state->platform);
        counter->t_ns = before_ns + (after_ns - before_ns) / 2;
        before_ns = after_ns;
    }
    together = before_ns - start_ns <= PASS_NS;
    for (size_t i = 0; i < state->n; i++) {
        struct counter *counter = &state->counters[i];

        if (counter->gone)
            continue;
        pji_reading_put(sink, counter->channel,
                        together ? start_ns + (before_ns - start_ns) / 2 : counter->t_ns,
                        counter->status, counter->value);
        counter->gone = counter->status == PJI_READ_GONE;
    }
    return PJ_OK;
}

const struct pji_source_ops pji_source_rapl_powercap = {
    .name = source_name,
    .about = "Intel and AMD energy counters (RAPL) through /sys/class/powercap",
    .state_size = sizeof(struct state),
    .burst = 1,
    .open = rapl_open,
    .read = rapl_read,
    .close = rapl_close,
};
