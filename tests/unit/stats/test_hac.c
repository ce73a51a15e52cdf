/* Least squares with a covariance for errors that hang together: by hand on small series, and
 * coverage on autocorrelated ones.
 */
#include "stats/hac.h"

#include "core/prng.h"
#include "stats/student.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void near(double a, double b)
{
    if (!(fabs(a - b) <= 1e-12 * fmax(1, fabs(b))))
        fail_msg("%.17g is not %.17g", a, b);
}

/* The mean of 1, 2, 4, 5: residuals -2, -1, 1, 2. Lag 0: 10, lag 1: 2 - 1 + 2 = 3. */
static void a_mean_by_hand(void **state)
{
    (void)state;
    double one[4] = {1, 1, 1, 1}, y[4] = {1, 2, 4, 5};
    struct pji_matrix x = {one, 4, 1};
    struct pji_hac fit;
    assert_int_equal(pji_hac_fit(&fit, &x, y, NULL, 0, NULL), PJ_OK);
    near(fit.beta[0], 3);
    near(fit.rss, 10);
    near(fit.cov[0], 10 / 16.0 * 4 / 3);
    near(fit.condition, 1);
    near(fit.df, 3);
    pji_hac_fini(&fit);
    assert_int_equal(pji_hac_fit(&fit, &x, y, NULL, 1, NULL), PJ_OK);
    near(fit.cov[0], (10 + 2 * 0.5 * 3) / 16.0 * 4 / 3);
    near(fit.df, 1);
    pji_hac_fini(&fit);
}

/* Weights: 1 and 3 on 0 and 4 give 3; the scores are 1 * -3 and 3 * 1. */
static void weights_by_hand(void **state)
{
    (void)state;
    double one[2] = {1, 1}, y[2] = {0, 4}, w[2] = {1, 3};
    struct pji_matrix x = {one, 2, 1};
    struct pji_hac fit;
    assert_int_equal(pji_hac_fit(&fit, &x, y, w, 0, NULL), PJ_OK);
    near(fit.beta[0], 3);
    near(fit.rss, 9 + 3);
    near(fit.cov[0], (9 + 9) / 16.0 * 2);
    pji_hac_fini(&fit);
}

static void two_columns_and_their_condition(void **state)
{
    (void)state;
    double columns[8] = {1, 1, 1, 1, 0, 1, 2, 3}, y[4] = {1, 3, 5, 7};
    struct pji_matrix x = {columns, 4, 2};
    struct pji_hac fit;
    double r = 6 / sqrt(4 * 14.0); /* cosine of the two columns */
    assert_int_equal(pji_hac_fit(&fit, &x, y, NULL, 0, NULL), PJ_OK);
    near(fit.beta[0], 1);
    near(fit.beta[1], 2);
    near(fit.condition, sqrt((1 + r) / (1 - r)));
    pji_hac_fini(&fit);
}

static void what_has_no_answer(void **state)
{
    (void)state;
    double columns[8] = {1, 2, 3, 4, 2, 4, 6, 8}, y[4] = {1, 2, 3, 5};
    struct pji_matrix twice = {columns, 4, 2}, short_one = {columns, 1, 1}, none = {columns, 4, 0};
    struct pji_hac fit;
    struct pj_error err = {0};
    assert_int_equal(pji_hac_fit(&fit, &twice, y, NULL, 0, NULL), PJI_STATS_DEFICIENT);
    assert_true(fit.condition > 1e6);
    pji_hac_fini(&fit);
    assert_int_equal(pji_hac_fit(&fit, &short_one, y, NULL, 0, NULL), PJI_STATS_FEW);
    pji_hac_fini(&fit);
    assert_int_equal(pji_hac_fit(&fit, &none, y, NULL, 0, &err), PJ_EINVAL);
    double zero[4] = {0};
    struct pji_matrix empty = {zero, 4, 1};
    assert_int_equal(pji_hac_fit(&fit, &empty, y, NULL, 0, NULL), PJI_STATS_DEFICIENT);
    pji_hac_fini(&fit);
}

/* A slope on a regressor and errors that are both AR(1) with 0.7: White's interval is far too
 * narrow, this one is not. */
static void intervals_cover_under_autocorrelation(void **state)
{
    (void)state;
    enum { N = 300, ROUNDS = 400 };
    size_t covered = 0, white = 0;
    struct pji_prng rng;
    double *columns = calloc(2 * N, sizeof *columns), *y = calloc(N, sizeof *y);
    assert_true(columns != NULL && y != NULL);
    pji_prng_init(&rng, 11, "hac");
    for (size_t round = 0; round < ROUNDS; round++) {
        double u = 0, v = 0;
        for (size_t i = 0; i < N; i++) {
            u = 0.7 * u + pji_prng_normal(&rng);
            v = 0.7 * v + pji_prng_normal(&rng);
            columns[i] = 1;
            columns[N + i] = u;
            y[i] = 5 + 2 * u + v;
        }
        struct pji_matrix x = {columns, N, 2};
        struct pji_hac fit;
        for (size_t lags = 0; lags <= 20; lags += 20) {
            assert_int_equal(pji_hac_fit(&fit, &x, y, NULL, lags, NULL), PJ_OK);
            double half = pji_t_quantile(0.975, fit.df) * sqrt(fit.cov[3]);
            size_t *count = lags == 0 ? &white : &covered;
            *count += fabs(fit.beta[1] - 2) <= half ? 1 : 0;
            if (lags > 0)
                assert_true(pji_inflation(fit.residual, N, 50) > 2);
            pji_hac_fini(&fit);
        }
    }
    free(columns);
    free(y);
    print_message("# %zu of %d intervals cover, %zu of White's\n", covered, (int)ROUNDS, white);
    assert_true((double)covered >= 0.92 * ROUNDS && (double)white < 0.9 * ROUNDS);
}

static void inflation_is_one_for_alternation(void **state)
{
    (void)state;
    double y[6] = {1, -1, 1, -1, 1, -1}, even[4] = {1, 1, 1, 1};
    near(pji_inflation(y, 6, 5), 1);
    near(pji_inflation(even, 4, 3), 1 + 2 * (0.75 + 0.5 + 0.25));
    near(pji_inflation(even, 0, 3), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mean_by_hand),
        cmocka_unit_test(weights_by_hand),
        cmocka_unit_test(two_columns_and_their_condition),
        cmocka_unit_test(what_has_no_answer),
        cmocka_unit_test(intervals_cover_under_autocorrelation),
        cmocka_unit_test(inflation_is_one_for_alternation),
    };
    return cmocka_run_group_tests_name("hac", tests, NULL, NULL);
}
