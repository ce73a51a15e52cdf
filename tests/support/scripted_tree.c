/* support/scripted_tree.c - the script's side: what exists and what goes wrong. */
#include "scripted_tree.h"

#include "core/array.h"
#include "core/units.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void scripted_give_up(const char *what, const char *path)
{
    fprintf(stderr, "scripted platform: %s: %s\n", what, path);
    abort();
}

static void *must(void *memory)
{
    if (!memory)
        scripted_give_up("no memory", "");
    return memory;
}

struct scripted *scripted_new(void)
{
    struct scripted *s = must(calloc(1, sizeof *s));
    if (pthread_mutex_init(&s->lock, NULL))
        scripted_give_up("no lock", "");
    s->platform = (struct pji_platform){.ops = &scripted_ops, .context = s};
    s->clock_ns[PJI_CLOCK_MONOTONIC] = 1000 * PJI_NS_PER_S;
    s->clock_ns[PJI_CLOCK_BOOTTIME] = 1000 * PJI_NS_PER_S;
    s->clock_ns[PJI_CLOCK_REALTIME] = 1700000000 * PJI_NS_PER_S;
    return s;
}

static void drop_steps(struct node *node)
{
    for (size_t i = 0; i < node->n_steps; i++)
        free(node->steps[i].text);
    free(node->steps);
    node->steps = NULL;
    node->n_steps = node->next_step = 0;
}

void scripted_free(struct scripted *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_nodes; i++) {
        drop_steps(s->nodes[i]);
        free(s->nodes[i]->path);
        free(s->nodes[i]->bytes);
        free(s->nodes[i]);
    }
    for (size_t i = 0; i < s->n_handles; i++)
        free(s->handles[i].taken);
    for (size_t i = 0; i < s->n_libraries; i++) {
        free(s->libraries[i]->name);
        free(s->libraries[i]);
    }
    free(s->nodes);
    free(s->handles);
    free(s->libraries);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

const struct pji_platform *scripted_platform(struct scripted *s)
{
    return &s->platform;
}

void scripted_set_rooted(struct scripted *s, bool rooted)
{
    s->platform.rooted = rooted;
}

struct node *scripted_find(struct scripted *s, const char *path)
{
    for (size_t i = 0; i < s->n_nodes; i++) {
        if (!s->nodes[i]->gone && strcmp(s->nodes[i]->path, path) == 0)
            return s->nodes[i];
    }
    return NULL;
}

/* The node to change, created when it is missing. */
static struct node *take(struct scripted *s, const char *path, enum node_kind kind)
{
    struct node *node = scripted_find(s, path);
    size_t len = strlen(path);
    if (kind != NODE_PERF && (path[0] != '/' || len < 2 || path[len - 1] == '/'))
        scripted_give_up("not an absolute path", path);
    if (node && node->kind == kind)
        return node;
    if (node)
        scripted_give_up("it is something else already", path);
    if (pji_array_reserve(&s->nodes, &s->cap_nodes, s->n_nodes + 1, sizeof *s->nodes, NULL))
        scripted_give_up("no memory", path);
    node = must(calloc(1, sizeof *node));
    node->path = must(strdup(path));
    node->kind = kind;
    s->nodes[s->n_nodes++] = node;
    return node;
}

/* A node that must exist; perf events are files here too. */
static struct node *existing(struct scripted *s, const char *path)
{
    struct node *node = scripted_find(s, path);
    if (!node)
        scripted_give_up("no such path in the script", path);
    return node;
}

static void set_bytes(struct node *node, const void *bytes, size_t len)
{
    char *copy = must(malloc(len + 1));
    if (len)
        memcpy(copy, bytes, len);
    copy[len] = '\0';
    free(node->bytes);
    node->bytes = copy;
    node->len = len;
}

void scripted_bytes(struct scripted *s, const char *path, const void *bytes, size_t len)
{
    pthread_mutex_lock(&s->lock);
    struct node *node = path[0] == '/' ? take(s, path, NODE_FILE) : existing(s, path);
    drop_steps(node);
    node->read = NULL;
    set_bytes(node, bytes, len);
    pthread_mutex_unlock(&s->lock);
}

void scripted_file(struct scripted *s, const char *path, const char *text)
{
    scripted_bytes(s, path, text, strlen(text));
}

