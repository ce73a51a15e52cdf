/* What no analysis may depend on: the order of the rows, the names of the levels, the unit and (for
 * tests between groups) the zero of the response. Whole analyses of random tables, by random
 * numbers of fixed seeds, are compared key by key. */
#include "analysis/analyse.h"
#include "core/prng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROWS = 72, TABLES = 4, UNITS = 9 };

struct row {
    size_t fa, fb, unit;
    double xx, yy;
};

static void draw(struct row *rows, const char *seed)
{
    struct pji_prng prng;
    double shift[UNITS];
    pji_prng_init(&prng, 11, seed);
    for (size_t u = 0; u < UNITS; u++)
        shift[u] = 1.5 * pji_prng_normal(&prng);
    for (size_t i = 0; i < ROWS; i++) {
        struct row *r = &rows[i];
        r->fa = i < 3 ? i : pji_prng_below(&prng, 3);
        r->fb = i % 2;
        r->unit = i % UNITS;
        r->xx = 5 * pji_prng_unit(&prng);
        r->yy = 40 + (double)r->fa + shift[r->unit] + pji_prng_normal(&prng);
    }
}

static const char *const names[2][2][3] = {{{"a", "b", "c"}, {"on", "y", ""}},
                                           {{"red", "sad", "tin"}, {"k", "z", ""}}};

struct change {
    double scale, shift;
    size_t vocabulary;
    bool reverse;
};

static json_t *analyse(const struct row *rows, const struct change *c,
                       const struct pji_analysis *request)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    fputs("fa,fb,unit,xx,yy\n", file);
    for (size_t i = 0; i < ROWS; i++) {
        const struct row *r = &rows[c->reverse ? ROWS - 1 - i : i];
        fprintf(file, "%s,%s,u%zu,%.17g,%.17g\n", names[c->vocabulary][0][r->fa],
                names[c->vocabulary][1][r->fb], r->unit, r->xx, c->scale * r->yy + c->shift);
    }
    fclose(file);
    struct pji_table table;
    struct pj_error err = {0};
    json_t *out = NULL;
    bool conclusive;
    file = fmemopen(text, size, "r");
    assert_non_null(file);
    if (pji_table_read(&table, file, "t.csv", ',', &err) ||
        pji_analyse(&table, request, &out, &conclusive, &err))
        fail_msg("%s", err.text);
    fclose(file);
    free(text);
    pji_table_fini(&table);
    return out;
}

static bool listed(const char *const *list, const char *word)
{
    for (; *list; list++) {
        if (!strcmp(*list, word))
            return true;
    }
    return false;
}

/* compares numbers at the same place, by position: names of levels may differ. keys: of which
 * numbers, NULL: all. skip: objects that are not looked into. Returns how many were compared. */
static size_t same(const json_t *a, const json_t *b, const char *key, const char *const *keys,
                   const char *const *skip)
{
    if (json_is_number(a)) {
        if (keys && !listed(keys, key))
            return 0;
        double x = json_number_value(a);
        double y = json_number_value(b);
        if (!json_is_number(b) || !(fabs(x - y) <= 1e-6 * fmax(1e-4, fabs(x))))
            fail_msg("%s is %.17g and %.17g", key, x, y);
        return 1;
    }
    if (!json_is_object(a))
        return 0;
    assert_int_equal(json_object_size(a), json_object_size(b));
    size_t count = 0;
    void *i = json_object_iter((json_t *)(uintptr_t)a);
    void *j = json_object_iter((json_t *)(uintptr_t)b);
    for (; i && j; i = json_object_iter_next((json_t *)(uintptr_t)a, i),
                   j = json_object_iter_next((json_t *)(uintptr_t)b, j)) {
        if (!listed(skip, json_object_iter_key(i)))
            count += same(json_object_iter_value(i), json_object_iter_value(j),
                          json_object_iter_key(i), keys, skip);
    }
    return count;
}

static const struct pji_analysis requests[] = {
    {.response = "yy", .by = "fa"},
    {.response = "yy", .by = "fa", .paired_by = "unit"},
    {.response = "yy", .correlate = "xx", .by = "fb"},
    {.model = "yy ~ fa * fb"},
    {.model = "yy ~ fa + xx"},
    {.model = "yy ~ fa * fb + (1 | unit)"},
};
enum { REQUESTS = sizeof requests / sizeof *requests };

/* each change of every table under every request */
static void changed(const struct change *c, const char *const *keys, const char *const *skip)
{
    static const struct change none = {.scale = 1};
    struct row rows[ROWS];
    for (int t = 0; t < TABLES; t++) {
        char seed[16];
        snprintf(seed, sizeof seed, "table %d", t);
        draw(rows, seed);
        for (size_t r = 0; r < REQUESTS; r++) {
            json_t *a = analyse(rows, &none, &requests[r]);
            json_t *b = analyse(rows, c, &requests[r]);
            if (same(a, b, "", keys, skip) < 8)
                fail_msg("hardly anything was compared of request %zu", r);
            json_decref(a);
            json_decref(b);
        }
    }
}

