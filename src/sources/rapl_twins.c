/* See rapl_twins.h. */
#include "sources/rapl_twins.h"

#include <time.h>

enum { LOOKS = 7 };

static const struct timespec between = {.tv_nsec = 500000};

/* Equal to the count after this many movements is proof enough: two counters that only started
 * equal part with the first one. Looks during which the first one stepped prove nothing. */
enum { PROOF = 2 };

/* Further apart than a refresh of any package brings, and than any two readings of one. */
#define STEP_UJ   INT64_C(1000000)
#define WORLDS_UJ INT64_C(1000000000)

static int64_t distance(int64_t low_uj, int64_t value_uj, int64_t high_uj)
{
    if (value_uj > high_uj)
        return value_uj - high_uj;
    return value_uj < low_uj ? low_uj - value_uj : 0;
}

static void look(const struct pji_platform *platform, struct pji_rapl_pair *pair,
                 pji_rapl_read_fn *read)
{
    int64_t before_uj, value_uj, after_uj, apart_uj;

    if (read(platform, pair->first, &before_uj) || read(platform, pair->second, &value_uj) ||
        read(platform, pair->first, &after_uj)) {
        pair->verdict = PJI_TWINS_UNREAD;
        return;
    }
    if (pair->looks++ == 0)
        pair->begin_uj = before_uj;
    if (after_uj < pair->begin_uj || after_uj < before_uj)
        return; /* it wrapped: this look says nothing */
    apart_uj = distance(before_uj, value_uj, after_uj);
    pair->equal += apart_uj == 0;
    pair->equal_moved +=
        apart_uj == 0 && before_uj == after_uj && before_uj - pair->begin_uj > pair->moved_uj;
    if (after_uj - pair->begin_uj > pair->moved_uj)
        pair->moved_uj = after_uj - pair->begin_uj;
    pair->far += apart_uj > pair->moved_uj + STEP_UJ;
    if (apart_uj > WORLDS_UJ)
        pair->verdict = PJI_TWINS_DIFFERENT;
    else if (pair->equal_moved >= PROOF && pair->equal == pair->looks)
        pair->verdict = PJI_TWINS_PROVEN;
}

static void conclude(struct pji_rapl_pair *pair)
{
    if (pair->verdict != PJI_TWINS_UNSURE)
        return;
    if (pair->equal == pair->looks && pair->moved_uj == 0)
        pair->verdict = PJI_TWINS_STANDING;
    else if (pair->far == pair->looks)
        pair->verdict = PJI_TWINS_DIFFERENT;
}

void pji_rapl_twins_watch(const struct pji_platform *platform, struct pji_rapl_pair *pairs,
                          size_t n, pji_rapl_read_fn *read)
{
    bool open = n > 0;

    for (size_t i = 0; i < n; i++)
        pairs[i].verdict = PJI_TWINS_UNSURE;
    for (int k = 0; open && k < LOOKS; k++) {
        if (k > 0)
            (void)nanosleep(&between, NULL);
        open = false;
        for (size_t i = 0; i < n; i++) {
            if (pairs[i].verdict == PJI_TWINS_UNSURE)
                look(platform, &pairs[i], read);
            open = open || pairs[i].verdict == PJI_TWINS_UNSURE;
        }
    }
    for (size_t i = 0; i < n; i++)
        conclude(&pairs[i]);
}
