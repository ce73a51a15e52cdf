/* See opening.h. */
#include "meter/opening.h"

#include "core/array.h"
#include "core/units.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct pji_opening {
    struct pji_source_env env;
    struct pji_opening_source *sources;
    size_t n;
    struct pji_channel_table table;
    pj_status status;
    struct pj_error why;
    pthread_t thread;
    bool joined;
    int over_fd; /* eventfd; everything above is the thread's until it is readable */
};

static void *run(void *arg)
{
    struct pji_opening *opening = arg;
    for (size_t i = 0; i < opening->n && !opening->status; i++) {
        struct pji_opening_source *source = &opening->sources[i];
        size_t before = opening->table.n;
        opening->status =
            source->ops->open(source->state, &opening->env, &opening->table, &opening->why);
        source->open = opening->status == PJ_OK;
        source->n_channels = opening->table.n - before;
        if (opening->status)
            pji_error_prefix(&opening->why, "source %s", source->ops->name);
    }
    (void)eventfd_write(opening->over_fd, 1);
    return NULL;
}

/* The thread takes no signals: they belong to whoever reads the process's signalfd. */
static pj_status start_thread(struct pji_opening *opening, struct pj_error *err)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&opening->thread, NULL, run, opening);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed)
        return pji_fail_errno(err, failed, "cannot start a thread that opens instruments");
    return PJ_OK;
}

pj_status pji_opening_start(struct pji_opening **out, const struct pji_source_env *env,
                            const struct pji_opening_source *sources, size_t n,
                            struct pj_error *err)
{
    struct pji_opening *opening = pji_zalloc(1, sizeof *opening, err);
    pj_status status = PJ_OK;
    *out = NULL;
    if (!opening)
        return PJ_ENOMEM;
    opening->env = *env;
    opening->n = n;
    opening->joined = true;
    opening->over_fd = eventfd(0, EFD_CLOEXEC);
    opening->sources = pji_zalloc(n + 1, sizeof *opening->sources, err);
    if (!opening->sources)
        status = PJ_ENOMEM;
    else if (opening->over_fd < 0)
        status = pji_fail_errno(err, errno, "cannot create an event descriptor");
    if (!status) {
        memcpy(opening->sources, sources, n * sizeof *sources);
        status = start_thread(opening, err);
    }
    if (status) {
        pji_opening_free(opening);
        return status;
    }
    opening->joined = false;
    *out = opening;
    return PJ_OK;
}

int pji_opening_fd(const struct pji_opening *opening)
{
    return opening->over_fd;
}

pj_status pji_opening_wait(struct pji_opening *opening, int64_t wait_ns, struct pj_error *err)
{
    struct pollfd over = {.fd = opening->over_fd, .events = POLLIN};
    struct timespec wait = {.tv_sec = (time_t)(wait_ns / PJI_NS_PER_S),
                            .tv_nsec = (long)(wait_ns % PJI_NS_PER_S)};
    int ready;
    if (!opening->joined) {
        do
            ready = ppoll(&over, 1, &wait, NULL);
        while (ready < 0 && errno == EINTR);
        if (ready <= 0)
            return PJI_OPENING_LATE;
        (void)pthread_join(opening->thread, NULL);
        opening->joined = true;
    }
    if (opening->status && err && !err->code)
        *err = opening->why;
    return opening->status;
}

const struct pji_channel_table *pji_opening_table(const struct pji_opening *opening)
{
    return &opening->table;
}

const struct pji_opening_source *pji_opening_sources(const struct pji_opening *opening)
{
    return opening->sources;
}

void pji_opening_free(struct pji_opening *opening)
{
    if (!opening)
        return;
    if (opening->over_fd >= 0)
        (void)close(opening->over_fd);
    pji_channel_table_fini(&opening->table);
    free(opening->sources);
    free(opening);
}
