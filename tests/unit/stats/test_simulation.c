/* What the tests promise, by simulation with fixed seeds: p-values are uniform when there is
 * nothing to find, 95 % intervals cover 93 to 97 % of the time. */
#include "near.h"

#include "stats/bootstrap.h"
#include "stats/dominance.h"
#include "stats/interval.h"
#include "stats/kruskal.h"
#include "stats/lmm.h"
#include "stats/lmm_inference.h"
#include "stats/oneway.h"
#include "stats/shapiro.h"
#include "stats/ttest.h"
#include "stats/wilcoxon.h"

#include "core/prng.h"

enum { RUNS = 3000, N = 12, SLOW = 4 };

/* shares of p below 0.05 and 0.5 */
struct share {
    double five, half, runs;
};

static void take(struct share *s, double p)
{
    s->five += p < 0.05;
    s->half += p < 0.5;
    s->runs += 1;
}

/* within four standard errors of the nominal level; `slack` for approximations */
static void assert_uniform(const struct share *s, double slack)
{
    double five = s->five / s->runs;
    double half = s->half / s->runs;
    if (!(fabs(five - 0.05) < 4 * sqrt(0.05 * 0.95 / s->runs) + slack))
        fail_msg("%g of p are below 0.05", five);
    if (!(fabs(half - 0.5) < 4 * sqrt(0.25 / s->runs) + 4 * slack))
        fail_msg("%g of p are below 0.5", half);
}

static void test_null(void **state)
{
    (void)state;
    struct share oneway = {0, 0, 0};
    struct share welch = oneway;
    struct share kruskal = oneway;
    struct share wilcoxon = oneway;
    struct share shapiro = oneway;
    struct share welch_t = oneway;
    struct pji_prng prng;
    size_t code[3 * N];
    double y[3 * N];
    pji_prng_init(&prng, 2024, "null");
    for (size_t i = 0; i < (size_t)3 * N; i++)
        code[i] = i / N;
    for (int run = 0; run < RUNS; run++) {
        struct pji_oneway o;
        struct pji_welch w;
        struct pji_kruskal k;
        struct pji_rank_sum r;
        struct pji_shapiro s;
        struct pji_t t;
        struct pji_groups g = {y, code, (size_t)3 * N, 3};
        for (size_t i = 0; i < (size_t)3 * N; i++)
            y[i] = pji_prng_normal(&prng);
        assert_int_equal(pji_oneway(&g, &o, NULL), PJ_OK);
        take(&oneway, o.p);
        assert_int_equal(pji_welch_anova(&g, &w, NULL), PJ_OK);
        take(&welch, w.p);
        assert_int_equal(pji_kruskal(&g, &k, NULL), PJ_OK);
        take(&kruskal, k.p);
        pji_kruskal_fini(&k);
        assert_int_equal(pji_rank_sum(y, N, y + N, N, 2, 0.95, &r, NULL), PJ_OK);
        take(&wilcoxon, r.p_normal_nocc);
        assert_int_equal(pji_shapiro_wilk(y, (size_t)3 * N, &s, NULL), PJ_OK);
        take(&shapiro, s.p);
        assert_int_equal(pji_t_welch(y, N, y + N, N, 0.95, &t, NULL), PJ_OK);
        take(&welch_t, t.p);
    }
    assert_uniform(&oneway, 0);
    assert_uniform(&welch, 0.004);
    assert_uniform(&kruskal, 0.006);
    assert_uniform(&wilcoxon, 0.006);
    assert_uniform(&shapiro, 0.004);
    assert_uniform(&welch_t, 0.004);
}

static void assert_covers(double hits, double runs)
{
    double share = hits / runs;
    if (!(share > 0.93 && share < 0.97))
        fail_msg("95 %% intervals cover %g", share);
}

static void test_coverage(void **state)
{
    (void)state;
    double mean = 0;
    double t = 0;
    double effect = 0;
    double ratio = 0;
    double wilson = 0;
    struct pji_prng prng;
    pji_prng_init(&prng, 7, "coverage");
    for (int run = 0; run < RUNS; run++) {
        double x[N];
        double y[N];
        size_t successes = 0;
        double common = 0.1 * pji_prng_normal(&prng);
        for (size_t i = 0; i < N; i++) {
            x[i] = 5 + pji_prng_normal(&prng);
            y[i] = 4 + pji_prng_normal(&prng);
            successes += pji_prng_unit(&prng) < 0.3;
        }
        struct pji_mean_ci m;
        struct pji_t w;
        struct pji_effect e;
        assert_int_equal(pji_mean_ci(x, N, 0.95, &m, NULL), PJ_OK);
        mean += m.lo < 5 && 5 < m.hi;
        assert_int_equal(pji_t_welch(x, N, y, N, 0.95, &w, NULL), PJ_OK);
        t += w.low < 1 && 1 < w.high;
        if (run % SLOW == 0) {
            assert_int_equal(pji_effect(x, N, y, N, 0.95, &e, NULL), PJ_OK);
            effect += e.cohens_d_low < 1 && 1 < e.cohens_d_high;
        }
        double lo;
        double hi;
        pji_wilson(successes, N, 0.95, &lo, &hi);
        wilson += lo < 0.3 && 0.3 < hi;
        /* a gain error that all blocks share, and the uncertainty that says so */
        for (size_t i = 0; i < N; i++) {
            double block = exp(pji_prng_normal(&prng));
            x[i] = block * exp(0.2 + common + 0.1 * pji_prng_normal(&prng));
            y[i] = block * exp(0.1 * pji_prng_normal(&prng));
        }
        struct pji_ratio_ci r;
        assert_int_equal(pji_ratio_ci(x, y, N, 0.1, 0.95, &r, NULL), PJ_OK);
        ratio += log(r.lo) < 0.2 && 0.2 < log(r.hi);
    }
    assert_covers(mean, RUNS);
    assert_covers(t, RUNS);
    assert_covers(effect, (double)RUNS / SLOW);
    assert_covers(ratio, RUNS);
    assert_covers(wilson, RUNS);
}

