/* RAPL through perf events on a scripted machine: what is opened, what is counted once, what is
 * refused and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rig.h"
#include "sources/rapl_channel.h"
#include "sources/table.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define PMU      "/sys/bus/event_source/devices/power"
#define RANGE_15 INT64_C(65532610987)
#define RANGE_61 INT64_C(262143328850)

enum { TYPE = 9, CORES = 1, PKG = 2, RAM = 3, PSYS = 5 };

static const struct pji_source_ops *const perf[] = {&pji_source_rapl_perf, NULL};
static const struct pji_source_ops *const both[] = {&pji_source_rapl_perf,
                                                    &pji_source_rapl_powercap, NULL};

static int setup(void **state)
{
    *state = scripted_new();
    return 0;
}

static int teardown(void **state)
{
    scripted_free(*state);
    return 0;
}

/* Two Intel sockets, package and dram events; counts of 1 J. */
static void two_sockets(struct scripted *s)
{
    rig_cpuinfo(s, "GenuineIntel", "Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz", 85, 2, 20, false);
    rig_power_pmu(s, TYPE, "0,20");
    rig_power_event(s, "energy-pkg", PKG);
    rig_power_event(s, "energy-ram", RAM);
    for (int i = 0; i < 2; i++) {
        rig_topology(s, 20 * i, i, 0);
        (void)scripted_perf(s, TYPE, PKG, 20 * i, "4294967296");
        (void)scripted_perf(s, TYPE, RAM, 20 * i, "4294967296");
    }
}

static void powercap_too(struct scripted *s)
{
    rig_zone(s, "intel-rapl:0", "package-0", 1000, RANGE_61);
    rig_zone(s, "intel-rapl:0:0", "dram", 2000, RANGE_15);
    rig_zone(s, "intel-rapl:0:1", "core", 3000, RANGE_61);
    rig_zone(s, "intel-rapl:1", "package-1", 4000, RANGE_61);
    rig_zone(s, "intel-rapl:1:0", "dram", 5000, RANGE_15);
    rig_zone(s, "intel-rapl-mmio:0", "package-0", 1000, RANGE_61);
}

static void a_package_counts_in_its_own_unit(void **state)
{
    struct scripted *s = *state;
    struct rig rig;
    struct pj_energy energy;
    const struct pji_channel *c;

    two_sockets(s);
    rig_open(&rig, s, perf);
    assert_int_equal(rig.n, 4);
    assert_int_equal(rig.n_missing, 0);
    c = &rig.channels[rig_channel(&rig, "rapl-perf:package-1")];
    assert_string_equal(c->domain, "package-1");
    assert_string_equal(c->parent, "machine");
    assert_int_equal(c->modulus, 0);
    assert_int_equal(c->origin, PJ_ORIGIN_COUNTER);
    rig_read(&rig);
    assert_int_equal(rig_reading(&rig, "rapl-perf:package-1")->value, 1000000);
    /* 250.5 J more, from below 2^32 counts to above 2^40 */
    scripted_file(s, scripted_perf(s, TYPE, PKG, 20, "0"), "1080184275968");
    rig_read_after(&rig, s, 1000000000);
    energy = rig_total(&rig, "rapl-perf:package-1");
    assert_true(energy.value_j == 250.5);
    assert_int_equal(energy.quality & PJ_QUALITY_WRAP, 0);
    rig_close(&rig);
    assert_int_equal(scripted_open_handles(s), 0);
}

/* Seen on a virtual machine with an H200: the event energy-psys opens and reads 0 for ever. */
static void a_count_that_never_moves_is_missing_in_a_virtual_machine(void **state)
{
    struct scripted *s = *state;
    struct rig rig;

    rig_cpuinfo(s, "GenuineIntel", "Intel Xeon Processor", 143, 1, 16, true);
    rig_power_pmu(s, TYPE, "0");
    rig_power_event(s, "energy-psys", PSYS);
    rig_topology(s, 0, 0, 0);
    (void)scripted_perf(s, TYPE, PSYS, 0, "0");
    rig_open(&rig, s, perf);
    assert_int_equal(rig.n, 0);
    assert_int_equal(rig.n_missing, 1);
    assert_non_null(strstr(rig.missing[0].reason, "never moves"));
    rig_close(&rig);
}

static void a_domain_is_read_once(void **state)
{
    struct scripted *s = *state;
    struct rig rig;
    char cover[256];

    two_sockets(s);
    powercap_too(s);
    rig_open(&rig, s, both);
    /* powercap gives the one domain that perf does not offer */
    assert_int_equal(rig.n, 5);
    assert_true(rig_has(&rig, "rapl:package-0/core"));
    assert_int_equal(rig.n_missing, 0);
    assert_string_equal(rig_cover(&rig, cover, sizeof cover),
                        "rapl-perf:package-0 rapl-perf:dram-0 rapl-perf:package-1 "
                        "rapl-perf:dram-1");
    rig_close(&rig);
}

