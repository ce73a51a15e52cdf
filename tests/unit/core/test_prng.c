/* Random numbers: published values, since the numbers are part of the study format. */
#include "core/prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

/* rand_xoshiro's and numpy's test vectors for the state 1, 2, 3, 4 */
static void test_generator(void **state)
{
    (void)state;
    struct pji_prng prng = {{1, 2, 3, 4}};
    static const uint64_t want[] = {11520, 0, 1509978240, UINT64_C(1215971899390074240)};
    for (size_t i = 0; i < 4; i++)
        assert_true(pji_prng_u64(&prng) == want[i]);
}

/* SplitMix64 of 1234567, as printed in many places */
static void test_seeding(void **state)
{
    (void)state;
    static const uint64_t want[] = {UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
                                    UINT64_C(9817491932198370423), UINT64_C(4593380528125082431)};
    struct pji_prng prng, other;
    pji_prng_init(&prng, 1234567 ^ UINT64_C(0xcbf29ce484222325), ""); /* FNV-1a of "" */
    assert_memory_equal(prng.s, want, sizeof want);
    pji_prng_init(&prng, 1234567 ^ UINT64_C(0xaf63dc4c8601ec8c), "a");
    assert_memory_equal(prng.s, want, sizeof want);
    pji_prng_init(&prng, 5, NULL);
    pji_prng_init(&other, 5, "");
    assert_memory_equal(&prng, &other, sizeof prng);
    pji_prng_init(&other, 5, "order");
    assert_memory_not_equal(&prng, &other, sizeof prng);
}

static void test_below(void **state)
{
    (void)state;
    struct pji_prng prng;
    size_t seen[6] = {0};
    pji_prng_init(&prng, 1, "below");
    for (int i = 0; i < 60000; i++) {
        uint64_t n = pji_prng_below(&prng, 6);
        assert_true(n < 6);
        seen[n]++;
    }
    double chi2 = 0;
    for (size_t i = 0; i < 6; i++)
        chi2 += ((double)seen[i] - 10000) * ((double)seen[i] - 10000) / 10000;
    assert_true(chi2 < 20.5); /* df 5, p = 0.001; the seed is fixed */
    assert_int_equal(pji_prng_below(&prng, 1), 0);
    assert_int_equal(pji_prng_below(&prng, 0), 0);
    /* a bound just above a half of 2^64: the biased method would show 2/3 to 1/3 */
    uint64_t bound = UINT64_C(0xC000000000000000);
    int low = 0;
    for (int i = 0; i < 30000; i++) {
        uint64_t n = pji_prng_below(&prng, bound);
        assert_true(n < bound);
        low += n < bound / 2;
    }
    assert_true(low > 14600 && low < 15400);
}

static void test_distributions(void **state)
{
    (void)state;
    enum { N = 200000 };
    struct pji_prng prng;
    double unit = 0, normal = 0, square = 0, expo = 0;
    pji_prng_init(&prng, 2, "distributions");
    for (int i = 0; i < N; i++) {
        double u = pji_prng_unit(&prng);
        assert_true(u >= 0 && u < 1);
        unit += u;
        double z = pji_prng_normal(&prng);
        normal += z;
        square += z * z;
        double e = pji_prng_exponential(&prng);
        assert_true(e >= 0 && isfinite(e));
        expo += e;
    }
    /* five standard errors */
    assert_true(fabs(unit / N - 0.5) < 5 * 0.2887 / sqrt(N));
    assert_true(fabs(normal / N) < 5 / sqrt(N));
    assert_true(fabs(square / N - 1) < 5 * sqrt(2.0) / sqrt(N));
    assert_true(fabs(expo / N - 1) < 5 / sqrt(N));
    struct pji_prng highest = {{0, UINT64_MAX, 0, 0}};
    highest.s[1] = UINT64_C(0xe8e38e38e38e38e4); /* any state: unit stays below 1 */
    assert_true(pji_prng_unit(&highest) < 1);
}

static void test_shuffle(void **state)
{
    (void)state;
    struct pji_prng prng;
    size_t count[6] = {0};
    pji_prng_init(&prng, 3, "shuffle");
    for (int i = 0; i < 6000; i++) {
        size_t items[3] = {0, 1, 2};
        pji_prng_shuffle(&prng, items, 3);
        assert_int_equal(items[0] + items[1] + items[2], 3);
        assert_true(items[0] != items[1] && items[1] != items[2] && items[0] != items[2]);
        count[items[0] * 2 + (items[1] > items[2])]++;
    }
    for (size_t i = 0; i < 6; i++)
        assert_true(count[i] > 850 && count[i] < 1150);
    size_t one = 9;
    pji_prng_shuffle(&prng, &one, 1);
    pji_prng_shuffle(&prng, NULL, 0);
    assert_int_equal(one, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_generator), cmocka_unit_test(test_seeding),
        cmocka_unit_test(test_below),     cmocka_unit_test(test_distributions),
        cmocka_unit_test(test_shuffle),
    };
    return cmocka_run_group_tests_name("prng", tests, NULL, NULL);
}
