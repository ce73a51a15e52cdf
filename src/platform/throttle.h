/* platform/throttle.h - for how long the bandwidth limit of a control group (a container with a CPU
 * limit, CPUQuota= of a unit) has held our threads from the processors.
 *
 * A throttled thread counts as waiting for a processor (/proc/PID/schedstat), and so looks like one
 * that shares a busy machine. The group's cpu.stat tells the two apart: throttled_usec (v2,
 * Documentation/admin-guide/cgroup-v2.rst) or throttled_time in ns (v1, Documentation/scheduler/
 * sched-bwc.rst), summed over processors.
 */
#ifndef PJI_PLATFORM_THROTTLE_H
#define PJI_PLATFORM_THROTTLE_H

#include "platform/platform.h"

/* Since the groups exist, of ours and those above it as far as they can be seen; 0: nobody tells.
 */
int64_t pji_throttled_ns(const struct pji_platform *platform);

#endif
