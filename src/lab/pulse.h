/* lab/pulse.h - whether the client could run while a window was open.
 *
 * A client that is stopped again and again (SIGSTOP, a debugger, a frozen cgroup) sends late and
 * stamps late, and in a closed loop nothing of it shows: an answer that came while it was stopped
 * is stamped when it goes on, and the next request is due then. So a thread of the client's process
 * wants to wake every 10 ms or so and notes for how long it could not. Waiting for a processor is
 * not counted (the second number of /proc/thread-self/schedstat, Documentation/scheduler/
 * sched-stats.rst): a server that uses every processor, as inference on the CPU does, is no fault
 * of the client. What a limit on its control group takes (a container's, CPUQuota=) is counted,
 * though the kernel calls it waiting too. What the hypervisor took is, as steal time has a gate of
 * its own, not told apart.
 */
#ifndef PJI_LAB_PULSE_H
#define PJI_LAB_PULSE_H

#include <stdint.h>

struct pji_pulse;

/* NULL where no thread can be had: then nothing is known. */
struct pji_pulse *pji_pulse_start(void);
/* Ends it and frees it. Share of the time since the start for which it was held up other than by
 * waiting for a processor; NaN: unknown. */
double pji_pulse_stop(struct pji_pulse *pulse);

#endif
