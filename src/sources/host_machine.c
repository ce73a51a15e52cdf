/* Checks of the machine itself: see host_machine.h.
 *
 * - clock source: Documentation/ABI/testing/sysfs-devices-system-clocksource; tsc and the Arm
 *   counter are read in user space, hpet and acpi_pm by a system call and a slow bus (vdso(7))
 * - hypervisor: the CPUID bit 1.ECX[31], which /proc/cpuinfo lists as the flag "hypervisor"; its
 *   name from sysfs and DMI
 * - governor, turbo: Documentation/admin-guide/pm/cpufreq.rst and intel_pstate.rst
 */
#include "sources/host_machine.h"

#include "core/num.h"
#include "sources/cpu_info.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define CPUS "/sys/devices/system/cpu"

static bool read_line(const struct pji_platform *platform, const char *path, char *text,
                      size_t size)
{
    return pji_read_text(platform, path, text, size, NULL, NULL) == PJ_OK && text[0] != '\0';
}

static void unknown(struct pji_check *out, const char *text)
{
    out->level = PJI_CHECK_UNKNOWN;
    (void)snprintf(out->text, sizeof out->text, "%s", text);
}

/* ---- clock ---- */

void pji_check_clock_source(const struct pji_platform *platform, struct pji_check *out)
{
    static const char *const good[] = {
        "tsc",      "arch_sys_counter",  "kvm-clock",
        "timebase", "riscv_clocksource", "hyperv_clocksource_tsc_page",
        NULL};
    char others[96] = "";

    if (!read_line(platform, "/sys/devices/system/clocksource/clocksource0/current_clocksource",
                   out->value, sizeof out->value)) {
        unknown(out, "the current clock source cannot be read");
        return;
    }
    for (size_t i = 0; good[i]; i++) {
        if (strcmp(out->value, good[i]) == 0) {
            (void)snprintf(out->text, sizeof out->text,
                           "time is read without a system call, in tens of nanoseconds");
            return;
        }
    }
    (void)read_line(platform, "/sys/devices/system/clocksource/clocksource0/available_clocksource",
                    others, sizeof others);
    out->level = PJI_CHECK_WARNING;
    (void)snprintf(out->text, sizeof out->text,
                   "each look at the clock is a system call of about a microsecond: sampling costs "
                   "more, and edges are less exact");
    if (strstr(others, "tsc"))
        (void)snprintf(out->fix, sizeof out->fix,
                       "the kernel offers tsc: echo tsc | sudo tee /sys/devices/system/clocksource/"
                       "clocksource0/current_clocksource");
    else
        (void)snprintf(out->fix, sizeof out->fix,
                       "dmesg tells why the kernel distrusts the TSC (\"Marking TSC unstable\")");
}

/* ---- virtual machine and container ---- */

/* Who made this machine, as DMI has it: on a virtual machine the hypervisor. */
static void name_hypervisor(const struct pji_platform *platform, char *out, size_t size)
{
    char vendor[40] = "", product[48] = "";

    (void)read_line(platform, "/sys/class/dmi/id/sys_vendor", vendor, sizeof vendor);
    (void)read_line(platform, "/sys/class/dmi/id/product_name", product, sizeof product);
    if (vendor[0] || product[0])
        (void)snprintf(out, size, "%s%s%s", vendor, vendor[0] && product[0] ? " " : "", product);
    else if (!read_line(platform, "/sys/hypervisor/type", out, size))
        (void)snprintf(out, size, "unnamed hypervisor");
}

void pji_check_virtual_machine(const struct pji_platform *platform, struct pji_check *out)
{
    struct pji_cpu_info cpu;

    pji_cpu_info_read(platform, &cpu);
    if (cpu.threads == 0) {
        unknown(out, "/proc/cpuinfo cannot be read");
        return;
    }
    if (!cpu.virtual_machine && cpu.vendor[0] == '\0') {
        unknown(out, "this architecture's /proc/cpuinfo does not tell");
        return;
    }
    if (!cpu.virtual_machine) {
        (void)snprintf(out->value, sizeof out->value, "no");
        (void)snprintf(out->text, sizeof out->text, "the processor shows no hypervisor");
        return;
    }
    out->level = PJI_CHECK_NOTE;
    name_hypervisor(platform, out->value, sizeof out->value);
    (void)snprintf(out->text, sizeof out->text,
                   "the processor is shared with the host and perhaps with others: utilisation is "
                   "this machine's own, and counters, where the hypervisor shows them, are the "
                   "whole socket's");
    (void)snprintf(out->fix, sizeof out->fix, "measure on the host for energies that are counted");
}

