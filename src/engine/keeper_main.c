/* engine/keeper_main.c - the keeper process: see engine/keeper.h for what it promises.
 *
 *     keeper FD GRACE_MS [--no-cgroup] [--cwd DIR] [--env NAME=VALUE]… -- ENGINE [ARGUMENT]…
 *
 * FD is our end of a stream socket pair; lines of text go both ways:
 *     keeper → owner   started PID START_TICKS     forked, waiting to exec
 *                      running | failed ERRNO      exec worked or not
 *                      exited STATUS T_NS USER_US SYSTEM_US   the engine's first process was reaped
 *                      gone                        no process of the tree is left; exit follows
 *     owner → keeper   go                          exec now
 *                      stop GRACE_MS               end the tree
 * Closing the owner's end, or SIGTERM, is `stop` with the GRACE_MS of the command line. SIGINT,
 * SIGHUP and SIGQUIT are read and ignored: Ctrl-C is perjoule's to decide.
 *
 * "Nothing is left" is wait(2) saying ECHILD: we are the subreaper, so a descendant that lives has
 * an ancestor among our children.
 */
#include "engine/cgroup.h"
#include "engine/family.h"
#include "engine/keeper.h"
#include "platform/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { USAGE = 2, FAILED = 1, FIRST_PAUSE_MS = 5, LAST_PAUSE_MS = 1000 };

struct ward {
    struct pji_platform platform;
    struct pji_signals signals;
    struct pji_process engine;
    struct pji_cgroup cgroup;
    struct pji_family family;
    int fd; /* to the owner, -1: closed */
    int64_t grace_ns;
    bool no_cgroup;
    char mark[48]; /* our pid.start_ticks */
    const char *cwd;
    char *const *argv; /* of the engine */
    bool held, stopping, childless;
    int64_t kill_at_ns;
    int pause_ms;
    char line[PJI_KEEPER_LINE];
    size_t line_len;
};

