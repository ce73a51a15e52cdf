/* energy/lateness.h - how late the ticks of a sampler were: a histogram of fixed size, so that a
 * day at 1000 Hz takes no more room than a second.
 *
 * Eight bins for each doubling from 1 us on (12.5 % resolution), one bin for everything below.
 */
#ifndef PJI_ENERGY_LATENESS_H
#define PJI_ENERGY_LATENESS_H

#include <stddef.h>
#include <stdint.h>

enum { PJI_LATENESS_BINS = 256 };

struct pji_lateness {
    uint64_t ticks[PJI_LATENESS_BINS];
    uint64_t n;
    int64_t max_ns;
};

/* The bin that late_ns falls into; the last one takes all that is beyond 30 minutes. */
size_t pji_lateness_bin(int64_t late_ns);
/* Values of the bin are below this. */
int64_t pji_lateness_upto_ns(size_t bin);
void pji_lateness_add(struct pji_lateness *lateness, int64_t late_ns);
/* The upper end of the bin with the q-quantile (0…1), but not more than max_ns; 0 without ticks. */
int64_t pji_lateness_quantile_ns(const struct pji_lateness *lateness, double q);

#endif
