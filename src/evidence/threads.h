/* evidence/threads.h - how busy single threads were while a window was open: of our own process,
 * which sends the requests, and of the rest of our family, which answers them.
 *
 * A thread that uses a whole processor is what the others wait for. Time on a processor is the
 * first number of /proc/PID/task/TID/schedstat, ns (Documentation/scheduler/sched-stats.rst);
 * kernels without it tell nothing. A thread that was born or ended inside the window is not seen.
 */
#ifndef PJI_EVIDENCE_THREADS_H
#define PJI_EVIDENCE_THREADS_H

#include "evidence/host.h"

struct pji_thread_time {
    int64_t pid, tid, cpu_ns;
};

/* Zero-initialise. */
struct pji_threads {
    struct pji_thread_time *times; /* in order of tid */
    size_t n, cap;
    int64_t t_ns;
};

/* The threads of `own` and of its family as `host` saw it. Replaces what was held; fails on lack of
 * memory only. */
pj_status pji_threads_read(struct pji_threads *threads, const struct pji_platform *platform,
                           const struct pji_host_state *host, int64_t own, struct pj_error *err);
void pji_threads_fini(struct pji_threads *threads);

/* Shares of one processor; NaN: nobody could tell. */
struct pji_busiest {
    bool known; /* false in a zeroed struct: nobody looked */
    double client_share, server_share;
    char client_name[16], server_name[16];
};
void pji_threads_compare(const struct pji_threads *before, const struct pji_threads *after,
                         int64_t own, const struct pji_platform *platform,
                         struct pji_busiest *busiest);

#endif
