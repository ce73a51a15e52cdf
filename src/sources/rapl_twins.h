/* sources/rapl_twins.h - are two counters the same energy, shown twice?
 *
 * A package is shown again through MMIO, and by some kernels once for each die. Names only suggest
 * it: two counters are twins when they are equal *and* moving. Read one after the other they differ
 * by what passes meanwhile, so the second has to lie between two readings of the first, and that
 * again after they moved: two counters that happen to start equal part with the first movement. A
 * pair that is equal but stands still proves nothing.
 */
#ifndef PJI_SOURCES_RAPL_TWINS_H
#define PJI_SOURCES_RAPL_TWINS_H

#include "sources/rapl_counters.h"

enum pji_rapl_twins {
    PJI_TWINS_PROVEN,    /* equal, and moved together */
    PJI_TWINS_STANDING,  /* equal, and neither moved while we looked: not proven */
    PJI_TWINS_UNSURE,    /* near each other, but not equal once they moved: not proven */
    PJI_TWINS_DIFFERENT, /* further apart than they moved, each time: two counters */
    PJI_TWINS_UNREAD
};

struct pji_rapl_pair {
    const struct pji_rapl_counter *first, *second;
    enum pji_rapl_twins verdict;
    int64_t begin_uj, moved_uj; /* private */
    size_t looks, equal, equal_moved, far;
};

/* Looks at all pairs, for at most 3 ms and only as long as one of them is undecided: a live
 * counter moves within its refresh of 1 ms. */
void pji_rapl_twins_watch(const struct pji_platform *platform, struct pji_rapl_pair *pairs,
                          size_t n, pji_rapl_read_fn *read);

#endif
