/* Recordings of GPUs that never were (support/synthetic_recording.h), of which the truth is known,
 * played to the live source through the fake library and turned into traces: other refresh periods,
 * counters, loads, clocks, stalled readers. Both ways each sample arrives once; over a load of 8 to
 * 12 s buffer, counter and truth agree within 0.5 %; of short windows the stated interval covers
 * the truth, on the independent part of u alone, because these sensors have no gain error.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/prng.h"
#include "core/units.h"
#include "energy/trace.h"
#include "nvml_rig.h"
#include "synthetic_recording.h"
#include "temp.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RANDOM_WINDOWS = 300 };

static const int64_t rig_zero_ns = INT64_C(1000) * PJI_NS_PER_S;

struct tally {
    size_t n, inside, full;
    double worst; /* |error| / u */
};

static void judge(struct tally *tally, const struct pj_energy *energy, double truth_j)
{
    double error = fabs(energy->value_j - truth_j);
    tally->n++;
    tally->inside += error <= 1.96 * energy->u_ind_j;
    tally->full += error <= 1.96 * pj_energy_u(energy);
    tally->worst = fmax(tally->worst, error / energy->u_ind_j);
}

/* shift_ns: from the recording's clock to the series'. */
static struct tally short_windows(const struct pji_series *power, const struct synthetic *s,
                                  int64_t shift_ns)
{
    struct tally tally = {0};
    struct pj_energy energy;
    struct pji_prng prng;
    for (size_t i = 0; i < s->n_phases; i++) {
        const struct synthetic_phase *p = &s->phases[i];
        double dur_s = pji_s_from_ns(p->end_ns - p->start_ns);
        pji_series_window(power, NULL, p->start_ns + shift_ns, p->end_ns + shift_ns, &energy);
        if (!pj_energy_valid(&energy) && s->end_ns - p->end_ns < PJI_NS_PER_S)
            continue;
        assert_true(pj_energy_valid(&energy));
        if (dur_s >= 0.19 && dur_s <= 2.1)
            judge(&tally, &energy, synthetic_joule(s, p->start_ns, p->end_ns));
    }
    pji_prng_init(&prng, s->seed, "windows");
    for (int i = 0; i < RANDOM_WINDOWS; i++) {
        int64_t room_ns = s->end_ns - s->start_ns - 6 * PJI_NS_PER_S;
        int64_t start_ns =
            s->start_ns + 3 * PJI_NS_PER_S + (int64_t)(pji_prng_unit(&prng) * (double)room_ns);
        int64_t end_ns = start_ns + (int64_t)((0.2 + 1.8 * pji_prng_unit(&prng)) * 1e9);
        pji_series_window(power, NULL, start_ns + shift_ns, end_ns + shift_ns, &energy);
        assert_true(pj_energy_valid(&energy));
        judge(&tally, &energy, synthetic_joule(s, start_ns, end_ns));
    }
    return tally;
}

/* Worst relative difference from the truth, and from the counter where there is one. */
static double long_windows(const struct pji_series *power, const struct pji_series *counter,
                           const struct synthetic *s, int64_t shift_ns)
{
    double worst = 0;
    for (size_t i = 0; i < s->n_phases; i++) {
        const struct synthetic_phase *p = &s->phases[i];
        if (!p->load)
            continue;
        for (int64_t at_ns = 0; at_ns <= 3; at_ns++) {
            int64_t a = p->start_ns + at_ns * PJI_NS_PER_S / 2 + shift_ns;
            int64_t b = a + (8 + at_ns) * PJI_NS_PER_S;
            struct pj_energy by_power, by_counter;
            if (b > p->end_ns + shift_ns)
                b = p->end_ns + shift_ns;
            pji_series_window(power, NULL, a, b, &by_power);
            double truth_j = synthetic_joule(s, a - shift_ns, b - shift_ns);
            worst = fmax(worst, fabs(by_power.value_j / truth_j - 1));
            if (!counter)
                continue;
            pji_series_window(counter, NULL, a, b, &by_counter);
            worst = fmax(worst, fabs(by_power.value_j / by_counter.value_j - 1));
        }
    }
    return worst;
}

/* NVML does not say what its samples are means of (sources/nvml_rows.h): of their spacing, at most
 * 25 ms, or of the time since the sample before. Half of u_ind^2 is for either; a sensor that sees
 * less is covered by the whole of u only. */
static double least_own(const struct synthetic_row *row)
{
    bool fixed = row->average_ms >= fmin(row->spacing_ms, 25);
    return row->aliased ? 0 : row->average_ms < 0 ? 0.95 : fixed ? 0.88 : 0;
}

