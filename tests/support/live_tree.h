/* support/live_tree.h - a root folder (the option `root`) in which two RAPL packages and a DRAM
 * zone count real time: a thread writes their counters every millisecond or so.
 *
 *     struct live_tree tree;
 *     live_tree_open(&tree);
 *     options.root = tree.dir;
 *     live_tree_close(&tree);
 */
#ifndef TEST_SUPPORT_LIVE_TREE_H
#define TEST_SUPPORT_LIVE_TREE_H

#include "temp.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { LIVE_ZONES = 3 };

struct live_tree {
    char dir[TEMP_PATH];
    int fds[LIVE_ZONES];
    _Atomic bool stop;
    _Atomic long long late_ns; /* the longest time between two writes: how stale a count can be */
    pthread_t thread;
};

/* 40, 25 and 3 W; package-0, package-1, and the DRAM of package-0. */
void live_tree_open(struct live_tree *tree);
/* How much the counters can be behind the time: on a busy machine the writer gets no turn. */
double live_tree_late_s(const struct live_tree *tree);
void live_tree_close(struct live_tree *tree);

#endif
