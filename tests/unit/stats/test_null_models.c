/* The promises of tests/unit/stats/test_simulation.c for the other tests: p-values are uniform when
 * there is nothing to find, 95 % intervals cover 93 to 97 % of the time; correlations, blocks,
 * factorial designs, linear and mixed models. Fixed seeds. */
#include "near.h"

#include "core/prng.h"
#include "stats/anova.h"
#include "stats/art.h"
#include "stats/correlation.h"
#include "stats/emm.h"
#include "stats/friedman.h"
#include "stats/lm.h"
#include "stats/lmm.h"
#include "stats/lmm_inference.h"
#include "stats/spread.h"
#include "stats/wilcoxon.h"

enum { RUNS = 2000, N = 16 };

struct share {
    double five, half, runs;
};

static void take(struct share *s, double p)
{
    s->five += p < 0.05;
    s->half += p < 0.5;
    s->runs += 1;
}

/* within four standard errors of the nominal level; `slack` for approximations and discrete ranks
 */
static void assert_uniform(const struct share *s, double slack, const char *name)
{
    double five = s->five / s->runs;
    double half = s->half / s->runs;
    if (!(fabs(five - 0.05) < 4 * sqrt(0.05 * 0.95 / s->runs) + slack))
        fail_msg("%s: %g of p are below 0.05", name, five);
    if (!(fabs(half - 0.5) < 4 * sqrt(0.25 / s->runs) + 4 * slack))
        fail_msg("%s: %g of p are below 0.5", name, half);
}

static void assert_covers(double hits, double runs, const char *name)
{
    if (!(hits / runs > 0.93 && hits / runs < 0.97))
        fail_msg("%s: 95 %% intervals cover %g", name, hits / runs);
}

static void normals(struct pji_prng *prng, double *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = pji_prng_normal(prng);
}

static void test_correlations(void **state)
{
    (void)state;
    struct share pearson = {0, 0, 0};
    struct share spearman = pearson;
    struct share kendall = pearson;
    double covered = 0;
    struct pji_prng prng;
    pji_prng_init(&prng, 1, "correlations");
    for (int run = 0; run < RUNS; run++) {
        double x[N];
        double y[N];
        struct pji_pearson p;
        struct pji_spearman s;
        struct pji_kendall k;
        normals(&prng, x, N);
        normals(&prng, y, N);
        assert_int_equal(pji_pearson(x, y, N, 0.95, &p, NULL), PJ_OK);
        take(&pearson, p.p);
        assert_int_equal(pji_spearman(x, y, N, &s, NULL), PJ_OK);
        take(&spearman, s.p_t);
        assert_int_equal(pji_kendall(x, y, N, 50, &k, NULL), PJ_OK);
        take(&kendall, k.p_exact);
        for (size_t i = 0; i < N; i++)
            y[i] = 0.6 * x[i] + 0.8 * y[i];
        assert_int_equal(pji_pearson(x, y, N, 0.95, &p, NULL), PJ_OK);
        covered += p.low < 0.6 && 0.6 < p.high;
    }
    assert_uniform(&pearson, 0, "pearson");
    assert_uniform(&spearman, 0.004, "spearman");
    assert_uniform(&kendall, 0.012, "kendall"); /* its exact p has steps of 5 % near 0.5 */
    assert_covers(covered, RUNS, "pearson");
}

