/* platform/process.c - starting and reaping children.
 *
 * A pidfd (pidfd_open(2), Linux 5.3) names the child until it is reaped, so a signal can never hit
 * another process that got the same number. The gate is a socket pair, because writing to a dead
 * child's pipe would raise SIGPIPE in a host that did not ask for it. The report pipe is
 * close-on-exec: end of file means that exec succeeded (or that the child was killed before it,
 * which its wait status then tells).
 */
#include "platform/process.h"

#include "platform/process_child.h"
#include "platform/process_pidfd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* The pipes must not sit on 0 to 2, which the child overwrites. */
static int lift(int *fd)
{
    if (*fd > 2)
        return 0;
    int high = fcntl(*fd, F_DUPFD_CLOEXEC, 3);
    int fault = errno;
    close_fd(fd);
    *fd = high;
    return high < 0 ? fault : 0;
}

static int open_pair(int ends[2], bool gate)
{
    int rc =
        gate ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) : pipe2(ends, O_CLOEXEC);
    if (rc) {
        ends[0] = ends[1] = -1;
        return errno;
    }
    int fault = lift(&ends[0]);
    return fault ? fault : lift(&ends[1]);
}

/* One number of an affinity list; false when there is none or it is too large. */
static bool take_cpu(const char **text, unsigned *cpu)
{
    *cpu = 0;
    if (**text < '0' || **text > '9')
        return false;
    for (; **text >= '0' && **text <= '9'; (*text)++) {
        *cpu = *cpu * 10 + (unsigned)(**text - '0');
        if (*cpu >= PJI_CHILD_CPU_WORDS * sizeof(long) * CHAR_BIT)
            return false;
    }
    return true;
}

static pj_status parse_cpus(struct pji_child_plan *plan, const char *cpus, struct pj_error *err)
{
    for (const char *at = cpus;; at++) {
        unsigned first, last;
        bool good = take_cpu(&at, &first);
        last = first;
        if (good && *at == '-') {
            at++;
            good = take_cpu(&at, &last) && last >= first;
        }
        if (!good || (*at != ',' && *at != '\0'))
            return pji_fail(err, PJ_EINVAL, "'%s' is not a list of processors such as 0,2-3", cpus);
        for (unsigned cpu = first; cpu <= last; cpu++)
            plan->cpus[cpu / (sizeof(long) * CHAR_BIT)] |= 1UL << cpu % (sizeof(long) * CHAR_BIT);
        if (*at == '\0')
            break;
    }
    plan->n_cpu_bytes = sizeof plan->cpus;
    return PJ_OK;
}

/* Sorted insertion; a number that is already there is dropped. */
static void keep_open(struct pji_child_plan *plan, int fd)
{
    size_t at = plan->n_open;
    while (at > 0 && plan->open_fds[at - 1] > fd)
        at--;
    if (fd <= 2 || (at > 0 && plan->open_fds[at - 1] == fd))
        return;
    memmove(plan->open_fds + at + 1, plan->open_fds + at, (plan->n_open - at) * sizeof(int));
    plan->open_fds[at] = fd;
    plan->n_open++;
}

static pj_status prepare(struct pji_child_plan *plan, const struct pji_spawn *how,
                         struct pj_error *err)
{
    if (!how->argv || !how->argv[0])
        return pji_fail(err, PJ_EINVAL, "no program to start");
    plan->how = how;
    plan->parent = getpid();
    /* exec takes pointers to text that it does not change */
    memcpy(&plan->argv, &how->argv, sizeof plan->argv);
    if (how->env)
        memcpy(&plan->env, &how->env, sizeof plan->env);
    else
        plan->env = environ;
    if (how->mask)
        plan->mask = *how->mask;
    else
        sigemptyset(&plan->mask);
    size_t n = 0;
    for (const int *fd = how->keep_fds; fd && *fd >= 0; fd++) {
        if (++n > PJI_CHILD_KEEP_MAX)
            return pji_fail(err, PJ_EINVAL, "more than %d descriptors to keep open for %s",
                            (int)PJI_CHILD_KEEP_MAX, how->argv[0]);
        keep_open(plan, *fd);
    }
    return how->cpus ? parse_cpus(plan, how->cpus, err) : PJ_OK;
}

/* fork with every signal blocked, so that no handler of ours runs in the child. */
static pid_t fork_quietly(const struct pji_child_plan *plan)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        pji_child_run(plan);
    int fault = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = fault;
    return pid;
}

static pj_status describe(const struct pji_child_report *report, struct pj_error *err)
{
    int fault = report->sys_errno;
    switch ((enum pji_child_step)report->step) {
    case PJI_CHILD_SESSION:
        return pji_fail_errno(err, fault, "cannot start a session for the program");
    case PJI_CHILD_DEATH_SIGNAL:
        return pji_fail_errno(err, fault, "cannot tie the program's life to ours");
    case PJI_CHILD_AFFINITY:
        return pji_fail_errno(err, fault, "cannot bind the program to the given processors");
    case PJI_CHILD_FOLDER:
        return pji_fail_errno(err, fault, "cannot enter the program's working folder");
    case PJI_CHILD_DESCRIPTORS:
        return pji_fail_errno(err, fault, "cannot hand open files to the program");
    case PJI_CHILD_EXEC:
        break;
    }
    /* everything but absence is 126 for a shell: found, but it cannot be run */
    pj_status code = fault == ENOENT || fault == ENOTDIR ? PJ_ENOTFOUND
                     : fault == ENOMEM                   ? PJ_ENOMEM
                                                         : PJ_EACCESS;
    pji_error_set(err, code, fault, "cannot run the program");
    return code;
}

