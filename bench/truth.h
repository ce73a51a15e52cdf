/* bench/truth.h - known power curves, as cumulative energy on a grid of 1 ms. */
#ifndef BENCH_TRUTH_H
#define BENCH_TRUTH_H

#include "core/prng.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRUTH_STEP_NS INT64_C(1000000)
enum { TRUTH_STEPS = 9000 };

struct recording {
    double *t_ns; /* ascending, from 0 */
    double *power_mw;
    size_t n;
};

enum profile {
    PROFILE_IDLE,
    PROFILE_SQUARE_50,
    PROFILE_SQUARE_300,
    PROFILE_SQUARE_1000,
    PROFILE_LLM,
    PROFILE_RECORDING,
    PROFILES
};

extern const char *const profile_names[PROFILES];

/* Power samples of a recorded GPU; false when the file is not there. */
bool recording_load(struct recording *recording, const char *path);
void recording_free(struct recording *recording);

/* Draws one curve: energy_uj[i] is the energy up to i ms. */
void truth_draw(enum profile profile, const struct recording *recording, struct pji_prng *prng,
                double energy_uj[TRUTH_STEPS + 1]);
/* Energy up to any time on the grid's range. */
double truth_at(const double energy_uj[TRUTH_STEPS + 1], double t_ns);

#endif
