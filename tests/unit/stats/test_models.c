/* Linear and mixed models on poor, aliased and closed-form data. */
#include "near.h"

#include "stats/anova.h"
#include "stats/art.h"
#include "stats/emm.h"
#include "stats/lm.h"
#include "stats/lmm.h"
#include "stats/lmm_inference.h"
#include "stats/moments.h"
#include "stats/type3.h"

#include <string.h>

static const size_t two[] = {0, 0, 1, 1, 0, 1, 0, 1};
static const size_t alias[] = {1, 1, 0, 0, 1, 0, 1, 0};
static const double y8[] = {1, 2, 5, 7, 2.5, 6, 1.5, 5.5};

static struct pji_terms model_of(const struct pji_variable *v, size_t n_v, const uint32_t *t,
                                 size_t n_t, size_t n)
{
    return (struct pji_terms){v, n_v, t, n_t, true, n};
}

static void test_design_refused(void **state)
{
    (void)state;
    const double x[] = {1, (double)NAN};
    const size_t code[] = {0, 5};
    struct pji_variable bad[] = {{code, 2, NULL}, {NULL, 0, x}, {two, 1, NULL}};
    struct pji_design d;
    struct pj_error err = {0};
    for (uint32_t v = 0; v < 3; v++) {
        uint32_t term = UINT32_C(1) << v;
        struct pji_terms m = model_of(bad, 3, &term, 1, 2);
        assert_int_equal(pji_design_init(&d, &m, PJI_CODING_SUM, &err), PJ_EINVAL);
    }
    uint32_t unknown = 8;
    uint32_t empty = 0;
    struct pji_terms m = model_of(bad, 3, &unknown, 1, 2);
    assert_int_equal(pji_design_init(&d, &m, PJI_CODING_SUM, NULL), PJ_EINVAL);
    m = model_of(bad, 3, &empty, 1, 2);
    assert_int_equal(pji_design_init(&d, &m, PJI_CODING_SUM, NULL), PJ_EINVAL);
    m = model_of(bad, 3, &unknown, 0, 0);
    assert_int_equal(pji_design_init(&d, &m, PJI_CODING_SUM, NULL), PJ_EINVAL);
    m = model_of(bad, 40, &unknown, 0, 2);
    assert_int_equal(pji_design_init(&d, &m, PJI_CODING_SUM, NULL), PJ_EINVAL);
}

/* which columns a term gets, with and without its margins */
static void test_coding(void **state)
{
    (void)state;
    const size_t a[] = {0, 1, 2, 0, 1, 2};
    const size_t b[] = {0, 0, 0, 1, 1, 1};
    const double x[] = {1, 2, 3, 4, 5, 6};
    struct pji_variable v[] = {{a, 3, NULL}, {b, 2, NULL}, {NULL, 0, x}};
    static const struct {
        uint32_t term[4];
        size_t terms;
        bool intercept;
        size_t columns;
    } cases[] = {
        {{1}, 1, true, 3},        {{1}, 1, false, 3},      {{1, 2}, 2, false, 4}, {{3}, 1, true, 7},
        {{1, 3}, 2, true, 6},     {{1, 2, 3}, 3, true, 6}, {{4, 5}, 2, true, 4},  {{5}, 1, true, 4},
        {{1, 4, 5}, 3, false, 6}, {{2, 3}, 2, false, 6},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct pji_terms m = {v, 3, cases[i].term, cases[i].terms, cases[i].intercept, 6};
        struct pji_design d;
        assert_int_equal(pji_design_init(&d, &m, PJI_CODING_TREATMENT, NULL), PJ_OK);
        assert_int_equal(d.x.cols, cases[i].columns);
        pji_design_fini(&d);
    }
}

