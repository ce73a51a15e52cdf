/* Two samples, paired samples, correlations, adjustments: poor and wrong input, exact values. */
#include "near.h"

#include "stats/adjust.h"
#include "stats/correlation.h"
#include "stats/dominance.h"
#include "stats/pairwise.h"
#include "stats/rankdist.h"
#include "stats/ttest.h"
#include "stats/wilcoxon.h"

#include <stdlib.h>
#include <string.h>

static void test_t_degenerate(void **state)
{
    (void)state;
    const double x[] = {1, 2, 3};
    const double flat[] = {4, 4, 4};
    struct pji_t t;
    assert_int_equal(pji_t_welch(x, 0, flat, 3, 0.95, &t, NULL), PJI_STATS_FEW);
    assert_missing(t.diff);
    assert_int_equal(pji_t_welch(x, 1, flat, 3, 0.95, &t, NULL), PJI_STATS_FEW);
    assert_near(t.diff, -3);
    assert_int_equal(pji_t_welch(flat, 3, flat, 2, 0.95, &t, NULL), PJI_STATS_CONSTANT);
    assert_true(t.diff == 0);
    assert_missing(t.p);
    assert_missing(t.df);
    assert_int_equal(pji_t_welch(x, 3, flat, 3, 0.95, &t, NULL), PJ_OK);
    assert_near(t.df, 2); /* one variance is zero: the other's df */
    assert_int_equal(pji_t_student(x, 3, flat, 1, 0.95, &t, NULL), PJ_OK);
    assert_near(t.df, 2);
    assert_int_equal(pji_t_student(x, 1, flat, 1, 0.95, &t, NULL), PJI_STATS_FEW);
    assert_int_equal(pji_t_student(x, 1, flat, 0, 0.95, &t, NULL), PJI_STATS_FEW);
    assert_int_equal(pji_t_paired(flat, 3, 0.95, &t, NULL), PJI_STATS_CONSTANT);
    assert_int_equal(pji_t_paired(x, 0, 0.95, &t, NULL), PJI_STATS_FEW);
    assert_int_equal(pji_t_paired(x, 1, 0.95, &t, NULL), PJI_STATS_FEW);
    assert_int_equal(pji_t_paired(x, 3, 2, &t, NULL), PJ_EINVAL);
    struct pji_effect e;
    assert_int_equal(pji_effect(flat, 3, flat, 3, 0.95, &e, NULL), PJI_STATS_CONSTANT);
    assert_missing(e.cohens_d);
    assert_int_equal(pji_effect(x, 3, flat, 3, 0.95, &e, NULL), PJ_OK);
    assert_missing(e.glass_delta);
    assert_true(e.hedges_g_low < e.hedges_g && e.hedges_g < e.hedges_g_high);
    assert_missing(pji_hedges_j(1));
    assert_near(pji_hedges_j(2), 1 / sqrt(acos(-1.0))); /* Gamma(1)/Gamma(1/2) */
    struct pji_variance_ratio v;
    assert_int_equal(pji_variance_ratio(x, 3, flat, 3, &v, NULL), PJI_STATS_CONSTANT);
    assert_int_equal(pji_variance_ratio(x, 3, x, 1, &v, NULL), PJI_STATS_FEW);
    assert_int_equal(pji_variance_ratio(x, 3, x, 3, &v, NULL), PJ_OK);
    assert_near(v.p, 1);
}

static void test_tost(void **state)
{
    (void)state;
    struct pji_tost o;
    /* inside the range: both one-sided tests reject */
    assert_int_equal(pji_tost(0, 0.1, 20, -0.5, 0.5, &o, NULL), PJ_OK);
    assert_near(o.t_low, 5);
    assert_near(o.t_high, -5);
    assert_true(o.p < 1e-4);
    /* at the limit */
    assert_int_equal(pji_tost(0.5, 0.1, 20, -0.5, 0.5, &o, NULL), PJ_OK);
    assert_near(o.p, 0.5);
    assert_int_equal(pji_tost(0, 0, 20, -0.5, 0.5, &o, NULL), PJI_STATS_CONSTANT);
    assert_missing(o.p);
    assert_int_equal(pji_tost(0, 1, 20, 0.5, 0.5, &o, NULL), PJ_EINVAL);
    assert_int_equal(pji_tost(0, 1, 20, (double)NAN, 1, &o, NULL), PJ_EINVAL);
}

