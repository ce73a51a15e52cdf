/* platform/real.c - the machine itself, or a tree that stands for it.
 *
 * Handles are file descriptors. Those of perf events carry a mark, because the kernel gives them
 * no position: pread(2) on them fails with ESPIPE and they are read with read(2) instead
 * (perf_event_open(2)).
 */
#include "platform/platform.h"

#include "core/array.h"
#include "core/units.h"
#include "platform/root.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { PERF_MARK = 1 << 30 };

struct real {
    int root_fd; /* -1: no root prefix */
    bool kernel_resolves;
};

static int open_path(const struct real *real, const char *path, int flags)
{
    if (real->root_fd >= 0)
        return pji_root_open(real->root_fd, real->kernel_resolves, path, flags);
    int fd = open(path, flags | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int real_open(void *context, const char *path)
{
    /* O_NONBLOCK: a named pipe below a root must not hold us up */
    return open_path(context, path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
}

static ssize_t real_pread(void *context, int handle, void *buffer, size_t size, off_t offset)
{
    (void)context;
    for (;;) {
        ssize_t n = handle & PERF_MARK ? read(handle & ~PERF_MARK, buffer, size)
                                       : pread(handle, buffer, size, offset);
        if (n >= 0)
            return n;
        if (errno != EINTR)
            return -errno;
    }
}

static void real_close(void *context, int handle)
{
    (void)context;
    if (handle >= 0)
        close(handle & ~PERF_MARK);
}

struct names {
    char **items;
    size_t n, cap;
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int collect(DIR *dir, struct names *names)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry)
            return -errno;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (pji_array_reserve(&names->items, &names->cap, names->n + 1, sizeof *names->items, NULL))
            return -ENOMEM;
        char *copy = strdup(entry->d_name);
        if (!copy)
            return -ENOMEM;
        names->items[names->n++] = copy;
    }
}

static int real_list(void *context, const char *path, int (*visit)(void *arg, const char *name),
                     void *arg)
{
    int fd = open_path(context, path, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return fd;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        int fault = -errno;
        close(fd);
        return fault;
    }
    struct names names = {0};
    int result = collect(dir, &names);
    closedir(dir);
    if (names.n > 1)
        qsort(names.items, names.n, sizeof *names.items, compare_names);
    for (size_t i = 0; i < names.n && result == 0; i++)
        result = visit(arg, names.items[i]);
    for (size_t i = 0; i < names.n; i++)
        free(names.items[i]);
    free(names.items);
    return result;
}

static ssize_t real_readlink(void *context, const char *path, char *buffer, size_t size)
{
    const struct real *real = context;
    if (size == 0)
        return -EINVAL;
    ssize_t n;
    if (real->root_fd < 0) {
        n = readlink(path, buffer, size - 1);
    } else {
        int fd = open_path(real, path, O_PATH | O_NOFOLLOW);
        if (fd < 0)
            return fd;
        n = readlinkat(fd, "", buffer, size - 1);
        int fault = errno;
        close(fd);
        errno = fault == ENOENT ? EINVAL : fault; /* "" on something that is not a link */
    }
    if (n < 0)
        return -errno;
    buffer[n] = '\0';
    return n;
}

static int real_mode(void *context, const char *path, struct pji_file_mode *out)
{
    struct stat info;
    int fd = open_path(context, path, O_PATH);
    if (fd < 0)
        return fd;
    int fault = fstat(fd, &info) ? -errno : 0;
    close(fd);
    if (!fault)
        *out = (struct pji_file_mode){
            .bits = info.st_mode & 07777u, .uid = info.st_uid, .gid = info.st_gid};
    return fault;
}

static int real_perf_open(void *context, uint32_t type, uint64_t config, int cpu)
{
    const struct real *real = context;
    if (real->root_fd >= 0)
        return -ENOENT;
    struct perf_event_attr attr = {.type = type, .size = sizeof attr, .config = config};
    long fd = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
    return fd < 0 ? -errno : (int)fd | PERF_MARK;
}

static int64_t real_clock_ns(void *context, enum pji_clock clock)
{
    (void)context;
    clockid_t id = CLOCK_MONOTONIC;
    switch (clock) {
    case PJI_CLOCK_MONOTONIC:
        break;
    case PJI_CLOCK_REALTIME:
        id = CLOCK_REALTIME;
        break;
    case PJI_CLOCK_BOOTTIME:
        id = CLOCK_BOOTTIME;
        break;
    case PJI_CLOCK_PROCESS:
        id = CLOCK_PROCESS_CPUTIME_ID;
        break;
    case PJI_CLOCK_THREAD:
        id = CLOCK_THREAD_CPUTIME_ID;
        break;
    }
    struct timespec now = {0};
    if (clock_gettime(id, &now))
        return -errno;
    return (int64_t)now.tv_sec * PJI_NS_PER_S + now.tv_nsec;
}

static void *real_lib_open(void *context, const char *name, char *why, size_t size)
{
    (void)context;
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!library && size > 0) {
        const char *reason = dlerror();
        (void)snprintf(why, size, "%s", reason ? reason : "the library cannot be loaded");
    }
    return library;
}

static void *real_lib_symbol(void *context, void *library, const char *symbol)
{
    (void)context;
    return dlsym(library, symbol);
}

static void real_lib_close(void *context, void *library)
{
    (void)context;
    if (library)
        dlclose(library);
}

static const struct pji_platform_ops real_ops = {
    .open = real_open,
    .pread = real_pread,
    .close = real_close,
    .list = real_list,
    .readlink = real_readlink,
    .mode = real_mode,
    .perf_open = real_perf_open,
    .clock_ns = real_clock_ns,
    .lib_open = real_lib_open,
    .lib_symbol = real_lib_symbol,
    .lib_close = real_lib_close,
};

pj_status pji_platform_open_real(struct pji_platform *platform, const char *root,
                                 struct pj_error *err)
{
    struct real *real = pji_zalloc(1, sizeof *real, err);
    if (!real)
        return PJ_ENOMEM;
    real->root_fd = -1;
    if (root) {
        real->root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (real->root_fd < 0) {
            int fault = errno;
            free(real);
            return pji_fail_errno(err, fault, "cannot use %s as the root folder", root);
        }
        real->kernel_resolves = pji_root_kernel_resolves(real->root_fd);
    }
    *platform = (struct pji_platform){.ops = &real_ops, .context = real, .rooted = root != NULL};
    return PJ_OK;
}

void pji_platform_close_real(struct pji_platform *platform)
{
    struct real *real = platform->context;
    if (real) {
        if (real->root_fd >= 0)
            close(real->root_fd);
        free(real);
    }
    *platform = (struct pji_platform){0};
}
