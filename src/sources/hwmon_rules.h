/* sources/hwmon_rules.h - what a sensor of a known hwmon chip covers, and its place in the ledger.
 */
#ifndef PJI_SOURCES_HWMON_RULES_H
#define PJI_SOURCES_HWMON_RULES_H

#include "energy/channel.h"
#include "sources/cpu_info.h"

enum pji_hwmon_reading {
    PJI_HWMON_ENERGY, /* energyN_input, uJ */
    PJI_HWMON_POWER,  /* powerN_average or powerN_input, uW */
    PJI_HWMON_RAIL    /* inN_input, mV, times currN_input, mA */
};

struct pji_hwmon_rule {
    const char *chip;
    enum pji_hwmon_reading reading;
    const char *label; /* of the sensor; a '#' at its end stands for a number; "": it has none */
    const char *needs; /* a file the chip must have too, NULL: none */
    enum pji_domain_kind kind;
    enum pji_channel_role role; /* AUX: kept, never added */
    const char *domain;         /* '#': the number of the label, else the device */
    const char *parent;
    const char *covers;  /* for people */
    double limit_rel;    /* +-limits of the gain: see hwmon_rules.c */
    bool holds_memory;   /* the machine's memory is in it */
    bool not_on_cpu_soc; /* not added where the processor itself is the chip's device */
};

/* The rule of a sensor, NULL: nobody knows what it covers. *number (may be NULL) is the text after
 * the label's fixed part, "" without. */
const struct pji_hwmon_rule *pji_hwmon_rule_find(const char *chip, enum pji_hwmon_reading reading,
                                                 const char *label, const char **number);

/* Whether memory is part of a channel that enters totals, so that no model of it may be added. */
bool pji_hwmon_holds_memory(const struct pji_channel *channel);

/* Whether a power is one of the figures by which chips say that they have none, or beyond reason.
 */
bool pji_hwmon_power_is_absurd(int64_t power_uw);

#endif
