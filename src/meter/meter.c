/* The sampler. All memory is taken in pji_meter_open: the sink holds the largest burst of every
 * source, so a read can lose nothing; what a faulty source puts beyond its word is counted. Slow
 * sources are read by lanes (lane.h); a tick takes what they have ready and never waits for them.
 *
 * The kernel forwards a periodic timerfd from its own expiry times (timerfd_create(2)): the
 * schedule never drifts, and the number of expirations that a late reader finds says how many ticks
 * it missed. How late a tick is counts from the first of those that it stands for.
 */
#include "meter/inside.h"

#include "core/array.h"
#include "core/units.h"
#include "energy/clip.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define LANE_WAIT_NS (2 * PJI_NS_PER_S)

/* The two clocks are read one after the other: less than this is not a suspend. */
#define SUSPEND_LEAST_NS (10 * PJI_NS_PER_MS)

static pj_status check_ops(const struct pji_source_ops *ops, struct pj_error *err)
{
    if (!ops->name || !ops->about || !ops->open || !ops->read || !ops->close ||
        ops->state_size == 0 || ops->burst == 0 || ops->min_period_ns < 0)
        return pji_fail(err, PJ_EINVAL,
                        "source '%s' is incomplete: name, about, state_size, burst, open, read "
                        "and close are required",
                        ops->name ? ops->name : "?");
    return PJ_OK;
}

static pj_status open_slot(struct pji_meter *meter, struct pji_slot *slot, struct pj_error *err)
{
    size_t before = meter->table.n;
    pj_status status;

    status = slot->ops->open(slot->state, &meter->env, &meter->table, err);
    if (status) {
        pji_error_prefix(err, "source %s", slot->ops->name);
        return status;
    }
    slot->open = true;
    slot->n_channels = meter->table.n - before;
    return pji_slot_start_lane(meter, slot, 0, err);
}

/* Checks the table and makes an empty slot for each row. */
static pj_status make_slots(struct pji_meter *meter, const struct pji_source_ops *const *sources,
                            struct pj_error *err)
{
    size_t n = 0;
    pj_status status = PJ_OK;

    for (; sources[n] && !status; n++)
        status = check_ops(sources[n], err);
    if (status)
        return status;
    meter->slots = pji_zalloc(n + 1, sizeof *meter->slots, err);
    if (!meter->slots)
        return PJ_ENOMEM;
    for (; meter->n_slots < n; meter->n_slots++) {
        struct pji_slot *slot = &meter->slots[meter->n_slots];

        slot->ops = sources[meter->n_slots];
        slot->state = pji_zalloc(1, slot->ops->state_size, err);
        if (!slot->state)
            return PJ_ENOMEM;
    }
    return PJ_OK;
}

/* Without the slow ones, where they are deferred. */
static pj_status open_slots(struct pji_meter *meter, bool defer_slow, struct pj_error *err)
{
    pj_status status = PJ_OK;

    for (size_t i = 0; i < meter->n_slots && !status; i++) {
        const struct pji_source_ops *ops = meter->slots[i].ops;

        if (!defer_slow || !ops->slow || ops->prompt)
            status = open_slot(meter, &meter->slots[i], err);
    }
    return status ? status : pji_meter_make_sink(meter, err);
}

pj_status pji_meter_open(struct pji_meter **out, const struct pji_meter_config *config,
                         struct pj_error *err)
{
    struct pji_meter *meter;
    pj_status status;

    *out = NULL;
    if (config->interval_ns <= 0)
        return pji_fail(err, PJ_EINVAL, "the sampling interval must be greater than 0");
    meter = pji_zalloc(1, sizeof *meter, err);
    if (!meter)
        return PJ_ENOMEM;
    meter->env = config->env;
    meter->env.interval_ns = config->interval_ns;
    meter->interval_ns = meter->tick_ns = config->interval_ns;
    meter->lane_wait_ns = config->lane_wait_ns > 0 ? config->lane_wait_ns : LANE_WAIT_NS;
    meter->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (meter->timer_fd < 0) {
        status = pji_fail_errno(err, errno, "cannot create the sampling timer");
        goto out;
    }
    status = make_slots(meter, config->sources, err);
    if (!status)
        status = open_slots(meter, config->defer_slow, err);
out:
    if (status) {
        pji_meter_close(meter);
        return status;
    }
    *out = meter;
    return PJ_OK;
}

static void close_slot(struct pji_meter *meter, struct pji_slot *slot)
{
    /* a library that does not come back keeps its thread, and all that the thread may touch */
    if (slot->lost || (slot->lane && pji_lane_close(slot->lane, meter->lane_wait_ns)))
        return;
    if (slot->open)
        slot->ops->close(slot->state);
    free(slot->state);
}

void pji_meter_close(struct pji_meter *meter)
{
    if (!meter)
        return;
    pji_meter_end_opening(meter);
    for (size_t i = 0; meter->slots && i < meter->n_slots; i++)
        close_slot(meter, &meter->slots[i]);
    free(meter->slots);
    free(meter->sink.readings);
    pji_channel_table_fini(&meter->table);
    if (meter->timer_fd >= 0)
        (void)close(meter->timer_fd);
    free(meter);
}

const struct pji_channel_table *pji_meter_channels(const struct pji_meter *meter)
{
    return &meter->table;
}

size_t pji_meter_burst(const struct pji_meter *meter)
{
    return meter->sink.cap;
}

