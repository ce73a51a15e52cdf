/* bench/simulate.c - do the stated intervals hold? For known power curves and instruments with
 * errors drawn from the distributions that their channels state, the energy of random windows is
 * computed as in a real measurement and compared with the truth:
 *
 *     coverage   share of windows whose truth lies within 1.96 u
 *     width      mean length of that interval / length of the 2.5-97.5 % range of the errors
 *
 * Usage: simulate [RUNS [RECORDING.csv]]; prints a Markdown table. docs/uncertainty.md has its
 * output and what it means. The seed is fixed: the same program prints the same table.
 */
#include "energy/series.h"

#include "truth.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct instrument {
    const char *name;
    struct pji_channel channel;
    double interval_ns, jitter_ns; /* of the readings: normal */
    bool total;                    /* the window's edges are readings */
};

static const struct instrument instruments[] = {
    {.name = "package counter, 10 Hz, edges read",
     .channel = {.kind = PJI_COUNTER,
                 .role = PJI_ROLE_ENERGY,
                 .origin = PJ_ORIGIN_COUNTER,
                 .refresh_ns = 1000000,
                 .quantum = 61,
                 .gain_rel = 0.02,
                 .offset_mw = 200,
                 .cap_mw = 800e3},
     .interval_ns = 100e6,
     .jitter_ns = 50e3,
     .total = true},
    {.name = "package counter, 10 Hz",
     .channel = {.kind = PJI_COUNTER,
                 .role = PJI_ROLE_ENERGY,
                 .origin = PJ_ORIGIN_COUNTER,
                 .refresh_ns = 1000000,
                 .quantum = 61,
                 .gain_rel = 0.02,
                 .offset_mw = 200,
                 .cap_mw = 800e3},
     .interval_ns = 100e6,
     .jitter_ns = 50e3},
    {.name = "package counter, 100 Hz",
     .channel = {.kind = PJI_COUNTER,
                 .role = PJI_ROLE_ENERGY,
                 .origin = PJ_ORIGIN_COUNTER,
                 .refresh_ns = 1000000,
                 .quantum = 61,
                 .gain_rel = 0.02,
                 .offset_mw = 200,
                 .cap_mw = 800e3},
     .interval_ns = 10e6,
     .jitter_ns = 50e3},
    {.name = "GPU counter, 20 ms",
     .channel = {.kind = PJI_COUNTER,
                 .role = PJI_ROLE_ENERGY,
                 .origin = PJ_ORIGIN_COUNTER,
                 .refresh_ns = 100000000,
                 .quantum = 1000,
                 .gain_rel = 0.025,
                 .offset_mw = 500,
                 .cap_mw = 700e3},
     .interval_ns = 20e6,
     .jitter_ns = 1e6},
    {.name = "GPU power samples, 20 ms",
     .channel = {.kind = PJI_GAUGE,
                 .role = PJI_ROLE_POWER,
                 .origin = PJ_ORIGIN_INTEGRATED,
                 .refresh_ns = 20000000,
                 .quantum = 1,
                 .gain_rel = 0.025,
                 .offset_mw = 500,
                 .average_ns = 20000000,
                 .lag_ns = 20000000,
                 .edge_u_ns = 5000000,
                 .cap_mw = 700e3},
     .interval_ns = 20e6,
     .jitter_ns = 1e6},
};
enum { INSTRUMENTS = sizeof instruments / sizeof instruments[0] };

/* What one run drew: errors of the instrument and the phase of its refresh. */
struct draw {
    double gain, offset_mw, phase_ns, delay_ns;
};

static double seen_uj(const double *truth, const struct draw *d, double t_ns)
{
    return (1 + d->gain) * truth_at(truth, t_ns) + d->offset_mw * t_ns / 1e6;
}

static void add(struct pji_series *s, double t_ns, double value)
{
    struct pji_reading r = {.t_ns = (int64_t)t_ns, .value = (int64_t)value};
    struct pj_error err = {0};
    if (pji_series_add(s, &r, &err) != PJ_OK) {
        fprintf(stderr, "simulate: %s\n", err.text);
        exit(1);
    }
}

/* The instrument reads from `from` to `to`, at random phase, both of its own refresh and of ours.
 */
static void read_all(struct pji_series *s, const struct instrument *in, const double *truth,
                     const struct draw *d, struct pji_prng *prng, double from, double to)
{
    const struct pji_channel *c = &in->channel;
    double next = from;
    bool done = false;
    while (!done) {
        double t = next >= to ? to : next + in->jitter_ns * pji_prng_normal(prng);
        t = t < from ? from : t;
        done = next >= to;
        double refresh_ns = (double)c->refresh_ns;
        if (c->kind == PJI_COUNTER) {
            double updated = floor((t - d->phase_ns) / refresh_ns) * refresh_ns + d->phase_ns;
            add(s, t, floor(seen_uj(truth, d, updated) / c->quantum) * c->quantum);
        } else { /* the mean of a past time, seen late by an unknown rest */
            double at = t - (double)(c->lag_ns - c->average_ns) - d->delay_ns;
            double window_ns = (double)c->average_ns;
            double uj = seen_uj(truth, d, at) - seen_uj(truth, d, at - window_ns);
            add(s, t, floor(uj / window_ns * 1e6));
        }
        next += in->interval_ns;
    }
}

