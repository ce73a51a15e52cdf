/* hwmon chips on a scripted machine: what is added, what is only recorded, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rig.h"
#include "sources/hwmon_rules.h"
#include "sources/table.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RANGE_61 INT64_C(262143328850)

static const struct pji_source_ops *const hwmon[] = {&pji_source_hwmon, NULL};
static const struct pji_source_ops *const after_rapl[] = {&pji_source_rapl_powercap,
                                                          &pji_source_hwmon, NULL};
static const struct pji_source_ops *const with_model[] = {&pji_source_hwmon, &pji_source_model_cpu,
                                                          NULL};

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

static void put(struct scripted *s, int chip, const char *file, const char *text)
{
    char path[128];

    (void)snprintf(path, sizeof path, "/sys/class/hwmon/hwmon%d/%s", chip, file);
    scripted_file(s, path, text);
}

static void put_chip(struct scripted *s, int chip, const char *name, const char *device)
{
    char path[128], target[64];

    put(s, chip, "name", name);
    if (!device)
        return;
    (void)snprintf(path, sizeof path, "/sys/class/hwmon/hwmon%d/device", chip);
    (void)snprintf(target, sizeof target, "/sys/devices/%s", device);
    scripted_link(s, path, target);
}

static void put_rail(struct scripted *s, int chip, int n, const char *label, const char *mv,
                     const char *ma)
{
    char file[32];

    (void)snprintf(file, sizeof file, "in%d_label", n);
    put(s, chip, file, label);
    (void)snprintf(file, sizeof file, "in%d_input", n);
    put(s, chip, file, mv);
    (void)snprintf(file, sizeof file, "curr%d_input", n);
    put(s, chip, file, ma);
}

static const struct pji_channel *channel(const struct rig *rig, const char *name)
{
    return &rig->channels[rig_channel(rig, name)];
}

static void put_grace(struct scripted *s, int chip, const char *what, const char *power)
{
    char device[32], path[128];

    (void)snprintf(device, sizeof device, "ACPI000D:0%d", chip);
    put_chip(s, chip, "power_meter\n", device);
    /* older drivers keep the attributes with the device */
    (void)snprintf(path, sizeof path, "/sys/devices/%s/power1_average", device);
    scripted_file(s, path, power);
    (void)snprintf(path, sizeof path, "/sys/devices/%s/power1_average_interval", device);
    scripted_file(s, path, "50\n");
    (void)snprintf(path, sizeof path, "/sys/devices/%s/power1_oem_info", device);
    scripted_file(s, path, what);
}

static void a_grace_socket_is_a_package_with_its_parts(void **state)
{
    struct scripted *s = *state;
    struct rig rig;
    struct pj_energy energy;
    const struct pji_channel *c;
    char cover[256];

    put_grace(s, 0, "Module Power Socket 0\n", "600000000\n");
    put_grace(s, 1, "Grace Power Socket 0\n", "150000000\n");
    put_grace(s, 2, "CPU Power Socket 0\n", "90000000\n");
    put_grace(s, 3, "SysIO Power Socket 0\n", "20000000\n");
    rig_open(&rig, s, hwmon);
    assert_int_equal(rig.n, 4);
    assert_int_equal(rig.n_missing, 0);
    assert_string_equal(rig_cover(&rig, cover, sizeof cover),
                        "hwmon:power_meter:ACPI000D:01:power1");
    c = channel(&rig, "hwmon:power_meter:ACPI000D:01:power1");
    assert_string_equal(c->domain, "package-0");
    assert_int_equal(c->domain_kind, PJI_DOMAIN_PACKAGE);
    assert_int_equal(c->origin, PJ_ORIGIN_INTEGRATED);
    assert_int_equal(c->average_ns, 50000000);
    assert_int_equal(c->lag_ns, 75000000);
    assert_true(pji_hwmon_holds_memory(c));
    c = channel(&rig, "hwmon:power_meter:ACPI000D:02:power1");
    assert_string_equal(c->domain, "package-0/core");
    assert_string_equal(c->parent, "package-0");
    assert_false(pji_hwmon_holds_memory(c));
    c = channel(&rig, "hwmon:power_meter:ACPI000D:00:power1");
    assert_int_equal(c->role, PJI_ROLE_AUX); /* NVML reads the GPU in it */
    assert_false(pji_hwmon_holds_memory(c));
    rig_read(&rig);
    for (int i = 0; i < 10; i++)
        rig_read_after(&rig, s, 100000000);
    energy = rig_total(&rig, "hwmon:power_meter:ACPI000D:01:power1");
    assert_true(fabs(energy.value_j - 150) < 1e-9);
    assert_true(energy.u_com_j > 0.05 * 150);
    rig_close(&rig);
    assert_int_equal(scripted_open_handles(s), 0);
}

