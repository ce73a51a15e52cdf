/* Sensors of the hwmon class (Documentation/hwmon/sysfs-interface.rst): energyN_input in uJ,
 * powerN_average or powerN_input in uW, and current times voltage of the rails of an INA3221. What
 * each covers is known for the chips of hwmon_rules.c alone; others are recorded, not added.
 *
 * - Attributes lie in hwmonN, those of older ACPI power meters in hwmonN/device.
 * - A power is a gauge: powerN_average is the mean over powerN_average_interval (ms), the others
 *   are momentary. It is integrated, and rarely enough read that a chip behind a slow bus, which
 *   takes milliseconds, is no burden: this source has its own lane.
 * - The edges of a window wait for their readings: what is only recorded is not read there.
 * - A rail is two readings, one after the other. Its current may read slightly below nothing.
 * - A domain that another instrument reads already (RAPL, the vendor's library) gets an alternative
 *   reading, which the ledger uses only when the first one fails.
 */
#include "sources/amd_select.h"
#include "sources/hwmon_row.h"
#include "sources/rapl_channel.h"
#include "sources/table.h"

#include "core/array.h"
#include "core/num.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLASS "/sys/class/hwmon"

enum { MAX_NUMBER = 32, MAX_SENSORS = 128, PATH_B = 256 };

static const char source_name[] = "hwmon";

struct sensor {
    enum pji_hwmon_reading reading;
    int handles[2]; /* a rail: voltage and current; else the second is -1 */
    int32_t channel;
    int64_t voltage_mv; /* of a rail, last read */
    bool gone;
    bool idle; /* never added: nobody waits for it at an edge */
};

struct state {
    const struct pji_platform *platform;
    struct sensor *sensors;
    size_t n, cap;
};

/* What one opening has at hand. */
struct opening {
    struct state *state;
    struct pji_channel_table *table;
    struct pj_error *err;
    pj_status status;
    struct pji_hwmon_spot spot; /* the sensor that is looked at */
    struct pji_amd_visibility visibility;
};

/* ---- values ---- */

static int read_number(const struct pji_platform *platform, int handle, int64_t *value)
{
    char text[32];
    ssize_t got = platform->ops->pread(platform->context, handle, text, sizeof text, 0);

    if (got < 0)
        return (int)got;
    while (got > 0 && (text[got - 1] == '\n' || text[got - 1] == ' '))
        got--;
    return pji_num_parse_i64(text, (size_t)got, value, NULL) ? -EBADMSG : 0;
}

/* In the unit of the channel, or a negative errno. */
static int read_sensor(const struct pji_platform *platform, struct sensor *sensor, int64_t *value)
{
    int64_t first, second;
    int failed = read_number(platform, sensor->handles[0], &first);

    if (failed)
        return failed;
    switch (sensor->reading) {
    case PJI_HWMON_ENERGY:
        *value = first;
        return first < 0 ? -ERANGE : 0;
    case PJI_HWMON_POWER:
        *value = (first + 500) / 1000;
        return pji_hwmon_power_is_absurd(first) ? -ERANGE : 0;
    case PJI_HWMON_RAIL:
        failed = read_number(platform, sensor->handles[1], &second);
        if (failed)
            return failed;
        if (first < 0 || first > 1000000 || second < -1000000 || second > 1000000)
            return -ERANGE;
        sensor->voltage_mv = first;
        *value = second > 0 ? (first * second + 500) / 1000 : 0;
        return 0;
    }
    return -EINVAL;
}

static void close_sensor(const struct pji_platform *platform, const struct sensor *sensor)
{
    for (int i = 0; i < 2; i++) {
        if (sensor->handles[i] >= 0)
            platform->ops->close(platform->context, sensor->handles[i]);
    }
}

static int open_file(const struct opening *o, const char *stem, const char *suffix)
{
    const struct pji_platform *platform = o->state->platform;
    char path[PATH_B];

    (void)snprintf(path, sizeof path, "%s/%s%d_%s", o->spot.folder, stem, o->spot.number, suffix);
    return platform->ops->open(platform->context, path);
}