/* Takes the wait status; the child has ended. */
static int reap(struct pji_process *process)
{
    struct rusage usage = {0};
    pid_t pid;
    do
        pid = wait4(process->pid, &process->wait_status, 0, &usage);
    while (pid < 0 && errno == EINTR);
    int fault = pid < 0 ? errno : 0;
    process->reaped = true;
    process->user_us = (int64_t)usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec;
    process->system_us = (int64_t)usage.ru_stime.tv_sec * 1000000 + usage.ru_stime.tv_usec;
    close_fd(&process->pidfd);
    close_fd(&process->gate_fd);
    close_fd(&process->exec_fd);
    return fault;
}

static void forget(struct pji_process *process)
{
    *process = (struct pji_process){.pidfd = -1, .gate_fd = -1, .exec_fd = -1};
}

/* Until exec succeeded or failed. */
static pj_status await_exec(struct pji_process *process, struct pj_error *err)
{
    struct pji_child_report report;
    ssize_t n;
    do
        n = read(process->exec_fd, &report, sizeof report);
    while (n < 0 && errno == EINTR);
    close_fd(&process->exec_fd);
    if (n != (ssize_t)sizeof report)
        return PJ_OK;
    pj_status status = describe(&report, err);
    (void)reap(process);
    forget(process);
    return status;
}

static pj_status name_child(struct pji_process *process, struct pj_error *err)
{
    process->pidfd = pji_pidfd_open(process->pid);
    if (process->pidfd < 0) {
        int fault = -process->pidfd;
        process->pidfd = -1;
        (void)kill(process->pid, SIGKILL);
        (void)reap(process);
        forget(process);
        return pji_fail_errno(err, fault, "cannot get a descriptor of the child process");
    }
    /* without /proc the time stays 0: the child can be run all the same */
    (void)pji_process_start_ticks(process->pid, &process->start_ticks, NULL);
    return PJ_OK;
}

pj_status pji_process_spawn(struct pji_process *process, const struct pji_spawn *how,
                            struct pj_error *err)
{
    forget(process);
    struct pji_child_plan plan = {.gate_fd = -1, .report_fd = -1};
    pj_status status = prepare(&plan, how, err);
    if (status)
        return status;
    int gate[2] = {-1, -1};
    int report[2] = {-1, -1};
    int fault = open_pair(report, false);
    if (!fault && how->hold)
        fault = open_pair(gate, true);
    if (!fault) {
        plan.report_fd = report[1];
        plan.gate_fd = gate[1];
        keep_open(&plan, report[1]);
        keep_open(&plan, gate[1]);
        process->pid = fork_quietly(&plan);
        fault = process->pid < 0 ? errno : 0;
    }
    close_fd(&report[1]);
    close_fd(&gate[1]);
    process->exec_fd = report[0];
    process->gate_fd = gate[0];
    if (fault) {
        close_fd(&process->exec_fd);
        close_fd(&process->gate_fd);
        process->pid = 0;
        return pji_fail_errno(err, fault, "cannot start %s", how->argv[0]);
    }
    status = name_child(process, err);
    if (!status && !how->hold)
        status = await_exec(process, err);
    if (status)
        pji_error_prefix(err, "%s", how->argv[0]);
    return status;
}

pj_status pji_process_release(struct pji_process *process, struct pj_error *err)
{
    if (process->pid <= 0 || process->gate_fd < 0)
        return pji_fail(err, PJ_ESTATE, "no child process is held back");
    /* a child that was killed meanwhile is told by its wait status */
    (void)send(process->gate_fd, "g", 1, MSG_NOSIGNAL);
    close_fd(&process->gate_fd);
    return await_exec(process, err);
}

pj_status pji_process_wait(struct pji_process *process, int64_t timeout_ns, struct pj_error *err)
{
    if (process->pid <= 0)
        return pji_fail(err, PJ_ESTATE, "there is no child process to wait for");
    if (process->reaped)
        return PJ_OK;
    int rc = pji_pidfd_wait(process->pidfd, timeout_ns);
    if (rc == -ETIMEDOUT)
        return PJ_ETIMEOUT;
    if (rc < 0)
        return pji_fail_errno(err, -rc, "cannot wait for process %ld", (long)process->pid);
    int fault = reap(process);
    if (fault)
        return pji_fail(err, PJ_ESTATE,
                        "the exit status of process %ld is lost: something else in this program "
                        "reaped it, or SIGCHLD is ignored",
                        (long)process->pid);
    return PJ_OK;
}

pj_status pji_process_signal(struct pji_process *process, int signal_number, struct pj_error *err)
{
    if (process->pid <= 0 || process->reaped)
        return PJ_OK;
    int rc = pji_pidfd_signal(process->pidfd, signal_number);
    if (rc < 0 && rc != -ESRCH)
        return pji_fail_errno(err, -rc, "cannot send signal %d to process %ld", signal_number,
                              (long)process->pid);
    return PJ_OK;
}

void pji_process_end(struct pji_process *process, int64_t grace_ns)
{
    if (process->pid <= 0 || process->reaped)
        return;
    close_fd(&process->gate_fd); /* a held child sees that and leaves by itself */
    if (pji_pidfd_end(process->pidfd, grace_ns) == 0) {
        (void)reap(process);
        return;
    }
    close_fd(&process->pidfd);
    close_fd(&process->exec_fd);
}

int pji_process_exit_code(int wait_status)
{
    if (WIFEXITED(wait_status))
        return WEXITSTATUS(wait_status);
    return 128 + (WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0);
}
