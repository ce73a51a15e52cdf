/* Checks of a machine, and other tools in its /proc. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rig.h"

#include "sources/energy_tools.h"
#include "sources/host_checks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct pji_check *check_of(struct pji_check *checks, struct scripted *s,
                                        const char *name)
{
    size_t n = pji_host_checks(scripted_platform(s), checks);

    assert_in_range(n, 1, PJI_HOST_CHECKS);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(checks[i].name, name) == 0)
            return &checks[i];
    }
    fail_msg("there is no check '%s'", name);
    return &checks[0];
}

/* One look: level and value of one check. */
static void expect(struct scripted *s, const char *name, enum pji_check_level level,
                   const char *value)
{
    struct pji_check checks[PJI_HOST_CHECKS];
    const struct pji_check *check = check_of(checks, s, name);

    if (check->level != level || strcmp(check->value, value) != 0)
        print_error("%s: %s, '%s'\n", name, pji_check_level_name(check->level), check->value);
    assert_int_equal(check->level, level);
    assert_string_equal(check->value, value);
    assert_true(check->text[0] != '\0');
}

static void an_empty_machine_is_unknown_not_fine(void **state)
{
    struct scripted *s = scripted_new();
    struct pji_check checks[PJI_HOST_CHECKS];
    size_t n = pji_host_checks(scripted_platform(s), checks);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(checks[i].name, "container") != 0 && strcmp(checks[i].name, "power_supply") != 0)
            assert_int_equal(checks[i].level, PJI_CHECK_UNKNOWN);
    }
    assert_int_equal(scripted_open_handles(s), 0);
    scripted_free(s);
}

static void clocks_that_cost_a_system_call_are_warned_about(void **state)
{
    static const char path[] = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    struct scripted *s = scripted_new();

    (void)state;
    scripted_file(s, path, "tsc\n");
    expect(s, "clock_source", PJI_CHECK_OK, "tsc");
    scripted_file(s, path, "kvm-clock\n");
    expect(s, "clock_source", PJI_CHECK_OK, "kvm-clock");
    scripted_file(s, path, "acpi_pm\n");
    expect(s, "clock_source", PJI_CHECK_WARNING, "acpi_pm");
    scripted_fail_read(s, path, EIO, -1);
    expect(s, "clock_source", PJI_CHECK_UNKNOWN, "");
    scripted_free(s);
}

static void governors_are_counted(void **state)
{
    struct scripted *s = scripted_new();

    (void)state;
    scripted_file(s, "/sys/devices/system/cpu/cpufreq/boost", "0\n"); /* a folder, not a CPU */
    for (int cpu = 0; cpu < 12; cpu++) {
        char path[96];

        (void)snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_governor",
                       cpu);
        scripted_file(s, path, "performance\n");
    }
    expect(s, "governor", PJI_CHECK_OK, "performance");
    expect(s, "turbo", PJI_CHECK_OK, "off");
    scripted_file(s, "/sys/devices/system/cpu/cpu7/cpufreq/scaling_governor", "schedutil\n");
    expect(s, "governor", PJI_CHECK_WARNING, "performance on 11, schedutil on 1");
    scripted_free(s);
}

static void the_marks_of_containers(void **state)
{
    struct scripted *s = scripted_new();

    (void)state;
    expect(s, "container", PJI_CHECK_OK, "none seen");
    scripted_file(s, "/proc/self/cgroup", "0::/user.slice\n");
    expect(s, "container", PJI_CHECK_OK, "none seen");
    scripted_file(s, "/proc/self/cgroup", "0::/kubepods/besteffort/pod1\n");
    expect(s, "container", PJI_CHECK_NOTE, "kubepods (by its cgroup)");
    scripted_file(s, "/.dockerenv", "");
    expect(s, "container", PJI_CHECK_NOTE, "docker");
    scripted_free(s);
}

static void capabilities_open_what_paranoid_closes(void **state)
{
    struct scripted *s = scripted_new();

    (void)state;
    scripted_file(s, "/proc/sys/kernel/perf_event_paranoid", "3\n");
    expect(s, "perf_event_paranoid", PJI_CHECK_NOTE, "3");
    scripted_file(s, "/proc/self/status",
                  "Name:\tperjoule\nUid:\t1000\t1000\t1000\t1000\nCapEff:\t0000004000000000\n");
    expect(s, "perf_event_paranoid", PJI_CHECK_OK, "3");
    expect(s, "privileges", PJI_CHECK_OK, "uid 1000, cap_perfmon");
    scripted_file(s, "/proc/sys/kernel/perf_event_paranoid", "-1\n");
    scripted_file(s, "/proc/self/status", "Uid:\t0\t0\nCapEff:\tzz\n");
    expect(s, "perf_event_paranoid", PJI_CHECK_OK, "-1");
    expect(s, "privileges", PJI_CHECK_UNKNOWN, "");
    scripted_free(s);
}