static void say(const struct ward *ward, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(const struct ward *ward, const char *format, ...)
{
    char text[PJI_KEEPER_LINE];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (ward->fd >= 0 && len > 0)
        send(ward->fd, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static bool parse_number(const char *text, long *out)
{
    char *end = NULL;
    errno = 0;
    *out = strtol(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *out >= 0;
}

static bool parse_arguments(struct ward *ward, int argc, char *const *argv)
{
    long fd = 0;
    long grace_ms = 0;
    if (argc < 5 || !parse_number(argv[1], &fd) || !parse_number(argv[2], &grace_ms))
        return false;
    ward->fd = (int)fd;
    ward->grace_ns = (int64_t)grace_ms * 1000000;
    int i = 3;
    for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--no-cgroup") == 0) {
            ward->no_cgroup = true;
        } else if (strcmp(argv[i], "--cwd") == 0 && i + 1 < argc) {
            ward->cwd = argv[++i];
        } else if (strcmp(argv[i], "--env") == 0 && i + 1 < argc) {
            if (putenv(argv[++i]) != 0)
                return false;
        } else {
            return false;
        }
    }
    ward->argv = argv + i + 1;
    return i + 1 < argc && fcntl(ward->fd, F_SETFD, FD_CLOEXEC) == 0;
}

/* The name by which leftovers of this keeper are found should it be killed. */
static pj_status set_mark(struct ward *ward, struct pj_error *err)
{
    uint64_t ticks = 0;
    pj_status rc = pji_process_start_ticks(getpid(), &ticks, err);
    if (rc)
        return rc;
    snprintf(ward->mark, sizeof ward->mark, "%ld.%llu", (long)getpid(), (unsigned long long)ticks);
    if (setenv("PERJOULE_KEEPER", ward->mark, 1) != 0)
        return pji_fail_errno(err, errno, "cannot set PERJOULE_KEEPER");
    return PJ_OK;
}

/* What the engine was given as stdin and stdout is its own from now on: a pipe that the keeper held
 * too would never end. */
static pj_status let_go(struct pj_error *err)
{
    int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    bool done =
        null_fd >= 0 && dup2(null_fd, STDIN_FILENO) >= 0 && dup2(STDERR_FILENO, STDOUT_FILENO) >= 0;
    int saved = errno;
    if (null_fd > STDERR_FILENO)
        close(null_fd);
    return done ? PJ_OK : pji_fail_errno(err, saved, "the keeper cannot open /dev/null");
}

static pj_status start_engine(struct ward *ward, struct pj_error *err)
{
    pj_status rc = set_mark(ward, err);
    if (rc)
        return rc;
    struct pji_spawn how = {
        .argv = (const char *const *)ward->argv,
        .cwd = ward->cwd,
        .fd_in = -1,
        .fd_out = -1,
        .fd_err = -1,
        .new_session = true,
        .hold = true,
        .death_signal = SIGKILL,
    };
    rc = pji_process_spawn(&ward->engine, &how, err);
    if (rc)
        return rc;
    ward->held = true;
    rc = let_go(err);
    if (rc)
        return rc;
    if (!ward->no_cgroup)
        pji_cgroup_make(&ward->cgroup, &ward->platform, ward->mark, ward->engine.pid);
    say(ward, "started %ld %llu\n", (long)ward->engine.pid,
        (unsigned long long)ward->engine.start_ticks);
    return PJ_OK;
}

/* Lists everybody below us. False where /proc cannot be read (no file descriptor left, not mounted
 * any more): then there is only the engine's first process, which we know. */
static bool see_tree(struct ward *ward)
{
    return pji_family_scan(&ward->family, &ward->platform, getpid(), NULL) == PJ_OK &&
           ward->family.n > 0;
}

static void signal_tree(struct ward *ward, bool seen, int number)
{
    if (seen)
        pji_family_signal(&ward->family, &ward->platform, number);
    else if (!ward->engine.reaped)
        (void)pji_process_signal(&ward->engine, number, NULL);
}

static void begin_stop(struct ward *ward, int64_t grace_ns)
{
    int64_t kill_at_ns = pji_now_ns(&ward->platform) + grace_ns;
    if (!ward->stopping || kill_at_ns < ward->kill_at_ns)
        ward->kill_at_ns = kill_at_ns;
    if (ward->stopping)
        return;
    ward->stopping = true;
    ward->pause_ms = FIRST_PAUSE_MS;
    bool seen = see_tree(ward);
    signal_tree(ward, seen, SIGTERM);
    signal_tree(ward, seen, SIGCONT); /* a stopped process gets it too */
}

static void release_engine(struct ward *ward)
{
    if (!ward->held)
        return;
    ward->held = false;
    struct pj_error err = {0};
    if (pji_process_release(&ward->engine, &err) == PJ_OK)
        say(ward, "running\n");
    else
        say(ward, "failed %d\n", err.sys_errno != 0 ? err.sys_errno : EIO);
}

static void obey(struct ward *ward, const char *line)
{
    long grace_ms = 0;
    if (strcmp(line, "go") == 0)
        release_engine(ward);
    else if (strncmp(line, "stop ", 5) == 0 && parse_number(line + 5, &grace_ms))
        begin_stop(ward, (int64_t)grace_ms * 1000000);
}

static void read_owner(struct ward *ward)
{
    char bytes[256];
    ssize_t got = recv(ward->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        close(ward->fd);
        ward->fd = -1;
        begin_stop(ward, ward->grace_ns);
        return;
    }
    for (ssize_t i = 0; i < got; i++) {
        if (bytes[i] == '\n') {
            ward->line[ward->line_len] = '\0';
            ward->line_len = 0;
            obey(ward, ward->line);
        } else if (ward->line_len + 1 < sizeof ward->line) {
            ward->line[ward->line_len++] = bytes[i];
        }
    }
}

static void read_signals(struct ward *ward)
{
    struct pji_signal signal;
    while (pji_signals_read(&ward->signals, &signal, NULL) == PJ_OK)
        if (signal.number == SIGTERM)
            begin_stop(ward, ward->grace_ns);
}

static int64_t time_us(struct timeval time)
{
    return (int64_t)time.tv_sec * 1000000 + time.tv_usec;
}

static void reap(struct ward *ward)
{
    for (;;) {
        int status = 0;
        struct rusage used;
        pid_t pid = wait4(-1, &status, WNOHANG, &used);
        if (pid < 0 && errno == EINTR)
            continue;
        ward->childless = pid < 0 && errno == ECHILD;
        if (pid <= 0)
            return;
        if (pid != ward->engine.pid || ward->engine.reaped)
            continue;
        ward->engine.reaped = true;
        ward->engine.wait_status = status;
        say(ward, "exited %d %lld %lld %lld\n", status, (long long)pji_now_ns(&ward->platform),
            (long long)time_us(used.ru_utime), (long long)time_us(used.ru_stime));
    }
}

/* One round of killing. Groups first: they catch what forks faster than /proc can be read. The
 * engine leads a group of its own, which is there as long as it has not been waited for. */
static void kill_all(struct ward *ward)
{
    pji_cgroup_kill(&ward->cgroup);
    bool seen = see_tree(ward);
    if (seen)
        pji_family_kill_groups(&ward->family, getpgrp());
    else if (!ward->engine.reaped)
        kill(-ward->engine.pid, SIGKILL);
    signal_tree(ward, seen, SIGKILL);
}

/* Milliseconds that poll may sleep; -1: until somebody speaks. */
static int next_pause(struct ward *ward)
{
    if (!ward->stopping)
        return -1;
    int64_t left_ns = ward->kill_at_ns - pji_now_ns(&ward->platform);
    if (left_ns > 0)
        return (int)(left_ns / 1000000 + 1);
    kill_all(ward);
    int pause_ms = ward->pause_ms;
    if (ward->pause_ms < LAST_PAUSE_MS) /* something that even SIGKILL does not end: state D */
        ward->pause_ms = pause_ms * 5 / 4 + 1;
    return pause_ms;
}

static void keep(struct ward *ward)
{
    for (;;) {
        reap(ward);
        if (ward->stopping && ward->childless)
            return;
        struct pollfd fds[2] = {
            {.fd = ward->signals.fd, .events = POLLIN},
            {.fd = ward->fd, .events = POLLIN},
        };
        if (poll(fds, 2, next_pause(ward)) < 0)
            continue;
        if (fds[0].revents != 0)
            read_signals(ward);
        if (fds[1].revents != 0)
            read_owner(ward);
    }
}

int pji_keeper_main(int argc, char *const *argv)
{
    static const int numbers[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT, 0};
    struct ward ward = {.fd = -1, .signals = {.fd = -1}, .pause_ms = FIRST_PAUSE_MS};
    struct pj_error err = {0};
    if (!parse_arguments(&ward, argc, argv)) {
        fprintf(stderr, "perjoule-keeper is started by perjoule itself, not by people\n");
        return USAGE;
    }
    int code = FAILED;
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
        (void)pji_fail_errno(&err, errno, "cannot become a child subreaper");
        goto out;
    }
    if (pji_platform_open_real(&ward.platform, NULL, &err))
        goto out;
    if (pji_signals_open(&ward.signals, numbers, &err) || start_engine(&ward, &err))
        goto close_platform;
    keep(&ward);
    pji_cgroup_remove(&ward.cgroup);
    say(&ward, "gone\n");
    code = 0;
close_platform:
    pji_family_fini(&ward.family);
    pji_signals_close(&ward.signals);
    pji_platform_close_real(&ward.platform);
out:
    if (code != 0)
        fprintf(stderr, "perjoule: the keeper cannot start the engine: %s\n", err.text);
    if (ward.fd >= 0)
        close(ward.fd);
    return code;
}
