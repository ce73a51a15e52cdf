/* The floor of any sampler on this machine: a timerfd, and one pread for each counter.
 *
 *     tick_floor INTERVAL_US SECONDS FILE…
 *
 * CPU share in per cent of a core is for the caller to take (getrusage of children). How late its
 * ticks were, against the timer's schedule, is printed: "p50_ns p99_ns max_ns late_ticks".
 */
#include "energy/lateness.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { FILES = 16 };

static int64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int main(int argc, char **argv)
{
    static struct pji_lateness lateness;
    int64_t due_ns, late_ticks = 0;
    int fds[FILES];
    int n = argc - 3;
    long interval_us, ticks;
    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec every = {{0, 0}, {0, 0}};

    if (argc < 3 || n > FILES || timer < 0)
        return 2;
    interval_us = atol(argv[1]);
    ticks = (long)(atof(argv[2]) * 1e6) / interval_us;
    for (int i = 0; i < n; i++) {
        fds[i] = open(argv[i + 3], O_RDONLY);
        if (fds[i] < 0)
            return 2;
    }
    every.it_interval.tv_sec = interval_us / 1000000;
    every.it_interval.tv_nsec = interval_us % 1000000 * 1000;
    due_ns = now_ns() + interval_us * 1000;
    every.it_value.tv_sec = due_ns / 1000000000;
    every.it_value.tv_nsec = due_ns % 1000000000;
    if (timerfd_settime(timer, TFD_TIMER_ABSTIME, &every, NULL) < 0)
        return 2;
    while (ticks > 0) {
        uint64_t expirations;
        char text[64];

        if (read(timer, &expirations, sizeof expirations) < 0)
            return 2;
        pji_lateness_add(&lateness, now_ns() - due_ns);
        due_ns += (int64_t)expirations * interval_us * 1000;
        late_ticks += (int64_t)expirations - 1;
        ticks -= (long)expirations;
        for (int i = 0; i < n; i++) {
            if (pread(fds[i], text, sizeof text, 0) < 0)
                return 2;
        }
    }
    printf("%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "\n",
           pji_lateness_quantile_ns(&lateness, 0.5), pji_lateness_quantile_ns(&lateness, 0.99),
           lateness.max_ns, late_ticks);
    return 0;
}
