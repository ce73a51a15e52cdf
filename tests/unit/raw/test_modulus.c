/* The modulus of a counter is found in its values: any width, several wraps in one file, odd
 * ranges; a reset is no wrap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "raw/modulus.h"

#include <math.h>
#include <stdlib.h>

enum { N = 400 };

/* A counter at `power_w` from `start_j` on, kept below `modulus_j`, in units of unit_j. */
static void make(double *values, int64_t *t_ns, double start_j, double power_w, double modulus_j,
                 double unit_j)
{
    for (int i = 0; i < N; i++) {
        double wobble = 1 + 0.3 * sin(i * 0.7);
        t_ns[i] = INT64_C(1760000000000000000) + i * INT64_C(200000000);
        double total = i == 0 ? start_j : values[i - 1] + power_w * wobble * 0.2;
        values[i] = fmod(round(total / unit_j) * unit_j, modulus_j);
    }
}

static struct pji_raw_modulus find(const double *values, const int64_t *t_ns)
{
    struct pji_raw_modulus found;
    assert_int_equal(pji_raw_modulus_find(&found, values, t_ns, N, NULL), 0);
    return found;
}

static void test_widths(void **state)
{
    (void)state;
    const double moduli[] = {1024, 4096, 16384, 65536, 131072, 262144, 524288, 4194304};
    double values[N];
    int64_t t_ns[N];
    for (size_t m = 0; m < sizeof moduli / sizeof moduli[0]; m++) {
        make(values, t_ns, moduli[m] - 500, 55, moduli[m], ldexp(1, -14));
        struct pji_raw_modulus found = find(values, t_ns);
        assert_true(found.modulus_j == moduli[m]);
        assert_true(found.unit_j == ldexp(1, -14));
        assert_int_equal(found.wraps, found.falls);
        assert_true(found.wraps >= 1);
        assert_true(fabs(found.step_w - found.usual_w) < found.usual_w);
    }
}

/* 4.4 kJ over a counter of 1 kJ */
static void test_several_wraps(void **state)
{
    (void)state;
    double values[N];
    int64_t t_ns[N];
    make(values, t_ns, 1000, 55, 1024, ldexp(1, -16));
    struct pji_raw_modulus found = find(values, t_ns);
    assert_true(found.modulus_j == 1024);
    assert_true(found.wraps >= 4);
    assert_int_equal(found.wraps, found.falls);
}

static void test_odd_ranges(void **state)
{
    (void)state;
    double values[N];
    int64_t t_ns[N];
    make(values, t_ns, 262143.328850 - 900, 60, 262143.328850, 61.035e-6);
    assert_true(find(values, t_ns).modulus_j == 262143.328850);
    make(values, t_ns, 262144 - 900, 60, 262144, ldexp(1, -14));
    assert_true(find(values, t_ns).modulus_j == 262144);
    make(values, t_ns, 65532.610987 - 900, 60, 65532.610987, 15.258e-6);
    assert_true(find(values, t_ns).modulus_j == 65532.610987);
    make(values, t_ns, 4294.967296 - 900, 60, 4294.967296, 1e-6);
    assert_true(find(values, t_ns).modulus_j == 4294.967296);
    /* a file that shows three decimals only: the unit cannot be seen */
    make(values, t_ns, 65536 - 900, 60, 65536, 1e-3);
    assert_true(find(values, t_ns).modulus_j == 65536);
    /* whole uJ of binary units */
    make(values, t_ns, 262144 - 900, 60, 262144, ldexp(1, -14));
    for (int i = 0; i < N; i++)
        values[i] = round(values[i] * 1e6) / 1e6;
    assert_true(find(values, t_ns).modulus_j == 262144);
}

static void test_no_fall(void **state)
{
    (void)state;
    double values[N];
    int64_t t_ns[N];
    make(values, t_ns, 100, 60, 262144, ldexp(1, -14));
    struct pji_raw_modulus found = find(values, t_ns);
    assert_int_equal(found.falls, 0);
    assert_true(found.modulus_j == 0 && found.unit_j == ldexp(1, -14));
}

static void test_reset_is_no_wrap(void **state)
{
    (void)state;
    double values[N];
    int64_t t_ns[N];
    make(values, t_ns, 100000, 60, 262144, ldexp(1, -14));
    double before = values[200];
    for (int i = 200; i < N; i++)
        values[i] -= before;
    struct pji_raw_modulus found = find(values, t_ns);
    assert_int_equal(found.falls, 1);
    assert_int_equal(found.wraps, 0);
    assert_true(found.modulus_j == 0);
    assert_false(pji_raw_modulus_wraps(&found, 100000, 0));
}

/* One wrap and one reset in a file: the wrap's modulus is found all the same. */
static void test_reset_beside_wrap(void **state)
{
    (void)state;
    double values[N];
    int64_t t_ns[N];
    make(values, t_ns, 262144 - 900, 60, 262144, ldexp(1, -14));
    double before = values[300];
    for (int i = 300; i < N; i++)
        values[i] -= before - 1;
    struct pji_raw_modulus found = find(values, t_ns);
    assert_int_equal(found.falls, 2);
    assert_int_equal(found.wraps, 1);
    assert_true(found.modulus_j == 262144);
}

static void test_unread_and_tiny(void **state)
{
    (void)state;
    double values[N];
    int64_t t_ns[N];
    make(values, t_ns, 262144 - 900, 60, 262144, ldexp(1, -14));
    for (int i = 0; i < N; i += 3)
        values[i] = (double)NAN;
    assert_true(find(values, t_ns).modulus_j == 262144);
    struct pji_raw_modulus found;
    assert_int_equal(pji_raw_modulus_find(&found, values, t_ns, 1, NULL), 0);
    assert_int_equal(found.falls, 0);
    assert_int_equal(pji_raw_modulus_find(&found, values, t_ns, 0, NULL), 0);
    for (int i = 0; i < N; i++)
        values[i] = (double)NAN;
    assert_int_equal(find(values, t_ns).falls, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_widths),           cmocka_unit_test(test_several_wraps),
        cmocka_unit_test(test_odd_ranges),       cmocka_unit_test(test_no_fall),
        cmocka_unit_test(test_reset_is_no_wrap), cmocka_unit_test(test_reset_beside_wrap),
        cmocka_unit_test(test_unread_and_tiny),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
