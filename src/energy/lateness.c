/* See lateness.h. */
#include "energy/lateness.h"

enum { LEAST_BITS = 10, SUB_BITS = 3, SUBS = 1 << SUB_BITS };

size_t pji_lateness_bin(int64_t late_ns)
{
    if (late_ns < (1 << LEAST_BITS)) {
        return 0;
    }
    int octave = 63 - __builtin_clzll((unsigned long long)late_ns);
    size_t sub = ((uint64_t)late_ns >> (octave - SUB_BITS)) & (SUBS - 1);
    size_t bin = 1 + (size_t)(octave - LEAST_BITS) * SUBS + sub;
    return bin < PJI_LATENESS_BINS ? bin : PJI_LATENESS_BINS - 1;
}

int64_t pji_lateness_upto_ns(size_t bin)
{
    if (bin == 0) {
        return 1 << LEAST_BITS;
    }
    size_t octave = LEAST_BITS + (bin - 1) / SUBS, sub = (bin - 1) % SUBS;
    return (int64_t)((uint64_t)(SUBS + sub + 1) << (octave - SUB_BITS));
}

void pji_lateness_add(struct pji_lateness *lateness, int64_t late_ns)
{
    lateness->ticks[pji_lateness_bin(late_ns)]++;
    lateness->n++;
    lateness->max_ns = late_ns > lateness->max_ns ? late_ns : lateness->max_ns;
}

int64_t pji_lateness_quantile_ns(const struct pji_lateness *lateness, double q)
{
    uint64_t seen = 0;
    for (size_t i = 0; i < PJI_LATENESS_BINS; i++) {
        seen += lateness->ticks[i];
        if (seen > 0 && (double)seen >= q * (double)lateness->n) {
            int64_t upto_ns = pji_lateness_upto_ns(i);
            return upto_ns < lateness->max_ns ? upto_ns : lateness->max_ns;
        }
    }
    return 0;
}
