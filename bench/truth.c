/* bench/truth.c - the curves: an idle device, on-off loads, a language model that serves requests
 * (prefill at full power, decode at middle power with a ripple for each token, gaps), and power
 * samples of a real GPU. All with sensor-scale noise of 1 % at 1 ms.
 */
#include "truth.h"

#include "fake_nvml.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const profile_names[PROFILES] = {
    "idle", "square 50 ms", "square 300 ms", "square 1 s", "prefill/decode", "recording",
};

bool recording_load(struct recording *recording, const char *path)
{
    struct fake_curve curve = {0};
    char why[256];
    *recording = (struct recording){0};
    if (*path == '\0' || !fake_curve_load(&curve, path, why, sizeof why)) {
        return false;
    }
    const struct fake_series *buffer = &curve.series[FAKE_K_BUFFER];
    recording->t_ns = calloc(buffer->n + 1, sizeof *recording->t_ns);
    recording->power_mw = calloc(buffer->n + 1, sizeof *recording->power_mw);
    if (recording->t_ns == NULL || recording->power_mw == NULL) {
        abort();
    }
    for (size_t i = 0; i < buffer->n; i++) {
        recording->t_ns[i] = (double)(buffer->rows[i].t_ns - buffer->rows[0].t_ns);
        recording->power_mw[i] = (double)buffer->rows[i].value;
    }
    recording->n = buffer->n;
    fake_curve_fini(&curve);
    return recording->n > 1000;
}

void recording_free(struct recording *recording)
{
    free(recording->t_ns);
    free(recording->power_mw);
    *recording = (struct recording){0};
}

static double between(struct pji_prng *prng, double low, double high)
{
    return low + (high - low) * pji_prng_unit(prng);
}

static void draw_square(struct pji_prng *prng, double half_ms, double power_mw[TRUTH_STEPS])
{
    double low = between(prng, 60e3, 100e3), high = between(prng, 400e3, 690e3);
    double until = between(prng, 0, half_ms);
    bool on = pji_prng_below(prng, 2) == 1;
    for (int i = 0; i < TRUTH_STEPS; i++) {
        while (i >= until) {
            until += half_ms * between(prng, 0.98, 1.02); /* no host keeps time exactly */
            on = !on;
        }
        power_mw[i] = on ? high : low;
    }
}

static void draw_llm(struct pji_prng *prng, double power_mw[TRUTH_STEPS])
{
    double idle = between(prng, 70e3, 120e3), prefill = between(prng, 550e3, 690e3);
    double decode = between(prng, 250e3, 450e3), token_ms = between(prng, 8, 30);
    double phase_end = between(prng, 0, 500), ripple = between(prng, 0.02, 0.15);
    int phase = (int)pji_prng_below(prng, 3);
    for (int i = 0; i < TRUTH_STEPS; i++) {
        while (i >= phase_end) {
            phase = (phase + 1) % 3;
            phase_end += phase == 0   ? between(prng, 50, 600)
                         : phase == 1 ? between(prng, 30, 500)
                                      : between(prng, 300, 3000);
        }
        double wave = sin(2 * 3.14159265358979 * i / token_ms);
        power_mw[i] = phase == 0 ? idle : phase == 1 ? prefill : decode * (1 + ripple * wave);
    }
}

static void draw_recording(const struct recording *recording, struct pji_prng *prng,
                           double power_mw[TRUTH_STEPS])
{
    double length_ns = recording->t_ns[recording->n - 1];
    double at = between(prng, 0, length_ns - (TRUTH_STEPS + 1.0) * (double)TRUTH_STEP_NS);
    size_t k = 0;
    for (int i = 0; i < TRUTH_STEPS; i++) {
        while (recording->t_ns[k + 1] <= at + i * (double)TRUTH_STEP_NS) {
            k++;
        }
        power_mw[i] = recording->power_mw[k];
    }
}

void truth_draw(enum profile profile, const struct recording *recording, struct pji_prng *prng,
                double energy_uj[TRUTH_STEPS + 1])
{
    static double power_mw[TRUTH_STEPS];
    switch (profile) {
    case PROFILE_IDLE:
        for (int i = 0; i < TRUTH_STEPS; i++) {
            power_mw[i] = 80e3;
        }
        break;
    case PROFILE_SQUARE_50:
        draw_square(prng, 50, power_mw);
        break;
    case PROFILE_SQUARE_300:
        draw_square(prng, 300, power_mw);
        break;
    case PROFILE_SQUARE_1000:
        draw_square(prng, 1000, power_mw);
        break;
    case PROFILE_LLM:
        draw_llm(prng, power_mw);
        break;
    case PROFILE_RECORDING:
        draw_recording(recording, prng, power_mw);
        break;
    case PROFILES:
        abort();
    }
    energy_uj[0] = 0;
    for (int i = 0; i < TRUTH_STEPS; i++) {
        double mw = power_mw[i] * (1 + 0.01 * pji_prng_normal(prng));
        energy_uj[i + 1] = energy_uj[i] + mw; /* 1 mW for 1 ms is 1 uJ */
    }
}

double truth_at(const double energy_uj[TRUTH_STEPS + 1], double t_ns)
{
    double steps = t_ns / (double)TRUTH_STEP_NS;
    double whole = floor(steps);
    if (whole < 0 || whole >= TRUTH_STEPS) {
        abort();
    }
    size_t i = (size_t)whole;
    return energy_uj[i] + (energy_uj[i + 1] - energy_uj[i]) * (steps - whole);
}
