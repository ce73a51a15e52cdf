/* platform/throttle.c - see throttle.h. The hierarchies are looked for where systemd and containers
 * mount them. In a container that sees the host's path of its group but not the host's tree, the
 * mount point is the group.
 */
#include "platform/throttle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GROUP_TEXT = 4096, STAT_TEXT = 4096, PATH_TEXT = 1024 };

static const char *const mounts_v1[] = {"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct",
                                        "/sys/fs/cgroup/cpuacct,cpu"};
static const char *const mounts_v2[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};

/* The path in a line "N:controllers:path" of the hierarchy with this controller ("": v2). */
static bool own_path(const char *text, const char *controller, char *out, size_t size)
{
    size_t want = strlen(controller);
    for (const char *line = text; line != NULL && *line != '\0';) {
        size_t len = strcspn(line, "\n");
        const char *list = memchr(line, ':', len);
        const char *path =
            list != NULL ? memchr(list + 1, ':', len - (size_t)(list + 1 - line)) : NULL;
        for (const char *at = list; path != NULL && at < path; at += 1 + strcspn(at + 1, ",:")) {
            size_t n = strcspn(at + 1, ",:");
            if (n != want || strncmp(at + 1, controller, n) != 0)
                continue;
            int written =
                snprintf(out, size, "%.*s", (int)(len - (size_t)(path + 1 - line)), path + 1);
            return written > 0 && (size_t)written < size;
        }
        line = line[len] == '\n' ? line + len + 1 : NULL;
    }
    return false;
}

/* -1: there is no such group here, or it has no limit to tell of. */
static int64_t of_group(const struct pji_platform *platform, const char *mount, const char *path)
{
    char file[PATH_TEXT + 64], text[STAT_TEXT];
    snprintf(file, sizeof file, "%s%s/cpu.stat", mount, strcmp(path, "/") == 0 ? "" : path);
    if (pji_read_text(platform, file, text, sizeof text, NULL, NULL) != PJ_OK)
        return -1;
    const char *v2 = strstr(text, "throttled_usec "), *v1 = strstr(text, "throttled_time ");
    if (v2 != NULL)
        return strtoll(v2 + strlen("throttled_usec "), NULL, 10) * 1000;
    return v1 != NULL ? strtoll(v1 + strlen("throttled_time "), NULL, 10) : -1;
}

static int64_t of_hierarchy(const struct pji_platform *platform, const char *mount, char *path)
{
    int64_t sum_ns = 0;
    for (;;) {
        int64_t ns = of_group(platform, mount, path);
        sum_ns += ns > 0 ? ns : 0;
        if (strcmp(path, "/") == 0)
            return sum_ns;
        char *last = strrchr(path, '/');
        if (last == NULL || last == path)
            snprintf(path, 2, "/");
        else
            *last = '\0';
    }
}

int64_t pji_throttled_ns(const struct pji_platform *platform)
{
    char text[GROUP_TEXT], path[PATH_TEXT];
    int64_t sum_ns = 0;
    if (pji_read_text(platform, "/proc/self/cgroup", text, sizeof text, NULL, NULL) != PJ_OK)
        return 0;
    /* each of a controller's usual mounts: names for one and the same, or not there */
    for (size_t i = 0; i < sizeof mounts_v1 / sizeof mounts_v1[0] && sum_ns == 0; i++)
        if (own_path(text, "cpu", path, sizeof path))
            sum_ns = of_hierarchy(platform, mounts_v1[i], path);
    for (size_t i = 0; i < sizeof mounts_v2 / sizeof mounts_v2[0] && sum_ns == 0; i++)
        if (own_path(text, "", path, sizeof path))
            sum_ns = of_hierarchy(platform, mounts_v2[i], path);
    return sum_ns;
}
