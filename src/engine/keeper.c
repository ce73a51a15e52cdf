#include "engine/keeper.h"

#include "core/array.h"
#include "core/str.h"
#include "engine/cgroup.h"
#include "engine/family.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SECOND_NS INT64_C(1000000000)
#define MARK      "PERJOULE_KEEPER="

enum { MAX_ARGUMENTS = 65536 };

/* How long a live keeper may take to answer; a loaded machine needs seconds, a dead one is seen at
 * once because its end of the socket closes. */
static const int64_t ANSWER_NS = 30 * SECOND_NS;
static const int64_t KILL_NS = 10 * SECOND_NS; /* SIGKILL to gone */

void pji_keeper_init(struct pji_keeper *keeper)
{
    *keeper = (struct pji_keeper){.fd = -1, .engine_pidfd = -1};
    keeper->process.pidfd = -1;
    keeper->process.gate_fd = -1;
    keeper->process.exec_fd = -1;
}

/* ---- messages ---- */

static void take_line(struct pji_keeper *keeper)
{
    long pid = 0;
    unsigned long long ticks = 0;
    int status = 0;
    long long at_ns = 0;
    long long user_us = 0;
    long long system_us = 0;
    const char *line = keeper->line;
    if (sscanf(line, "started %ld %llu", &pid, &ticks) == 2) {
        keeper->engine_pid = (pid_t)pid;
        keeper->engine_ticks = ticks;
        keeper->started = true;
    } else if (strcmp(line, "running") == 0) {
        keeper->running = true;
    } else if (sscanf(line, "failed %d", &status) == 1) {
        keeper->failed_errno = status;
    } else if (sscanf(line, "exited %d %lld %lld %lld", &status, &at_ns, &user_us, &system_us) ==
               4) {
        keeper->exited = true;
        keeper->wait_status = status;
        keeper->exit_ns = at_ns;
        keeper->user_us = user_us;
        keeper->system_us = system_us;
    } else if (strcmp(line, "gone") == 0) {
        keeper->gone = true;
    }
}

void pji_keeper_update(struct pji_keeper *keeper)
{
    char bytes[256];
    while (keeper->fd >= 0) {
        ssize_t got = recv(keeper->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0) { /* the keeper is gone, said or unsaid */
            close(keeper->fd);
            keeper->fd = -1;
            return;
        }
        for (ssize_t i = 0; i < got; i++) {
            if (bytes[i] == '\n') {
                keeper->line[keeper->line_len] = '\0';
                keeper->line_len = 0;
                take_line(keeper);
            } else if (keeper->line_len + 1 < sizeof keeper->line) {
                keeper->line[keeper->line_len++] = bytes[i];
            }
        }
    }
}