static void an_intel_card_holds_its_package(void **state)
{
    struct scripted *s = *state;
    struct rig rig;
    char cover[256];

    put_chip(s, 0, "xe\n", "0000:03:00.0");
    put(s, 0, "energy1_label", "card\n");
    put(s, 0, "energy1_input", "5000000\n");
    put(s, 0, "energy2_label", "pkg\n");
    put(s, 0, "energy2_input", "3000000\n");
    put_chip(s, 1, "i915\n", "0000:04:00.0");
    put(s, 1, "energy1_input", "1000000\n");
    rig_open(&rig, s, hwmon);
    assert_string_equal(rig_cover(&rig, cover, sizeof cover),
                        "hwmon:xe:0000:03:00.0:energy1 hwmon:i915:0000:04:00.0:energy1");
    assert_string_equal(channel(&rig, "hwmon:xe:0000:03:00.0:energy2")->parent, "gpu-0000:03:00.0");
    rig_read(&rig);
    put(s, 0, "energy1_input", "105000000\n");
    rig_read_after(&rig, s, 1000000000);
    assert_true(rig_total(&rig, "hwmon:xe:0000:03:00.0:energy1").value_j == 100);
    rig_close(&rig);
}

static void a_card_that_shows_its_package_alone_is_unread(void **state)
{
    struct scripted *s = *state;
    struct rig rig;

    put_chip(s, 0, "xe\n", "0000:03:00.0");
    put(s, 0, "energy2_label", "pkg\n");
    put(s, 0, "energy2_input", "3000000\n");
    rig_open(&rig, s, hwmon);
    assert_int_equal(rig.n, 1);
    assert_int_equal(rig.n_missing, 1);
    assert_int_equal(rig_missing(&rig, "gpu-0000:03:00.0")->domain_kind, PJI_DOMAIN_GPU);
    rig_close(&rig);
}

static void rails_of_a_module_are_parts_of_its_input(void **state)
{
    struct scripted *s = *state;
    struct rig rig;
    struct pj_energy energy;
    char cover[256];

    scripted_file(s, "/proc/stat", "cpu  10 0 0 10 0 0 0 0 0 0\n");
    put_chip(s, 0, "ina3221\n", "1-0040");
    put_rail(s, 0, 1, "VDD_IN\n", "4960\n", "2000\n");
    put_rail(s, 0, 2, "VDD_CPU_GPU_CV\n", "4960\n", "-8\n");
    put_rail(s, 0, 3, "VDD_SOC\n", "4960\n", "300\n");
    put_rail(s, 0, 4, "sum of shunt voltages\n", "1\n", "1\n");
    put(s, 0, "shunt1_resistor", "10000\n");
    rig_open(&rig, s, with_model);
    assert_false(rig_has(&rig, "hwmon:ina3221:1-0040:rail4"));
    /* the module's input alone: neither its rails nor a model of its processor */
    assert_string_equal(rig_cover(&rig, cover, sizeof cover), "hwmon:ina3221:1-0040:rail1");
    /* 80 uV over 10 mOhm at 4.96 V, rectangular */
    assert_true(fabs(channel(&rig, "hwmon:ina3221:1-0040:rail1")->offset_mw - 22.91) < 0.01);
    rig_read(&rig);
    assert_int_equal(rig_reading(&rig, "hwmon:ina3221:1-0040:rail1")->value, 9920);
    assert_int_equal(rig_reading(&rig, "hwmon:ina3221:1-0040:rail2")->value, 0);
    for (int i = 0; i < 5; i++)
        rig_read_after(&rig, s, 100000000);
    energy = rig_total(&rig, "hwmon:ina3221:1-0040:rail1");
    assert_true(fabs(energy.value_j - 4.96) < 1e-9);
    rig_close(&rig);
}

static void rails_without_a_common_input_stand_side_by_side(void **state)
{
    struct scripted *s = *state;
    struct rig rig;
    char cover[256];

    scripted_file(s, "/proc/stat", "cpu  10 0 0 10 0 0 0 0 0 0\n");
    put_chip(s, 0, "ina3221\n", "1-0040");
    put_rail(s, 0, 1, "VDD_GPU_SOC\n", "19000\n", "200\n");
    put_rail(s, 0, 2, "VDD_CPU_CV\n", "19000\n", "100\n");
    put_rail(s, 0, 3, "VIN_SYS_5V0\n", "5000\n", "500\n");
    put_chip(s, 1, "ina3221\n", "1-0041");
    put_rail(s, 1, 1, "NC\n", "0\n", "0\n");
    put_rail(s, 1, 2, "VDDQ_VDD2_1V8AO\n", "5000\n", "100\n");
    rig_open(&rig, s, with_model);
    assert_string_equal(rig_cover(&rig, cover, sizeof cover),
                        "hwmon:ina3221:1-0040:rail1 hwmon:ina3221:1-0040:rail2 "
                        "hwmon:ina3221:1-0040:rail3");
    rig_close(&rig);
}