/* Opens the files of the sensor at hand: 0 or a negative errno, -ENOENT: there is none. */
static int open_sensor(const struct opening *o, struct sensor *sensor)
{
    *sensor = (struct sensor){.reading = o->spot.reading, .handles = {-1, -1}};
    switch (o->spot.reading) {
    case PJI_HWMON_ENERGY:
        sensor->handles[0] = open_file(o, "energy", "input");
        break;
    case PJI_HWMON_POWER:
        sensor->handles[0] = open_file(o, "power", "average");
        if (sensor->handles[0] == -ENOENT)
            sensor->handles[0] = open_file(o, "power", "input");
        break;
    case PJI_HWMON_RAIL:
        sensor->handles[0] = open_file(o, "in", "input");
        if (sensor->handles[0] >= 0)
            sensor->handles[1] = open_file(o, "curr", "input");
        if (sensor->handles[0] >= 0 && sensor->handles[1] < 0)
            return sensor->handles[1];
        break;
    }
    return sensor->handles[0] < 0 ? sensor->handles[0] : 0;
}

/* ---- opening ---- */

/* Who reads this domain already. */
static int32_t other_reading(const struct pji_channel_table *table,
                             const struct pji_channel *channel)
{
    for (size_t i = 0; i < table->n; i++) {
        const struct pji_channel *other = &table->channels[i];

        if ((other->role == PJI_ROLE_ENERGY || other->role == PJI_ROLE_POWER) &&
            other->domain_kind == channel->domain_kind &&
            pji_rapl_overlap(other->domain, channel->domain))
            return (int32_t)i;
    }
    return -1;
}

static pj_status miss_sensor(const struct opening *o, int sys_errno)
{
    char domain[48], reason[160], text[64];
    bool denied = sys_errno == EACCES || sys_errno == EPERM;

    pji_hwmon_expand(domain, sizeof domain, o->spot.rule->domain, &o->spot);
    (void)snprintf(reason, sizeof reason, "%s%.70s/%s%d_*: %s",
                   denied ? "permission denied: " : "cannot read ", o->spot.folder,
                   o->spot.reading == PJI_HWMON_RAIL ? "curr" : pji_hwmon_stem(o->spot.reading),
                   o->spot.number,
                   sys_errno == ERANGE    ? "it shows a figure that stands for no value"
                   : sys_errno == EBADMSG ? "it holds no number"
                   : denied               ? o->spot.rule->covers
                                          : strerror_r(sys_errno, text, sizeof text));
    return pji_channel_table_miss(o->table, source_name, o->spot.rule->kind, domain, reason,
                                  denied ? "let a group read it: sudo chgrp GROUP FILE; sudo chmod "
                                           "g+r FILE"
                                         : "",
                                  o->err);
}

static pj_status keep_sensor(const struct opening *o, struct sensor *sensor)
{
    struct state *state = o->state;
    struct pji_channel channel;
    pj_status status;

    pji_hwmon_describe(&o->spot, sensor->voltage_mv, &channel);
    if (channel.role != PJI_ROLE_AUX)
        channel.companion = other_reading(o->table, &channel);
    status = pji_array_reserve(&state->sensors, &state->cap, state->n + 1, sizeof *sensor, o->err);
    sensor->idle = channel.role == PJI_ROLE_AUX;
    if (!status)
        status = pji_channel_table_add(o->table, &channel, &sensor->channel, o->err);
    if (!status)
        state->sensors[state->n++] = *sensor;
    return status;
}

static pj_status try_sensor(const struct opening *o)
{
    const struct pji_platform *platform = o->state->platform;
    struct sensor sensor;
    pj_status status = PJ_OK;
    int64_t value;
    int failed = open_sensor(o, &sensor);

    if (!failed)
        failed = read_sensor(platform, &sensor, &value);
    if (!failed)
        status = keep_sensor(o, &sensor);
    if (failed || status)
        close_sensor(platform, &sensor);
    /* a sensor of no known use is nobody's loss */
    if (failed && failed != -ENOENT && o->spot.rule && o->spot.rule->role != PJI_ROLE_AUX)
        return miss_sensor(o, -failed);
    return status;
}

