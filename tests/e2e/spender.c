/* A program whose energy is known: it advances the counters of a fake tree while it runs.
 *
 *     spender DURATION_MS STEPS FILE=UJ/MODULUS…
 *
 * Each FILE (an energy_uj) is advanced by UJ in STEPS equal shares (the last one takes what is left
 * over), spread over DURATION_MS, and wraps to 0 at MODULUS (0: never). Each value is written with
 * one pwrite of fixed width, so that a reader never sees half of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ZONES = 16 };

struct zone {
    int fd;
    int64_t value_uj, energy_uj, modulus_uj, spent_uj;
};

static void fail(const char *what)
{
    (void)fprintf(stderr, "spender: %s: %s\n", what, strerror(errno));
    exit(99);
}

static void open_zone(struct zone *zone, char *argument)
{
    char *amount = strrchr(argument, '=');
    char text[64] = "";
    char *end;

    if (!amount)
        fail(argument);
    *amount++ = '\0';
    zone->energy_uj = strtoll(amount, &end, 10);
    zone->modulus_uj = *end == '/' ? strtoll(end + 1, NULL, 10) : 0;
    zone->fd = open(argument, O_RDWR | O_CLOEXEC);
    if (zone->fd < 0 || pread(zone->fd, text, sizeof text - 1, 0) < 1)
        fail(argument);
    zone->value_uj = strtoll(text, NULL, 10);
}

static void spend(struct zone *zone, int64_t energy_uj)
{
    char text[32];

    zone->spent_uj += energy_uj;
    zone->value_uj += energy_uj;
    if (zone->modulus_uj > 0)
        zone->value_uj %= zone->modulus_uj;
    (void)snprintf(text, sizeof text, "%020lld\n", (long long)zone->value_uj);
    if (pwrite(zone->fd, text, strlen(text), 0) != (ssize_t)strlen(text))
        fail("pwrite");
}

int main(int argc, char **argv)
{
    struct zone zones[ZONES] = {{0}};
    struct timespec rest;
    int64_t share_ns;
    int steps, n = argc - 3;

    if (argc < 4 || n > ZONES)
        return 98;
    steps = atoi(argv[2]);
    share_ns = (int64_t)(atof(argv[1]) * 1e6) / (steps > 0 ? steps : 1);
    rest = (struct timespec){.tv_sec = (time_t)(share_ns / 1000000000),
                             .tv_nsec = (long)(share_ns % 1000000000)};
    for (int i = 0; i < n; i++)
        open_zone(&zones[i], argv[i + 3]);
    for (int step = 1; step <= steps; step++) {
        (void)nanosleep(&rest, NULL);
        for (int i = 0; i < n; i++)
            spend(&zones[i], step < steps ? zones[i].energy_uj / steps
                                          : zones[i].energy_uj - zones[i].spent_uj);
    }
    return 0;
}
