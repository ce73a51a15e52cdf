/* net/reactor.c - see reactor.h. */
#include "net/reactor.h"

#include "core/array.h"
#include "core/units.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

pj_status pji_reactor_open(struct pji_reactor *reactor, struct pj_error *err)
{
    *reactor = (struct pji_reactor){.epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    if (reactor->epoll_fd < 0)
        return pji_fail_errno(err, errno, "cannot create an epoll descriptor for HTTP requests");
    return PJ_OK;
}

void pji_reactor_close(struct pji_reactor *reactor)
{
    if (reactor->epoll_fd >= 0)
        close(reactor->epoll_fd);
    reactor->epoll_fd = -1;
    free(reactor->fds);
    reactor->fds = NULL;
    reactor->cap = 0;
}

static struct pji_reactor_fd *entry(struct pji_reactor *reactor, int fd, struct pj_error *err)
{
    size_t need = (size_t)fd + 1;
    if (need > reactor->cap &&
        pji_array_reserve(&reactor->fds, &reactor->cap, need, sizeof *reactor->fds, err))
        return NULL;
    return &reactor->fds[fd];
}

pj_status pji_reactor_adopt(struct pji_reactor *reactor, int fd, struct pj_error *err)
{
    struct pji_reactor_fd *e = entry(reactor, fd, err);
    if (!e)
        return PJ_ENOMEM;
    *e = (struct pji_reactor_fd){.ours = true};
    return PJ_OK;
}

void pji_reactor_forget(struct pji_reactor *reactor, int fd)
{
    if ((size_t)fd < reactor->cap)
        reactor->fds[fd] = (struct pji_reactor_fd){0};
}

static pj_status arm(struct pji_reactor *reactor, int fd, struct pji_reactor_fd *e, uint32_t events,
                     struct pj_error *err)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    int op = !e->armed ? EPOLL_CTL_ADD : events ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;
    if (epoll_ctl(reactor->epoll_fd, op, fd, &event) < 0 && events)
        return pji_fail_errno(err, errno, "cannot watch socket %d with epoll", fd);
    e->armed = events;
    return PJ_OK;
}

void *pji_reactor_owner(const struct pji_reactor *reactor, int fd)
{
    return (size_t)fd < reactor->cap ? reactor->fds[fd].owner : NULL;
}

pj_status pji_reactor_want(struct pji_reactor *reactor, int fd, uint32_t events, void *owner,
                           struct pj_error *err)
{
    struct pji_reactor_fd *e = entry(reactor, fd, err);
    if (!e)
        return PJ_ENOMEM;
    e->wanted = events;
    e->owner = owner;
    if (events == e->armed || (!events && e->ours))
        return PJ_OK;
    return arm(reactor, fd, e, events, err);
}

static void drop_unwanted(struct pji_reactor *reactor)
{
    int kept = 0;
    for (int i = 0; i < reactor->n_events; i++) {
        int fd = reactor->events[i].data.fd;
        struct pji_reactor_fd *e = &reactor->fds[fd];
        if (e->wanted)
            reactor->events[kept++] = reactor->events[i];
        else
            (void)arm(reactor, fd, e, 0, NULL);
    }
    reactor->n_events = kept;
}

pj_status pji_reactor_wait(struct pji_reactor *reactor, int64_t timeout_ns, int extra_fd,
                           bool *extra, struct pj_error *err)
{
    struct pollfd fds[2] = {{.fd = reactor->epoll_fd, .events = POLLIN},
                            {.fd = extra_fd, .events = POLLIN}}; /* a negative fd is ignored */
    struct timespec limit = {.tv_sec = (time_t)(timeout_ns / PJI_NS_PER_S),
                             .tv_nsec = (long)(timeout_ns % PJI_NS_PER_S)};
    reactor->n_events = 0;
    *extra = false;
    int n = ppoll(fds, 2, timeout_ns < 0 ? NULL : &limit, NULL);
    if (n < 0)
        return errno == EINTR ? PJ_OK
                              : pji_fail_errno(err, errno, "cannot wait for HTTP answers (ppoll)");
    *extra = fds[1].revents != 0;
    if (fds[0].revents) {
        reactor->n_events = epoll_wait(reactor->epoll_fd, reactor->events, PJI_REACTOR_BATCH, 0);
        if (reactor->n_events < 0) {
            reactor->n_events = 0;
            if (errno != EINTR)
                return pji_fail_errno(err, errno, "cannot wait for HTTP answers (epoll_wait)");
        }
        drop_unwanted(reactor);
    }
    return PJ_OK;
}
