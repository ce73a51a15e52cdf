/* See machines.h. */
#include "machines.h"

#include "../fakes/fake_amdsmi.h"
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int read_stat(void *arg, int64_t t_ns, char *text, size_t size)
{
    (void)arg;
    /* two threads, one of them busy */
    (void)snprintf(text, size, "cpu  %lld 0 0 %lld 0 0 0 0 0 0\n", (long long)(t_ns / 10000000),
                   (long long)(t_ns / 10000000));
    return 0;
}

static int read_energy(void *arg, int64_t t_ns, char *text, size_t size)
{
    (void)arg;
    (void)snprintf(text, size, "%lld\n", (long long)(t_ns / 20000 % 262143328850)); /* 50 W */
    return 0;
}

static bool scripted_env(struct machine *machine, struct pji_source_env *env)
{
    machine->script = scripted_new();
    env->platform = scripted_platform(machine->script);
    rig_cpuinfo(machine->script, "GenuineIntel", "Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz", 85, 2,
                20, false);
    return true;
}

static bool open_rapl(struct machine *machine, struct pji_source_env *env)
{
    static const char *const zones[] = {"intel-rapl:0", "intel-rapl:1"};

    (void)scripted_env(machine, env);
    for (size_t i = 0; i < 2; i++) {
        char path[128];

        (void)snprintf(path, sizeof path, "package-%zu", i);
        rig_zone(machine->script, zones[i], path, 0, 262143328850);
        (void)snprintf(path, sizeof path, "/sys/class/powercap/%s/energy_uj", zones[i]);
        scripted_computed(machine->script, path, read_energy, NULL);
    }
    rig_zone(machine->script, "intel-rapl:0:0", "dram", 5, 65532610987);
    return true;
}

static bool open_perf(struct machine *machine, struct pji_source_env *env)
{
    (void)scripted_env(machine, env);
    rig_power_pmu(machine->script, 9, "0,40");
    rig_power_event(machine->script, "energy-pkg", 2);
    rig_power_event(machine->script, "energy-ram", 3);
    for (int cpu = 0; cpu <= 40; cpu += 40) {
        rig_topology(machine->script, cpu, cpu / 40, 0);
        (void)scripted_perf(machine->script, 9, 2, cpu, "4294967296");
        (void)scripted_perf(machine->script, 9, 3, cpu, "8589934592");
    }
    return true;
}

static bool open_hwmon(struct machine *machine, struct pji_source_env *env)
{
    struct scripted *s;

    (void)scripted_env(machine, env);
    s = machine->script;
    scripted_file(s, "/sys/class/hwmon/hwmon0/name", "xe\n");
    scripted_link(s, "/sys/class/hwmon/hwmon0/device", "../../../0000:03:00.0");
    scripted_file(s, "/sys/class/hwmon/hwmon0/energy1_label", "card\n");
    scripted_computed(s, "/sys/class/hwmon/hwmon0/energy1_input", read_energy, NULL);
    scripted_file(s, "/sys/class/hwmon/hwmon1/name", "power_meter\n");
    scripted_file(s, "/sys/class/hwmon/hwmon1/power1_oem_info", "Grace Power Socket 0\n");
    scripted_file(s, "/sys/class/hwmon/hwmon1/power1_average", "150000000\n");
    scripted_file(s, "/sys/class/hwmon/hwmon1/power1_average_interval", "50\n");
    scripted_file(s, "/sys/class/hwmon/hwmon2/name", "ina3221\n");
    scripted_file(s, "/sys/class/hwmon/hwmon2/in1_label", "VDD_IN\n");
    scripted_file(s, "/sys/class/hwmon/hwmon2/in1_input", "5000\n");
    scripted_file(s, "/sys/class/hwmon/hwmon2/curr1_input", "2000\n");
    return true;
}

static bool open_model(struct machine *machine, struct pji_source_env *env)
{
    (void)scripted_env(machine, env);
    scripted_computed(machine->script, "/proc/stat", read_stat, NULL);
    return true;
}

