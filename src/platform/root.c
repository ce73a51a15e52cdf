/* platform/root.c - see platform/root.h. */
#include "platform/root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LINKS_MAX = 40 }; /* as the kernel's own limit, path_resolution(7) */

static int open_by_kernel(int root_fd, const char *path, int flags)
{
    struct open_how how = {.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
                           .resolve = RESOLVE_IN_ROOT};
    long fd = syscall(SYS_openat2, root_fd, path, &how, sizeof how);
    return fd < 0 ? -errno : (int)fd;
}

bool pji_root_kernel_resolves(int root_fd)
{
    int fd = open_by_kernel(root_fd, ".", O_PATH);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

struct walk {
    int root_fd;
    char done[PATH_MAX]; /* resolved so far, relative to the root; "" is the root itself */
    char todo[PATH_MAX]; /* what is left to resolve */
    int links;
};

static void go_up(struct walk *walk)
{
    char *slash = strrchr(walk->done, '/');
    if (slash)
        *slash = '\0';
    else
        walk->done[0] = '\0';
}

/* Cuts the first component off `todo`; false when there is none. */
static bool next_component(struct walk *walk, char component[NAME_MAX + 1], int *fault)
{
    const char *from = walk->todo + strspn(walk->todo, "/");
    size_t len = strcspn(from, "/");
    if (len == 0)
        return false;
    if (len > NAME_MAX) {
        *fault = -ENAMETOOLONG;
        return false;
    }
    memcpy(component, from, len);
    component[len] = '\0';
    memmove(walk->todo, from + len, strlen(from + len) + 1);
    return true;
}

/* `done` names something: when it is a symbolic link, its target is put in front of `todo`. */
static int follow(struct walk *walk)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(walk->root_fd, walk->done, target, sizeof target);
    if (n < 0)
        return errno == EINVAL ? 0 : -errno;
    if (n >= (ssize_t)sizeof target)
        return -ENAMETOOLONG;
    target[n] = '\0';
    if (++walk->links > LINKS_MAX)
        return -ELOOP;
    char joined[2 * PATH_MAX];
    int len = snprintf(joined, sizeof joined, "%s%s", target, walk->todo);
    if (len >= PATH_MAX)
        return -ENAMETOOLONG;
    memcpy(walk->todo, joined, (size_t)len + 1);
    if (target[0] == '/')
        walk->done[0] = '\0';
    else
        go_up(walk);
    return 0;
}

static int resolve(struct walk *walk, bool follow_last)
{
    char component[NAME_MAX + 1];
    int fault = 0;
    while (next_component(walk, component, &fault)) {
        if (strcmp(component, ".") == 0)
            continue;
        if (strcmp(component, "..") == 0) {
            go_up(walk);
            continue;
        }
        size_t len = strlen(walk->done);
        int n =
            snprintf(walk->done + len, sizeof walk->done - len, "%s%s", len ? "/" : "", component);
        if (n >= (int)(sizeof walk->done - len))
            return -ENAMETOOLONG;
        bool last = walk->todo[0] == '\0';
        fault = last && !follow_last ? 0 : follow(walk);
        if (fault)
            return fault;
    }
    return fault;
}

static int open_by_hand(int root_fd, const char *path, int flags)
{
    struct walk walk = {.root_fd = root_fd};
    size_t len = strlen(path);
    if (len >= sizeof walk.todo)
        return -ENAMETOOLONG;
    memcpy(walk.todo, path, len + 1);
    int fault = resolve(&walk, (flags & O_NOFOLLOW) == 0);
    if (fault)
        return fault;
    int fd = openat(root_fd, walk.done[0] ? walk.done : ".", flags | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

int pji_root_open(int root_fd, bool kernel_resolves, const char *path, int flags)
{
    return kernel_resolves ? open_by_kernel(root_fd, path, flags)
                           : open_by_hand(root_fd, path, flags);
}
