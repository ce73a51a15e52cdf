/* Intervals, quantiles, moments. Reference numbers: R 4.2.2 where no formula is given. */
#include "near.h"

#include "stats/interval.h"
#include "stats/moments.h"
#include "stats/quantile.h"

#include <string.h>

static void test_wilson(void **state)
{
    (void)state;
    double lo;
    double hi;
    pji_wilson(5, 10, 0.95, &lo, &hi);
    assert_near(lo, 0.23659309051256394);
    assert_near(hi, 0.76340690948743606);
    pji_wilson(0, 20, 0.95, &lo, &hi);
    assert_true(lo == 0 && hi > 0.15 && hi < 0.17);
    pji_wilson(20, 20, 0.95, &lo, &hi);
    assert_true(hi == 1 && lo > 0.83 && lo < 0.85);
    pji_wilson(0, 0, 0.95, &lo, &hi);
    assert_true(lo == 0 && hi == 1);
    pji_wilson(3, 2, 0.95, &lo, &hi);
    assert_true(lo == 0 && hi == 1);
    pji_wilson(1, 2, 1.0, &lo, &hi);
    assert_true(lo == 0 && hi == 1);
    pji_wilson(1, 2, (double)NAN, &lo, &hi);
    assert_true(lo == 0 && hi == 1);
}

static void test_mean(void **state)
{
    (void)state;
    const double x[] = {1.5, 2.5, 9, 4, 5.25};
    struct pji_mean_ci m;
    struct pj_error err = {0};
    assert_int_equal(pji_mean_ci(x, 5, 0.95, &m, &err), PJ_OK);
    assert_near(m.mean, 4.45);
    assert_near(m.sd, sqrt(8.5125));
    assert_near(m.hi - m.mean, 2.7764451051977987 * sqrt(8.5125 / 5));
    assert_near(m.mean - m.lo, m.hi - m.mean);
    assert_int_equal(pji_mean_ci(x, 1, 0.95, &m, &err), PJI_STATS_FEW);
    assert_near(m.mean, 1.5);
    assert_missing(m.sd);
    assert_missing(m.lo);
    assert_int_equal(pji_mean_ci(x, 0, 0.95, &m, &err), PJI_STATS_FEW);
    assert_missing(m.mean);
    assert_int_equal(pji_mean_ci(x, 5, 1.5, &m, &err), PJ_EINVAL);
    assert_non_null(strstr(err.text, "1.5"));
    const double bad[] = {1, (double)INFINITY};
    struct pj_error other = {0};
    assert_int_equal(pji_mean_ci(bad, 2, 0.95, &m, &other), PJ_EINVAL);
    assert_non_null(strstr(other.text, "number 2"));
    assert_int_equal(pji_mean_ci(bad, 2, 0.95, &m, NULL), PJ_EINVAL);
}

static void test_ratio(void **state)
{
    (void)state;
    const double a[] = {1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30};
    const double b[] = {0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29};
    struct pji_ratio_ci r;
    struct pj_error err = {0};
    assert_int_equal(pji_ratio_ci(a, b, 9, 0, 0.95, &r, &err), PJ_OK);
    assert_near(log(r.lo), 0.0174521850663423);
    assert_near(log(r.hi), 0.6187145985178131);
    assert_near(log(r.ratio), (0.0174521850663423 + 0.6187145985178131) / 2);
    assert_near(r.df, 8);
    /* a common part widens the interval and never narrows with n */
    struct pji_ratio_ci wide;
    assert_int_equal(pji_ratio_ci(a, b, 9, 0.2, 0.95, &wide, &err), PJ_OK);
    assert_near(wide.u_log * wide.u_log, r.u_log * r.u_log + 0.04);
    assert_near(wide.ratio, r.ratio);
    assert_true(wide.lo < r.lo && wide.hi > r.hi && wide.df > r.df && wide.p > r.p);
    /* GUM: df of the sum */
    double share = r.u_log * r.u_log / (wide.u_log * wide.u_log);
    assert_near(wide.df, 8 / (share * share));
}