static void powercap_reads_what_perf_cannot(void **state)
{
    struct scripted *s = *state;
    struct rig rig;
    char cover[256];

    two_sockets(s);
    powercap_too(s);
    scripted_fail_open(s, scripted_perf(s, TYPE, PKG, 20, "0"), ENODEV, -1);
    rig_open(&rig, s, both);
    assert_string_equal(rig_cover(&rig, cover, sizeof cover),
                        "rapl-perf:package-0 rapl-perf:dram-0 rapl-perf:dram-1 rapl:package-1");
    assert_non_null(strstr(rig_missing(&rig, "package-1")->reason, "power/energy-pkg/"));
    rig_close(&rig);
}

static void the_zone_tells_resolution_and_cap(void **state)
{
    struct scripted *s = *state;
    struct rig rig;
    const struct pji_channel *c;

    two_sockets(s);
    rig_zone(s, "intel-rapl:0", "package-0", 1000, RANGE_15);
    scripted_file(s, "/sys/class/powercap/intel-rapl:0/constraint_0_max_power_uw", "150000000\n");
    scripted_fail_open(s, "/sys/class/powercap/intel-rapl:0/energy_uj", EACCES, -1);
    rig_open(&rig, s, both);
    c = &rig.channels[rig_channel(&rig, "rapl-perf:package-0")];
    assert_true(fabs(c->quantum - 15.258) < 0.001);
    assert_true(c->cap_mw == 1500000);
    /* not told: the coarser unit */
    c = &rig.channels[rig_channel(&rig, "rapl-perf:package-1")];
    assert_true(fabs(c->quantum - 61.035) < 0.001);
    assert_true(c->cap_mw == 0);
    assert_int_equal(rig.n_missing, 0); /* the denied zone is read by perf */
    rig_close(&rig);
}

static void deny(struct scripted *s, int sys_errno)
{
    for (int cpu = 0; cpu <= 20; cpu += 20) {
        scripted_fail_open(s, scripted_perf(s, TYPE, PKG, cpu, "0"), sys_errno, -1);
        scripted_fail_open(s, scripted_perf(s, TYPE, RAM, cpu, "0"), sys_errno, -1);
    }
}

static void denied_is_missing_with_the_least_privilege(void **state)
{
    struct scripted *s = *state;
    const struct pji_missing *row;
    struct rig rig;

    two_sockets(s);
    deny(s, EACCES);
    scripted_file(s, "/proc/sys/kernel/perf_event_paranoid", "4\n");
    rig_open(&rig, s, perf);
    assert_int_equal(rig.n, 0);
    assert_int_equal(rig.n_missing, 1);
    row = rig_missing(&rig, "package");
    assert_non_null(row);
    assert_int_equal(row->domain_kind, PJI_DOMAIN_PACKAGE);
    assert_non_null(strstr(row->reason, "CAP_PERFMON"));
    assert_non_null(strstr(row->reason, "it is 4"));
    assert_non_null(strstr(row->fix, "cap_perfmon=ep"));
    assert_true(strlen(row->reason) < sizeof row->reason - 1);
    assert_true(strlen(row->fix) < sizeof row->fix - 1);
    rig_close(&rig);
}

static void a_seccomp_filter_is_told_apart(void **state)
{
    struct scripted *s = *state;
    struct rig rig;

    two_sockets(s);
    deny(s, EPERM);
    rig_open(&rig, s, perf);
    assert_non_null(strstr(rig_missing(&rig, "package")->reason, "seccomp"));
    assert_non_null(strstr(rig_missing(&rig, "package")->fix, "PERFMON"));
    rig_close(&rig);
}

static void a_denied_rung_does_not_spoil_the_next_one(void **state)
{
    struct scripted *s = *state;
    struct pj_energy energies[RIG_CHANNELS];
    bool in_total[RIG_CHANNELS];
    struct pji_total total;
    struct rig rig;

    two_sockets(s);
    deny(s, EACCES);
    powercap_too(s);
    rig_open(&rig, s, both);
    assert_int_equal(rig.n_missing, 1);
    rig_read(&rig);
    rig_read_after(&rig, s, 1000000000);
    for (size_t i = 0; i < rig.n; i++)
        energies[i] = rig_total(&rig, rig.channels[i].name);
    pji_ledger_cover_read(rig.channels, energies, rig.n, false, in_total);
    pji_ledger_total(&total, rig.channels, energies, in_total, rig.n, rig.missing, rig.n_missing);
    assert_string_equal(total.label, "machine");
    assert_int_equal(total.energy.quality & PJ_QUALITY_PARTIAL, 0);
    rig_close(&rig);
}