static void read_label(struct opening *o)
{
    const char *stem = o->spot.reading == PJI_HWMON_RAIL ? "in" : pji_hwmon_stem(o->spot.reading);
    char path[PATH_B];

    (void)snprintf(path, sizeof path, "%s/%s%d_label", o->spot.folder, stem, o->spot.number);
    if (pji_read_text(o->state->platform, path, o->spot.label, sizeof o->spot.label, NULL, NULL) ==
        PJ_OK)
        return;
    o->spot.label[0] = '\0';
    if (o->spot.reading != PJI_HWMON_POWER)
        return;
    (void)snprintf(path, sizeof path, "%s/power%d_oem_info", o->spot.folder, o->spot.number);
    if (pji_read_text(o->state->platform, path, o->spot.label, sizeof o->spot.label, NULL, NULL))
        o->spot.label[0] = '\0';
}

/* "energy", "power" or "in", a number, "_input" or "_average": the sensor's number, else 0. */
static int sensor_number(const char *file, enum pji_hwmon_reading *reading)
{
    static const struct {
        const char *stem;
        enum pji_hwmon_reading reading;
    } stems[] = {{"energy", PJI_HWMON_ENERGY}, {"power", PJI_HWMON_POWER}, {"in", PJI_HWMON_RAIL}};

    for (size_t i = 0; i < sizeof stems / sizeof stems[0]; i++) {
        size_t len = strlen(stems[i].stem);
        size_t digits =
            strncmp(file, stems[i].stem, len) == 0 ? strspn(file + len, "0123456789") : 0;
        const char *rest = file + len + digits;

        if (digits == 0 || digits > 2 ||
            (strcmp(rest, "_input") != 0 && strcmp(rest, "_average") != 0))
            continue;
        *reading = stems[i].reading;
        return (int)strtol(file + len, NULL, 10);
    }
    return 0;
}

/* Which sensors a folder shows: bit N of each kind. */
struct found {
    uint64_t numbers[PJI_HWMON_RAIL + 1];
};

static int visit_file(void *arg, const char *name)
{
    struct found *found = arg;
    enum pji_hwmon_reading reading;
    int number = sensor_number(name, &reading);

    if (number > 0 && number < MAX_NUMBER)
        found->numbers[reading] |= UINT64_C(1) << number;
    return 0;
}

/* All sensors in o->spot.folder. Rails are looked for on an INA3221 alone: elsewhere inN and currN
 * need not belong together. */
static void visit_folder(struct opening *o)
{
    const struct pji_platform *platform = o->state->platform;
    struct found found = {0};

    (void)platform->ops->list(platform->context, o->spot.folder, visit_file, &found);
    for (int kind = PJI_HWMON_ENERGY; kind <= PJI_HWMON_RAIL; kind++) {
        o->spot.reading = (enum pji_hwmon_reading)kind;
        if (o->spot.reading == PJI_HWMON_RAIL && strcmp(o->spot.chip, "ina3221") != 0)
            continue;
        for (o->spot.number = 1; o->spot.number < MAX_NUMBER && !o->status; o->spot.number++) {
            if ((found.numbers[kind] >> o->spot.number & 1) == 0)
                continue;
            read_label(o);
            o->spot.socket = "";
            o->spot.rule =
                pji_hwmon_rule_find(o->spot.chip, o->spot.reading, o->spot.label, &o->spot.socket);
            if (o->spot.reading == PJI_HWMON_RAIL && !o->spot.rule)
                continue; /* not connected ("NC"), or the sum of shunts */
            if (o->state->n < MAX_SENSORS)
                o->status = try_sensor(o);
        }
    }
}

static void read_device(struct opening *o, const char *hwmon)
{
    const struct pji_platform *platform = o->state->platform;
    char path[PATH_B], target[PATH_B];
    ssize_t len;

    (void)snprintf(o->spot.device, sizeof o->spot.device, "%s", hwmon);
    (void)snprintf(path, sizeof path, CLASS "/%s/device", hwmon);
    len = platform->ops->readlink(platform->context, path, target, sizeof target);
    if (len <= 0)
        return;
    const char *slash = strrchr(target, '/');
    const char *last = slash ? slash + 1 : target;

    if (last[0] && strlen(last) < sizeof o->spot.device)
        (void)snprintf(o->spot.device, sizeof o->spot.device, "%s", last);
}

