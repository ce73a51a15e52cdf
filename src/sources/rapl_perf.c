/* RAPL energy counters as perf events of the PMU "power" (rapl_pmu.h).
 *
 * - The kernel accumulates the 32 bits of hardware into 64: there is no wrap to handle.
 * - Cheapest way (one read of 8 bytes, no text) and the least privilege: CAP_PERFMON (Linux 5.8) or
 *   kernel.perf_event_paranoid <= 0, where powercap files ask for root (Raffin and Trystram,
 *   arXiv:2401.15985).
 * - How finely the hardware counts is not told; the powercap zone of the same domain says so, where
 *   there is one. Its figures are readable by everybody.
 */
#include "sources/rapl_channel.h"
#include "sources/rapl_counters.h"
#include "sources/rapl_pmu.h"
#include "sources/table.h"

#include "core/array.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The coarser of the two units that hardware uses, 2^-14 J (Intel SDM 3B, 15.10.1). */
static const double unit_uj = 1e6 / 16384;
/* No counter reaches 2^33 J. */
static const double most_uj = 8.6e15;

static const char source_name[] = "rapl_perf";

struct state {
    const struct pji_platform *platform;
    struct pji_rapl_counter *counters;
    size_t n, cap;
};

/* What one opening has at hand. */
struct opening {
    struct state *state;
    struct pji_rapl_pmu pmu;
    struct pji_cpu_info cpu;
    struct pji_rapl_zones zones;
    struct pji_channel_table *table;
    size_t tried, denied;
    int denied_errno;
};

/* ---- opening ---- */

static int read_event_count(const struct pji_platform *platform,
                            const struct pji_rapl_counter *counter, int64_t *energy_uj)
{
    uint64_t count = 0;
    ssize_t got = platform->ops->pread(platform->context, counter->handle, &count, sizeof count, 0);
    double energy = (double)count * counter->count_uj;

    if (got < 0)
        return (int)got;
    if (got != (ssize_t)sizeof count) /* the event is in an error state: perf_event_open(2) */
        return -EIO;
    if (energy > most_uj)
        return -ERANGE;
    *energy_uj = (int64_t)energy;
    return 0;
}

/* A virtual machine can be shown the events without their energy: the count then never moves. A
 * processor that runs this loop uses energy, so a live counter moves within its refresh of 1 ms. */
static bool is_frozen(const struct pji_platform *platform, const struct pji_rapl_counter *counter,
                      int64_t first_uj)
{
    enum { LOOKS = 3, WAIT_MS = 1 }; /* it delays the start of what is measured */

    for (int i = 0; i < LOOKS; i++) {
        int64_t energy_uj = first_uj;

        (void)poll(NULL, 0, WAIT_MS);
        if (read_event_count(platform, counter, &energy_uj) || energy_uj != first_uj)
            return false;
    }
    return true;
}

/* Opens the event and reads it once, in a virtual machine until it moves. */
static int try_event(const struct opening *o, const struct pji_rapl_event *event,
                     const struct pji_rapl_place *place)
{
    const struct pji_platform *platform = o->state->platform;
    struct pji_rapl_counter counter = {.count_uj = event->count_uj};
    int64_t energy_uj = 0;
    int failed;

    counter.handle =
        platform->ops->perf_open(platform->context, o->pmu.type, event->config, place->cpu);
    if (counter.handle < 0)
        return counter.handle;
    failed = read_event_count(platform, &counter, &energy_uj);
    if (!failed && o->cpu.virtual_machine && is_frozen(platform, &counter, energy_uj))
        failed = -ENODATA;
    if (failed)
        platform->ops->close(platform->context, counter.handle);
    return failed ? failed : counter.handle;
}

static void describe(const struct opening *o, size_t kind, const struct pji_rapl_place *place,
                     struct pji_channel *channel)
{
    pji_rapl_channel_init(channel, source_name);
    pji_rapl_package_domain(channel, o->pmu.events[kind].kind, place->number,
                            o->pmu.events[PJI_RAPL_EVENT_PSYS].there);
    pji_rapl_channel_finish(channel, "rapl-perf", &o->cpu);
    (void)snprintf(channel->device, sizeof channel->device, "power/%s/ on CPU %d",
                   o->pmu.events[kind].name, place->cpu);
    channel->quantum = unit_uj;
    for (size_t i = 0; i < o->zones.n; i++) {
        struct pji_channel zone = {0};

        pji_rapl_zone_domain(&zone, &o->zones, &o->zones.zones[i]);
        if (strcmp(zone.domain, channel->domain) != 0 || o->zones.zones[i].max_range_uj == 0)
            continue;
        pji_rapl_channel_limits(channel, &o->zones.zones[i]);
        return;
    }
}

static pj_status miss_event(const struct opening *o, size_t kind, const struct pji_channel *channel,
                            int sys_errno, struct pj_error *err)
{
    const char *trouble = o->pmu.events[kind].trouble;
    char reason[160], text[64];

    (void)snprintf(
        reason, sizeof reason, "cannot count power/%s/: %.100s", o->pmu.events[kind].name,
        trouble                ? trouble
        : sys_errno == ENODATA ? "it never moves: the hypervisor shows it without its energy"
                               : strerror_r(sys_errno, text, sizeof text));
    return pji_channel_table_miss(o->table, source_name, channel->domain_kind, channel->domain,
                                  reason, "", err);
}