static void tell(const struct pji_keeper *keeper, const char *text)
{
    if (keeper->fd >= 0)
        send(keeper->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Waits for a word of the keeper. False when the deadline passed; *canceled when stop_fd woke us.
 */
static bool await(struct pji_keeper *keeper, int64_t deadline_ns, int stop_fd, bool *canceled)
{
    int64_t left_ns = deadline_ns - pji_now_ns(&keeper->platform);
    if (left_ns <= 0)
        return false;
    if (left_ns > 3600 * SECOND_NS)
        left_ns = 3600 * SECOND_NS;
    struct pollfd fds[2] = {
        {.fd = keeper->fd, .events = POLLIN},
        {.fd = stop_fd, .events = POLLIN},
    };
    poll(fds, 2, (int)(left_ns / 1000000 + 1));
    pji_keeper_update(keeper);
    if (canceled != NULL && fds[1].revents != 0)
        *canceled = true;
    return true;
}

static pj_status lost(const struct pji_keeper *keeper, struct pj_error *err)
{
    return pji_fail(err, PJ_EPEER,
                    "the keeper (pid %ld) of the engine ended or does not answer; its last words "
                    "are in the engine's log",
                    (long)keeper->process.pid);
}

/* ---- start ---- */

static pj_status open_log(const char *path, int *out, struct pj_error *err)
{
    *out = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (*out < 0)
        return pji_fail_errno(err, errno, "cannot open the engine's log %s", path);
    return PJ_OK;
}

static size_t count(const char *const *list)
{
    size_t n = 0;
    while (list != NULL && list[n] != NULL && n < MAX_ARGUMENTS)
        n++;
    return n;
}

/* keeper_argv… FD GRACE [--no-cgroup] [--cwd DIR] [--env N=V]… -- argv…; numbers point into text.
 */
static const char **build_argv(const struct pji_keeper_spawn *how, char *fd_text, char *grace_text,
                               struct pj_error *err)
{
    size_t keeper_n = count(how->keeper_argv);
    size_t env_n = count(how->env);
    size_t engine_n = count(how->argv);
    if (keeper_n == 0 || engine_n == 0) {
        (void)pji_fail(err, PJ_EINVAL, "no program to start");
        return NULL;
    }
    const char **argv = pji_zalloc(keeper_n + 2 * env_n + engine_n + 8, sizeof *argv, err);
    if (argv == NULL)
        return NULL;
    size_t n = 0;
    for (size_t i = 0; i < keeper_n; i++)
        argv[n++] = how->keeper_argv[i];
    argv[n++] = fd_text;
    argv[n++] = grace_text;
    if (how->no_cgroup)
        argv[n++] = "--no-cgroup";
    if (how->cwd != NULL) {
        argv[n++] = "--cwd";
        argv[n++] = how->cwd;
    }
    for (size_t i = 0; i < env_n; i++) {
        argv[n++] = "--env";
        argv[n++] = how->env[i];
    }
    argv[n++] = "--";
    for (size_t i = 0; i < engine_n; i++)
        argv[n++] = how->argv[i];
    return argv;
}

/* The keeper process, held, with one end of a new socket pair. */
static pj_status fork_keeper(struct pji_keeper *keeper, const struct pji_keeper_spawn *how,
                             int in_fd, int log_fd, struct pj_error *err)
{
    int pair[2];
    char fd_text[16];
    char grace_text[24];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return pji_fail_errno(err, errno, "cannot make a socket pair for the engine's keeper");
    keeper->fd = pair[0];
    snprintf(fd_text, sizeof fd_text, "%d", pair[1]);
    snprintf(grace_text, sizeof grace_text, "%lld", (long long)(how->grace_ns / 1000000));
    const char **argv = build_argv(how, fd_text, grace_text, err);
    pj_status rc = PJ_ENOMEM;
    if (argv != NULL) {
        const int keep[] = {pair[1], -1};
        struct pji_spawn spawn = {
            .argv = argv,
            .fd_in = how->in_fd > 0 ? how->in_fd : in_fd,
            .fd_out = how->out_fd > 0 ? how->out_fd : log_fd,
            .fd_err = log_fd,
            .keep_fds = keep,
            .new_session = true,
            .hold = true,
            .cpus = how->cpus,
        };
        rc = pji_process_spawn(&keeper->process, &spawn, err);
        if (rc == PJ_OK && how->on_process != NULL)
            rc = how->on_process(how->context, "keeper", keeper->process.pid,
                                 keeper->process.start_ticks, err);
        if (rc == PJ_OK)
            rc = pji_process_release(&keeper->process, err);
        if (rc)
            pji_error_prefix(err, "cannot run the engine's keeper %s", how->keeper_argv[0]);
    } else if (err != NULL && err->code == PJ_EINVAL) {
        rc = PJ_EINVAL;
    }
    free(argv);
    close(pair[1]);
    return rc;
}

/* Waits until the engine exists, and gets hold of it. */
static pj_status meet_engine(struct pji_keeper *keeper, const struct pji_keeper_spawn *how,
                             struct pj_error *err)
{
    int64_t deadline_ns = pji_now_ns(&keeper->platform) + ANSWER_NS;
    while (!keeper->started && keeper->fd >= 0)
        if (!await(keeper, deadline_ns, -1, NULL))
            break;
    if (!keeper->started)
        return lost(keeper, err);
    keeper->engine_pidfd = (int)syscall(SYS_pidfd_open, keeper->engine_pid, 0);
    if (keeper->engine_pidfd < 0)
        return pji_fail_errno(err, errno, "cannot watch the engine (pid %ld)",
                              (long)keeper->engine_pid);
    uint64_t ticks = 0;
    if (pji_process_start_ticks(keeper->engine_pid, &ticks, NULL) || ticks != keeper->engine_ticks)
        return lost(keeper, err);
    if (how->on_process == NULL)
        return PJ_OK;
    return how->on_process(how->context, "engine", keeper->engine_pid, keeper->engine_ticks, err);
}

pj_status pji_keeper_spawn(struct pji_keeper *keeper, const struct pji_keeper_spawn *how,
                           struct pj_error *err)
{
    int in_fd = -1;
    int log_fd = -1;
    pji_keeper_init(keeper);
    pj_status rc = pji_platform_open_real(&keeper->platform, NULL, err);
    if (rc)
        return rc;
    keeper->open = true;
    snprintf(keeper->program, sizeof keeper->program, "%s",
             how->argv[0] != NULL ? how->argv[0] : "");
    in_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (in_fd < 0)
        rc = pji_fail_errno(err, errno, "cannot open /dev/null");
    if (rc == PJ_OK)
        rc = open_log(how->log_path, &log_fd, err);
    if (rc == PJ_OK)
        rc = fork_keeper(keeper, how, in_fd, log_fd, err);
    if (rc == PJ_OK)
        rc = meet_engine(keeper, how, err);
    if (in_fd >= 0)
        close(in_fd);
    if (log_fd >= 0)
        close(log_fd);
    if (rc)
        pji_keeper_stop(keeper, 0, NULL);
    return rc;
}

pj_status pji_keeper_release(struct pji_keeper *keeper, int64_t *start_ns, struct pj_error *err)
{
    if (!keeper->open || !keeper->started)
        return pji_fail(err, PJ_ESTATE, "no engine was started");
    int64_t now_ns = pji_now_ns(&keeper->platform);
    if (start_ns != NULL)
        *start_ns = now_ns;
    tell(keeper, "go\n");
    while (!keeper->running && keeper->failed_errno == 0 && keeper->fd >= 0)
        if (!await(keeper, now_ns + ANSWER_NS, -1, NULL))
            break;
    if (keeper->running)
        return PJ_OK;
    if (keeper->failed_errno != 0)
        return pji_fail_errno(err, keeper->failed_errno, "cannot run the engine's program %s",
                              keeper->program);
    return lost(keeper, err);
}

/* ---- end ---- */

pj_status pji_keeper_wait(struct pji_keeper *keeper, int64_t timeout_ns, int stop_fd,
                          struct pj_error *err)
{
    if (!keeper->open || !keeper->started)
        return pji_fail(err, PJ_ESTATE, "no engine was started");
    int64_t deadline_ns = pji_now_ns(&keeper->platform);
    deadline_ns = timeout_ns < INT64_MAX - deadline_ns ? deadline_ns + timeout_ns : INT64_MAX;
    bool canceled = false;
    pji_keeper_update(keeper);
    while (!keeper->exited && keeper->fd >= 0 && !canceled)
        if (!await(keeper, deadline_ns, stop_fd, &canceled))
            return pji_fail(err, PJ_ETIMEOUT,
                            "the engine's program (pid %ld) has not ended in time",
                            (long)keeper->engine_pid);
    if (keeper->exited)
        return PJ_OK;
    if (canceled)
        return pji_fail(err, PJ_ECANCELED, "stopped while the engine's program was running");
    return lost(keeper, err);
}

static pj_status immortal(const struct pji_proc_stat *member, struct pj_error *err)
{
    return pji_fail(err, PJ_EPEER,
                    "process %ld (%s, state %c) of the engine does not end, even by SIGKILL",
                    (long)member->pid, member->name, member->state);
}

/* The group that a killed keeper could not remove. */
static void remove_cgroup(const struct pji_platform *platform, const char *mark)
{
    struct pji_cgroup group;
    if (!pji_cgroup_find(&group, platform, mark))
        return;
    pji_cgroup_kill(&group);
    for (int i = 0; i < 100 && access(group.path, F_OK) == 0; i++) {
        struct pji_cgroup same = group;
        pji_cgroup_remove(&same);
        poll(NULL, 0, i);
    }
}

static pj_status end_marked(const struct pji_platform *platform, pid_t pid, uint64_t ticks,
                            int64_t grace_ns, struct pj_error *err)
{
    char entry[64];
    snprintf(entry, sizeof entry, MARK "%ld.%llu", (long)pid, (unsigned long long)ticks);
    struct pji_family family = {0};
    int64_t start_ns = pji_now_ns(platform);
    bool asked = false;
    pj_status rc = PJ_OK;
    while ((rc = pji_family_scan_marked(&family, platform, entry, err)) == PJ_OK && family.n > 0) {
        int64_t waited_ns = pji_now_ns(platform) - start_ns;
        if (waited_ns > grace_ns + KILL_NS) {
            rc = immortal(&family.members[0], err);
            break;
        }
        if (waited_ns >= grace_ns)
            pji_family_signal(&family, platform, SIGKILL);
        else if (!asked)
            pji_family_signal(&family, platform, SIGTERM);
        if (!asked)
            pji_family_signal(&family, platform, SIGCONT);
        asked = true;
        poll(NULL, 0, 5);
    }
    pji_family_fini(&family);
    remove_cgroup(platform, entry + strlen(MARK));
    return rc;
}

/* Waits for "gone"; false when the keeper is silent for too long or ended without saying it. */
static bool await_gone(struct pji_keeper *keeper, int64_t timeout_ns)
{
    int64_t deadline_ns = pji_now_ns(&keeper->platform) + timeout_ns;
    while (!keeper->gone && keeper->fd >= 0)
        if (!await(keeper, deadline_ns, -1, NULL))
            break;
    return keeper->gone;
}

pj_status pji_keeper_stop(struct pji_keeper *keeper, int64_t grace_ns, struct pj_error *err)
{
    if (!keeper->open)
        return PJ_OK;
    pj_status rc = PJ_OK;
    if (keeper->process.pid != 0) {
        char text[40];
        snprintf(text, sizeof text, "stop %lld\n", (long long)(grace_ns / 1000000));
        pji_process_signal(&keeper->process, SIGCONT, NULL); /* somebody may have stopped it */
        tell(keeper, text);
        bool gone = await_gone(keeper, grace_ns + KILL_NS);
        pji_process_end(&keeper->process, gone ? KILL_NS : 0);
        if (!gone) { /* killed or stuck: do its work by the mark in the environment */
            if (keeper->engine_pid != 0)
                rc = pji_process_end_foreign(keeper->engine_pid, keeper->engine_ticks, 0, err);
            pj_status marked = end_marked(&keeper->platform, keeper->process.pid,
                                          keeper->process.start_ticks, 0, err);
            rc = rc != PJ_OK ? rc : marked;
        }
    }
    if (keeper->fd >= 0)
        close(keeper->fd);
    if (keeper->engine_pidfd >= 0)
        close(keeper->engine_pidfd);
    keeper->fd = keeper->engine_pidfd = -1;
    keeper->open = false;
    pji_platform_close_real(&keeper->platform);
    return rc;
}

pj_status pji_keeper_end_leftovers(pid_t pid, uint64_t start_ticks, int64_t grace_ns,
                                   struct pj_error *err)
{
    struct pji_platform platform;
    pj_status rc = pji_platform_open_real(&platform, NULL, err);
    if (rc)
        return rc;
    rc = pji_process_end_foreign(pid, start_ticks, grace_ns, err);
    if (rc == PJ_OK)
        rc = end_marked(&platform, pid, start_ticks, grace_ns, err);
    pji_platform_close_real(&platform);
    return rc;
}