/* A GPU that shows only a part of itself is there, but unread. */
static void miss_card(struct opening *o, size_t first)
{
    const struct pji_channel_table *table = o->table;
    char card[48];

    (void)snprintf(card, sizeof card, "gpu-%s", o->spot.device);
    for (size_t i = first; i < table->n; i++) {
        if (strcmp(table->channels[i].domain, card) == 0)
            return;
    }
    for (size_t i = 0; i < table->n_missing; i++) {
        if (strcmp(table->missing[i].domain, card) == 0)
            return;
    }
    for (size_t i = first; i < table->n && !o->status; i++) {
        if (strcmp(table->channels[i].parent, card) != 0)
            continue;
        o->status = pji_channel_table_miss(o->table, source_name, PJI_DOMAIN_GPU, card,
                                           "the driver shows the energy of the GPU's package, not "
                                           "of the card with its memory",
                                           "", o->err);
        return;
    }
}

/* An AMD GPU that ROCm would hide from this process's child is somebody else's. */
static bool is_hidden(const struct opening *o)
{
    uint64_t bdf;

    return strcmp(o->spot.chip, "amdgpu") == 0 && pji_amd_address(o->spot.device, &bdf) &&
           !pji_amd_visible(&o->visibility, bdf);
}

static int visit_chip(void *arg, const char *hwmon)
{
    struct opening *o = arg;
    size_t first = o->table->n;
    size_t before = o->state->n;
    char path[PATH_B];

    if (strlen(hwmon) > 16)
        return 0;
    (void)snprintf(path, sizeof path, CLASS "/%s/name", hwmon);
    if (pji_read_text(o->state->platform, path, o->spot.chip, sizeof o->spot.chip, NULL, NULL))
        return 0;
    read_device(o, hwmon);
    if (is_hidden(o))
        return 0;
    (void)snprintf(o->spot.folder, sizeof o->spot.folder, CLASS "/%s", hwmon);
    visit_folder(o);
    if (o->state->n == before && !o->status) {
        (void)snprintf(o->spot.folder, sizeof o->spot.folder, CLASS "/%s/device", hwmon);
        visit_folder(o);
    }
    if (!o->status)
        miss_card(o, first);
    return o->status != PJ_OK;
}

static void hwmon_close(void *context)
{
    struct state *state = context;

    for (size_t i = 0; i < state->n; i++)
        close_sensor(state->platform, &state->sensors[i]);
    free(state->sensors);
}

static pj_status hwmon_open(void *context, const struct pji_source_env *env,
                            struct pji_channel_table *table, struct pj_error *err)
{
    struct state *state = context;
    struct opening o = {.state = state, .table = table, .err = err};

    state->platform = o.spot.platform = env->platform;
    pji_cpu_info_read(env->platform, &o.spot.cpu);
    pji_amd_visibility_read(env, &o.visibility);
    (void)env->platform->ops->list(env->platform->context, CLASS, visit_chip, &o);
    if (o.status)
        hwmon_close(state);
    return o.status;
}

/* ---- reading ---- */

static pj_status hwmon_read(void *context, struct pji_reading_sink *sink, struct pj_error *err)
{
    struct state *state = context;

    (void)err;
    for (size_t i = 0; i < state->n; i++) {
        struct sensor *sensor = &state->sensors[i];
        int64_t before_ns, value = 0;
        int failed;

        if (sensor->gone || (sink->edge && sensor->idle))
            continue;
        before_ns = pji_now_ns(state->platform);
        failed = read_sensor(state->platform, sensor, &value);
        sensor->gone = failed == -ENODEV;
        pji_reading_put(sink, sensor->channel,
                        before_ns + (pji_now_ns(state->platform) - before_ns) / 2,
                        failed == 0    ? PJI_READ_OK
                        : sensor->gone ? PJI_READ_GONE
                                       : PJI_READ_FAILED,
                        failed ? -failed : value);
    }
    return PJ_OK;
}

const struct pji_source_ops pji_source_hwmon = {
    .name = source_name,
    .about = "power and energy sensors of hwmon chips: Grace, Intel and AMD GPUs, Jetson rails",
    .state_size = sizeof(struct state),
    .burst = 1,
    .min_period_ns = PJI_HWMON_POLL_NS,
    .slow = true,
    .prompt = true,
    .open = hwmon_open,
    .read = hwmon_read,
    .close = hwmon_close,
};