static void amd_packages_count_once_for_all_their_dies(void **state)
{
    struct scripted *s = *state;
    struct rig rig;

    rig_cpuinfo(s, "AuthenticAMD", "AMD EPYC 9654 96-Core Processor", 17, 2, 96, false);
    rig_power_pmu(s, TYPE, "0,8,96,104");
    rig_power_event(s, "energy-pkg", PKG);
    rig_power_event(s, "energy-cores", CORES);
    for (int i = 0; i < 4; i++) {
        int cpu = (const int[]){0, 8, 96, 104}[i];

        rig_topology(s, cpu, i / 2, i);
        (void)scripted_perf(s, TYPE, PKG, cpu, "1000");
        (void)scripted_perf(s, TYPE, CORES, cpu, "1000");
    }
    /* the same kernels give powercap a zone for each die */
    rig_zone(s, "intel-rapl:0", "package-0-die-0", 1, RANGE_61);
    rig_zone(s, "intel-rapl:1", "package-0-die-1", 1, RANGE_61);
    rig_open(&rig, s, both);
    assert_int_equal(rig.n, 2);
    assert_true(rig_has(&rig, "rapl-perf:package-0") && rig_has(&rig, "rapl-perf:package-1"));
    rig_close(&rig);
}

static void intel_dies_are_domains_of_their_own(void **state)
{
    struct scripted *s = *state;
    struct rig rig;
    char cover[256];

    rig_cpuinfo(s, "GenuineIntel", "Intel(R) Xeon(R) Platinum 9242 CPU @ 2.30GHz", 85, 1, 48,
                false);
    rig_power_pmu(s, TYPE, "0,24");
    rig_power_event(s, "energy-pkg", PKG);
    for (int i = 0; i < 2; i++) {
        rig_topology(s, 24 * i, 0, i);
        (void)scripted_perf(s, TYPE, PKG, 24 * i, "1000");
    }
    rig_zone(s, "intel-rapl:0", "package-0-die-0", 1, RANGE_61);
    rig_zone(s, "intel-rapl:1", "package-0-die-1", 1, RANGE_61);
    rig_open(&rig, s, both);
    assert_string_equal(rig_cover(&rig, cover, sizeof cover),
                        "rapl-perf:package-0-die-0 rapl-perf:package-0-die-1");
    rig_close(&rig);
}

static void psys_holds_its_packages(void **state)
{
    struct scripted *s = *state;
    struct rig rig;
    char cover[256];

    rig_cpuinfo(s, "GenuineIntel", "Intel(R) Core(TM) i7-8650U CPU @ 1.90GHz", 142, 1, 4, false);
    rig_power_pmu(s, TYPE, "0");
    rig_power_event(s, "energy-pkg", PKG);
    rig_power_event(s, "energy-cores", CORES);
    rig_power_event(s, "energy-psys", PSYS);
    rig_topology(s, 0, 0, -1);
    (void)scripted_perf(s, TYPE, PKG, 0, "1000");
    (void)scripted_perf(s, TYPE, CORES, 0, "1000");
    (void)scripted_perf(s, TYPE, PSYS, 0, "1000");
    rig_zone(s, "intel-rapl:1", "psys", 1, RANGE_61);
    rig_open(&rig, s, both);
    assert_int_equal(rig.n, 3);
    assert_string_equal(rig.channels[rig_channel(&rig, "rapl-perf:package-0")].parent, "psys");
    assert_string_equal(rig.channels[rig_channel(&rig, "rapl-perf:package-0/core")].parent,
                        "package-0");
    assert_string_equal(rig_cover(&rig, cover, sizeof cover), "rapl-perf:package-0");
    rig_close(&rig);
}

/* Changes one file of a sound PMU; what is then opened. */
static void expect_trouble(const char *file, const char *text, const char *domain,
                           const char *reason)
{
    struct scripted *s = scripted_new();
    const struct pji_missing *row;
    struct rig rig;
    char path[128];

    two_sockets(s);
    (void)snprintf(path, sizeof path, PMU "/%s", file);
    if (text)
        scripted_file(s, path, text);
    else
        scripted_remove(s, path);
    rig_open(&rig, s, perf);
    row = rig_missing(&rig, domain);
    if (!row || !strstr(row->reason, reason))
        fail_msg("%s = '%s': %s", file, text ? text : "(absent)", row ? row->reason : "no row");
    for (size_t i = 0; i < rig.n; i++)
        assert_int_not_equal(rig.channels[i].domain_kind, PJI_DOMAIN_PACKAGE);
    rig_close(&rig);
    assert_int_equal(scripted_open_handles(s), 0);
    scripted_free(s);
}