static void test_lm_conditions(void **state)
{
    (void)state;
    struct pji_variable v[] = {{two, 2, NULL}, {alias, 2, NULL}};
    const uint32_t terms[] = {1, 2};
    struct pji_terms m = model_of(v, 2, terms, 2, 8);
    struct pji_design d;
    struct pji_lm lm;
    assert_int_equal(pji_design_init(&d, &m, PJI_CODING_TREATMENT, NULL), PJ_OK);
    assert_int_equal(pji_lm_fit(&lm, &d.x, true, y8, NULL), PJI_STATS_DEFICIENT);
    assert_int_equal(lm.rank, 2);
    assert_missing(lm.beta[2]);
    assert_missing(lm.se[2]);
    assert_near(lm.beta[0], 1.75);
    assert_near(lm.beta[1], 5.875 - 1.75);
    double only[] = {0, 0, 1};
    double sum[] = {0, 1, -1};
    double difference[] = {0, 1, 1};
    assert_false(pji_estimable(&lm.null, only));
    assert_true(pji_estimable(&lm.null, sum)); /* beta1 - beta2 */
    assert_false(pji_estimable(&lm.null, difference));
    pji_lm_fini(&lm);
    double perfect[8];
    for (size_t i = 0; i < 8; i++)
        perfect[i] = two[i] == 0 ? 3.1 : 4.7;
    assert_int_equal(pji_lm_fit(&lm, &d.x, true, perfect, NULL), PJI_STATS_CONSTANT);
    assert_near(lm.beta[1], 1.6);
    assert_missing(lm.se[0]);
    pji_lm_fini(&lm);
    const double bad[8] = {(double)NAN};
    assert_int_equal(pji_lm_fit(&lm, &d.x, true, bad, NULL), PJ_EINVAL);
    pji_design_fini(&d);
    m.n = 2; /* two rows of one group each: nothing left */
    m.terms = 1;
    const size_t pair[] = {0, 1};
    v[0].code = pair;
    assert_int_equal(pji_design_init(&d, &m, PJI_CODING_TREATMENT, NULL), PJ_OK);
    assert_int_equal(pji_lm_fit(&lm, &d.x, true, y8, NULL), PJI_STATS_SATURATED);
    assert_missing(lm.sigma);
    struct pji_estimator e;
    struct pji_matrix cov;
    struct pji_estimate est;
    double l[] = {1, 1};
    assert_int_equal(pji_lm_estimator(&lm, &e, &cov, NULL), PJ_OK);
    assert_int_equal(pji_estimate(&e, l, 0.95, &est, NULL), PJI_STATS_CONSTANT);
    assert_near(est.estimate, 2);
    assert_missing(est.p);
    assert_int_equal(pji_estimate(&e, l, 0, &est, NULL), PJ_EINVAL);
    pji_matrix_fini(&cov);
    pji_lm_fini(&lm);
    pji_design_fini(&d);
}

static void test_anova_conditions(void **state)
{
    (void)state;
    struct pji_variable v[] = {{two, 2, NULL}, {alias, 2, NULL}};
    const uint32_t terms[] = {1, 2};
    struct pji_terms m = model_of(v, 2, terms, 2, 8);
    struct pji_anova_row rows[2];
    assert_int_equal(pji_anova(&m, y8, PJI_ANOVA_I, rows, NULL), PJ_OK);
    assert_true(rows[0].df == 1 && rows[1].df == 0);
    assert_missing(rows[1].F);
    assert_int_equal(pji_anova(&m, y8, PJI_ANOVA_III, rows, NULL), PJI_STATS_DEFICIENT);
    assert_missing(rows[0].ss);
    /* one factor: all types are the one-way analysis */
    m.terms = 1;
    struct pji_anova_row one[3];
    assert_int_equal(pji_anova(&m, y8, PJI_ANOVA_I, &one[0], NULL), PJ_OK);
    assert_int_equal(pji_anova(&m, y8, PJI_ANOVA_II, &one[1], NULL), PJ_OK);
    assert_int_equal(pji_anova(&m, y8, PJI_ANOVA_III, &one[2], NULL), PJ_OK);
    assert_near(one[1].F, one[0].F);
    assert_near(one[2].F, one[0].F);
    const double flat[8] = {3, 3, 3, 3, 3, 3, 3, 3};
    assert_int_equal(pji_anova(&m, flat, PJI_ANOVA_I, one, NULL), PJI_STATS_CONSTANT);
    assert_missing(one[0].F);
}

