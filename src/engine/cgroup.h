/* engine/cgroup.h - a control group of our own, where the system lets us make one.
 *
 * With cgroup v2 a whole tree can be killed in one step that no fork escapes: write 1 to
 * cgroup.kill (Linux 5.14, Documentation/admin-guide/cgroup-v2.rst). We make a leaf below the group
 * that we are in; no controller is enabled, so nothing about scheduling or memory changes for
 * the processes in it. Everything here is best effort: without a writable group there is the walk
 * through /proc (engine/family.h).
 */
#ifndef PJI_ENGINE_CGROUP_H
#define PJI_ENGINE_CGROUP_H

#include "platform/platform.h"

#include <stdbool.h>
#include <sys/types.h>

struct pji_cgroup {
    char path[512]; /* "" while there is none */
};

/* Makes the leaf "perjoule-name" and moves the process into it. False: not possible here. */
bool pji_cgroup_make(struct pji_cgroup *group, const struct pji_platform *platform,
                     const char *name, pid_t pid);
/* Finds the leaf that another process of our group made and left. False: there is none. */
bool pji_cgroup_find(struct pji_cgroup *group, const struct pji_platform *platform,
                     const char *name);
void pji_cgroup_kill(const struct pji_cgroup *group);
/* Removes the leaf; it must be empty. */
void pji_cgroup_remove(struct pji_cgroup *group);

#endif
