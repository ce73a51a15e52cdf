/* See rig.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rig.h"

#include "core/str.h"

#include <stdio.h>
#include <string.h>

void rig_open(struct rig *rig, struct scripted *s, const struct pji_source_ops *const *sources)
{
    rig_open_env(rig, &(struct pji_source_env){.platform = scripted_platform(s)}, sources);
}

void rig_open_env(struct rig *rig, const struct pji_source_env *env,
                  const struct pji_source_ops *const *sources)
{
    struct pji_meter_config config = {.env = *env, .sources = sources, .interval_ns = 100000000};
    struct pj_error err = {0};
    const struct pji_channel_table *table;

    *rig = (struct rig){0};
    if (pji_meter_open(&rig->meter, &config, &err))
        fail_msg("%s", err.text);
    table = pji_meter_channels(rig->meter);
    assert_true(table->n <= RIG_CHANNELS);
    rig->channels = table->channels;
    rig->n = table->n;
    rig->missing = table->missing;
    rig->n_missing = table->n_missing;
    for (size_t i = 0; i < rig->n; i++)
        assert_int_equal(pji_series_init(&rig->series[i], &rig->channels[i], true, &err), PJ_OK);
}

void rig_close(struct rig *rig)
{
    for (size_t i = 0; i < rig->n; i++)
        pji_series_fini(&rig->series[i]);
    pji_meter_close(rig->meter);
}

void rig_read(struct rig *rig)
{
    struct pj_error err = {0};

    if (pji_meter_read(rig->meter, &rig->readings, &rig->n_readings, &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < rig->n && pji_meter_suspended_ns(rig->meter) > 0; i++)
        pji_series_suspend(&rig->series[i], pji_meter_suspended_ns(rig->meter));
    for (size_t i = 0; i < rig->n_readings; i++) {
        const struct pji_reading *r = &rig->readings[i];

        assert_in_range(r->channel, 0, rig->n - 1);
        assert_int_equal(pji_series_add(&rig->series[r->channel], r, &err), PJ_OK);
    }
}

void rig_read_after(struct rig *rig, struct scripted *s, int64_t dur_ns)
{
    scripted_advance_ns(s, dur_ns);
    rig_read(rig);
}

bool rig_has(const struct rig *rig, const char *name)
{
    for (size_t i = 0; i < rig->n; i++) {
        if (strcmp(rig->channels[i].name, name) == 0)
            return true;
    }
    return false;
}

size_t rig_channel(const struct rig *rig, const char *name)
{
    for (size_t i = 0; i < rig->n; i++) {
        if (strcmp(rig->channels[i].name, name) == 0)
            return i;
    }
    fail_msg("there is no channel '%s'", name);
    return 0;
}

const struct pji_missing *rig_missing(const struct rig *rig, const char *domain)
{
    for (size_t i = 0; i < rig->n_missing; i++) {
        if (strcmp(rig->missing[i].domain, domain) == 0)
            return &rig->missing[i];
    }
    return NULL;
}

const struct pji_reading *rig_reading(const struct rig *rig, const char *name)
{
    size_t channel = rig_channel(rig, name);

    for (size_t i = rig->n_readings; i > 0; i--) {
        if ((size_t)rig->readings[i - 1].channel == channel)
            return &rig->readings[i - 1];
    }
    return NULL;
}

struct pj_energy rig_total(const struct rig *rig, const char *name)
{
    size_t channel = rig_channel(rig, name);
    const struct pji_series *companion = NULL;
    struct pj_energy energy = {0};

    for (size_t i = 0; i < rig->n; i++) {
        if (rig->channels[i].role == PJI_ROLE_UNCERTAINTY &&
            rig->channels[i].companion == (int32_t)channel)
            companion = &rig->series[i];
    }
    pji_series_total(&rig->series[channel], companion, &energy);
    return energy;
}

const char *rig_cover(const struct rig *rig, char *text, size_t size)
{
    bool in_total[RIG_CHANNELS];
    size_t len = 0;

    text[0] = '\0';
    pji_ledger_cover(rig->channels, rig->n, false, in_total);
    for (size_t i = 0; i < rig->n && len < size; i++) {
        if (in_total[i])
            len += (size_t)snprintf(text + len, size - len, "%s%s", len ? " " : "",
                                    rig->channels[i].name);
    }
    return text;
}

/* ---- machines ---- */

static void put(struct scripted *s, const char *id, const char *file, const char *text)
{
    char path[256];

    (void)snprintf(path, sizeof path, "/sys/class/powercap/%s/%s", id, file);
    scripted_file(s, path, text);
}

void rig_set(struct scripted *s, const char *id, int64_t energy_uj)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%lld\n", (long long)energy_uj);
    put(s, id, "energy_uj", text);
}

void rig_zone(struct scripted *s, const char *id, const char *name, int64_t energy_uj,
              int64_t max_range_uj)
{
    char text[64];

    (void)snprintf(text, sizeof text, "%s\n", name);
    put(s, id, "name", text);
    rig_set(s, id, energy_uj);
    if (max_range_uj <= 0)
        return;
    (void)snprintf(text, sizeof text, "%lld\n", (long long)max_range_uj);
    put(s, id, "max_energy_range_uj", text);
}

void rig_power_pmu(struct scripted *s, int type, const char *cpumask)
{
    scripted_filef(s, "/sys/bus/event_source/devices/power/type", "%d\n", type);
    scripted_filef(s, "/sys/bus/event_source/devices/power/cpumask", "%s\n", cpumask);
}

void rig_power_event(struct scripted *s, const char *name, unsigned config)
{
    char path[128];

    (void)snprintf(path, sizeof path, "/sys/bus/event_source/devices/power/events/%s", name);
    scripted_filef(s, path, "event=0x%02x\n", config);
    (void)snprintf(path, sizeof path, "/sys/bus/event_source/devices/power/events/%s.unit", name);
    scripted_file(s, path, "Joules\n");
    (void)snprintf(path, sizeof path, "/sys/bus/event_source/devices/power/events/%s.scale", name);
    scripted_file(s, path, "2.3283064365386962890625e-10\n");
}

void rig_topology(struct scripted *s, int cpu, int package, int die)
{
    char path[128];

    (void)snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/physical_package_id",
                   cpu);
    scripted_filef(s, path, "%d\n", package);
    if (die < 0)
        return;
    (void)snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/die_id", cpu);
    scripted_filef(s, path, "%d\n", die);
}

void rig_cpuinfo(struct scripted *s, const char *vendor, const char *model_name, int model,
                 int sockets, int cores, bool virtual_machine)
{
    struct pji_str text = {0};
    int n = 0;

    for (int socket = 0; socket < sockets; socket++) {
        for (int thread = 0; thread < 2 * cores; thread++, n++)
            pji_str_addf(&text,
                         "processor\t: %d\nvendor_id\t: %s\ncpu family\t: 6\nmodel\t\t: %d\n"
                         "model name\t: %s\nphysical id\t: %d\nsiblings\t: %d\ncore id\t\t: %d\n"
                         "cpu cores\t: %d\nflags\t\t: fpu vme%s\n\n",
                         n, vendor, model, model_name, socket, 2 * cores, thread % cores, cores,
                         virtual_machine ? " hypervisor lahf_lm" : "");
    }
    scripted_file(s, "/proc/cpuinfo", pji_str_text(&text));
    pji_str_fini(&text);
}
