/* The source that models CPU energy, on a scripted machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rig.h"
#include "sources/cpu_model.h"
#include "sources/table.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static const struct pji_source_ops *const model[] = {&pji_source_model_cpu, NULL};

#define S_NS INT64_C(1000000000)

static void put_stat(struct scripted *s, int busy, int idle, int steal)
{
    scripted_filef(s, "/proc/stat", "cpu  %d 0 0 %d 0 0 0 %d 0 0\ncpu0 1 2 3 4\n", busy, idle,
                   steal);
}

static int setup(void **state)
{
    struct scripted *s = scripted_new();

    rig_cpuinfo(s, "GenuineIntel", "Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz", 85, 2, 20, false);
    put_stat(s, 1000, 1000, 0);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    scripted_free(*state);
    return 0;
}

static struct pji_cpu_power expected(double utilisation)
{
    struct pji_cpu_model m;
    struct pji_cpu_power power;

    assert_int_equal(pji_cpu_model_known(&m, 150, 2, 20, 40, NULL), PJ_OK);
    pji_cpu_model_power(&m, utilisation, &power);
    return power;
}

static void energy_is_power_times_time(void **state)
{
    struct scripted *s = *state;
    struct pj_energy energy;
    struct rig rig;

    rig_open(&rig, s, model);
    assert_int_equal(rig.n, 3);
    assert_int_equal(rig.n_missing, 0);
    rig_read(&rig);
    put_stat(s, 1000 + 4000, 1000 + 4000, 0);
    rig_read_after(&rig, s, S_NS);
    put_stat(s, 5000 + 2000, 5000 + 6000, 0);
    rig_read_after(&rig, s, S_NS);
    energy = rig_total(&rig, "model_cpu:energy");
    assert_int_equal(energy.origin, PJ_ORIGIN_MODELLED);
    assert_true(fabs(energy.value_j - expected(0.5).value_w - expected(0.25).value_w) < 1e-4);
    assert_true(fabs(energy.u_com_j - expected(0.5).u_w - expected(0.25).u_w) < 1e-4);
    assert_int_equal(rig_reading(&rig, "model_cpu:utilisation")->value, 250000);
    rig_close(&rig);
    assert_int_equal(scripted_open_handles(s), 0);
}

static void steal_is_not_our_work(void **state)
{
    struct scripted *s = *state;
    struct rig rig;

    rig_open(&rig, s, model);
    rig_read(&rig);
    put_stat(s, 1000 + 2000, 1000 + 2000, 4000);
    rig_read_after(&rig, s, S_NS);
    assert_int_equal(rig_reading(&rig, "model_cpu:utilisation")->value, 250000);
    rig_close(&rig);
}

static void below_a_jiffy_the_whole_width_is_uncertain(void **state)
{
    struct scripted *s = *state;
    struct pj_energy energy;
    struct rig rig;

    rig_open(&rig, s, model);
    rig_read(&rig);
    rig_read_after(&rig, s, 5000000);
    assert_null(rig_reading(&rig, "model_cpu:utilisation")); /* nobody knows it yet */
    energy = rig_total(&rig, "model_cpu:energy");
    assert_int_equal(energy.origin, PJ_ORIGIN_MODELLED);
    assert_true(energy.value_j > 0);
    assert_true(energy.value_j - 1.96 * energy.u_com_j < expected(0).value_w * 0.005);
    assert_true(energy.value_j + 1.96 * energy.u_com_j > expected(1).value_w * 0.005);
    rig_close(&rig);
}

static void what_was_guessed_is_settled_when_the_jiffies_move(void **state)
{
    struct scripted *s = *state;
    struct pj_energy energy;
    struct rig rig;

    rig_open(&rig, s, model);
    rig_read(&rig);
    rig_read_after(&rig, s, 4000000);
    rig_read_after(&rig, s, 4000000); /* still the first jiffy: guessed with the middle */
    put_stat(s, 1000, 1000 + 8, 0);   /* it was idle: the guess was too high */
    rig_read_after(&rig, s, 2000000);
    for (int i = 1; i <= 99; i++) {
        put_stat(s, 1000, 1008 + 80 * i, 0);
        rig_read_after(&rig, s, 10000000);
    }
    energy = rig_total(&rig, "model_cpu:energy");
    assert_true(fabs(energy.value_j - expected(0).value_w) < 1e-3); /* of 1 s, all idle */
    rig_close(&rig);
}

