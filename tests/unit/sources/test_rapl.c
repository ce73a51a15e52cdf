/* RAPL through powercap on a scripted machine: which zones count, and what happens to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rig.h"
#include "sources/table.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RANGE_61 INT64_C(262143328850) /* (2^32 - 1) x 61.035 uJ, as the kernel shows it */
#define RANGE_15 INT64_C(65532610987)

static const struct pji_source_ops *const rapl[] = {&pji_source_rapl_powercap, NULL};

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

static void two_sockets(struct scripted *s)
{
    rig_cpuinfo(s, "GenuineIntel", "Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz", 85, 2, 20, false);
    rig_zone(s, "intel-rapl:0", "package-0", 1000, RANGE_61);
    rig_zone(s, "intel-rapl:0:0", "dram", 2000, RANGE_15);
    rig_zone(s, "intel-rapl:0:1", "core", 3000, RANGE_61);
    rig_zone(s, "intel-rapl:1", "package-1", 4000, RANGE_61);
    rig_zone(s, "intel-rapl:1:0", "dram", 5000, RANGE_15);
}

static void assert_channel(const struct rig *rig, const char *name, const char *domain,
                           const char *parent, enum pji_domain_kind kind)
{
    const struct pji_channel *c = &rig->channels[rig_channel(rig, name)];

    assert_string_equal(c->domain, domain);
    assert_string_equal(c->parent, parent);
    assert_int_equal(c->domain_kind, kind);
    assert_int_equal(c->kind, PJI_COUNTER);
    assert_int_equal(c->origin, PJ_ORIGIN_COUNTER);
    assert_string_equal(c->unit, "uJ");
}

static void two_sockets_form_a_tree(void **state)
{
    struct scripted *s = *state;
    struct rig rig;
    char cover[256];

    two_sockets(s);
    rig_open(&rig, s, rapl);
    assert_int_equal(rig.n, 5);
    assert_int_equal(rig.n_missing, 0);
    assert_channel(&rig, "rapl:package-0", "package-0", "machine", PJI_DOMAIN_PACKAGE);
    assert_channel(&rig, "rapl:package-0/core", "package-0/core", "package-0", PJI_DOMAIN_CORE);
    assert_channel(&rig, "rapl:dram-1", "dram-1", "machine", PJI_DOMAIN_DRAM);
    assert_string_equal(rig_cover(&rig, cover, sizeof cover),
                        "rapl:package-0 rapl:dram-0 rapl:package-1 rapl:dram-1");
    rig_close(&rig);
    assert_int_equal(scripted_open_handles(s), 0);
}

static void the_modulus_is_the_range_and_one_unit(void **state)
{
    struct scripted *s = *state;
    struct rig rig;

    rig_zone(s, "intel-rapl:0", "package-0", 0, RANGE_61);
    rig_zone(s, "intel-rapl:1", "package-1", 0, RANGE_15);
    rig_zone(s, "intel-rapl:2", "package-2", 0, 999999);
    rig_zone(s, "intel-rapl:3", "package-3", 0, 0);
    rig_open(&rig, s, rapl);
    assert_int_equal(rig.channels[rig_channel(&rig, "rapl:package-0")].modulus, RANGE_61 + 61);
    assert_int_equal(rig.channels[rig_channel(&rig, "rapl:package-1")].modulus, RANGE_15 + 15);
    assert_int_equal(rig.channels[rig_channel(&rig, "rapl:package-2")].modulus, 1000000);
    assert_int_equal(rig.channels[rig_channel(&rig, "rapl:package-3")].modulus, 0);
    rig_close(&rig);
}

static void each_zone_wraps_alone(void **state)
{
    struct scripted *s = *state;
    struct rig rig;
    struct pj_energy package, dram;

    rig_zone(s, "intel-rapl:0", "package-0", 900000000, 999999999);
    rig_zone(s, "intel-rapl:0:0", "dram", 499000000, 499999999);
    rig_open(&rig, s, rapl);
    rig_read(&rig);
    rig_set(s, "intel-rapl:0", 950000000);
    rig_set(s, "intel-rapl:0:0", 1000001);
    rig_read_after(&rig, s, 1000000000);
    rig_set(s, "intel-rapl:0", 20000003);
    rig_set(s, "intel-rapl:0:0", 3000001);
    rig_read_after(&rig, s, 1000000000);
    package = rig_total(&rig, "rapl:package-0");
    dram = rig_total(&rig, "rapl:dram-0");
    assert_true(package.value_j == 120.000003);
    assert_true(dram.value_j == 4.000001);
    assert_true(package.quality & PJ_QUALITY_WRAP);
    assert_true(dram.quality & PJ_QUALITY_WRAP);
    rig_close(&rig);
}

