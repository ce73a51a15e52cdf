/* platform/durable.c - a file is either the old one or the new one, whatever happens in between.
 *
 * The order is the usual one (Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014):
 * write a temporary file beside the target, fsync it, rename it, fsync the folder, since the rename
 * itself is only in memory until then.
 */
#include "platform/durable.h"

#include "core/str.h"
#include "platform/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int sync_fd(int fd)
{
    int rc;
    do
        rc = fsync(fd);
    while (rc && errno == EINTR);
    return rc ? errno : 0;
}

static pj_status sync_path(const char *path, int flags, struct pj_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    if (fd < 0)
        return pji_fail_errno(err, errno, "cannot open %s to make it durable", path);
    int fault = sync_fd(fd);
    close(fd);
    /* some network and user-space file systems cannot sync a folder and say so */
    if (fault && !(fault == EINVAL && (flags & O_DIRECTORY)))
        return pji_fail_errno(err, fault, "cannot make %s durable", path);
    return PJ_OK;
}

pj_status pji_durable_sync_file(const char *path, struct pj_error *err)
{
    return sync_path(path, 0, err);
}

pj_status pji_durable_sync_dir(const char *path, struct pj_error *err)
{
    return sync_path(path, O_DIRECTORY, err);
}

/* Folder of `path`; the caller frees. */
static char *parent_of(const char *path, struct pj_error *err)
{
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    while (len > 0 && path[len - 1] != '/')
        len--;
    while (len > 1 && path[len - 1] == '/')
        len--;
    return len ? pji_dupn(path, len, err) : pji_dup(".", err);
}

static pj_status sync_parent(const char *path, struct pj_error *err)
{
    char *parent = parent_of(path, err);
    if (!parent)
        return PJ_ENOMEM;
    pj_status status = pji_durable_sync_dir(parent, err);
    free(parent);
    return status;
}

static int write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

/* A new file beside `path`: its descriptor and, in *name (the caller frees), its path. */
static pj_status open_temporary(const char *path, char **name, int *fd, struct pj_error *err)
{
    for (int attempt = 0;; attempt++) {
        struct pji_str text = {0};
        pji_str_addf(&text, "%s.tmp-%ld-%lld", path, (long)getpid(),
                     (long long)pji_clock_ns(CLOCK_MONOTONIC));
        pj_status status = pji_str_ok(&text, err);
        *name = pji_str_take(&text);
        if (status)
            return status;
        *fd = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (*fd >= 0)
            return PJ_OK;
        int fault = errno;
        free(*name);
        *name = NULL;
        if (fault != EEXIST || attempt == 100)
            return pji_fail_errno(err, fault, "cannot make a file beside %s", path);
    }
}

pj_status pji_durable_write(const char *path, const void *bytes, size_t len, struct pj_error *err)
{
    char *name = NULL;
    int fd = -1;
    pj_status status = open_temporary(path, &name, &fd, err);
    if (status)
        return status;
    int fault = write_all(fd, bytes, len);
    if (!fault)
        fault = sync_fd(fd);
    if (close(fd) && !fault)
        fault = errno;
    if (!fault && rename(name, path))
        fault = errno;
    if (fault) {
        (void)unlink(name);
        status = pji_fail_errno(err, fault, "cannot write %s", path);
    } else {
        status = sync_parent(path, err);
    }
    free(name);
    return status;
}

/* rename that refuses an existing target, on file systems without RENAME_NOREPLACE too (there, a
 * second program between the check and the rename could still be overwritten). */
static int rename_exclusive(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return errno;
    struct stat info;
    if (lstat(to, &info) == 0)
        return EEXIST;
    if (errno != ENOENT)
        return errno;
    return rename(from, to) ? errno : 0;
}

pj_status pji_durable_rename(const char *from, const char *to, bool exclusive, struct pj_error *err)
{
    int fault = exclusive ? rename_exclusive(from, to) : rename(from, to) ? errno : 0;
    if (exclusive && fault == EEXIST)
        return pji_fail(err, PJ_EBUSY, "%s exists already", to);
    if (fault)
        return pji_fail_errno(err, fault, "cannot rename %s to %s", from, to);
    pj_status status = sync_parent(to, err);
    return status ? status : sync_parent(from, err);
}

static int make_dir(const char *path)
{
    struct stat info;
    if (mkdir(path, 0777) == 0)
        return 0;
    int fault = errno;
    /* EROFS and EACCES are also given for a folder that exists */
    if (stat(path, &info) == 0)
        return S_ISDIR(info.st_mode) ? 0 : ENOTDIR;
    return fault;
}

pj_status pji_make_dirs(const char *path, struct pj_error *err)
{
    char *partial = pji_dup(path, err);
    if (!partial)
        return PJ_ENOMEM;
    int fault = 0;
    for (char *slash = partial; !fault && *slash;) {
        slash += strspn(slash, "/");
        slash += strcspn(slash, "/");
        char kept = *slash;
        *slash = '\0';
        if (*partial)
            fault = make_dir(partial);
        *slash = kept;
    }
    free(partial);
    if (fault)
        return pji_fail_errno(err, fault, "cannot make the folder %s", path);
    return PJ_OK;
}

/* Reads to the end; *bytes grows by halves and always has room for the terminator. */
static int read_to_end(int fd, size_t limit, char **bytes, size_t *len)
{
    size_t cap = 0;
    for (;;) {
        if (cap - *len < 2) {
            size_t grown = cap ? cap + cap / 2 : 16384;
            char *fresh = grown > cap ? realloc(*bytes, grown) : NULL;
            if (!fresh)
                return ENOMEM;
            *bytes = fresh;
            cap = grown;
        }
        ssize_t n = read(fd, *bytes + *len, cap - *len - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        if (n == 0)
            return 0;
        *len += (size_t)n;
        if (*len > limit)
            return EFBIG;
    }
}

pj_status pji_read_file(const char *path, size_t limit, char **bytes, size_t *len,
                        struct pj_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return pji_fail_errno(err, errno, "cannot open %s", path);
    char *text = NULL;
    size_t got = 0;
    int fault = read_to_end(fd, limit, &text, &got);
    close(fd);
    if (fault) {
        free(text);
        if (fault == EFBIG)
            return pji_fail(err, PJ_EINVAL, "%s is larger than %zu bytes", path, limit);
        return pji_fail_errno(err, fault, "cannot read %s", path);
    }
    text[got] = '\0';
    *bytes = text;
    if (len)
        *len = got;
    return PJ_OK;
}
