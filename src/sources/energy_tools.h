/* sources/energy_tools.h - other programs that measure energy, found in /proc.
 *
 * They matter because they read the same instruments: they cost time and energy that is counted as
 * the workload's, wake idle cores and GPUs, and some reset or lock what they read.
 *
 * A program is known by the name of its file; one that an interpreter runs by its script or its
 * module (`python3 -m codecarbon …`, `python3 /usr/bin/codecarbon …`). A library inside somebody's
 * own script cannot be seen from outside.
 */
#ifndef PJI_SOURCES_ENERGY_TOOLS_H
#define PJI_SOURCES_ENERGY_TOOLS_H

#include "platform/platform.h"

struct pji_energy_tool {
    const char *name;   /* "codecarbon": a static string */
    const char *effect; /* what it does to a measurement: a static string */
    int pid;
};

enum { PJI_ENERGY_TOOLS = 64 };

/* The tool that runs under this command line (its words separated by NUL, as in /proc/PID/cmdline),
 * or where that is empty under the name `comm`; pid 0. NULL name: none. */
struct pji_energy_tool pji_energy_tool_of(const char *cmdline, size_t len, const char *comm);

/* Those that run, in the order of /proc's names, without ourselves. *n of at most PJI_ENERGY_TOOLS;
 * false when /proc cannot be listed. */
bool pji_energy_tools_find(const struct pji_platform *platform,
                           struct pji_energy_tool tools[PJI_ENERGY_TOOLS], size_t *n);

#endif
