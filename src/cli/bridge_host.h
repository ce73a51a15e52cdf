/* cli/bridge_host.h - the columns of `energibridge` that need no meter: usage and frequency of each
 * CPU, memory and swap, from /proc and /sys.
 */
#ifndef PJI_CLI_BRIDGE_HOST_H
#define PJI_CLI_BRIDGE_HOST_H

#include "cli/bridge_table.h"
#include "platform/platform.h"

struct pji_bridge_cpu;

struct pji_bridge_host {
    const struct pji_platform *platform; /* borrowed */
    int stat_handle, meminfo_handle;     /* -1: not there, and no columns */
    int cpuinfo_handle;                  /* frequencies of CPUs without cpufreq; -1: not needed */
    struct pji_bridge_cpu *cpus;
    size_t n_cpus, cap_cpus;
    size_t memory_columns[4];
    char *text; /* what a file holds */
};

/* Adds a column for everything that can be read here. pji_bridge_host_close also after a failure.
 */
pj_status pji_bridge_host_open(struct pji_bridge_host *host, const struct pji_platform *platform,
                               struct pji_bridge_table *table, struct pj_error *err);
void pji_bridge_host_close(struct pji_bridge_host *host);

/* Sets the columns. Usage is that since the sample before: not known in the first one, nor when no
 * clock tick passed. Opens and allocates nothing. */
void pji_bridge_host_sample(struct pji_bridge_host *host, struct pji_bridge_table *table);

#endif
