/* GPUs that idle while requests wait, from power curves that are known: stalls are seen, decoding
 * that is bound by memory and an engine on the processors are not taken for one. */
#include "evidence/gpu_idle.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MS INT64_C(1000000)

enum { BEFORE = 100, INSIDE = 200, STEPS = BEFORE + INSIDE }; /* samples, 20 ms apart */

/* Power of sample i of the window, in W. */
typedef int64_t curve(int i);

static int64_t flat(int i)
{
    (void)i;
    return 600;
}

static int64_t prefill_and_decode(int i)
{
    return i % 40 < 5 ? 690 : 400;
}

static int64_t stalls(int i)
{
    return i % 10 < 4 ? 90 : 500;
}

static int64_t nothing(int i)
{
    (void)i;
    return 82;
}

static const int64_t start_ns = BEFORE * 20 * MS, end_ns = STEPS * 20 * MS;

static struct pji_gpu_idle find(curve *power_w, const struct pji_gpu_change *gpu,
                                const struct pji_stretch *waits, size_t n_waits)
{
    struct pji_gpu_idle idle;
    struct pji_channel channel = {.name = "nvml:0:power",
                                  .domain = "gpu-0",
                                  .role = PJI_ROLE_POWER,
                                  .kind = PJI_GAUGE,
                                  .refresh_ns = 20 * MS,
                                  .companion = -1};
    struct pji_series series;
    assert_int_equal(pji_series_init(&series, &channel, true, NULL), PJ_OK);
    for (int i = 0; i <= STEPS; i++) {
        int64_t w = i < BEFORE ? 80 + i % 2 : power_w(i - BEFORE);
        struct pji_reading r = {.t_ns = i * 20 * MS + (i == 0), .value = w * 1000};
        assert_int_equal(pji_series_add(&series, &r, NULL), PJ_OK);
    }
    struct pji_trace trace = {.series = &series, .header = {.channels = &channel, .n_channels = 1}};
    assert_int_equal(
        pji_gpu_idle_find(&idle, &trace, gpu, 1, waits, n_waits, start_ns, end_ns, NULL), PJ_OK);
    pji_series_fini(&series);
    return idle;
}

static void stalls_are_seen(void **state)
{
    (void)state;
    struct pji_gpu_change gpu = {.gpu = "gpu-0"};
    const struct pji_stretch all = {start_ns, end_ns};
    struct pji_gpu_idle idle = find(stalls, &gpu, &all, 1);
    assert_true(fabs(idle.dip_share - 0.4) < 0.02);
    assert_string_equal(idle.gpu, "gpu-0");
    assert_true(isnan(idle.use)); /* the driver told nothing */
}

static void busy_gpus_are_not(void **state)
{
    (void)state;
    struct pji_gpu_change gpu = {.gpu = "gpu-0"};
    const struct pji_stretch all = {start_ns, end_ns};
    assert_true(find(flat, &gpu, &all, 1).dip_share < 0.01);
    assert_true(find(prefill_and_decode, &gpu, &all, 1).dip_share < 0.01);
    assert_true(isnan(find(nothing, &gpu, &all, 1).dip_share)); /* it serves nothing */
}

static void only_while_requests_wait(void **state)
{
    (void)state;
    struct pji_gpu_change gpu = {.gpu = "gpu-0"};
    struct pji_stretch waits[INSIDE / 10];
    for (int i = 0; i < INSIDE / 10; i++) /* exactly when it works */
        waits[i] = (struct pji_stretch){start_ns + (i * 10 + 4) * 20 * MS,
                                        start_ns + (i * 10 + 10) * 20 * MS};
    assert_true(find(stalls, &gpu, waits, INSIDE / 10).dip_share < 0.01);
    assert_true(isnan(find(stalls, &gpu, waits, 0).dip_share));
}

static void utilisation_while_they_wait(void **state)
{
    (void)state;
    struct pji_gpu_change gpu = {.gpu = "gpu-0", .n_uses = 21};
    const struct pji_stretch half = {start_ns, start_ns + (end_ns - start_ns) / 2};
    for (int i = 0; i < 21; i++)
        gpu.uses[i] =
            (struct pji_gpu_use){start_ns + (end_ns - start_ns) / 20 * i, i <= 10 ? 30 : 100};
    assert_true(fabs(find(flat, &gpu, &half, 1).use - 0.3) < 1e-9);
    const struct pji_stretch all = {start_ns, end_ns};
    assert_true(fabs(find(flat, &gpu, &all, 1).use - 0.65) < 1e-9);
    /* half of a sample's time is not what it tells of: the 100 % after the tenth */
    const struct pji_stretch over = {start_ns, start_ns + (end_ns - start_ns) * 21 / 40};
    assert_true(fabs(find(flat, &gpu, &over, 1).use - 0.3) < 1e-9);
    const struct pji_stretch brief = {start_ns, start_ns + (end_ns - start_ns) / 5};
    assert_true(isnan(find(flat, &gpu, &brief, 1).use));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stalls_are_seen),
        cmocka_unit_test(busy_gpus_are_not),
        cmocka_unit_test(only_while_requests_wait),
        cmocka_unit_test(utilisation_while_they_wait),
    };
    return cmocka_run_group_tests_name("gpu_idle", tests, NULL, NULL);
}