/* what a table says in the order of its rows */
static const char *const ordered[] = {"aligned_first", "rank_first", "checks", "findings", NULL};

static void test_order_of_rows(void **state)
{
    (void)state;
    changed(&(struct change){.scale = 1, .reverse = true}, NULL, ordered);
}

static void test_names(void **state)
{
    (void)state;
    changed(&(struct change){.scale = 1, .vocabulary = 1}, NULL,
            (const char *const[]){"checks", "findings", NULL});
}

/* numbers without a unit */
static const char *const pure[] = {"n",
                                   "df",
                                   "df1",
                                   "df2",
                                   "F",
                                   "p",
                                   "t",
                                   "z",
                                   "W",
                                   "V",
                                   "H",
                                   "K2",
                                   "chi2",
                                   "eta2",
                                   "omega2",
                                   "epsilon2",
                                   "cohens_f",
                                   "delta",
                                   "vargha_delaney_A",
                                   "welch_t",
                                   "welch_df",
                                   "welch_p",
                                   "student_t",
                                   "hedges_g",
                                   "cohens_d",
                                   "p_bh",
                                   "p_holm",
                                   "p_normal_cc",
                                   "p_normal_nocc",
                                   "pearson_r",
                                   "spearman_rho",
                                   "kendall_tau_b",
                                   "kendalls_W",
                                   "epsilon2_rank",
                                   "tie_correction",
                                   "eta2_partial",
                                   "omega2_partial",
                                   "theta",
                                   "icc",
                                   "r2",
                                   "df_kr",
                                   "den_df_kr",
                                   "F_kr",
                                   "p_kr",
                                   "df_satterthwaite",
                                   "df2_kr",
                                   "rank_sumsq",
                                   NULL};

/* Results that are of another scale than the response's own. Fligner's test: the two middle values
 * of an even group are equally far from its median, and rounding ranks one before the other (as in
 * R). */
static const char *const own_scale[] = {"log",      "log1p",       "sqrt",    "checks",
                                        "findings", "assumptions", "fligner", NULL};

static void test_unit(void **state)
{
    (void)state;
    /* log1p and sqrt are not linear; everything else without a unit is the same in mJ and kJ */
    changed(&(struct change){.scale = 1000}, pure, own_scale);
    changed(&(struct change){.scale = 1e-3}, pure, own_scale);
}

static void test_zero(void **state)
{
    (void)state;
    static const char *const skip[] = {"log",     "log1p",       "sqrt",
                                       "checks",  "findings",    "assumptions",
                                       "fligner", "(Intercept)", NULL};
    changed(&(struct change){.scale = 1, .shift = 250}, pure, skip);
}

/* levels in another order: tests of all levels together do not change, differences turn round */
static void test_order_of_levels(void **state)
{
    (void)state;
    struct row rows[ROWS];
    static const struct change none = {.scale = 1};
    static const char *const turned[] = {"fa=c,b,a"};
    static const char *const groups[] = {"oneway", "kruskal", "levene", "factorial"};
    static const char *const nothing[] = {NULL};
    draw(rows, "levels");
    for (size_t r = 0; r < 4; r += 3) {
        struct pji_analysis other = requests[r];
        other.levels = turned;
        other.n_levels = 1;
        json_t *a = analyse(rows, &none, &requests[r]);
        json_t *b = analyse(rows, &none, &other);
        size_t count = 0;
        for (size_t g = 0; g < 4; g++) {
            static const char *const rank[] = {"mean_rank", NULL};
            const json_t *x = json_object_get(a, groups[g]);
            if (x)
                count += same(x, json_object_get(b, groups[g]), groups[g], NULL, rank);
        }
        assert_true(count > 20);
        json_t *x = json_object_get(json_object_get(a, "ttest"), "a - c");
        json_t *y = json_object_get(json_object_get(b, "ttest"), "c - a");
        if (r == 0) {
            double d = json_number_value(json_object_get(x, "diff"));
            assert_true(d != 0 && fabs(d + json_number_value(json_object_get(y, "diff"))) < 1e-9);
            assert_true(same(x, y, "",
                             (const char *const[]){"welch_p", "student_p", "sd_pooled", NULL},
                             nothing) == 3);
        }
        json_decref(a);
        json_decref(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_of_rows),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_unit),
        cmocka_unit_test(test_zero),
        cmocka_unit_test(test_order_of_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
