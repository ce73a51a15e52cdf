/* platform/process_child.h - what happens between fork and exec; for platform/process.c only.
 *
 * The parent may have threads, so the child calls nothing but async-signal-safe functions
 * (signal-safety(7)) and takes no memory: everything that needs more is prepared before the fork.
 */
#ifndef PJI_PLATFORM_PROCESS_CHILD_H
#define PJI_PLATFORM_PROCESS_CHILD_H

#include "platform/process.h"

#include <stddef.h>

enum { PJI_CHILD_CPU_WORDS = 128, PJI_CHILD_KEEP_MAX = 32 };

/* The step of the child's preparation that failed. */
enum pji_child_step {
    PJI_CHILD_SESSION,
    PJI_CHILD_DEATH_SIGNAL,
    PJI_CHILD_AFFINITY,
    PJI_CHILD_FOLDER,
    PJI_CHILD_DESCRIPTORS,
    PJI_CHILD_EXEC
};

/* Written to the report descriptor when exec does not happen. */
struct pji_child_report {
    int step; /* enum pji_child_step */
    int sys_errno;
};

struct pji_child_plan {
    const struct pji_spawn *how;
    char *const *argv;
    char *const *env;
    pid_t parent;
    int gate_fd;                             /* child's end: -1 when it is not held */
    int report_fd;                           /* child's end */
    unsigned long cpus[PJI_CHILD_CPU_WORDS]; /* affinity mask, used when n_cpu_bytes > 0 */
    size_t n_cpu_bytes;
    int open_fds[PJI_CHILD_KEEP_MAX + 2]; /* descriptors above 2 that stay open, ascending */
    size_t n_open;
    sigset_t mask;
};

/* Never returns: execs or ends with status 127 after a report. */
_Noreturn void pji_child_run(const struct pji_child_plan *plan);

#endif
