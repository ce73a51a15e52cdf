/* lab/watch.c - see watch.h. epoll(7): a set is itself pollable and nests. */
#include "lab/watch.h"

#include "core/units.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static int timer_after(int64_t dur_ns)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct itimerspec when = {
        .it_value = {.tv_sec = dur_ns / PJI_NS_PER_S, .tv_nsec = dur_ns % PJI_NS_PER_S}};
    if (dur_ns <= 0)
        when.it_value = (struct timespec){.tv_nsec = 1};
    if (fd >= 0)
        timerfd_settime(fd, 0, &when, NULL);
    return fd;
}

pj_status pji_watch_open(struct pji_watch *watch, int user_fd, int64_t deadline_ns,
                         struct pj_error *err)
{
    *watch = (struct pji_watch){.fd = epoll_create1(EPOLL_CLOEXEC), .deadline_fd = -1};
    if (watch->fd < 0)
        return pji_fail_errno(err, errno, "cannot create an epoll set");
    pj_status status = pji_watch_add(watch, user_fd, PJI_WATCH_USER, err);
    if (status == PJ_OK && deadline_ns > 0) {
        watch->deadline_fd = timer_after(deadline_ns);
        status = watch->deadline_fd < 0
                     ? pji_fail_errno(err, errno, "cannot create a timer")
                     : pji_watch_add(watch, watch->deadline_fd, PJI_WATCH_DEADLINE, err);
    }
    if (status != PJ_OK)
        pji_watch_close(watch);
    return status;
}

pj_status pji_watch_add(struct pji_watch *watch, int fd, enum pji_watch_cause cause,
                        struct pj_error *err)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.u32 = (uint32_t)cause}};
    if (fd < 0)
        return PJ_OK;
    if (epoll_ctl(watch->fd, EPOLL_CTL_ADD, fd, &event) != 0 && errno != EEXIST)
        return pji_fail_errno(err, errno, "cannot watch descriptor %d", fd);
    return PJ_OK;
}

void pji_watch_remove(struct pji_watch *watch, int fd)
{
    if (fd >= 0)
        epoll_ctl(watch->fd, EPOLL_CTL_DEL, fd, NULL);
}

enum pji_watch_cause pji_watch_cause(const struct pji_watch *watch)
{
    struct epoll_event events[8];
    int n = epoll_wait(watch->fd, events, 8, 0);
    uint32_t best = PJI_WATCH_NONE;
    for (int i = 0; i < n; i++) {
        if (best == PJI_WATCH_NONE || events[i].data.u32 < best)
            best = events[i].data.u32;
    }
    return (enum pji_watch_cause)best;
}

enum pji_watch_cause pji_watch_sleep(const struct pji_watch *watch, int64_t dur_ns)
{
    if (dur_ns <= 0) {
        enum pji_watch_cause cause = pji_watch_cause(watch);
        return cause == PJI_WATCH_NONE ? PJI_WATCH_TIMER : cause;
    }
    int timer = timer_after(dur_ns);
    struct pollfd wait[2] = {{.fd = watch->fd, .events = POLLIN}, {.fd = timer, .events = POLLIN}};
    while (poll(wait, 2, -1) < 0 && errno == EINTR)
        continue;
    if (timer >= 0)
        close(timer);
    enum pji_watch_cause cause = pji_watch_cause(watch);
    return cause == PJI_WATCH_NONE ? PJI_WATCH_TIMER : cause;
}

void pji_watch_close(struct pji_watch *watch)
{
    if (watch->deadline_fd >= 0)
        close(watch->deadline_fd);
    if (watch->fd >= 0)
        close(watch->fd);
    *watch = (struct pji_watch){.fd = -1, .deadline_fd = -1};
}
