/* The plan: exclusions as sets against brute force, complete blocks, and the same order on every
 * platform (golden). */
#include <stdio.h>

#include "lab/design.h"

#include "core/prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

enum { DESIGNS = 10000, MOST_FACTORS = 4, MOST_LEVELS = 4, MOST_EXCLUSIONS = 4 };

static char level_text[][2] = {"a", "b", "c", "d"};
static char *level_names[] = {level_text[0], level_text[1], level_text[2], level_text[3]};

/* A study that owns nothing: everything points here. */
struct random_study {
    struct pji_study study;
    struct pji_factor factors[MOST_FACTORS];
    struct pji_exclusion exclusions[MOST_EXCLUSIONS];
    bool *sets[MOST_EXCLUSIONS][MOST_FACTORS];
    bool flags[MOST_EXCLUSIONS][MOST_FACTORS][MOST_LEVELS];
    bool allowed[MOST_FACTORS][MOST_LEVELS * MOST_LEVELS];
    bool interleave[MOST_FACTORS];
};

static char name_a[] = "A", name_b[] = "B", name_c[] = "C", name_d[] = "D";
static char blocks_repetition[] = "repetition", blocks_none[] = "none";

static void random_make(struct random_study *r, struct pji_prng *prng)
{
    char *const names[] = {name_a, name_b, name_c, name_d};
    memset(r, 0, sizeof *r);
    r->study.factors = r->factors;
    r->study.exclusions = r->exclusions;
    r->study.n_factors = 1 + pji_prng_below(prng, MOST_FACTORS);
    r->study.n_exclusions = pji_prng_below(prng, MOST_EXCLUSIONS + 1);
    r->study.repetitions = 1 + (int64_t)pji_prng_below(prng, 3);
    r->study.seed = pji_prng_u64(prng);
    r->study.blocks = pji_prng_below(prng, 2) ? blocks_repetition : blocks_none;
    if (r->study.blocks == blocks_repetition && pji_prng_below(prng, 2)) {
        r->study.interleave = r->interleave;
        for (size_t f = 0; f < r->study.n_factors; f++)
            r->interleave[f] = pji_prng_below(prng, 2);
    }
    for (size_t f = 0; f < r->study.n_factors; f++)
        r->factors[f] = (struct pji_factor){
            .name = names[f], .levels = level_names, .n = 1 + pji_prng_below(prng, MOST_LEVELS)};
    for (size_t f = 1; f < r->study.n_factors; f++) {
        if (pji_prng_below(prng, 4))
            continue;
        struct pji_factor *factor = &r->factors[f];
        factor->nested = true;
        factor->parent = pji_prng_below(prng, f);
        factor->allowed = r->allowed[f];
        for (size_t i = 0; i < r->factors[factor->parent].n * factor->n; i++)
            factor->allowed[i] = pji_prng_below(prng, 3) > 0;
    }
    for (size_t e = 0; e < r->study.n_exclusions; e++) {
        r->exclusions[e].levels = r->sets[e];
        bool any = false;
        for (size_t f = 0; f < r->study.n_factors; f++) {
            if (pji_prng_below(prng, 2) && (any || f + 1 < r->study.n_factors))
                continue;
            any = true;
            r->sets[e][f] = r->flags[e][f];
            for (size_t l = 0; l < r->factors[f].n; l++)
                r->flags[e][f][l] = pji_prng_below(prng, 2);
        }
    }
}

/* Brute force, written another way: every combination as a number; excluded ones struck out. */
static size_t brute(const struct random_study *r, bool *keep, size_t *product)
{
    size_t left = 0;
    *product = 1;
    for (size_t f = 0; f < r->study.n_factors; f++)
        *product *= r->factors[f].n;
    for (size_t c = 0; c < *product; c++)
        keep[c] = true;
    for (size_t c = 0; c < *product; c++) {
        size_t levels[MOST_FACTORS], rest = c;
        for (size_t f = r->study.n_factors; f-- > 0; rest /= r->factors[f].n)
            levels[f] = rest % r->factors[f].n;
        for (size_t f = 0; f < r->study.n_factors; f++)
            if (r->factors[f].nested &&
                !r->allowed[f][levels[r->factors[f].parent] * r->factors[f].n + levels[f]])
                keep[c] = false;
    }
    for (size_t e = 0; e < r->study.n_exclusions; e++) {
        for (size_t c = 0; c < *product; c++) {
            bool hit = true;
            size_t rest = c;
            for (size_t f = r->study.n_factors; f-- > 0; rest /= r->factors[f].n)
                if (r->sets[e][f] && !r->flags[e][f][rest % r->factors[f].n])
                    hit = false;
            if (hit)
                keep[c] = false;
        }
    }
    for (size_t c = 0; c < *product; c++)
        left += keep[c];
    return left;
}

static void check_cells(const struct random_study *r, const struct pji_plan *plan, const bool *keep,
                        size_t product)
{
    size_t at = 0;
    for (size_t c = 0; c < product; c++) {
        if (!keep[c])
            continue;
        size_t rest = c;
        for (size_t f = r->study.n_factors; f-- > 0; rest /= r->factors[f].n)
            assert_int_equal(plan->cell_levels[at * plan->n_factors + f], rest % r->factors[f].n);
        at++;
    }
    assert_int_equal(at, plan->n_cells);
}