/* Words of /proc/self/cgroup by which container runtimes name their groups. */
static bool cgroup_names(const struct pji_platform *platform, char *value, size_t size)
{
    static const char *const names[] = {"kubepods", "docker", "containerd", "libpod",
                                        "crio",     "lxc",    "slurm",      NULL};
    char text[4096];

    if (!read_line(platform, "/proc/self/cgroup", text, sizeof text))
        return false;
    for (size_t i = 0; names[i]; i++) {
        if (strstr(text, names[i])) {
            (void)snprintf(value, size, "%s (by its cgroup)", names[i]);
            return true;
        }
    }
    return false;
}

void pji_check_container(const struct pji_platform *platform, struct pji_check *out)
{
    if (read_line(platform, "/run/systemd/container", out->value, sizeof out->value)) {
        /* its content is the name */
    } else if (pji_path_exists(platform, "/run/.containerenv")) {
        (void)snprintf(out->value, sizeof out->value, "podman");
    } else if (pji_path_exists(platform, "/.dockerenv")) {
        (void)snprintf(out->value, sizeof out->value, "docker");
    } else if (!cgroup_names(platform, out->value, sizeof out->value)) {
        (void)snprintf(out->value, sizeof out->value, "none seen");
        (void)snprintf(out->text, sizeof out->text, "no mark of a container runtime");
        return;
    }
    out->level = PJI_CHECK_NOTE;
    (void)snprintf(out->text, sizeof out->text,
                   "counters are those of the whole machine, other containers included; runtimes "
                   "mask powercap and filter perf_event_open unless told otherwise");
}

/* ---- frequency ---- */

struct governors {
    const struct pji_platform *platform;
    size_t n, kinds;
    char kind[4][24];
    size_t count[4];
};

static int visit_cpu(void *arg, const char *name)
{
    struct governors *g = arg;
    char path[128], text[24];
    size_t i = 0;

    if (strncmp(name, "cpu", 3) != 0 || !isdigit((unsigned char)name[3]))
        return 0;
    (void)snprintf(path, sizeof path, CPUS "/%.24s/cpufreq/scaling_governor", name);
    if (!read_line(g->platform, path, text, sizeof text))
        return 0;
    g->n++;
    while (i < g->kinds && strcmp(g->kind[i], text) != 0)
        i++;
    if (i == sizeof g->count / sizeof g->count[0])
        return 0;
    if (i == g->kinds)
        (void)snprintf(g->kind[g->kinds++], sizeof g->kind[0], "%s", text);
    g->count[i]++;
    return 0;
}

void pji_check_governor(const struct pji_platform *platform, struct pji_check *out)
{
    struct governors g = {.platform = platform};
    char driver[24] = "";

    (void)platform->ops->list(platform->context, CPUS, visit_cpu, &g);
    if (g.n == 0) {
        unknown(out, "no cpufreq in sysfs: the firmware or the hypervisor chooses the clock");
        return;
    }
    (void)read_line(platform, CPUS "/cpu0/cpufreq/scaling_driver", driver, sizeof driver);
    for (size_t i = 0, len = 0; i < g.kinds && len < sizeof out->value; i++)
        len += (size_t)snprintf(out->value + len, sizeof out->value - len,
                                g.kinds > 1 ? "%s%.20s on %zu" : "%s%.20s", i ? ", " : "",
                                g.kind[i], g.count[i]);
    if (g.kinds > 1) {
        out->level = PJI_CHECK_WARNING;
        (void)snprintf(out->text, sizeof out->text,
                       "CPUs differ: where the scheduler puts the work changes its energy");
    } else if (strcmp(g.kind[0], "performance") == 0) {
        (void)snprintf(out->text, sizeof out->text, "the clock does not wait for the load%s%s",
                       driver[0] ? ", driver " : "", driver);
        return;
    } else {
        out->level = PJI_CHECK_NOTE;
        (void)snprintf(out->text, sizeof out->text,
                       "the clock follows the load%s%s: short work runs before it has risen, and "
                       "treatments may differ by clock alone",
                       driver[0] ? ", driver " : "", driver);
    }
    (void)snprintf(out->fix, sizeof out->fix,
                   "for comparisons: sudo cpupower frequency-set -g performance (and say so)");
}

