/* platform/proc_stat.h - one process as /proc/PID/stat shows it (proc(5), field numbers below). */
#ifndef PJI_PLATFORM_PROC_STAT_H
#define PJI_PLATFORM_PROC_STAT_H

#include "platform/platform.h"

struct pji_proc_stat {
    pid_t pid, parent, group; /* 1, 4, 5 */
    uint64_t start_ticks;     /* 22: since boot; with the pid it names a process for good */
    uint64_t own_ticks;       /* 14 + 15: CPU time, user and system */
    uint64_t waited_ticks;    /* 16 + 17: of ended children that it has waited for */
    char state;               /* 3: R, S, D, T, Z … */
    char name[16];            /* 2 */
};

/* False when the process is gone, may not be seen, or the text is none of a process. */
bool pji_proc_stat_read(const struct pji_platform *platform, pid_t pid, struct pji_proc_stat *out);

#endif
