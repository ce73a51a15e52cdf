/* platform/process.h - child processes by pidfd, reaped on every path.
 *
 * A child is started in two steps when `hold` is set: it exists (its pid is known, a meter can take
 * its baseline) but has not executed yet; pji_process_release lets it exec. A failed exec is
 * reported with its errno, never as a child's exit status.
 *
 * Zero-initialise struct pji_process. Whoever spawned a child calls pji_process_wait until it is
 * reaped, or pji_process_end: both close every descriptor. One thread at a time for one object.
 * Nobody else in the process may wait for all children (waitpid(-1)) or ignore SIGCHLD.
 */
#ifndef PJI_PLATFORM_PROCESS_H
#define PJI_PLATFORM_PROCESS_H

#include "core/error.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct pji_spawn {
    const char *const *argv;   /* NULL-terminated; argv[0] is looked up in PATH */
    const char *const *env;    /* NULL: the caller's environment */
    const char *cwd;           /* NULL: unchanged */
    int fd_in, fd_out, fd_err; /* -1: inherit */
    const int *keep_fds; /* further descriptors to leave open (numbers unchanged), -1-terminated;
                            NULL: none (at most 32). Everything else is closed in the child
                            even before exec: a held child keeps nobody's pipe open. */
    bool keep_all;       /* leave descriptors above 2 to their own close-on-exec flags, as a program
                            that only wraps another must */
    bool new_session;    /* setsid(2) in the child */
    bool hold;           /* wait for pji_process_release before exec */
    int death_signal;    /* PR_SET_PDEATHSIG in the child, 0: none. The kernel sends it when the
                            spawning thread ends, not only when the process does */
    const sigset_t *mask; /* blocked signals in the child, NULL: none. A caller that blocked
                             signals through platform/signals.h passes its `before` */
    const char *cpus;     /* affinity list such as "0,2-3", NULL: inherit */
};

struct pji_process {
    pid_t pid;            /* 0: none */
    int pidfd;            /* readable when the child has ended; -1: none */
    int gate_fd;          /* held child: release end; else -1 */
    int exec_fd;          /* reports exec failure; -1 once known */
    uint64_t start_ticks; /* field 22 of /proc/PID/stat: pid + start time name a process for ever */
    bool reaped;
    int wait_status;            /* as waitpid(2), valid when reaped */
    int64_t user_us, system_us; /* CPU time of the reaped child and its waited-for children */
};

/* Starts a child. Without hold, returns only after exec succeeded; an exec failure is
 * PJ_ENOTFOUND (no such program: exit code 127) or PJ_EACCESS (not executable: 126). */
pj_status pji_process_spawn(struct pji_process *process, const struct pji_spawn *how,
                            struct pj_error *err);
/* Lets a held child exec and waits until it did or failed (same errors as spawn). */
pj_status pji_process_release(struct pji_process *process, struct pj_error *err);
/* Waits at most timeout_ns (negative: for ever; 0: poll). PJ_OK and reaped, or PJ_ETIMEOUT (which
 * leaves err alone). PJ_ESTATE when somebody else reaped it: then its exit status is lost. */
pj_status pji_process_wait(struct pji_process *process, int64_t timeout_ns, struct pj_error *err);
/* Sends a signal through the pidfd: never hits another process. 0 also when it already ended. */
pj_status pji_process_signal(struct pji_process *process, int signal_number, struct pj_error *err);
/* TERM (and CONT, so that a stopped child can obey), wait grace_ns, KILL, reap. Leaves nothing
 * behind; only a child that the kernel itself cannot end (stuck in a driver) is given up after 30 s
 * more, and then `reaped` stays false. No-op on a reaped or never spawned child. */
void pji_process_end(struct pji_process *process, int64_t grace_ns);
/* Ends (as above) a process that is not our child, named by pid and start time; PJ_OK also when it
 * is gone or the pid now belongs to somebody else; PJ_ETIMEOUT when it survived KILL for 30 s. */
pj_status pji_process_end_foreign(pid_t pid, uint64_t start_ticks, int64_t grace_ns,
                                  struct pj_error *err);
/* Start time of a process, PJ_ENOTFOUND when there is none. */
pj_status pji_process_start_ticks(pid_t pid, uint64_t *ticks, struct pj_error *err);
/* Exit code as a shell reports it: status, or 128 + signal. */
int pji_process_exit_code(int wait_status);

/* Whether `program` could be run with cwd as its folder (NULL: ours): a path as it is, a name along
 * PATH. Starts nothing. PJ_ENOTFOUND, PJ_EACCESS, PJ_EIO with a sentence that names it. */
pj_status pji_process_find(const char *cwd, const char *program, struct pj_error *err);

/* Identity of this boot, "" when it cannot be read: pids and start times mean nothing after
 * another. size of 37 is enough. */
void pji_boot_id(char *text, size_t size);

#endif