void pji_check_turbo(const struct pji_platform *platform, struct pji_check *out)
{
    int64_t value;
    bool on;

    if (!pji_read_i64(platform, CPUS "/intel_pstate/no_turbo", &value, NULL)) {
        on = value == 0;
    } else if (!pji_read_i64(platform, CPUS "/cpufreq/boost", &value, NULL)) {
        on = value != 0;
    } else {
        unknown(out, "sysfs does not tell whether clocks above the nominal one are allowed");
        return;
    }
    (void)snprintf(out->value, sizeof out->value, "%s", on ? "on" : "off");
    if (on) {
        out->level = PJI_CHECK_NOTE;
        (void)snprintf(out->text, sizeof out->text,
                       "the clock depends on temperature and on how many cores work: warm up, and "
                       "interleave what is compared");
    } else {
        (void)snprintf(out->text, sizeof out->text, "no clock above the nominal one");
    }
}

struct supplies {
    const struct pji_platform *platform;
    size_t mains, online;
};

static int visit_supply(void *arg, const char *name)
{
    struct supplies *s = arg;
    char path[128], type[24];
    int64_t online;

    (void)snprintf(path, sizeof path, "/sys/class/power_supply/%.64s/type", name);
    if (!read_line(s->platform, path, type, sizeof type) || strcmp(type, "Mains") != 0)
        return 0;
    (void)snprintf(path, sizeof path, "/sys/class/power_supply/%.64s/online", name);
    if (pji_read_i64(s->platform, path, &online, NULL))
        return 0;
    s->mains++;
    s->online += online > 0;
    return 0;
}

void pji_check_power_supply(const struct pji_platform *platform, struct pji_check *out)
{
    struct supplies s = {.platform = platform};

    (void)platform->ops->list(platform->context, "/sys/class/power_supply", visit_supply, &s);
    if (s.mains == 0 || s.online > 0) {
        (void)snprintf(out->value, sizeof out->value, s.mains == 0 ? "no battery seen" : "mains");
        (void)snprintf(out->text, sizeof out->text, "nothing that would change power limits");
        return;
    }
    out->level = PJI_CHECK_WARNING;
    (void)snprintf(out->value, sizeof out->value, "battery");
    (void)snprintf(out->text, sizeof out->text,
                   "laptops lower power limits and clocks on battery: energies are not those of "
                   "the machine at the plug");
    (void)snprintf(out->fix, sizeof out->fix, "plug it in");
}

void pji_check_load(const struct pji_platform *platform, struct pji_check *out)
{
    char text[64];
    struct pji_cpu_info cpu;
    double load;

    if (!read_line(platform, "/proc/loadavg", text, sizeof text) ||
        pji_num_parse(text, strcspn(text, " "), &load, NULL)) {
        unknown(out, "/proc/loadavg cannot be read");
        return;
    }
    pji_cpu_info_read(platform, &cpu);
    (void)snprintf(out->value, sizeof out->value, "%.*s", (int)strcspn(text, " "), text);
    if (cpu.threads > 0 && load > 0.1 * cpu.threads * cpu.sockets) {
        out->level = PJI_CHECK_NOTE;
        (void)snprintf(out->text, sizeof out->text,
                       "on average of the last minute so many threads wanted to run, of %d there "
                       "are: a counter cannot tell their energy from yours",
                       cpu.threads * cpu.sockets);
        (void)snprintf(out->fix, sizeof out->fix, "wait until the machine is quiet");
    } else {
        (void)snprintf(out->text, sizeof out->text, "the machine is quiet");
    }
}
