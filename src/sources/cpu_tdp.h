/* sources/cpu_tdp.h - thermal design power of common processors (generated: tools/cpu-tdp-table).
 */
#ifndef PJI_SOURCES_CPU_TDP_H
#define PJI_SOURCES_CPU_TDP_H

#include <stddef.h>

struct pji_cpu_tdp {
    char name[28]; /* as pji_cpu_short_name gives it; an array: no relocation at start-up */
    unsigned short tdp_w, year; /* year of introduction of its series */
};

extern const struct pji_cpu_tdp pji_cpu_tdp_table[]; /* sorted by name */
extern const size_t pji_cpu_tdp_count;

/* The row of a processor, or NULL. */
const struct pji_cpu_tdp *pji_cpu_tdp_find(const char *short_name);

#endif