static void test_blocks(void **state)
{
    (void)state;
    enum { BLOCKS = 20, TREATMENTS = 4 };
    struct share friedman = {0, 0, 0};
    struct share signed_rank = friedman;
    struct share levene = friedman;
    double covered = 0;
    struct pji_prng prng;
    size_t code[BLOCKS * TREATMENTS];
    pji_prng_init(&prng, 2, "blocks");
    for (size_t i = 0; i < (size_t)BLOCKS * TREATMENTS; i++)
        code[i] = i % TREATMENTS;
    for (int run = 0; run < RUNS; run++) {
        double y[BLOCKS * TREATMENTS];
        struct pji_friedman f;
        struct pji_signed_rank s;
        struct pji_levene l;
        struct pji_rank_sum r;
        struct pji_groups g = {y, code, (size_t)BLOCKS * TREATMENTS, TREATMENTS};
        normals(&prng, y, (size_t)BLOCKS * TREATMENTS);
        assert_int_equal(pji_friedman(y, BLOCKS, TREATMENTS, &f, NULL), PJ_OK);
        take(&friedman, f.p);
        pji_friedman_fini(&f);
        assert_int_equal(pji_signed_rank(y, BLOCKS, 50, &s, NULL), PJ_OK);
        take(&signed_rank, s.p_exact);
        assert_int_equal(pji_levene(&g, PJI_CENTRE_MEDIAN, &l, NULL), PJ_OK);
        take(&levene, l.p);
        for (size_t i = 0; i < 10; i++)
            y[i] += 2;
        assert_int_equal(pji_rank_sum(y, 10, y + 20, 12, 50, 0.95, &r, NULL), PJ_OK);
        covered += r.hl_low <= 2 && 2 <= r.hl_high;
    }
    assert_uniform(&friedman, 0.008, "friedman");
    assert_uniform(&signed_rank, 0.006, "signed rank");
    assert_uniform(&levene, 0.012, "levene"); /* the median's is conservative in small groups */
    assert_covers(covered, RUNS, "Hodges-Lehmann");
}

/* unbalanced 3 by 2 layout with a covariate */
enum { ROWS = 40 };
static size_t a[ROWS];
static size_t b[ROWS];
static double x[ROWS];
static const struct pji_variable variables[] = {{a, 3, NULL}, {b, 2, NULL}, {NULL, 0, x}};
static const uint32_t crossed[] = {1, 2, 3, 4};

static void layout(void)
{
    for (size_t i = 0; i < ROWS; i++) {
        a[i] = i < 18 ? i % 3 : i % 2;
        b[i] = i * i % 5 % 2;
        x[i] = (double)((i * 7) % 13);
    }
}

static void test_factorial(void **state)
{
    (void)state;
    layout();
    static const char *const names[] = {"type I", "type II", "type III"};
    struct share of_type[3][4] = {{{0, 0, 0}}};
    struct share art[3] = {{0, 0, 0}};
    struct pji_prng prng;
    struct pji_terms all = {variables, 3, crossed, 4, true, ROWS};
    struct pji_terms factors = {variables, 2, crossed, 3, true, ROWS};
    pji_prng_init(&prng, 3, "factorial");
    for (int run = 0; run < RUNS; run++) {
        double y[ROWS];
        struct pji_anova_row rows[4];
        normals(&prng, y, ROWS);
        for (int type = 0; type < 3; type++) {
            assert_int_equal(pji_anova(&all, y, (enum pji_anova_type)type, rows, NULL), PJ_OK);
            for (size_t t = 0; t < 4; t++)
                take(&of_type[type][t], rows[t].p);
        }
        for (size_t t = 0; t < 3; t++) {
            double aligned[ROWS];
            double ranks[ROWS];
            assert_int_equal(pji_art_ranks(&factors, 3, crossed[t], y, aligned, ranks, NULL),
                             PJ_OK);
            assert_int_equal(pji_anova(&factors, ranks, PJI_ANOVA_III, rows, NULL), PJ_OK);
            take(&art[t], rows[t].p);
        }
    }
    for (size_t t = 0; t < 4; t++) {
        for (size_t type = 0; type < 3; type++)
            assert_uniform(&of_type[type][t], 0, names[type]);
    }
    for (size_t t = 0; t < 3; t++)
        assert_uniform(&art[t], 0.012, "aligned ranks");
}

/* the true value of l'beta when y = 2 x + 3 [a = 2] + noise */
static double truth(const struct pji_design *d, const double *l)
{
    double sum = 0;
    for (size_t c = 0; c < d->x.cols; c++) {
        size_t term = pji_design_term(d, c);
        size_t level[PJI_VARIABLES] = {0};
        pji_design_levels(d, c, level);
        if (term < 4 && d->model.term[term] == 4)
            sum += 2 * l[c];
        if (term < 4 && d->model.term[term] == 1 && level[0] == 2)
            sum += 3 * l[c];
    }
    return sum;
}

