/* `perjoule analyse` from the text of a table to the object that is written: tables, factors,
 * requests that are wrong, data that are poor. */
#include "analysis/analyse.h"
#include "analysis/frame.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static pj_status read_text(struct pji_table *table, const char *text, struct pj_error *err)
{
    FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    assert_non_null(file);
    pj_status rc = pji_table_read(table, file, "t.csv", ',', err);
    fclose(file);
    return rc;
}

static json_t *analyse(const char *text, const struct pji_analysis *request, bool *conclusive)
{
    struct pji_table table;
    struct pj_error err = {0};
    json_t *out = NULL;
    if (read_text(&table, text, &err) || pji_analyse(&table, request, &out, conclusive, &err))
        fail_msg("%s", err.text);
    pji_table_fini(&table);
    return out;
}

static void refused(const char *text, const struct pji_analysis *request, const char *words)
{
    struct pji_table table;
    struct pj_error err = {0};
    json_t *out = NULL;
    bool conclusive;
    if (read_text(&table, text, &err))
        fail_msg("%s", err.text);
    assert_int_equal(pji_analyse(&table, request, &out, &conclusive, &err), PJ_EINVAL);
    assert_null(out);
    if (!strstr(err.text, words))
        fail_msg("'%s' does not say '%s'", err.text, words);
    pji_table_fini(&table);
}

static const json_t *at(const json_t *o, const char *path)
{
    char part[128];
    while (o && *path) {
        size_t len = strcspn(path, "/");
        memcpy(part, path, len);
        part[len] = '\0';
        o = json_object_get(o, part);
        path += len + (path[len] == '/');
    }
    return o;
}

static double number_at(const json_t *o, const char *path)
{
    const json_t *v = at(o, path);
    return json_is_number(v) ? json_number_value(v) : (double)NAN;
}

static const char small[] = "g,y,b,x,k\n"
                            "lo,1,1,2,2.0\n"
                            "Hi,5,1,3,2.0\n"
                            "lo,2,2,9,10\n"
                            "Hi,7,2,8,10\n"
                            "lo,4,3,1,2\n"
                            "Hi,6,3,,2\n"
                            "mid,3,3,4,10\n"
                            "mid,NA,1,4,10\n"
                            "mid,8,2,5,2\n";

