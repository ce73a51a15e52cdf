/* What the nvml source tells of the state of its GPUs, over the fake libnvidia-ml: each fact, what
 * cannot be read with the driver's word for it, and critical errors once and of the right GPU. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nvml_rig.h"
#include "sources/table.h"

#include "core/units.h"

#include <stdlib.h>
#include <string.h>

static int setup(void **state)
{
    static struct nvml_rig rig;
    nvml_rig_setup(&rig);
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    nvml_rig_teardown(*state);
    return 0;
}

static json_t *look(const struct nvml_rig *rig)
{
    json_t *seen = pji_source_nvml.look(rig->state);
    assert_non_null(seen);
    return seen;
}

static const json_t *fact(const json_t *seen, size_t gpu, const char *key)
{
    return json_object_get(json_array_get(json_object_get(seen, "gpus"), gpu), key);
}

static void check_number(const json_t *seen, size_t gpu, const char *key, int64_t expected)
{
    const json_t *value = fact(seen, gpu, key);
    if (!json_is_integer(value) || json_integer_value(value) != expected)
        fail_msg("gpu %zu %s is not %lld", gpu, key, (long long)expected);
}

static void every_fact(void **state)
{
    struct nvml_rig *rig = *state;
    setenv("FAKE_NVML_COUNT", "2", 1);
    setenv("FAKE_NVML_VALUES",
           "throttle=0x4,limit:1=300000,thermal=11,powercap=12,appclock:0=1200,ecc:1=3,"
           "eccfixed:1=4,remapped:1=5,pid:1=77",
           1);
    nvml_rig_open(rig);
    json_t *seen = look(rig);
    assert_string_equal(json_string_value(fact(seen, 1, "gpu")), "gpu-1");
    check_number(seen, 1, "reasons", 4);
    check_number(seen, 0, "limit_mw", 700000);
    check_number(seen, 1, "limit_mw", 300000);
    check_number(seen, 1, "thermal_ns", 11);
    check_number(seen, 1, "power_ns", 12);
    check_number(seen, 0, "app_sm_mhz", 1200);
    check_number(seen, 1, "app_sm_mhz", 1980);
    check_number(seen, 1, "app_mem_mhz", 3201);
    check_number(seen, 0, "ecc_uncorrected", 0);
    check_number(seen, 1, "ecc_uncorrected", 3);
    check_number(seen, 1, "ecc_corrected", 4);
    check_number(seen, 1, "remapped", 5);
    assert_int_equal(json_array_size(fact(seen, 0, "processes")), 0);
    assert_int_equal(json_integer_value(json_array_get(fact(seen, 1, "processes"), 0)), 77);
    assert_int_equal(json_object_size(fact(seen, 0, "unread")), 0);
    json_decref(seen);
}

static void critical_errors_once_and_where_they_were(void **state)
{
    struct nvml_rig *rig = *state;
    setenv("FAKE_NVML_COUNT", "2", 1);
    setenv("FAKE_NVML_VALUES", "xid:1=79@5,xid:0=31@5,xid:1=48@5", 1);
    nvml_rig_open(rig);
    json_t *seen = look(rig); /* begins to listen */
    assert_int_equal(json_array_size(fact(seen, 1, "xids")), 0);
    json_decref(seen);
    nvml_rig_advance(rig, 6 * PJI_NS_PER_S);
    seen = look(rig);
    assert_int_equal(json_array_size(fact(seen, 0, "xids")), 1);
    assert_int_equal(json_array_size(fact(seen, 1, "xids")), 2);
    assert_int_equal(json_integer_value(json_array_get(fact(seen, 1, "xids"), 0)), 79);
    json_decref(seen);
    seen = look(rig);
    assert_int_equal(json_array_size(fact(seen, 1, "xids")), 0);
    json_decref(seen);
}

static void check_unread(const json_t *seen, const char *key, const char *why)
{
    assert_null(fact(seen, 0, key));
    const char *said = json_string_value(json_object_get(fact(seen, 0, "unread"), key));
    assert_non_null(said);
    assert_string_equal(said, why);
}

static void what_fails_is_absent_and_named(void **state)
{
    struct nvml_rig *rig = *state;
    setenv("FAKE_NVML_ERRORS", "throttle=3@1,ecc=4,pid=4,xid=3,appclock=3,thermal=999", 1);
    nvml_rig_open(rig);
    nvml_rig_advance(rig, 2 * PJI_NS_PER_S);
    json_t *seen = look(rig);
    check_unread(seen, "reasons", "Not Supported");
    check_unread(seen, "ecc_uncorrected", "Insufficient Permissions");
    check_unread(seen, "processes", "Insufficient Permissions");
    check_unread(seen, "xids", "Not Supported");
    check_unread(seen, "app_sm_mhz", "Not Supported");
    check_unread(seen, "thermal_ns", "Unknown Error");
    check_number(seen, 0, "ecc_corrected", 0);
    json_decref(seen);
}

static void an_old_driver_lacks_most(void **state)
{
    struct nvml_rig *rig = *state;
    char path[512];
    nvml_rig_library(path, sizeof path, true);
    rig->env.nvml_path = path;
    nvml_rig_open(rig);
    json_t *seen = look(rig);
    check_number(seen, 0, "limit_mw", 700000);
    check_unread(seen, "reasons", "Not Supported");
    check_unread(seen, "processes", "Not Supported");
    check_unread(seen, "xids", "Not Supported");
    json_decref(seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_fact, setup, teardown),
        cmocka_unit_test_setup_teardown(critical_errors_once_and_where_they_were, setup, teardown),
        cmocka_unit_test_setup_teardown(what_fails_is_absent_and_named, setup, teardown),
        cmocka_unit_test_setup_teardown(an_old_driver_lacks_most, setup, teardown),
    };
    return cmocka_run_group_tests_name("nvml_look", tests, NULL, NULL);
}
