/* RAPL energy counters through the powercap class of sysfs.
 *
 * - energy_uj counts 0…max_energy_range_uj and wraps. The hardware counter has 32 bits: the kernel
 *   (drivers/powercap/intel_rapl_common.c) shows 2^32 - 1 units, in uJ, as the range, so one unit,
 *   range / (2^32 - 1), is the resolution, and the modulus is the range plus that unit: on real
 *   hardware range + 61 uJ or + 15 uJ, in general at least range + 1. Each zone has its own.
 * - A domain that perf events already read (rapl_perf.c, before us in the table) is not read a
 *   second time: it is the same counter.
 * - intel-rapl-mmio shows the counters of the package again: an alternative reading of the same
 *   domain, used only where the MSR zone cannot be read. Dies of one package may do so as well.
 *   Names only suggest it; whether counters are equal and move together is looked at
 *   (rapl_twins.h), and the channel's device says what came out.
 * - Since Linux 5.10 energy_uj is readable by root only (CVE-2020-8694).
 */
#include "sources/rapl_channel.h"
#include "sources/rapl_counters.h"
#include "sources/rapl_twins.h"
#include "sources/rapl_zones.h"
#include "sources/table.h"

#include "core/array.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct state {
    const struct pji_platform *platform;
    struct pji_rapl_counter *counters;
    size_t n, cap;
};

static const char source_name[] = "rapl_powercap";

/* ---- zones to domains ---- */

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

/* Whether perf events read what this channel would. */
static bool is_read(const struct pji_channel_table *table, const struct pji_channel *channel)
{
    for (size_t i = 0; i < table->n; i++) {
        const struct pji_channel *other = &table->channels[i];

        if (strcmp(other->source, pji_source_rapl_perf.name) == 0 &&
            other->domain_kind == channel->domain_kind &&
            pji_rapl_overlap(other->domain, channel->domain))
            return true;
    }
    return false;
}

/* Our first channel of another die of the same package, or -1. */
static int32_t first_die(const struct pji_channel_table *table, const struct pji_channel *channel)
{
    static const char mark[] = "-die-";
    const char *die = strstr(channel->domain, mark);
    size_t len = die ? (size_t)(die - channel->domain) + sizeof mark - 1 : 0;

    for (size_t i = 0; die && i < table->n; i++) {
        const struct pji_channel *other = &table->channels[i];

        if (strcmp(other->source, source_name) == 0 && other->domain_kind == channel->domain_kind &&
            strcmp(other->domain, channel->domain) != 0 &&
            strncmp(other->domain, channel->domain, len) == 0)
            return (int32_t)i;
    }
    return -1;
}

/* On AMD the package counter is one for the package (PPR, MSR C001_029B), but Linux 6.9 to 6.11
 * show a zone for each core complex die: the same energy again. Of dies that are not AMD's each has
 * its own, unless it is seen to be a twin. */
static int32_t same_package(const struct pji_channel_table *table,
                            const struct pji_channel *channel, const struct pji_cpu_info *cpu)
{
    return strcmp(cpu->vendor, "AuthenticAMD") == 0 ? first_die(table, channel) : -1;
}

static void describe(struct pji_channel *channel, const struct pji_rapl_zone *zone,
                     const struct pji_cpu_info *cpu, const struct pji_channel_table *table)
{
    int32_t twin = twin_of(table, channel);

    (void)snprintf(channel->device, sizeof channel->device, "%s", zone->id);
    if (twin >= 0 && !zone->mmio) {
        /* two MSR zones of one name: two instruments as far as anybody can tell */
        size_t len = strlen(channel->domain);

        (void)snprintf(channel->domain + len, sizeof channel->domain - len, "@%s", zone->id);
    } else {
        channel->companion = twin >= 0 ? twin : same_package(table, channel, cpu);
    }
    pji_rapl_channel_finish(channel, zone->mmio ? "rapl-mmio" : "rapl", cpu);
    pji_rapl_channel_limits(channel, zone);
    if (zone->max_range_uj > 0)
        channel->modulus = zone->max_range_uj + (int64_t)llround(channel->quantum);
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
    struct pji_rapl_counter counter = {0};
    pj_status status;

    pji_rapl_channel_init(&channel, source_name);
    pji_rapl_zone_domain(&channel, zones, zone);
    if (is_read(table, &channel))
        return PJ_OK;
    counter.handle = try_zone(state->platform, zone);
    if (counter.handle < 0) {
        *failed = -counter.handle;
        return PJ_OK;
    }
    describe(&channel, zone, cpu, table);
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

        pji_rapl_zone_domain(&channel, zones, &zones->zones[i]);
        if (failed[i] && twin_of(table, &channel) < 0)
            status = miss_zone(table, &channel, &zones->zones[i], failed[i], err);
    }
    free(failed);
    return status;
}

