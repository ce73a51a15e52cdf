/* sources/cpu_stat.h - the first line of /proc/stat. */
#ifndef PJI_SOURCES_CPU_STAT_H
#define PJI_SOURCES_CPU_STAT_H

#include <stddef.h>
#include <stdint.h>

/* Sums over all CPUs since boot, in jiffies of USER_HZ (10 ms). */
struct pji_cpu_stat {
    uint64_t busy;  /* user, nice, system, irq, softirq */
    uint64_t total; /* busy, idle, iowait and steal */
};

/* Parses text[0..len), which begins with the line "cpu  …": 0 or -EBADMSG. */
int pji_cpu_stat_parse(const char *text, size_t len, struct pji_cpu_stat *out);

#endif
