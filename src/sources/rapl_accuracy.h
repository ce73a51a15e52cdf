/* sources/rapl_accuracy.h - how far a RAPL counter may be off, as a standard uncertainty of its
 * gain.
 */
#ifndef PJI_SOURCES_RAPL_ACCURACY_H
#define PJI_SOURCES_RAPL_ACCURACY_H

#include "energy/channel.h"
#include "sources/cpu_info.h"

/* k=1, relative to the energy; common to all windows of the instrument. */
double pji_rapl_gain_rel(const struct pji_cpu_info *cpu, enum pji_domain_kind kind);

#endif
