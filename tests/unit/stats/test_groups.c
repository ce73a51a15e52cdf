/* Tests of groups: what they answer to poor, wrong and symmetric input. Numbers on ordinary data
 * are held against the reference values in tests/unit/analysis. */
#include "near.h"

#include "stats/descriptive.h"
#include "stats/friedman.h"
#include "stats/kruskal.h"
#include "stats/oneway.h"
#include "stats/shapiro.h"
#include "stats/spread.h"

#include <string.h>

static void test_describe(void **state)
{
    (void)state;
    struct pji_descriptive d;
    const double one[] = {3};
    const double flat[] = {2, 2, 2};
    const double mixed[] = {-1, 0, 1};
    assert_int_equal(pji_describe(one, 0, &d, NULL), PJI_STATS_FEW);
    assert_missing(d.mean);
    assert_int_equal(pji_describe(one, 1, &d, NULL), PJI_STATS_FEW);
    assert_true(d.mean == 3 && d.median == 3 && d.min == 3 && d.q95 == 3 && d.mad == 0);
    assert_missing(d.var);
    assert_missing(d.ci95_low);
    assert_int_equal(pji_describe(flat, 3, &d, NULL), PJI_STATS_CONSTANT);
    assert_true(d.var == 0 && d.ci95_low == 2 && d.ci95_high == 2);
    assert_missing(d.skewness_g1);
    assert_int_equal(pji_describe(mixed, 3, &d, NULL), PJI_STATS_UNDEFINED);
    assert_missing(d.geometric_mean);
    assert_missing(d.cv);
    assert_near(d.skewness_g1, 0);
    assert_near(d.kurtosis_excess_g2, -1.5);
    const double bad[] = {1, (double)NAN};
    struct pj_error err = {0};
    assert_int_equal(pji_describe(bad, 2, &d, &err), PJ_EINVAL);
    assert_non_null(strstr(err.text, "number 2"));
    /* trimming drops n/10 at each end */
    const double twenty[] = {-1e9, -5e8, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 7e8, 1e9};
    assert_int_equal(pji_describe(twenty, 20, &d, NULL), PJI_STATS_UNDEFINED);
    assert_true(d.trimmed_mean_10 == 1);
}