static void counters_never_decrease(void **state)
{
    struct scripted *s = *state;
    int busy = 1000, idle = 1000;
    int64_t last = 0, last_u = 0;
    struct rig rig;

    rig_open(&rig, s, model);
    rig_read(&rig);
    for (int i = 0; i < 300; i++) {
        busy += i % 7 == 0 ? 3 : 0;
        idle += i % 5 == 0 ? 4 : 0;
        put_stat(s, busy, i % 11 == 0 ? idle - 2 : idle, 0); /* iowait may run back: proc(5) */
        rig_read_after(&rig, s, 3000000);
        assert_true(rig_reading(&rig, "model_cpu:energy")->value >= last);
        assert_true(rig_reading(&rig, "model_cpu:u")->value >= last_u);
        last = rig_reading(&rig, "model_cpu:energy")->value;
        last_u = rig_reading(&rig, "model_cpu:u")->value;
    }
    assert_true(last > 0 && last_u > 0);
    rig_close(&rig);
}

static void a_failed_read_is_bridged_by_the_next(void **state)
{
    struct scripted *s = *state;
    struct rig rig;

    rig_open(&rig, s, model);
    rig_read(&rig);
    scripted_fail_read(s, "/proc/stat", EIO, 1);
    rig_read_after(&rig, s, S_NS);
    assert_int_equal(rig_reading(&rig, "model_cpu:energy")->status, PJI_READ_FAILED);
    assert_int_equal(rig_reading(&rig, "model_cpu:energy")->value, EIO);
    put_stat(s, 1000 + 8000, 1000 + 8000, 0);
    rig_read_after(&rig, s, S_NS);
    assert_true(fabs(rig_total(&rig, "model_cpu:energy").value_j - 2 * expected(0.5).value_w) <
                1e-3);
    rig_close(&rig);
}

static void a_guest_does_not_take_the_tdp_of_its_host(void **state)
{
    struct scripted *s = *state;
    struct rig host, guest;
    struct pj_energy host_j, guest_j;

    rig_open(&host, s, model);
    assert_non_null(strstr(host.channels[0].device, "TDP 150 W"));
    rig_cpuinfo(s, "GenuineIntel", "Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz", 85, 1, 2, true);
    rig_open(&guest, s, model);
    assert_non_null(strstr(guest.channels[0].device, "virtual"));
    rig_read(&host);
    rig_read(&guest);
    put_stat(s, 1000 + 4000, 1000 + 4000, 0);
    scripted_advance_ns(s, S_NS);
    rig_read(&host);
    rig_read(&guest);
    host_j = rig_total(&host, "model_cpu:energy");
    guest_j = rig_total(&guest, "model_cpu:energy");
    assert_true(guest_j.value_j < 0.2 * host_j.value_j);
    assert_true(guest_j.u_com_j / guest_j.value_j > 1.5 * host_j.u_com_j / host_j.value_j);
    rig_close(&host);
    rig_close(&guest);
}

static void without_stat_there_is_no_model(void **state)
{
    struct scripted *s = *state;
    struct rig rig;

    scripted_file(s, "/proc/stat", "intr 1 2 3\n");
    rig_open(&rig, s, model);
    assert_int_equal(rig.n, 0);
    assert_non_null(rig_missing(&rig, "cpu"));
    rig_close(&rig);
    scripted_remove(s, "/proc/stat");
    rig_open(&rig, s, model);
    assert_int_equal(rig.n, 0);
    assert_non_null(rig_missing(&rig, "cpu"));
    rig_read(&rig);
    rig_close(&rig);
    assert_int_equal(scripted_open_handles(s), 0);
}

static void measured_packages_come_first(void **state)
{
    static const struct pji_source_ops *const both[] = {&pji_source_rapl_powercap,
                                                        &pji_source_model_cpu, NULL};
    struct scripted *s = *state;
    struct rig rig;
    char cover[128];

    rig_zone(s, "intel-rapl:0", "package-0", 1, 262143328850);
    rig_open(&rig, s, both);
    assert_true(rig_has(&rig, "model_cpu:energy")); /* stays a channel */
    assert_string_equal(rig_cover(&rig, cover, sizeof cover), "rapl:package-0");
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(energy_is_power_times_time, setup, teardown),
        cmocka_unit_test_setup_teardown(steal_is_not_our_work, setup, teardown),
        cmocka_unit_test_setup_teardown(below_a_jiffy_the_whole_width_is_uncertain, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_was_guessed_is_settled_when_the_jiffies_move, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(counters_never_decrease, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_read_is_bridged_by_the_next, setup, teardown),
        cmocka_unit_test_setup_teardown(a_guest_does_not_take_the_tdp_of_its_host, setup, teardown),
        cmocka_unit_test_setup_teardown(without_stat_there_is_no_model, setup, teardown),
        cmocka_unit_test_setup_teardown(measured_packages_come_first, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
