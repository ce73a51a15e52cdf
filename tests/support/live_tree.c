/* See live_tree.h. The number is written over in place with a constant width, so that no reader
 * sees half of it. */
#include "live_tree.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const struct {
    const char *id, *name;
    double power_w;
} zones[LIVE_ZONES] = {{"intel-rapl:0", "package-0", 40},
                       {"intel-rapl:1", "package-1", 25},
                       {"intel-rapl:0:0", "dram", 3}};

static double now_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void count(struct live_tree *tree, double s)
{
    for (size_t i = 0; i < LIVE_ZONES; i++) {
        char text[32];
        int len = snprintf(text, sizeof text, "%lld\n",
                           100000000000LL + (long long)(zones[i].power_w * s * 1e6));

        if (pwrite(tree->fds[i], text, (size_t)len, 0) != len)
            abort();
    }
}

static void *run(void *arg)
{
    struct live_tree *tree = arg;
    double start_s = now_s(), before_s = start_s;

    while (!atomic_load(&tree->stop)) {
        const struct timespec pause = {.tv_nsec = 1000000};
        double at_s = now_s();

        count(tree, at_s - start_s);
        /* to the end of this write: what it says was true when it began */
        long long late_ns = (long long)((now_s() - before_s) * 1e9);
        if (late_ns > atomic_load(&tree->late_ns))
            atomic_store(&tree->late_ns, late_ns);
        before_s = at_s;
        (void)nanosleep(&pause, NULL);
    }
    return NULL;
}

void live_tree_open(struct live_tree *tree)
{
    char path[256];

    temp_open(tree->dir);
    for (size_t i = 0; i < LIVE_ZONES; i++) {
        (void)snprintf(path, sizeof path, "sys/class/powercap/%s/name", zones[i].id);
        temp_write(tree->dir, path, zones[i].name);
        (void)snprintf(path, sizeof path, "sys/class/powercap/%s/max_energy_range_uj", zones[i].id);
        temp_write(tree->dir, path, "262143328850\n");
        (void)snprintf(path, sizeof path, "sys/class/powercap/%s/energy_uj", zones[i].id);
        temp_write(tree->dir, path, "100000000000\n");
        (void)snprintf(path, sizeof path, "%s/sys/class/powercap/%s/energy_uj", tree->dir,
                       zones[i].id);
        tree->fds[i] = open(path, O_WRONLY | O_CLOEXEC);
        if (tree->fds[i] < 0)
            abort();
    }
    atomic_init(&tree->stop, false);
    atomic_init(&tree->late_ns, 0);
    if (pthread_create(&tree->thread, NULL, run, tree))
        abort();
}

double live_tree_late_s(const struct live_tree *tree)
{
    return (double)atomic_load(&tree->late_ns) / 1e9;
}

void live_tree_close(struct live_tree *tree)
{
    atomic_store(&tree->stop, true);
    (void)pthread_join(tree->thread, NULL);
    for (size_t i = 0; i < LIVE_ZONES; i++)
        (void)close(tree->fds[i]);
    temp_close(tree->dir);
}
