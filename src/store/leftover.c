/* What a killed process leaves: a study is built as OUT.building-PID and renamed when it is whole.
 * A later build of the same study removes such a folder when its builder is dead for certain:
 *
 * - its lock can be taken (flock(2): the kernel drops the lock of a dead process), and
 * - the process that wrote itself into the lock was on this host and is gone, or its number is now
 *   another process's (start time); or nobody is written there (killed before, or just closing),
 *   PID in the folder's name is no process, and the folder has been left alone for a while.
 *
 * Everything else is left as it is, and said: it may be somebody's living work.
 */
#include "platform/clock.h"
#include "platform/durable.h"
#include "platform/process.h"
#include "store/internal.h"

#include "core/num.h"
#include "core/units.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { QUIET_S = 10, HOST = 65 };

struct leftover {
    char path[PATH_MAX];
    int64_t pid;          /* in its name */
    const char *why_left; /* NULL: its builder is dead */
};

static bool process_lives(int64_t pid)
{
    return pid > 0 && pid <= INT_MAX && (kill((pid_t)pid, 0) == 0 || errno == EPERM);
}

static bool is_this_host(const char *host)
{
    char own[HOST] = "";
    return gethostname(own, sizeof own - 1) == 0 && strcmp(own, host) == 0;
}

/* seconds since anything happened to the folder or its lock */
static double quiet_s(const char *folder, int lock_fd)
{
    struct stat info;
    double now_s = pji_s_from_ns(pji_clock_ns(CLOCK_REALTIME));
    double last_s = stat(folder, &info) == 0 ? (double)info.st_mtim.tv_sec : now_s;
    if (lock_fd >= 0 && fstat(lock_fd, &info) == 0 && (double)info.st_mtim.tv_sec > last_s)
        last_s = (double)info.st_mtim.tv_sec;
    return now_s - last_s;
}

static const char *judge(const struct leftover *l, int lock_fd)
{
    char text[256] = "", host[HOST] = "";
    long long pid = 0;
    unsigned long long ticks = 0;
    uint64_t ticks_now = 0;
    if (lock_fd >= 0 && flock(lock_fd, LOCK_EX | LOCK_NB) != 0)
        return "a process is writing it";
    ssize_t n = lock_fd >= 0 ? pread(lock_fd, text, sizeof text - 1, 0) : 0;
    text[n > 0 ? n : 0] = '\0';
    if (sscanf(text, "pid %lld start_ticks %llu host %64s", &pid, &ticks, host) == 3) {
        if (!is_this_host(host))
            return "it was made on another host";
        bool same = process_lives(pid) &&
                    (ticks == 0 || pji_process_start_ticks((pid_t)pid, &ticks_now, NULL) != PJ_OK ||
                     ticks_now == ticks);
        return same ? "its process is still there" : NULL;
    }
    if (process_lives(l->pid))
        return "its process is still there";
    return quiet_s(l->path, lock_fd) < QUIET_S ? "it is only some seconds old" : NULL;
}

static void clear_one(struct leftover *l, const struct pji_log *log)
{
    struct stat info;
    struct pj_error err = {0};
    char lock[PATH_MAX];
    if (lstat(l->path, &info) != 0 || !S_ISDIR(info.st_mode) ||
        snprintf(lock, sizeof lock, "%s/lock", l->path) >= (int)sizeof lock)
        return;
    int fd = open(lock, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno != ENOENT)
        l->why_left = "its lock cannot be opened";
    else
        l->why_left = judge(l, fd);
    if (l->why_left != NULL)
        pji_log(log, PJI_LOG_WARNING,
                "%s was begun by another process and is left as it is (%s): remove it if nobody "
                "works on it any more",
                l->path, l->why_left);
    else if (pji_remove_tree(l->path, &err) != PJ_OK)
        pji_log(log, PJI_LOG_WARNING, "%s was left by process %lld, which is gone; remove it: %s",
                l->path, (long long)l->pid, err.text);
    else
        pji_log(log, PJI_LOG_INFO, "removed %s, left by process %lld before it was whole", l->path,
                (long long)l->pid);
    if (fd >= 0)
        close(fd);
}

/* OUT.building-PID as one component of a path: false when `name` is no such thing */
static bool is_leftover(const char *name, const char *base, int64_t *pid)
{
    static const char mark[] = ".building-";
    size_t len = strlen(base);
    const char *digits = name + len + sizeof mark - 1;
    return strncmp(name, base, len) == 0 && strncmp(name + len, mark, sizeof mark - 1) == 0 &&
           *digits != '\0' && strspn(digits, "0123456789") == strlen(digits) &&
           pji_num_parse_i64(digits, strlen(digits), pid, NULL) == PJ_OK;
}

void pji_store_clear_leftovers(const char *out, const struct pji_log *log)
{
    char for_base[PATH_MAX], for_parent[PATH_MAX];
    if (snprintf(for_base, sizeof for_base, "%s", out) >= (int)sizeof for_base)
        return;
    snprintf(for_parent, sizeof for_parent, "%s", out);
    const char *base = basename(for_base);
    const char *parent = dirname(for_parent);
    DIR *folder = opendir(parent);
    for (struct dirent *entry = folder != NULL ? readdir(folder) : NULL; entry != NULL;
         entry = readdir(folder)) {
        struct leftover l = {.pid = 0};
        if (is_leftover(entry->d_name, base, &l.pid) && l.pid != getpid() &&
            snprintf(l.path, sizeof l.path, "%s/%s", parent, entry->d_name) < (int)sizeof l.path)
            clear_one(&l, log);
    }
    if (folder != NULL)
        (void)closedir(folder);
}