struct result {
    double *errors;
    double width_sum, u_sum, value_sum;
    int covered, n;
};

static void run_once(const struct instrument *in, const double *truth, double dur_ns, bool common,
                     struct pji_prng *prng, struct result *result)
{
    struct pji_channel channel = in->channel;
    struct pji_series s;
    struct pj_energy e;
    struct draw d = {.phase_ns = pji_prng_unit(prng) * (double)channel.refresh_ns,
                     .delay_ns = (double)channel.edge_u_ns * pji_prng_normal(prng)};
    snprintf(channel.name, sizeof channel.name, "simulated");
    channel.companion = -1;
    if (common) {
        d.gain = channel.gain_rel * pji_prng_normal(prng);
        d.offset_mw = channel.offset_mw * pji_prng_normal(prng);
    } else {
        channel.gain_rel = channel.offset_mw = 0;
    }
    double start = 1.0e9 + 1.0e9 * pji_prng_unit(prng);
    double end = start + dur_ns * (0.95 + 0.1 * pji_prng_unit(prng));
    if (pji_series_init(&s, &channel, true, NULL) != PJ_OK) {
        exit(1);
    }
    if (in->total) {
        read_all(&s, in, truth, &d, prng, start, end);
        pji_series_total(&s, NULL, &e);
    } else {
        read_all(&s, in, truth, &d, prng, start - 0.5e9 - in->interval_ns * pji_prng_unit(prng),
                 end + 0.5e9);
        pji_series_window(&s, NULL, (int64_t)start, (int64_t)end, &e);
    }
    double exact = (truth_at(truth, end) - truth_at(truth, start)) / 1e6;
    double error = e.value_j - exact, u = pj_energy_u(&e);
    if (e.origin == PJ_ORIGIN_MISSING || e.quality != 0) {
        fprintf(stderr, "simulate: unexpected quality %x %s\n", e.quality, e.reason);
        exit(1);
    }
    result->errors[result->n++] = error;
    result->covered += fabs(error) <= 1.96 * u;
    result->width_sum += 2 * 1.96 * u;
    result->value_sum += exact;
    pji_series_fini(&s);
}

static int ascending(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void print_row(const char *profile, const struct instrument *in, double dur_ns,
                      struct result *r)
{
    qsort(r->errors, (size_t)r->n, sizeof *r->errors, ascending);
    double low = r->errors[(int)(0.025 * r->n)], high = r->errors[(int)(0.975 * r->n)];
    printf("| %s | %s | %.1f | %.1f | ±%.2f | %.1f | %.2f |\n", profile, in->name, dur_ns / 1e9,
           r->value_sum / r->n, r->width_sum / r->n / 2, 100.0 * r->covered / r->n,
           r->width_sum / r->n / (high - low));
    fflush(stdout);
}

static void simulate(enum profile profile, const struct recording *recording, int runs, bool common)
{
    const double durs_ns[] = {0.2e9, 1e9, 5e9};
    static double truth[TRUTH_STEPS + 1];
    double *errors = malloc((size_t)runs * sizeof *errors);
    if (errors == NULL) {
        exit(1);
    }
    for (int i = 0; i < INSTRUMENTS; i++) {
        for (size_t k = 0; k < sizeof durs_ns / sizeof durs_ns[0]; k++) {
            struct result result = {.errors = errors};
            struct pji_prng prng;
            pji_prng_init(&prng, 20261121, profile_names[profile]);
            for (int run = 0; run < runs; run++) {
                truth_draw(profile, recording, &prng, truth);
                run_once(&instruments[i], truth, durs_ns[k], common, &prng, &result);
            }
            print_row(profile_names[profile], &instruments[i], durs_ns[k], &result);
        }
    }
    free(errors);
}

int main(int argc, char **argv)
{
    int runs = argc > 1 ? atoi(argv[1]) : 4000;
    struct recording recording;
    bool recorded = recording_load(&recording, argc > 2 ? argv[2] : "");
    for (int common = 1; common >= 0; common--) {
        printf("\n%s\n\n", common ? "With gain and offset drawn:"
                                  : "The independent part alone (gain and offset 0):");
        printf(
            "| profile | instrument | window s | energy J | 1.96 u, J | coverage %% | width |\n");
        printf("|---|---|---|---|---|---|---|\n");
        for (int p = 0; p < PROFILES; p++) {
            if (p != PROFILE_RECORDING || recorded) {
                simulate((enum profile)p, &recording, runs, common == 1);
            }
        }
    }
    recording_free(&recording);
    return 0;
}
