/* AMD GPUs through a library that the test plays: which counters count, once, and which are not
 * believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../fakes/fake_amdsmi.h"
#include "rig.h"
#include "sources/table.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define FIRST  "amdsmi:0000:03:00.0:energy"
#define SECOND "amdsmi:0000:43:00.0:energy"

static const struct pji_source_ops *const amdsmi[] = {&pji_source_amdsmi, NULL};
static const struct pji_source_ops *const with_hwmon[] = {&pji_source_amdsmi, &pji_source_hwmon,
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

static void close_all(struct rig *rig, struct scripted *s, const struct fake_amdsmi *fake)
{
    rig_close(rig);
    assert_int_equal(scripted_open_handles(s), 0);
    assert_int_equal(fake->inits, fake->shut_downs);
}

static void the_accumulator_times_its_resolution(void **state)
{
    struct scripted *s = *state;
    struct fake_amdsmi *fake = fake_amdsmi_install(s, "0x74a1");
    struct pj_energy energy;
    struct rig rig;
    char cover[256];

    rig_open(&rig, s, amdsmi);
    assert_int_equal(rig.n, 2);
    assert_int_equal(rig.n_missing, 0);
    assert_string_equal(rig_cover(&rig, cover, sizeof cover), FIRST " " SECOND);
    rig_read(&rig);
    fake->gpus[0].count += UINT64_C(65536) * 300;
    rig_read_after(&rig, s, 1000000000);
    energy = rig_total(&rig, FIRST);
    /* 2^16 counts are a joule; the lane may have read in between, each time a joule more */
    assert_true(energy.value_j >= 301 && energy.value_j < 320);
    assert_int_equal(energy.origin, PJ_ORIGIN_COUNTER);
    assert_true(energy.u_com_j > 0.05 * energy.value_j);
    close_all(&rig, s, fake);
}

static void a_counter_that_stands_still_is_no_energy(void **state)
{
    struct scripted *s = *state;
    struct fake_amdsmi *fake = fake_amdsmi_install(s, "0x740f");
    struct rig rig;

    fake->gpus[0].step = 0;
    rig_open(&rig, s, amdsmi);
    rig_read(&rig);
    for (int i = 0; i < 5; i++) {
        rig_read_after(&rig, s, 100000000);
        assert_int_equal(rig_reading(&rig, FIRST)->status, PJI_READ_FAILED);
        assert_int_equal(rig_reading(&rig, FIRST)->value, ENODATA);
        assert_int_equal(rig_reading(&rig, SECOND)->status, PJI_READ_OK);
    }
    assert_int_equal(rig_total(&rig, FIRST).origin, PJ_ORIGIN_MISSING);
    assert_int_equal(rig_total(&rig, SECOND).origin, PJ_ORIGIN_COUNTER);
    close_all(&rig, s, fake);
}

static void a_counter_that_stops_is_failed_after_half_a_second(void **state)
{
    struct scripted *s = *state;
    struct fake_amdsmi *fake = fake_amdsmi_install(s, "0x74a1");
    struct rig rig;

    rig_open(&rig, s, amdsmi);
    rig_read(&rig);
    rig_read_after(&rig, s, 100000000);
    fake->gpus[0].step = 0;
    rig_read_after(&rig, s, 100000000); /* takes the last step */
    rig_read_after(&rig, s, 100000000);
    assert_int_equal(rig_reading(&rig, FIRST)->status, PJI_READ_OK);
    rig_read_after(&rig, s, 600000000);
    assert_int_equal(rig_reading(&rig, FIRST)->status, PJI_READ_FAILED);
    fake->gpus[0].count += 65536;
    rig_read_after(&rig, s, 100000000);
    assert_int_equal(rig_reading(&rig, FIRST)->status, PJI_READ_OK);
    close_all(&rig, s, fake);
}