static void test_table(void **state)
{
    (void)state;
    struct pji_table t;
    struct pj_error err = {0};
    assert_int_equal(read_text(&t, "a, b \n 1 ,\" x\"\n\n2,y\n", &err), PJ_OK);
    assert_int_equal(t.rows, 2);
    assert_string_equal(pji_table_cell(&t, 0, 0), "1");
    assert_string_equal(pji_table_cell(&t, 0, 1), "x");
    assert_true(pji_table_numeric(&t, 0, NULL) && !pji_table_numeric(&t, 1, NULL));
    pji_table_fini(&t);
    static const char *const bad[][2] = {
        {"a,a\n1,2\n", "two columns are named 'a'"},
        {"a,b\n1,2\n3\n", "t.csv:3: 1 fields where the header has 2"},
        {"a,b\n", "no row"},
        {"a,b\n1,\"x\n", "t.csv"},
        {"\n", "no row"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct pj_error each = {0};
        assert_int_equal(read_text(&t, bad[i][0], &each), PJ_EINVAL);
        if (!strstr(each.text, bad[i][1]))
            fail_msg("%s", each.text);
    }
}

/* order and names of levels */
static void test_levels(void **state)
{
    (void)state;
    bool ok;
    struct pji_analysis by_text = {.response = "y", .by = "g", .tests = "descriptive"};
    json_t *o = analyse(small, &by_text, &ok);
    void *i = json_object_iter((json_t *)(uintptr_t)at(o, "descriptive"));
    assert_string_equal(json_object_iter_key(i), "Hi"); /* without regard to case */
    i = json_object_iter_next((json_t *)(uintptr_t)at(o, "descriptive"), i);
    assert_string_equal(json_object_iter_key(i), "lo");
    assert_int_equal(number_at(o, "rows/used"), 8);
    assert_int_equal(number_at(o, "rows/left_out"), 1);
    json_decref(o);
    struct pji_analysis by_number = {.response = "y", .by = "k", .tests = "descriptive"};
    o = analyse(small, &by_number, &ok);
    i = json_object_iter((json_t *)(uintptr_t)at(o, "descriptive"));
    assert_string_equal(json_object_iter_key(i), "2"); /* 2 and 2.0 are one level, before 10 */
    assert_int_equal(json_object_size(at(o, "descriptive")), 2);
    json_decref(o);
    const char *order[] = {"g=mid,lo"};
    struct pji_analysis listed = {
        .response = "y", .by = "g", .tests = "wilcoxon", .levels = order, .n_levels = 1};
    o = analyse(small, &listed, &ok);
    assert_non_null(at(o, "wilcoxon/mid - lo"));
    assert_int_equal(number_at(o, "rows/left_out"), 4);
    json_decref(o);
    const char *by_value[] = {"k=10.0,2"};
    struct pji_analysis numeric = {
        .response = "y", .by = "k", .tests = "cliff", .levels = by_value, .n_levels = 1};
    o = analyse(small, &numeric, &ok);
    assert_non_null(at(o, "cliff/10 - 2"));
    json_decref(o);
}

static void test_requests(void **state)
{
    (void)state;
    struct pji_analysis none = {0};
    struct pji_analysis alone = {.response = "y"};
    struct pji_analysis both = {.response = "y", .model = "y ~ g"};
    struct pji_analysis paired = {.response = "y", .correlate = "x", .paired_by = "b"};
    struct pji_analysis test = {.response = "y", .by = "g", .tests = "oneway,kruskall"};
    struct pji_analysis column = {.response = "yy", .by = "g"};
    struct pji_analysis text = {.response = "g", .by = "b"};
    struct pji_analysis one = {.response = "y", .by = "g", .where = "g == 'lo'"};
    struct pji_analysis nobody = {.response = "y", .by = "g", .where = "y > 100"};
    const char *level[] = {"g=lo,high"};
    const char *broken[] = {"lo,hi"};
    struct pji_analysis levels = {.response = "y", .by = "g", .levels = level, .n_levels = 1};
    struct pji_analysis no_levels = {.response = "y", .by = "g", .levels = broken, .n_levels = 1};
    const char *spec[] = {"x"};
    struct pji_analysis emmeans = {.model = "y ~ g + x", .emmeans = spec, .n_emmeans = 1};
    const char *twice[] = {"g|g"};
    struct pji_analysis same = {.model = "y ~ g", .emmeans = twice, .n_emmeans = 1};
    struct pji_analysis misplaced = {.response = "y", .by = "g", .emmeans = spec, .n_emmeans = 1};
    refused(small, &none, "needs --response");
    refused(small, &alone, "needs --by");
    refused(small, &both, "--model names response");
    refused(small, &paired, "--paired-by needs --by");
    refused(small, &test, "did you mean 'kruskal'");
    refused(small, &column, "did you mean 'y'");
    refused(small, &text, "t.csv:2, column 'g'");
    refused(small, &one, "one level ('lo')");
    refused(small, &nobody, "no row is left");
    refused(small, &levels, "'high'");
    refused(small, &no_levels, "COLUMN=FIRST");
    refused(small, &emmeans, "not a factor");
    refused(small, &same, "both sides");
    refused(small, &misplaced, "belong to --model");
}

static void test_numbers_refused(void **state)
{
    (void)state;
    struct pji_analysis by = {.response = "y", .by = "g"};
    struct pji_analysis log = {.model = "log(y) ~ g"};
    refused("g,y\na,\"1,5\"\nb,2\n", &by, "decimal comma");
    refused("g,y\na,inf\nb,2\n", &by, "t.csv:2, column 'y'");
    refused("g,y\na,nan\nb,2\n", &by, "t.csv:2, column 'y'");
    refused("g,y\na,0\nb,2\na,3\n", &log, "log(y) of 0");
    struct pji_table table;
    struct pj_error err = {0};
    json_t *out = NULL;
    bool ok;
    assert_int_equal(read_text(&table, "g,y\na,\"1,5\"\nb,\"2,5\"\na,\"4,5\"\nb,9\n", &err), PJ_OK);
    table.decimal_comma = true;
    assert_int_equal(pji_analyse(&table, &by, &out, &ok, &err), PJ_OK);
    assert_true(number_at(out, "descriptive/a/mean") == 3);
    json_decref(out);
    pji_table_fini(&table);
}

static void test_paired(void **state)
{
    (void)state;
    bool ok;
    struct pji_analysis two = {.response = "y", .by = "g", .paired_by = "b", .where = "g != 'mid'"};
    json_t *o = analyse(small, &two, &ok);
    assert_true(ok);
    assert_int_equal(number_at(o, "signedrank/n"), 3);
    assert_int_equal(number_at(o, "signedrank/V"), 6); /* Hi - lo is always positive */
    assert_int_equal(number_at(o, "friedman/blocks"), 3);
    assert_null(at(o, "oneway"));
    json_decref(o);
    struct pji_analysis three = {.response = "y", .by = "g", .paired_by = "b"};
    o = analyse(small, &three, &ok);
    assert_non_null(at(o, "signedrank/Hi - lo"));
    assert_int_equal(number_at(o, "friedman/blocks"), 2);    /* block 1 has no mid */
    assert_int_equal(json_array_size(at(o, "findings")), 2); /* means of blocks; many comparisons */
    json_decref(o);
    /* several values of a treatment in a block: their means */
    const char *repeated = "g,y,b,c\na,1,1,u\na,3,1,v\nb,5,1,u\na,4,2,u\nb,1,2,u\n";
    struct pji_analysis means = {.response = "y", .by = "g", .paired_by = "b"};
    o = analyse(repeated, &means, &ok);
    assert_int_equal(number_at(o, "signedrank/paired_mean_diff"), 0); /* (2 - 5 + 4 - 1)/2 */
    assert_int_equal(json_array_size(at(o, "findings")), 1);
    json_decref(o);
    struct pji_analysis crossed = {.response = "y", .by = "g", .paired_by = "b,c"};
    o = analyse(repeated, &crossed, &ok);
    assert_int_equal(number_at(o, "signedrank/n"), 2);
    json_decref(o);
}

static void test_correlate(void **state)
{
    (void)state;
    bool ok;
    struct pji_analysis all = {.response = "y", .correlate = "x"};
    json_t *o = analyse(small, &all, &ok);
    assert_int_equal(number_at(o, "correlation/all/n"), 7); /* one y and one x are missing */
    json_decref(o);
    struct pji_analysis by = {.response = "y", .correlate = "x", .by = "g"};
    o = analyse(small, &by, &ok);
    assert_int_equal(number_at(o, "correlation/lo/n"), 3);
    assert_non_null(json_object_get(at(o, "omitted"), "correlation/mid"));
    json_decref(o);
}

/* nothing that does not exist is written as a number */
static void no_nan(const json_t *o)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)o, key, v)
    {
        if (json_is_real(v))
            assert_true(isfinite(json_real_value(v)));
        assert_false(json_is_null(v));
        no_nan(v);
    }
}

