/* Aliases and degrees of freedom against a QR decomposition of the dummy columns, the GreenLab plan
 * by name, and the smallest differences against figures of R.
 */
#include <stdio.h>

#include "core/prng.h"
#include "lab/audit.h"
#include "stats/qr.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct world {
    struct pji_study study;
    struct pji_plan plan;
    struct pji_plan_audit audit;
};

static void world_open(struct world *w, const char *design)
{
    char text[4096];
    struct pj_error err = {0};
    snprintf(text, sizeof text, "study: x\n%sengine: {kind: command, run: [echo]}\n", design);
    if (pji_study_parse(&w->study, text, strlen(text), "s.yaml", &err) ||
        pji_plan_make(&w->plan, &w->study, &err) ||
        pji_plan_audit_make(&w->audit, &w->study, &w->plan, &err))
        fail_msg("%s", err.text);
}

static void world_close(struct world *w)
{
    pji_plan_audit_fini(&w->audit);
    pji_plan_fini(&w->plan);
    pji_study_fini(&w->study);
}

static bool names(const struct world *w, size_t alias, const char *which)
{
    char text[256] = "";
    for (size_t f = 0; f < w->study.n_factors; f++)
        if (w->audit.aliases[alias].factors[f])
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s ",
                     w->study.factors[f].name);
    return strcmp(text, which) == 0;
}

static void check_greenlab(const char *design)
{
    struct world w;
    world_open(&w, design);
    assert_int_equal(w.plan.n_cells, 30);
    assert_int_equal(w.audit.n_aliases, 1);
    assert_true(names(&w, 0, "generation size "));
    assert_int_equal(w.audit.aliases[0].rank, 5);
    assert_int_equal(w.audit.aliases[0].of, 7);
    assert_int_equal(w.audit.tests[0].df, 1);
    assert_int_equal(w.audit.tests[1].df, 1);
    assert_int_equal(w.audit.tests[2].df, 5);
    assert_true(w.audit.tests[2].balanced && !w.audit.tests[0].balanced);
    assert_int_equal(w.audit.rank, 10);
    assert_int_equal(w.audit.residual_df, 29 * 29);
    assert_int_equal(w.audit.cell_residual_df, 20);
    assert_int_equal(w.audit.pair_df, 29);
    world_close(&w);
}

static void the_greenlab_plan(void **state)
{
    (void)state;
    check_greenlab("factors: {generation: ['2', '3', '3.1', '3.2'], size: [1B, 3B, 7B, 8B],"
                   " task: [BoolQ, CB, COPA, RTE, WiC, WSC]}\n"
                   "exclude: [{generation: '2', size: [1B, 3B, 8B]},"
                   " {generation: ['3', '3.1'], size: [1B, 3B, 7B]},"
                   " {generation: '3.2', size: [7B, 8B]}]\nrepetitions: 30\n");
    check_greenlab("factors:\n  generation: ['2', '3', '3.1', '3.2']\n  size: {nested_in: "
                   "generation, levels: {'2': [7B], '3': [8B], '3.1': [8B], '3.2': [1B, 3B]}}\n"
                   "  task: [BoolQ, CB, COPA, RTE, WiC, WSC]\nrepetitions: 30\n");
}

static void full_products_have_none(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, "factors: {a: [1, 2], b: [1, 2, 3], c: [x]}\nrepetitions: 1\n");
    assert_int_equal(w.audit.n_aliases, 0);
    assert_int_equal(w.audit.tests[1].df, 2);
    assert_int_equal(w.audit.tests[2].levels, 1);
    assert_true(w.audit.residual_df <= 0); /* one trial of each cell: nothing to test with */
    assert_true(isnan(pji_plan_audit_detect_factor(&w.audit, 0, 0.01, 0.05, 0.8)));
    assert_true(isnan(pji_plan_audit_detect_pair(&w.audit, 0.01, 0.05, 0.8)));
    world_close(&w);
}

/* Exactly one of three is on: no pair is aliased, all three together are. */
static void three_factors_together(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, "factors: {a: [0, 1], b: [0, 1], c: [0, 1], d: [p, q]}\n"
                   "exclude: [{a: 0, b: 0, c: 0}, {a: 1, b: 1}, {a: 1, c: 1}, {b: 1, c: 1}]\n"
                   "repetitions: 2\n");
    assert_int_equal(w.plan.n_cells, 6);
    assert_int_equal(w.audit.n_aliases, 1);
    assert_true(names(&w, 0, "a b c "));
    assert_int_equal(w.audit.aliases[0].rank, 3);
    assert_int_equal(w.audit.aliases[0].of, 4);
    assert_int_equal(w.audit.tests[0].df, 0);
    assert_int_equal(w.audit.tests[3].df, 1);
    world_close(&w);
}