static void test_ratio_degenerate(void **state)
{
    (void)state;
    const double a[] = {2, 4, 8};
    const double b[] = {1, 2, 4};
    struct pji_ratio_ci r;
    assert_int_equal(pji_ratio_ci(a, b, 3, 0, 0.95, &r, NULL), PJI_STATS_CONSTANT);
    assert_true(r.ratio == 2 && r.lo == 2 && r.hi == 2 && r.p == 0);
    assert_int_equal(pji_ratio_ci(a, a, 3, 0, 0.95, &r, NULL), PJI_STATS_CONSTANT);
    assert_true(r.p == 1);
    assert_int_equal(pji_ratio_ci(a, b, 3, 0.1, 0.95, &r, NULL), PJ_OK);
    assert_true(isinf(r.df) && r.df > 0);
    assert_near(log(r.hi / r.ratio), 1.9599639845400538 * 0.1);
    assert_int_equal(pji_ratio_ci(a, b, 1, 0.1, 0.95, &r, NULL), PJI_STATS_FEW);
    assert_near(r.ratio, 2);
    assert_missing(r.lo);
    assert_int_equal(pji_ratio_ci(a, b, 0, 0.1, 0.95, &r, NULL), PJI_STATS_FEW);
    assert_missing(r.ratio);
    const double zero[] = {1, 0, 3};
    struct pj_error err = {0};
    assert_int_equal(pji_ratio_ci(a, zero, 3, 0, 0.95, &r, &err), PJ_EINVAL);
    assert_non_null(strstr(err.text, "block 1"));
    assert_int_equal(pji_ratio_ci(a, b, 3, -1, 0.95, &r, NULL), PJ_EINVAL);
    assert_int_equal(pji_ratio_ci(a, b, 3, (double)NAN, 0.95, &r, NULL), PJ_EINVAL);
    assert_int_equal(pji_ratio_ci(a, b, 3, 0, 0, &r, NULL), PJ_EINVAL);
}

static void test_quantile(void **state)
{
    (void)state;
    const double x[] = {9, 1, 4, 16};
    double q;
    struct pj_error err = {0};
    assert_int_equal(pji_quantile(x, 4, 0.5, &q, &err), PJ_OK);
    assert_near(q, 6.5);
    assert_int_equal(pji_quantile(x, 4, 0.25, &q, &err), PJ_OK);
    assert_near(q, 3.25);
    assert_int_equal(pji_quantile(x, 4, 0, &q, &err), PJ_OK);
    assert_true(q == 1);
    assert_int_equal(pji_quantile(x, 4, 1, &q, &err), PJ_OK);
    assert_true(q == 16);
    assert_int_equal(pji_quantile(x, 0, 0.5, &q, &err), PJI_STATS_FEW);
    assert_missing(q);
    assert_int_equal(pji_quantile(x, 4, 1.01, &q, &err), PJ_EINVAL);
    assert_missing(pji_quantile_sorted(x, 0, 0.5));
    assert_missing(pji_quantile_sorted(x, 4, -0.1));
    /* (n - 1) p is a whole number that doubles miss */
    double many[101];
    for (size_t i = 0; i < 101; i++)
        many[i] = (double)(i * i);
    assert_true(pji_quantile_sorted(many, 101, 0.29) == 841);
}

static void test_moments(void **state)
{
    (void)state;
    /* deviations far below the mean */
    const double x[] = {1e9 + 1, 1e9 + 2, 1e9 + 3};
    assert_near(pji_variance(x, 3), 1);
    assert_true(pji_mean(x, 3) == 1e9 + 2);
    assert_missing(pji_mean(x, 0));
    assert_missing(pji_variance(x, 1));
    assert_true(pji_central_ss(x, 0) == 0 && pji_sum(x, 0) == 0);
    /* nothing is lost in a sum that loses in double */
    const double y[] = {1e16, 1, 1, 1, 1, -1e16};
    assert_true(pji_sum(y, 6) == 4);
}

static void test_reasons(void **state)
{
    (void)state;
    for (int c = PJI_STATS_FEW; c <= PJI_STATS_TOO_LARGE; c++) {
        assert_true(strlen(pji_stats_reason(c)) > 5);
        for (int d = c + 1; d <= PJI_STATS_TOO_LARGE; d++)
            assert_string_not_equal(pji_stats_reason(c), pji_stats_reason(d));
    }
    assert_string_equal(pji_stats_reason(PJ_OK), "ok");
    assert_non_null(pji_stats_reason(PJ_EINVAL));
    assert_non_null(pji_stats_reason(1000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wilson),   cmocka_unit_test(test_mean),
        cmocka_unit_test(test_ratio),    cmocka_unit_test(test_ratio_degenerate),
        cmocka_unit_test(test_quantile), cmocka_unit_test(test_moments),
        cmocka_unit_test(test_reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
