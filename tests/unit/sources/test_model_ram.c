/* Memory modelled from its size: what it says, and when it must not be added. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rig.h"
#include "sources/table.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define RANGE_61 INT64_C(262143328850)
#define MEMINFO  "/proc/meminfo"

static const struct pji_source_ops *const ram[] = {&pji_source_model_ram, NULL};
static const struct pji_source_ops *const all[] = {&pji_source_rapl_powercap, &pji_source_hwmon,
                                                   &pji_source_model_cpu, &pji_source_model_ram,
                                                   NULL};

static int setup(void **state)
{
    *state = scripted_new();
    scripted_file(*state, MEMINFO, "MemTotal:       67108864 kB\nMemFree:  1 kB\n");
    return 0;
}

static int teardown(void **state)
{
    scripted_free(*state);
    return 0;
}

static void the_interval_is_the_published_range(void **state)
{
    struct scripted *s = *state;
    struct pj_energy energy;
    struct rig rig;
    double u;

    rig_open(&rig, s, ram);
    assert_int_equal(rig.n, 1);
    assert_int_equal(rig.channels[0].origin, PJ_ORIGIN_MODELLED);
    assert_non_null(strstr(rig.channels[0].device, "64.0 GiB at 0.02 to 0.41 W/GiB"));
    rig_read(&rig);
    for (int i = 0; i < 100; i++)
        rig_read_after(&rig, s, 100000000);
    energy = rig_total(&rig, "model_ram:energy");
    assert_true(fabs(energy.value_j - 64 * 0.215 * 10) < 1e-3);
    u = sqrt(energy.u_ind_j * energy.u_ind_j + energy.u_com_j * energy.u_com_j);
    assert_true(fabs(energy.value_j - 1.96 * u - 64 * 0.02 * 10) < 0.1);
    assert_true(fabs(energy.value_j + 1.96 * u - 64 * 0.41 * 10) < 0.1);
    assert_true(energy.u_com_j > 0.99 * u); /* repetition does not narrow it */
    rig_close(&rig);
    assert_int_equal(scripted_open_handles(s), 0);
}

static void it_completes_a_package_without_memory_counter(void **state)
{
    struct scripted *s = *state;
    struct pj_energy energies[RIG_CHANNELS];
    bool in_total[RIG_CHANNELS];
    struct pji_total total;
    struct rig rig;
    char cover[256];

    rig_zone(s, "intel-rapl:0", "package-0", 1000, RANGE_61);
    rig_open(&rig, s, all);
    assert_string_equal(rig_cover(&rig, cover, sizeof cover), "rapl:package-0 model_ram:energy");
    rig_read(&rig);
    rig_set(s, "intel-rapl:0", 50001000);
    rig_read_after(&rig, s, 1000000000);
    for (size_t i = 0; i < rig.n; i++)
        energies[i] = rig_total(&rig, rig.channels[i].name);
    pji_ledger_cover_read(rig.channels, energies, rig.n, false, in_total);
    pji_ledger_total(&total, rig.channels, energies, in_total, rig.n, rig.missing, rig.n_missing);
    assert_string_equal(total.label, "machine, partly modelled");
    assert_true(fabs(total.measured.value_j - 50) < 1e-6);
    assert_true(fabs(total.modelled.value_j - 64 * 0.215) < 1e-3);
    rig_close(&rig);
}

static void measured_memory_comes_before_it(void **state)
{
    struct scripted *s = *state;
    struct rig rig;
    char cover[256];

    rig_zone(s, "intel-rapl:0", "package-0", 1000, RANGE_61);
    rig_zone(s, "intel-rapl:0:0", "dram", 1000, RANGE_61);
    rig_open(&rig, s, all);
    assert_true(rig_has(&rig, "model_ram:energy"));
    assert_string_equal(rig_cover(&rig, cover, sizeof cover), "rapl:package-0 rapl:dram-0");
    rig_close(&rig);
}

static void memory_in_a_sensor_is_not_modelled(void **state)
{
    struct scripted *s = *state;
    struct rig rig;

    scripted_file(s, "/sys/class/hwmon/hwmon0/name", "power_meter\n");
    scripted_file(s, "/sys/class/hwmon/hwmon0/power1_average", "150000000\n");
    scripted_file(s, "/sys/class/hwmon/hwmon0/power1_oem_info", "Grace Power Socket 0\n");
    rig_open(&rig, s, all);
    assert_false(rig_has(&rig, "model_ram:energy"));
    rig_read(&rig);
    rig_close(&rig);
}

static void it_knows_the_sensors_when_others_open_later(void **state)
{
    struct scripted *s = *state;
    struct pji_meter_config config = {.env = {.platform = scripted_platform(s)},
                                      .sources = all,
                                      .interval_ns = 100000000,
                                      .defer_slow = true};
    const struct pji_channel_table *table;
    struct pji_meter *meter = NULL;

    scripted_file(s, "/sys/class/hwmon/hwmon0/name", "power_meter\n");
    scripted_file(s, "/sys/class/hwmon/hwmon0/power1_average", "150000000\n");
    scripted_file(s, "/sys/class/hwmon/hwmon0/power1_oem_info", "Grace Power Socket 0\n");
    assert_int_equal(pji_meter_open(&meter, &config, NULL), PJ_OK);
    table = pji_meter_channels(meter);
    assert_int_equal(table->n, 1);
    assert_string_equal(table->channels[0].source, "hwmon");
    pji_meter_close(meter);
}

static void psys_alone_has_the_memory_in_it(void **state)
{
    struct scripted *s = *state;
    struct rig rig;
    char cover[256];

    rig_zone(s, "intel-rapl:1", "psys", 1000, RANGE_61);
    rig_open(&rig, s, all);
    assert_string_equal(rig_cover(&rig, cover, sizeof cover), "rapl:psys");
    rig_close(&rig);
}

static void expect_missing(const char *text, int sys_errno, const char *reason)
{
    struct scripted *s = scripted_new();
    struct rig rig;

    scripted_file(s, MEMINFO, text);
    if (sys_errno)
        scripted_fail_read(s, MEMINFO, sys_errno, -1);
    rig_open(&rig, s, ram);
    assert_int_equal(rig.n, 0);
    if (!rig_missing(&rig, "dram") || !strstr(rig_missing(&rig, "dram")->reason, reason))
        fail_msg("'%s': no such reason", text);
    rig_read(&rig);
    assert_int_equal(rig.n_readings, 0);
    rig_close(&rig);
    assert_int_equal(scripted_open_handles(s), 0);
    scripted_free(s);
}

static void an_odd_file_is_no_size(void **state)
{
    (void)state;
    expect_missing("", 0, "MemTotal");
    expect_missing("MemFree: 5 kB\n", 0, "MemTotal");
    expect_missing("MemTotal: 0 kB\n", 0, "MemTotal");
    expect_missing("MemTotal: kB\n", 0, "MemTotal");
    expect_missing("MemTotal: 5 MB\n", 0, "MemTotal");
    expect_missing("MemTotal: -5 kB\n", 0, "MemTotal");
    expect_missing("MemTotal: 99999999999999999999 kB\n", 0, "MemTotal");
    expect_missing("MemTotal: 5 kB\n", EIO, "cannot be read");
}

#define with_script(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_script(the_interval_is_the_published_range),
        with_script(it_completes_a_package_without_memory_counter),
        with_script(measured_memory_comes_before_it),
        with_script(memory_in_a_sensor_is_not_modelled),
        with_script(it_knows_the_sensors_when_others_open_later),
        with_script(psys_alone_has_the_memory_in_it),
        cmocka_unit_test(an_odd_file_is_no_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