/* Rank of intercept and dummies of the chosen factors, by QR over all cells. */
static size_t qr_rank(const struct world *w, uint32_t factors)
{
    struct pji_matrix x;
    struct pji_qr qr;
    size_t cols = 1, at = 1;
    for (size_t f = 0; f < w->study.n_factors; f++)
        cols += factors >> f & 1 ? w->study.factors[f].n : 0;
    assert_int_equal(pji_matrix_init(&x, w->plan.n_cells, cols, NULL), PJ_OK);
    for (size_t c = 0; c < w->plan.n_cells; c++)
        *pji_matrix_at(&x, c, 0) = 1;
    for (size_t f = 0; f < w->study.n_factors; f++) {
        if (!(factors >> f & 1))
            continue;
        for (size_t c = 0; c < w->plan.n_cells; c++)
            *pji_matrix_at(&x, c, at + w->plan.cell_levels[c * w->plan.n_factors + f]) = 1;
        at += w->study.factors[f].n;
    }
    assert_int_equal(pji_qr_init(&qr, &x, NULL), PJ_OK);
    size_t rank = qr.rank;
    pji_qr_fini(&qr);
    pji_matrix_fini(&x);
    return rank;
}

static void check_random(const struct world *w)
{
    uint32_t all = (1U << w->study.n_factors) - 1;
    size_t pairs = 0;
    assert_int_equal(w->audit.rank, qr_rank(w, all));
    for (size_t f = 0; f < w->study.n_factors; f++) {
        assert_int_equal(w->audit.tests[f].df, qr_rank(w, all) - qr_rank(w, all & ~(1U << f)));
        for (size_t g = f + 1; g < w->study.n_factors; g++) {
            size_t of = w->audit.tests[f].levels + w->audit.tests[g].levels - 1;
            pairs += qr_rank(w, 1U << f | 1U << g) < of;
        }
    }
    size_t found = 0;
    for (size_t i = 0; i < w->audit.n_aliases; i++) {
        size_t n = 0;
        uint32_t set = 0;
        for (size_t f = 0; f < w->study.n_factors; f++) {
            n += w->audit.aliases[i].factors[f];
            set |= (uint32_t)w->audit.aliases[i].factors[f] << f;
        }
        found += n == 2;
        assert_int_equal(w->audit.aliases[i].rank, qr_rank(w, set));
        assert_true(w->audit.aliases[i].rank < w->audit.aliases[i].of);
    }
    assert_int_equal(found, pairs);
}

static void random_designs_agree_with_qr(void **state)
{
    struct pji_prng prng;
    size_t aliased = 0;
    (void)state;
    pji_prng_init(&prng, 3, "audit");
    for (int i = 0; i < 400; i++) {
        char text[4096] = "factors: {a: [0, 1, 2], b: [0, 1, 2], c: [0, 1], d: [0, 1]}\nexclude: [";
        struct world w;
        size_t n = 1 + pji_prng_below(&prng, 5);
        for (size_t e = 0; e < n; e++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s{a: %d, %s: %d}",
                     e ? ", " : "", (int)pji_prng_below(&prng, 3),
                     pji_prng_below(&prng, 3)   ? "b"
                     : pji_prng_below(&prng, 2) ? "c"
                                                : "d",
                     (int)pji_prng_below(&prng, 2));
        for (size_t e = 0; e < 12; e++)
            snprintf(text + strlen(text), sizeof text - strlen(text),
                     ", {a: %d, b: %d, c: %d, d: %d}", (int)pji_prng_below(&prng, 3),
                     (int)pji_prng_below(&prng, 3), (int)pji_prng_below(&prng, 2),
                     (int)pji_prng_below(&prng, 2));
        strcat(text, ", {a: 1, b: [1, 2]}]\nrepetitions: 2\n");
        world_open(&w, text);
        aliased += w.audit.n_aliases > 0;
        check_random(&w);
        world_close(&w);
    }
    assert_in_range(aliased, 20, 380); /* both kinds were met */
}

/* R 4: power.t.test(n = 30, power = .8, type = "paired", strict = TRUE)$delta, and the root of the
 * same power in the noncentrality at 87 degrees of freedom by uniroot and pt. */
static const double paired_30 = 0.529235615113, ncp_87 = 2.83298387606;

static void smallest_differences(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, "factors: {a: [0, 1], b: [0, 1]}\nrepetitions: 30\n");
    double pair = pji_plan_audit_detect_pair(&w.audit, 0.01, 0.05, 0.8);
    assert_true(fabs(pair - paired_30 * sqrt(2) * 0.01) < 1e-9);
    /* twice the scatter, twice the difference; the averaged test finds a smaller one */
    assert_true(fabs(pji_plan_audit_detect_pair(&w.audit, 0.02, 0.05, 0.8) - 2 * pair) < 1e-9);
    double factor = pji_plan_audit_detect_factor(&w.audit, 0, 0.01, 0.05, 0.8);
    assert_true(factor < pair);
    /* two groups of 60 trials */
    assert_int_equal(w.audit.residual_df, 120 - 4 - 29);
    assert_true(fabs(factor - ncp_87 * sqrt(2.0 / 60) * 0.01) < 1e-9);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_greenlab_plan),      cmocka_unit_test(full_products_have_none),
        cmocka_unit_test(three_factors_together), cmocka_unit_test(random_designs_agree_with_qr),
        cmocka_unit_test(smallest_differences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
