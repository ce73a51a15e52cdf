/* CPU power modelled from utilisation (sources/cpu_model.h), for machines whose counters cannot be
 * read. Three channels: the modelled energy, the common standard uncertainty of it, accumulated,
 * and the utilisation itself, in ppm.
 *
 * /proc/stat counts in jiffies of 10 ms. The energy up to the last jiffy that moved is settled;
 * beyond it, a read continues with the last known utilisation (at first: with none, the middle and
 * the whole width of the model), and the next movement corrects it. Both counters never decrease.
 * Reading /proc/stat costs the kernel tens of microseconds, more on large machines, and says
 * nothing new within a jiffy: it is sampled every 100 ms at most, and where a counter of a package
 * is there, so that the model is in no total, every second.
 *
 * Where the processor was calibrated once (`perjoule doctor --calibrate-model`), its own figures
 * are used and the channel's device says so. In a virtual machine the TDP of the socket is not
 * ours: the model of an unknown CPU is used, with the virtual cores.
 */
#include "sources/cpu_info.h"
#include "sources/cpu_model_for.h"
#include "sources/cpu_stat.h"
#include "sources/table.h"

#include "core/units.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct state {
    const struct pji_platform *platform;
    int handle;
    int64_t period_ns, due_ns;
    int32_t energy_channel, u_channel, utilisation_channel;
    struct pji_cpu_model model;
    struct pji_cpu_power power; /* at the last known utilisation */
    struct pji_cpu_stat settled;
    int64_t settled_ns; /* 0: nothing read yet */
    double settled_energy_uj, settled_u_uj;
    int64_t shown_energy_uj, shown_u_uj;
    int64_t shown_ppm; /* < 0: unknown */
};

static const char source_name[] = "model_cpu";
static const int64_t period_ns = 100 * PJI_NS_PER_MS;
static const int64_t period_beside_ns = PJI_NS_PER_S; /* a counter */

static int read_stat(const struct state *state, struct pji_cpu_stat *stat)
{
    char text[512];
    ssize_t got =
        state->platform->ops->pread(state->platform->context, state->handle, text, sizeof text, 0);

    if (got < 0)
        return (int)got;
    return pji_cpu_stat_parse(text, (size_t)got, stat);
}

/* ---- opening ---- */

static pj_status add_channels(struct state *state, const struct pji_cpu_info *cpu,
                              const char *device, struct pji_channel_table *table,
                              struct pj_error *err)
{
    struct pji_channel energy = {.name = "model_cpu:energy",
                                 .domain = "cpu",
                                 .parent = "machine",
                                 .domain_kind = PJI_DOMAIN_PACKAGE,
                                 .kind = PJI_COUNTER,
                                 .role = PJI_ROLE_ENERGY,
                                 .unit = "uJ",
                                 .origin = PJ_ORIGIN_MODELLED,
                                 .refresh_ns = 10 * PJI_NS_PER_MS,
                                 .quantum = 1,
                                 .companion = -1};
    struct pji_channel other;
    char name[PJI_CPU_NAME];
    pj_status status;

    (void)snprintf(energy.source, sizeof energy.source, "%s", source_name);
    (void)snprintf(energy.device, sizeof energy.device, "%s", device);
    pji_com_id_name(name, sizeof name, cpu->name[0] ? cpu->name : "unknown cpu");
    (void)snprintf(energy.com_id, sizeof energy.com_id, "model_cpu:%s@%s", name, cpu->machine);
    status = pji_channel_table_add(table, &energy, &state->energy_channel, err);
    if (status)
        return status;
    other = energy;
    (void)snprintf(other.name, sizeof other.name, "model_cpu:u");
    other.role = PJI_ROLE_UNCERTAINTY;
    other.companion = state->energy_channel;
    status = pji_channel_table_add(table, &other, &state->u_channel, err);
    if (status)
        return status;
    other = energy;
    (void)snprintf(other.name, sizeof other.name, "model_cpu:utilisation");
    (void)snprintf(other.unit, sizeof other.unit, "ppm");
    other.kind = PJI_GAUGE;
    other.role = PJI_ROLE_AUX;
    other.origin = PJ_ORIGIN_COUNTER;
    other.com_id[0] = '\0';
    return pji_channel_table_add(table, &other, &state->utilisation_channel, err);
}

static void model_close(void *context)
{
    struct state *state = context;

    if (state->handle >= 0)
        state->platform->ops->close(state->platform->context, state->handle);
}

/* Whether an instrument that was opened before measures what we model. */
static bool measured(const struct pji_channel_table *table)
{
    for (size_t i = 0; i < table->n; i++) {
        const struct pji_channel *c = &table->channels[i];
        if (c->domain_kind == PJI_DOMAIN_PACKAGE && c->role == PJI_ROLE_ENERGY &&
            c->origin == PJ_ORIGIN_COUNTER)
            return true;
    }
    return false;
}

