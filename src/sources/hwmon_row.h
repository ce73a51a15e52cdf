/* sources/hwmon_row.h - the channel of a sensor: from where it is and what is known about it. */
#ifndef PJI_SOURCES_HWMON_ROW_H
#define PJI_SOURCES_HWMON_ROW_H

#include "platform/platform.h"
#include "sources/hwmon_rules.h"

/* How often a sensor is read: between two reads, a power is taken to hold. */
#define PJI_HWMON_POLL_NS INT64_C(100000000)

struct pji_hwmon_spot {
    const struct pji_platform *platform;
    struct pji_cpu_info cpu;
    char folder[128]; /* of the attributes */
    char chip[24];
    char device[24]; /* "0000:03:00.0" */
    enum pji_hwmon_reading reading;
    int number;     /* of the sensor: 1 of power1_input */
    char label[64]; /* "" without */
    const struct pji_hwmon_rule *rule;
    const char *socket; /* the number in the label */
};

/* "energy", "power", "rail". */
const char *pji_hwmon_stem(enum pji_hwmon_reading reading);
/* A pattern of the rules with its '#' replaced. */
void pji_hwmon_expand(char *out, size_t size, const char *pattern,
                      const struct pji_hwmon_spot *spot);
/* voltage_mv: of a rail. */
void pji_hwmon_describe(const struct pji_hwmon_spot *spot, int64_t voltage_mv,
                        struct pji_channel *channel);

#endif
