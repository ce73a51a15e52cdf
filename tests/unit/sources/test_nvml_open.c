/* Which GPUs the nvml source opens, and what it says of those that it cannot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nvml_rig.h"
#include "scripted_platform.h"

#include <stdio.h>
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

/* The domains of the power channels, in order. */
static void check_domains(const struct nvml_rig *rig, const char *expected)
{
    char text[128] = "";
    size_t len = 0;
    for (size_t i = 0; i < rig->table.n; i++)
        if (strstr(rig->table.channels[i].name, ":power"))
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", len ? " " : "",
                                    rig->table.channels[i].domain);
    assert_string_equal(text, expected);
}

/* ---- selection ---- */

static void check_visible(struct nvml_rig *rig, const char *visible, const char *expected)
{
    setenv("FAKE_NVML_COUNT", "3", 1);
    setenv("FAKE_NVML_UUIDS", "GPU-aaaa1111-0000,GPU-aaaa2222-0000,GPU-bbbb3333-0000", 1);
    rig->env.cuda_visible_devices = visible;
    nvml_rig_open(rig);
    check_domains(rig, expected);
    nvml_rig_teardown(rig);
    nvml_rig_setup(rig);
}

static void cuda_decides_which(void **state)
{
    struct nvml_rig *rig = *state;
    check_visible(rig, NULL, "gpu-0 gpu-1 gpu-2");
    check_visible(rig, "", "");
    check_visible(rig, "1", "gpu-1");
    check_visible(rig, "2,0", "gpu-2 gpu-0");
    check_visible(rig, "0,9,1", "gpu-0");
    check_visible(rig, "-1", "");
    check_visible(rig, "0,0", "");
    check_visible(rig, "GPU-b", "gpu-2");
    check_visible(rig, "GPU-aaaa2222-0000,GPU-b", "gpu-1 gpu-2");
    check_visible(rig, "GPU-aaaa", "");
}

static void others_gpus_are_not_missing(void **state)
{
    struct nvml_rig *rig = *state;
    setenv("FAKE_NVML_COUNT", "3", 1);
    rig->env.cuda_visible_devices = "1";
    nvml_rig_open(rig);
    assert_int_equal(rig->table.n_missing, 0);
}

static void the_bus_orders_not_nvml(void **state)
{
    struct nvml_rig *rig = *state;
    setenv("FAKE_NVML_COUNT", "3", 1);
    setenv("FAKE_NVML_BUSES", "c1,1b,41", 1);
    rig->env.cuda_device_order = "PCI_BUS_ID";
    rig->env.cuda_visible_devices = "0";
    nvml_rig_open(rig);
    check_domains(rig, "gpu-1");
    assert_non_null(strstr(rig->table.channels[0].device, "00000000:1b:00.0"));
    assert_string_equal(rig->said, "");
}

static void unlike_gpus_and_indices_are_warned_about(void **state)
{
    struct nvml_rig *rig = *state;
    setenv("FAKE_NVML_COUNT", "2", 1);
    setenv("FAKE_NVML_NAMES", "Fast,Slow", 1);
    rig->env.cuda_visible_devices = "0";
    nvml_rig_open(rig);
    assert_non_null(strstr(rig->said, "CUDA_DEVICE_ORDER=PCI_BUS_ID"));
}

static void a_mig_slice_is_refused_with_a_way_out(void **state)
{
    struct nvml_rig *rig = *state;
    setenv("FAKE_NVML_MIG", "1", 1);
    rig->env.cuda_visible_devices = "MIG-5a1f3c2e-0b7d-5c6e-9f10-2a3b4c5d6e7f";
    nvml_rig_open(rig);
    const struct pji_missing *missing = nvml_rig_missing(rig);
    assert_int_equal(rig->table.n, 0);
    assert_int_equal(missing->domain_kind, PJI_DOMAIN_GPU);
    assert_non_null(strstr(missing->reason, "MIG-5a1f3c2e"));
    assert_non_null(strstr(missing->reason, "whole GPU"));
    assert_non_null(strstr(missing->fix, "CUDA_VISIBLE_DEVICES"));
}

static void a_partitioned_gpu_is_metered_whole(void **state)
{
    struct nvml_rig *rig = *state;
    setenv("FAKE_NVML_MIG", "1", 1);
    nvml_rig_open(rig);
    check_domains(rig, "gpu-0");
}

static void a_handle_that_is_denied_is_missing_alone(void **state)
{
    struct nvml_rig *rig = *state;
    setenv("FAKE_NVML_COUNT", "3", 1);
    setenv("FAKE_NVML_ERRORS", "handle:1=4", 1);
    nvml_rig_open(rig);
    check_domains(rig, "gpu-0 gpu-2");
    assert_string_equal(nvml_rig_missing(rig)->domain, "gpu-1");
    assert_non_null(strstr(nvml_rig_missing(rig)->reason, "Insufficient Permissions"));
    assert_non_null(strstr(nvml_rig_missing(rig)->fix, "/dev/nvidia"));
}

/* ---- absence ---- */

