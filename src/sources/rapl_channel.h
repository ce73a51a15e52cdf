/* sources/rapl_channel.h - what the two ways to the RAPL counters (perf events and powercap) share:
 * the names of their domains and the rows of their channels. Both name a domain alike, so that
 * whoever comes second knows what is already read.
 */
#ifndef PJI_SOURCES_RAPL_CHANNEL_H
#define PJI_SOURCES_RAPL_CHANNEL_H

#include "meter/source.h"
#include "sources/cpu_info.h"
#include "sources/rapl_zones.h"

/* Domain, parent and kind of what `zone` counts; AUX as role where it is not known what the domain
 * overlaps with. */
void pji_rapl_zone_domain(struct pji_channel *channel, const struct pji_rapl_zones *zones,
                          const struct pji_rapl_zone *zone);
/* The same for one domain of the package `number` ("0", "1-die-0"). psys: "psys" and its kin count
 * as the parent of packages. */
void pji_rapl_package_domain(struct pji_channel *channel, enum pji_domain_kind kind,
                             const char *number, bool psys);

/* A RAPL counter in uJ, as yet of no domain. */
void pji_rapl_channel_init(struct pji_channel *channel, const char *source);
/* What follows from the domain: name, identity, gain. The identity is "CLASS@INSTANCE": processors
 * of one model share their design, a machine's counter is one instrument (docs/uncertainty.md). */
void pji_rapl_channel_finish(struct pji_channel *channel, const char *prefix,
                             const struct pji_cpu_info *cpu);
/* Resolution and largest power of the zone, from the kernel's figures. */
void pji_rapl_channel_limits(struct pji_channel *channel, const struct pji_rapl_zone *zone);

/* Whether two domains count the same energy: one and the same, or a die and its package. */
bool pji_rapl_overlap(const char *domain, const char *other);

#endif
