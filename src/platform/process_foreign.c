/* platform/process_foreign.c - processes that are not our children: named by pid and start time,
 * since a pid alone is soon given to somebody else.
 */
#include "core/num.h"
#include "platform/process.h"
#include "platform/process_pidfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Field 22 of proc_pid_stat(5). The name in field 2 may contain blanks and parentheses, so that
 * counting starts behind the last ")". */
static const char *find_start(char *text)
{
    char *at = strrchr(text, ')');
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at ? at + 1 : NULL;
}

pj_status pji_process_start_ticks(pid_t pid, uint64_t *ticks, struct pj_error *err)
{
    char path[40];
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return pji_fail_errno(err, errno, "cannot find process %ld", (long)pid);
    char text[1024];
    ssize_t n;
    do
        n = read(fd, text, sizeof text - 1);
    while (n < 0 && errno == EINTR);
    int fault = errno;
    close(fd);
    if (n < 0 && fault == ESRCH)
        return pji_fail(err, PJ_ENOTFOUND, "process %ld has ended", (long)pid);
    if (n < 0)
        return pji_fail_errno(err, fault, "cannot read %s", path);
    text[n] = '\0';
    const char *start = find_start(text);
    if (!start || pji_num_parse_u64(start, strcspn(start, " \n"), ticks, NULL))
        return pji_fail(err, PJ_ECORRUPT, "%s has no start time", path);
    return PJ_OK;
}

pj_status pji_process_end_foreign(pid_t pid, uint64_t start_ticks, int64_t grace_ns,
                                  struct pj_error *err)
{
    if (pid <= 1 || pid == getpid())
        return pji_fail(err, PJ_EINVAL, "process %ld is not one that may be ended", (long)pid);
    int pidfd = pji_pidfd_open(pid);
    if (pidfd == -ESRCH || pidfd == -EINVAL) /* EINVAL: the number is a thread's now */
        return PJ_OK;
    if (pidfd < 0)
        return pji_fail_errno(err, -pidfd, "cannot get hold of process %ld", (long)pid);
    /* after the pidfd is open the pid cannot change its owner unnoticed */
    uint64_t ticks = 0;
    pj_status status = pji_process_start_ticks(pid, &ticks, err);
    if (status == PJ_OK && ticks == start_ticks) {
        int rc = pji_pidfd_end(pidfd, grace_ns);
        if (rc == -ETIMEDOUT)
            status = pji_fail(err, PJ_ETIMEOUT, "process %ld survived SIGKILL", (long)pid);
        else if (rc < 0)
            status = pji_fail_errno(err, -rc, "cannot end process %ld", (long)pid);
    }
    close(pidfd);
    if (status == PJ_ENOTFOUND) {
        pji_error_clear(err);
        status = PJ_OK;
    }
    return status;
}
