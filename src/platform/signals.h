/* platform/signals.h - signals as a readable descriptor (signalfd). Blocks the given signals in the
 * calling thread: call it before threads are started. Children started through platform/process.h
 * get the mask that was in force before.
 */
#ifndef PJI_PLATFORM_SIGNALS_H
#define PJI_PLATFORM_SIGNALS_H

#include "core/error.h"

#include <signal.h>

struct pji_signals {
    int fd; /* poll this; -1: closed */
    sigset_t before;
};

struct pji_signal {
    int number;
    int sender_pid; /* 0: the kernel (a terminal's Ctrl-C); -1: outside our PID namespace */
};

/* `numbers` ends with 0. */
pj_status pji_signals_open(struct pji_signals *signals, const int *numbers, struct pj_error *err);
/* 0 with a signal, PJ_ETIMEOUT when none is pending (never blocks). */
pj_status pji_signals_read(struct pji_signals *signals, struct pji_signal *out,
                           struct pj_error *err);
void pji_signals_close(struct pji_signals *signals); /* restores the mask */
/* For a program that ends now and has its exit code: the signals stay blocked, so that one that
 * comes late, or was not read, does not end it in another way. */
void pji_signals_leave(struct pji_signals *signals);

#endif
