/* platform/signals.c - signalfd(2). A signal that is pending when the mask is restored is
 * delivered then, as if it had just arrived.
 */
#include "platform/signals.h"

#include <errno.h>
#include <sys/signalfd.h>
#include <unistd.h>

pj_status pji_signals_open(struct pji_signals *signals, const int *numbers, struct pj_error *err)
{
    signals->fd = -1;
    sigset_t set;
    sigemptyset(&set);
    for (; *numbers; numbers++) {
        if (sigaddset(&set, *numbers))
            return pji_fail(err, PJ_EINVAL, "%d is not the number of a signal", *numbers);
    }
    int fault = pthread_sigmask(SIG_BLOCK, &set, &signals->before);
    if (fault)
        return pji_fail_errno(err, fault, "cannot block signals");
    signals->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals->fd < 0) {
        fault = errno;
        pthread_sigmask(SIG_SETMASK, &signals->before, NULL);
        return pji_fail_errno(err, fault, "cannot receive signals through a descriptor");
    }
    return PJ_OK;
}

pj_status pji_signals_read(struct pji_signals *signals, struct pji_signal *out,
                           struct pj_error *err)
{
    struct signalfd_siginfo info;
    ssize_t n;
    do
        n = read(signals->fd, &info, sizeof info);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return PJ_ETIMEOUT; /* nothing went wrong: err stays clear */
    if (n != (ssize_t)sizeof info)
        return pji_fail_errno(err, n < 0 ? errno : EIO, "cannot read a signal");
    out->number = (int)info.ssi_signo;
    out->sender_pid = info.ssi_code == SI_KERNEL ? 0 : (int)info.ssi_pid;
    if (info.ssi_code != SI_KERNEL && out->sender_pid == 0)
        out->sender_pid = -1; /* as `docker stop` sends it: the sender has no number here */
    return PJ_OK;
}

void pji_signals_close(struct pji_signals *signals)
{
    if (signals->fd < 0)
        return;
    pji_signals_leave(signals);
    pthread_sigmask(SIG_SETMASK, &signals->before, NULL);
}

void pji_signals_leave(struct pji_signals *signals)
{
    if (signals->fd >= 0)
        close(signals->fd);
    signals->fd = -1;
}