/* Every (cell, repetition) exactly once; with blocks, every block holds every cell once. */
static void check_order(const struct random_study *r, const struct pji_plan *plan)
{
    size_t reps = (size_t)r->study.repetitions;
    bool *seen = calloc(plan->n_trials, sizeof *seen);
    assert_int_equal(plan->n_trials, plan->n_cells * reps);
    for (size_t i = 0; i < plan->n_trials; i++) {
        const struct pji_planned *t = &plan->trials[i];
        assert_in_range(t->cell, 0, plan->n_cells - 1);
        assert_in_range(t->repetition, 1, reps);
        bool *mark = &seen[t->cell * reps + (size_t)t->repetition - 1];
        assert_false(*mark);
        *mark = true;
        if (r->study.blocks == blocks_repetition) {
            assert_int_equal(t->block, i / plan->n_cells + 1);
            assert_int_equal(t->block, t->repetition);
        } else {
            assert_int_equal(t->block, 1);
            if (t->repetition > 1) /* repetition k comes after k-1 */
                assert_true(seen[t->cell * reps + (size_t)t->repetition - 2]);
        }
    }
    free(seen);
}

/* In a block, trials that differ in interleaved factors only stand side by side. */
static void check_interleave(const struct random_study *r, const struct pji_plan *plan)
{
    size_t width = plan->n_factors;
    for (size_t i = 1; i < plan->n_trials && r->study.interleave; i++) {
        for (size_t k = i - i % plan->n_cells; k < i; k++) {
            bool same = true, run = true;
            for (size_t j = k; j <= i; j++)
                for (size_t f = 0; f < width; f++) {
                    bool equal = plan->cell_levels[plan->trials[j].cell * width + f] ==
                                 plan->cell_levels[plan->trials[k].cell * width + f];
                    if (r->interleave[f] || equal)
                        continue;
                    run = false;
                    same = same && j < i;
                }
            assert_true(run || !same);
        }
    }
}

static void test_random_designs(void **state)
{
    struct pji_prng prng;
    struct random_study r;
    bool keep[256];
    size_t empty = 0, product = 0;
    (void)state;
    pji_prng_init(&prng, 5, "designs");
    for (int i = 0; i < DESIGNS; i++) {
        struct pji_plan plan;
        random_make(&r, &prng);
        size_t left = brute(&r, keep, &product);
        pj_status st = pji_plan_make(&plan, &r.study, NULL);
        assert_int_equal(st, left ? PJ_OK : PJ_EINVAL);
        empty += left == 0;
        if (st)
            continue;
        assert_int_equal(plan.n_cells, left);
        check_cells(&r, &plan, keep, product);
        check_order(&r, &plan);
        check_interleave(&r, &plan);
        pji_plan_fini(&plan);
    }
    assert_in_range(empty, 1, DESIGNS / 2); /* both outcomes were met */
}

static void two_by_two(struct random_study *r, int64_t repetitions)
{
    memset(r, 0, sizeof *r);
    r->study.factors = r->factors;
    r->study.n_factors = 2;
    r->factors[0] = (struct pji_factor){.name = name_a, .levels = level_names, .n = 3};
    r->factors[1] = (struct pji_factor){.name = name_b, .levels = level_names, .n = 2};
    r->study.repetitions = repetitions;
    r->study.seed = 20260101;
    r->study.blocks = blocks_repetition;
}

/* Computed by a second implementation, in Python, from docs/study-file.md: must never change. */
static void test_golden(void **state)
{
    static const size_t cells[] = {3, 4, 0, 1, 2, 5, 2, 4, 5, 3, 0, 1, 4, 0, 1, 3, 5, 2};
    struct random_study r;
    struct pji_plan plan;
    (void)state;
    two_by_two(&r, 3);
    assert_int_equal(pji_plan_make(&plan, &r.study, NULL), PJ_OK);
    for (size_t i = 0; i < 18; i++)
        assert_int_equal(plan.trials[i].cell, cells[i]);
    assert_string_equal(plan.sha256,
                        "03b03ffc0ae5e34c00c89e03285a429d344e435ed6c4bf01ab149ad8b2a9a553");
    pji_plan_fini(&plan);
}

/* More repetitions begin with the same trials; another seed is another order and digest. */
static void test_extension(void **state)
{
    struct random_study r;
    struct pji_plan few, many, other;
    (void)state;
    two_by_two(&r, 3);
    assert_int_equal(pji_plan_make(&few, &r.study, NULL), PJ_OK);
    r.study.repetitions = 9;
    assert_int_equal(pji_plan_make(&many, &r.study, NULL), PJ_OK);
    r.study.seed++;
    assert_int_equal(pji_plan_make(&other, &r.study, NULL), PJ_OK);
    assert_memory_equal(few.trials, many.trials, few.n_trials * sizeof *few.trials);
    assert_string_not_equal(few.sha256, many.sha256);
    assert_string_not_equal(many.sha256, other.sha256);
    assert_memory_not_equal(many.trials, other.trials, many.n_trials * sizeof *many.trials);
    pji_plan_fini(&few);
    pji_plan_fini(&many);
    pji_plan_fini(&other);
}

static void test_limits(void **state)
{
    struct random_study r;
    struct pji_plan plan;
    struct pj_error err = {0};
    (void)state;
    two_by_two(&r, PJI_PLAN_TRIALS_MAX);
    assert_int_equal(pji_plan_make(&plan, &r.study, &err), PJ_EINVAL);
    assert_null(plan.trials);
    r.study.repetitions = 0;
    assert_int_equal(pji_plan_make(&plan, &r.study, NULL), PJ_EINVAL);
    r.study.repetitions = INT64_MAX;
    assert_int_equal(pji_plan_make(&plan, &r.study, NULL), PJ_EINVAL);
    r.study.repetitions = 1;
    r.factors[0].n = SIZE_MAX / 2;
    assert_int_equal(pji_plan_make(&plan, &r.study, NULL), PJ_EINVAL);
    r.factors[0].n = 0;
    assert_int_equal(pji_plan_make(&plan, &r.study, NULL), PJ_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_designs),
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_extension),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
