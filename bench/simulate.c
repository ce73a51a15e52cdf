/* bench/simulate.c - do the stated intervals hold? For known power curves and instruments with
 * errors drawn from the distributions that their channels state (sensors.c), the energy of random
 * windows is computed as in a real measurement and compared with the truth:
 *
 *     coverage   share of windows whose truth lies within 1.96 u
 *     width      mean length of that interval / length of the 2.5-97.5 % range of the errors
 *
 * Usage: simulate [RUNS [RECORDING.csv]]; prints a Markdown table, three figures for windows of
 * 0.2, 1 and 5 s, and then every figure below 93 % or wider than 1.3. docs/uncertainty.md has its
 * output and what it means. The seed is fixed: the same program prints the same table.
 */
#include "cli/run_series.h"
#include "core/num.h"
#include "energy/series.h"
#include "sensors.h"
#include "truth.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DURATIONS = 3 };
static const double durations_ns[DURATIONS] = {0.2e9, 1e9, 5e9};

struct figure {
    double coverage, width; /* per cent; ratio */
};

static void check(pj_status status, const struct pj_error *err)
{
    if (status != PJ_OK) {
        (void)fprintf(stderr, "simulate: %s\n", err->text);
        exit(1);
    }
}

static void energy_of_window(const struct pji_channel *channel, const struct pji_reading *readings,
                             size_t n, double start, double end, struct pj_energy *out)
{
    struct pji_series series;
    struct pj_error err = {0};
    check(pji_series_init(&series, channel, true, &err), &err);
    for (size_t i = 0; i < n; i++) {
        check(pji_series_add(&series, &readings[i], &err), &err);
    }
    pji_series_window(&series, NULL, (int64_t)start, (int64_t)end, out);
    pji_series_fini(&series);
}

/* As cli/tally.c feeds a run. */
static void energy_of_run(const struct pji_channel *channel, const struct pji_reading *readings,
                          size_t n, double start, double end, struct pj_energy *out)
{
    struct pji_run_series run = {0};
    struct pj_error err = {0};
    check(pji_run_series_init(&run, channel, 1, &err), &err);
    pji_run_series_start(&run, (int64_t)start);
    for (size_t i = 0; i < n; i++) {
        if (readings[i].t_ns > (int64_t)end && run.end_ns == 0) {
            pji_run_series_end(&run, (int64_t)end);
        }
        check(pji_run_series_add(&run, &readings[i], &err), &err);
    }
    pji_run_series_end(&run, (int64_t)end);
    check(pji_run_series_finish(&run, &err), &err);
    pji_series_total(&run.series[0], NULL, out);
    pji_run_series_fini(&run);
}

/* One window: its error and its interval's half-length, J. */
static void run_once(enum sensor sensor, const double *truth, double dur_ns, bool common,
                     struct pji_prng *prng, double *error, double *half)
{
    static struct pji_reading readings[SENSOR_READINGS];
    struct pji_channel channel = sensor_channel(sensor, common);
    double start = 1.0e9 + 1.0e9 * pji_prng_unit(prng);
    double end = start + dur_ns * (0.95 + 0.1 * pji_prng_unit(prng));
    bool exact = sensor == SENSOR_PACKAGE_RUN;
    double from = exact ? start : start - 0.5e9 - 0.1e9 * pji_prng_unit(prng);
    size_t n =
        sensor_read(sensor, &channel, truth, prng, from, exact ? end : end + 0.5e9, readings);
    struct pj_energy e;
    (sensor_is_run(sensor) ? energy_of_run : energy_of_window)(&channel, readings, n, start, end,
                                                               &e);
    if (e.origin == PJ_ORIGIN_MISSING || e.quality != 0) {
        (void)fprintf(stderr, "simulate: unexpected quality %x %s\n", e.quality, e.reason);
        exit(1);
    }
    *error = e.value_j - (truth_at(truth, end) - truth_at(truth, start)) / 1e6;
    *half = 1.96 * pj_energy_u(&e);
}

static int ascending(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static struct figure simulate(enum profile profile, const struct recording *recording,
                              enum sensor sensor, double dur_ns, bool common, int runs)
{
    static double truth[TRUTH_STEPS + 1];
    double *errors = malloc((size_t)runs * sizeof *errors);
    double halves = 0, covered = 0;
    struct pji_prng prng;
    if (errors == NULL) {
        exit(1);
    }
    pji_prng_init(&prng, 20261121, profile_names[profile]);
    for (int i = 0; i < runs; i++) {
        double half = 0;
        truth_draw(profile, recording, &prng, truth);
        run_once(sensor, truth, dur_ns, common, &prng, &errors[i], &half);
        covered += fabs(errors[i]) <= half;
        halves += half;
    }
    qsort(errors, (size_t)runs, sizeof *errors, ascending);
    double range = errors[(int)(0.975 * runs)] - errors[(int)(0.025 * runs)];
    free(errors);
    return (struct figure){100 * covered / runs, 2 * halves / runs / range};
}

static void print_cells(const struct figure *f)
{
    printf(" | %.1f / %.1f / %.1f | %.2f / %.2f / %.2f", f[0].coverage, f[1].coverage,
           f[2].coverage, f[0].width, f[1].width, f[2].width);
}

static struct figure all[PROFILES][SENSORS][2][DURATIONS];

static void print_outside(void)
{
    static const char *const parts[2] = {"u_ind", "u"};
    printf("\nCoverage below 93 %% or width above 1.3:\n\n");
    for (int common = 1; common >= 0; common--) {
        for (int p = 0; p < PROFILES; p++) {
            for (int s = 0; s < SENSORS; s++) {
                for (int k = 0; k < DURATIONS; k++) {
                    struct figure f = all[p][s][common][k];
                    bool good = f.coverage >= 93 && f.width <= 1.3;
                    if (f.width > 0 && !good) {
                        printf("%s: %s, %s, %g s: coverage %.1f %%, width %.2f\n", parts[common],
                               profile_names[p], sensor_names[s], durations_ns[k] / 1e9, f.coverage,
                               f.width);
                    }
                }
            }
        }
    }
}

int main(int argc, char **argv)
{
    int64_t runs = 4000;
    struct recording recording;
    bool recorded = recording_load(&recording, argc > 2 ? argv[2] : "");
    if (argc > 1 && (pji_num_parse_i64(argv[1], strlen(argv[1]), &runs, NULL) != PJ_OK ||
                     runs < 40 || runs > 1000000)) {
        (void)fprintf(stderr, "usage: simulate [RUNS [RECORDING.csv]]\n");
        return 2;
    }
    printf("| profile | instrument | coverage %% | width | u_ind: coverage %% | u_ind: width |\n"
           "|---|---|---|---|---|---|\n");
    for (int p = 0; p < PROFILES; p++) {
        for (int s = 0; s < SENSORS && (p != PROFILE_RECORDING || recorded); s++) {
            printf("| %s | %s", profile_names[p], sensor_names[s]);
            for (int common = 1; common >= 0; common--) {
                for (int k = 0; k < DURATIONS; k++) {
                    all[p][s][common][k] = simulate((enum profile)p, &recording, (enum sensor)s,
                                                    durations_ns[k], common == 1, (int)runs);
                }
                print_cells(all[p][s][common]);
            }
            printf(" |\n");
            (void)fflush(stdout);
        }
    }
    print_outside();
    recording_free(&recording);
    return 0;
}
