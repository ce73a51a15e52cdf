/* One writer for each study: flock(2) on DIR/lock. The kernel drops the lock when its holder dies,
 * however it dies; the text in the file (pid, start time in clock ticks since boot, host) is for
 * the message only and is never trusted as a lock. The file itself stays: removing it would open a
 * race.
 */
#include "platform/process.h"
#include "store/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { LOCK_TEXT = 256 };

/* `status` probes the lock by taking it for an instant: a writer that meets the probe tries again.
 */
enum { LOCK_TRIES = 20, LOCK_PAUSE_MS = 10 };

static char *lock_path(const char *dir, struct pj_error *err)
{
    struct pji_str path = {0};
    pji_str_addf(&path, "%s/lock", dir);
    char *text = pji_str_take(&path);
    if (!text)
        pji_error_set(err, PJ_ENOMEM, 0, "out of memory");
    return text;
}

static void write_holder(int fd)
{
    char host[65] = "", text[LOCK_TEXT];
    uint64_t ticks = 0;
    if (gethostname(host, sizeof host - 1) != 0)
        host[0] = '\0';
    if (pji_process_start_ticks(getpid(), &ticks, NULL))
        ticks = 0;
    int n = snprintf(text, sizeof text, "pid %ld start_ticks %llu host %s\n", (long)getpid(),
                     (unsigned long long)ticks, host);
    /* words for a message: a full disk must not stop the holder */
    if (n > 0 && ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)n, 0) < 0)
        errno = 0;
}

static void read_holder(int fd, struct pji_store_holder *holder)
{
    char text[LOCK_TEXT];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    long long pid = 0;
    unsigned long long ticks = 0;
    char host[65] = "";
    if (sscanf(text, "pid %lld start_ticks %llu host %64s", &pid, &ticks, host) < 2)
        return;
    holder->pid = pid;
    holder->start_ticks = ticks;
    memcpy(holder->host, host, sizeof host);
}

static pj_status refuse(int fd, const char *dir, struct pj_error *err)
{
    struct pji_store_holder holder = {0};
    read_holder(fd, &holder);
    if (holder.pid > 0)
        return pji_fail(err, PJ_EBUSY,
                        "%s is being written by process %lld on %s (started at tick %llu): wait "
                        "for it, or end it, then try again",
                        dir, (long long)holder.pid, holder.host[0] ? holder.host : "this host",
                        (unsigned long long)holder.start_ticks);
    return pji_fail(err, PJ_EBUSY, "%s is being written by another process: wait for it", dir);
}

/* 0, or the errno of the refusal. */
static int try_lock(int fd)
{
    int rc = flock(fd, LOCK_EX | LOCK_NB);
    for (int i = 0; rc != 0 && errno == EWOULDBLOCK && i < LOCK_TRIES; i++) {
        const struct timespec pause = {0, LOCK_PAUSE_MS * 1000000L};
        nanosleep(&pause, NULL);
        rc = flock(fd, LOCK_EX | LOCK_NB);
    }
    return rc == 0 ? 0 : errno;
}

pj_status pji_lock_take(const char *dir, int *out, struct pj_error *err)
{
    char *path = lock_path(dir, err);
    if (!path)
        return PJ_ENOMEM;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0) {
        pj_status st = pji_fail_errno(err, errno, "cannot open the lock %s", path);
        free(path);
        return st;
    }
    int refused = try_lock(fd);
    if (refused) {
        pj_status st = refused == EWOULDBLOCK
                           ? refuse(fd, dir, err)
                           : pji_fail_errno(err, refused, "cannot lock %s", path);
        close(fd);
        free(path);
        return st;
    }
    free(path);
    write_holder(fd);
    *out = fd;
    return PJ_OK;
}

void pji_lock_release(int *fd)
{
    if (*fd < 0)
        return;
    /* an empty file says that nobody holds it; closing releases it in any case */
    if (ftruncate(*fd, 0) != 0)
        errno = 0;
    close(*fd);
    *fd = -1;
}

pj_status pji_store_holder(const char *dir, struct pji_store_holder *holder, struct pj_error *err)
{
    *holder = (struct pji_store_holder){0};
    char *path = lock_path(dir, err);
    if (!path)
        return PJ_ENOMEM;
    pj_status st = PJ_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        if (errno != ENOENT) /* a copy without the lock file: nobody writes it */
            st = pji_fail_errno(err, errno, "cannot open the lock %s", path);
        goto out;
    }
    if (flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        read_holder(fd, holder);
        holder->alive = true;
    }
    close(fd);
out:
    free(path);
    return st;
}
