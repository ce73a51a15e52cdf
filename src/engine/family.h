/* engine/family.h - the processes below one process, as /proc shows them, and signals to them.
 *
 * A list is a snapshot: processes fork and end while it is taken, so a caller that wants an empty
 * family scans again until wait(2) says that no child is left. A signal goes through a pidfd whose
 * start time was compared, so that a pid that was reused meanwhile is never hit. Zombies are
 * left out: their parent has to reap them.
 */
#ifndef PJI_ENGINE_FAMILY_H
#define PJI_ENGINE_FAMILY_H

#include "platform/proc_stat.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct pji_family {
    struct pji_proc_stat *members;
    size_t n, cap;
};

/* Descendants of `root`, each after its parent. Replaces what the list held. */
pj_status pji_family_scan(struct pji_family *family, const struct pji_platform *platform,
                          pid_t root, struct pj_error *err);
/* Processes whose initial environment holds exactly the entry NAME=value, wherever they hang. */
pj_status pji_family_scan_marked(struct pji_family *family, const struct pji_platform *platform,
                                 const char *entry, struct pj_error *err);
/* Sends the signal to every member that is still the same process. */
void pji_family_signal(const struct pji_family *family, const struct pji_platform *platform,
                       int signal_number);
/* SIGKILL to every process group that a member leads or is in, except `own`: catches a process
 * that forks and exits faster than a list can be made. */
void pji_family_kill_groups(const struct pji_family *family, pid_t own);
void pji_family_fini(struct pji_family *family);

#endif
