/* platform/remove_tree.c - rm -r that cannot be led astray: every step is relative to an open
 * folder and no symbolic link is followed, so a link that appears meanwhile is only unlinked.
 */
#include "platform/durable.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH_MAX = 256 }; /* one descriptor each */

static int remove_entry(int parent, const char *name, int depth);

static int empty_dir(DIR *dir, int depth)
{
    int first_fault = 0;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry)
            return first_fault ? first_fault : errno;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        int fault = remove_entry(dirfd(dir), entry->d_name, depth + 1);
        if (fault && !first_fault)
            first_fault = fault; /* go on: remove as much as is possible */
    }
}

static int remove_entry(int parent, const char *name, int depth)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM) /* EPERM: POSIX's answer for a folder */
        return errno;
    int fault = errno;
    if (depth > DEPTH_MAX)
        return ELOOP;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOTDIR ? fault : errno;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        fault = errno;
        close(fd);
        return fault;
    }
    fault = empty_dir(dir, depth);
    closedir(dir);
    if (fault)
        return fault;
    return unlinkat(parent, name, AT_REMOVEDIR) && errno != ENOENT ? errno : 0;
}

pj_status pji_remove_tree(const char *path, struct pj_error *err)
{
    int fault = remove_entry(AT_FDCWD, path, 0);
    if (fault)
        return pji_fail_errno(err, fault, "cannot remove %s", path);
    return PJ_OK;
}
