/* platform/process_pidfd.c - pidfd_open(2), pidfd_send_signal(2), poll(2) by system call number:
 * glibc has wrappers only since 2.36.
 */
#include "platform/process_pidfd.h"

#include "platform/clock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* SIGKILL takes effect at once unless the process is stuck in the kernel. */
static const int64_t kill_wait_ns = 30 * PJI_NS_PER_S;

int pji_pidfd_open(pid_t pid)
{
    long fd = syscall(SYS_pidfd_open, pid, 0);
    return fd < 0 ? -errno : (int)fd;
}

int pji_pidfd_signal(int pidfd, int signal_number)
{
    long rc = syscall(SYS_pidfd_send_signal, pidfd, signal_number, NULL, 0);
    return rc < 0 ? -errno : 0;
}

int pji_pidfd_wait(int pidfd, int64_t timeout_ns)
{
    int64_t start_ns = timeout_ns > 0 ? pji_clock_ns(CLOCK_MONOTONIC) : 0;
    int64_t left_ns = timeout_ns;
    for (;;) {
        struct timespec left = {.tv_sec = (time_t)(left_ns / PJI_NS_PER_S),
                                .tv_nsec = (long)(left_ns % PJI_NS_PER_S)};
        struct pollfd waited = {.fd = pidfd, .events = POLLIN};
        int n = ppoll(&waited, 1, timeout_ns < 0 ? NULL : &left, NULL);
        if (n > 0)
            return waited.revents & POLLNVAL ? -EBADF : 0;
        if (n == 0)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
        if (timeout_ns > 0) {
            left_ns = timeout_ns - (pji_clock_ns(CLOCK_MONOTONIC) - start_ns);
            left_ns = left_ns > 0 ? left_ns : 0;
        }
    }
}

int pji_pidfd_end(int pidfd, int64_t grace_ns)
{
    int rc = pji_pidfd_signal(pidfd, SIGTERM);
    if (rc == -ESRCH)
        return 0;
    if (rc == 0)
        rc = pji_pidfd_signal(pidfd, SIGCONT);
    if (rc < 0 && rc != -ESRCH)
        return rc;
    rc = pji_pidfd_wait(pidfd, grace_ns > 0 ? grace_ns : 0);
    if (rc != -ETIMEDOUT)
        return rc;
    rc = pji_pidfd_signal(pidfd, SIGKILL);
    if (rc < 0 && rc != -ESRCH)
        return rc;
    return pji_pidfd_wait(pidfd, kill_wait_ns);
}
