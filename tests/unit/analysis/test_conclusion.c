/* What is concluded from: the adjustment that was declared decides; several comparisons are said to
 * be several; what a gate forbids shows the reason in the place of the p-value; correlations are
 * looked at by the same checks. */
#include "analysis/analyse.h"
#include "analysis/conclusion.h"
#include "analysis/declared.h"
#include "core/num.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char three[] = "g,y\na,10\na,11\na,12\na,9.5\na,10.2\nb,12.3\nb,13\nb,12.6\nb,11.9\n"
                            "b,12.2\nc,10.9\nc,11.3\nc,12.4\nc,11.2\nc,12.1\n";

static json_t *analyse(const char *text, const struct pji_analysis *request, bool *conclusive)
{
    struct pji_table table;
    struct pj_error err = {0};
    json_t *out = NULL;
    FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    assert_non_null(file);
    if (pji_table_read(&table, file, "t.csv", ',', &err) ||
        pji_analyse(&table, request, &out, conclusive, &err))
        fail_msg("%s", err.text);
    fclose(file);
    pji_table_fini(&table);
    return out;
}

static const json_t *pair_of(const json_t *o, const char *family, const char *pair)
{
    const json_t *families = json_object_get(json_object_get(o, "conclusion"), "families");
    const json_t *found = json_object_get(json_object_get(families, family), pair);
    if (!found)
        fail_msg("no conclusion %s of %s", pair, family);
    return found;
}

static void adjusted(const char *adjust, const char *family, const char *pair, double p, bool below)
{
    bool conclusive;
    struct pji_analysis r = {
        .response = "y", .by = "g", .tests = "dunn,contrast", .adjust = adjust};
    json_t *o = analyse(three, &r, &conclusive);
    const json_t *found = pair_of(o, family, pair);
    double got = json_number_value(json_object_get(found, "p_adjusted"));
    if (fabs(got - p) > 1e-6)
        fail_msg("%s, %s, %s: %.9g, not %.9g", adjust, family, pair, got, p);
    assert_int_equal(json_is_true(json_object_get(found, "below_alpha")), below);
    json_decref(o);
}

/* p of dunn: 0.00467773, 0.1572992, 0.1572992; of the contrasts 0.00146004, 0.04055527, 0.0954573.
 * Tukey: R, ptukey(t sqrt(2), 3, 12, lower.tail = FALSE). */
static void test_methods(void **state)
{
    (void)state;
    adjusted("BH", "dunn", "a - c", 0.1572992, false);
    adjusted("Holm", "dunn", "a - c", 0.3145984, false);
    adjusted("Bonferroni", "dunn", "a - c", 0.4718976, false);
    adjusted("BY", "dunn", "a - c", 0.2883819, false);
    adjusted("Hochberg", "dunn", "a - c", 0.1572992, false);
    adjusted("Hommel", "dunn", "a - c", 0.1572992, false);
    adjusted("Tukey", "contrast: pairwise", "a - b", 0.0038536, true);
    adjusted("tukey", "contrast: pairwise", "a - c", 0.0951443, false);
}

static void test_choice_decides(void **state)
{
    (void)state;
    bool conclusive;
    struct pji_analysis r = {.response = "y", .by = "g", .tests = "contrast", .adjust = "BH"};
    /* a - c: p 0.0406, BH 0.0608, and pairwise Holm 0.0811 */
    json_t *o = analyse(three, &r, &conclusive);
    struct pji_str text = {0};
    pji_analysis_text(o, 120, false, &text);
    assert_non_null(strstr(pji_str_text(&text), "p adjusted after BH over 3 comparisons"));
    assert_non_null(strstr(pji_str_text(&text), "p_bh"));
    assert_null(strstr(pji_str_text(&text), "p_holm"));
    assert_null(strstr(pji_str_text(&text), "p_bonferroni"));
    json_decref(o);
    pji_str_clear(&text);
    r.adjust = "Holm";
    r.alpha = 0.1;
    o = analyse(three, &r, &conclusive);
    pji_analysis_text(o, 120, false, &text);
    assert_non_null(
        strstr(pji_str_text(&text), "p adjusted after Holm over 3 comparisons, alpha 0.1"));
    assert_null(strstr(pji_str_text(&text), "p_bh"));
    assert_true(
        json_is_true(json_object_get(pair_of(o, "contrast: pairwise", "a - c"), "below_alpha")));
    pji_str_fini(&text);
    json_decref(o);
    r.adjust = "Sidak";
    struct pji_table table = {0};
    struct pj_error err = {0};
    assert_int_equal(pji_analyse(&table, &r, &o, &conclusive, &err), PJ_EINVAL);
    assert_non_null(strstr(err.text, "BH, Holm, Bonferroni"));
}