static void test_rank_sum(void **state)
{
    (void)state;
    const double x[] = {1, 2, 3};
    const double y[] = {4, 5, 6, 7};
    struct pji_rank_sum w;
    assert_int_equal(pji_rank_sum(x, 3, y, 4, 50, 0.95, &w, NULL), PJ_OK);
    assert_true(w.W == 0 && w.has_exact && !w.ties);
    assert_near(w.p_exact, 2.0 / 35);
    assert_near(w.hodges_lehmann, -3.5);
    assert_true(w.hl_low == -6 && w.hl_high == -1); /* the level cannot be reached: the extremes */
    assert_int_equal(pji_rank_sum(x, 3, y, 4, 4, 0.95, &w, NULL), PJ_OK);
    assert_false(w.has_exact);
    assert_missing(w.p_exact);
    assert_int_equal(pji_rank_sum(x, 3, x, 3, 50, 0.95, &w, NULL), PJ_OK);
    assert_true(w.ties && !w.has_exact && w.p_normal_cc == 1 && w.p_normal_nocc == 1);
    const double flat[] = {2, 2};
    assert_int_equal(pji_rank_sum(flat, 2, flat, 2, 50, 0.95, &w, NULL), PJI_STATS_CONSTANT);
    assert_missing(w.p_normal_cc);
    assert_true(w.W == 2 && w.hodges_lehmann == 0);
    assert_int_equal(pji_rank_sum(flat, 0, flat, 2, 50, 0.95, &w, NULL), PJI_STATS_FEW);
    assert_int_equal(pji_rank_sum(flat, 2, flat, 2, 50, 0, &w, NULL), PJ_EINVAL);
    const double bad[] = {(double)NAN};
    assert_int_equal(pji_rank_sum(flat, 2, bad, 1, 50, 0.95, &w, NULL), PJ_EINVAL);
    assert_int_equal(pji_rank_sum(bad, 1, flat, 2, 50, 0.95, &w, NULL), PJ_EINVAL);
}

static void test_signed_rank(void **state)
{
    (void)state;
    const double d[] = {1, 2, 3, 4};
    struct pji_signed_rank s;
    assert_int_equal(pji_signed_rank(d, 4, 50, &s, NULL), PJ_OK);
    assert_true(s.V == 10 && s.zeros == 0 && s.has_exact);
    assert_near(s.p_exact, 0.125);
    assert_near(s.pseudo_median, 2.5);
    const double zeros[] = {0, 0, 0};
    assert_int_equal(pji_signed_rank(zeros, 3, 50, &s, NULL), PJI_STATS_CONSTANT);
    assert_true(s.zeros == 3);
    assert_missing(s.p_normal_cc);
    const double some[] = {0, 1, -2, 3};
    assert_int_equal(pji_signed_rank(some, 4, 50, &s, NULL), PJ_OK);
    assert_true(s.zeros == 1 && s.V == 4 && !s.has_exact);
    assert_int_equal(pji_signed_rank(d, 0, 50, &s, NULL), PJI_STATS_FEW);
    const double bad[] = {(double)INFINITY};
    assert_int_equal(pji_signed_rank(bad, 1, 50, &s, NULL), PJ_EINVAL);
}

