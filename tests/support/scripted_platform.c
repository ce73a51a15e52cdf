/* support/scripted_platform.c - the platform's side of the script: struct pji_platform_ops. */
#include "scripted_tree.h"

#include "core/array.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void pass(struct scripted *s, int64_t dur_ns)
{
    s->clock_ns[PJI_CLOCK_MONOTONIC] += dur_ns;
    s->clock_ns[PJI_CLOCK_REALTIME] += dur_ns;
    s->clock_ns[PJI_CLOCK_BOOTTIME] += dur_ns;
}

static bool should_fail(int *left)
{
    if (*left > 0)
        --*left;
    else if (*left == 0)
        return false;
    return true;
}

/* Counts the request; a negative errno when the script wants it to fail. */
static int note_open(struct scripted *s, struct node *node)
{
    s->counts.opens++;
    if (!node)
        return 0;
    node->counts.opens++;
    return should_fail(&node->open_fails) ? -node->open_errno : 0;
}

static int new_handle(struct scripted *s, struct node *node)
{
    size_t i = 0;
    while (i < s->n_handles && s->handles[i].node)
        i++;
    if (i == s->n_handles) {
        if (pji_array_reserve(&s->handles, &s->cap_handles, i + 1, sizeof *s->handles, NULL))
            scripted_give_up("no memory", node->path);
        s->n_handles++;
    }
    s->handles[i] = (struct handle){.node = node};
    return (int)i;
}

static int open_locked(struct scripted *s, const char *path)
{
    char resolved[PATH_MAX];
    int fault = scripted_resolve(s, path, true, resolved, sizeof resolved);
    if (fault) {
        s->counts.opens++;
        return fault;
    }
    struct node *node = scripted_find(s, resolved);
    fault = note_open(s, node);
    if (fault)
        return fault;
    if (scripted_is_dir(s, resolved))
        return -EISDIR;
    if (!node)
        return -ENOENT;
    return new_handle(s, node);
}

static int scripted_open(void *context, const char *path)
{
    struct scripted *s = context;
    pthread_mutex_lock(&s->lock);
    int handle = open_locked(s, path);
    pthread_mutex_unlock(&s->lock);
    return handle;
}

/* Applies the next step of the plan, if any; a negative errno when this read fails. */
static int plan_read(struct scripted *s, struct node *node, int64_t *latency_ns)
{
    s->counts.reads++;
    node->counts.reads++;
    *latency_ns = node->latency_ns;
    if (should_fail(&node->read_fails))
        return -node->read_errno;
    if (node->next_step == node->n_steps)
        return 0;
    struct step *step = &node->steps[node->next_step++];
    *latency_ns += step->latency_ns;
    if (step->sys_errno)
        return -step->sys_errno;
    if (step->text) {
        free(node->bytes);
        node->bytes = step->text;
        node->len = strlen(step->text);
        step->text = NULL;
    }
    return 0;
}

static int fill(struct scripted *s, struct handle *handle, const struct node *node)
{
    char text[4096] = "";
    const char *from = node->bytes;
    size_t len = node->len;
    uint64_t count = 0;
    if (node->read) {
        int fault = node->read(node->read_arg, s->clock_ns[PJI_CLOCK_MONOTONIC], text, sizeof text);
        if (fault < 0)
            return fault;
        from = text;
        len = strlen(text);
    }
    if (node->kind == NODE_PERF) {
        count = strtoull(from, NULL, 10);
        from = (const char *)&count;
        len = sizeof count;
    }
    free(handle->taken);
    handle->taken = malloc(len + 1);
    if (!handle->taken)
        scripted_give_up("no memory", node->path);
    memcpy(handle->taken, from, len);
    handle->len = len;
    return 0;
}

/* One read of the file at offset 0. */
static int take_read(struct scripted *s, struct handle *handle)
{
    struct node *node = handle->node;
    int64_t latency_ns;
    int fault = plan_read(s, node, &latency_ns);
    pass(s, latency_ns / 2);
    if (!fault && node->gone)
        fault = -ENODEV;
    if (!fault)
        fault = fill(s, handle, node);
    pass(s, latency_ns - latency_ns / 2);
    return fault;
}

static ssize_t pread_locked(struct scripted *s, int number, void *buffer, size_t size, off_t offset)
{
    if (number < 0 || (size_t)number >= s->n_handles || !s->handles[number].node)
        return -EBADF;
    struct handle *handle = &s->handles[number];
    if (offset < 0)
        return -EINVAL;
    if (offset == 0) {
        int fault = take_read(s, handle);
        if (fault)
            return fault;
    }
    if ((size_t)offset >= handle->len)
        return 0;
    size_t n = handle->len - (size_t)offset;
    n = n < size ? n : size;
    memcpy(buffer, handle->taken + offset, n);
    return (ssize_t)n;
}

static ssize_t scripted_pread(void *context, int handle, void *buffer, size_t size, off_t offset)
{
    struct scripted *s = context;
    pthread_mutex_lock(&s->lock);
    ssize_t n = pread_locked(s, handle, buffer, size, offset);
    pthread_mutex_unlock(&s->lock);
    return n;
}

static void scripted_close(void *context, int number)
{
    struct scripted *s = context;
    pthread_mutex_lock(&s->lock);
    if (number < 0 || (size_t)number >= s->n_handles || !s->handles[number].node)
        scripted_give_up("closing a handle that is not open", "");
    s->counts.closes++;
    s->handles[number].node->counts.closes++;
    free(s->handles[number].taken);
    s->handles[number] = (struct handle){0};
    pthread_mutex_unlock(&s->lock);
}