static const json_t *finding(const json_t *o, const char *code)
{
    size_t i;
    json_t *f;
    json_array_foreach(json_object_get(o, "findings"), i, f)
    {
        if (strcmp(json_string_value(json_object_get(f, "code")), code) == 0)
            return f;
    }
    return NULL;
}

static const char *state_of(const json_t *o, const char *code)
{
    return json_string_value(
        json_object_get(json_object_get(json_object_get(o, "checks"), code), "state"));
}

/* fires with several comparisons, by the method that is concluded from; not with one */
static void test_multiple(void **state)
{
    (void)state;
    bool conclusive;
    struct pji_analysis r = {.response = "y", .by = "g", .tests = "ttest", .adjust = "Bonferroni"};
    json_t *o = analyse(three, &r, &conclusive);
    const json_t *f = finding(o, "multiple_comparisons");
    assert_non_null(f);
    const char *words = json_string_value(json_object_get(f, "finding"));
    assert_non_null(strstr(words, "3 comparisons are made together (ttest)"));
    assert_non_null(strstr(words, "adjusted (Bonferroni)"));
    assert_non_null(strstr(words, "report adjusted p-values"));
    const json_t *figures = json_object_get(json_object_get(f, "figures"), "ttest");
    assert_int_equal(json_integer_value(json_object_get(figures, "comparisons")), 3);
    assert_int_equal(json_integer_value(json_object_get(figures, "below_alpha")), 2);
    assert_int_equal(json_integer_value(json_object_get(figures, "below_alpha_adjusted")), 1);
    assert_true(conclusive);
    json_decref(o);
    const char *two[] = {"g=a,b"};
    r.levels = two;
    r.n_levels = 1;
    o = analyse(three, &r, &conclusive);
    assert_null(finding(o, "multiple_comparisons"));
    assert_string_equal(state_of(o, "multiple_comparisons"), "clean");
    json_decref(o);
    r.tests = "oneway";
    r.adjust = NULL;
    o = analyse(three, &r, &conclusive);
    assert_string_equal(state_of(o, "multiple_comparisons"), "not checkable");
    assert_null(json_object_get(o, "conclusion"));
    json_decref(o);
}

/* means within levels of another factor: each level is a family of its own */
static void test_within(void **state)
{
    (void)state;
    struct pji_str text = {0};
    bool conclusive;
    const char *emmeans[] = {"g|h"};
    struct pji_analysis r = {.model = "y ~ g * h",
                             .tests = "contrast",
                             .emmeans = emmeans,
                             .n_emmeans = 1,
                             .adjust = "Bonferroni"};
    pji_str_add(&text, "g,h,y\n");
    for (int i = 0; i < 24; i++)
        pji_str_addf(&text, "%c,%s,%g\n", 'a' + i % 3, i / 3 % 2 ? "x" : "z",
                     10 + i % 3 + 0.3 * (i % 5) + 0.1 * (i % 7));
    json_t *o = analyse(pji_str_text(&text), &r, &conclusive);
    const json_t *pair = pair_of(o, "contrast g|h: pairwise", "a - b | x");
    double p = json_number_value(json_object_get(pair, "p"));
    double q = json_number_value(json_object_get(pair, "p_adjusted"));
    assert_true(p > 0 && fabs(q - fmin(1, 3 * p)) < 1e-12); /* 3 pairs in x, not 6 in all */
    pji_str_fini(&text);
    json_decref(o);
}

/* ---- a gate ---- */

static json_t *gated(const char *correlate, struct pji_str *table)
{
    bool conclusive = true;
    struct pji_analysis r = {.response = "y", .by = correlate ? NULL : "g", .correlate = correlate};
    r.tests = correlate ? NULL : "ttest,kruskal";
    r.adjust = "Holm";
    pji_str_add(table, "g,vendor,run,x,y\n");
    for (int i = 0; i < 60; i++) { /* 6 runs of 10 rows, each with its own level */
        int run = i / 10;
        double level = 10 + 3 * sin(5 * run);
        pji_str_addf(table, "%s,%s,%d,%.17g,%.17g\n", run < 3 ? "a" : "b", run < 3 ? "n" : "s", run,
                     level + 0.1 * sin(3 * i), 2 * level + 0.1 * cos(7 * i));
    }
    json_t *o = analyse(pji_str_text(table), &r, &conclusive);
    assert_false(conclusive);
    return o;
}

static size_t count(const char *text, const char *word)
{
    size_t n = 0;
    for (const char *p = strstr(text, word); p; p = strstr(p + 1, word))
        n++;
    return n;
}

