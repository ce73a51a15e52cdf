/* Which temperatures count, on scripted /sys. */
#include "evidence/sensors.h"
#include "scripted_platform.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HWMON   "/sys/class/hwmon/hwmon"
#define THERMAL "/sys/class/thermal/thermal_zone"

static struct scripted *s;

static int set_up(void **state)
{
    (void)state;
    s = scripted_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(scripted_open_handles(s), 0);
    scripted_free(s);
    return 0;
}

static void expect(const char *names, double first_c)
{
    struct pji_temps temps;
    char all[512] = "";
    pji_temps_read(&temps, scripted_platform(s));
    for (size_t i = 0; i < temps.n; i++) {
        strcat(all, temps.at[i].name);
        strcat(all, "|");
    }
    assert_string_equal(all, names);
    if (temps.n > 0)
        assert_true(fabs(temps.at[0].temp_c - first_c) < 1e-9);
}

static void packages_of_processors_count(void **state)
{
    (void)state;
    scripted_file(s, HWMON "0/name", "nvme\n");
    scripted_file(s, HWMON "0/temp1_input", "30000\n");
    scripted_file(s, HWMON "1/name", "coretemp\n");
    scripted_file(s, HWMON "1/temp1_input", "45000\n");
    scripted_file(s, HWMON "1/temp1_label", "Package id 0\n");
    scripted_file(s, HWMON "1/temp2_input", "47000\n");
    scripted_file(s, HWMON "1/temp2_label", "Core 0\n");
    scripted_file(s, HWMON "1/temp1_max", "100000\n");
    scripted_file(s, HWMON "2/name", "coretemp\n");
    scripted_file(s, HWMON "2/temp1_input", "44000\n");
    scripted_file(s, HWMON "2/temp1_label", "Package id 1\n");
    scripted_file(s, HWMON "3/name", "amdgpu\n");
    scripted_file(s, HWMON "3/temp1_input", "38000\n");
    scripted_file(s, HWMON "3/temp1_label", "edge\n");
    scripted_file(s, THERMAL "0/type", "x86_pkg_temp\n"); /* the same once more */
    scripted_file(s, THERMAL "0/temp", "45000\n");
    expect("coretemp-0:Package id 0|coretemp-1:Package id 1|amdgpu-0:edge|", 45);
}

static void without_packages_every_sensor_of_the_chip(void **state)
{
    (void)state;
    scripted_file(s, HWMON "0/name", "cpu_thermal\n");
    scripted_file(s, HWMON "0/temp1_input", "51234\n");
    scripted_file(s, HWMON "0/temp12_input", "-3000\n");
    expect("cpu_thermal-0:temp12|cpu_thermal-0:temp1|", -3);
}

static void zones_stand_in_for_chips(void **state)
{
    (void)state;
    scripted_file(s, HWMON "0/name", "BAT0\n");
    scripted_file(s, HWMON "0/temp1_input", "29000\n");
    scripted_file(s, THERMAL "0/type", "iwlwifi_1\n");
    scripted_file(s, THERMAL "0/temp", "60000\n");
    scripted_file(s, THERMAL "1/type", "cpu-thermal\n");
    scripted_file(s, THERMAL "1/temp", "41500\n");
    scripted_file(s, "/sys/class/thermal/cooling_device0/type", "Fan\n");
    expect("thermal_zone1:cpu-thermal|", 41.5);
}

static void what_is_no_temperature_is_left_out(void **state)
{
    (void)state;
    expect("", 0); /* a virtual machine: no folders at all */
    scripted_file(s, HWMON "0/name", "k10temp\n");
    scripted_file(s, HWMON "0/temp1_input", "255000\n"); /* a register at its end */
    scripted_file(s, HWMON "0/temp2_input", "-128000\n");
    scripted_file(s, HWMON "0/temp3_input", "warm\n");
    scripted_file(s, HWMON "0/temp4_input", "40000\n");
    scripted_fail_read(s, HWMON "0/temp4_input", 5, -1);
    expect("", 0);
    scripted_fail_read(s, HWMON "0/temp4_input", 5, 0);
    expect("k10temp-0:temp4|", 40);
}

static void there_is_an_end_to_it(void **state)
{
    struct pji_temps temps = {0};
    (void)state;
    for (int i = 0; i < 3 * PJI_TEMPS; i++) {
        char name[32];
        snprintf(name, sizeof name, "s%d", i);
        pji_temps_put(&temps, name, i);
    }
    assert_int_equal(temps.n, PJI_TEMPS);
    pji_temps_put(&temps, "s3", 99);
    assert_int_equal(temps.n, PJI_TEMPS);
    assert_true(pji_temps_find(&temps, "s3")->temp_c > 98);
    assert_null(pji_temps_find(&temps, "s99"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(packages_of_processors_count, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_packages_every_sensor_of_the_chip, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(zones_stand_in_for_chips, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_temperature_is_left_out, set_up, tear_down),
        cmocka_unit_test(there_is_an_end_to_it),
    };
    return cmocka_run_group_tests_name("sensors", tests, NULL, NULL);
}