/* the distributions sum to one, are symmetric, and refuse what would never end */
static void test_rank_distributions(void **state)
{
    (void)state;
    struct pji_rankdist d[4];
    assert_int_equal(pji_rankdist_sum(7, 5, &d[0], NULL), PJ_OK);
    assert_int_equal(pji_rankdist_signed(9, &d[1], NULL), PJ_OK);
    assert_int_equal(pji_rankdist_kendall(8, &d[2], NULL), PJ_OK);
    assert_int_equal(pji_rankdist_spearman(7, &d[3], NULL), PJ_OK);
    static const size_t top[] = {35, 45, 28, 112};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(d[i].max, top[i]);
        struct pji_tails all = pji_rankdist_tails(&d[i], (double)d[i].max);
        assert_near((double)all.lower, 1);
        for (size_t w = 0; w <= d[i].max; w++)
            assert_near((double)d[i].p[w], (double)d[i].p[d[i].max - w]);
        size_t q = pji_rankdist_quantile(&d[i], 0.025);
        struct pji_tails t = pji_rankdist_tails(&d[i], (double)q);
        assert_true((double)t.lower >= 0.025);
        assert_true(q == 0 || (double)pji_rankdist_tails(&d[i], (double)q - 1).lower < 0.025);
        assert_true(pji_rankdist_two_sided(&d[i], (double)(d[i].max / 2)) <= 1);
        pji_rankdist_fini(&d[i]);
    }
    struct pji_rankdist big;
    assert_int_equal(pji_rankdist_sum(100000, 100000, &big, NULL), PJI_STATS_TOO_LARGE);
    assert_int_equal(pji_rankdist_signed(1000000, &big, NULL), PJI_STATS_TOO_LARGE);
    assert_int_equal(pji_rankdist_kendall(20000, &big, NULL), PJI_STATS_TOO_LARGE);
    assert_int_equal(pji_rankdist_spearman(11, &big, NULL), PJI_STATS_TOO_LARGE);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* selection without storing against sorting everything */
static void test_pairwise(void **state)
{
    (void)state;
    const double x[] = {-3.5, -1, 0, 0.25, 2, 7, 7, 1e6};
    const double y[] = {-2, -2, 0, 1, 3.75};
    double all[40];
    size_t n = 0;
    for (size_t i = 0; i < 8; i++) {
        for (size_t j = 0; j < 5; j++)
            all[n++] = x[i] - y[j];
    }
    qsort(all, n, sizeof *all, ascending);
    for (size_t k = 1; k <= n; k++)
        assert_true(pji_difference_select(x, 8, y, 5, k) == all[k - 1]);
    assert_true(pji_difference_median(x, 8, y, 5) == (all[19] + all[20]) / 2);
    assert_true(pji_difference_median(x, 1, y, 5) == -3.5);
    double walsh[36];
    n = 0;
    for (size_t i = 0; i < 8; i++) {
        for (size_t j = 0; j <= i; j++)
            walsh[n++] = (x[i] + x[j]) / 2;
    }
    qsort(walsh, n, sizeof *walsh, ascending);
    assert_true(pji_walsh_median(x, 8) == (walsh[17] + walsh[18]) / 2);
    assert_true(pji_walsh_median(x, 1) == -3.5);
}

static void test_dominance(void **state)
{
    (void)state;
    const double x[] = {1, 2, 3};
    const double y[] = {4, 5};
    struct pji_dominance d;
    assert_int_equal(pji_dominance(x, 3, y, 2, 0.95, &d, NULL), PJI_STATS_UNDEFINED);
    assert_true(d.delta == -1 && d.vargha_delaney_A == 0);
    assert_missing(d.var_unbiased);
    assert_int_equal(pji_dominance(x, 1, y, 2, 0.95, &d, NULL), PJI_STATS_FEW);
    assert_true(d.delta == -1);
    assert_int_equal(pji_dominance(x, 0, y, 2, 0.95, &d, NULL), PJI_STATS_FEW);
    assert_missing(d.delta);
    const double same[] = {5, 5, 5};
    assert_int_equal(pji_dominance(same, 3, same, 3, 0.95, &d, NULL), PJI_STATS_UNDEFINED);
    assert_true(d.delta == 0 && d.var_unbiased == 0);
    assert_missing(d.ci_low);
    assert_int_equal(pji_dominance(x, 3, y, 2, 1, &d, NULL), PJ_EINVAL);
}

