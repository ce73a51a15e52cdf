#include "engine/family.h"

#include "core/array.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ENVIRON_CHUNK = 4096 };

struct gather {
    struct pji_family *family;
    const struct pji_platform *platform;
    const char *entry; /* marked scan, else NULL */
    struct pj_error *err;
};

/* Looks for the entry between two NULs, across chunk borders. */
static bool has_entry(const struct pji_platform *platform, long pid, const char *entry)
{
    char path[64];
    char bytes[ENVIRON_CHUNK];
    snprintf(path, sizeof path, "/proc/%ld/environ", pid);
    int handle = platform->ops->open(platform->context, path);
    if (handle < 0)
        return false;
    size_t len = strlen(entry);
    size_t matched = 0;
    bool candidate = true; /* at the start of an entry, or still equal so far */
    bool found = false;
    off_t offset = 0;
    ssize_t got = 0;
    while (!found && (got = platform->ops->pread(platform->context, handle, bytes, sizeof bytes,
                                                 offset)) > 0) {
        for (ssize_t i = 0; i < got && !found; i++) {
            if (bytes[i] == '\0') {
                found = candidate && matched == len;
                candidate = true;
                matched = 0;
            } else if (candidate && matched < len && bytes[i] == entry[matched]) {
                matched++;
            } else {
                candidate = false;
            }
        }
        offset += got;
    }
    platform->ops->close(platform->context, handle);
    return found || (candidate && matched == len);
}

static int visit_pid(void *arg, const char *name)
{
    struct gather *gather = arg;
    char *end = NULL;
    long pid = strtol(name, &end, 10);
    if (end == name || *end != '\0' || pid <= 0)
        return 0;
    struct pji_proc_stat member;
    if (!pji_proc_stat_read(gather->platform, (pid_t)pid, &member) || member.state == 'Z' ||
        member.state == 'X')
        return 0;
    if (gather->entry != NULL && !has_entry(gather->platform, pid, gather->entry))
        return 0;
    struct pji_family *family = gather->family;
    if (pji_array_reserve(&family->members, &family->cap, family->n + 1, sizeof *family->members,
                          gather->err))
        return 1;
    family->members[family->n++] = member;
    return 0;
}

static pj_status gather_all(struct gather *gather)
{
    gather->family->n = 0;
    int rc = gather->platform->ops->list(gather->platform->context, "/proc", visit_pid, gather);
    if (rc < 0)
        return pji_fail_errno(gather->err, -rc, "cannot list the processes in /proc");
    return rc > 0 ? PJ_ENOMEM : PJ_OK;
}

/* Moves the descendants of root to the front, parents first. */
static size_t select_descendants(struct pji_proc_stat *all, size_t n, pid_t root)
{
    size_t chosen = 0;
    pid_t parent = root;
    for (size_t next = 0;; parent = all[next++].pid) {
        for (size_t i = chosen; i < n; i++) {
            if (all[i].parent != parent)
                continue;
            struct pji_proc_stat found = all[i];
            all[i] = all[chosen];
            all[chosen++] = found;
        }
        if (next == chosen)
            return chosen;
    }
}

pj_status pji_family_scan(struct pji_family *family, const struct pji_platform *platform,
                          pid_t root, struct pj_error *err)
{
    struct gather gather = {.family = family, .platform = platform, .err = err};
    pj_status rc = gather_all(&gather);
    family->n = select_descendants(family->members, family->n, root);
    return rc;
}

pj_status pji_family_scan_marked(struct pji_family *family, const struct pji_platform *platform,
                                 const char *entry, struct pj_error *err)
{
    struct gather gather = {.family = family, .platform = platform, .entry = entry, .err = err};
    return gather_all(&gather);
}

static void signal_member(const struct pji_platform *platform, const struct pji_proc_stat *member,
                          int signal_number)
{
    int pidfd = (int)syscall(SYS_pidfd_open, member->pid, 0);
    if (pidfd < 0)
        return;
    struct pji_proc_stat now;
    if (pji_proc_stat_read(platform, member->pid, &now) && now.start_ticks == member->start_ticks)
        syscall(SYS_pidfd_send_signal, pidfd, signal_number, NULL, 0);
    close(pidfd);
}

void pji_family_signal(const struct pji_family *family, const struct pji_platform *platform,
                       int signal_number)
{
    for (size_t i = 0; i < family->n; i++)
        signal_member(platform, &family->members[i], signal_number);
}

void pji_family_kill_groups(const struct pji_family *family, pid_t own)
{
    for (size_t i = 0; i < family->n; i++) {
        pid_t group = family->members[i].group;
        if (group > 1 && group != own)
            kill(-group, SIGKILL);
    }
}

void pji_family_fini(struct pji_family *family)
{
    free(family->members);
    *family = (struct pji_family){0};
}
