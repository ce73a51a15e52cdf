/* evidence/host.h - what else the machine did while a window was open: its state just before and
 * just after, and the difference. Read outside the window, so looking costs the measurement
 * nothing.
 *
 * Own CPU time is that of the given process and its descendants, with the time of the children that
 * they have waited for: a program that ended inside the window still counts as ours. What the
 * processors were busy with beyond that is foreign, whether or not its process lives long enough to
 * be seen. Resolution is that of /proc/stat, 1/100 s for each processor: windows under a second are
 * not judged. See proc(5); Documentation/admin-guide/pm/cpufreq.rst (scaling_max_freq);
 * Documentation/power/powercap/powercap.rst (constraint_*_power_limit_uw);
 * Documentation/admin-guide/ thermal (thermal_throttle); pid_namespaces(7), whose first one has a
 * fixed inode number (PROC_PID_INIT_INO in linux/proc_ns.h).
 */
#ifndef PJI_EVIDENCE_HOST_H
#define PJI_EVIDENCE_HOST_H

#include "platform/proc_stat.h"

/* Zero-initialise. -1: unknown on this machine. */
struct pji_host_state {
    int64_t t_ns;
    unsigned cpus; /* 0: /proc/stat could not be read */
    uint64_t busy_ticks, steal_ticks;
    int64_t swap_pages;              /* in and out, since boot */
    int64_t throttle_count;          /* of all cores and packages, since boot */
    int64_t freq_cap_khz;            /* sum of scaling_max_freq */
    int64_t power_cap_uw;            /* sum of RAPL power limits */
    struct pji_proc_stat *processes; /* in order of pid */
    size_t n, cap;
    bool first_pids; /* our pids are those of the machine's first pid namespace */
};

/* Replaces what `state` held. Fails on lack of memory only: what cannot be read is unknown. */
pj_status pji_host_read(struct pji_host_state *state, const struct pji_platform *platform,
                        struct pj_error *err);
void pji_host_fini(struct pji_host_state *state);

/* What happened between two states. NaN and -1: unknown. */
struct pji_host_change {
    bool known; /* false in a zeroed struct: nobody looked */
    double dur_s;
    double steal_share;   /* of all processors' time, taken by the hypervisor for others */
    double foreign_share; /* of all processors' time, used by processes that are not ours */
    int64_t foreign_pid;  /* the busiest of those that were seen, 0: none */
    char foreign_name[16];
    int64_t swap_b;
    int64_t throttled; /* times */
    int64_t freq_cap_before_khz, freq_cap_after_khz;
    int64_t power_cap_before_uw, power_cap_after_uw;
};

/* `own`: the process whose family is ours; 0: nobody can tell (an engine that we did not start), so
 * foreign_share is unknown. */
void pji_host_compare(const struct pji_host_state *before, const struct pji_host_state *after,
                      int64_t own, struct pji_host_change *change);

/* Whose a process is that somebody else named by its pid. */
enum pji_owner {
    PJI_OWNER_UNSEEN, /* no such process can be seen here */
    PJI_OWNER_US,     /* of the family of `own` */
    PJI_OWNER_FOREIGN
};
enum pji_owner pji_host_owner(const struct pji_host_state *state, int64_t own, int64_t pid,
                              char name[16]);

#endif