static void test_correlation(void **state)
{
    (void)state;
    const double x[] = {1, 2, 3, 4, 5, 6, 7, 8};
    const double y[] = {2, 1, 4, 3, 6, 5, 8, 7};
    const double flat[8] = {0};
    struct pji_pearson p;
    struct pji_spearman s;
    struct pji_kendall k;
    assert_int_equal(pji_spearman(x, y, 8, &s, NULL), PJ_OK);
    assert_near(s.p_exact, 0.00456349206349206);
    assert_int_equal(pji_kendall(x, y, 8, 50, &k, NULL), PJ_OK);
    assert_near(k.p_exact, 0.0141369047619047);
    assert_near(k.tau_b, 5.0 / 7);
    assert_int_equal(pji_pearson(x, x, 8, 0.95, &p, NULL), PJI_STATS_UNDEFINED);
    assert_true(p.r == 1 && p.p == 0);
    assert_missing(p.t);
    assert_missing(p.low);
    assert_int_equal(pji_pearson(x, flat, 8, 0.95, &p, NULL), PJI_STATS_CONSTANT);
    assert_missing(p.r);
    assert_int_equal(pji_pearson(x, y, 2, 0.95, &p, NULL), PJI_STATS_FEW);
    assert_int_equal(pji_pearson(x, y, 3, 0.95, &p, NULL), PJ_OK);
    assert_missing(p.low);
    assert_int_equal(pji_pearson(x, y, 8, -1, &p, NULL), PJ_EINVAL);
    assert_int_equal(pji_spearman(x, flat, 8, &s, NULL), PJI_STATS_CONSTANT);
    assert_int_equal(pji_spearman(x, y, 2, &s, NULL), PJI_STATS_FEW);
    assert_int_equal(pji_kendall(x, flat, 8, 50, &k, NULL), PJI_STATS_CONSTANT);
    assert_int_equal(pji_kendall(x, y, 1, 50, &k, NULL), PJI_STATS_FEW);
    assert_int_equal(pji_kendall(x, y, 2, 50, &k, NULL), PJ_OK);
    assert_near(k.tau_b, -1);
    const double bad[] = {1, 2, (double)NAN};
    assert_int_equal(pji_pearson(bad, y, 3, 0.95, &p, NULL), PJ_EINVAL);
    assert_int_equal(pji_spearman(x, bad, 3, &s, NULL), PJ_EINVAL);
    assert_int_equal(pji_kendall(x, bad, 3, 50, &k, NULL), PJ_EINVAL);
    assert_int_equal(pji_kendall(bad, x, 3, 50, &k, NULL), PJ_EINVAL);
}

static void test_adjust(void **state)
{
    (void)state;
    const double p[] = {0.01, 0.02, 0.03, 0.04, 0.05};
    double out[5];
    assert_int_equal(pji_adjust_p(PJI_ADJUST_HOMMEL, p, 5, out, NULL), PJ_OK);
    for (size_t i = 0; i < 5; i++)
        assert_near(out[i], 0.05);
    /* a missing p is neither adjusted nor counted */
    double holes[] = {0.01, (double)NAN, 0.04};
    assert_int_equal(pji_adjust_p(PJI_ADJUST_BONFERRONI, holes, 3, holes, NULL), PJ_OK);
    assert_near(holes[0], 0.02);
    assert_missing(holes[1]);
    assert_near(holes[2], 0.08);
    const double wrong[] = {0.5, 1.5};
    struct pj_error err = {0};
    assert_int_equal(pji_adjust_p(PJI_ADJUST_BH, wrong, 2, out, &err), PJ_EINVAL);
    assert_non_null(strstr(err.text, "p-value 2"));
    assert_int_equal(pji_adjust_p(PJI_ADJUST_BH, p, 0, out, NULL), PJ_OK);
    /* every method keeps the order of p and never goes below it */
    for (int m = PJI_ADJUST_NONE; m <= PJI_ADJUST_BONFERRONI; m++) {
        assert_int_equal(pji_adjust_p((enum pji_adjust)m, p, 5, out, NULL), PJ_OK);
        for (size_t i = 0; i < 5; i++) {
            assert_true(out[i] >= p[i] && out[i] <= 1);
            assert_true(i == 0 || out[i] >= out[i - 1]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_t_degenerate),
        cmocka_unit_test(test_tost),
        cmocka_unit_test(test_rank_sum),
        cmocka_unit_test(test_signed_rank),
        cmocka_unit_test(test_rank_distributions),
        cmocka_unit_test(test_pairwise),
        cmocka_unit_test(test_dominance),
        cmocka_unit_test(test_correlation),
        cmocka_unit_test(test_adjust),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