static void test_coverage_of_resampling(void **state)
{
    (void)state;
    enum { FEWER = 600, SIZE = 40 };
    double bca = 0;
    double delta = 0;
    struct pji_prng prng;
    pji_prng_init(&prng, 99, "coverage");
    for (int run = 0; run < FEWER; run++) {
        double x[SIZE];
        double y[SIZE];
        for (size_t i = 0; i < SIZE; i++) {
            x[i] = pji_prng_normal(&prng);
            y[i] = pji_prng_normal(&prng) - 0.5;
        }
        struct pji_bca b;
        struct pji_dominance d;
        assert_int_equal(
            pji_bca(x, SIZE, pji_statistic_mean, NULL, 0.95, 999, (uint64_t)run, &b, NULL), PJ_OK);
        bca += b.low < 0 && 0 < b.high;
        assert_int_equal(pji_dominance(x, SIZE, y, SIZE, 0.95, &d, NULL), PJ_OK);
        double truth = erf(0.25); /* P(X > Y) - P(X < Y) for a shift of 1/2 */
        delta += d.ci_low < truth && truth < d.ci_high;
    }
    assert_true(bca / FEWER > 0.92 && bca / FEWER < 0.97);
    assert_true(delta / FEWER > 0.92 && delta / FEWER < 0.975);
}

/* a factor between groups of a mixed model: uniform p by both methods */
static void test_mixed(void **state)
{
    (void)state;
    enum { FEWER = 1200, GROUPS = 10, ROWS = 44 };
    struct share satterthwaite = {0, 0, 0};
    struct share kenward_roger = satterthwaite;
    struct pji_prng prng;
    struct pji_matrix x;
    size_t group[ROWS];
    double y[ROWS];
    pji_prng_init(&prng, 5, "mixed");
    assert_int_equal(pji_matrix_init(&x, ROWS, 2, NULL), PJ_OK);
    for (size_t i = 0; i < ROWS; i++) {
        group[i] = i < 14 ? i % GROUPS : 5 + i % 5; /* unbalanced */
        x.x[i] = 1;
        x.x[ROWS + i] = (double)(group[i] % 2);
    }
    for (int run = 0; run < FEWER; run++) {
        double u[GROUPS];
        for (size_t g = 0; g < GROUPS; g++)
            u[g] = 2 * pji_prng_normal(&prng);
        for (size_t i = 0; i < ROWS; i++)
            y[i] = u[group[i]] + pji_prng_normal(&prng);
        struct pji_lmm m;
        struct pji_satterthwaite s;
        struct pji_kenward_roger k;
        struct pji_estimate e;
        double l[] = {0, 1};
        assert_true(pji_lmm_fit(&m, &x, y, group, GROUPS, true, NULL) >= 0);
        assert_int_equal(pji_satterthwaite_init(&s, &m, NULL), PJ_OK);
        assert_int_equal(pji_kenward_roger_init(&k, &m, NULL), PJ_OK);
        struct pji_estimator fit = pji_satterthwaite_estimator(&s);
        assert_int_equal(pji_estimate(&fit, l, 0.95, &e, NULL), PJ_OK);
        take(&satterthwaite, e.p);
        fit = pji_kenward_roger_estimator(&k);
        assert_int_equal(pji_estimate(&fit, l, 0.95, &e, NULL), PJ_OK);
        take(&kenward_roger, e.p);
        pji_satterthwaite_fini(&s);
        pji_kenward_roger_fini(&k);
        pji_lmm_fini(&m);
    }
    pji_matrix_fini(&x);
    assert_uniform(&satterthwaite, 0.005);
    assert_uniform(&kenward_roger, 0.005);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_null),
        cmocka_unit_test(test_coverage),
        cmocka_unit_test(test_coverage_of_resampling),
        cmocka_unit_test(test_mixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