/* text: reason in the place of p, both with force; JSON: number and reason side by side */
static void test_gate(void **state)
{
    (void)state;
    struct pji_str table = {0};
    struct pji_str text = {0};
    json_t *o = gated(NULL, &table);
    const json_t *f = finding(o, "aliased");
    assert_non_null(f);
    assert_true(json_is_true(json_object_get(f, "forbids_conclusion")));
    char p[PJI_NUM_TEXT];
    const json_t *pair = pair_of(o, "ttest", "a - b");
    pji_num_format_digits(json_number_value(json_object_get(pair, "p")), 5, p);
    assert_true(json_is_number(json_object_get(pair, "p_adjusted")));
    pji_analysis_text(o, 200, false, &text);
    assert_null(strstr(pji_str_text(&text), p));
    size_t withheld = count(pji_str_text(&text), "[aliased+1]");
    assert_true(withheld >= 6); /* welch, student, variances, kruskal, and the conclusion's three */
    pji_str_clear(&text);
    pji_analysis_text(o, 200, true, &text);
    assert_non_null(strstr(pji_str_text(&text), p));
    assert_int_equal(count(pji_str_text(&text), "[aliased+1]"), withheld);
    assert_int_equal(count(pji_str_text(&text), " [aliased+1]"), withheld);
    pji_str_fini(&text);
    pji_str_fini(&table);
    json_decref(o);
}

/* a correlation over repetitions counts them as replicates; over units it does not */
static void test_correlation(void **state)
{
    (void)state;
    struct pji_str table = {0};
    struct pji_str text = {0};
    json_t *o = gated("x", &table);
    const json_t *f = finding(o, "pseudo_replication");
    assert_non_null(f);
    const char *words = json_string_value(json_object_get(f, "finding"));
    assert_non_null(strstr(words, "60 rows are 6 units"));
    assert_non_null(strstr(words, "correlate means of units"));
    assert_string_equal(state_of(o, "aliased"), "not checkable");
    pji_analysis_text(o, 200, false, &text);
    assert_non_null(strstr(pji_str_text(&text), "[pseudo_replication]"));
    json_decref(o);
    pji_str_clear(&text);
    pji_str_add(&text, "unit,x,y\n");
    for (int i = 0; i < 30; i++)
        pji_str_addf(&text, "u%d,%.17g,%.17g\n", i, sin(5.0 * i), 2 * sin(5.0 * i) + cos(7.0 * i));
    bool conclusive = false;
    struct pji_analysis r = {.response = "y", .correlate = "x"};
    o = analyse(pji_str_text(&text), &r, &conclusive);
    assert_true(conclusive);
    assert_null(finding(o, "pseudo_replication"));
    assert_non_null(json_object_get(o, "checks"));
    pji_str_fini(&text);
    pji_str_fini(&table);
    json_decref(o);
}

/* x is a factor of the design: what goes with it can explain the correlation as well */
static void test_correlation_with_factor(void **state)
{
    (void)state;
    struct pji_str text = {0};
    bool conclusive = true;
    struct pji_analysis r = {.response = "y", .correlate = "batch"};
    pji_str_add(&text, "batch,vendor,y\n");
    for (int i = 0; i < 40; i++)
        pji_str_addf(&text, "%d,v%d,%.17g\n", 1 << i % 4, i % 4, (1 << i % 4) + 0.1 * sin(3.0 * i));
    json_t *o = analyse(pji_str_text(&text), &r, &conclusive);
    assert_non_null(finding(o, "aliased"));
    assert_null(finding(o, "pseudo_replication"));
    assert_false(conclusive);
    pji_str_fini(&text);
    json_decref(o);
}

static void refused(const char *plan, const char *words)
{
    struct pj_error err = {0};
    pj_status rc = pji_declared_check_tests(plan, &err);
    assert_int_equal(rc, words ? PJ_EINVAL : PJ_OK);
    if (words && !strstr(err.text, words))
        fail_msg("'%s' does not say '%s'", err.text, words);
}

static void test_tukey_needs_means(void **state)
{
    (void)state;
    refused("{\"adjust\":\"Tukey\",\"tests\":[\"dunn\"],\"blocks\":\"none\"}", "add contrast");
    refused("{\"adjust\":\"Tukey\",\"tests\":[],\"blocks\":\"block\"}", "does not go with blocks");
    refused("{\"adjust\":\"Tukey\",\"tests\":[],\"blocks\":\"none\"}", NULL);
    refused("{\"adjust\":\"Tukey\",\"tests\":[\"contrast\"],\"blocks\":\"none\"}", NULL);
    refused("{\"adjust\":\"Holm\",\"tests\":[\"dunn\"],\"blocks\":\"block\"}", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_choice_decides),
        cmocka_unit_test(test_multiple),
        cmocka_unit_test(test_within),
        cmocka_unit_test(test_gate),
        cmocka_unit_test(test_correlation),
        cmocka_unit_test(test_correlation_with_factor),
        cmocka_unit_test(test_tukey_needs_means),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
