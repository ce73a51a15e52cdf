/* What else a machine did, from scripted /proc and /sys: whose time it was, whatever ended, was
 * reparented or got a used pid; and what is unknown stays unknown. */
#include "evidence/host.h"
#include "scripted_platform.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define OWN 100

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
    scripted_free(s);
    return 0;
}

static void process(long pid, const char *name, long parent, long own_ticks, long waited_ticks,
                    long start)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    scripted_filef(s, path,
                   "%ld (%s) S %ld 1 1 0 -1 4194304 10 20 0 0 %ld 0 %ld 0 20 0 1 0 %ld 1 2\n", pid,
                   name, parent, own_ticks, waited_ticks, start);
}

/* Two processors. */
static void machine(long busy, long steal)
{
    scripted_filef(s, "/proc/stat",
                   "cpu  %ld 0 0 5000 10 0 0 %ld 77 0\ncpu0 1 0 0 0 0 0 0 0 0 0\n"
                   "cpu1 1 0 0 0 0 0 0 0 0 0\nintr 5 6\nctxt 1\n",
                   busy, steal);
}

static struct pji_host_change look_twice(void (*meanwhile)(void), int64_t own)
{
    struct pji_host_state before = {0};
    struct pji_host_state after = {0};
    struct pji_host_change change;
    assert_int_equal(pji_host_read(&before, scripted_platform(s), NULL), PJ_OK);
    scripted_advance_ns(s, INT64_C(10000000000));
    meanwhile();
    assert_int_equal(pji_host_read(&after, scripted_platform(s), NULL), PJ_OK);
    pji_host_compare(&before, &after, own, &change);
    pji_host_fini(&before);
    pji_host_fini(&after);
    return change;
}

static void near(double value, double expected)
{
    assert_true(fabs(value - expected) < 1e-9);
}

/* 10 s of two processors are 2000 ticks of 1/100 s. */
static double share(double ticks)
{
    return ticks / (20.0 * (double)sysconf(_SC_CLK_TCK));
}

static void engine_and_thief(void)
{
    machine(1000 + 900, 50 + 20);
    process(OWN, "perjoule-lab", 1, 10 + 5, 0, 10);
    process(101, "perjoule-keeper", OWN, 1, 0, 11);
    process(102, "a) server (x", 101, 200 + 500, 30, 12);
    process(200, "backup", 1, 7000 + 300, 0, 5);
    process(201, "small", 1, 50, 0, 900);
}

static void whose_time_it_was(void **state)
{
    (void)state;
    machine(1000, 50);
    process(1, "init", 0, 5, 0, 1);
    process(OWN, "perjoule-lab", 1, 10, 0, 10);
    process(101, "perjoule-keeper", OWN, 1, 0, 11);
    process(102, "a) server (x", 101, 200, 30, 12);
    process(200, "backup", 1, 7000, 0, 5);
    struct pji_host_change c = look_twice(engine_and_thief, OWN);
    assert_true(c.known);
    near(c.dur_s, 10);
    near(c.steal_share, share(20));
    near(c.foreign_share, share(900 - 505));
    assert_int_equal(c.foreign_pid, 200);
    assert_string_equal(c.foreign_name, "backup");
}

static void nothing_foreign(void)
{
    machine(1000 + 600, 50);
    scripted_remove(s, "/proc/102");
    process(101, "perjoule-keeper", OWN, 1, 200 + 30 + 600, 11); /* it waited for 102 */
}

static void a_child_that_ended_was_still_ours(void **state)
{
    (void)state;
    machine(1000, 50);
    process(OWN, "perjoule-lab", 1, 10, 0, 10);
    process(101, "perjoule-keeper", OWN, 1, 0, 11);
    process(102, "command", 101, 200, 30, 12);
    struct pji_host_change c = look_twice(nothing_foreign, OWN);
    near(c.foreign_share, 0);
    near(c.steal_share, 0);
    assert_int_equal(c.foreign_pid, 0);
}

static void number_used_again(void)
{
    machine(1000 + 400, 50);
    process(300, "thief", 1, 400, 0, 99);
}

static void a_pid_may_be_used_again(void **state)
{
    (void)state;
    machine(1000, 50);
    process(OWN, "perjoule-lab", 1, 10, 0, 10);
    process(300, "old", 1, 9000, 0, 20);
    struct pji_host_change c = look_twice(number_used_again, OWN);
    near(c.foreign_share, share(400));
    assert_string_equal(c.foreign_name, "thief");
}

static void somebody_elses(void)
{
    machine(1000 + 400, 50);
}

static void without_a_family_nobody_can_tell(void **state)
{
    (void)state;
    machine(1000, 50);
    struct pji_host_change c = look_twice(somebody_elses, 0);
    assert_true(isnan(c.foreign_share));
    near(c.steal_share, 0);
}