void scripted_filef(struct scripted *s, const char *path, const char *format, ...)
{
    char text[4096];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0 || n >= (int)sizeof text)
        scripted_give_up("the text is too long", path);
    scripted_bytes(s, path, text, (size_t)n);
}

void scripted_computed(struct scripted *s, const char *path, scripted_read_fn *read, void *arg)
{
    scripted_bytes(s, path, "", 0);
    pthread_mutex_lock(&s->lock);
    struct node *node = existing(s, path);
    node->read = read;
    node->read_arg = arg;
    pthread_mutex_unlock(&s->lock);
}

void scripted_dir(struct scripted *s, const char *path)
{
    pthread_mutex_lock(&s->lock);
    (void)take(s, path, NODE_DIR);
    pthread_mutex_unlock(&s->lock);
}

void scripted_link(struct scripted *s, const char *path, const char *target)
{
    pthread_mutex_lock(&s->lock);
    set_bytes(take(s, path, NODE_LINK), target, strlen(target));
    pthread_mutex_unlock(&s->lock);
}

static bool is_below(const char *path, const char *folder)
{
    size_t len = strlen(folder);
    if (strcmp(folder, "/") == 0)
        return path[0] == '/' && path[1];
    return strncmp(path, folder, len) == 0 && path[len] == '/';
}

void scripted_remove(struct scripted *s, const char *path)
{
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->n_nodes; i++) {
        if (strcmp(s->nodes[i]->path, path) == 0 || is_below(s->nodes[i]->path, path))
            s->nodes[i]->gone = true;
    }
    pthread_mutex_unlock(&s->lock);
}

const char *scripted_perf(struct scripted *s, uint32_t type, uint64_t config, int cpu,
                          const char *value)
{
    char path[80];
    (void)snprintf(path, sizeof path, "perf:%u:%llu:%d", type, (unsigned long long)config, cpu);
    pthread_mutex_lock(&s->lock);
    struct node *node = take(s, path, NODE_PERF);
    set_bytes(node, value, strlen(value));
    pthread_mutex_unlock(&s->lock);
    return node->path;
}

void scripted_library(struct scripted *s, const char *name, const struct scripted_symbol *symbols)
{
    pthread_mutex_lock(&s->lock);
    if (pji_array_reserve(&s->libraries, &s->cap_libraries, s->n_libraries + 1,
                          sizeof *s->libraries, NULL))
        scripted_give_up("no memory", name);
    struct library *library = must(calloc(1, sizeof *library));
    library->name = must(strdup(name));
    library->symbols = symbols;
    s->libraries[s->n_libraries++] = library;
    pthread_mutex_unlock(&s->lock);
}

void scripted_fail_open(struct scripted *s, const char *path, int sys_errno, int n)
{
    pthread_mutex_lock(&s->lock);
    struct node *node = scripted_find(s, path);
    if (!node) /* a folder that only exists because of what lies in it */
        node = take(s, path, NODE_DIR);
    node->open_errno = sys_errno;
    node->open_fails = n;
    pthread_mutex_unlock(&s->lock);
}

void scripted_fail_read(struct scripted *s, const char *path, int sys_errno, int n)
{
    pthread_mutex_lock(&s->lock);
    struct node *node = existing(s, path);
    node->read_errno = sys_errno;
    node->read_fails = n;
    pthread_mutex_unlock(&s->lock);
}

void scripted_then(struct scripted *s, const char *path, const struct scripted_step *steps,
                   size_t n)
{
    pthread_mutex_lock(&s->lock);
    struct node *node = existing(s, path);
    drop_steps(node);
    node->steps = must(calloc(n ? n : 1, sizeof *node->steps));
    node->n_steps = n;
    for (size_t i = 0; i < n; i++) {
        node->steps[i] = (struct step){.text = steps[i].text ? must(strdup(steps[i].text)) : NULL,
                                       .sys_errno = steps[i].sys_errno,
                                       .latency_ns = steps[i].latency_ns};
    }
    pthread_mutex_unlock(&s->lock);
}

void scripted_latency(struct scripted *s, const char *path, int64_t latency_ns)
{
    pthread_mutex_lock(&s->lock);
    existing(s, path)->latency_ns = latency_ns;
    pthread_mutex_unlock(&s->lock);
}