struct names {
    char **items;
    size_t n, cap;
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names directly below the folder; several paths may share one. */
static void collect(struct scripted *s, const char *folder, struct names *names)
{
    size_t skip = strcmp(folder, "/") == 0 ? 1 : strlen(folder) + 1;
    for (size_t i = 0; i < s->n_nodes; i++) {
        const char *path = s->nodes[i]->path;
        if (s->nodes[i]->gone || strncmp(path, folder, skip - 1) != 0 || path[skip - 1] != '/')
            continue;
        char *name = strndup(path + skip, strcspn(path + skip, "/"));
        if (!name ||
            pji_array_reserve(&names->items, &names->cap, names->n + 1, sizeof *names->items, NULL))
            scripted_give_up("no memory", path);
        names->items[names->n++] = name;
    }
    if (names->n > 1)
        qsort(names->items, names->n, sizeof *names->items, compare_names);
}

static int list_locked(struct scripted *s, const char *path, struct names *names)
{
    char resolved[PATH_MAX];
    int fault = scripted_resolve(s, path, true, resolved, sizeof resolved);
    struct node *node = fault ? NULL : scripted_find(s, resolved);
    int refused = note_open(s, node);
    if (fault || refused)
        return fault ? fault : refused;
    if (!scripted_is_dir(s, resolved))
        return node ? -ENOTDIR : -ENOENT;
    collect(s, resolved, names);
    return 0;
}

static int scripted_list(void *context, const char *path, int (*visit)(void *arg, const char *name),
                         void *arg)
{
    struct scripted *s = context;
    struct names names = {0};
    pthread_mutex_lock(&s->lock);
    int result = list_locked(s, path, &names);
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < names.n; i++) {
        bool again = i > 0 && strcmp(names.items[i], names.items[i - 1]) == 0;
        if (!again && result == 0)
            result = visit(arg, names.items[i]);
    }
    for (size_t i = 0; i < names.n; i++)
        free(names.items[i]);
    free(names.items);
    return result;
}

static ssize_t readlink_locked(struct scripted *s, const char *path, char *buffer, size_t size)
{
    char resolved[PATH_MAX];
    s->counts.opens++;
    int fault = scripted_resolve(s, path, false, resolved, sizeof resolved);
    if (fault)
        return fault;
    const struct node *node = scripted_find(s, resolved);
    if (!node && !scripted_is_dir(s, resolved))
        return -ENOENT;
    if (!node || node->kind != NODE_LINK || size == 0)
        return -EINVAL;
    return snprintf(buffer, size, "%s", node->bytes) < (int)size ? (ssize_t)node->len
                                                                 : (ssize_t)size - 1;
}

static ssize_t scripted_readlink(void *context, const char *path, char *buffer, size_t size)
{
    struct scripted *s = context;
    pthread_mutex_lock(&s->lock);
    ssize_t n = readlink_locked(s, path, buffer, size);
    pthread_mutex_unlock(&s->lock);
    return n;
}

static int scripted_perf_open(void *context, uint32_t type, uint64_t config, int cpu)
{
    struct scripted *s = context;
    char path[80];
    (void)snprintf(path, sizeof path, "perf:%u:%llu:%d", type, (unsigned long long)config, cpu);
    pthread_mutex_lock(&s->lock);
    struct node *node = scripted_find(s, path);
    int handle = note_open(s, node);
    if (handle == 0)
        handle = node ? new_handle(s, node) : -ENOENT;
    pthread_mutex_unlock(&s->lock);
    return handle;
}

static int64_t scripted_clock_ns(void *context, enum pji_clock clock)
{
    struct scripted *s = context;
    pthread_mutex_lock(&s->lock);
    int64_t t_ns = s->clock_ns[clock];
    pthread_mutex_unlock(&s->lock);
    return t_ns;
}

static void *scripted_lib_open(void *context, const char *name, char *why, size_t size)
{
    struct scripted *s = context;
    struct library *found = NULL;
    pthread_mutex_lock(&s->lock);
    s->counts.opens++;
    for (size_t i = 0; i < s->n_libraries && !found; i++) {
        if (strcmp(s->libraries[i]->name, name) == 0)
            found = s->libraries[i];
    }
    s->open_libraries += found != NULL;
    pthread_mutex_unlock(&s->lock);
    if (!found && size)
        (void)snprintf(why, size, "%s: there is no such library in the script", name);
    return found;
}

static void *scripted_lib_symbol(void *context, void *library, const char *symbol)
{
    (void)context;
    const struct library *lib = library;
    for (const struct scripted_symbol *at = lib->symbols; at->name; at++) {
        if (strcmp(at->name, symbol) != 0)
            continue;
        void *address; /* as dlsym: a function's address in an object pointer */
        memcpy(&address, &at->function, sizeof address);
        return address;
    }
    return NULL;
}

static void scripted_lib_close(void *context, void *library)
{
    struct scripted *s = context;
    if (!library)
        return;
    pthread_mutex_lock(&s->lock);
    if (s->open_libraries == 0)
        scripted_give_up("closing a library that is not open", "");
    s->open_libraries--;
    pthread_mutex_unlock(&s->lock);
}

const struct pji_platform_ops scripted_ops = {
    .open = scripted_open,
    .pread = scripted_pread,
    .close = scripted_close,
    .list = scripted_list,
    .readlink = scripted_readlink,
    .perf_open = scripted_perf_open,
    .clock_ns = scripted_clock_ns,
    .lib_open = scripted_lib_open,
    .lib_symbol = scripted_lib_symbol,
    .lib_close = scripted_lib_close,
};
