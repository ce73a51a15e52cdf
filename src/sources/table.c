/* The one place that names every instrument: see table.h for what a new row needs. */
#include "sources/table.h"

const struct pji_source_ops *const pji_sources[] = {
    &pji_source_rapl_perf, &pji_source_rapl_powercap, &pji_source_nvml,
    &pji_source_amdsmi,    &pji_source_hwmon,         &pji_source_model_cpu,
    &pji_source_model_ram, &pji_source_replay,        NULL,
};
