/* lab/watch.h - one descriptor that becomes readable when a trial must stop: the user asked, the
 * engine or the meter ended, or the trial's deadline passed. It is an epoll set, so every poll loop
 * of the house (load, engine start, sleeping phases) can wait for it like for any descriptor.
 */
#ifndef PJI_LAB_WATCH_H
#define PJI_LAB_WATCH_H

#include "core/error.h"

#include <stdbool.h>
#include <stdint.h>

enum pji_watch_cause {
    PJI_WATCH_NONE,
    PJI_WATCH_USER,
    PJI_WATCH_METER,
    PJI_WATCH_ENGINE,
    PJI_WATCH_DEADLINE,
    PJI_WATCH_TIMER /* pji_watch_sleep only: the time is over, all is well */
};

struct pji_watch {
    int fd;          /* the epoll set; -1: closed */
    int deadline_fd; /* timerfd; -1: none */
};

pj_status pji_watch_open(struct pji_watch *watch, int user_fd, int64_t deadline_ns,
                         struct pj_error *err);
/* Adds a descriptor for a cause; a negative one is ignored. */
pj_status pji_watch_add(struct pji_watch *watch, int fd, enum pji_watch_cause cause,
                        struct pj_error *err);
void pji_watch_remove(struct pji_watch *watch, int fd);
/* Why it is readable, in the order USER, METER, ENGINE, DEADLINE; NONE when it is not. */
enum pji_watch_cause pji_watch_cause(const struct pji_watch *watch);
/* Sleeps until the duration is over (TIMER) or something else happened. */
enum pji_watch_cause pji_watch_sleep(const struct pji_watch *watch, int64_t dur_ns);
void pji_watch_close(struct pji_watch *watch);

#endif