/* the smallest whole numbers: Fisher and Yates' tables */
static void test_contrasts(void **state)
{
    (void)state;
    static const double k3[] = {1, -2, 1};
    static const double k5[] = {-1, 2, 0, -2, 1};
    static const double k7[] = {3, -7, 1, 6, 1, -7, 3};
    double c[200];
    pji_contrast_row(PJI_CONTRAST_POLYNOMIAL, 3, 1, c);
    assert_memory_equal(c, k3, sizeof k3);
    pji_contrast_row(PJI_CONTRAST_POLYNOMIAL, 5, 2, c);
    assert_memory_equal(c, k5, sizeof k5);
    pji_contrast_row(PJI_CONTRAST_POLYNOMIAL, 7, 3, c);
    assert_memory_equal(c, k7, sizeof k7);
    for (size_t k = 2; k <= 30; k++) {
        double d[30];
        for (size_t i = 0; i < pji_contrast_count(PJI_CONTRAST_POLYNOMIAL, k); i++) {
            pji_contrast_row(PJI_CONTRAST_POLYNOMIAL, k, i, c);
            assert_true(pji_sum(c, k) == 0);
            assert_true(c[k - 1] > 0);
            for (size_t j = 0; j < i; j++) {
                pji_contrast_row(PJI_CONTRAST_POLYNOMIAL, k, j, d);
                assert_true(pji_dot(c, d, k) == 0);
            }
        }
    }
    assert_int_equal(pji_contrast_count(PJI_CONTRAST_PAIRWISE, 5), 10);
    assert_int_equal(pji_contrast_count(PJI_CONTRAST_CONSECUTIVE, 1), 0);
    size_t plus;
    size_t minus;
    pji_contrast_pair(PJI_CONTRAST_PAIRWISE, 4, 5, &plus, &minus);
    assert_true(plus == 2 && minus == 3);
    pji_contrast_pair(PJI_CONTRAST_CONSECUTIVE, 4, 2, &plus, &minus);
    assert_true(plus == 3 && minus == 2);
}

static void test_emm_refused(void **state)
{
    (void)state;
    const double x[] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct pji_variable v[] = {{two, 2, NULL}, {NULL, 0, x}, {alias, 2, NULL}};
    const uint32_t terms[] = {1, 2};
    struct pji_terms m = model_of(v, 3, terms, 2, 8);
    double mean = 4.5;
    struct pji_grid grid = {.value = {NULL, &mean}, .count = {0, 1}};
    struct pji_design d;
    struct pji_matrix rows;
    assert_int_equal(pji_design_init(&d, &m, PJI_CODING_TREATMENT, NULL), PJ_OK);
    const size_t specs[][2] = {{1, 0}, {2, 0}, {7, 0}, {0, 0}};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pji_emm_rows(&d, specs[i], i == 3 ? 2 : 1, &grid, &rows, NULL), PJ_EINVAL);
    const size_t good = 0;
    assert_int_equal(pji_emm_rows(&d, &good, 1, &grid, &rows, NULL), PJ_OK);
    assert_true(rows.rows == 2 && pji_matrix_get(&rows, 1, 2) == 4.5);
    pji_matrix_fini(&rows);
    pji_design_fini(&d);
}

