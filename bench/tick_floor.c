/* The floor of any sampler on this machine: a timerfd, and one pread for each counter.
 *
 *     tick_floor INTERVAL_US SECONDS FILE…
 *
 * CPU share in per cent of a core is for the caller to take (getrusage of children).
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { FILES = 16 };

int main(int argc, char **argv)
{
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
    every.it_value.tv_sec = every.it_interval.tv_sec = interval_us / 1000000;
    every.it_value.tv_nsec = every.it_interval.tv_nsec = interval_us % 1000000 * 1000;
    if (timerfd_settime(timer, 0, &every, NULL) < 0)
        return 2;
    while (ticks > 0) {
        uint64_t expirations;
        char text[64];

        if (read(timer, &expirations, sizeof expirations) < 0)
            return 2;
        ticks -= (long)expirations;
        for (int i = 0; i < n; i++) {
            if (pread(fds[i], text, sizeof text, 0) < 0)
                return 2;
        }
    }
    return 0;
}