/* does the 95 % interval of l'beta hold its true value? */
static int holds(const struct pji_estimator *fit, const struct pji_design *d, const double *l)
{
    struct pji_estimate e;
    assert_int_equal(pji_estimate(fit, l, 0.95, &e, NULL), PJ_OK);
    return e.low < truth(d, l) && truth(d, l) < e.high;
}

/* the same of a mixed model of y with groups of five, by both methods */
static void mixed_intervals(const struct pji_design *d, const double *y, const double *l,
                            double hits[2])
{
    size_t group[ROWS];
    struct pji_lmm lmm;
    struct pji_satterthwaite s;
    struct pji_kenward_roger k;
    for (size_t i = 0; i < ROWS; i++)
        group[i] = i / 5;
    assert_true(pji_lmm_fit(&lmm, &d->x, y, group, ROWS / 5, true, NULL) >= 0);
    assert_int_equal(pji_satterthwaite_init(&s, &lmm, NULL), PJ_OK);
    assert_int_equal(pji_kenward_roger_init(&k, &lmm, NULL), PJ_OK);
    struct pji_estimator fits[] = {pji_satterthwaite_estimator(&s),
                                   pji_kenward_roger_estimator(&k)};
    for (size_t f = 0; f < 2; f++)
        hits[f] += holds(&fits[f], d, l);
    pji_satterthwaite_fini(&s);
    pji_kenward_roger_fini(&k);
    pji_lmm_fini(&lmm);
}

static void test_intervals(void **state)
{
    (void)state;
    layout();
    double mean = 0;
    double difference = 0;
    double mixed[2] = {0, 0};
    double y[ROWS];
    double l[16];
    double u = 0;
    struct pji_prng prng;
    struct pji_terms m = {variables, 3, crossed, 4, true, ROWS};
    struct pji_design d;
    struct pji_emm_cells cells;
    const double centre = 6;
    const struct pji_grid grid = {.value = {NULL, NULL, &centre}, .count = {0, 0, 1}};
    assert_int_equal(pji_design_init(&d, &m, PJI_CODING_TREATMENT, NULL), PJ_OK);
    assert_int_equal(pji_emm_cells_init(&cells, &d, 0, NULL, 0, &grid, NULL), PJ_OK);
    pji_prng_init(&prng, 4, "intervals");
    for (int run = 0; run < RUNS; run++) {
        struct pji_lm lm;
        struct pji_estimator fit;
        struct pji_matrix cov;
        normals(&prng, y, ROWS);
        for (size_t i = 0; i < ROWS; i++)
            y[i] += 2 * x[i] + (a[i] == 2 ? 3 : 0);
        assert_int_equal(pji_lm_fit(&lm, &d.x, true, y, NULL), PJ_OK);
        assert_int_equal(pji_lm_estimator(&lm, &fit, &cov, NULL), PJ_OK);
        for (size_t c = 0; c < d.x.cols; c++)
            l[c] = pji_matrix_get(&cells.rows, 2, c);
        mean += holds(&fit, &d, l);
        for (size_t c = 0; c < d.x.cols; c++)
            l[c] -= pji_matrix_get(&cells.rows, 0, c);
        difference += holds(&fit, &d, l);
        pji_matrix_fini(&cov);
        pji_lm_fini(&lm);
        for (size_t i = 0; i < ROWS; i++) {
            u = i % 5 == 0 ? pji_prng_normal(&prng) : u;
            y[i] += u;
        }
        if (run % 2 == 0)
            mixed_intervals(&d, y, l, mixed);
    }
    pji_emm_cells_fini(&cells);
    pji_design_fini(&d);
    assert_covers(mean, RUNS, "marginal mean");
    assert_covers(difference, RUNS, "contrast");
    assert_covers(mixed[0], RUNS / 2.0, "contrast of a mixed model, Satterthwaite");
    assert_covers(mixed[1], RUNS / 2.0, "contrast of a mixed model, Kenward-Roger");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_correlations),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_factorial),
        cmocka_unit_test(test_intervals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