/* ---- twins ---- */

static int read_counter(const struct pji_platform *platform, const struct pji_rapl_counter *counter,
                        int64_t *energy_uj)
{
    uint64_t value = 0;
    int failed = pji_pread_u64(platform, counter->handle, &value);

    *energy_uj = (int64_t)value;
    return !failed && value > INT64_MAX ? -ERANGE : failed;
}

/* Whom a channel of ours may be the twin of by its name, or -1. */
static int32_t namesake_of(const struct pji_channel_table *table, const struct pji_channel *channel)
{
    size_t len = strcspn(channel->domain, "@");

    if (channel->companion >= 0)
        return channel->companion;
    for (size_t i = 0; channel->domain[len] == '@' && i < table->n; i++) {
        const struct pji_channel *other = &table->channels[i];

        if (strcmp(other->source, source_name) == 0 && strlen(other->domain) == len &&
            strncmp(other->domain, channel->domain, len) == 0)
            return (int32_t)i;
    }
    return first_die(table, channel);
}

static const struct pji_rapl_counter *counter_of(const struct state *state, int32_t channel)
{
    for (size_t i = 0; i < state->n; i++) {
        if (state->counters[i].channel == channel)
            return &state->counters[i];
    }
    return NULL;
}

/* What the look at the pair came to: in the row, and in its words for people. */
static void conclude(struct pji_channel *channel, const struct pji_channel *other, int32_t number,
                     enum pji_rapl_twins verdict)
{
    const char *how = "";
    char device[sizeof channel->device];

    switch (verdict) {
    case PJI_TWINS_PROVEN:
        channel->companion = number;
        how = ", moves with ";
        break;
    case PJI_TWINS_STANDING:
        how = ", equal (standing, unproven) to ";
        break;
    case PJI_TWINS_UNSURE:
        how = ", near (unproven) to ";
        break;
    case PJI_TWINS_DIFFERENT: /* what one name or one vendor calls one domain stays one */
        how = ", not equal to ";
        break;
    case PJI_TWINS_UNREAD:
        return;
    }
    (void)snprintf(device, sizeof device, "%.20s%s%.*s", channel->device, how,
                   (int)strcspn(other->device, ","), other->device);
    memcpy(channel->device, device, sizeof device);
}

static void tell_unproven(const struct pji_source_env *env, const struct pji_channel *channel,
                          enum pji_rapl_twins verdict)
{
    if (verdict == PJI_TWINS_STANDING && channel->companion < 0)
        pji_log(env->log, PJI_LOG_WARNING,
                "%s: %s; both are added, although they may be one counter shown twice",
                channel->name, channel->device);
}

static pj_status settle_twins(const struct state *state, const struct pji_source_env *env,
                              struct pji_channel_table *table, struct pj_error *err)
{
    struct pji_rapl_pair *pairs = pji_zalloc(state->n + 1, sizeof *pairs, err);
    size_t n = 0;

    if (!pairs)
        return PJ_ENOMEM;
    for (size_t i = 0; i < state->n; i++) {
        int32_t other = namesake_of(table, &table->channels[state->counters[i].channel]);
        const struct pji_rapl_counter *first = counter_of(state, other);

        if (other >= 0 && first)
            pairs[n++] = (struct pji_rapl_pair){.first = first, .second = &state->counters[i]};
    }
    pji_rapl_twins_watch(state->platform, pairs, n, read_counter);
    for (size_t i = 0; i < n; i++) {
        struct pji_channel *channel = &table->channels[pairs[i].second->channel];
        int32_t other = pairs[i].first->channel;

        conclude(channel, &table->channels[other], other, pairs[i].verdict);
        tell_unproven(env, channel, pairs[i].verdict);
    }
    free(pairs);
    return PJ_OK;
}

static pj_status miss_all(const struct pji_cpu_info *cpu, struct pji_channel_table *table,
                          struct pj_error *err)
{
    const struct pji_channel package = {.domain_kind = PJI_DOMAIN_PACKAGE, .domain = "package-0"};

    if (is_read(table, &package)) /* not missed */
        return PJ_OK;
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

    pji_rapl_counters_close(state->platform, state->counters, state->n);
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
    if (!status)
        status = settle_twins(state, env, table, err);
    if (status)
        rapl_close(state);
    return status;
}

/* ---- reading ---- */

static pj_status rapl_read(void *context, struct pji_reading_sink *sink, struct pj_error *err)
{
    struct state *state = context;

    (void)err;
    pji_rapl_counters_read(state->platform, state->counters, state->n, read_counter, sink);
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