static void counters_that_cannot_be_opened_are_counted(void **state)
{
    struct scripted *s = scripted_new();

    (void)state;
    rig_zone(s, "intel-rapl:0", "package-0", 1, 1000);
    rig_zone(s, "intel-rapl:1", "package-1", 1, 1000);
    expect(s, "powercap_mode", PJI_CHECK_OK, "2 of 2 readable");
    scripted_fail_open(s, "/sys/class/powercap/intel-rapl:1/energy_uj", EACCES, -1);
    expect(s, "powercap_mode", PJI_CHECK_NOTE, "1 of 2 readable");
    scripted_free(s);
}

static void load_is_seen_against_the_threads(void **state)
{
    struct scripted *s = scripted_new();

    (void)state;
    rig_cpuinfo(s, "GenuineIntel", "Intel(R) Xeon(R) Gold 6248 CPU", 85, 2, 20, false);
    scripted_file(s, "/proc/loadavg", "7.90 3.00 1.00 1/200 4000\n");
    expect(s, "load", PJI_CHECK_OK, "7.90");
    scripted_file(s, "/proc/loadavg", "8.10 3.00 1.00 1/200 4000\n");
    expect(s, "load", PJI_CHECK_NOTE, "8.10");
    expect(s, "virtual_machine", PJI_CHECK_OK, "no");
    scripted_free(s);
}

/* ---- tools ---- */

static void tools_are_known_by_program_script_or_module(void **state)
{
    static const struct {
        const char *cmdline; /* '|' between words */
        const char *comm, *name;
    } lines[] = {
        {"/usr/bin/scaphandre|stdout", "scaphandre", "scaphandre"},
        {"python3|-m|codecarbon|monitor", "python3", "codecarbon"},
        {"/opt/venv/bin/python3.11|-u|/opt/venv/bin/codecarbon|monitor", "python3.11",
         "codecarbon"},
        {"python3|-m|zeus.monitor.power", "python3", "zeus"},
        {"sudo|-E|turbostat|--quiet", "sudo", "turbostat"},
        {"env|A=b|nvidia-smi|dmon", "env", "nvidia-smi"},
        {"/bin/sh|/usr/local/bin/powertop", "sh", "powertop"},
        {"python3|carbontracker.py", "python3", "carbontracker"},
        {"", "prometheus-node", "node_exporter"},
        {"", "turbostat", "turbostat"},
        {"vim|codecarbon.py", "vim", NULL},
        {"grep|-r|scaphandre", "grep", NULL},
        {"python3|-c|import codecarbon", "python3", NULL},
        {"python3|train.py|codecarbon", "python3", NULL},
        {"python3", "python3", NULL},
        {"", "kworker/0:1", NULL},
        {"shred|powertop", "shred", NULL},
        {"perfect|x", "perfect", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char words[128];
        size_t len = strlen(lines[i].cmdline);
        struct pji_energy_tool found;

        memcpy(words, lines[i].cmdline, len + 1);
        for (size_t k = 0; k < len; k++)
            words[k] = words[k] == '|' ? '\0' : words[k];
        found = pji_energy_tool_of(words, len > 0 ? len + 1 : 0, lines[i].comm);
        if ((found.name == NULL) != (lines[i].name == NULL))
            print_error("%s\n", lines[i].cmdline);
        if (lines[i].name) {
            assert_non_null(found.name);
            assert_string_equal(found.name, lines[i].name);
        } else {
            assert_null(found.name);
        }
    }
}

static void we_are_not_our_own_rival(void **state)
{
    struct scripted *s = scripted_new();
    struct pji_energy_tool tools[PJI_ENERGY_TOOLS];
    size_t n;

    (void)state;
    assert_false(pji_energy_tools_find(scripted_platform(s), tools, &n));
    scripted_bytes(s, "/proc/40/cmdline", "perjoule\0doctor", 16);
    scripted_bytes(s, "/proc/41/cmdline", "/usr/bin/perjoule\0record", 25);
    scripted_file(s, "/proc/42/comm", "dcgmi\n");
    scripted_link(s, "/proc/self", "40");
    assert_true(pji_energy_tools_find(scripted_platform(s), tools, &n));
    assert_int_equal(n, 2);
    assert_int_equal(tools[0].pid, 41);
    assert_string_equal(tools[0].name, "perjoule");
    assert_string_equal(tools[1].name, "dcgm");
    for (int pid = 100; pid < 300; pid++) {
        char path[32];

        (void)snprintf(path, sizeof path, "/proc/%d/comm", pid);
        scripted_file(s, path, "powertop\n");
    }
    assert_true(pji_energy_tools_find(scripted_platform(s), tools, &n));
    assert_int_equal(n, PJI_ENERGY_TOOLS);
    assert_int_equal(scripted_open_handles(s), 0);
    scripted_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_machine_is_unknown_not_fine),
        cmocka_unit_test(clocks_that_cost_a_system_call_are_warned_about),
        cmocka_unit_test(governors_are_counted),
        cmocka_unit_test(the_marks_of_containers),
        cmocka_unit_test(capabilities_open_what_paranoid_closes),
        cmocka_unit_test(counters_that_cannot_be_opened_are_counted),
        cmocka_unit_test(load_is_seen_against_the_threads),
        cmocka_unit_test(tools_are_known_by_program_script_or_module),
        cmocka_unit_test(we_are_not_our_own_rival),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
