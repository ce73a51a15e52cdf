/* Where a series becomes steady: MSER-5 against the definition computed the slow way, ramps and
 * drifts and waves that must be seen, and how often a clean series is refused.
 */
#include "near.h"

#include "stats/moments.h"
#include "stats/steady.h"

#include "core/prng.h"

#include <string.h>

enum { N = 600 };

static double noise[N];

static void draw(struct pji_prng *prng, double phi, double *x, size_t n)
{
    double e = 0;
    for (size_t i = 0; i < n; i++) {
        e = phi * e + sqrt(1 - phi * phi) * pji_prng_normal(prng);
        x[i] = 100 + e;
    }
}

static struct pji_steady find(const double *x, size_t n)
{
    struct pji_steady s;
    assert_int_equal(pji_steady_find(&s, x, n, NULL), PJ_OK);
    return s;
}

/* The definition, with a sum of its own for each d. */
static size_t slow_mser(const double *x, size_t n)
{
    size_t b = n / 5, cut = 0;
    double y[N / 5], best = (double)INFINITY;
    for (size_t i = 0; i < b; i++)
        y[i] = pji_mean(x + 5 * i, 5);
    for (size_t d = 0; b - d >= b / 3; d++) {
        double value = pji_central_ss(y + d, b - d) / (double)((b - d) * (b - d));
        if (value < best) {
            best = value;
            cut = d;
        }
    }
    return 5 * cut;
}

static void the_cut_is_that_of_the_definition(void **state)
{
    struct pji_prng prng;
    (void)state;
    pji_prng_init(&prng, 11, "steady");
    for (size_t run = 0; run < 200; run++) {
        size_t n = 200 + (size_t)pji_prng_below(&prng, N - 199);
        draw(&prng, 0.5, noise, n);
        for (size_t i = 0; i < (run % 4) * n / 10; i++)
            noise[i] -= 10 * exp(-(double)i / 15);
        assert_int_equal(find(noise, n).cut, slow_mser(noise, n));
    }
}

static void a_ramp_is_cut_and_the_rest_is_steady(void **state)
{
    struct pji_prng prng;
    (void)state;
    pji_prng_init(&prng, 2, "steady");
    for (size_t ramp = 0; ramp <= 200; ramp += 50) {
        draw(&prng, 0, noise, N);
        for (size_t i = 0; i < ramp; i++)
            noise[i] -= 20 * (double)(ramp - i) / (double)ramp;
        struct pji_steady s = find(noise, N);
        assert_int_equal(s.verdict, PJI_STEADY_FOUND);
        assert_true(s.cut + 20 >= ramp && s.cut <= ramp + 60);
    }
    for (size_t i = 0; i < N; i++)
        noise[i] = 7.25;
    assert_int_equal(find(noise, N).verdict, PJI_STEADY_FOUND);
    assert_int_equal(find(noise, N).cut, 0);
    for (size_t i = 0; i < N; i++) /* two loads in quick turns: a wave, but a short one */
        noise[i] = i % 4 < 2 ? 20 : 180;
    assert_int_equal(find(noise, N).verdict, PJI_STEADY_FOUND);
}

static void what_never_settles_is_seen(void **state)
{
    struct pji_prng prng;
    (void)state;
    pji_prng_init(&prng, 3, "steady");
    for (size_t i = 0; i < N; i++)
        noise[i] = (double)i; /* a straight line without noise */
    assert_int_equal(find(noise, N).verdict, PJI_STEADY_RAMPING);
    draw(&prng, 0, noise, N);
    for (size_t i = 0; i < N; i++)
        noise[i] += 5 * (double)i / N;
    assert_int_not_equal(find(noise, N).verdict, PJI_STEADY_FOUND);
    draw(&prng, 0, noise, N);
    for (size_t i = 0; i < N; i++)
        noise[i] += 3 * sin(2 * 3.14159265358979 * (double)i / (N / 2.0));
    assert_int_not_equal(find(noise, N).verdict, PJI_STEADY_FOUND);
    draw(&prng, 0, noise, N);
    for (size_t i = 2 * N / 3; i < N; i++)
        noise[i] += 20; /* a step late in the window */
    assert_int_not_equal(find(noise, N).verdict, PJI_STEADY_FOUND);
    assert_int_equal(find(noise, PJI_STEADY_LEAST - 1).verdict, PJI_STEADY_SHORT);
    assert_int_equal(find(noise, 0).verdict, PJI_STEADY_SHORT);
}

static size_t refused(struct pji_prng *prng, double phi, size_t n)
{
    size_t count = 0;
    for (size_t run = 0; run < 1000; run++) {
        draw(prng, phi, noise, n);
        count += find(noise, n).verdict != PJI_STEADY_FOUND;
    }
    return count;
}

static void a_clean_series_is_hardly_ever_refused(void **state)
{
    struct pji_prng prng;
    (void)state;
    pji_prng_init(&prng, 4, "steady");
    assert_true(refused(&prng, 0, N) < 10);
    assert_true(refused(&prng, 0.5, N) < 10);
    /* at the least length it is said now and then that the series is too short */
    assert_true(refused(&prng, 0, PJI_STEADY_LEAST) < 30);
}

static void batch_means_know_correlation(void **state)
{
    struct pji_prng prng;
    double u_sum = 0, plain_sum = 0, means[400];
    (void)state;
    pji_prng_init(&prng, 5, "steady");
    for (size_t run = 0; run < 400; run++) {
        draw(&prng, 0.9, noise, N);
        means[run] = pji_mean(noise, N);
        u_sum += pji_batch_means_u(noise, N, 10);
        plain_sum += sqrt(pji_variance(noise, N) / N);
    }
    double scatter = sqrt(pji_variance(means, 400));
    assert_true(fabs(u_sum / 400 / scatter - 1) < 0.15);
    assert_true(plain_sum / 400 < 0.35 * scatter);
    const double line[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    /* by hand: 1 - 9 / (2 * 82.5), times sqrt(99 / 8) */
    assert_near(pji_batch_means_z(line, 10, 10), (1 - 9 / 165.0) * sqrt(99 / 8.0));
    assert_true(isnan(pji_batch_means_u(line, 3, 2)));
    assert_true(isnan(pji_batch_means_u(line, 10, 1)));
    assert_true(isnan(pji_batch_means_z(line, 10, 30)));
    assert_near(pji_batch_means_u(line, 4, 2), 1); /* means 1.5 and 3.5 */
}

static void numbers_that_are_none_are_refused(void **state)
{
    struct pji_steady s;
    struct pj_error err = {0};
    (void)state;
    for (size_t i = 0; i < N; i++)
        noise[i] = 1;
    noise[17] = (double)NAN;
    assert_int_equal(pji_steady_find(&s, noise, N, &err), PJ_EINVAL);
    assert_non_null(strstr(err.text, "number 18"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cut_is_that_of_the_definition),
        cmocka_unit_test(a_ramp_is_cut_and_the_rest_is_steady),
        cmocka_unit_test(what_never_settles_is_seen),
        cmocka_unit_test(a_clean_series_is_hardly_ever_refused),
        cmocka_unit_test(batch_means_know_correlation),
        cmocka_unit_test(numbers_that_are_none_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