static pj_status model_open(void *context, const struct pji_source_env *env,
                            struct pji_channel_table *table, struct pj_error *err)
{
    struct state *state = context;
    struct pji_cpu_stat stat;
    struct pji_cpu_info cpu;
    char device[64];
    int failed;
    pj_status status;

    state->platform = env->platform;
    state->shown_ppm = -1;
    state->handle = env->platform->ops->open(env->platform->context, "/proc/stat");
    failed = state->handle < 0 ? state->handle : read_stat(state, &stat);
    if (failed) {
        model_close(state);
        state->handle = -1;
        return pji_channel_table_miss(table, source_name, PJI_DOMAIN_PACKAGE, "cpu",
                                      failed == -EBADMSG
                                          ? "/proc/stat does not begin with a line of CPU times"
                                          : "/proc/stat cannot be read: no utilisation, no model",
                                      "mount /proc", err);
    }
    pji_cpu_info_read(env->platform, &cpu);
    (void)pji_cpu_model_for(env, &cpu, &state->model, device, sizeof device);
    pji_cpu_model_any(&state->model, &state->power);
    state->period_ns = measured(table) ? period_beside_ns : 0;
    status = add_channels(state, &cpu, device, table, err);
    if (status)
        model_close(state);
    return status;
}

/* ---- reading ---- */

static double uj_over(double power_w, int64_t dur_ns)
{
    return pji_uj_from_mw_ns(power_w * 1e3, (double)dur_ns);
}

/* Settles the energy up to now when the jiffies moved. */
static void settle(struct state *state, const struct pji_cpu_stat *stat, int64_t now_ns)
{
    uint64_t busy = stat->busy - state->settled.busy;
    uint64_t total = stat->total - state->settled.total;
    int64_t dur_ns = now_ns - state->settled_ns;

    /* iowait may run backwards by a jiffy (proc(5)): then wait for the next movement */
    if (stat->total <= state->settled.total || stat->busy < state->settled.busy)
        return;
    if (busy > total)
        busy = total;
    state->shown_ppm = (int64_t)(busy * 1000000 / total);
    pji_cpu_model_power(&state->model, (double)busy / (double)total, &state->power);
    state->settled_energy_uj += uj_over(state->power.value_w, dur_ns);
    state->settled_u_uj += uj_over(state->power.u_w, dur_ns);
    state->settled = *stat;
    state->settled_ns = now_ns;
}

static int64_t at_least(int64_t least, double value)
{
    return (double)least > value ? least : (int64_t)llround(value);
}

static void put_failed(const struct state *state, struct pji_reading_sink *sink, int64_t now_ns,
                       int failed)
{
    pji_reading_put(sink, state->energy_channel, now_ns, PJI_READ_FAILED, -failed);
    pji_reading_put(sink, state->u_channel, now_ns, PJI_READ_FAILED, -failed);
}

static pj_status model_read(void *context, struct pji_reading_sink *sink, struct pj_error *err)
{
    struct state *state = context;
    struct pji_cpu_stat stat;
    int64_t before_ns, now_ns, since_ns;
    int failed;

    (void)err;
    if (state->handle < 0)
        return PJ_OK;
    before_ns = pji_now_ns(state->platform);
    if (!sink->edge && before_ns < state->due_ns)
        return PJ_OK;
    if (state->period_ns > 0) /* half of the shorter period of slack: ticks are not exact */
        state->due_ns = before_ns + state->period_ns - period_ns / 2;
    failed = read_stat(state, &stat);
    now_ns = before_ns + (pji_now_ns(state->platform) - before_ns) / 2;
    if (failed) {
        put_failed(state, sink, now_ns, failed);
        return PJ_OK;
    }
    if (state->settled_ns == 0) {
        state->settled = stat;
        state->settled_ns = now_ns;
    }
    settle(state, &stat, now_ns);
    since_ns = now_ns - state->settled_ns;
    state->shown_energy_uj = at_least(
        state->shown_energy_uj, state->settled_energy_uj + uj_over(state->power.value_w, since_ns));
    state->shown_u_uj =
        at_least(state->shown_u_uj, state->settled_u_uj + uj_over(state->power.u_w, since_ns));
    pji_reading_put(sink, state->energy_channel, now_ns, PJI_READ_OK, state->shown_energy_uj);
    pji_reading_put(sink, state->u_channel, now_ns, PJI_READ_OK, state->shown_u_uj);
    if (state->shown_ppm >= 0)
        pji_reading_put(sink, state->utilisation_channel, now_ns, PJI_READ_OK, state->shown_ppm);
    return PJ_OK;
}

const struct pji_source_ops pji_source_model_cpu = {
    .name = source_name,
    .about = "CPU energy modelled from utilisation, cores and TDP: modelled, not measured",
    .state_size = sizeof(struct state),
    .burst = 1,
    .min_period_ns = period_ns,
    .open = model_open,
    .read = model_read,
    .close = model_close,
};
