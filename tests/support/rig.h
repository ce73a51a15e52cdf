/* support/rig.h - sources opened by a real meter on a scripted machine, their readings kept and
 * added up as a measurement does.
 *
 *     struct rig rig;
 *     rig_zone(s, "intel-rapl:0", "package-0", 1000, 262143328850);
 *     rig_open(&rig, s, (const struct pji_source_ops *[]){&pji_source_rapl_powercap, NULL});
 *     rig_read(&rig);
 *     rig_set(s, "intel-rapl:0", 2000);
 *     rig_read(&rig);
 *     assert_true(rig_total(&rig, "rapl:package-0").value_j == 0.001);
 *     rig_close(&rig);                                          // the script is the caller's
 */
#ifndef TEST_SUPPORT_RIG_H
#define TEST_SUPPORT_RIG_H

#include "meter/meter.h"
#include "scripted_platform.h"

enum { RIG_CHANNELS = 64 };

struct rig {
    struct pji_meter *meter;
    const struct pji_channel *channels;
    size_t n;
    const struct pji_missing *missing;
    size_t n_missing;
    struct pji_series series[RIG_CHANNELS];
    const struct pji_reading *readings; /* of the last rig_read */
    size_t n_readings;
};

/* Failures end the test. */
void rig_open(struct rig *rig, struct scripted *s, const struct pji_source_ops *const *sources);
/* The same with what else the sources may know. */
void rig_open_env(struct rig *rig, const struct pji_source_env *env,
                  const struct pji_source_ops *const *sources);
void rig_close(struct rig *rig);
void rig_read(struct rig *rig);
/* Lets dur_ns pass, then reads. */
void rig_read_after(struct rig *rig, struct scripted *s, int64_t dur_ns);

/* Index of a channel; ends the test when there is none. */
size_t rig_channel(const struct rig *rig, const char *name);
bool rig_has(const struct rig *rig, const char *name);
const struct pji_missing *rig_missing(const struct rig *rig, const char *domain); /* or NULL */
/* The last read's last reading of a channel, NULL when it gave none (a slow source may have read by
 * itself in between). */
const struct pji_reading *rig_reading(const struct rig *rig, const char *name);
/* Energy from the first to the last reading, with the channel's companion. */
struct pj_energy rig_total(const struct rig *rig, const char *name);
/* Names of the channels that enter a total, joined by blanks, in the order of the channels. */
const char *rig_cover(const struct rig *rig, char *text, size_t size);

/* A RAPL zone below /sys/class/powercap; max_range_uj 0: the file is left out. */
void rig_zone(struct scripted *s, const char *id, const char *name, int64_t energy_uj,
              int64_t max_range_uj);
void rig_set(struct scripted *s, const char *id, int64_t energy_uj);
/* The PMU "power" of that type, without events; one of its events; where a CPU sits (die < 0: not
 * told). */
void rig_power_pmu(struct scripted *s, int type, const char *cpumask);
void rig_power_event(struct scripted *s, const char *name, unsigned config);
void rig_topology(struct scripted *s, int cpu, int package, int die);
/* /proc/cpuinfo of `sockets` processors with `cores` cores of two threads each. */
void rig_cpuinfo(struct scripted *s, const char *vendor, const char *model_name, int model,
                 int sockets, int cores, bool virtual_machine);

#endif