static void an_mmio_twin_never_enters_the_total(void **state)
{
    struct scripted *s = *state;
    struct rig rig;
    char cover[256];
    size_t twin;

    rig_zone(s, "intel-rapl:0", "package-0", 1000, RANGE_61);
    rig_zone(s, "intel-rapl-mmio:0", "package-0", 1000, RANGE_61);
    rig_zone(s, "intel-rapl-mmio:0:0", "dram", 5, RANGE_61);
    rig_open(&rig, s, rapl);
    twin = rig_channel(&rig, "rapl-mmio:package-0");
    assert_string_equal(rig.channels[twin].domain, "package-0");
    assert_int_equal(rig.channels[twin].companion, rig_channel(&rig, "rapl:package-0"));
    assert_string_equal(rig_cover(&rig, cover, sizeof cover), "rapl:package-0 rapl-mmio:dram-0");
    rig_close(&rig);
}

static void dies_of_an_amd_package_count_once(void **state)
{
    struct scripted *s = *state;
    struct rig rig;
    char cover[256];

    rig_cpuinfo(s, "AuthenticAMD", "AMD EPYC 9654 96-Core Processor", 17, 2, 96, false);
    rig_zone(s, "intel-rapl:0", "package-0-die-0", 1000, RANGE_61);
    rig_zone(s, "intel-rapl:1", "package-0-die-1", 1000, RANGE_61);
    rig_zone(s, "intel-rapl:2", "package-0-die-10", 1000, RANGE_61);
    rig_zone(s, "intel-rapl:3", "package-1-die-8", 1000, RANGE_61);
    rig_open(&rig, s, rapl);
    assert_int_equal(rig.n, 4);
    assert_string_equal(rig_cover(&rig, cover, sizeof cover),
                        "rapl:package-0-die-0 rapl:package-1-die-8");
    rig_close(&rig);
    rig_cpuinfo(s, "GenuineIntel", "Intel(R) Xeon(R) Platinum 9242 CPU @ 2.30GHz", 85, 2, 48,
                false);
    rig_open(&rig, s, rapl);
    assert_string_equal(rig_cover(&rig, cover, sizeof cover),
                        "rapl:package-0-die-0 rapl:package-0-die-1 rapl:package-0-die-10 "
                        "rapl:package-1-die-8");
    rig_close(&rig);
}

static void an_mmio_twin_stands_in_for_an_unreadable_zone(void **state)
{
    struct scripted *s = *state;
    struct rig rig;
    char cover[256];

    rig_zone(s, "intel-rapl:0", "package-0", 1000, RANGE_61);
    rig_zone(s, "intel-rapl-mmio:0", "package-0", 1000, RANGE_61);
    scripted_fail_open(s, "/sys/class/powercap/intel-rapl:0/energy_uj", EACCES, -1);
    rig_open(&rig, s, rapl);
    assert_int_equal(rig.n, 1);
    assert_int_equal(rig.n_missing, 0);
    assert_int_equal(rig.channels[0].companion, -1);
    assert_string_equal(rig_cover(&rig, cover, sizeof cover), "rapl-mmio:package-0");
    rig_close(&rig);
}

static void a_denied_zone_is_missing_with_its_fix(void **state)
{
    struct scripted *s = *state;
    const struct pji_missing *row;
    struct rig rig;

    two_sockets(s);
    scripted_fail_open(s, "/sys/class/powercap/intel-rapl:1/energy_uj", EACCES, -1);
    rig_open(&rig, s, rapl);
    assert_int_equal(rig.n, 4);
    assert_int_equal(rig.n_missing, 1);
    row = rig_missing(&rig, "package-1");
    assert_non_null(row);
    assert_int_equal(row->domain_kind, PJI_DOMAIN_PACKAGE);
    assert_non_null(strstr(row->reason, "permission denied"));
    assert_non_null(strstr(row->reason, "intel-rapl:1/energy_uj"));
    assert_non_null(strstr(row->fix, "chgrp"));
    assert_null(strstr(row->fix, "777"));
    assert_true(strlen(row->fix) < sizeof row->fix - 1); /* not cut off */
    rig_close(&rig);
}

