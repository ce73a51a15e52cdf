/* evidence/sensors.h - how warm the machine is: what Linux shows of it below /sys, for the start of
 * a trial and for a cool-down by state.
 *
 * Taken are sensors of processors and graphics: hwmon chips of known names (coretemp, k10temp,
 * cpu_thermal, amdgpu, …; of coretemp and its like the packages alone where they are labelled,
 * because a single core's value jumps by degrees). Where there is none, thermal zones, without
 * those of radios and batteries. Discs, network cards and the air at the intake have time constants
 * of their own and are left out. See Documentation/hwmon/sysfs-interface.rst, hwmon/coretemp.rst,
 * hwmon/k10temp.rst and Documentation/driver-api/thermal/sysfs-api.rst: all values are
 * millidegrees. Instruments that the meter reads (NVML) are added by the caller.
 */
#ifndef PJI_EVIDENCE_SENSORS_H
#define PJI_EVIDENCE_SENSORS_H

#include "platform/platform.h"

enum { PJI_TEMPS = 32 };

struct pji_temp {
    char name[64]; /* "coretemp-0:Package id 0", "thermal_zone0:x86_pkg_temp", "nvml:0:temp" */
    double temp_c;
};

struct pji_temps {
    struct pji_temp at[PJI_TEMPS];
    size_t n;
};

/* What can be read now, in the order of the folders' names; a sensor that cannot be read is left
 * out. */
void pji_temps_read(struct pji_temps *temps, const struct pji_platform *platform);
/* Adds or replaces one; without effect when there are too many. */
void pji_temps_put(struct pji_temps *temps, const char *name, double temp_c);
/* NULL: there is none of that name. */
const struct pji_temp *pji_temps_find(const struct pji_temps *temps, const char *name);

#endif
