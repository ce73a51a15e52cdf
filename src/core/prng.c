/* core/prng.c - xoshiro256** (Blackman and Vigna, doi:10.1145/3460772; public domain reference at
 * prng.di.unimi.it) seeded through SplitMix64 (Steele, Lea and Flood, doi:10.1145/2660193.2660195);
 * bounded numbers after Lemire (doi:10.1145/3230636); normals by Marsaglia's polar method, one of
 * each pair used so that the state is only `s`.
 */
#include "core/prng.h"

#include "core/hash.h"

#include <math.h>
#include <string.h>

static uint64_t rotate_left(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void pji_prng_init(struct pji_prng *prng, uint64_t seed, const char *stream)
{
    uint64_t state = seed ^ pji_fnv1a(PJI_FNV1A_START, stream, stream ? strlen(stream) : 0);
    for (int i = 0; i < 4; i++)
        prng->s[i] = splitmix64(&state);
}

uint64_t pji_prng_u64(struct pji_prng *prng)
{
    uint64_t *s = prng->s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t pji_prng_below(struct pji_prng *prng, uint64_t bound)
{
    if (bound <= 1)
        return 0;
    __extension__ typedef unsigned __int128 u128;
    u128 product = (u128)pji_prng_u64(prng) * bound;
    if ((uint64_t)product < bound) {
        uint64_t reject = (0 - bound) % bound; /* 2^64 mod bound */
        while ((uint64_t)product < reject)
            product = (u128)pji_prng_u64(prng) * bound;
    }
    return (uint64_t)(product >> 64);
}

double pji_prng_unit(struct pji_prng *prng)
{
    return (double)(pji_prng_u64(prng) >> 11) * 0x1p-53;
}

double pji_prng_normal(struct pji_prng *prng)
{
    double u, v, square;
    do {
        u = 2 * pji_prng_unit(prng) - 1;
        v = 2 * pji_prng_unit(prng) - 1;
        square = u * u + v * v;
    } while (square >= 1 || square <= 0);
    return u * sqrt(-2 * log(square) / square);
}

double pji_prng_exponential(struct pji_prng *prng)
{
    return -log1p(-pji_prng_unit(prng));
}

void pji_prng_shuffle(struct pji_prng *prng, size_t *items, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)pji_prng_below(prng, i);
        size_t kept = items[i - 1];
        items[i - 1] = items[j];
        items[j] = kept;
    }
}