/* balanced one-way layout: REML is the analysis of variance */
static void test_lmm_closed_form(void **state)
{
    (void)state;
    const double y[] = {1, 2, 3, 11, 12, 14, 21, 23, 22, 5, 4, 9};
    size_t group[12];
    struct pji_matrix x;
    assert_int_equal(pji_matrix_init(&x, 12, 1, NULL), PJ_OK);
    double within = 0;
    double between = 0;
    for (size_t g = 0; g < 4; g++) {
        double mean = (y[3 * g] + y[3 * g + 1] + y[3 * g + 2]) / 3;
        for (size_t i = 3 * g; i < 3 * g + 3; i++) {
            group[i] = g;
            x.x[i] = 1;
            within += (y[i] - mean) * (y[i] - mean);
        }
        between += 3 * (mean - 127.0 / 12) * (mean - 127.0 / 12);
    }
    struct pji_lmm m;
    assert_int_equal(pji_lmm_fit(&m, &x, y, group, 4, true, NULL), PJ_OK);
    assert_near(m.var_residual, within / 8);
    assert_near(m.var_group, (between / 3 - within / 8) / 3);
    assert_near(m.beta[0], 127.0 / 12);
    struct pji_satterthwaite s;
    struct pji_kenward_roger k;
    struct pji_estimate e;
    double one = 1;
    assert_int_equal(pji_satterthwaite_init(&s, &m, NULL), PJ_OK);
    struct pji_estimator by = pji_satterthwaite_estimator(&s);
    assert_int_equal(pji_estimate(&by, &one, 0.95, &e, NULL), PJ_OK);
    assert_near(e.df, 3);
    assert_int_equal(pji_kenward_roger_init(&k, &m, NULL), PJ_OK);
    by = pji_kenward_roger_estimator(&k);
    assert_int_equal(pji_estimate(&by, &one, 0.95, &e, NULL), PJ_OK);
    assert_near(e.df, 3);
    assert_false(k.pseudo);
    struct pji_matrix l = {&one, 1, 1};
    struct pji_matrix no_rows = {&one, 0, 1};
    struct pji_lmm_test a;
    struct pji_lmm_test b;
    assert_int_equal(pji_satterthwaite_test(&s, &l, &a, NULL), PJ_OK);
    assert_int_equal(pji_kenward_roger_test(&k, &l, &b, NULL), PJ_OK);
    assert_near(a.F, e.t * e.t);
    assert_near(b.den_df, 3);
    assert_int_equal(pji_satterthwaite_test(&s, &no_rows, &a, NULL), PJI_STATS_FEW);
    assert_int_equal(pji_kenward_roger_test(&k, &no_rows, &b, NULL), PJI_STATS_FEW);
    pji_satterthwaite_fini(&s);
    pji_kenward_roger_fini(&k);
    pji_lmm_fini(&m);
    /* maximum likelihood: balanced, so var_residual is the same and tau has divisor groups */
    assert_int_equal(pji_lmm_fit(&m, &x, y, group, 4, false, NULL), PJ_OK);
    assert_near(m.var_residual, within / 8);
    assert_near(m.var_group, (between / 4 - within / 8) / 3);
    assert_int_equal(pji_kenward_roger_init(&k, &m, NULL), PJI_STATS_UNDEFINED);
    assert_int_equal(pji_satterthwaite_init(&s, &m, NULL), PJ_OK);
    pji_satterthwaite_fini(&s);
    pji_lmm_fini(&m);
    pji_matrix_fini(&x);
}

static void test_lmm_conditions(void **state)
{
    (void)state;
    struct pji_matrix x;
    struct pji_lmm m;
    const size_t group[] = {0, 0, 0, 1, 1, 1};
    const size_t one[] = {0, 0, 0, 0, 0, 0};
    const size_t all[] = {0, 1, 2, 3, 4, 5};
    const size_t gap[] = {0, 0, 0, 2, 2, 2};
    const double y[] = {1, 2, 3, 4, 6, 5};
    const double steps[] = {1, 1, 1, 2, 2, 2};
    assert_int_equal(pji_matrix_init(&x, 6, 2, NULL), PJ_OK);
    for (size_t i = 0; i < 6; i++) {
        x.x[i] = 1;
        x.x[6 + i] = (double)group[i];
    }
    struct pji_matrix intercept = {x.x, 6, 1};
    assert_int_equal(pji_lmm_fit(&m, &intercept, y, one, 1, true, NULL), PJI_STATS_FEW);
    pji_lmm_fini(&m);
    assert_int_equal(pji_lmm_fit(&m, &intercept, y, all, 6, true, NULL), PJI_STATS_SATURATED);
    pji_lmm_fini(&m);
    /* the fixed effect is the group */
    assert_int_equal(pji_lmm_fit(&m, &x, y, group, 2, true, NULL), PJI_STATS_UNDEFINED);
    assert_missing(m.theta);
    pji_lmm_fini(&m);
    assert_int_equal(pji_lmm_fit(&m, &intercept, steps, group, 2, true, NULL), PJI_STATS_CONSTANT);
    pji_lmm_fini(&m);
    const double flat[] = {3, 3, 3, 3, 3, 3};
    assert_int_equal(pji_lmm_fit(&m, &intercept, flat, group, 2, true, NULL), PJI_STATS_CONSTANT);
    pji_lmm_fini(&m);
    const double equal[] = {1, 2, 3, 3, 1, 2};
    assert_int_equal(pji_lmm_fit(&m, &intercept, equal, group, 2, true, NULL), PJI_STATS_SINGULAR);
    assert_true(m.var_group == 0 && m.theta == 0 && m.icc == 0 && m.blup[0] == 0);
    assert_near(m.var_residual, 0.8);
    pji_lmm_fini(&m);
    assert_int_equal(pji_lmm_fit(&m, &intercept, y, gap, 3, true, NULL), PJ_EINVAL);
    assert_int_equal(pji_lmm_fit(&m, &intercept, y, gap, 2, true, NULL), PJ_EINVAL);
    const double bad[] = {1, 2, (double)NAN, 4, 5, 6};
    assert_int_equal(pji_lmm_fit(&m, &intercept, bad, group, 2, true, NULL), PJ_EINVAL);
    pji_matrix_fini(&x);
}

