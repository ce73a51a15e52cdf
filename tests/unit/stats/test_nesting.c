/* Nested factors: which they are, and marginal means across them. The expected means are averages
 * of cell means by hand; tests/r compares whole tables with R. */
#include "near.h"

#include "stats/lm.h"
#include "stats/nesting.h"
#include "stats/spread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { N = 10 };

/* b: levels 0, 1 within a = 0, levels 2, 3, 4 within a = 1; two rows each; c is crossed with both
 */
static const size_t a[N] = {0, 0, 0, 0, 1, 1, 1, 1, 1, 1};
static const size_t b[N] = {0, 0, 1, 1, 2, 2, 3, 3, 4, 4};
static const size_t c[N] = {0, 1, 0, 1, 0, 1, 0, 1, 0, 1};
static const double flag[N] = {0, 0, 1, 1, 0, 0, 1, 1, 1, 1};
static const double y[N] = {1, 3, 5, 7, 9.5, 12.5, 20, 22, 31, 31};
static const double both[] = {0, 1};

static const struct pji_variable variables[] = {
    {a, 2, NULL}, {b, 5, NULL}, {c, 2, NULL}, {NULL, 0, flag}};
enum { A = 1, B = 2, C = 4, FLAG = 8 };

static const struct pji_grid grid = {.value = {NULL, NULL, NULL, both}, .count = {0, 0, 0, 2}};

static void design_of(struct pji_design *d, const uint32_t *terms, size_t count)
{
    struct pji_terms m = {variables, 4, terms, count, true, N};
    assert_int_equal(pji_design_init(d, &m, PJI_CODING_TREATMENT, NULL), PJ_OK);
}

static void expect_within(const uint32_t *terms, size_t count, const uint32_t within[4])
{
    struct pji_design d;
    struct pji_nesting n;
    design_of(&d, terms, count);
    assert_int_equal(pji_nesting_find(&d, &grid, &n, NULL), PJ_OK);
    size_t nested = 0;
    for (size_t v = 0; v < 4; v++) {
        uint32_t got = 0;
        for (size_t i = 0; i < n.count[v]; i++)
            got |= UINT32_C(1) << n.within[v][i];
        assert_int_equal(got, within[v]);
        nested += within[v] ? 1 : 0;
    }
    assert_int_equal(n.nested, nested);
    pji_design_fini(&d);
}

static void test_found(void **state)
{
    (void)state;
    /* by the data; a covariate of two values counts, one that no term uses does not */
    expect_within((const uint32_t[]){A, B}, 2, (const uint32_t[]){0, A, 0, 0});
    expect_within((const uint32_t[]){A, B, C, FLAG}, 4, (const uint32_t[]){0, A | FLAG, 0, 0});
    expect_within((const uint32_t[]){A, C}, 2, (const uint32_t[]){0, 0, 0, 0});
    /* by the terms: c only within a; a and c each only within the other is a circle */
    expect_within((const uint32_t[]){A, A | C}, 2, (const uint32_t[]){0, 0, A, 0});
    expect_within((const uint32_t[]){A | C}, 1, (const uint32_t[]){0, 0, 0, 0});
    /* c within b brings what b is within */
    expect_within((const uint32_t[]){A, B, B | C}, 3, (const uint32_t[]){0, A, A | B, 0});
}

struct fitted {
    struct pji_design d;
    struct pji_lm lm;
    struct pji_matrix cov;
    struct pji_estimator fit;
};

static void fit(struct fitted *f, const uint32_t *terms, size_t count)
{
    design_of(&f->d, terms, count);
    assert_int_equal(pji_lm_fit(&f->lm, &f->d.x, true, y, NULL), PJI_STATS_DEFICIENT);
    assert_int_equal(pji_lm_estimator(&f->lm, &f->fit, &f->cov, NULL), PJ_OK);
}

static void fitted_fini(struct fitted *f)
{
    pji_matrix_fini(&f->cov);
    pji_lm_fini(&f->lm);
    pji_design_fini(&f->d);
}

static double mean_of(const struct fitted *f, const struct pji_emm_cells *cells, size_t row)
{
    double l[32];
    struct pji_estimate e;
    for (size_t j = 0; j < cells->rows.cols; j++)
        l[j] = pji_matrix_get(&cells->rows, row, j);
    assert_int_equal(pji_estimate(&f->fit, l, 0.95, &e, NULL), PJ_OK);
    return e.estimate;
}