static void check_missing(const struct nvml_rig *rig, const char *reason, const char *fix)
{
    const struct pji_missing *missing = nvml_rig_missing(rig);
    assert_int_equal(rig->table.n, 0);
    assert_int_equal(missing->domain_kind, PJI_DOMAIN_GPU);
    assert_string_equal(missing->source, "nvml");
    assert_non_null(strstr(missing->reason, reason));
    assert_non_null(strstr(missing->fix, fix));
}

static void no_gpu_no_words(void **state)
{
    struct nvml_rig *rig = *state;
    rig->env.nvml_path = NULL;
    scripted_file(rig->machine, "/sys/bus/pci/devices/0000:00:02.0/vendor", "0x8086\n");
    scripted_file(rig->machine, "/sys/bus/pci/devices/0000:00:02.0/class", "0x030000\n");
    scripted_file(rig->machine, "/sys/bus/pci/devices/0000:01:00.1/vendor", "0x10de\n");
    scripted_file(rig->machine, "/sys/bus/pci/devices/0000:01:00.1/class", "0x040300\n");
    nvml_rig_open(rig);
    assert_int_equal(rig->table.n, 0);
    assert_int_equal(rig->table.n_missing, 0);
    nvml_rig_read(rig, true);
    assert_int_equal(rig->n, 0);
}

static void a_gpu_on_the_bus_without_driver(void **state)
{
    struct nvml_rig *rig = *state;
    rig->env.nvml_path = NULL;
    scripted_file(rig->machine, "/sys/bus/pci/devices/0000:1b:00.0/vendor", "0x10de\n");
    scripted_file(rig->machine, "/sys/bus/pci/devices/0000:1b:00.0/class", "0x030200\n");
    nvml_rig_open(rig);
    check_missing(rig, "no NVIDIA driver is loaded", "modprobe nvidia");
}

static void a_driver_without_its_library(void **state)
{
    struct nvml_rig *rig = *state;
    rig->env.nvml_path = NULL;
    scripted_file(rig->machine, "/proc/driver/nvidia/version", "NVRM version: 580\n");
    nvml_rig_open(rig);
    check_missing(rig, "libnvidia-ml.so.1", "PERJOULE_NVML");
}

static void a_named_library_that_is_none(void **state)
{
    struct nvml_rig *rig = *state;
    rig->env.nvml_path = "/nowhere/libnvidia-ml.so.1";
    nvml_rig_open(rig);
    check_missing(rig, "/nowhere/libnvidia-ml.so.1", "");
}

static void a_library_that_is_not_nvml(void **state)
{
    struct nvml_rig *rig = *state;
    rig->hidden = "nvmlDeviceGetCount";
    char path[512];
    nvml_rig_library(path, sizeof path, true);
    rig->env.nvml_path = path;
    nvml_rig_open(rig);
    check_missing(rig, "it lacks nvmlDeviceGetCount_v2", "");
}

static void a_root_without_the_device_loads_nothing(void **state)
{
    struct nvml_rig *rig = *state;
    rig->env.nvml_path = NULL;
    scripted_set_rooted(rig->machine, true);
    rig->platform.rooted = true;
    nvml_rig_open(rig);
    assert_int_equal(rig->table.n_missing, 0);
    nvml_rig_close(rig);
    scripted_file(rig->machine, "/proc/driver/nvidia/version", "NVRM version: 580\n");
    nvml_rig_open(rig);
    check_missing(rig, "no /dev/nvidiactl", "");
}

static void reasons_of_init(void **state)
{
    struct nvml_rig *rig = *state;
    static const struct {
        const char *errors, *reason, *fix;
    } fixtures[] = {
        {"init=9", "Driver Not Loaded", "modprobe nvidia"},
        {"init=4", "Insufficient Permissions", "/dev/nvidiactl"},
        {"init=18", "NVML does not start", "reboot"},
        {"init=999", "Unknown Error", ""},
    };
    for (size_t i = 0; i < sizeof fixtures / sizeof fixtures[0]; i++) {
        setenv("FAKE_NVML_ERRORS", fixtures[i].errors, 1);
        nvml_rig_open(rig);
        check_missing(rig, fixtures[i].reason, fixtures[i].fix);
        nvml_rig_teardown(rig);
        nvml_rig_setup(rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cuda_decides_which, setup, teardown),
        cmocka_unit_test_setup_teardown(others_gpus_are_not_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(the_bus_orders_not_nvml, setup, teardown),
        cmocka_unit_test_setup_teardown(unlike_gpus_and_indices_are_warned_about, setup, teardown),
        cmocka_unit_test_setup_teardown(a_mig_slice_is_refused_with_a_way_out, setup, teardown),
        cmocka_unit_test_setup_teardown(a_partitioned_gpu_is_metered_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(a_handle_that_is_denied_is_missing_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(no_gpu_no_words, setup, teardown),
        cmocka_unit_test_setup_teardown(a_gpu_on_the_bus_without_driver, setup, teardown),
        cmocka_unit_test_setup_teardown(a_driver_without_its_library, setup, teardown),
        cmocka_unit_test_setup_teardown(a_named_library_that_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(a_library_that_is_not_nvml, setup, teardown),
        cmocka_unit_test_setup_teardown(a_root_without_the_device_loads_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(reasons_of_init, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
