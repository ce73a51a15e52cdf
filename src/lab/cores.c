#include "lab/cores.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CORES_LEAST = 4 };

static void write_list(const cpu_set_t *set, char text[PJI_CORES_TEXT])
{
    size_t len = 0;
    text[0] = '\0';
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        size_t last = cpu;
        if (!CPU_ISSET(cpu, set))
            continue;
        while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, set))
            last++;
        int more = last > cpu ? snprintf(text + len, PJI_CORES_TEXT - len, "%s%zu-%zu",
                                         len > 0 ? "," : "", cpu, last)
                              : snprintf(text + len, PJI_CORES_TEXT - len, "%s%zu",
                                         len > 0 ? "," : "", cpu);
        len += more > 0 ? (size_t)more : 0;
        if (len >= PJI_CORES_TEXT) { /* half a list would bind to the wrong ones */
            text[0] = '\0';
            return;
        }
        cpu = last;
    }
}

/* The threads of the core of `cpu`, of those in `allowed`: a list such as "2-3" or "2,66". */
static void siblings(const struct pji_platform *platform, size_t cpu, const cpu_set_t *allowed,
                     cpu_set_t *out)
{
    char path[96], text[256];
    CPU_ZERO(out);
    CPU_SET(cpu, out);
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%zu/topology/thread_siblings_list",
             cpu);
    if (pji_read_text(platform, path, text, sizeof text, NULL, NULL) != PJ_OK)
        return;
    for (char *at = text; *at != '\0';) {
        long first = strtol(at, &at, 10), last = first;
        if (*at == '-')
            last = strtol(at + 1, &at, 10);
        for (long i = first; i <= last && i >= 0 && i < CPU_SETSIZE; i++)
            if (CPU_ISSET((size_t)i, allowed))
                CPU_SET((size_t)i, out);
        if (*at != ',')
            return;
        at++;
    }
}

void pji_cores_divide(struct pji_cores *cores, const struct pji_platform *platform)
{
    cpu_set_t left, core, server;
    int n = 0;
    *cores = (struct pji_cores){0};
    if (sched_getaffinity(0, sizeof cores->before, &cores->before) != 0)
        return;
    left = server = cores->before;
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &left))
            continue;
        siblings(platform, cpu, &cores->before, &core);
        CPU_XOR(&left, &left, &core); /* core is within left: each core is met once */
        n++;
        /* the last but one: the last is the meter's (metering.c) */
        if (CPU_COUNT(&left) > 0)
            cores->client_set = core;
    }
    if (n < CORES_LEAST)
        return;
    CPU_XOR(&server, &server, &cores->client_set);
    write_list(&cores->client_set, cores->client);
    write_list(&server, cores->server);
    cores->split = cores->client[0] != '\0' && cores->server[0] != '\0';
}

void pji_cores_bind(struct pji_cores *cores)
{
    if (cores->split && !cores->bound)
        cores->bound = sched_setaffinity(0, sizeof cores->client_set, &cores->client_set) == 0;
}

void pji_cores_release(struct pji_cores *cores)
{
    if (cores->bound)
        (void)sched_setaffinity(0, sizeof cores->before, &cores->before);
    cores->bound = false;
}
