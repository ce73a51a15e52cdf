/* library/session.c - a session's life: options, opening, stopping, closing. */
#include "library/session.h"

#include "core/array.h"
#include "core/units.h"
#include "energy/fold.h"
#include "sources/table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { WINDOWS = 4096, WINDOWS_MOST = 1 << 20 };

static const struct pji_source_ops *const only_replay[] = {&pji_source_replay, NULL};

const char *pj_version(void)
{
    return PJ_VERSION;
}

pj_status pji_session_check(const struct pj_session *session, struct pj_error *err)
{
    if (session->owner != getpid())
        return pji_fail(err, PJ_ESTATE,
                        "this session belongs to the process %d, which forked this one; open a new "
                        "one here",
                        (int)session->owner);
    return PJ_OK;
}

static void write_log(void *context, enum pji_log_level level, const char *text)
{
    struct pj_session *session = context;

    if (level <= PJI_LOG_WARNING && session->say)
        session->say(session->say_context, text);
}

/* ---- options ---- */

/* A caller's struct may be older (shorter: the rest is 0) or newer (longer: what we do not know
 * must be 0). */
static pj_status read_size(struct pj_session_options *to, const struct pj_session_options *from,
                           struct pj_error *err)
{
    const unsigned char *bytes = (const unsigned char *)from;

    *to = (struct pj_session_options){0};
    if (!from)
        return PJ_OK;
    if (from->size < sizeof from->size + sizeof from->interval_ns)
        return pji_fail(err, PJ_EINVAL,
                        "options.size is %zu: set it to sizeof(struct pj_session_options)",
                        from->size);
    for (size_t i = sizeof *to; i < from->size; i++) {
        if (bytes[i] != 0)
            return pji_fail(err, PJ_EINVAL,
                            "an option is set that libperjoule " PJ_VERSION
                            " does not know; the program was built for a later one");
    }
    memcpy(to, from, from->size < sizeof *to ? from->size : sizeof *to);
    return PJ_OK;
}

static pj_status read_options(struct pj_session_options *to, const struct pj_session_options *from,
                              struct pj_error *err)
{
    pj_status status = read_size(to, from, err);

    if (status)
        return status;
    if (to->interval_ns == 0)
        to->interval_ns = 100 * PJI_NS_PER_MS;
    if (to->max_windows == 0)
        to->max_windows = WINDOWS;
    if (to->interval_ns < PJI_NS_PER_MS / 10 || to->interval_ns > 3600 * PJI_NS_PER_S)
        return pji_fail(err, PJ_EINVAL,
                        "interval_ns must be between 100000 and 3600000000000, not %lld",
                        (long long)to->interval_ns);
    if (to->max_windows > WINDOWS_MOST)
        return pji_fail(err, PJ_EINVAL, "max_windows must be at most %d, not %u", WINDOWS_MOST,
                        to->max_windows);
    return PJ_OK;
}

/* ---- opening ---- */

static pj_status make_lock(struct pj_session *session, struct pj_error *err)
{
    pthread_condattr_t attributes;

    if (pthread_condattr_init(&attributes))
        return pji_fail(err, PJ_ENOMEM, "no memory for the session's lock");
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&session->lock, NULL);
    (void)pthread_cond_init(&session->news, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    session->lock_made = true;
    session->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (session->wake_fd < 0)
        return pji_fail_errno(err, errno, "cannot make the session's event descriptor");
    session->edges_ns = pji_zalloc(2 * (size_t)session->pool.n, sizeof *session->edges_ns, err);
    return session->edges_ns ? PJ_OK : PJ_ENOMEM;
}

static pj_status open_meter(struct pj_session *session, const struct pj_session_options *options,
                            struct pj_error *err)
{
    struct pji_meter_config config = {
        .env = {.platform = &session->platform,
                .log = &session->log,
                .nvml_path = options->nvml_path,
                .cuda_visible_devices = options->cuda_visible_devices,
                .cuda_device_order = options->cuda_device_order,
                .hip_visible_devices = options->hip_visible_devices,
                .rocr_visible_devices = options->rocr_visible_devices,
                .replay_path = options->replay_path},
        .sources = options->replay_path ? only_replay : pji_sources,
        .interval_ns = options->interval_ns,
    };
    pj_status status = pji_platform_open_real(&session->platform, options->root, err);

    if (status)
        return status;
    session->platform_open = true;
    return pji_meter_open(&session->meter, &config, err);
}