static void test_shapiro(void **state)
{
    (void)state;
    struct pji_shapiro s;
    const double x[] = {1, 2, 4};
    assert_int_equal(pji_shapiro_wilk(x, 2, &s, NULL), PJI_STATS_FEW);
    assert_missing(s.W);
    assert_int_equal(pji_shapiro_wilk(x, 3, &s, NULL), PJ_OK);
    assert_near(s.W, 0.9642857142857143); /* (max - min)^2 / 2 over the sum of squares */
    const double equal[] = {5, 5, 5, 5};
    assert_int_equal(pji_shapiro_wilk(equal, 4, &s, NULL), PJI_STATS_CONSTANT);
    assert_missing(s.p);
    const double zeros[4] = {0};
    assert_int_equal(pji_shapiro_wilk(zeros, 4, &s, NULL), PJI_STATS_CONSTANT);
    static double many[5001];
    for (size_t i = 0; i < 5001; i++)
        many[i] = (double)i;
    assert_int_equal(pji_shapiro_wilk(many, 5001, &s, NULL), PJI_STATS_TOO_LARGE);
    assert_int_equal(pji_shapiro_wilk(many, 5000, &s, NULL), PJ_OK);
    assert_true(s.W > 0.95 && s.W < 0.96 && s.p < 1e-30);
    many[3] = (double)INFINITY;
    assert_int_equal(pji_shapiro_wilk(many, 10, &s, NULL), PJ_EINVAL);
    /* two clusters of eleven: beyond the range of the small-sample transformation */
    const double far[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    assert_int_equal(pji_shapiro_wilk(far, 11, &s, NULL), PJ_OK);
    assert_true(s.p > 0 && s.p < 1e-6);
}

static void test_wrong_groups(void **state)
{
    (void)state;
    const double y[] = {1, 2, 3};
    const size_t code[] = {0, 2, 0};
    const size_t beyond[] = {0, 3, 0};
    struct pji_groups empty = {y, code, 3, 3};
    struct pji_groups outside = {y, beyond, 3, 3};
    struct pji_oneway o;
    struct pji_kruskal k;
    struct pji_welch w;
    struct pji_levene l;
    struct pji_spread_chisq s;
    struct pj_error err = {0};
    assert_int_equal(pji_oneway(&empty, &o, &err), PJ_EINVAL);
    assert_non_null(strstr(err.text, "group 2 of 3 has no value"));
    assert_int_equal(pji_oneway(&outside, &o, NULL), PJ_EINVAL);
    assert_int_equal(pji_kruskal(&outside, &k, NULL), PJ_EINVAL);
    assert_int_equal(pji_welch_anova(&empty, &w, NULL), PJ_EINVAL);
    assert_int_equal(pji_levene(&empty, PJI_CENTRE_MEAN, &l, NULL), PJ_EINVAL);
    assert_int_equal(pji_bartlett(&empty, &s, NULL), PJ_EINVAL);
    assert_int_equal(pji_fligner_killeen(&empty, &s, NULL), PJ_EINVAL);
}

static void test_oneway_degenerate(void **state)
{
    (void)state;
    const double y[] = {1, 1, 2, 2};
    const size_t code[] = {0, 0, 1, 1};
    const size_t single[] = {0, 0, 0, 0};
    const size_t all[] = {0, 1, 2, 3};
    struct pji_oneway o;
    struct pji_groups within = {y, code, 4, 2};
    assert_int_equal(pji_oneway(&within, &o, NULL), PJI_STATS_CONSTANT);
    assert_missing(o.F);
    assert_true(o.eta2 == 1 && o.ss_within == 0);
    struct pji_groups one = {y, single, 4, 1};
    assert_int_equal(pji_oneway(&one, &o, NULL), PJI_STATS_FEW);
    assert_true(o.ss_within == 1);
    assert_missing(o.df1);
    struct pji_groups saturated = {y, all, 4, 4};
    assert_int_equal(pji_oneway(&saturated, &o, NULL), PJI_STATS_SATURATED);
    assert_missing(o.p);
    const double flat[] = {7.1, 7.1, 7.1, 7.1};
    struct pji_groups constant = {flat, code, 4, 2};
    assert_int_equal(pji_oneway(&constant, &o, NULL), PJI_STATS_CONSTANT);
    assert_missing(o.eta2);
    struct pji_welch w;
    assert_int_equal(pji_welch_anova(&within, &w, NULL), PJI_STATS_CONSTANT);
    assert_int_equal(pji_welch_anova(&one, &w, NULL), PJI_STATS_FEW);
    assert_int_equal(pji_welch_anova(&saturated, &w, NULL), PJI_STATS_FEW);
    struct pji_eta2_ci ci;
    assert_int_equal(pji_eta2_ci((double)NAN, 1, 2, 0.9, &ci, NULL), PJI_STATS_UNDEFINED);
    assert_int_equal(pji_eta2_ci(3, 1, 2, 1, &ci, NULL), PJ_EINVAL);
    assert_int_equal(pji_eta2_ci(0.01, 3, 20, 0.9, &ci, NULL), PJ_OK);
    assert_true(ci.low == 0 && ci.steiger_low == 0 && ci.high >= 0);
}

/* Welch with two groups is the square of Welch's t */
static void test_welch(void **state)
{
    (void)state;
    const double y[] = {1, 2, 4, 8, 3, 9, 27};
    const size_t code[] = {0, 0, 0, 0, 1, 1, 1};
    struct pji_groups g = {y, code, 7, 2};
    struct pji_welch w;
    assert_int_equal(pji_welch_anova(&g, &w, NULL), PJ_OK);
    double a = 9.583333333333334 / 4;
    double b = 156.0 / 3;
    assert_near(w.F, (3.75 - 13) * (3.75 - 13) / (a + b));
    assert_near(w.df2, (a + b) * (a + b) / (a * a / 3 + b * b / 2));
}

static void test_spread_degenerate(void **state)
{
    (void)state;
    const double y[] = {1, 1, 2, 3};
    const size_t code[] = {0, 0, 1, 1};
    const size_t three[] = {0, 0, 1, 2};
    const double flat[] = {4, 4, 4, 4};
    const size_t single[] = {0, 0, 0, 0};
    struct pji_spread_chisq s;
    struct pji_groups g = {y, code, 4, 2};
    struct pji_groups lonely = {y, three, 4, 3};
    struct pji_groups constant = {flat, code, 4, 2};
    struct pji_groups one = {y, single, 4, 1};
    assert_int_equal(pji_bartlett(&g, &s, NULL), PJI_STATS_CONSTANT);
    assert_int_equal(pji_bartlett(&lonely, &s, NULL), PJI_STATS_CONSTANT);
    assert_int_equal(pji_bartlett(&one, &s, NULL), PJI_STATS_FEW);
    assert_int_equal(pji_fligner_killeen(&constant, &s, NULL), PJI_STATS_CONSTANT);
    assert_missing(s.p);
    assert_int_equal(pji_fligner_killeen(&one, &s, NULL), PJI_STATS_FEW);
    assert_int_equal(pji_fligner_killeen(&g, &s, NULL), PJ_OK);
    struct pji_levene l;
    assert_int_equal(pji_levene(&constant, PJI_CENTRE_MEDIAN, &l, NULL), PJI_STATS_CONSTANT);
    assert_missing(l.F);
}

static void test_kruskal_degenerate(void **state)
{
    (void)state;
    const double flat[] = {4, 4, 4, 4};
    const size_t code[] = {0, 0, 1, 1};
    const size_t all[] = {0, 1, 2, 3};
    const size_t single[] = {0, 0, 0, 0};
    const double y[] = {1, 2, 3, 4};
    struct pji_kruskal k;
    struct pji_dunn d;
    struct pji_groups constant = {flat, code, 4, 2};
    assert_int_equal(pji_kruskal(&constant, &k, NULL), PJI_STATS_CONSTANT);
    assert_missing(k.H);
    assert_near(k.mean_rank[1], 2.5);
    assert_int_equal(pji_dunn(&k, 0, 1, &d), PJI_STATS_CONSTANT);
    assert_missing(d.p);
    pji_kruskal_fini(&k);
    struct pji_groups saturated = {y, all, 4, 4};
    assert_int_equal(pji_kruskal(&saturated, &k, NULL), PJI_STATS_SATURATED);
    assert_near(k.H, 3);
    assert_missing(k.eta2_H);
    pji_kruskal_fini(&k);
    struct pji_groups one = {y, single, 4, 1};
    assert_int_equal(pji_kruskal(&one, &k, NULL), PJI_STATS_FEW);
    pji_kruskal_fini(&k);
    struct pji_groups lonely = {y, single, 1, 1};
    assert_int_equal(pji_kruskal(&lonely, &k, NULL), PJI_STATS_FEW);
    pji_kruskal_fini(&k);
}

static void test_friedman_degenerate(void **state)
{
    (void)state;
    const double y[] = {1, 2, 3, 1, 2, 3, 3, 3, 3};
    struct pji_friedman f;
    assert_int_equal(pji_friedman(y, 0, 3, &f, NULL), PJI_STATS_FEW);
    pji_friedman_fini(&f);
    assert_int_equal(pji_friedman(y, 3, 1, &f, NULL), PJI_STATS_FEW);
    pji_friedman_fini(&f);
    assert_int_equal(pji_friedman(y + 6, 1, 3, &f, NULL), PJI_STATS_CONSTANT);
    assert_missing(f.p);
    pji_friedman_fini(&f);
    assert_int_equal(pji_friedman(y, 2, 3, &f, NULL), PJ_OK);
    assert_near(f.chi2, 4); /* perfect agreement of two: W = 1 */
    assert_near(f.kendalls_w, 1);
    pji_friedman_fini(&f);
    const double bad[] = {1, (double)NAN};
    assert_int_equal(pji_friedman(bad, 1, 2, &f, NULL), PJ_EINVAL);
}

/* F and H do not change when groups are renamed, rows move, values are shifted or scaled */
static void test_invariance(void **state)
{
    (void)state;
    const double y[] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5};
    const size_t code[] = {0, 1, 2, 0, 1, 2, 0, 1, 2, 2, 1};
    double moved[11];
    size_t renamed[11];
    static const size_t name[] = {2, 0, 1};
    for (size_t i = 0; i < 11; i++) {
        moved[i] = 1000 - 7 * y[10 - i];
        renamed[i] = name[code[10 - i]];
    }
    struct pji_groups a = {y, code, 11, 3};
    struct pji_groups b = {moved, renamed, 11, 3};
    struct pji_oneway oa;
    struct pji_oneway ob;
    assert_int_equal(pji_oneway(&a, &oa, NULL), PJ_OK);
    assert_int_equal(pji_oneway(&b, &ob, NULL), PJ_OK);
    assert_near(oa.F, ob.F);
    assert_near(oa.omega2, ob.omega2);
    struct pji_kruskal ka;
    struct pji_kruskal kb;
    assert_int_equal(pji_kruskal(&a, &ka, NULL), PJ_OK);
    assert_int_equal(pji_kruskal(&b, &kb, NULL), PJ_OK);
    assert_near(ka.H, kb.H);
    struct pji_dunn da;
    struct pji_dunn db;
    assert_int_equal(pji_dunn(&ka, 0, 1, &da), PJ_OK);
    assert_int_equal(pji_dunn(&kb, 2, 0, &db), PJ_OK);
    assert_near(da.z, -db.z); /* the sign of y turned */
    pji_kruskal_fini(&ka);
    pji_kruskal_fini(&kb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_describe),
        cmocka_unit_test(test_shapiro),
        cmocka_unit_test(test_wrong_groups),
        cmocka_unit_test(test_oneway_degenerate),
        cmocka_unit_test(test_welch),
        cmocka_unit_test(test_spread_degenerate),
        cmocka_unit_test(test_kruskal_degenerate),
        cmocka_unit_test(test_friedman_degenerate),
        cmocka_unit_test(test_invariance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
