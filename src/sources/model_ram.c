/* Memory power modelled from its size, for machines that do not count it: a range for each GiB, as
 * wide as what has been published, and never one number for all.
 *
 *   0.02 W/GiB  least: 64 GB more DDR4 raised the power at the plug by under 1.5 W, idle and under
 *               a light load (measured in 2021: Green Algorithms calculator, issue 14)
 *   0.08 W/GiB  1.28 W for a DIMM of 16 GB (the same project, pull request 38, 2024)
 *   0.375 W/GiB Crucial's rule for power supplies, 3 W for 8 GB of DDR3 or DDR4 (until 2024)
 *   0.41 W/GiB  most: 408 mW for a DDR4 device of 1 GB at work (Micron TN-40-07, 2017, the example)
 *
 * Where in the range a machine lies depends on the size and number of its modules and on what is
 * done with them; the size alone, which is all that an unprivileged program sees, does not tell.
 * The range is the 95 % interval around its middle, common to all windows of the machine.
 *
 * The ledger drops this channel where any memory is measured (energy/ledger.h). Where a package's
 * sensor has the memory in it (NVIDIA Grace, Jetson), there is nothing to model.
 */
#include "sources/hwmon_rules.h"
#include "sources/table.h"

#include "core/num.h"
#include "core/units.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const double least_w_gib = 0.02, most_w_gib = 0.41;

struct state {
    const struct pji_platform *platform;
    bool on;
    int32_t channel;
    double power_mw;
    int64_t start_ns; /* of the first read, 0: none yet */
};

static const char source_name[] = "model_ram";

/* The line "MemTotal:  24684084 kB", the first of /proc/meminfo (proc_meminfo(5)). 0, or a negative
 * errno: -EBADMSG when it is not there. */
static int read_size(const struct pji_platform *platform, double *size_gib)
{
    static const char key[] = "MemTotal:", unit[] = " kB\n";
    char text[256];
    int handle = platform->ops->open(platform->context, "/proc/meminfo");
    uint64_t size_kib;
    ssize_t got;

    if (handle < 0)
        return handle;
    got = platform->ops->pread(platform->context, handle, text, sizeof text - 1, 0);
    platform->ops->close(platform->context, handle);
    if (got < 0)
        return (int)got;
    text[got] = '\0';
    if (strncmp(text, key, sizeof key - 1) != 0)
        return -EBADMSG;
    const char *number = text + sizeof key - 1 + strspn(text + sizeof key - 1, " ");
    size_t digits = strspn(number, "0123456789");

    if (strncmp(number + digits, unit, sizeof unit - 1) != 0 ||
        pji_num_parse_u64(number, digits, &size_kib, NULL) || size_kib == 0)
        return -EBADMSG;
    *size_gib = (double)size_kib / (1024.0 * 1024.0);
    return 0;
}

static bool is_metered(const struct pji_channel_table *table)
{
    for (size_t i = 0; i < table->n; i++) {
        if (pji_hwmon_holds_memory(&table->channels[i]))
            return true;
    }
    return false;
}

static pj_status add_channel(struct state *state, double size_gib, struct pji_channel_table *table,
                             struct pj_error *err)
{
    double middle = (least_w_gib + most_w_gib) / 2, half = (most_w_gib - least_w_gib) / 2;
    struct pji_channel channel = {.name = "model_ram:energy",
                                  .domain = "dram",
                                  .parent = "machine",
                                  .domain_kind = PJI_DOMAIN_DRAM,
                                  .kind = PJI_COUNTER,
                                  .role = PJI_ROLE_ENERGY,
                                  .unit = "uJ",
                                  .origin = PJ_ORIGIN_MODELLED,
                                  .refresh_ns = PJI_NS_PER_MS, /* computed when asked */
                                  .quantum = 1,
                                  .gain_rel = half / 1.96 / middle,
                                  .companion = -1};

    state->power_mw = middle * size_gib * 1e3;
    (void)snprintf(channel.source, sizeof channel.source, "%s", source_name);
    (void)snprintf(channel.com_id, sizeof channel.com_id, "model_ram:%.2f", size_gib);
    (void)snprintf(channel.device, sizeof channel.device, "%.1f GiB at %.2f to %.2f W/GiB",
                   size_gib, least_w_gib, most_w_gib);
    return pji_channel_table_add(table, &channel, &state->channel, err);
}

static pj_status ram_open(void *context, const struct pji_source_env *env,
                          struct pji_channel_table *table, struct pj_error *err)
{
    struct state *state = context;
    double size_gib;
    pj_status status;
    int failed;

    state->platform = env->platform;
    if (is_metered(table))
        return PJ_OK;
    failed = read_size(env->platform, &size_gib);
    if (failed == -ENOENT) /* no /proc: model_cpu says so */
        return PJ_OK;
    if (failed)
        return pji_channel_table_miss(table, source_name, PJI_DOMAIN_DRAM, "dram",
                                      failed == -EBADMSG
                                          ? "/proc/meminfo does not begin with MemTotal"
                                          : "/proc/meminfo cannot be read: no size, no model",
                                      "", err);
    status = add_channel(state, size_gib, table, err);
    state->on = status == PJ_OK;
    return status;
}

static pj_status ram_read(void *context, struct pji_reading_sink *sink, struct pj_error *err)
{
    struct state *state = context;
    int64_t now_ns = pji_now_ns(state->platform);

    (void)err;
    if (!state->on)
        return PJ_OK;
    if (state->start_ns == 0)
        state->start_ns = now_ns;
    pji_reading_put(
        sink, state->channel, now_ns, PJI_READ_OK,
        (int64_t)pji_uj_from_mw_ns(state->power_mw, (double)(now_ns - state->start_ns)));
    return PJ_OK;
}

static void ram_close(void *context)
{
    (void)context; /* nothing is held open */
}

const struct pji_source_ops pji_source_model_ram = {
    .name = source_name,
    .about = "memory energy modelled from its size, as a range for each GiB: not measured",
    .state_size = sizeof(struct state),
    .burst = 1,
    .open = ram_open,
    .read = ram_read,
    .close = ram_close,
};