static void garbage_and_errors_at_open_are_missing(void **state)
{
    struct scripted *s = *state;
    struct rig rig;

    rig_zone(s, "intel-rapl:0", "package-0", 1, RANGE_61);
    rig_zone(s, "intel-rapl:1", "package-1", 1, RANGE_61);
    scripted_file(s, "/sys/class/powercap/intel-rapl:0/energy_uj", "abc\n");
    scripted_fail_read(s, "/sys/class/powercap/intel-rapl:1/energy_uj", EIO, -1);
    rig_open(&rig, s, rapl);
    assert_int_equal(rig.n, 0);
    assert_non_null(strstr(rig_missing(&rig, "package-0")->reason, "no number"));
    assert_non_null(strstr(rig_missing(&rig, "package-1")->reason, strerror(EIO)));
    rig_read(&rig);
    assert_int_equal(rig.n_readings, 0);
    rig_close(&rig);
    assert_int_equal(scripted_open_handles(s), 0);
}

static void a_zone_that_disappears_ends_once(void **state)
{
    struct scripted *s = *state;
    struct rig rig;
    struct pj_energy energy;

    rig_zone(s, "intel-rapl:0", "package-0", 1000000, RANGE_61);
    rig_zone(s, "intel-rapl:1", "package-1", 1000000, RANGE_61);
    rig_open(&rig, s, rapl);
    rig_read(&rig);
    rig_set(s, "intel-rapl:0", 3000000);
    rig_read_after(&rig, s, 100000000);
    scripted_remove(s, "/sys/class/powercap/intel-rapl:0");
    rig_read_after(&rig, s, 100000000);
    assert_int_equal(rig_reading(&rig, "rapl:package-0")->status, PJI_READ_GONE);
    assert_int_equal(rig_reading(&rig, "rapl:package-0")->value, ENODEV);
    assert_int_equal(rig_reading(&rig, "rapl:package-1")->status, PJI_READ_OK);
    rig_read_after(&rig, s, 100000000);
    assert_null(rig_reading(&rig, "rapl:package-0"));
    energy = rig_total(&rig, "rapl:package-0");
    assert_int_equal(energy.origin, PJ_ORIGIN_COUNTER);
    assert_true(energy.value_j >= 2.0 && energy.value_j <= 4.0); /* the rest is bridged at most */
    rig_close(&rig);
}

static void a_failed_read_loses_nothing(void **state)
{
    struct scripted *s = *state;
    struct rig rig;
    struct pji_meter_stats stats;

    rig_zone(s, "intel-rapl:0", "package-0", 1000000, RANGE_61);
    rig_open(&rig, s, rapl);
    rig_read(&rig);
    scripted_fail_read(s, "/sys/class/powercap/intel-rapl:0/energy_uj", EIO, 2);
    for (int i = 0; i < 2; i++) {
        rig_read_after(&rig, s, 100000000);
        assert_int_equal(rig_reading(&rig, "rapl:package-0")->status, PJI_READ_FAILED);
        assert_int_equal(rig_reading(&rig, "rapl:package-0")->value, EIO);
    }
    rig_set(s, "intel-rapl:0", 8000000);
    rig_read_after(&rig, s, 100000000);
    assert_true(rig_total(&rig, "rapl:package-0").value_j == 7.0);
    pji_meter_stats(rig.meter, &stats);
    assert_int_equal(stats.failed_reads, 2);
    rig_close(&rig);
}

static void a_reset_is_marked_and_never_negative(void **state)
{
    struct scripted *s = *state;
    struct rig rig;
    struct pj_energy energy;
    int64_t uj = INT64_C(200000000000);

    rig_zone(s, "intel-rapl:0", "package-0", uj, RANGE_61);
    rig_open(&rig, s, rapl);
    rig_read(&rig);
    for (int i = 0; i < 20; i++) {
        uj = i == 10 ? 5000000 : uj + 5000000; /* 50 W; the driver was loaded again at i == 10 */
        rig_set(s, "intel-rapl:0", uj);
        rig_read_after(&rig, s, 100000000);
    }
    energy = rig_total(&rig, "rapl:package-0");
    assert_true(energy.quality & PJ_QUALITY_RESET);
    assert_true(energy.value_j > 94 && energy.value_j < 106);
    assert_true(energy.u_ind_j > 0);
    rig_close(&rig);
}