static void test_averaged_within(void **state)
{
    (void)state;
    struct fitted f;
    struct pji_emm_cells cells;
    fit(&f, (const uint32_t[]){A, B, C}, 3);
    assert_int_equal(pji_emm_cells_init(&cells, &f.d, 0, NULL, 0, &grid, NULL), PJ_OK);
    assert_true(cells.rows.rows == 2 && cells.keys == 1 && cells.key[0] == 0 && cells.bys == 0);
    assert_near(mean_of(&f, &cells, 0), (2 + 6) / 2.0);
    assert_near(mean_of(&f, &cells, 1), (11 + 21 + 31) / 3.0);
    pji_emm_cells_fini(&cells);
    /* a factor that is crossed with the nest: over b within a, then over a */
    assert_int_equal(pji_emm_cells_init(&cells, &f.d, 2, NULL, 0, &grid, NULL), PJ_OK);
    double step = (2 + 2 + 3 + 2 + 0) / 5.0; /* of c, the same everywhere */
    assert_near(mean_of(&f, &cells, 0), ((2 + 6) / 2.0 + (11 + 21 + 31) / 3.0) / 2 - step / 2);
    pji_emm_cells_fini(&cells);
    fitted_fini(&f);
}

static void test_asked_for(void **state)
{
    (void)state;
    struct fitted f;
    struct pji_emm_cells cells;
    const size_t in_a = 0;
    const size_t in_b = 1;
    fit(&f, (const uint32_t[]){A, B, C}, 3);
    /* b brings a; only the five combinations that occur */
    assert_int_equal(pji_emm_cells_init(&cells, &f.d, 1, NULL, 0, &grid, NULL), PJ_OK);
    assert_true(cells.rows.rows == 5 && cells.keys == 2 && cells.key[0] == 1 && cells.key[1] == 0);
    for (size_t i = 0; i < 5; i++) {
        assert_true(cells.level[2 * i] == i && cells.level[2 * i + 1] == (i < 2 ? 0 : 1));
        assert_near(mean_of(&f, &cells, i), (y[2 * i] + y[2 * i + 1]) / 2);
    }
    pji_emm_cells_fini(&cells);
    assert_int_equal(pji_emm_cells_init(&cells, &f.d, 1, &in_a, 1, &grid, NULL), PJ_OK);
    assert_true(cells.rows.rows == 5 && cells.bys == 1 && cells.by[0] == 0);
    pji_emm_cells_fini(&cells);
    /* within b means within a and b */
    assert_int_equal(pji_emm_cells_init(&cells, &f.d, 2, &in_b, 1, &grid, NULL), PJ_OK);
    assert_true(cells.rows.rows == 10 && cells.bys == 2 && cells.by[0] == 0 && cells.by[1] == 1);
    pji_emm_cells_fini(&cells);
    fitted_fini(&f);
}

/* flag = 1 has no row beside a level of b: that mean does not exist, the other does */
static void test_empty_cells(void **state)
{
    (void)state;
    struct fitted f;
    struct pji_emm_cells cells;
    static const size_t of_one[N] = {0, 0, 0, 0, 1, 1, 1, 1, 1, 1};
    static const size_t inner[N] = {0, 0, 1, 1, 2, 2, 3, 3, 4, 4};
    static const double one_sided[N] = {0, 0, 0, 0, 0, 0, 1, 1, 1, 1};
    const struct pji_variable v[] = {
        {of_one, 2, NULL}, {inner, 5, NULL}, {c, 2, NULL}, {NULL, 0, one_sided}};
    const uint32_t terms[] = {A, B, FLAG};
    struct pji_terms m = {v, 4, terms, 3, true, N};
    assert_int_equal(pji_design_init(&f.d, &m, PJI_CODING_TREATMENT, NULL), PJ_OK);
    assert_int_equal(pji_lm_fit(&f.lm, &f.d.x, true, y, NULL), PJI_STATS_DEFICIENT);
    assert_int_equal(pji_lm_estimator(&f.lm, &f.fit, &f.cov, NULL), PJ_OK);
    assert_int_equal(pji_emm_cells_init(&cells, &f.d, 0, NULL, 0, &grid, NULL), PJ_OK);
    double l[32];
    struct pji_estimate e;
    for (size_t j = 0; j < cells.rows.cols; j++)
        l[j] = pji_matrix_get(&cells.rows, 0, j);
    assert_int_equal(pji_estimate(&f.fit, l, 0.95, &e, NULL), PJI_STATS_DEFICIENT);
    assert_near(mean_of(&f, &cells, 1), (11 + (21 + 31) / 2.0) / 2);
    pji_emm_cells_fini(&cells);
    fitted_fini(&f);
}