static void two_dies_of_an_mi250_count_once(void **state)
{
    struct scripted *s = *state;
    struct fake_amdsmi *fake = fake_amdsmi_install(s, "0x7408");
    struct rig rig;

    /* a second pair, listed the wrong way round */
    fake->n = 4;
    fake->gpus[2].bdf = fake_amdsmi_card(s, 0xc6, "0x7408", "0x038000");
    fake->gpus[3].bdf = fake_amdsmi_card(s, 0xc1, "0x7408", "0x038000");
    rig_open(&rig, s, amdsmi);
    assert_int_equal(rig.n, 2);
    assert_int_equal(rig.n_missing, 0);
    assert_true(rig_has(&rig, FIRST) && rig_has(&rig, "amdsmi:0000:c1:00.0:energy"));
    assert_non_null(strstr(rig.channels[0].device, "both dies"));
    close_all(&rig, s, fake);
}

static void partitions_of_a_gpu_count_once(void **state)
{
    struct scripted *s = *state;
    struct fake_amdsmi *fake = fake_amdsmi_install(s, "0x74a1");
    struct rig rig;

    fake->gpus[1].bdf = fake->gpus[0].bdf | UINT64_C(1) << 28 | 1; /* partition 1, function 1 */
    rig_open(&rig, s, amdsmi);
    assert_int_equal(rig.n, 1);
    close_all(&rig, s, fake);
}

static void what_is_known_to_be_wrong_is_missing(void **state)
{
    struct scripted *s = *state;
    struct fake_amdsmi *fake = fake_amdsmi_install(s, "0x738c");
    struct rig rig;

    fake->gpus[1].bdf = fake_amdsmi_card(s, 0x83, "0x74a1", "0x120000");
    fake->gpus[1].status = 2; /* not supported */
    rig_open(&rig, s, amdsmi);
    assert_int_equal(rig.n, 0);
    assert_non_null(strstr(rig_missing(&rig, "gpu-0000:03:00.0")->reason, "MI100"));
    assert_int_equal(rig_missing(&rig, "gpu-0000:03:00.0")->domain_kind, PJI_DOMAIN_GPU);
    assert_non_null(strstr(rig_missing(&rig, "gpu-0000:83:00.0")->reason, "virtual"));
    close_all(&rig, s, fake);
}

static void impossible_figures_are_refused(void **state)
{
    struct scripted *s = *state;
    struct fake_amdsmi *fake = fake_amdsmi_install(s, "0x74a1");
    struct rig rig;

    fake->gpus[0].count = UINT64_MAX; /* the firmware's "not available" */
    fake->gpus[0].step = 0;
    fake->gpus[1].count_uj = -1;
    rig_open(&rig, s, amdsmi);
    assert_int_equal(rig.n, 0);
    assert_int_equal(rig.n_missing, 2);
    close_all(&rig, s, fake);
}

static void faults_of_a_read_are_failed_or_end_it(void **state)
{
    struct scripted *s = *state;
    struct fake_amdsmi *fake = fake_amdsmi_install(s, "0x74a1");
    struct rig rig;

    rig_open(&rig, s, amdsmi);
    rig_read(&rig);
    fake->gpus[0].status = 30;
    rig_read_after(&rig, s, 100000000);
    assert_int_equal(rig_reading(&rig, FIRST)->value, EBUSY);
    fake->gpus[0].status = 0;
    rig_read_after(&rig, s, 100000000);
    assert_int_equal(rig_reading(&rig, FIRST)->status, PJI_READ_OK);
    fake->gpus[0].status = 31;
    rig_read_after(&rig, s, 100000000);
    assert_int_equal(rig_reading(&rig, FIRST)->status, PJI_READ_GONE);
    rig_read_after(&rig, s, 100000000);
    assert_null(rig_reading(&rig, FIRST));
    assert_non_null(rig_reading(&rig, SECOND));
    close_all(&rig, s, fake);
}

