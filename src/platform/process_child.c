/* platform/process_child.c - see platform/process_child.h. All signals are blocked on entry. */
#include "platform/process_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Noreturn void fail(const struct pji_child_plan *plan, enum pji_child_step step)
{
    struct pji_child_report report = {.step = (int)step, .sys_errno = errno};
    ssize_t n = write(plan->report_fd, &report, sizeof report);
    _exit(n == (ssize_t)sizeof report ? 127 : 126);
}

/* Handlers of the parent must not run here. What was ignored stays ignored, as through any exec
 * (nohup), except the two signals that programs ignore for their own sake only. */
static void reset_signals(void)
{
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) || action.sa_handler == SIG_DFL)
            continue;
        if (action.sa_handler == SIG_IGN && number != SIGPIPE && number != SIGCHLD)
            continue;
        action.sa_handler = SIG_DFL;
        action.sa_flags = 0;
        (void)sigaction(number, &action, NULL);
    }
}

static void close_range_or_loop(unsigned first, unsigned last)
{
    if (first > last || syscall(SYS_close_range, first, last, 0) == 0)
        return;
    long limit = sysconf(_SC_OPEN_MAX); /* Linux before 5.9 */
    if (limit < 0 || limit > 65536)
        limit = 65536;
    for (unsigned fd = first; fd <= last && fd < (unsigned)limit; fd++)
        (void)close((int)fd);
}

/* Puts the three standard descriptors in place. Sources are first copied out of the way, because
 * one may be the target of another. */
static void place_standard(const struct pji_child_plan *plan)
{
    int sources[3] = {plan->how->fd_in, plan->how->fd_out, plan->how->fd_err};
    for (int i = 0; i < 3; i++) {
        if (sources[i] < 0 || sources[i] == i || sources[i] > 2)
            continue;
        sources[i] = fcntl(sources[i], F_DUPFD_CLOEXEC, 3);
        if (sources[i] < 0)
            fail(plan, PJI_CHILD_DESCRIPTORS);
    }
    for (int i = 0; i < 3; i++) {
        if (sources[i] < 0)
            continue;
        /* dup2 onto itself would keep close-on-exec */
        int rc = sources[i] == i ? fcntl(i, F_SETFD, 0) : dup2(sources[i], i);
        if (rc < 0)
            fail(plan, PJI_CHILD_DESCRIPTORS);
    }
}

static void place_descriptors(const struct pji_child_plan *plan)
{
    bool close_others = !plan->how->keep_all;
    unsigned next = 3;
    place_standard(plan);
    for (size_t i = 0; i < plan->n_open; i++) {
        unsigned fd = (unsigned)plan->open_fds[i];
        if (fd > next && close_others)
            close_range_or_loop(next, fd - 1);
        next = fd + 1;
        bool ours = plan->open_fds[i] == plan->gate_fd || plan->open_fds[i] == plan->report_fd;
        if (!ours && fcntl(plan->open_fds[i], F_SETFD, 0) < 0)
            fail(plan, PJI_CHILD_DESCRIPTORS);
    }
    if (close_others)
        close_range_or_loop(next, ~0U);
}

static void tie_to_parent(const struct pji_child_plan *plan)
{
    if (plan->how->death_signal == 0)
        return;
    if (prctl(PR_SET_PDEATHSIG, (unsigned long)plan->how->death_signal, 0UL, 0UL, 0UL))
        fail(plan, PJI_CHILD_DEATH_SIGNAL);
    if (getppid() != plan->parent)
        _exit(127); /* it died before the request: nobody will send the signal */
}

static void wait_at_gate(const struct pji_child_plan *plan)
{
    char go;
    ssize_t n;
    if (plan->gate_fd < 0)
        return;
    do
        n = read(plan->gate_fd, &go, 1);
    while (n < 0 && errno == EINTR);
    if (n != 1)
        _exit(127); /* given up, or the parent is gone */
}

_Noreturn void pji_child_run(const struct pji_child_plan *plan)
{
    const struct pji_spawn *how = plan->how;
    reset_signals();
    place_descriptors(plan);
    if (how->new_session && setsid() < 0)
        fail(plan, PJI_CHILD_SESSION);
    tie_to_parent(plan);
    if (plan->n_cpu_bytes && syscall(SYS_sched_setaffinity, 0, plan->n_cpu_bytes, plan->cpus) < 0)
        fail(plan, PJI_CHILD_AFFINITY);
    if (how->cwd && chdir(how->cwd))
        fail(plan, PJI_CHILD_FOLDER);
    (void)sigprocmask(SIG_SETMASK, &plan->mask, NULL);
    wait_at_gate(plan);
    (void)execvpe(plan->argv[0], plan->argv, plan->env);
    fail(plan, PJI_CHILD_EXEC);
}
