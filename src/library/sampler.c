/* library/sampler.c - the thread that reads the instruments of a session.
 *
 * Reading is done without the lock; what was read is taken in under it. The series of all channels
 * hold what windows need (energy/fold.h): when the longest has reached `fold_at` points it is
 * folded, so that between folds nothing is allocated, and memory depends on the number of windows
 * that exist, not on how long the session lasts.
 */
#include "library/session.h"

#include "core/array.h"
#include "core/units.h"
#include "energy/fold.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { POINTS = 1024 };

static size_t longest(const struct pj_session *session)
{
    size_t most = 0;

    for (size_t i = 0; i < session->trace.header.n_channels; i++)
        most = session->trace.series[i].n > most ? session->trace.series[i].n : most;
    return most;
}

/* With the lock. */
static void fold(struct pj_session *session)
{
    struct pji_fold fold = {.edges_ns = session->edges_ns,
                            .after_ns = pji_now_ns(&session->platform)};
    size_t most;

    if (longest(session) < session->fold_at ||
        !pji_pool_edges(&session->pool, session->edges_ns, &fold.n_edges))
        return;
    qsort(session->edges_ns, fold.n_edges, sizeof *session->edges_ns, pji_i64_order);
    for (size_t i = 0; i < session->trace.header.n_channels; i++)
        pji_series_fold(&session->trace.series[i], &fold);
    most = longest(session);
    session->fold_at = 2 * most > POINTS ? 2 * most : POINTS;
}

/* With the lock. As in a trace: a suspend stands before the readings that follow it. */
static pj_status take_in(struct pj_session *session, const struct pji_reading *readings, size_t n,
                         struct pj_error *err)
{
    int64_t suspended_ns = pji_meter_suspended_ns(session->meter);
    pj_status status = PJ_OK;

    pji_session_record_readings(session, readings, n, suspended_ns);
    for (size_t i = 0; suspended_ns > 0 && i < session->trace.header.n_channels; i++)
        pji_series_suspend(&session->trace.series[i], suspended_ns);
    for (size_t i = 0; i < n && !status; i++)
        status = session->feed.reading(&session->trace, &readings[i], err);
    pji_session_record_windows(session);
    fold(session);
    return status;
}

/* One reading of everything, or of what is due. */
static pj_status sample(struct pj_session *session, bool all, struct pj_error *err)
{
    const struct pji_reading *readings;
    size_t n;
    uint64_t asked;
    pj_status status;

    (void)pthread_mutex_lock(&session->lock);
    asked = session->asked;
    (void)pthread_mutex_unlock(&session->lock);
    status = (all ? pji_meter_read : pji_meter_sample)(session->meter, &readings, &n, err);
    (void)pthread_mutex_lock(&session->lock);
    if (!status)
        status = take_in(session, readings, n, err);
    if (all)
        session->answered = asked;
    (void)pthread_cond_broadcast(&session->news);
    (void)pthread_mutex_unlock(&session->lock);
    return status;
}

pj_status pji_session_sample_first(struct pj_session *session, struct pj_error *err)
{
    const struct pji_channel_table *table = pji_meter_channels(session->meter);
    size_t cap = POINTS + pji_meter_burst(session->meter) + 1;
    pj_status status = PJ_OK;

    session->fold_at = POINTS;
    for (size_t i = 0; i < table->n && !status; i++) {
        struct pji_series *series = &session->trace.series[i];

        status = pji_array_reserve(&series->points, &series->cap, cap, sizeof *series->points, err);
        if (!status)
            status = pji_array_reserve(&series->marks, &series->cap_marks, cap,
                                       sizeof *series->marks, err);
    }
    return status ? status : sample(session, true, err);
}

static void drain(const struct pj_session *session)
{
    uint64_t count;

    (void)!read(session->wake_fd, &count, sizeof count);
}

static pj_status turn(struct pj_session *session, bool *stop, struct pj_error *err)
{
    struct pollfd fds[] = {{.fd = pji_meter_timer_fd(session->meter), .events = POLLIN},
                           {.fd = session->wake_fd, .events = POLLIN}};
    bool asked = false;
    pj_status status = PJ_OK;

    if (poll(fds, 2, -1) < 0 && errno != EINTR)
        return pji_fail_errno(err, errno, "cannot wait for the next tick");
    if (fds[1].revents) {
        drain(session);
        (void)pthread_mutex_lock(&session->lock);
        *stop = session->stop;
        asked = session->asked != session->answered;
        (void)pthread_mutex_unlock(&session->lock);
    }
    if (fds[0].revents) {
        status = pji_meter_tick(session->meter, err);
        if (!status && !asked && !*stop)
            status = sample(session, false, err);
    }
    if (status >= 0 && asked && !*stop)
        status = sample(session, true, err);
    return status > 0 ? PJ_OK : status;
}

static void *run(void *arg)
{
    struct pj_session *session = arg;
    struct pj_error err = {0};
    bool stop = false;
    pj_status status = pji_meter_timer_start(session->meter, &err);

    while (!status && !stop)
        status = turn(session, &stop, &err);
    if (!status) {
        (void)pji_meter_settle(session->meter);
        status = sample(session, true, &err);
    }
    (void)pthread_mutex_lock(&session->lock);
    pji_session_record_end(session);
    session->failed = status;
    session->failed_why = err;
    session->running = false;
    (void)pthread_cond_broadcast(&session->news);
    (void)pthread_mutex_unlock(&session->lock);
    return NULL;
}

pj_status pji_session_start(struct pj_session *session, struct pj_error *err)
{
    sigset_t all, before;
    int failed;

    session->running = true;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&session->thread, NULL, run, session);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    session->started = failed == 0;
    if (!failed)
        return PJ_OK;
    return pji_fail_errno(err, failed, "cannot start the thread that samples");
}

void pji_session_wake(const struct pj_session *session)
{
    const uint64_t one = 1;

    (void)!write(session->wake_fd, &one, sizeof one);
}