static void unknown_chips_are_recorded_not_added(void **state)
{
    struct scripted *s = *state;
    struct rig rig;
    char cover[256];

    put_chip(s, 0, "corsairpsu\n", "0003:1B1C:1C07.0001");
    put(s, 0, "power1_label", "power total\n");
    put(s, 0, "power1_input", "250000000\n");
    put(s, 0, "in1_input", "12000\n");
    put(s, 0, "curr1_input", "1000\n");
    put_chip(s, 1, "power_meter\n", NULL); /* of some other vendor */
    put(s, 1, "power1_average", "300000000\n");
    rig_open(&rig, s, hwmon);
    assert_int_equal(rig.n, 2);
    assert_int_equal(rig.channels[0].role, PJI_ROLE_AUX);
    assert_int_equal(rig.channels[1].role, PJI_ROLE_AUX);
    assert_non_null(strstr(rig.channels[0].device, "coverage unknown"));
    assert_string_equal(rig_cover(&rig, cover, sizeof cover), "");
    rig_close(&rig);
}

/* Read by the source itself: the meter's lane has a schedule of its own. */
static void what_is_not_added_keeps_no_edge_waiting(void **state)
{
    struct scripted *s = *state;
    struct pji_source_env env = {.platform = scripted_platform(s)};
    struct pji_channel_table table = {0};
    struct pji_reading readings[4];
    struct pji_reading_sink sink = {.readings = readings, .cap = 4, .edge = true};
    void *source = calloc(1, pji_source_hwmon.state_size);

    put_chip(s, 0, "power_meter\n", NULL);
    put(s, 0, "power1_average", "300000000\n");
    put_chip(s, 1, "xe\n", "0000:03:00.0");
    put(s, 1, "energy1_input", "1000000\n");
    assert_non_null(source);
    assert_int_equal(pji_source_hwmon.open(source, &env, &table, NULL), PJ_OK);
    assert_int_equal(table.n, 2);
    assert_int_equal(pji_source_hwmon.read(source, &sink, NULL), PJ_OK);
    assert_int_equal(sink.n, 1);
    assert_int_equal(readings[0].value, 1000000);
    sink.edge = false;
    assert_int_equal(pji_source_hwmon.read(source, &sink, NULL), PJ_OK);
    assert_int_equal(sink.n, 3);
    assert_int_equal(readings[1].value, 300000);
    pji_source_hwmon.close(source);
    free(source);
    pji_channel_table_fini(&table);
}

static void an_integrated_gpu_is_not_added_to_its_processor(void **state)
{
    struct scripted *s = *state;
    struct rig rig;
    char cover[256];

    put_chip(s, 0, "amdgpu\n", "0000:05:00.0");
    put(s, 0, "power1_label", "PPT\n");
    put(s, 0, "power1_average", "15000000\n");
    put_chip(s, 1, "amdgpu\n", "0000:03:00.0");
    put(s, 1, "power1_label", "PPT\n");
    put(s, 1, "power1_average", "90000000\n");
    put(s, 1, "power1_cap_max", "300000000\n");
    rig_open(&rig, s, hwmon);
    assert_int_equal(rig.n, 2);
    assert_string_equal(rig_cover(&rig, cover, sizeof cover), "hwmon:amdgpu:0000:03:00.0:power1");
    rig_close(&rig);
}

static void a_second_way_to_rapl_is_an_alternative(void **state)
{
    struct scripted *s = *state;
    struct rig rig;
    char cover[256];

    rig_zone(s, "intel-rapl:0", "package-0", 1000, RANGE_61);
    put_chip(s, 0, "amd_energy\n", "amd_energy.0");
    put(s, 0, "energy1_label", "Ecore000\n");
    put(s, 0, "energy1_input", "1\n");
    put(s, 0, "energy2_label", "Esocket0\n");
    put(s, 0, "energy2_input", "2\n");
    put(s, 0, "energy3_label", "Esocket1\n");
    put(s, 0, "energy3_input", "2\n");
    rig_open(&rig, s, after_rapl);
    assert_int_equal(channel(&rig, "hwmon:amd_energy:amd_energy.0:energy2")->companion, 0);
    assert_string_equal(rig_cover(&rig, cover, sizeof cover),
                        "rapl:package-0 hwmon:amd_energy:amd_energy.0:energy3");
    rig_close(&rig);
}