static void more_than_there_is(void)
{
    machine(1000 + 5000, 50 + 5000);
}

static void coarse_ticks_make_no_share_above_one(void **state)
{
    (void)state;
    machine(1000, 50);
    struct pji_host_change c = look_twice(more_than_there_is, OWN);
    near(c.foreign_share, 1);
    near(c.steal_share, 1);
}

static void nothing(void)
{
}

static void an_empty_machine_is_unknown_not_zero(void **state)
{
    (void)state;
    scripted_dir(s, "/proc");
    struct pji_host_change c = look_twice(nothing, OWN);
    assert_true(isnan(c.steal_share) && isnan(c.foreign_share));
    assert_int_equal(c.swap_b, -1);
    assert_int_equal(c.throttled, -1);
    assert_int_equal(c.freq_cap_before_khz, -1);
    assert_int_equal(c.power_cap_after_uw, -1);
}

#define CPU  "/sys/devices/system/cpu/cpu"
#define RAPL "/sys/class/powercap/intel-rapl:0/constraint_"

static void disturb(void)
{
    scripted_file(s, "/proc/vmstat", "nr_free_pages 4\npswpin 12\npswpout 31\n");
    scripted_file(s, CPU "1/thermal_throttle/core_throttle_count", "9\n");
    scripted_file(s, CPU "1/cpufreq/scaling_max_freq", "2000000\n");
    scripted_file(s, RAPL "0_power_limit_uw", "45000000\n");
}

static void limits_heat_and_swap(void **state)
{
    (void)state;
    scripted_file(s, "/proc/vmstat", "nr_free_pages 4\npswpin 10\npswpout 30\n");
    scripted_file(s, CPU "0/thermal_throttle/core_throttle_count", "3\n");
    scripted_file(s, CPU "0/thermal_throttle/package_throttle_count", "2\n");
    scripted_file(s, CPU "1/thermal_throttle/core_throttle_count", "3\n");
    scripted_file(s, CPU "0/cpufreq/scaling_max_freq", "3000000\n");
    scripted_file(s, CPU "1/cpufreq/scaling_max_freq", "3000000\n");
    scripted_file(s, "/sys/devices/system/cpu/cpufreq/scaling_max_freq", "1\n"); /* not a CPU */
    scripted_file(s, RAPL "0_power_limit_uw", "65000000\n");
    scripted_file(s, RAPL "1_power_limit_uw", "80000000\n");
    struct pji_host_change c = look_twice(disturb, OWN);
    assert_int_equal(c.swap_b, 3 * sysconf(_SC_PAGESIZE));
    assert_int_equal(c.throttled, 6);
    assert_int_equal(c.freq_cap_before_khz, 6000000);
    assert_int_equal(c.freq_cap_after_khz, 5000000);
    assert_int_equal(c.power_cap_before_uw, 145000000);
    assert_int_equal(c.power_cap_after_uw, 125000000);
}

static void nonsense_is_left_out(void **state)
{
    (void)state;
    machine(1000, 50);
    scripted_file(s, "/proc/77/stat", "77 (half");
    scripted_file(s, "/proc/78/stat", "");
    scripted_file(s, "/proc/self/stat", "78 (x) S 1");
    process(OWN, "perjoule-lab", 1, 10, 0, 10);
    struct pji_host_change c = look_twice(somebody_elses, OWN);
    near(c.foreign_share, share(400));
    assert_int_equal(c.foreign_pid, 0); /* it was too short to be seen */
}

/* The machine that runs this test: what is read must be possible. */
static void the_real_machine(void **state)
{
    (void)state;
    struct pji_platform platform;
    struct pji_host_state host = {0};
    struct pji_host_change change;
    assert_int_equal(pji_platform_open_real(&platform, NULL, NULL), PJ_OK);
    assert_int_equal(pji_host_read(&host, &platform, NULL), PJ_OK);
    assert_int_equal(host.cpus, sysconf(_SC_NPROCESSORS_ONLN));
    assert_true(host.n > 0 && host.busy_ticks > 0);
    pji_host_compare(&host, &host, getpid(), &change);
    assert_true(isnan(change.foreign_share)); /* no time passed */
    pji_host_fini(&host);
    pji_platform_close_real(&platform);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whose_time_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_child_that_ended_was_still_ours, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_pid_may_be_used_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_family_nobody_can_tell, set_up, tear_down),
        cmocka_unit_test_setup_teardown(coarse_ticks_make_no_share_above_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_empty_machine_is_unknown_not_zero, set_up, tear_down),
        cmocka_unit_test_setup_teardown(limits_heat_and_swap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nonsense_is_left_out, set_up, tear_down),
        cmocka_unit_test(the_real_machine),
    };
    return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