static void the_sensor_of_the_board_is_the_alternative(void **state)
{
    struct scripted *s = *state;
    struct fake_amdsmi *fake = fake_amdsmi_install(s, "0x74a1");
    struct rig rig;
    char cover[256];

    fake->gpus[1].status = 2;
    for (int i = 0; i < 2; i++) {
        char path[96];

        (void)snprintf(path, sizeof path, "/sys/class/hwmon/hwmon%d/device", i);
        scripted_link(s, path, i == 0 ? "../../../0000:03:00.0" : "../../../0000:43:00.0");
        (void)snprintf(path, sizeof path, "/sys/class/hwmon/hwmon%d/name", i);
        scripted_file(s, path, "amdgpu\n");
        (void)snprintf(path, sizeof path, "/sys/class/hwmon/hwmon%d/power1_label", i);
        scripted_file(s, path, "PPT\n");
        (void)snprintf(path, sizeof path, "/sys/class/hwmon/hwmon%d/power1_input", i);
        scripted_file(s, path, "90000000\n");
        (void)snprintf(path, sizeof path, "/sys/class/hwmon/hwmon%d/power1_cap_max", i);
        scripted_file(s, path, "750000000\n");
    }
    rig_open(&rig, s, with_hwmon);
    assert_string_equal(rig_cover(&rig, cover, sizeof cover),
                        FIRST " hwmon:amdgpu:0000:43:00.0:power1");
    close_all(&rig, s, fake);
}

static void a_library_that_is_not_there_is_a_reason(void **state)
{
    struct scripted *s = *state;
    struct rig rig;

    (void)fake_amdsmi_card(s, 0x03, "0x74a1", "0x038000");
    (void)fake_amdsmi_card(s, 0x04, "0x164e", "0x030000"); /* within a processor: no row */
    rig_open(&rig, s, amdsmi);
    assert_int_equal(rig.n_missing, 1);
    assert_non_null(strstr(rig_missing(&rig, "gpu-0000:03:00.0")->reason, "/dev/kfd"));
    rig_close(&rig);
    scripted_file(s, "/dev/kfd", "");
    rig_open(&rig, s, amdsmi);
    assert_non_null(strstr(rig_missing(&rig, "gpu-0000:03:00.0")->reason, "ROCm"));
    rig_close(&rig);
    fake_amdsmi_install(s, "0x74a1")->init_status = 34;
    rig_open(&rig, s, amdsmi);
    assert_int_equal(rig.n_missing, 2);
    assert_non_null(strstr(rig.missing[0].reason, "not loaded"));
    rig_close(&rig);
    assert_int_equal(scripted_open_handles(s), 0);
}

static void a_processor_with_a_gpu_is_recorded_not_added(void **state)
{
    struct scripted *s = *state;
    struct fake_amdsmi *fake = fake_amdsmi_install(s, "0x74a0");
    struct rig rig;

    rig_cpuinfo(s, "AuthenticAMD", "AMD Instinct MI300A Accelerator", 144, 2, 24, false);
    rig_open(&rig, s, amdsmi);
    assert_int_equal(rig.n, 2);
    assert_int_equal(rig.channels[0].role, PJI_ROLE_AUX);
    close_all(&rig, s, fake);
}

/* ---- which GPUs ---- */

static void open_visible(struct rig *rig, struct scripted *s, const char *rocr, const char *hip,
                         const char *cuda)
{
    struct pji_source_env env = {.platform = scripted_platform(s),
                                 .rocr_visible_devices = rocr,
                                 .hip_visible_devices = hip,
                                 .cuda_visible_devices = cuda};

    rig_open_env(rig, &env, with_hwmon);
}

/* A board's sensor, which must not bring back what is hidden. */
static void put_sensor(struct scripted *s, int number, const char *address)
{
    char path[96], target[64];

    (void)snprintf(path, sizeof path, "/sys/class/hwmon/hwmon%d/device", number);
    (void)snprintf(target, sizeof target, "../../../%s", address);
    scripted_link(s, path, target);
    (void)snprintf(path, sizeof path, "/sys/class/hwmon/hwmon%d/name", number);
    scripted_file(s, path, "amdgpu\n");
    (void)snprintf(path, sizeof path, "/sys/class/hwmon/hwmon%d/power1_label", number);
    scripted_file(s, path, "PPT\n");
    (void)snprintf(path, sizeof path, "/sys/class/hwmon/hwmon%d/power1_input", number);
    scripted_file(s, path, "90000000\n");
}