/* The same that a reader of the trace would have: its header, an empty series for each channel. */
static pj_status make_trace(struct pj_session *session, struct pj_error *err)
{
    const struct pji_channel_table *table = pji_meter_channels(session->meter);
    struct pji_trace_header header = {.tool = "libperjoule " PJ_VERSION,
                                      .t_ns = pji_now_ns(&session->platform),
                                      .wall_ns = pji_wall_ns(&session->platform),
                                      .channels = table->channels,
                                      .n_channels = table->n,
                                      .missing = table->missing,
                                      .n_missing = table->n_missing};
    pj_status status;

    session->feed = pji_trace_builder(&session->trace);
    status = session->feed.header(&session->trace, &header, err);
    for (size_t i = 0; i < table->n; i++) {
        const struct pji_channel *channel = &table->channels[i];
        int64_t settling_ns = pji_series_settling_ns(channel);

        if (pji_source_is_alternative(channel))
            continue;
        if (settling_ns > session->settling_ns)
            session->settling_ns = settling_ns;
        if (channel->refresh_ns > session->refresh_ns)
            session->refresh_ns = channel->refresh_ns;
    }
    return status;
}

static pj_status open_all(struct pj_session *session, const struct pj_session_options *options,
                          struct pj_error *err)
{
    pj_status status = pji_pool_init(&session->pool, options->max_windows, err);

    if (!status)
        status = make_lock(session, err);
    if (!status)
        status = open_meter(session, options, err);
    if (!status)
        status = make_trace(session, err);
    if (!status)
        status = pji_session_list(session, err);
    if (!status) {
        struct pji_quiet quiet;

        pji_quiet_begin(&quiet);
        status = pji_session_record_open(session, options->trace_path, options->interval_ns, err);
        if (!status)
            status = pji_session_sample_first(session, err);
        pji_quiet_end(&quiet);
    }
    return status ? status : pji_session_start(session, err);
}

pj_status pj_session_open(struct pj_session **out, const struct pj_session_options *options,
                          struct pj_error *err)
{
    struct pj_session_options known;
    struct pj_session *session;
    pj_status status = read_options(&known, options, err);

    *out = NULL;
    if (status)
        return status;
    session = pji_zalloc(1, sizeof *session, err);
    if (!session)
        return PJ_ENOMEM;
    session->owner = getpid();
    session->wake_fd = session->trace_fd = -1;
    session->log = (struct pji_log){.write = write_log, .context = session};
    session->say = known.log;
    session->say_context = known.log_context;
    session->measured_only = known.measured_only != 0;
    status = open_all(session, &known, err);
    if (status) {
        pj_session_close(session);
        return status;
    }
    *out = session;
    return PJ_OK;
}

/* ---- stopping ---- */

/* Only one caller joins; the others wait for it. */
static void end_thread(struct pj_session *session)
{
    bool mine;

    (void)pthread_mutex_lock(&session->lock);
    mine = !session->joining;
    session->joining = session->stop = true;
    pji_session_wake(session);
    while (session->running)
        (void)pthread_cond_wait(&session->news, &session->lock);
    (void)pthread_mutex_unlock(&session->lock);
    if (mine)
        (void)pthread_join(session->thread, NULL);
}

pj_status pj_session_stop(struct pj_session *session, struct pj_error *err)
{
    pj_status status = pji_session_check(session, err);

    if (status)
        return status;
    atomic_store(&session->stopped, true);
    end_thread(session);
    (void)pthread_mutex_lock(&session->lock);
    pji_session_record_close(session);
    status = session->failed ? session->failed : session->unwritten;
    if (status && err && !err->code)
        *err = session->failed ? session->failed_why : session->unwritten_why;
    (void)pthread_mutex_unlock(&session->lock);
    return status;
}

void pj_session_close(struct pj_session *session)
{
    if (!session || session->owner != getpid())
        return;
    if (session->started)
        (void)pj_session_stop(session, NULL);
    if (session->lock_made) {
        pji_session_record_close(session);
        (void)pthread_cond_destroy(&session->news);
        (void)pthread_mutex_destroy(&session->lock);
    }
    pji_meter_close(session->meter);
    if (session->platform_open)
        pji_platform_close_real(&session->platform);
    if (session->wake_fd >= 0)
        (void)close(session->wake_fd);
    pji_trace_fini(&session->trace);
    pji_pool_fini(&session->pool);
    free(session->edges_ns);
    free(session->sources);
    free(session->missing);
    free(session);
}
