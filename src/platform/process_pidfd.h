/* platform/process_pidfd.h - the few system calls on a pidfd, each with a negative errno; for
 * platform/process*.c only.
 */
#ifndef PJI_PLATFORM_PROCESS_PIDFD_H
#define PJI_PLATFORM_PROCESS_PIDFD_H

#include <stdint.h>
#include <sys/types.h>

int pji_pidfd_open(pid_t pid);
int pji_pidfd_signal(int pidfd, int signal_number);
/* 0 when the process has ended, -ETIMEDOUT when it had not after timeout_ns (negative: for ever).
 */
int pji_pidfd_wait(int pidfd, int64_t timeout_ns);
/* TERM and CONT, wait, KILL, wait: 0 when it has ended. */
int pji_pidfd_end(int pidfd, int64_t grace_ns);

#endif
