/* core/prng.h - the one pseudo-random generator: xoshiro256** (Blackman and Vigna 2018,
 * doi:10.1145/3460772), seeded through SplitMix64. Streams: a named stream of a seed is seeded with
 * seed XOR FNV-1a-64(name), so that drawing more from one stream never moves another. The same
 * (seed, stream) gives the same numbers on every platform: part of the study format.
 */
#ifndef PJI_CORE_PRNG_H
#define PJI_CORE_PRNG_H

#include <stddef.h>
#include <stdint.h>

struct pji_prng {
    uint64_t s[4];
};

void pji_prng_init(struct pji_prng *prng, uint64_t seed, const char *stream);
uint64_t pji_prng_u64(struct pji_prng *prng);
/* Uniform in [0, bound), without modulo bias (Lemire's method); bound >= 1. */
uint64_t pji_prng_below(struct pji_prng *prng, uint64_t bound);
/* Uniform in [0, 1): the top 53 bits. */
double pji_prng_unit(struct pji_prng *prng);
/* Standard normal (polar method); exponential with mean 1. */
double pji_prng_normal(struct pji_prng *prng);
double pji_prng_exponential(struct pji_prng *prng);
/* Fisher-Yates on `n` indices. */
void pji_prng_shuffle(struct pji_prng *prng, size_t *items, size_t n);

#endif