static void test_poor_data(void **state)
{
    (void)state;
    bool ok;
    static const char *const tables[] = {
        "g,y,s\na,1,1\nb,2,2\n",                       /* one value each */
        "g,y,s\na,1,1\na,1,2\nb,1,1\nb,1,2\n",         /* constant */
        "g,y,s\na,1,1\na,1,2\nb,2,1\nb,2,2\n",         /* constant within groups */
        "g,y,s\na,1,1\na,2,1\nb,3,2\nb,5,2\n",         /* s is aliased with g */
        "g,y,s\na,-1,1\na,0,2\nb,3,3\nb,5,4\nb,5,5\n", /* no logarithm; s per row */
    };
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        struct pji_analysis by = {.response = "y", .by = "g"};
        struct pji_analysis lm = {.model = "y ~ g"};
        struct pji_analysis lmm = {.model = "y ~ g + (1|s)"};
        struct pji_analysis correlate = {.response = "y", .correlate = "s", .by = "g"};
        struct pji_analysis paired = {.response = "y", .by = "g", .paired_by = "s"};
        const struct pji_analysis *requests[] = {&by, &lm, &lmm, &correlate, &paired};
        for (size_t r = 0; r < 5; r++) {
            struct pji_str text = {0};
            json_t *o = analyse(tables[i], requests[r], &ok);
            no_nan(o);
            pji_analysis_text(o, 100, false, &text);
            assert_non_null(strstr(pji_str_text(&text), "rows"));
            assert_null(strstr(pji_str_text(&text), "nan"));
            pji_str_fini(&text);
            json_decref(o);
        }
    }
}