static void rocm_decides_which(void **state)
{
    static const struct {
        const char *rocr, *hip, *cuda, *cover;
    } cases[] = {
        {NULL, NULL, NULL, FIRST " " SECOND},
        {NULL, "1", NULL, FIRST}, /* the topology counts 43 before 03 */
        {NULL, "0", "1", SECOND},
        {NULL, NULL, "1", FIRST},
        {NULL, "", "1", FIRST},
        {"1", "0", NULL, FIRST},
        {"gpu-00000000000000bb", NULL, NULL, SECOND},
        {"", NULL, NULL, ""},
        {NULL, "-1", NULL, ""},
    };
    struct scripted *s = *state;
    struct fake_amdsmi *fake = fake_amdsmi_install(s, "0x74a1");

    put_sensor(s, 0, "0000:03:00.0");
    put_sensor(s, 1, "0000:43:00.0");
    fake_amdsmi_node(s, 0, 0, 0, 0);
    fake_amdsmi_node(s, 1, 304, 0x43, 0xbb);
    fake_amdsmi_node(s, 10, 304, 0x03, 0xaa);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig rig;
        char cover[256];

        open_visible(&rig, s, cases[i].rocr, cases[i].hip, cases[i].cuda);
        assert_string_equal(rig_cover(&rig, cover, sizeof cover), cases[i].cover);
        assert_int_equal(rig.n_missing, 0); /* others' GPUs are not missing */
        if (rig_has(&rig, FIRST)) {
            const struct pji_channel *c = &rig.channels[rig_channel(&rig, FIRST)];

            assert_non_null(strstr(c->device, "GPU-00000000000000aa"));
            assert_non_null(strstr(c->device, "0000:03:00.0"));
            assert_string_equal(c->com_id, "amdsmi:GPU-00000000000000aa");
        }
        close_all(&rig, s, fake);
    }
}

static void half_a_pair_shows_the_whole_pair(void **state)
{
    struct scripted *s = *state;
    struct fake_amdsmi *fake = fake_amdsmi_install(s, "0x7408");
    struct rig rig;
    char cover[256];

    fake_amdsmi_node(s, 1, 220, 0x03, 0xaa);
    fake_amdsmi_node(s, 2, 220, 0x43, 0xab);
    open_visible(&rig, s, NULL, "1", NULL);
    assert_string_equal(rig_cover(&rig, cover, sizeof cover), FIRST);
    assert_non_null(strstr(rig.channels[0].device, "both dies"));
    close_all(&rig, s, fake);
}

static void without_a_topology_nothing_is_hidden(void **state)
{
    struct scripted *s = *state;
    struct fake_amdsmi *fake = fake_amdsmi_install(s, "0x74a1");
    struct rig rig;
    char cover[256];

    open_visible(&rig, s, "0", NULL, NULL);
    assert_string_equal(rig_cover(&rig, cover, sizeof cover), FIRST " " SECOND);
    close_all(&rig, s, fake);
}

#define with_script(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_script(the_accumulator_times_its_resolution),
        with_script(a_counter_that_stands_still_is_no_energy),
        with_script(a_counter_that_stops_is_failed_after_half_a_second),
        with_script(two_dies_of_an_mi250_count_once),
        with_script(partitions_of_a_gpu_count_once),
        with_script(what_is_known_to_be_wrong_is_missing),
        with_script(impossible_figures_are_refused),
        with_script(faults_of_a_read_are_failed_or_end_it),
        with_script(the_sensor_of_the_board_is_the_alternative),
        with_script(a_library_that_is_not_there_is_a_reason),
        with_script(a_processor_with_a_gpu_is_recorded_not_added),
        with_script(rocm_decides_which),
        with_script(half_a_pair_shows_the_whole_pair),
        with_script(without_a_topology_nothing_is_hidden),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
