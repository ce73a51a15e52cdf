/* support/scripted_tree.h - inside of the scripted platform; tests use scripted_platform.h. */
#ifndef TEST_SUPPORT_SCRIPTED_TREE_H
#define TEST_SUPPORT_SCRIPTED_TREE_H

#include "scripted_platform.h"

#include <pthread.h>

enum node_kind { NODE_FILE, NODE_DIR, NODE_LINK, NODE_PERF };

struct step {
    char *text;
    int sys_errno;
    int64_t latency_ns;
};

struct node {
    char *path;
    enum node_kind kind;
    bool gone;
    char *bytes; /* content, or a link's target */
    size_t len;
    scripted_read_fn *read;
    void *read_arg;
    int open_errno, open_fails; /* fails: how many more, negative: all */
    int read_errno, read_fails;
    int64_t latency_ns;
    struct step *steps;
    size_t n_steps, next_step;
    struct scripted_counts counts;
};

struct handle {
    struct node *node; /* NULL: free */
    char *taken;       /* what the last read at offset 0 gave */
    size_t len;
};

struct library {
    char *name;
    const struct scripted_symbol *symbols;
};

struct scripted {
    pthread_mutex_t lock;
    struct pji_platform platform;
    struct node **nodes; /* pointers: handles keep them */
    size_t n_nodes, cap_nodes;
    struct handle *handles;
    size_t n_handles, cap_handles;
    struct library **libraries;
    size_t n_libraries, cap_libraries;
    size_t open_libraries;
    int64_t clock_ns[PJI_CLOCK_THREAD + 1];
    struct scripted_counts counts;
};

extern const struct pji_platform_ops scripted_ops;

_Noreturn void scripted_give_up(const char *what, const char *path);
/* The node of exactly this path, or NULL. */
struct node *scripted_find(struct scripted *s, const char *path);
/* Whether something lies below the path. */
bool scripted_is_dir(struct scripted *s, const char *path);
/* Follows symbolic links (the last one only when asked) into `out`; 0 or a negative errno. */
int scripted_resolve(struct scripted *s, const char *path, bool last, char *out, size_t size);

#endif
