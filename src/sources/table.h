/* sources/table.h - the explicit list of instruments. Adding one is a new file src/sources/NAME.c
 * that defines `const struct pji_source_ops pji_source_NAME`, its line in meson.build, and its
 * declaration and row here and in table.c; the conformance suite then runs against it.
 *
 * Order is order of preference: where two sources offer the same domain, the earlier one's channels
 * come first in the trace.
 */
#ifndef PJI_SOURCES_TABLE_H
#define PJI_SOURCES_TABLE_H

#include "meter/source.h"

extern const struct pji_source_ops pji_source_rapl_perf;
extern const struct pji_source_ops pji_source_rapl_powercap;
extern const struct pji_source_ops pji_source_nvml;
extern const struct pji_source_ops pji_source_amdsmi;
extern const struct pji_source_ops pji_source_hwmon;
extern const struct pji_source_ops pji_source_model_cpu;
extern const struct pji_source_ops pji_source_model_ram;
extern const struct pji_source_ops pji_source_replay;

/* NULL-terminated. */
extern const struct pji_source_ops *const pji_sources[];

#endif