static void test_refused(void **state)
{
    (void)state;
    struct pji_design d;
    struct pji_emm_cells cells;
    design_of(&d, (const uint32_t[]){A, B}, 2);
    const size_t twice = 1;
    const size_t covariate = 3;
    const size_t unused = 2;
    assert_int_equal(pji_emm_cells_init(&cells, &d, 1, &twice, 1, &grid, NULL), PJ_EINVAL);
    assert_int_equal(pji_emm_cells_init(&cells, &d, 1, &covariate, 1, &grid, NULL), PJ_EINVAL);
    assert_int_equal(pji_emm_cells_init(&cells, &d, 1, &unused, 1, &grid, NULL), PJ_EINVAL);
    assert_int_equal(pji_emm_cells_init(&cells, &d, 99, NULL, 0, &grid, NULL), PJ_EINVAL);
    assert_int_equal(pji_emm_cells_init(&cells, &d, 0, &twice, PJI_VARIABLES, &grid, NULL),
                     PJ_EINVAL);
    pji_design_fini(&d);
}

/* six factors of 20 levels and one nested: 64 million cells */
static void test_too_large(void **state)
{
    (void)state;
    enum { ROWS = 40, FACTORS = 7 };
    static size_t code[FACTORS][ROWS];
    struct pji_variable v[FACTORS];
    uint32_t terms[FACTORS];
    for (size_t f = 0; f < FACTORS; f++) {
        for (size_t i = 0; i < ROWS; i++)
            code[f][i] = f == 6 ? i : (i * (2 * f + 1) + i / 20 * f) % 20;
        v[f] = (struct pji_variable){code[f], f == 6 ? ROWS : 20, NULL};
        terms[f] = UINT32_C(1) << f;
    }
    struct pji_terms m = {v, FACTORS, terms, FACTORS, true, ROWS};
    struct pji_design d;
    struct pji_emm_cells cells;
    assert_int_equal(pji_design_init(&d, &m, PJI_CODING_TREATMENT, NULL), PJ_OK);
    assert_int_equal(
        pji_emm_cells_init(&cells, &d, 0, NULL, 0, &(struct pji_grid){.count = {0}}, NULL),
        PJI_STATS_TOO_LARGE);
    pji_design_fini(&d);
}

/* a:b + b:c: a term before contains b, so c has contrasts (R's coding, not "b is a term") */
static void test_coding_of_margins(void **state)
{
    (void)state;
    struct pji_design d;
    design_of(&d, (const uint32_t[]){A | C, C | FLAG}, 2);
    assert_int_equal(pji_design_full(&d, 0), A | C);
    assert_int_equal(pji_design_full(&d, 1), C);
    assert_int_equal(d.x.cols, 1 + 4 + 2);
    pji_design_fini(&d);
}

/* two values are equally far from their mean, whatever rounding says */
static void test_distances_of_pairs(void **state)
{
    (void)state;
    const double values[] = {0.1, 0.7, 11.3, 12.9, 1e5 + 0.1, 1e5 + 0.4};
    const size_t code[] = {0, 0, 1, 1, 2, 2};
    struct pji_groups g = {values, code, 6, 3};
    struct pji_levene l;
    for (int centre = PJI_CENTRE_MEAN; centre <= PJI_CENTRE_MEDIAN; centre++) {
        assert_int_equal(pji_levene(&g, (enum pji_centre)centre, &l, NULL), PJI_STATS_CONSTANT);
        assert_true(isnan(l.F) && isnan(l.p));
        assert_near(l.df2, 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found),
        cmocka_unit_test(test_averaged_within),
        cmocka_unit_test(test_asked_for),
        cmocka_unit_test(test_empty_cells),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_coding_of_margins),
        cmocka_unit_test(test_distances_of_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