static void late_reads_are_stamped_in_their_middle(void **state)
{
    struct scripted *s = *state;
    struct rig rig;
    int64_t before_ns;

    rig_zone(s, "intel-rapl:0", "package-0", 1, RANGE_61);
    rig_zone(s, "intel-rapl:1", "package-1", 1, RANGE_61);
    rig_open(&rig, s, rapl);
    before_ns = pji_now_ns(scripted_platform(s));
    rig_read(&rig); /* no latency: one time for both */
    assert_int_equal(rig.readings[0].t_ns, before_ns);
    assert_int_equal(rig.readings[1].t_ns, before_ns);
    scripted_latency(s, "/sys/class/powercap/intel-rapl:0/energy_uj", 300000000);
    scripted_latency(s, "/sys/class/powercap/intel-rapl:1/energy_uj", 100000000);
    before_ns = pji_now_ns(scripted_platform(s));
    rig_read(&rig);
    assert_int_equal(rig_reading(&rig, "rapl:package-0")->t_ns, before_ns + 150000000);
    assert_int_equal(rig_reading(&rig, "rapl:package-1")->t_ns, before_ns + 350000000);
    rig_close(&rig);
}

static void psys_contains_the_packages(void **state)
{
    struct scripted *s = *state;
    struct rig rig;
    char cover[256];

    rig_zone(s, "intel-rapl:0", "package-0", 1, RANGE_61);
    rig_zone(s, "intel-rapl:1", "psys", 1, RANGE_61);
    rig_zone(s, "intel-rapl:2", "board", 1, RANGE_61);
    rig_open(&rig, s, rapl);
    assert_channel(&rig, "rapl:package-0", "package-0", "psys", PJI_DOMAIN_PACKAGE);
    assert_channel(&rig, "rapl:psys", "psys", "machine", PJI_DOMAIN_PSYS);
    assert_int_equal(rig.channels[rig_channel(&rig, "rapl:board")].role, PJI_ROLE_AUX);
    assert_string_equal(rig_cover(&rig, cover, sizeof cover), "rapl:package-0");
    rig_close(&rig);
}

static void nested_folders_count_once(void **state)
{
    struct scripted *s = *state;
    struct rig rig;

    /* as below /sys/devices/virtual/powercap, and the flat links of the class beside it */
    rig_zone(s, "intel-rapl/intel-rapl:0", "package-0", 7, RANGE_61);
    rig_zone(s, "intel-rapl/intel-rapl:0/intel-rapl:0:0", "dram", 8, RANGE_61);
    scripted_link(s, "/sys/class/powercap/intel-rapl:0", "intel-rapl/intel-rapl:0");
    rig_open(&rig, s, rapl);
    assert_int_equal(rig.n, 2);
    assert_true(rig_has(&rig, "rapl:package-0"));
    assert_true(rig_has(&rig, "rapl:dram-0"));
    rig_close(&rig);
}

static void two_zones_of_one_name_stay_two(void **state)
{
    struct scripted *s = *state;
    struct rig rig;
    char cover[256];

    rig_zone(s, "intel-rapl:0", "package-0", 1, RANGE_61);
    rig_zone(s, "intel-rapl:1", "package-0", 1, RANGE_61);
    rig_open(&rig, s, rapl);
    assert_string_equal(rig_cover(&rig, cover, sizeof cover),
                        "rapl:package-0 rapl:package-0@intel-rapl:1");
    rig_close(&rig);
}

static void the_instrument_is_the_same_in_every_run(void **state)
{
    struct scripted *s = *state;
    struct rig first, second;

    two_sockets(s);
    rig_open(&first, s, rapl);
    rig_open(&second, s, rapl);
    assert_string_equal(first.channels[0].com_id, "rapl:xeon gold 6248:package@:package-0");
    for (size_t i = 0; i < first.n; i++)
        assert_string_equal(first.channels[i].com_id, second.channels[i].com_id);
    rig_close(&first);
    rig_close(&second);
}

