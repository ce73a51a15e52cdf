/* A recorded H200, played to the live source through the fake library and turned into a trace by
 * recording-to-trace: both must give the recording's energies.
 *
 * Reference: the recording's own energy counter, asked every 20 ms and stepping every 100 ms. For
 * long windows of load it is interpolated between its steps. A short burst would drown in a step,
 * so there it is the counter's difference over a window 0.2 s wider at both sides, less the idle
 * power of those 0.4 s.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/units.h"
#include "energy/trace.h"
#include "nvml_recording.h"
#include "nvml_rig.h"
#include "shared.h"
#include "temp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 32768, PHASES = 128 };

static const int64_t ms = PJI_NS_PER_MS;

struct sample {
    int64_t t_ns;
    int64_t value;
};

struct phase {
    char name[32];
    int64_t start_ns, end_ns;
};

static struct {
    bool loaded;
    char path[512];
    int64_t start_ns, offset_ns;
    struct sample buffer[ROWS], steps[ROWS]; /* power samples; counter where it changed */
    size_t n_buffer, n_steps;
    struct phase phases[PHASES];
    size_t n_phases;
} recording;

/* ---- the recording, read on its own terms ---- */

static void read_rows(FILE *file)
{
    char line[256];
    long long before, after, value, device_us, last_value = -1;
    int64_t last_ns = 0;
    while (fgets(line, sizeof line, file)) {
        char *comma = strchr(line, ',');
        const char *offset = strstr(line, "realtime_minus_monotonic_ns ");
        if (offset)
            recording.offset_ns = strtoll(strchr(offset, ' '), NULL, 10);
        if (!comma ||
            sscanf(comma, ",%lld,%lld,%lld,%lld", &before, &after, &value, &device_us) != 4)
            continue;
        if (recording.start_ns == 0)
            recording.start_ns = before;
        if (strncmp(line, "buffer,", 7) == 0)
            recording.buffer[recording.n_buffer++] =
                (struct sample){device_us * 1000 - recording.offset_ns, value};
        if (strncmp(line, "counter,", 8) == 0) {
            int64_t t_ns = before + (after - before) / 2;
            if (value != last_value && last_value >= 0)
                recording.steps[recording.n_steps++] =
                    (struct sample){last_ns + (t_ns - last_ns) / 2, value};
            last_value = value;
            last_ns = t_ns;
        }
    }
}

static void read_phases(FILE *file)
{
    char line[256];
    long long start, end;
    while (fgets(line, sizeof line, file) && recording.n_phases < PHASES) {
        struct phase *phase = &recording.phases[recording.n_phases];
        if (sscanf(line, "%31[^,],%lld,%lld", phase->name, &start, &end) != 3)
            continue;
        phase->start_ns = start;
        phase->end_ns = end;
        recording.n_phases++;
    }
}

static int load(void **state)
{
    char phases[512];
    (void)state;
    bool there =
        pjt_shared(recording.path, sizeof recording.path, "nvml-traces/h200-counter-20ms.csv") &&
        pjt_shared(phases, sizeof phases, "nvml-traces/h200-counter-20ms.phases.csv");
    if (!there)
        return 0;
    FILE *file = fopen(recording.path, "r");
    assert_non_null(file);
    read_rows(file);
    fclose(file);
    file = fopen(phases, "r");
    assert_non_null(file);
    read_phases(file);
    fclose(file);
    recording.loaded = true;
    return 0;
}

static void need_recording(void)
{
    if (!recording.loaded) {
        print_message("# there is no %s\n", recording.path);
        skip();
    }
}

/* Counter at t_ns, between its steps, J. */
static double counter_j(int64_t t_ns)
{
    size_t i = 1;
    while (i + 1 < recording.n_steps && recording.steps[i].t_ns < t_ns)
        i++;
    const struct sample *a = &recording.steps[i - 1], *b = &recording.steps[i];
    return ((double)a->value + (double)(b->value - a->value) * (double)(t_ns - a->t_ns) /
                                   (double)(b->t_ns - a->t_ns)) /
           1e3;
}

/* Mean power between two instants of a calm stretch, W. */
static double calm_w(int64_t from_ns, int64_t to_ns)
{
    double sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < recording.n_buffer; i++) {
        if (recording.buffer[i].t_ns < from_ns || recording.buffer[i].t_ns > to_ns)
            continue;
        sum += (double)recording.buffer[i].value / 1e3;
        n++;
    }
    return sum / (double)n;
}

static double burst_j(const struct phase *phase)
{
    int64_t a = phase->start_ns, b = phase->end_ns;
    return counter_j(b + 200 * ms) - counter_j(a - 200 * ms) -
           0.2 * calm_w(a - 150 * ms, a - 20 * ms) - 0.2 * calm_w(b + 120 * ms, b + 250 * ms);
}

/* ---- what both ways must fulfil; shift_ns: from the recording's clock to the series' ---- */