static void test_findings(void **state)
{
    (void)state;
    bool ok;
    struct pji_analysis flat = {.response = "y", .by = "g"};
    json_t *o = analyse("g,y\na,1\na,1\nb,2\nb,2\n", &flat, &ok);
    assert_false(ok);
    assert_non_null(at(o, "findings"));
    json_decref(o);
    struct pji_analysis saturated = {.model = "y ~ g"};
    o = analyse("g,y\na,1\nb,2\n", &saturated, &ok);
    assert_false(ok);
    json_decref(o);
    struct pji_analysis aliased = {.model = "y ~ g + (1|s)"};
    o = analyse("g,y,s\na,1,1\na,2,1\nb,3,2\nb,5,2\n", &aliased, &ok);
    assert_false(ok);
    json_decref(o);
    /* equal group means: the variance between groups is zero, which is a finding, not a failure */
    struct pji_analysis singular = {.model = "y ~ x + (1|s)"};
    o = analyse("y,x,s\n1,1,a\n3,2,a\n2,3,a\n1,1,b\n3,2,b\n2,3,b\n1,1,c\n3,2,c\n2,3,c\n", &singular,
                &ok);
    assert_true(ok);
    assert_true(json_is_true(at(o, "lmm/singular")));
    assert_true(number_at(o, "lmm/theta") == 0);
    assert_int_equal(json_array_size(at(o, "findings")), 1);
    json_decref(o);
}

static void test_model_parts(void **state)
{
    (void)state;
    bool ok;
    const char *factor[] = {"k"};
    const char *spec[] = {"~ g | k"};
    struct pji_analysis two = {
        .model = "y ~ g*k", .factor = factor, .factors = 1, .emmeans = spec, .n_emmeans = 1};
    json_t *o = analyse(small, &two, &ok);
    assert_non_null(at(o, "contrast/g"));
    assert_non_null(at(o, "contrast/k"));
    assert_non_null(at(o, "contrast/g|k/consec/lo - Hi | 2"));
    assert_non_null(at(o, "factorial/typeI/g:k"));
    assert_non_null(at(o, "art/g:k"));
    json_decref(o);
    /* a covariate: no aligned ranks, no marginal means of it */
    struct pji_analysis covariate = {.model = "y ~ g + x"};
    o = analyse(small, &covariate, &ok);
    assert_null(at(o, "art"));
    assert_non_null(at(o, "omitted/art"));
    assert_null(at(o, "contrast/x"));
    json_decref(o);
    /* functions of covariates: one number each, and a marginal mean at the function of the mean */
    struct pji_analysis functions = {.model = "y ~ g + log1p(x) + sqrt(x)", .tests = "lm,contrast"};
    o = analyse(small, &functions, &ok);
    assert_non_null(at(o, "lm/coef/log1p(x)"));
    assert_non_null(at(o, "lm/coef/sqrt(x)"));
    assert_non_null(at(o, "contrast/g/means/lo"));
    json_decref(o);
    struct pji_analysis only = {.model = "y ~ g", .tests = "lm"};
    o = analyse(small, &only, &ok);
    assert_non_null(at(o, "lm"));
    assert_null(at(o, "factorial"));
    assert_null(at(o, "contrast"));
    json_decref(o);
}

