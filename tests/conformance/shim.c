/* See shim.h. */
#include "shim.h"

int shim_inside;

static const struct pji_platform *enter(void *context)
{
    shim_inside++;
    return context;
}

static int shim_open(void *context, const char *path)
{
    const struct pji_platform *inner = enter(context);
    int handle = inner->ops->open(inner->context, path);

    shim_inside--;
    return handle;
}

static ssize_t shim_pread(void *context, int handle, void *buffer, size_t size, off_t offset)
{
    const struct pji_platform *inner = enter(context);
    ssize_t got = inner->ops->pread(inner->context, handle, buffer, size, offset);

    shim_inside--;
    return got;
}

static void shim_close(void *context, int handle)
{
    const struct pji_platform *inner = enter(context);

    inner->ops->close(inner->context, handle);
    shim_inside--;
}

struct visitor {
    int (*visit)(void *arg, const char *name);
    void *arg;
};

/* The visitor is the source's code again. */
static int shim_visit(void *arg, const char *name)
{
    const struct visitor *visitor = arg;
    int inside = shim_inside;
    int stop;

    shim_inside = 0;
    stop = visitor->visit(visitor->arg, name);
    shim_inside = inside;
    return stop;
}

static int shim_list(void *context, const char *path, int (*visit)(void *arg, const char *name),
                     void *arg)
{
    const struct pji_platform *inner = enter(context);
    struct visitor visitor = {.visit = visit, .arg = arg};
    int stopped = inner->ops->list(inner->context, path, shim_visit, &visitor);

    shim_inside--;
    return stopped;
}

static ssize_t shim_readlink(void *context, const char *path, char *buffer, size_t size)
{
    const struct pji_platform *inner = enter(context);
    ssize_t len = inner->ops->readlink(inner->context, path, buffer, size);

    shim_inside--;
    return len;
}

static int shim_perf_open(void *context, uint32_t type, uint64_t config, int cpu)
{
    const struct pji_platform *inner = enter(context);
    int handle = inner->ops->perf_open(inner->context, type, config, cpu);

    shim_inside--;
    return handle;
}

static int64_t shim_clock_ns(void *context, enum pji_clock clock)
{
    const struct pji_platform *inner = context;

    return inner->ops->clock_ns(inner->context, clock);
}

static void *shim_lib_open(void *context, const char *name, char *why, size_t size)
{
    const struct pji_platform *inner = enter(context);
    void *library = inner->ops->lib_open(inner->context, name, why, size);

    shim_inside--;
    return library;
}

static void *shim_lib_symbol(void *context, void *library, const char *symbol)
{
    const struct pji_platform *inner = context;

    return inner->ops->lib_symbol(inner->context, library, symbol);
}

static void shim_lib_close(void *context, void *library)
{
    const struct pji_platform *inner = enter(context);

    inner->ops->lib_close(inner->context, library);
    shim_inside--;
}

static const struct pji_platform_ops shim_ops = {
    .open = shim_open,
    .pread = shim_pread,
    .close = shim_close,
    .list = shim_list,
    .readlink = shim_readlink,
    .perf_open = shim_perf_open,
    .clock_ns = shim_clock_ns,
    .lib_open = shim_lib_open,
    .lib_symbol = shim_lib_symbol,
    .lib_close = shim_lib_close,
};

struct pji_platform shim_around(const struct pji_platform *inner)
{
    struct pji_platform shim = {.ops = &shim_ops, .rooted = inner->rooted};

    shim.context = (void *)(uintptr_t)inner; /* passed back to us as const */
    return shim;
}