static void notice_suspend(struct pji_meter *meter, int64_t now_ns)
{
    const struct pji_platform *platform = meter->env.platform;
    int64_t ahead_ns = platform->ops->clock_ns(platform->context, PJI_CLOCK_BOOTTIME) - now_ns;

    meter->suspended_ns = 0;
    if (meter->stats.samples > 0 && ahead_ns - meter->ahead_ns >= SUSPEND_LEAST_NS)
        meter->suspended_ns = ahead_ns - meter->ahead_ns;
    meter->ahead_ns = ahead_ns;
}

/* Reads a source that answers at once, when it is due. */
static pj_status read_fast(struct pji_meter *meter, struct pji_slot *slot, int64_t now_ns,
                           struct pj_error *err)
{
    if (slot->n_channels == 0 || slot->lane || (!meter->sink.edge && now_ns < slot->due_ns))
        return PJ_OK;
    /* half a tick of slack: a period equal to the interval must not miss every other tick */
    slot->due_ns = now_ns + slot->ops->min_period_ns - meter->interval_ns / 2;
    return slot->ops->read(slot->state, &meter->sink, err);
}

/* Takes what a slow source has ready; at an edge what it reads now, if that comes in time. */
static pj_status read_slow(struct pji_meter *meter, struct pji_slot *slot, struct pj_error *err)
{
    if (!slot->lane)
        return PJ_OK;
    if (meter->sink.edge)
        (void)pji_lane_wait(slot->lane, meter->lane_wait_ns);
    return pji_lane_take(slot->lane, &meter->sink, err);
}

static pj_status read_slots(struct pji_meter *meter, bool edge, struct pj_error *err)
{
    int64_t now_ns = pji_now_ns(meter->env.platform);
    pj_status status = PJ_OK;

    notice_suspend(meter, now_ns);
    meter->sink.n = 0;
    meter->sink.edge = edge;
    for (size_t i = 0; edge && i < meter->n_slots; i++) {
        if (meter->slots[i].lane)
            pji_lane_ask(meter->slots[i].lane);
    }
    for (int slow = 0; slow < 2; slow++) {
        for (size_t i = 0; i < meter->n_slots && !status; i++) {
            struct pji_slot *slot = &meter->slots[i];

            status = slow ? read_slow(meter, slot, err) : read_fast(meter, slot, now_ns, err);
            if (status)
                pji_error_prefix(err, "source %s", slot->ops->name);
        }
    }
    meter->stats.samples++;
    meter->stats.dropped = meter->sink.dropped;
    for (size_t i = 0; i < meter->sink.n; i++)
        meter->stats.failed_reads += meter->sink.readings[i].status == PJI_READ_FAILED;
    return status;
}

pj_status pji_meter_read(struct pji_meter *meter, const struct pji_reading **readings, size_t *n,
                         struct pj_error *err)
{
    pj_status status = read_slots(meter, true, err);

    *readings = meter->sink.readings;
    *n = meter->sink.n;
    return status;
}

pj_status pji_meter_sample(struct pji_meter *meter, const struct pji_reading **readings, size_t *n,
                           struct pj_error *err)
{
    pj_status status = read_slots(meter, false, err);

    *readings = meter->sink.readings;
    *n = meter->sink.n;
    return status;
}

int64_t pji_meter_suspended_ns(const struct pji_meter *meter)
{
    return meter->suspended_ns;
}

int pji_meter_timer_fd(const struct pji_meter *meter)
{
    return meter->timer_fd;
}

bool pji_meter_settle(const struct pji_meter *meter)
{
    int64_t settle_ns = pji_settle_ns(meter->table.channels, meter->table.n);
    struct timespec rest = pji_timespec(settle_ns);

    while (settle_ns > 0 && nanosleep(&rest, &rest) < 0 && errno == EINTR)
        ;
    return settle_ns > 0;
}

pj_status pji_meter_timer_start(struct pji_meter *meter, struct pj_error *err)
{
    struct itimerspec schedule = {.it_interval = pji_timespec(meter->tick_ns)};

    meter->due_ns = pji_real_now_ns() + meter->tick_ns;
    schedule.it_value = pji_timespec(meter->due_ns);
    if (timerfd_settime(meter->timer_fd, TFD_TIMER_ABSTIME, &schedule, NULL) < 0)
        return pji_fail_errno(err, errno, "cannot start the sampling timer");
    return PJ_OK;
}

pj_status pji_meter_tick(struct pji_meter *meter, struct pj_error *err)
{
    uint64_t expirations = 0;
    ssize_t got = read(meter->timer_fd, &expirations, sizeof expirations);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return PJI_METER_NO_TICK;
    if (got != (ssize_t)sizeof expirations)
        return pji_fail_errno(err, errno, "cannot read the sampling timer");
    meter->stats.late_ticks += expirations - 1;
    pji_lateness_add(&meter->stats.lateness, pji_real_now_ns() - meter->due_ns);
    meter->due_ns += (int64_t)expirations * meter->tick_ns;
    return PJ_OK;
}

void pji_meter_stats(const struct pji_meter *meter, struct pji_meter_stats *out)
{
    const struct pji_platform *platform = meter->env.platform;

    *out = meter->stats;
    out->own_cpu_s = pji_s_from_ns(platform->ops->clock_ns(platform->context, PJI_CLOCK_PROCESS));
}