bool scripted_is_dir(struct scripted *s, const char *path)
{
    const struct node *node = scripted_find(s, path);
    if (node)
        return node->kind == NODE_DIR;
    if (strcmp(path, "/") == 0)
        return true;
    for (size_t i = 0; i < s->n_nodes; i++) {
        if (!s->nodes[i]->gone && is_below(s->nodes[i]->path, path))
            return true;
    }
    return false;
}

/* Appends one component to `out`; false when it does not fit. */
static bool append(char *out, size_t size, const char *component, size_t len)
{
    size_t have = strcmp(out, "/") == 0 ? 0 : strlen(out);
    if (have + 1 + len + 1 > size)
        return false;
    out[have] = '/';
    memcpy(out + have + 1, component, len);
    out[have + 1 + len] = '\0';
    return true;
}

static void cut_last(char *out)
{
    char *slash = strrchr(out, '/');
    slash[slash == out ? 1 : 0] = '\0';
}

int scripted_resolve(struct scripted *s, const char *path, bool last, char *out, size_t size)
{
    char todo[PATH_MAX];
    char joined[2 * PATH_MAX];
    int links = 0;
    if (path[0] != '/' || strlen(path) >= sizeof todo)
        return path[0] == '/' ? -ENAMETOOLONG : -ENOENT;
    strcpy(todo, path);
    strcpy(out, "/");
    for (size_t at = 0; todo[at += strspn(todo + at, "/")];) {
        size_t len = strcspn(todo + at, "/");
        bool final = todo[at + len + strspn(todo + at + len, "/")] == '\0';
        if (len == 2 && memcmp(todo + at, "..", 2) == 0)
            cut_last(out);
        else if (!(len == 1 && todo[at] == '.') && !append(out, size, todo + at, len))
            return -ENAMETOOLONG;
        at += len;
        const struct node *node = scripted_find(s, out);
        if (node && node->kind == NODE_FILE && !final)
            return -ENOTDIR;
        if (!node || node->kind != NODE_LINK || (final && !last))
            continue;
        if (++links > 40)
            return -ELOOP;
        if (snprintf(joined, sizeof joined, "%s%s", node->bytes, todo + at) >= PATH_MAX)
            return -ENAMETOOLONG;
        if (node->bytes[0] == '/')
            strcpy(out, "/");
        else
            cut_last(out);
        strcpy(todo, joined);
        at = 0;
    }
    return 0;
}

void scripted_set_ns(struct scripted *s, enum pji_clock clock, int64_t t_ns)
{
    pthread_mutex_lock(&s->lock);
    s->clock_ns[clock] = t_ns;
    pthread_mutex_unlock(&s->lock);
}

void scripted_advance_ns(struct scripted *s, int64_t dur_ns)
{
    pthread_mutex_lock(&s->lock);
    s->clock_ns[PJI_CLOCK_MONOTONIC] += dur_ns;
    s->clock_ns[PJI_CLOCK_REALTIME] += dur_ns;
    s->clock_ns[PJI_CLOCK_BOOTTIME] += dur_ns;
    pthread_mutex_unlock(&s->lock);
}

void scripted_suspend_ns(struct scripted *s, int64_t dur_ns)
{
    pthread_mutex_lock(&s->lock);
    s->clock_ns[PJI_CLOCK_REALTIME] += dur_ns;
    s->clock_ns[PJI_CLOCK_BOOTTIME] += dur_ns;
    pthread_mutex_unlock(&s->lock);
}

struct scripted_counts scripted_counts(struct scripted *s, const char *path)
{
    pthread_mutex_lock(&s->lock);
    struct scripted_counts counts = s->counts;
    if (path) {
        const struct node *node = scripted_find(s, path);
        counts = node ? node->counts : (struct scripted_counts){0};
    }
    pthread_mutex_unlock(&s->lock);
    return counts;
}

void scripted_forget_counts(struct scripted *s)
{
    pthread_mutex_lock(&s->lock);
    s->counts = (struct scripted_counts){0};
    for (size_t i = 0; i < s->n_nodes; i++)
        s->nodes[i]->counts = (struct scripted_counts){0};
    pthread_mutex_unlock(&s->lock);
}

size_t scripted_open_handles(struct scripted *s)
{
    pthread_mutex_lock(&s->lock);
    size_t n = s->open_libraries;
    for (size_t i = 0; i < s->n_handles; i++)
        n += s->handles[i].node != NULL;
    pthread_mutex_unlock(&s->lock);
    return n;
}