static void check(const char *way, const struct pji_series *power, const struct pji_series *counter,
                  const struct synthetic *s, int64_t shift_ns)
{
    struct tally tally = short_windows(power, s, shift_ns);
    double all = (double)tally.full / (double)tally.n, own = (double)tally.inside / (double)tally.n;
    double worst = long_windows(power, counter, s, shift_ns);
    print_message("# %s, %s: of %zu short windows %.1f %% within 1.96 u, %.1f %% within 1.96 u_ind "
                  "(worst %.1f u_ind); load within %.2f %%\n",
                  s->row.name, way, tally.n, 100 * all, 100 * own, tally.worst, 100 * worst);
    assert_true(worst < 0.005);
    assert_true(s->row.aliased || all >= 0.95);
    assert_true(own >= least_own(&s->row));
}

/* ---- the live source ---- */

static struct nvml_rig rig;

static void series_of(struct pji_series *series, const char *name)
{
    int32_t channel = nvml_rig_channel(&rig, name);
    assert_int_equal(pji_series_init(series, &rig.table.channels[channel], true, NULL), PJ_OK);
    for (size_t i = 0; i < rig.n; i++)
        if (rig.readings[i].channel == channel)
            assert_int_equal(pji_series_add(series, &rig.readings[i], NULL), PJ_OK);
}

static void each_sample_once(const struct synthetic *s)
{
    int32_t power = nvml_rig_channel(&rig, "nvml:0:power");
    size_t n = 0;
    for (size_t i = 0; i < rig.n; i++) {
        if (rig.readings[i].channel != power || rig.readings[i].status != PJI_READ_OK)
            continue;
        assert_true(n < s->n_samples);
        assert_int_equal(rig.readings[i].value, s->samples[n++].power_mw);
    }
    assert_int_equal(n, s->n_samples);
    assert_int_equal(rig.dropped, 0);
}

static void play(const struct synthetic *s, const char *path)
{
    char ring[32];
    struct pji_series power;
    snprintf(ring, sizeof ring, "%u", s->row.ring);
    nvml_rig_setup(&rig);
    setenv("FAKE_NVML_TRACE", path, 1);
    setenv("FAKE_NVML_RING", ring, 1);
    nvml_rig_open(&rig);
    nvml_rig_read(&rig, true);
    nvml_rig_run(&rig, s->end_ns - s->start_ns + 2 * PJI_NS_PER_S);
    each_sample_once(s);
    series_of(&power, "nvml:0:power");
    check("live", &power, NULL, s, rig_zero_ns - s->start_ns);
    pji_series_fini(&power);
    nvml_rig_teardown(&rig);
}

/* ---- recording-to-trace ---- */

static void convert(const struct synthetic *s, const char *dir, const char *path)
{
    char command[1024], trace_path[TEMP_PATH + 16];
    const char *build = getenv("PERJOULE_BUILD_ROOT");
    struct pji_trace trace = {0};
    struct pj_error err = {0};
    const struct pji_series *power = NULL, *counter = NULL;
    snprintf(trace_path, sizeof trace_path, "%s/trace", dir);
    snprintf(command, sizeof command, "'%s/tests/tools/recording_to_trace' '%s' '%s'",
             build ? build : "build", path, trace_path);
    assert_int_equal(system(command), 0);
    if (pji_trace_load(&trace, trace_path, &err))
        fail_msg("%s", err.text);
    assert_true(trace.complete);
    for (size_t i = 0; i < trace.header.n_channels; i++) {
        if (strcmp(trace.header.channels[i].name, "nvml:0:power") == 0)
            power = &trace.series[i];
        if (strcmp(trace.header.channels[i].name, "nvml:0:energy") == 0)
            counter = &trace.series[i];
    }
    if (!power)
        fail_msg("%s", "the trace has no power samples");
    else
        assert_int_equal(power->readings, s->n_samples);
    assert_int_equal(counter != NULL, s->row.counter_step_ms > 0);
    if (counter) {
        struct tally tally = short_windows(counter, s, 0);
        print_message("# %s, its counter: %zu of %zu short windows within 1.96 u, %zu within 1.96 "
                      "u_ind\n",
                      s->row.name, tally.full, tally.n, tally.inside);
        assert_true((double)tally.full >= 0.93 * (double)tally.n);
    }
    if (power)
        check("converted", power, counter, s, 0);
    pji_trace_fini(&trace);
}

static void every_recording_gives_its_truth(void **state)
{
    char dir[TEMP_PATH], path[TEMP_PATH + 16];
    (void)state;
    temp_open(dir);
    snprintf(path, sizeof path, "%s/recording", dir);
    for (const struct synthetic_row *row = synthetic_rows; row->name; row++) {
        for (unsigned seed = 1; seed <= row->seeds; seed++) {
            struct synthetic synthetic;
            synthetic_make(&synthetic, row, seed);
            synthetic_write(&synthetic, path);
            play(&synthetic, path);
            convert(&synthetic, dir, path);
            synthetic_free(&synthetic);
        }
    }
    temp_close(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_recording_gives_its_truth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