static void check_energies(const struct pji_series *power, int64_t shift_ns)
{
    size_t long_ones = 0, short_ones = 0, inside = 0;
    for (size_t i = 0; i < recording.n_phases; i++) {
        const struct phase *phase = &recording.phases[i];
        struct pj_energy energy;
        pji_series_window(power, NULL, phase->start_ns + shift_ns, phase->end_ns + shift_ns,
                          &energy);
        bool loaded =
            strncmp(phase->name, "full", 4) == 0 || strncmp(phase->name, "square", 6) == 0;
        if (loaded && phase->end_ns - phase->start_ns > 7900 * ms) {
            double counter = counter_j(phase->end_ns) - counter_j(phase->start_ns);
            if (fabs(energy.value_j / counter - 1) > 0.005)
                print_error("%s: %.2f J, counter %.2f J\n", phase->name, energy.value_j, counter);
            assert_true(fabs(energy.value_j / counter - 1) <= 0.005);
            long_ones++;
        }
        if (strncmp(phase->name, "burst", 5) == 0) {
            double off = energy.value_j - burst_j(phase);
            /* buffer and counter share a sensor: their gain must not excuse a difference */
            inside += fabs(off) <= 2 * energy.u_ind_j;
            assert_true(fabs(off) <= 3 * energy.u_ind_j);
            assert_true(energy.u_ind_j < 9);
            assert_int_equal(energy.origin, PJ_ORIGIN_INTEGRATED);
            short_ones++;
        }
        assert_int_equal(energy.quality, 0);
    }
    assert_int_equal(long_ones, 4);
    assert_int_equal(short_ones, 24);
    assert_in_range(inside, 22, 24);
}

/* ---- the live source ---- */

static struct nvml_rig rig;

static void play(void)
{
    nvml_rig_setup(&rig);
    setenv("FAKE_NVML_TRACE", recording.path, 1);
    nvml_rig_open(&rig);
    nvml_rig_read(&rig, true);
    nvml_rig_run(&rig, 169 * PJI_NS_PER_S);
}

static void played_live_every_sample_comes_once(void **state)
{
    size_t n = 0;
    (void)state;
    need_recording();
    play();
    int32_t power = nvml_rig_channel(&rig, "nvml:0:power");
    for (size_t i = 0; i < rig.n; i++) {
        if (rig.readings[i].channel != power)
            continue;
        if (n == recording.n_buffer) /* the end of the recording is a sensor gone silent */
            assert_int_equal(rig.readings[i].status, PJI_READ_FAILED);
        if (n == recording.n_buffer)
            continue;
        assert_int_equal(rig.readings[i].status, PJI_READ_OK);
        assert_int_equal(rig.readings[i].value, recording.buffer[n++].value);
    }
    assert_int_equal(n, recording.n_buffer);
    nvml_rig_teardown(&rig);
}

static void played_live_energies_agree(void **state)
{
    struct pji_series series;
    (void)state;
    need_recording();
    play();
    int32_t power = nvml_rig_channel(&rig, "nvml:0:power");
    assert_int_equal(pji_series_init(&series, &rig.table.channels[power], true, NULL), PJ_OK);
    for (size_t i = 0; i < rig.n; i++)
        if (rig.readings[i].channel == power)
            assert_int_equal(pji_series_add(&series, &rig.readings[i], NULL), PJ_OK);
    check_energies(&series, INT64_C(1000) * PJI_NS_PER_S - recording.start_ns);
    pji_series_fini(&series);
    nvml_rig_teardown(&rig);
}

/* Buffer and counter, both as the live meter reads them, over all of the recording. */
static void played_live_both_ways_agree(void **state)
{
    static const char *const names[] = {"nvml:0:power", "nvml:0:energy"};
    struct pj_energy energies[2];
    (void)state;
    need_recording();
    play();
    for (int way = 0; way < 2; way++) {
        struct pji_series series;
        int32_t channel = nvml_rig_channel(&rig, names[way]);
        assert_int_equal(pji_series_init(&series, &rig.table.channels[channel], true, NULL), PJ_OK);
        for (size_t i = 0; i < rig.n; i++)
            if (rig.readings[i].channel == channel)
                assert_int_equal(pji_series_add(&series, &rig.readings[i], NULL), PJ_OK);
        pji_series_window(&series, NULL, INT64_C(1001) * PJI_NS_PER_S, INT64_C(1160) * PJI_NS_PER_S,
                          &energies[way]);
        pji_series_fini(&series);
    }
    assert_true(fabs(energies[0].value_j / energies[1].value_j - 1) < 0.005);
    assert_string_equal(energies[0].com_id, energies[1].com_id);
    nvml_rig_teardown(&rig);
}

/* ---- recording-to-trace ---- */