/* a response that is large, small or shifted has the same tests */
static void test_lmm_scale(void **state)
{
    (void)state;
    double y[24];
    size_t group[24];
    struct pji_matrix x;
    assert_int_equal(pji_matrix_init(&x, 24, 2, NULL), PJ_OK);
    for (size_t i = 0; i < 24; i++) {
        group[i] = i / 4;
        x.x[i] = 1;
        x.x[24 + i] = (double)(i % 4);
        y[i] = (double)((i * i * 7 + i / 4 * 13) % 29);
    }
    double first[3] = {0};
    static const double scale[] = {1, 1e-6, 1e4};
    static const double shift[] = {0, 1, -1e3};
    for (size_t k = 0; k < 3; k++) {
        double z[24];
        struct pji_lmm m;
        struct pji_satterthwaite s;
        struct pji_estimate e;
        double l[] = {0, 1};
        for (size_t i = 0; i < 24; i++)
            z[i] = scale[k] * (y[i] + shift[k]);
        assert_true(pji_lmm_fit(&m, &x, z, group, 6, true, NULL) >= 0);
        assert_int_equal(pji_satterthwaite_init(&s, &m, NULL), PJ_OK);
        struct pji_estimator fit = pji_satterthwaite_estimator(&s);
        assert_int_equal(pji_estimate(&fit, l, 0.95, &e, NULL), PJ_OK);
        double now[3] = {e.t, e.df, m.theta};
        for (size_t j = 0; j < 3; j++) {
            if (k == 0)
                first[j] = now[j];
            assert_true(fabs(now[j] - first[j]) <= 1e-8 * fmax(1e-3, fabs(first[j])));
        }
        pji_satterthwaite_fini(&s);
        pji_lmm_fini(&m);
    }
    pji_matrix_fini(&x);
}

static void test_art(void **state)
{
    (void)state;
    const size_t a[] = {0, 0, 0, 0, 1, 1, 1, 1};
    const size_t b[] = {0, 0, 1, 1, 0, 0, 1, 1};
    const double y[] = {1, 3, 5, 7, 2, 4, 10, 12};
    struct pji_variable v[] = {{a, 2, NULL}, {b, 2, NULL}, {NULL, 0, y}};
    const uint32_t terms[] = {1, 2, 3};
    struct pji_terms m = model_of(v, 3, terms, 3, 8);
    double aligned[8];
    double ranks[8];
    assert_int_equal(pji_art_ranks(&m, 3, 1, y, aligned, ranks, NULL), PJ_OK);
    /* residual -1, effect of a: 4 - 5.5 */
    assert_near(aligned[0], -2.5);
    double sum = 0;
    for (size_t i = 0; i < 8; i++)
        sum += ranks[i];
    assert_near(sum, 36);
    /* the effects of a, b and a:b with the mean and the residual are the response */
    double total[8] = {0};
    for (uint32_t t = 1; t <= 3; t++) {
        assert_int_equal(pji_art_ranks(&m, 3, t, y, aligned, ranks, NULL), PJ_OK);
        for (size_t i = 0; i < 8; i++)
            total[i] += aligned[i];
    }
    static const double residual[] = {-1, 1, -1, 1, -1, 1, -1, 1};
    for (size_t i = 0; i < 8; i++)
        assert_near(total[i] - 2 * residual[i] + 5.5, y[i]);
    assert_int_equal(pji_art_ranks(&m, 3, 0, y, aligned, ranks, NULL), PJ_EINVAL);
    assert_int_equal(pji_art_ranks(&m, 3, 4, y, aligned, ranks, NULL), PJ_EINVAL);
    assert_int_equal(pji_art_ranks(&m, 7, 1, y, aligned, ranks, NULL), PJ_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_design_refused),  cmocka_unit_test(test_coding),
        cmocka_unit_test(test_lm_conditions),   cmocka_unit_test(test_anova_conditions),
        cmocka_unit_test(test_contrasts),       cmocka_unit_test(test_emm_refused),
        cmocka_unit_test(test_lmm_closed_form), cmocka_unit_test(test_lmm_conditions),
        cmocka_unit_test(test_lmm_scale),       cmocka_unit_test(test_art),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