/* against R: t.test(mu = -1.5, "greater"), t.test(mu = 1.5, "less"), mcnemar.test, binom.test */
/* one value has no interval, and the reason is said */
static void test_bootstrap_of_one(void **state)
{
    (void)state;
    bool ok;
    struct pji_analysis r = {.response = "y", .by = "g", .tests = "bootstrap"};
    json_t *o = analyse("g,y\na,10\na,11\na,9\nb,7\n", &r, &ok);
    assert_non_null(at(o, "bootstrap/a/mean"));
    assert_null(at(o, "bootstrap/b/mean"));
    assert_non_null(json_object_get(at(o, "omitted"), "bootstrap/b"));
    json_decref(o);
}

static void test_asked_for(void **state)
{
    (void)state;
    bool ok;
    static const char text[] = "g,y\na,10.5\na,11\na,9.75\na,12\nb,10.9\nb,10.2\nb,11.6\nb,10.4\n";
    struct pji_analysis r = {.response = "y",
                             .by = "g",
                             .tests = "bootstrap,power",
                             .equivalence = true,
                             .low = -1.5,
                             .high = 1.5,
                             .seed = 7};
    json_t *o = analyse(text, &r, &ok);
    assert_true(fabs(number_at(o, "equivalence/a - b/t_low") - 2.718163) < 1e-6);
    assert_true(fabs(number_at(o, "equivalence/a - b/t_high") + 2.58557) < 1e-5);
    assert_true(fabs(number_at(o, "equivalence/a - b/p") - 0.0236507) < 1e-7);
    assert_true(fabs(number_at(o, "equivalence/a - b/ci_low") + 1.092613) < 1e-6);
    assert_true(json_is_true(at(o, "equivalence/a - b/equivalent")));
    assert_true(number_at(o, "bootstrap/a/mean/ci95_low") > 9.75);
    assert_true(number_at(o, "bootstrap/a/mean/ci95_high") < 12);
    assert_true(number_at(o, "power/pairs/a - b/detectable_d") > 2);
    json_decref(o);
    struct pji_analysis all = {.response = "y", .by = "g"};
    o = analyse(text, &all, &ok);
    assert_null(at(o, "equivalence"));
    assert_null(at(o, "bootstrap"));
    assert_null(at(o, "power"));
    json_decref(o);
    static const char right[] =
        "item,m,ok\n1,a,1\n1,b,0\n2,a,1\n2,b,0\n3,a,1\n3,b,1\n4,a,0\n4,b,1\n"
        "5,a,1\n5,b,0\n6,a,1\n6,b,0\n";
    struct pji_analysis paired = {.response = "ok", .by = "m", .paired_by = "item"};
    o = analyse(right, &paired, &ok);
    assert_int_equal(number_at(o, "mcnemar/a - b/only_first"), 4);
    assert_true(fabs(number_at(o, "mcnemar/a - b/p_exact") - 0.375) < 1e-12);
    assert_true(fabs(number_at(o, "mcnemar/a - b/chi2_cc") - 0.8) < 1e-12);
    json_decref(o);
    r.low = 2;
    refused(text, &r, "ascending order");
    struct pji_analysis without = {.response = "y", .by = "g", .tests = "equivalence"};
    refused(text, &without, "--equivalence LOW,HIGH");
    paired.response = "item";
    paired.tests = "mcnemar";
    paired.by = "m";
    refused(right, &paired, "mcnemar compares answers");
    struct pji_analysis nested = {.model = "y ~ g + h"};
    o = analyse(
        "g,h,y\na,p,1\na,p,2\na,p,2\na,q,4\na,q,5\na,q,6\nb,r,1\nb,r,3\nb,r,1\nb,s,2\nb,s,1\n"
        "b,s,4\n",
        &nested, &ok);
    assert_string_equal(json_string_value(at(o, "checks/nested/state")), "fires");
    json_decref(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),       cmocka_unit_test(test_levels),
        cmocka_unit_test(test_requests),    cmocka_unit_test(test_numbers_refused),
        cmocka_unit_test(test_paired),      cmocka_unit_test(test_correlate),
        cmocka_unit_test(test_poor_data),   cmocka_unit_test(test_findings),
        cmocka_unit_test(test_model_parts), cmocka_unit_test(test_bootstrap_of_one),
        cmocka_unit_test(test_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
