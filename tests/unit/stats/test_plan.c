/* Power, McNemar, bootstrap. Reference numbers: R 4.2.2 (power.t.test strict, power.anova.test,
 * mcnemar.test, binom.test). */
#include "near.h"

#include "stats/bootstrap.h"
#include "stats/mcnemar.h"
#include "stats/power.h"

#include "core/prng.h"

static void test_power(void **state)
{
    (void)state;
    assert_near(pji_power_two(0.8, 20, 20, 0.05), 0.693404196615451);
    assert_near(pji_power_paired(0.7, 12, 0.05), 0.598932119267961);
    /* power.anova.test(groups = 4, n = 10, between.var = 0.25, within.var = 1): f^2 = 3/4 * 0.25 */
    /* R's noncentral F is good to 1e-9 */
    assert_true(fabs(pji_power_anova(sqrt(0.25 * 3 / 4), 4, 40, 0.05) - 0.571064657219473) < 1e-8);
    assert_near(pji_power_two(0, 9, 4, 0.05), 0.05);
    assert_near(pji_power_two(-0.8, 20, 20, 0.05), 0.693404196615451);
    /* an analysis of variance of two groups is the t test */
    assert_near(pji_power_anova(0.4, 2, 40, 0.05), pji_power_two(0.8, 20, 20, 0.05));
    assert_true(pji_needed_two(0.5, 0.05, 0.8) == 64); /* 63.77 */
    assert_true(pji_needed_paired(2, 0.05, 0.8) >= 2);
    double n = pji_needed_paired(0.3, 0.05, 0.9);
    assert_true(pji_power_paired(0.3, n, 0.05) >= 0.9);
    assert_true(pji_power_paired(0.3, n - 1, 0.05) < 0.9);
}

static void test_detectable(void **state)
{
    (void)state;
    double d = pji_detectable_two(20, 30, 0.05, 0.8);
    assert_near(pji_power_two(d, 20, 30, 0.05), 0.8);
    double dz = pji_detectable_paired(8, 0.01, 0.9);
    assert_near(pji_power_paired(dz, 8, 0.01), 0.9);
    double f = pji_detectable_anova(4, 24, 0.05, 0.8);
    assert_near(pji_power_anova(f, 4, 24, 0.05), 0.8);
    assert_true(pji_detectable_two(20, 30, 0.05, 0.04) == 0);
}

static void test_power_domain(void **state)
{
    (void)state;
    const double inf = (double)INFINITY;
    const double bad[] = {
        pji_power_two(1, 1, 1, 0.05),
        pji_power_two(1, 0, 5, 0.05),
        pji_power_two(1, 5, 5, 0),
        pji_power_two(inf, 5, 5, 0.05),
        pji_power_paired(1, 1, 0.05),
        pji_power_anova(1, 1, 9, 0.05),
        pji_power_anova(1, 3, 3, 0.05),
        pji_power_f(-1, 2, 3, 0.05),
        pji_power_f(inf, 2, 3, 0.05),
        pji_detectable_two(1, 1, 0.05, 0.8),
        pji_detectable_two(5, 5, 0.05, 1),
        pji_detectable_paired(5, 2, 0.8),
        pji_needed_two(0, 0.05, 0.8),
        pji_needed_two(1e-9, 0.05, 0.8),
        pji_needed_paired((double)NAN, 0.05, 0.8),
    };
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_missing(bad[i]);
}

static void test_mcnemar(void **state)
{
    (void)state;
    struct pji_mcnemar m;
    assert_int_equal(pji_mcnemar(5, 12, &m), PJ_OK);
    assert_near(m.p_cc, 0.145610095396868);
    assert_near(m.p, 0.0895550744136431);
    assert_near(m.p_exact, 0.143463134765625);
    assert_int_equal(pji_mcnemar(0, 0, &m), PJI_STATS_FEW);
    assert_missing(m.p);
    assert_int_equal(pji_mcnemar(4, 4, &m), PJ_OK);
    assert_true(m.chi2 == 0 && m.chi2_cc == 0 && m.p_exact == 1 && m.p == 1);
    assert_int_equal(pji_mcnemar(1, 0, &m), PJ_OK);
    assert_true(m.p_exact == 1 && m.chi2_cc == 0);
    assert_near(pji_binomial_cdf(1, 3, 0.5), 0.5);
    assert_true(pji_binomial_cdf(3, 3, 0.2) == 1 && pji_binomial_cdf(0, 4, 0) == 1);
    assert_true(pji_binomial_cdf(3, 4, 1) == 0);
    assert_missing(pji_binomial_cdf(1, 3, 1.5));
}