static void expect_missing(const char *power, int sys_errno, const char *reason)
{
    struct scripted *s = scripted_new();
    const struct pji_missing *row;
    struct rig rig;

    put_grace(s, 0, "Grace Power Socket 1\n", power);
    if (sys_errno)
        scripted_fail_open(s, "/sys/devices/ACPI000D:00/power1_average", sys_errno, -1);
    rig_open(&rig, s, hwmon);
    assert_int_equal(rig.n, 0);
    row = rig_missing(&rig, "package-1");
    if (!row || !strstr(row->reason, reason))
        fail_msg("'%s', errno %d: %s", power, sys_errno, row ? row->reason : "no row");
    assert_true((row->fix[0] != '\0') == (sys_errno == EACCES));
    rig_close(&rig);
    assert_int_equal(scripted_open_handles(s), 0);
    scripted_free(s);
}

static void what_stands_for_no_value_is_refused_at_open(void **state)
{
    (void)state;
    expect_missing("4294967295000\n", 0, "stands for no value");
    expect_missing("4294967295\n", 0, "stands for no value");
    expect_missing("-1000000\n", 0, "stands for no value");
    expect_missing("N/A\n", 0, "no number");
    expect_missing("\n", 0, "no number");
    expect_missing("1\n", EACCES, "permission denied");
    expect_missing("1\n", EIO, strerror(EIO));
}

static void faults_of_a_read_are_bridged_or_end_it(void **state)
{
    static const char name[] = "hwmon:power_meter:ACPI000D:00:power1";
    static const char path[] = "/sys/devices/ACPI000D:00/power1_average";
    struct scripted *s = *state;
    struct rig rig;
    struct pj_energy energy;

    put_grace(s, 0, "Grace Power Socket 0\n", "100000000\n");
    rig_open(&rig, s, hwmon);
    rig_read(&rig);
    put_grace(s, 0, "Grace Power Socket 0\n", "4294967295000\n");
    rig_read_after(&rig, s, 100000000);
    assert_int_equal(rig_reading(&rig, name)->status, PJI_READ_FAILED);
    assert_int_equal(rig_reading(&rig, name)->value, ERANGE);
    scripted_fail_read(s, path, EIO, -1);
    for (int i = 0; i < 6; i++)
        rig_read_after(&rig, s, 100000000);
    assert_int_equal(rig_reading(&rig, name)->value, EIO);
    scripted_fail_read(s, path, EIO, 0);
    put_grace(s, 0, "Grace Power Socket 0\n", "100000000\n");
    for (int i = 0; i < 3; i++)
        rig_read_after(&rig, s, 100000000);
    energy = rig_total(&rig, name);
    assert_true(fabs(energy.value_j - 100) < 1e-6);
    assert_true(energy.quality & PJ_QUALITY_BRIDGED);
    scripted_remove(s, path);
    rig_read_after(&rig, s, 100000000);
    assert_int_equal(rig_reading(&rig, name)->status, PJI_READ_GONE);
    rig_read_after(&rig, s, 100000000);
    assert_null(rig_reading(&rig, name));
    rig_close(&rig);
}

static void labels_match_as_a_whole(void **state)
{
    const char *number = NULL;

    (void)state;
    assert_non_null(
        pji_hwmon_rule_find("power_meter", PJI_HWMON_POWER, "Grace Power Socket 12", &number));
    assert_string_equal(number, "12");
    assert_null(pji_hwmon_rule_find("power_meter", PJI_HWMON_POWER, "Grace Power Socket ", NULL));
    assert_null(pji_hwmon_rule_find("power_meter", PJI_HWMON_POWER, "Grace Power Socket 1a", NULL));
    assert_null(pji_hwmon_rule_find("power_meter", PJI_HWMON_POWER, "", NULL));
    assert_null(pji_hwmon_rule_find("power_meter", PJI_HWMON_ENERGY, "CPU Power Socket 0", NULL));
    assert_null(pji_hwmon_rule_find("xe", PJI_HWMON_ENERGY, "cards", NULL));
    assert_null(pji_hwmon_rule_find("XE", PJI_HWMON_ENERGY, "card", NULL));
}

#define with_script(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_script(a_grace_socket_is_a_package_with_its_parts),
        with_script(an_intel_card_holds_its_package),
        with_script(a_card_that_shows_its_package_alone_is_unread),
        with_script(rails_of_a_module_are_parts_of_its_input),
        with_script(rails_without_a_common_input_stand_side_by_side),
        with_script(unknown_chips_are_recorded_not_added),
        with_script(what_is_not_added_keeps_no_edge_waiting),
        with_script(an_integrated_gpu_is_not_added_to_its_processor),
        with_script(a_second_way_to_rapl_is_an_alternative),
        cmocka_unit_test(what_stands_for_no_value_is_refused_at_open),
        with_script(faults_of_a_read_are_bridged_or_end_it),
        cmocka_unit_test(labels_match_as_a_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
