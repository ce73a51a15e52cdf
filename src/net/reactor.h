/* net/reactor.h - which sockets libcurl waits for, kept in an epoll set.
 *
 * libcurl forgets a socket at the end of each request and asks for it again at the next one on the
 * same connection. For sockets that it opened through us (reactor_adopt) the kernel's set is left
 * alone in between: that saves two system calls for each request. An event on a socket that nobody
 * wants takes it out of the set then.
 */
#ifndef PJI_NET_REACTOR_H
#define PJI_NET_REACTOR_H

#include "core/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

enum { PJI_REACTOR_BATCH = 256 };

struct pji_reactor_fd {
    void *owner;            /* who wants it */
    uint32_t wanted, armed; /* epoll events: what libcurl asks for, what the kernel watches */
    bool ours;              /* its end is told to us: may stay armed while unwanted */
};

struct pji_reactor {
    int epoll_fd;
    struct pji_reactor_fd *fds; /* by descriptor */
    size_t cap;
    struct epoll_event events[PJI_REACTOR_BATCH];
    int n_events;
};

pj_status pji_reactor_open(struct pji_reactor *reactor, struct pj_error *err);
void pji_reactor_close(struct pji_reactor *reactor);
pj_status pji_reactor_adopt(struct pji_reactor *reactor, int fd, struct pj_error *err);
void pji_reactor_forget(struct pji_reactor *reactor, int fd); /* it is about to be closed */
pj_status pji_reactor_want(struct pji_reactor *reactor, int fd, uint32_t events, void *owner,
                           struct pj_error *err);
/* Of a socket that had an event; NULL: forgotten since. */
void *pji_reactor_owner(const struct pji_reactor *reactor, int fd);
/* Waits at most timeout_ns (negative: for ever) for sockets or extra_fd; fills events[0..n_events)
 * and *extra. Events of unwanted sockets are dropped here. */
pj_status pji_reactor_wait(struct pji_reactor *reactor, int64_t timeout_ns, int extra_fd,
                           bool *extra, struct pj_error *err);

#endif
