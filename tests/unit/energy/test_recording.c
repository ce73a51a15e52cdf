/* A real GPU: the power samples of a recorded H200 against its energy counter, read every 20 ms.
 * Two independent ways to the same energy must agree within what they state, for every phase of the
 * recording: idle, full load, square waves, bursts down to 0.2 s, prefill down to 30 ms.
 */
#include "feed.h"

#include "shared.h"
#include "sources/nvml_rows.h"

#include <stdlib.h>

#define RECORDING "nvml-traces/h200-counter-20ms.csv"
#define PHASES    "nvml-traces/h200-counter-20ms.phases.csv"

static struct pji_series samples, counter;

static void read_line(const char *line, long long *offset_ns)
{
    char kind[16];
    long long before_ns = 0, after_ns = 0, value = 0, device_us = 0;
    const char *found = strstr(line, "realtime_minus_monotonic_ns ");
    if (found != NULL) {
        *offset_ns = atoll(found + strlen("realtime_minus_monotonic_ns "));
        return;
    }
    if (sscanf(line, "%15[^,],%lld,%lld,%lld,%lld", kind, &before_ns, &after_ns, &value,
               &device_us) != 5) {
        return;
    }
    if (strcmp(kind, "counter") == 0) {
        put(&counter, before_ns + (after_ns - before_ns) / 2, value * 1000);
    } else if (strcmp(kind, "buffer") == 0) {
        put(&samples, device_us * 1000 - *offset_ns, value);
    }
}

static int load(void **state)
{
    (void)state;
    char path[4096], line[256];
    long long offset_ns = 0;
    if (!pjt_shared(path, sizeof path, RECORDING)) {
        return 0;
    }
    static const struct pji_nvml_identity gpu = {.uuid = "GPU-recorded"};
    const struct pji_nvml_gpu_facts facts = {.identity = &gpu,
                                             .cap_mw = 1000000, /* 906 W were seen, limit 700 W */
                                             .spacing_ns = 20 * MS,
                                             .counter_refresh_ns = 100 * MS,
                                             .counter_poll_ns = 20 * MS};
    struct pji_channel c, p;
    pji_nvml_row(&p, PJI_NVML_ROW_POWER, &facts, -1);
    pji_nvml_row(&c, PJI_NVML_ROW_ENERGY, &facts, -1);
    series_open(&samples, &p, true);
    series_open(&counter, &c, true);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        read_line(line, &offset_ns);
    }
    fclose(file);
    return 0;
}

static int unload(void **state)
{
    (void)state;
    pji_series_fini(&samples);
    pji_series_fini(&counter);
    return 0;
}

static void every_phase_agrees(void **state)
{
    (void)state;
    char path[4096], line[256], name[40];
    if (samples.n == 0 || !pjt_shared(path, sizeof path, PHASES)) {
        print_message("# skipped: %s is not here\n", path);
        skip();
    }
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    int phases = 0, agree = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        long long start_ns = 0, end_ns = 0;
        if (sscanf(line, "%39[^,],%lld,%lld", name, &start_ns, &end_ns) != 3) {
            continue;
        }
        struct pj_energy a = window(&samples, start_ns, end_ns);
        struct pj_energy b = window(&counter, start_ns, end_ns);
        assert_int_equal(a.quality | b.quality, 0);
        double z = (a.value_j - b.value_j) / hypot(a.u_ind_j, b.u_ind_j);
        phases++;
        agree += fabs(z) <= 1.96;
        assert_true(fabs(z) < 4);
        if (end_ns - start_ns > 8000 * MS && strcmp(name, "idle") != 0) {
            assert_near(a.value_j / b.value_j, 1, 0.005);
        }
    }
    fclose(file);
    print_message("# %d of %d phases agree within 1.96 u\n", agree, phases);
    assert_true(phases > 60 && agree >= 0.92 * phases);
}

static void the_whole_is_the_same(void **state)
{
    (void)state;
    if (samples.n == 0) {
        skip();
    }
    assert_true(samples.n > 8000);
    assert_int_equal(total(&samples).quality, 0);
    int64_t start_ns = 30000 * MS, end_ns = 180000 * MS;
    struct pj_energy a = window(&samples, start_ns, end_ns), b = window(&counter, start_ns, end_ns);
    assert_near(a.value_j / b.value_j, 1, 0.002);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_phase_agrees),
        cmocka_unit_test(the_whole_is_the_same),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
