/* platform/platform.h - the one seam between perjoule and the operating system, for everything
 * that a measurement reads: files below /sys, /proc and /dev, perf events, clocks and shared
 * libraries. Two implementations: the real one (platform/real.c), with an optional root prefix, and
 * a scripted one in tests/.
 *
 * Every operation returns a negative errno on failure. Paths are absolute ("/sys/…"); the real
 * implementation resolves them inside its root (openat2 with RESOLVE_IN_ROOT where available), so
 * that what is absent below the root does not exist. All operations may be called from any thread.
 */
#ifndef PJI_PLATFORM_PLATFORM_H
#define PJI_PLATFORM_PLATFORM_H

#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum pji_clock {
    PJI_CLOCK_MONOTONIC, /* every t_ns in perjoule */
    PJI_CLOCK_REALTIME,  /* stored beside t_ns once for each record */
    PJI_CLOCK_BOOTTIME,  /* MONOTONIC plus time suspended */
    PJI_CLOCK_PROCESS,   /* CPU time of this process */
    PJI_CLOCK_THREAD     /* CPU time of this thread */
};

/* Who may do what with a file: stat(2). */
struct pji_file_mode {
    unsigned bits; /* permission bits, 0440 */
    unsigned uid, gid;
};

struct pji_platform_ops {
    /* Read-only open. Returns a handle >= 0. */
    int (*open)(void *context, const char *path);
    /* As pread(2): bytes read, 0 at the end. sysfs attributes are re-read from offset 0. */
    ssize_t (*pread)(void *context, int handle, void *buffer, size_t size, off_t offset);
    void (*close)(void *context, int handle);
    /* Calls visit(name) for each entry of a directory except "." and "..", in byte order of the
     * names; a non-zero return of visit stops and is returned. */
    int (*list)(void *context, const char *path, int (*visit)(void *arg, const char *name),
                void *arg);
    /* Target of a symbolic link, NUL-terminated and possibly cut; its length. */
    ssize_t (*readlink)(void *context, const char *path, char *buffer, size_t size);
    /* Permissions of what the path leads to, without opening it: 0. A table may leave it out
     * (NULL).
     */
    int (*mode)(void *context, const char *path, struct pji_file_mode *out);
    /* perf_event_open(2) for a counting event on one CPU, any process; a handle for pread, which
     * then yields one uint64_t. */
    int (*perf_open)(void *context, uint32_t type, uint64_t config, int cpu);
    int64_t (*clock_ns)(void *context, enum pji_clock clock);
    /* dlopen(RTLD_NOW | RTLD_LOCAL): NULL when the library cannot be loaded; `why` gets a sentence.
     * dlsym: NULL when the symbol is missing. */
    void *(*lib_open)(void *context, const char *name, char *why, size_t size);
    void *(*lib_symbol)(void *context, void *library, const char *symbol);
    void (*lib_close)(void *context, void *library);
};

struct pji_platform {
    const struct pji_platform_ops *ops;
    void *context;
    bool rooted; /* a root prefix is in force: vendor libraries need their device node below it */
};

/* The machine itself, or the tree below `root` when root is not NULL (which must be a directory).
 */
pj_status pji_platform_open_real(struct pji_platform *platform, const char *root,
                                 struct pj_error *err);
void pji_platform_close_real(struct pji_platform *platform);

/* ---- conveniences on top of the table ---- */

static inline int64_t pji_now_ns(const struct pji_platform *platform)
{
    return platform->ops->clock_ns(platform->context, PJI_CLOCK_MONOTONIC);
}
static inline int64_t pji_wall_ns(const struct pji_platform *platform)
{
    return platform->ops->clock_ns(platform->context, PJI_CLOCK_REALTIME);
}

/* Whole small file as text, trailing newline removed; buffer is NUL-terminated, a longer file is
 * PJ_EINVAL. Returns a status; *len may be NULL. */
pj_status pji_read_text(const struct pji_platform *platform, const char *path, char *buffer,
                        size_t size, size_t *len, struct pj_error *err);
/* A file that holds one integer. */
pj_status pji_read_i64(const struct pji_platform *platform, const char *path, int64_t *value,
                       struct pj_error *err);
bool pji_path_exists(const struct pji_platform *platform, const char *path);
/* 0, or a negative errno (-ENOSYS where the platform does not tell). */
int pji_path_mode(const struct pji_platform *platform, const char *path, struct pji_file_mode *out);
/* One integer from an open handle without allocation: for the sampling path. 0 or negative errno
 * (-EBADMSG when the text is not an integer). */
int pji_pread_u64(const struct pji_platform *platform, int handle, uint64_t *value);

#endif
