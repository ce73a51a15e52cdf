/* The slow lane: see lane.h. The ring has one producer and one consumer: each writes its own end
 * only, and publishes it with release after the readings were copied. The mutex guards the
 * conversation (asked, done, stop), never the ring.
 */
#include "meter/inside.h"

#include "core/array.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { RING_READS = 4 };

#define REST_MOST_NS (60 * PJI_NS_PER_S)

struct pji_lane {
    const struct pji_source_ops *ops;
    void *state;
    int64_t period_ns;
    int32_t base;
    struct pji_reading_sink sink; /* of one read; the thread's alone */

    struct pji_reading *ring;
    size_t cap;
    _Atomic size_t head, tail; /* taken and put so far, counted without end */
    _Atomic uint64_t dropped;
    uint64_t dropped_told;

    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake, answer;
    uint64_t asked, done;
    bool stop, ended;
    pj_status status; /* of the read that failed */
    struct pj_error why;
};

static struct timespec after(int64_t dur_ns)
{
    return pji_timespec(pji_real_now_ns() + dur_ns);
}

/* How long until the next read of the schedule. */
static int64_t rest_ns(const struct pji_lane *lane)
{
    int64_t rest_ns = lane->ops->rest_ns ? lane->ops->rest_ns(lane->state) : 0;
    rest_ns = rest_ns < REST_MOST_NS ? rest_ns : REST_MOST_NS;
    return rest_ns > lane->period_ns ? rest_ns : lane->period_ns;
}

/* ---- the lane's thread ---- */

static void put_ring(struct pji_lane *lane)
{
    size_t tail = atomic_load_explicit(&lane->tail, memory_order_relaxed);
    size_t room = lane->cap - (tail - atomic_load_explicit(&lane->head, memory_order_acquire));
    size_t n = lane->sink.n < room ? lane->sink.n : room;
    for (size_t i = 0; i < n; i++)
        lane->ring[(tail + i) % lane->cap] = lane->sink.readings[i];
    atomic_store_explicit(&lane->tail, tail + n, memory_order_release);
    uint64_t lost = lane->sink.n - n + lane->sink.dropped;
    if (lost)
        (void)atomic_fetch_add_explicit(&lane->dropped, lost, memory_order_relaxed);
}

/* Waits, with the lock held, for a question, the end, or the next read of the schedule. */
static void wait_turn(struct pji_lane *lane, const struct timespec *due)
{
    int late = 0;
    while (!lane->stop && lane->asked == lane->done && late != ETIMEDOUT)
        late = pthread_cond_timedwait(&lane->wake, &lane->lock, due);
}

static void *run(void *arg)
{
    struct pji_lane *lane = arg;
    struct timespec due = after(lane->period_ns);
    (void)pthread_mutex_lock(&lane->lock);
    while (!lane->stop && !lane->status) {
        wait_turn(lane, &due);
        if (lane->stop)
            break;
        uint64_t asked = lane->asked;
        lane->sink.n = 0;
        lane->sink.dropped = 0;
        lane->sink.edge = asked != lane->done;
        (void)pthread_mutex_unlock(&lane->lock);
        due = after(lane->period_ns);
        pj_status status = lane->ops->read(lane->state, &lane->sink, &lane->why);
        if (lane->ops->rest_ns)
            due = after(rest_ns(lane));
        put_ring(lane);
        (void)pthread_mutex_lock(&lane->lock);
        lane->status = status;
        lane->done = asked;
        (void)pthread_cond_broadcast(&lane->answer);
    }
    lane->ended = true;
    (void)pthread_cond_broadcast(&lane->answer);
    (void)pthread_mutex_unlock(&lane->lock);
    return NULL;
}

/* ---- the sampler's side ---- */

void pji_lane_ask(struct pji_lane *lane)
{
    (void)pthread_mutex_lock(&lane->lock);
    lane->asked++;
    (void)pthread_cond_signal(&lane->wake);
    (void)pthread_mutex_unlock(&lane->lock);
}

pj_status pji_lane_wait(struct pji_lane *lane, int64_t wait_ns)
{
    struct timespec until = after(wait_ns);
    int late = 0;
    (void)pthread_mutex_lock(&lane->lock);
    while (lane->asked != lane->done && !lane->ended && late != ETIMEDOUT)
        late = pthread_cond_timedwait(&lane->answer, &lane->lock, &until);
    bool answered = lane->asked == lane->done || lane->ended;
    (void)pthread_mutex_unlock(&lane->lock);
    return answered ? PJ_OK : PJI_LANE_LATE;
}