static void converted_energies_agree(void **state)
{
    char dir[TEMP_PATH], command[2048], path[TEMP_PATH + 16];
    const char *build = getenv("PERJOULE_BUILD_ROOT");
    struct pji_trace trace = {0};
    struct pj_error err = {0};
    size_t points = 0;
    (void)state;
    need_recording();
    temp_open(dir);
    snprintf(path, sizeof path, "%s/trace", dir);
    snprintf(command, sizeof command, "'%s/tests/tools/recording_to_trace' '%s' > '%s'",
             build ? build : "build", recording.path, path);
    assert_int_equal(system(command), 0);
    if (pji_trace_load(&trace, path, &err))
        fail_msg("%s", err.text);
    assert_true(trace.complete);
    for (size_t i = 0; i < trace.header.n_channels; i++) {
        if (strcmp(trace.header.channels[i].name, "nvml:0:power") != 0)
            continue;
        points = trace.series[i].n;
        check_energies(&trace.series[i], 0);
    }
    assert_int_equal(points, recording.n_buffer);
    pji_trace_fini(&trace);
    temp_close(dir);
}

#define FIRST "# X driver 1 limit_mw 1 realtime_minus_monotonic_ns 5\n"
#define NAMES "kind,t_before_ns,t_after_ns,value,device_ts_us\n"
static const struct bad_recording {
    const char *text, *said;
} bad[] = {
    {"", ":1: the first line of a recording is"},
    {NAMES "buffer,1,2,3,4\n", ":1: the first line of a recording is"},
    {"# X driver 1 realtime_minus_monotonic_ns many\n" NAMES, ":1: 'many' is not a whole"},
    {"# X limit_mw -1 realtime_minus_monotonic_ns 5\n" NAMES, ":1: limit_mw is negative"},
    {FIRST, " has no readings"},
    {FIRST NAMES "fan,1,2,3,4\n", " has no readings"},
    {FIRST NAMES "buffer,1,2,3,0\n", " has no readings"}, /* a slot that was never filled */
    {FIRST NAMES "buffer,1,2,x,4\n", ":3: 'x' is not a whole number"},
    {FIRST NAMES "buffer,1,2,nan,4\n", ":3: 'nan' is not a whole number"},
    {FIRST NAMES "counter,1,2,3,0\nbuffer,1,2,3\n", ":4: a row of a recording has 5 fields"},
    {FIRST NAMES "counter,1,2,3,0\nbuff", ":4: a row of a recording has 5 fields, not 1"},
    {FIRST NAMES "counter,1,2,3,0,7\n", ":3: a row of a recording has 5 fields, not 6"},
    {FIRST NAMES "counter,3,2,3,0\n", ":3: t_after_ns is before t_before_ns"},
    {FIRST NAMES "counter,1,2,-3,0\n", ":3: the value -3 is out of range"},
    {FIRST NAMES "temp,1,2,9223372036854775807,0\n", ":3: the value 9223372036854775807 is"},
    {FIRST NAMES "buffer,1,2,3,9223372036854775807\n", ":3: device_ts_us is out of range"},
    {FIRST NAMES "usage,1,9223372036854775807,3,0\n", ":3: t_before_ns or t_after_ns is"},
    {FIRST NAMES "\"buffer,1,2,3,4\n", ":3:1: this quote is never closed"},
};
#undef FIRST
#undef NAMES

static void a_bad_recording_is_refused_by_line(void **state)
{
    char dir[TEMP_PATH], path[TEMP_PATH + 16], said[512], expected[256];
    struct nvml_recording read;
    struct pj_error err;
    (void)state;
    temp_open(dir);
    snprintf(path, sizeof path, "%s/bad.csv", dir);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char command[2048];
        const char *build = getenv("PERJOULE_BUILD_ROOT");
        temp_write(dir, "bad.csv", bad[i].text);
        memset(&err, 0, sizeof err);
        assert_int_equal(nvml_recording_read(&read, path, &err), PJ_EINVAL);
        snprintf(expected, sizeof expected, "%s%s", path, bad[i].said);
        assert_memory_equal(err.text, expected, strlen(expected));
        if (i % 4 != 0)
            continue; /* both users of the reader, on some */
        snprintf(command, sizeof command, "'%s/tests/tools/recording_to_trace' '%s' 2>'%s/said'",
                 build ? build : "build", path, dir);
        int status = system(command);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 2);
        snprintf(command, sizeof command, "%s/said", dir);
        FILE *file = fopen(command, "r");
        assert_non_null(file);
        assert_non_null(fgets(said, sizeof said, file));
        fclose(file);
        assert_non_null(strstr(said, expected));
        nvml_rig_setup(&rig);
        setenv("FAKE_NVML_TRACE", path, 1);
        nvml_rig_open(&rig);
        assert_int_equal(nvml_rig_missing(&rig)->domain_kind, PJI_DOMAIN_GPU);
        nvml_rig_teardown(&rig);
    }
    temp_close(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(played_live_every_sample_comes_once),
        cmocka_unit_test(played_live_energies_agree),
        cmocka_unit_test(played_live_both_ways_agree),
        cmocka_unit_test(converted_energies_agree),
        cmocka_unit_test(a_bad_recording_is_refused_by_line),
    };
    return cmocka_run_group_tests(tests, load, NULL);
}