static bool open_ram(struct machine *machine, struct pji_source_env *env)
{
    (void)scripted_env(machine, env);
    scripted_file(machine->script, "/proc/meminfo", "MemTotal:       24684084 kB\n");
    return true;
}

static bool open_amdsmi(struct machine *machine, struct pji_source_env *env)
{
    (void)scripted_env(machine, env);
    (void)fake_amdsmi_install(machine->script, "0x74a1");
    return true;
}

static bool open_nvml(struct machine *machine, struct pji_source_env *env)
{
    static char library[512];
    const char *build = getenv("PERJOULE_BUILD_ROOT");

    (void)snprintf(library, sizeof library, "%s/tests/fakes/fake_nvml.so", build ? build : ".");
    if (access(library, R_OK) != 0) {
        printf("# SKIP there is no %s\n", library);
        return false;
    }
    if (pji_platform_open_real(&machine->platform, NULL, NULL))
        return false;
    env->platform = &machine->platform;
    env->nvml_path = library;
    return true;
}

static bool open_replay(struct machine *machine, struct pji_source_env *env)
{
    struct pji_channel channels[2] = {
        {.name = "a", .source = "recorded", .domain = "package-0", .parent = "machine"},
        {.name = "a:u", .source = "recorded", .domain = "package-0", .parent = "machine"},
    };
    struct pji_trace_header header = {.channels = channels, .n_channels = 2};
    struct pji_str text = {0};
    FILE *file;
    int fd;

    for (size_t i = 0; i < 2; i++) {
        channels[i].domain_kind = PJI_DOMAIN_PACKAGE;
        channels[i].origin = PJ_ORIGIN_COUNTER;
        channels[i].role = i == 0 ? PJI_ROLE_ENERGY : PJI_ROLE_UNCERTAINTY;
        channels[i].companion = i == 0 ? -1 : 0;
        (void)snprintf(channels[i].unit, sizeof channels[i].unit, "uJ");
        (void)snprintf(channels[i].com_id, sizeof channels[i].com_id, "recorded");
    }
    (void)scripted_env(machine, env);
    (void)pji_trace_put_header(&text, &header, NULL);
    for (int i = 0; i < 400; i++)
        pji_str_addf(&text, "{\"t_ns\":%lld,\"r\":[[0,%d],[1,%d]]}\n", 5000000000 + 7000000LL * i,
                     100 * i, i);
    (void)snprintf(machine->path, sizeof machine->path, "/tmp/perjoule-test-replay-XXXXXX");
    fd = mkstemp(machine->path);
    file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!file || fputs(pji_str_text(&text), file) < 0 || fclose(file)) {
        perror(machine->path);
        exit(1);
    }
    pji_str_fini(&text);
    env->replay_path = machine->path;
    return true;
}

static struct machine machines[] = {
    {.source = "rapl_perf", .open = open_perf},
    {.source = "rapl_powercap", .open = open_rapl},
    {.source = "nvml", .open = open_nvml, .real_clock = true},
    {.source = "hwmon", .open = open_hwmon},
    {.source = "model_cpu", .open = open_model},
    {.source = "model_ram", .open = open_ram},
    {.source = "amdsmi", .open = open_amdsmi},
    {.source = "replay", .open = open_replay, .foreign_rows = true},
};

struct machine *machine_of(const char *source)
{
    for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++) {
        if (strcmp(machines[i].source, source) == 0)
            return &machines[i];
    }
    return NULL;
}

void machine_close(struct machine *machine)
{
    if (machine->script)
        scripted_free(machine->script);
    else
        pji_platform_close_real(&machine->platform);
    machine->script = NULL;
    if (machine->path[0])
        (void)unlink(machine->path);
    machine->path[0] = '\0';
}

void machine_advance(struct machine *machine, int64_t dur_ns)
{
    struct timespec rest = {.tv_nsec = (long)dur_ns};

    if (machine->real_clock)
        (void)nanosleep(&rest, NULL);
    else
        scripted_advance_ns(machine->script, dur_ns);
}