static void odd_descriptions_are_refused(void **state)
{
    (void)state;
    expect_trouble("type", "none\n", "package", "type");
    expect_trouble("type", "-1\n", "package", "type");
    expect_trouble("cpumask", "\n", "package", "cpumask");
    expect_trouble("cpumask", "0-\n", "package", "cpumask");
    expect_trouble("cpumask", "3-1\n", "package", "cpumask");
    expect_trouble("cpumask", "0-99999\n", "package", "cpumask");
    expect_trouble("cpumask", "0,7\n", "package", "packages"); /* CPU 7 is of no known package */
    expect_trouble("events/energy-pkg", "event=0x02,umask=0x1\n", "package-0", "event=0xNN");
    expect_trouble("events/energy-pkg", "config=2\n", "package-0", "event=0xNN");
    expect_trouble("events/energy-pkg.unit", "Watts\n", "package-0", "unit");
    expect_trouble("events/energy-pkg.unit", NULL, "package-0", "unit");
    expect_trouble("events/energy-pkg.scale", "0\n", "package-0", "scale");
    expect_trouble("events/energy-pkg.scale", "nan\n", "package-0", "scale");
    expect_trouble("events/energy-pkg.scale", "2,3e-10\n", "package-0", "scale");
}

static void faults_of_a_read_are_bridged_or_end_it(void **state)
{
    struct scripted *s = *state;
    struct rig rig;
    struct pj_energy energy;
    const char *event;

    two_sockets(s);
    event = scripted_perf(s, TYPE, PKG, 0, "4294967296");
    rig_open(&rig, s, perf);
    rig_read(&rig);
    scripted_then(s, event,
                  (struct scripted_step[]){{.sys_errno = EIO},
                                           {.text = "18446744073709551615"},
                                           {.text = "12884901888"}},
                  3);
    rig_read_after(&rig, s, 1000000000);
    assert_int_equal(rig_reading(&rig, "rapl-perf:package-0")->status, PJI_READ_FAILED);
    assert_int_equal(rig_reading(&rig, "rapl-perf:package-0")->value, EIO);
    rig_read_after(&rig, s, 1000000000);
    rig_read_after(&rig, s, 1000000000);
    energy = rig_total(&rig, "rapl-perf:package-0");
    assert_true(energy.value_j == 2);
    scripted_remove(s, event);
    rig_read_after(&rig, s, 1000000000);
    assert_int_equal(rig_reading(&rig, "rapl-perf:package-0")->status, PJI_READ_GONE);
    rig_read_after(&rig, s, 1000000000);
    assert_null(rig_reading(&rig, "rapl-perf:package-0"));
    assert_non_null(rig_reading(&rig, "rapl-perf:package-1"));
    rig_close(&rig);
}

static void a_tree_has_no_perf_events(void **state)
{
    struct scripted *s = *state;
    struct rig rig;

    two_sockets(s);
    scripted_set_rooted(s, true);
    rig_open(&rig, s, perf);
    assert_int_equal(rig.n + rig.n_missing, 0);
    rig_close(&rig);
}

static void domains_overlap_by_their_names(void **state)
{
    (void)state;
    assert_true(pji_rapl_overlap("package-0", "package-0"));
    assert_true(pji_rapl_overlap("package-0", "package-0-die-3"));
    assert_true(pji_rapl_overlap("package-0-die-3", "package-0"));
    assert_true(pji_rapl_overlap("package-0/core", "package-0-die-1/core"));
    assert_true(pji_rapl_overlap("dram-1-die-0", "dram-1"));
    assert_false(pji_rapl_overlap("package-0-die-0", "package-0-die-1"));
    assert_false(pji_rapl_overlap("package-1", "package-10"));
    assert_false(pji_rapl_overlap("package-1-die-0", "package-10"));
    assert_false(pji_rapl_overlap("package-0", "package-0/core"));
    assert_false(pji_rapl_overlap("package-0-die-0", "package-0/core"));
    assert_false(pji_rapl_overlap("package-0", ""));
}

#define with_script(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_script(a_package_counts_in_its_own_unit),
        with_script(a_count_that_never_moves_is_missing_in_a_virtual_machine),
        with_script(a_domain_is_read_once),
        with_script(powercap_reads_what_perf_cannot),
        with_script(the_zone_tells_resolution_and_cap),
        with_script(denied_is_missing_with_the_least_privilege),
        with_script(a_seccomp_filter_is_told_apart),
        with_script(a_denied_rung_does_not_spoil_the_next_one),
        with_script(amd_packages_count_once_for_all_their_dies),
        with_script(intel_dies_are_domains_of_their_own),
        with_script(psys_holds_its_packages),
        cmocka_unit_test(odd_descriptions_are_refused),
        with_script(faults_of_a_read_are_bridged_or_end_it),
        with_script(a_tree_has_no_perf_events),
        cmocka_unit_test(domains_overlap_by_their_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
