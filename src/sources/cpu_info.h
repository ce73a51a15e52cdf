/* sources/cpu_info.h - what /proc/cpuinfo says about the processor: who it is and how many there
 * are.
 */
#ifndef PJI_SOURCES_CPU_INFO_H
#define PJI_SOURCES_CPU_INFO_H

#include "platform/platform.h"

enum { PJI_CPU_NAME = 40 };

struct pji_cpu_info {
    char vendor[16];         /* "GenuineIntel", "AuthenticAMD", "" when unknown */
    char name[PJI_CPU_NAME]; /* short name: "xeon gold 6248", "" when unknown */
    int family, model;       /* x86 display family and model; -1 when unknown */
    int sockets;             /* >= 1 when known at all, else 0 */
    int cores;               /* physical cores of one socket, 0: unknown */
    int threads;             /* hardware threads of one socket, 0: unknown */
    bool virtual_machine;    /* the hypervisor flag is set */
    int stepping;            /* -1 when unknown */
    char microcode[16];      /* "0x5003604", "" when unknown */
    char machine[9]; /* which machine this is, "" when unknown: of machine-id(5), where there
                        is none of this boot, 32 bits of 128, so that it cannot be undone */
};

/* Never fails: what cannot be read stays unknown. */
void pji_cpu_info_read(const struct pji_platform *platform, struct pji_cpu_info *info);

/* The name by which the table of CPUs knows a processor: lower case, without "(R)", "(TM)", "CPU",
 * "Processor", generation, core count, graphics and frequency.
 * "Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz" -> "xeon gold 6248". */
void pji_cpu_short_name(const char *model_name, char out[PJI_CPU_NAME]);

#endif