static double always_one(const double *x, size_t n, void *ctx)
{
    (void)x;
    (void)n;
    (void)ctx;
    return 1;
}

static double no_number(const double *x, size_t n, void *ctx)
{
    (void)ctx;
    return n > 0 && x[0] > 1 ? (double)NAN : 0;
}

static double maximum(const double *x, size_t n, void *ctx)
{
    double top = x[0];
    (void)ctx;
    for (size_t i = 1; i < n; i++)
        top = fmax(top, x[i]);
    return top;
}

static void test_bootstrap(void **state)
{
    (void)state;
    double x[40];
    double work[40];
    struct pji_prng prng;
    pji_prng_init(&prng, 11, "test");
    for (size_t i = 0; i < 40; i++)
        x[i] = 100 + pji_prng_exponential(&prng);
    struct pji_bca a;
    struct pji_bca b;
    assert_int_equal(pji_bca(x, 40, pji_statistic_mean, NULL, 0.95, 2000, 1, &a, NULL), PJ_OK);
    assert_true(a.low < a.estimate && a.estimate < a.high);
    assert_true(a.acceleration > 0); /* skewed to the right */
    assert_int_equal(pji_bca(x, 40, pji_statistic_mean, NULL, 0.95, 2000, 1, &b, NULL), PJ_OK);
    assert_true(a.low == b.low && a.high == b.high);
    assert_int_equal(pji_bca(x, 40, pji_statistic_mean, NULL, 0.95, 2000, 2, &b, NULL), PJ_OK);
    assert_true(a.low != b.low);
    assert_int_equal(pji_bca(x, 40, pji_statistic_median, work, 0.9, 500, 3, &b, NULL), PJ_OK);
    assert_true(b.low <= b.estimate && b.estimate <= b.high);
}

static void test_bootstrap_degenerate(void **state)
{
    (void)state;
    const double x[] = {1, 2, 3, 4, 5};
    struct pji_bca a;
    assert_int_equal(pji_bca(x, 5, always_one, NULL, 0.95, 200, 1, &a, NULL), PJI_STATS_CONSTANT);
    assert_true(a.low == 1 && a.high == 1);
    assert_int_equal(pji_bca(x, 5, no_number, NULL, 0.95, 200, 1, &a, NULL), PJI_STATS_UNDEFINED);
    assert_missing(a.low);
    assert_int_equal(pji_bca(x, 2, pji_statistic_mean, NULL, 0.95, 200, 1, &a, NULL),
                     PJI_STATS_FEW);
    assert_int_equal(pji_bca(x, 5, pji_statistic_mean, NULL, 0.95, 99, 1, &a, NULL), PJ_EINVAL);
    assert_int_equal(pji_bca(x, 5, pji_statistic_mean, NULL, 95, 200, 1, &a, NULL), PJ_EINVAL);
    const double bad[] = {1, 2, (double)NAN};
    assert_int_equal(pji_bca(bad, 3, pji_statistic_mean, NULL, 0.9, 200, 1, &a, NULL), PJ_EINVAL);
    /* no resample has a larger maximum, but many the same: ties count half */
    assert_int_equal(pji_bca(x, 5, maximum, NULL, 0.95, 200, 1, &a, NULL), PJ_OK);
    assert_true(a.high == 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_power),        cmocka_unit_test(test_detectable),
        cmocka_unit_test(test_power_domain), cmocka_unit_test(test_mcnemar),
        cmocka_unit_test(test_bootstrap),    cmocka_unit_test(test_bootstrap_degenerate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
