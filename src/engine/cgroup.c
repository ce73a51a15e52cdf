#include "engine/cgroup.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PROC_TEXT = 65536 };

/* Copies the field'th blank-separated word of line to out. */
static bool copy_word(const char *line, int field, char *out, size_t size)
{
    for (; field > 0; field--) {
        line = strpbrk(line, " \n");
        if (line == NULL || *line == '\n')
            return false;
        line++;
    }
    size_t len = strcspn(line, " \n");
    if (len == 0 || len >= size)
        return false;
    memcpy(out, line, len);
    out[len] = '\0';
    return true;
}

/* Mount point of cgroup v2: proc(5), /proc/PID/mountinfo: field 5 is the mount point, the file
 * system type follows the separator " - ". */
static bool find_mount(const struct pji_platform *platform, char *out, size_t size)
{
    char text[PROC_TEXT];
    if (pji_read_text(platform, "/proc/self/mountinfo", text, sizeof text, NULL, NULL))
        return false;
    const char *line = text;
    while (line != NULL) {
        const char *type = strstr(line, " - ");
        if (type == NULL)
            return false;
        if (strncmp(type, " - cgroup2 ", 11) == 0) {
            const char *start = type;
            while (start > text && start[-1] != '\n')
                start--;
            return copy_word(start, 4, out, size);
        }
        line = strchr(type, '\n');
    }
    return false;
}

/* Our own group in the v2 hierarchy: the line "0::/path" (cgroups(7)). */
static bool find_own(const struct pji_platform *platform, char *out, size_t size)
{
    char text[8192];
    if (pji_read_text(platform, "/proc/self/cgroup", text, sizeof text, NULL, NULL))
        return false;
    const char *line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
    if (line == NULL)
        return false;
    return copy_word(strchr(line, '/'), 0, out, size);
}

static bool write_text(const char *dir, const char *name, const char *text)
{
    char path[600];
    int len = snprintf(path, sizeof path, "%s/%s", dir, name);
    if (len < 0 || (size_t)len >= sizeof path)
        return false;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return ok;
}

static bool leaf_path(struct pji_cgroup *group, const struct pji_platform *platform,
                      const char *name)
{
    char mount[256];
    char own[192];
    group->path[0] = '\0';
    if (!find_mount(platform, mount, sizeof mount) || !find_own(platform, own, sizeof own))
        return false;
    snprintf(group->path, sizeof group->path, "%s%s/perjoule-%.40s", mount,
             strcmp(own, "/") == 0 ? "" : own, name);
    return true;
}

bool pji_cgroup_make(struct pji_cgroup *group, const struct pji_platform *platform,
                     const char *name, pid_t pid)
{
    char kill_path[600];
    char text[24];
    if (!leaf_path(group, platform, name) || mkdir(group->path, 0755) != 0) {
        group->path[0] = '\0';
        return false;
    }
    snprintf(text, sizeof text, "%ld", (long)pid);
    snprintf(kill_path, sizeof kill_path, "%s/cgroup.kill", group->path);
    if (access(kill_path, W_OK) == 0 && write_text(group->path, "cgroup.procs", text))
        return true;
    pji_cgroup_remove(group);
    return false;
}

bool pji_cgroup_find(struct pji_cgroup *group, const struct pji_platform *platform,
                     const char *name)
{
    if (leaf_path(group, platform, name) && access(group->path, F_OK) == 0)
        return true;
    group->path[0] = '\0';
    return false;
}

void pji_cgroup_kill(const struct pji_cgroup *group)
{
    if (group->path[0] != '\0')
        write_text(group->path, "cgroup.kill", "1");
}

void pji_cgroup_remove(struct pji_cgroup *group)
{
    if (group->path[0] != '\0')
        rmdir(group->path);
    group->path[0] = '\0';
}
