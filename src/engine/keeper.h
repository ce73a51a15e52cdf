/* engine/keeper.h - the small process that stands between perjoule and an engine.
 *
 * A serving engine is a tree of processes that may fork twice, call setsid(2), ignore SIGTERM or
 * hang. The keeper (perjoule-keeper, keeper_main.c) is a child subreaper: whatever the tree
 * does, an orphan of it becomes the keeper's child and cannot get away. It holds one end of a
 * socket pair; when the other end is closed, because we asked or because we were killed, it ends
 * the whole tree (TERM, grace, KILL until nothing is left; cgroup.kill where it may make a cgroup
 * of its own) and exits. See prctl(2) PR_SET_CHILD_SUBREAPER, pidfd_open(2), and Documentation/
 * admin-guide/cgroup-v2.rst for cgroup.kill.
 *
 * This header is the owner's side. One thread at a time; no call blocks longer than it says.
 */
#ifndef PJI_ENGINE_KEEPER_H
#define PJI_ENGINE_KEEPER_H

#include "platform/platform.h"
#include "platform/process.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PJI_KEEPER_LINE = 160 };

struct pji_keeper_spawn {
    const char *const *keeper_argv; /* program and arguments that run a keeper, NULL-terminated */
    const char *const *argv;        /* the engine, NULL-terminated */
    const char *const *env;         /* NAME=value added to our environment, NULL-terminated; NULL */
    const char *cwd;                /* of the engine, NULL: ours */
    const char *cpus;               /* processors of keeper and engine, "0,2-3"; NULL: ours */
    const char *log_path;           /* its stdout and stderr are appended here */
    int in_fd, out_fd;              /* its stdin and stdout instead; 0: /dev/null and the log */
    int64_t grace_ns;               /* TERM to KILL when we die without a word */
    bool no_cgroup;                 /* do not try cgroup.kill (tests of the walk through /proc) */
    /* Called for "keeper" and "engine" while each still waits to exec. */
    pj_status (*on_process)(void *context, const char *role, int64_t pid, uint64_t start_ticks,
                            struct pj_error *err);
    void *context;
};

/* Zero-initialise, or pji_keeper_init; pji_keeper_stop is harmless on both. */
struct pji_keeper {
    struct pji_platform platform;
    struct pji_process process; /* the keeper itself */
    int fd;                     /* our end of the socket pair, -1: closed */
    pid_t engine_pid;           /* 0: none was started */
    uint64_t engine_ticks;
    int engine_pidfd; /* readable when the engine's first process has ended */
    bool started, running, exited, gone;
    int failed_errno;              /* exec of the engine failed */
    int wait_status;               /* as waitpid(2), valid when exited */
    int64_t exit_ns;               /* when the keeper reaped it */
    int64_t user_us, system_us;    /* CPU time of the engine and the children it waited for */
    char program[PJI_KEEPER_LINE]; /* of the engine, for messages; possibly cut */
    char line[PJI_KEEPER_LINE];    /* unfinished message */
    size_t line_len;
    bool open;
};

void pji_keeper_init(struct pji_keeper *keeper);

/* Starts a keeper and under it the engine, held before exec. On failure nothing is left running. */
pj_status pji_keeper_spawn(struct pji_keeper *keeper, const struct pji_keeper_spawn *how,
                           struct pj_error *err);
/* Lets the engine exec; PJ_ENOTFOUND or PJ_EACCESS when it cannot. The keeper must still be
 * stopped after a failure. *start_ns (may be NULL) gets the time just before. */
pj_status pji_keeper_release(struct pji_keeper *keeper, int64_t *start_ns, struct pj_error *err);
/* Takes what the keeper has said meanwhile; never blocks. */
void pji_keeper_update(struct pji_keeper *keeper);
/* Waits until the engine's first process has ended: PJ_OK (then `exited`), PJ_ETIMEOUT,
 * PJ_ECANCELED when stop_fd (-1: none) is readable, PJ_EPEER when the keeper itself was lost. */
pj_status pji_keeper_wait(struct pji_keeper *keeper, int64_t timeout_ns, int stop_fd,
                          struct pj_error *err);
/* Ends the whole tree and the keeper, and checks that they are gone. Works on a keeper that is
 * stopped (SIGSTOP) or was killed. PJ_EPEER when something could not be ended: the message names
 * a process. */
pj_status pji_keeper_stop(struct pji_keeper *keeper, int64_t grace_ns, struct pj_error *err);

/* After a crash: ends the keeper with this pid and start time if it still lives, and every process
 * that one of its engines left (found by the PERJOULE_KEEPER=pid.ticks in its environment).
 * PJ_OK also when there is none. */
pj_status pji_keeper_end_leftovers(pid_t pid, uint64_t start_ticks, int64_t grace_ns,
                                   struct pj_error *err);

/* The keeper itself: everything in perjoule-keeper (argv[0] is its name). Returns its
 * exit code. Not for people. */
int pji_keeper_main(int argc, char *const *argv);

#endif
