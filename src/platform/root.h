/* platform/root.h - opening paths below a root folder, for platform/real.c only.
 *
 * Inside the root, "/x" is ROOT/x, an absolute symbolic link starts again at the root and ".."
 * never leaves it, as after chroot(2). With openat2(2) (Linux 5.6) the kernel does this; where the
 * call is absent or filtered, components are resolved one by one here, which is as good for a tree
 * that nobody rearranges meanwhile.
 */
#ifndef PJI_PLATFORM_ROOT_H
#define PJI_PLATFORM_ROOT_H

#include <stdbool.h>

/* Whether this kernel resolves inside root_fd by itself. */
bool pji_root_kernel_resolves(int root_fd);
/* As openat(2) below root_fd with O_CLOEXEC added: a descriptor or a negative errno. With
 * O_NOFOLLOW only the last component is not followed. */
int pji_root_open(int root_fd, bool kernel_resolves, const char *path, int flags);

#endif
