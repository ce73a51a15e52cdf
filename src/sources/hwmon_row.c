/* Names: "hwmon:CHIP:DEVICE:power1". A rail is called rail1, whatever two files it is read from.
 */
#include "sources/hwmon_row.h"

#include "core/units.h"

#include <stdio.h>
#include <string.h>

static const double sqrt3 = 1.7320508075688772, sqrt12 = 3.4641016151377544;
static const double ina3221_offset_uv = 80;  /* largest, Texas Instruments SBOS576 */
static const double usual_shunt_uohm = 5000; /* Jetson modules */

/* Replaces '#' by the number of the label or, where it has none, the device. */
void pji_hwmon_expand(char *out, size_t size, const char *pattern,
                      const struct pji_hwmon_spot *spot)
{
    size_t before = strcspn(pattern, "#");

    if (pattern[before] == '\0')
        (void)snprintf(out, size, "%s", pattern);
    else
        (void)snprintf(out, size, "%.*s%s%s", (int)before, pattern,
                       spot->socket[0] ? spot->socket : spot->device, pattern + before + 1);
}

static bool read_attribute(const struct pji_hwmon_spot *spot, const char *stem, const char *suffix,
                           double *value)
{
    char path[256];
    int64_t number;

    (void)snprintf(path, sizeof path, "%s/%s%d_%s", spot->folder, stem, spot->number, suffix);
    if (pji_read_i64(spot->platform, path, &number, NULL) || number <= 0)
        return false;
    *value = (double)number;
    return true;
}

/* Lag and edges of a mean over the past that is held until the next poll, and of a value that is
 * momentary (docs/uncertainty.md). */
static void set_times(const struct pji_hwmon_spot *spot, struct pji_channel *channel)
{
    double average_ms = 0;

    channel->refresh_ns = PJI_HWMON_POLL_NS;
    if (spot->reading == PJI_HWMON_POWER &&
        read_attribute(spot, "power", "average_interval", &average_ms) && average_ms < 60000) {
        channel->average_ns = (int64_t)average_ms * PJI_NS_PER_MS;
        channel->refresh_ns =
            channel->average_ns > PJI_HWMON_POLL_NS ? channel->average_ns : PJI_HWMON_POLL_NS;
        channel->lag_ns = (channel->average_ns + PJI_HWMON_POLL_NS) / 2;
    }
    channel->edge_u_ns = (int64_t)((double)(channel->average_ns + PJI_HWMON_POLL_NS) / sqrt12);
}

static void set_offset(const struct pji_hwmon_spot *spot, int64_t voltage_mv,
                       struct pji_channel *channel)
{
    double shunt_uohm = usual_shunt_uohm;

    if (spot->reading != PJI_HWMON_RAIL)
        return;
    (void)read_attribute(spot, "shunt", "resistor", &shunt_uohm);
    /* uV / uOhm is A, times mV is mW */
    channel->offset_mw = ina3221_offset_uv / shunt_uohm * (double)voltage_mv / sqrt3;
}

const char *pji_hwmon_stem(enum pji_hwmon_reading reading)
{
    switch (reading) {
    case PJI_HWMON_ENERGY:
        return "energy";
    case PJI_HWMON_POWER:
        return "power";
    case PJI_HWMON_RAIL:
        break;
    }
    return "rail";
}

static void set_place(const struct pji_hwmon_spot *spot, struct pji_channel *channel)
{
    const struct pji_hwmon_rule *rule = spot->rule;

    if (rule) {
        channel->domain_kind = rule->kind;
        pji_hwmon_expand(channel->domain, sizeof channel->domain, rule->domain, spot);
        pji_hwmon_expand(channel->parent, sizeof channel->parent, rule->parent, spot);
        (void)snprintf(channel->device, sizeof channel->device, "%s: %s%s", spot->chip,
                       rule->covers, channel->role == PJI_ROLE_AUX ? " (not added)" : "");
        return;
    }
    channel->domain_kind = PJI_DOMAIN_OTHER;
    (void)snprintf(channel->domain, sizeof channel->domain, "sensor:%.20s:%.8s%d", spot->device,
                   pji_hwmon_stem(spot->reading), spot->number);
    (void)snprintf(channel->parent, sizeof channel->parent, "machine");
    (void)snprintf(channel->device, sizeof channel->device, "%s: %.12s%scoverage unknown",
                   spot->chip, spot->label, spot->label[0] ? ", " : "");
}

static bool may_be_added(const struct pji_hwmon_spot *spot)
{
    char path[256];

    if (!spot->rule || spot->rule->role == PJI_ROLE_AUX)
        return false;
    if (spot->rule->not_on_cpu_soc && strstr(spot->cpu.name, "instinct"))
        return false;
    if (!spot->rule->needs)
        return true;
    (void)snprintf(path, sizeof path, "%s/%s", spot->folder, spot->rule->needs);
    return pji_path_exists(spot->platform, path);
}

void pji_hwmon_describe(const struct pji_hwmon_spot *spot, int64_t voltage_mv,
                        struct pji_channel *channel)
{
    bool counter = spot->reading == PJI_HWMON_ENERGY;
    enum pji_channel_role role = counter ? PJI_ROLE_ENERGY : PJI_ROLE_POWER;

    *channel = (struct pji_channel){.kind = counter ? PJI_COUNTER : PJI_GAUGE,
                                    .role = may_be_added(spot) ? role : PJI_ROLE_AUX,
                                    .origin = counter ? PJ_ORIGIN_COUNTER : PJ_ORIGIN_INTEGRATED,
                                    .quantum = 1,
                                    .companion = -1};
    (void)snprintf(channel->unit, sizeof channel->unit, "%s", counter ? "uJ" : "mW");
    (void)snprintf(channel->source, sizeof channel->source, "hwmon");
    (void)snprintf(channel->name, sizeof channel->name, "hwmon:%s:%s:%s%d", spot->chip,
                   spot->device, pji_hwmon_stem(spot->reading), spot->number);
    set_place(spot, channel);
    (void)snprintf(channel->com_id, sizeof channel->com_id, "hwmon:%.16s:%.20s:%.8s%d", spot->chip,
                   spot->device, pji_hwmon_stem(spot->reading), spot->number);
    if (channel->role == PJI_ROLE_AUX)
        return;
    channel->gain_rel = spot->rule->limit_rel / sqrt3;
    if (!counter)
        set_times(spot, channel);
    set_offset(spot, voltage_mv, channel);
}