pj_status pji_lane_take(struct pji_lane *lane, struct pji_reading_sink *sink, struct pj_error *err)
{
    size_t head = atomic_load_explicit(&lane->head, memory_order_relaxed);
    size_t n = atomic_load_explicit(&lane->tail, memory_order_acquire) - head;
    if (n > sink->cap - sink->n)
        n = sink->cap - sink->n;
    for (size_t i = 0; i < n; i++) {
        sink->readings[sink->n] = lane->ring[(head + i) % lane->cap];
        sink->readings[sink->n++].channel += lane->base;
    }
    atomic_store_explicit(&lane->head, head + n, memory_order_release);
    uint64_t dropped = atomic_load_explicit(&lane->dropped, memory_order_relaxed);
    sink->dropped += dropped - lane->dropped_told;
    lane->dropped_told = dropped;

    (void)pthread_mutex_lock(&lane->lock);
    pj_status status = lane->status < 0 && lane->ended ? lane->status : PJ_OK;
    if (status)
        lane->status = 0; /* told */
    (void)pthread_mutex_unlock(&lane->lock);
    if (status && err && !err->code)
        *err = lane->why;
    return status;
}

static void free_lane(struct pji_lane *lane)
{
    (void)pthread_cond_destroy(&lane->wake);
    (void)pthread_cond_destroy(&lane->answer);
    (void)pthread_mutex_destroy(&lane->lock);
    free(lane->sink.readings);
    free(lane->ring);
    free(lane);
}

pj_status pji_lane_close(struct pji_lane *lane, int64_t wait_ns)
{
    struct timespec until = after(wait_ns);
    int late = 0;
    if (!lane)
        return PJ_OK;
    (void)pthread_mutex_lock(&lane->lock);
    lane->stop = true;
    (void)pthread_cond_signal(&lane->wake);
    while (!lane->ended && late != ETIMEDOUT)
        late = pthread_cond_timedwait(&lane->answer, &lane->lock, &until);
    bool ended = lane->ended;
    (void)pthread_mutex_unlock(&lane->lock);
    if (!ended) {
        (void)pthread_detach(lane->thread);
        return PJI_LANE_LATE;
    }
    (void)pthread_join(lane->thread, NULL);
    free_lane(lane);
    return PJ_OK;
}

static pj_status init_sync(struct pji_lane *lane, struct pj_error *err)
{
    pthread_condattr_t attributes;
    (void)pthread_mutex_init(&lane->lock, NULL);
    if (pthread_condattr_init(&attributes))
        return pji_fail(err, PJ_ENOMEM, "no memory for the lane of source %s", lane->ops->name);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&lane->wake, &attributes);
    (void)pthread_cond_init(&lane->answer, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    return PJ_OK;
}

/* The thread takes no signals: they belong to whoever reads the process's signalfd. */
static pj_status start(struct pji_lane *lane, struct pj_error *err)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&lane->thread, NULL, run, lane);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed)
        return pji_fail_errno(err, failed, "cannot start a thread for source %s", lane->ops->name);
    return PJ_OK;
}

pj_status pji_lane_open(struct pji_lane **out, const struct pji_source_ops *ops, void *state,
                        size_t n_channels, int32_t base, int64_t period_ns, struct pj_error *err)
{
    size_t burst = n_channels * ops->burst;
    struct pji_lane *lane = pji_zalloc(1, sizeof *lane, err);
    *out = NULL;
    if (!lane)
        return PJ_ENOMEM;
    lane->ops = ops;
    lane->state = state;
    lane->period_ns = period_ns;
    lane->base = base;
    lane->cap = burst * RING_READS;
    lane->sink.cap = burst;
    lane->sink.readings = pji_zalloc(burst, sizeof *lane->sink.readings, err);
    lane->ring = pji_zalloc(lane->cap, sizeof *lane->ring, err);
    pj_status status = init_sync(lane, err);
    if (!status && (!lane->sink.readings || !lane->ring))
        status = PJ_ENOMEM;
    if (!status)
        status = start(lane, err);
    if (status) {
        free_lane(lane);
        return status;
    }
    *out = lane;
    return PJ_OK;
}