/* Two machines of one model: two instruments of one class. */
static void machines_of_one_model_share_the_class_alone(void **state)
{
    static const char *const ids[] = {"0123456789abcdef0123456789abcdef\n",
                                      "0123456789abcdef0123456789abcde0\n"};
    static const char class[] = "rapl:xeon gold 6248:package@";
    struct scripted *s = *state;
    char com_id[2][PJ_COM_ID];
    struct rig rig;

    two_sockets(s);
    scripted_file(s, "/proc/sys/kernel/random/boot_id", "00000000-0000-4000-8000-000000000000\n");
    for (int i = 0; i < 2; i++) {
        scripted_file(s, "/etc/machine-id", ids[i]);
        rig_open(&rig, s, rapl);
        memcpy(com_id[i], rig.channels[0].com_id, PJ_COM_ID);
        assert_memory_equal(com_id[i], class, sizeof class - 1);
        assert_non_null(strstr(com_id[i], ":package-0"));
        assert_null(strstr(com_id[i], "0123456789abcdef")); /* not told to whoever gets the trace */
        rig_close(&rig);
    }
    assert_string_not_equal(com_id[0], com_id[1]);
    scripted_file(s, "/etc/machine-id", "uninitialized\n"); /* then an instrument for each boot */
    rig_open(&rig, s, rapl);
    assert_string_not_equal(rig.channels[0].com_id, com_id[1]);
    assert_null(strstr(rig.channels[0].com_id, "@:"));
    rig_close(&rig);
}

static void the_cap_follows_the_constraints(void **state)
{
    struct scripted *s = *state;
    struct rig rig;

    rig_zone(s, "intel-rapl:0", "package-0", 1, RANGE_61);
    rig_zone(s, "intel-rapl:1", "package-1", 1, RANGE_61);
    scripted_file(s, "/sys/class/powercap/intel-rapl:0/constraint_0_max_power_uw", "150000000\n");
    scripted_file(s, "/sys/class/powercap/intel-rapl:0/constraint_1_max_power_uw", "0\n");
    rig_open(&rig, s, rapl);
    assert_true(rig.channels[rig_channel(&rig, "rapl:package-0")].cap_mw > 150000);
    assert_true(rig.channels[rig_channel(&rig, "rapl:package-1")].cap_mw == 0);
    rig_close(&rig);
}

static void what_should_be_there_is_missing(void **state)
{
    struct scripted *s = *state;
    struct rig rig;

    rig_open(&rig, s, rapl); /* no /proc/cpuinfo: nobody says that there should be RAPL */
    assert_int_equal(rig.n_missing, 0);
    rig_close(&rig);
    rig_cpuinfo(s, "GenuineIntel", "Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz", 85, 1, 20, false);
    rig_open(&rig, s, rapl);
    assert_non_null(strstr(rig_missing(&rig, "package")->fix, "modprobe"));
    rig_close(&rig);
    rig_cpuinfo(s, "AuthenticAMD", "AMD EPYC", 17, 1, 2, true);
    rig_open(&rig, s, rapl);
    assert_non_null(strstr(rig_missing(&rig, "package")->reason, "hypervisor"));
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(two_sockets_form_a_tree, setup, teardown),
        cmocka_unit_test_setup_teardown(the_modulus_is_the_range_and_one_unit, setup, teardown),
        cmocka_unit_test_setup_teardown(each_zone_wraps_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(an_mmio_twin_never_enters_the_total, setup, teardown),
        cmocka_unit_test_setup_teardown(dies_of_an_amd_package_count_once, setup, teardown),
        cmocka_unit_test_setup_teardown(an_mmio_twin_stands_in_for_an_unreadable_zone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_denied_zone_is_missing_with_its_fix, setup, teardown),
        cmocka_unit_test_setup_teardown(garbage_and_errors_at_open_are_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_zone_that_disappears_ends_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_read_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reset_is_marked_and_never_negative, setup, teardown),
        cmocka_unit_test_setup_teardown(late_reads_are_stamped_in_their_middle, setup, teardown),
        cmocka_unit_test_setup_teardown(psys_contains_the_packages, setup, teardown),
        cmocka_unit_test_setup_teardown(nested_folders_count_once, setup, teardown),
        cmocka_unit_test_setup_teardown(two_zones_of_one_name_stay_two, setup, teardown),
        cmocka_unit_test_setup_teardown(the_instrument_is_the_same_in_every_run, setup, teardown),
        cmocka_unit_test_setup_teardown(machines_of_one_model_share_the_class_alone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_cap_follows_the_constraints, setup, teardown),
        cmocka_unit_test_setup_teardown(what_should_be_there_is_missing, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