static pj_status add_event(struct opening *o, size_t kind, const struct pji_rapl_place *place,
                           struct pj_error *err)
{
    const struct pji_rapl_event *event = &o->pmu.events[kind];
    struct state *state = o->state;
    struct pji_rapl_counter counter = {.count_uj = event->count_uj};
    struct pji_channel channel;
    pj_status status;

    describe(o, kind, place, &channel);
    counter.handle = event->trouble ? -EINVAL : try_event(o, event, place);
    o->tried++;
    if (counter.handle == -EACCES || counter.handle == -EPERM) {
        o->denied++;
        o->denied_errno = -counter.handle;
        return PJ_OK;
    }
    if (counter.handle < 0)
        return miss_event(o, kind, &channel, -counter.handle, err);
    status = pji_array_reserve(&state->counters, &state->cap, state->n + 1, sizeof counter, err);
    if (!status)
        status = pji_channel_table_add(o->table, &channel, &counter.channel, err);
    if (status) {
        state->platform->ops->close(state->platform->context, counter.handle);
        return status;
    }
    state->counters[state->n++] = counter;
    return PJ_OK;
}

/* One row for all: who may open one event may open the others. */
static pj_status miss_denied(const struct opening *o, struct pj_error *err)
{
    char reason[160], level[16];
    bool known = pji_read_text(o->state->platform, "/proc/sys/kernel/perf_event_paranoid", level,
                               sizeof level, NULL, NULL) == PJ_OK;

    if (o->denied_errno == EPERM) {
        return pji_channel_table_miss(
            o->table, source_name, PJI_DOMAIN_PACKAGE, "package",
            "perf_event_open is not permitted: a seccomp filter, as containers have, or a security "
            "module forbids it",
            "docker run --cap-add PERFMON, with a seccomp profile that allows perf_event_open",
            err);
    }
    (void)snprintf(reason, sizeof reason,
                   "permission denied: the perf events power/energy-*/ need CAP_PERFMON or "
                   "kernel.perf_event_paranoid <= 0 (it is %.8s)",
                   known ? level : "unknown");
    return pji_channel_table_miss(o->table, source_name, PJI_DOMAIN_PACKAGE, "package", reason,
                                  "sudo setcap cap_perfmon=ep \"$(command -v perjoule)\" (Linux "
                                  "5.8 or newer); else sudo sysctl kernel.perf_event_paranoid=0",
                                  err);
}

static pj_status add_events(struct opening *o, struct pj_error *err)
{
    pj_status status = PJ_OK;

    if (o->pmu.trouble) {
        char reason[160];

        (void)snprintf(reason, sizeof reason, "the PMU power cannot be used: %.110s",
                       o->pmu.trouble);
        return pji_channel_table_miss(o->table, source_name, PJI_DOMAIN_PACKAGE, "package", reason,
                                      "", err);
    }
    for (size_t i = 0; i < o->pmu.n_places && !status; i++) {
        for (size_t kind = 0; kind < PJI_RAPL_EVENTS && !status; kind++) {
            if (o->pmu.events[kind].there)
                status = add_event(o, kind, &o->pmu.places[i], err);
        }
    }
    return !status && o->denied > 0 ? miss_denied(o, err) : status;
}

static void perf_close(void *context)
{
    struct state *state = context;

    pji_rapl_counters_close(state->platform, state->counters, state->n);
    free(state->counters);
}

static pj_status perf_open(void *context, const struct pji_source_env *env,
                           struct pji_channel_table *table, struct pj_error *err)
{
    struct state *state = context;
    struct opening o = {.state = state, .table = table};
    pj_status status;

    state->platform = env->platform;
    /* perf events are the machine's own, not those of a tree */
    if (env->platform->rooted)
        return PJ_OK;
    pji_cpu_info_read(env->platform, &o.cpu);
    if (!pji_rapl_pmu_read(env->platform, &o.cpu, &o.pmu))
        return PJ_OK; /* rapl_powercap says why there are no counters */
    status = pji_rapl_zones_find(env->platform, &o.zones, err);
    if (status)
        return status;
    status = add_events(&o, err);
    pji_rapl_zones_fini(&o.zones);
    if (status)
        perf_close(state);
    return status;
}

static pj_status perf_read(void *context, struct pji_reading_sink *sink, struct pj_error *err)
{
    struct state *state = context;

    (void)err;
    pji_rapl_counters_read(state->platform, state->counters, state->n, read_event_count, sink);
    return PJ_OK;
}

const struct pji_source_ops pji_source_rapl_perf = {
    .name = source_name,
    .about = "Intel and AMD energy counters (RAPL) as perf events of the PMU power",
    .state_size = sizeof(struct state),
    .burst = 1,
    .open = perf_open,
    .read = perf_read,
    .close = perf_close,
};
