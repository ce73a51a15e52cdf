/* Formulas and --where: the algebra, the order of terms, and what is refused with which words. */
#include "analysis/formula.h"
#include "analysis/where.h"

#include "core/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* "a + b + a:b | s" with "-1" in front when there is no intercept */
static void describe(const struct pji_formula *f, char *out, size_t size)
{
    struct pji_str text = {0};
    if (!f->intercept)
        pji_str_add(&text, "-1");
    for (size_t t = 0; t < f->terms; t++) {
        pji_str_add(&text, text.len > 0 ? " " : "");
        for (size_t v = 0, first = 1; v < f->variables; v++) {
            if (!(f->term[t] >> v & 1))
                continue;
            pji_str_addf(&text, "%s%s", first ? "" : ":", f->variable[v].name);
            first = 0;
        }
    }
    if (f->random)
        pji_str_addf(&text, " | %s", f->random);
    snprintf(out, size, "%s", pji_str_text(&text));
    pji_str_fini(&text);
}

static void test_algebra(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"y ~ a", "a"},
        {"y ~ a + b", "a b"},
        {"y~a*b", "a b a:b"},
        {"y ~ a:b + a", "a a:b"},
        {"y ~ a*b*c", "a b c a:b a:c b:c a:b:c"},
        {"y ~ (a + b + c)^2", "a b c a:b a:c b:c"},
        {"y ~ (a + b)^3", "a b a:b"},
        {"y ~ a*b - a", "b a:b"},
        {"y ~ a/b", "a a:b"},
        {"y ~ (a+b)/c", "a b a:b:c"},
        {"y ~ (a+b):c", "a:c b:c"},
        {"y ~ (a+b)*c", "a b c a:c b:c"},
        {"y ~ a + a + a:a", "a"},
        {"y ~ 1", ""},
        {"y ~ 1 + a", "a"},
        {"y ~ 0 + a", "-1 a"},
        {"y ~ a - 1", "-1 a"},
        {"y ~ -1 + a", "-1 a"},
        {"log(y) ~ log(a) + log1p(b) + sqrt(c) + factor(d)", "log(a) log1p(b) sqrt(c) factor(d)"},
        {"y ~ a + (1 | s)", "a | s"},
        {"y ~ (1|s) + a", "a | s"},
        {"y ~ 1 + (1|s)", " | s"},
        {"`time (s)` ~ `a b`*c", "a b c a b:c"},
        {"y ~ b*a", "b a b:a"},
        {"y ~ log", "log"},
        {"y ~ a.b_c + \xC3\xA4", "a.b_c \xC3\xA4"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct pji_formula f;
        struct pj_error err = {0};
        char got[256];
        if (pji_formula_parse(&f, cases[i][0], &err))
            fail_msg("%s: %s", cases[i][0], err.text);
        describe(&f, got, sizeof got);
        if (strcmp(got, cases[i][1]) != 0)
            fail_msg("%s gives '%s', not '%s'", cases[i][0], got, cases[i][1]);
        pji_formula_fini(&f);
    }
}

static void test_response(void **state)
{
    (void)state;
    struct pji_formula f;
    assert_int_equal(pji_formula_parse(&f, "sqrt(`my y`) ~ a + log(x)", NULL), PJ_OK);
    assert_string_equal(f.response.column, "my y");
    assert_int_equal(f.response.function, PJI_FN_SQRT);
    assert_int_equal(pji_formula_find(&f, "log(x)"), 1);
    assert_int_equal(pji_formula_find(&f, "x"), 1);
    assert_int_equal(pji_formula_find(&f, "q"), 2);
    pji_formula_fini(&f);
}

static void test_formula_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "ends where"},
        {"y", "'~'"},
        {"y ~", "ends where"},
        {"~ a", "name of a column"},
        {"y ~ a +", "ends where"},
        {"y ~ a b", "an operator"},
        {"y ~ a * * b", "name of a column"},
        {"y ~ (a", "')'"},
        {"y ~ a)", "an operator"},
        {"y ~ a^b", "an order"},
        {"y ~ a^99", "an order"},
        {"y ~ 2", "a column, 0 or 1"},
        {"y ~ exp(a)", "not known"},
        {"y ~ log(", "ends where"},
        {"y ~ log(a", "')'"},
        {"y ~ log(2)", "name of a column"},
        {"y ~ y", "both sides"},
        {"log(y) ~ a + sqrt(y)", "both sides"},
        {"factor(y) ~ a", "number"},
        {"y ~ (1|s) + (1|t)", "two random"},
        {"y ~ (a|s)", "random slopes"},
        {"y ~ (1 + a|s)", "random slopes"},
        {"y ~ (1|s:t)", "one column"},
        {"y ~ (1|)", "random intercept"},
        {"y ~ `a", "never closed"},
        {"y ~ a & b", "means nothing"},
        {"y ~ 1e999", "formula, column"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct pji_formula f;
        struct pj_error err = {0};
        assert_int_equal(pji_formula_parse(&f, cases[i][0], &err), PJ_EINVAL);
        if (!strstr(err.text, cases[i][1]))
            fail_msg("%s: %s", cases[i][0], err.text);
    }
}

/* nothing grows without limit */
static void test_formula_limits(void **state)
{
    (void)state;
    struct pji_str text = {0};
    struct pji_formula f;
    struct pj_error err = {0};
    pji_str_add(&text, "y ~ ");
    for (int i = 0; i < 200; i++)
        pji_str_addc(&text, '(');
    assert_int_equal(pji_formula_parse(&f, pji_str_text(&text), &err), PJ_EINVAL);
    assert_non_null(strstr(err.text, "nested"));
    pji_str_clear(&text);
    pji_str_add(&text, "y ~ a0");
    for (int i = 1; i < 30; i++)
        pji_str_addf(&text, " + a%d", i);
    struct pj_error other = {0};
    assert_int_equal(pji_formula_parse(&f, pji_str_text(&text), &other), PJ_EINVAL);
    assert_non_null(strstr(other.text, "20 variables"));
    struct pj_error third = {0};
    assert_int_equal(pji_formula_parse(&f, "y ~ a*b*c*d*e*f*g*h*i", &third), PJ_EINVAL);
    assert_non_null(strstr(third.text, "256 terms"));
    pji_str_fini(&text);
}

static const char table_text[] = "name,n,x\n"
                                 "CB,1,2.5\n"
                                 "WiC,2,\n"
                                 "it's,3,-1\n"
                                 "CB,10,NA\n"
                                 "\"a, b\",3.0,1e3\n";

static void open_table(struct pji_table *table)
{
    FILE *file = fmemopen((void *)(uintptr_t)table_text, sizeof table_text - 1, "r");
    struct pj_error err = {0};
    assert_non_null(file);
    if (pji_table_read(table, file, "t.csv", ',', &err))
        fail_msg("%s", err.text);
    fclose(file);
}

static void test_where(void **state)
{
    (void)state;
    static const struct {
        const char *expression;
        const char *rows; /* of the five */
    } cases[] = {
        {"n > 2", "..111"},
        {"n >= 3 and n < 10", "..1.1"},
        {"n == 3", "..1.1"},
        {"n == '3'", "..1.1"},
        {"n == \"3.0\"", "..1.1"},
        {"name == 'CB'", "1..1."},
        {"name != 'CB'", ".11.1"},
        {"name == 'it''s'", "..1.."},
        {"name in ('CB', \"WiC\")", "11.1."},
        {"name not in ('CB','WiC')", "..1.1"},
        {"n in (1, 10)", "1..1."},
        {"not n > 2", "11..."},
        {"not (n > 2 or name == 'CB')", ".1..."},
        {"name == 'CB' or n == 2 and x > 0", "1..1."},
        {"(name == 'CB' or n == 2) and x > 0", "1...."},
        {"x > -2", "1.1.1"},
        {"not x > 0", "..1.."},
        {"x <= -1", "..1.."},
        {"x > 0 or n == 2", "11..1"},
        {"x in (1000, -1)", "..1.1"},
        {"`name` == 'a, b'", "....1"},
        {"n != 2.", "1.111"},
    };
    struct pji_table table;
    open_table(&table);
    for (size_t i = 0; i < COUNT(cases); i++) {
        bool keep[5] = {true, true, true, true, true};
        char got[6] = ".....";
        struct pj_error err = {0};
        if (pji_where_apply(&table, cases[i].expression, keep, &err))
            fail_msg("%s: %s", cases[i].expression, err.text);
        for (size_t r = 0; r < 5; r++)
            got[r] = keep[r] ? '1' : '.';
        if (strcmp(got, cases[i].rows) != 0)
            fail_msg("%s keeps %s, not %s", cases[i].expression, got, cases[i].rows);
    }
    pji_table_fini(&table);
}

static void test_where_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "name of a column"},
        {"n", "a comparison"},
        {"n = 3", "a comparison"},
        {"n ==", "a number or quoted text"},
        {"n == CB", "a number or quoted text"},
        {"n == - 'x'", "a number or quoted text"},
        {"m == 3", "no column 'm'"},
        {"name > 'a'", "compares numbers"},
        {"name > 3", "line"},
        {"name == 3", "'CB'"},
        {"n in 3", "'('"},
        {"n in (3", "')'"},
        {"n in ()", "a number or quoted text"},
        {"(n == 3", "')'"},
        {"n == 3 n == 4", "'and', 'or' or the end"},
        {"n not 3", "a comparison"},
        {"n == 'x", "never closed"},
        {"n == 3 and", "name of a column"},
        {"n == 3 ; x", "means nothing"},
    };
    struct pji_table table;
    open_table(&table);
    for (size_t i = 0; i < COUNT(cases); i++) {
        bool keep[5] = {true, true, true, true, true};
        struct pj_error err = {0};
        assert_int_equal(pji_where_apply(&table, cases[i][0], keep, &err), PJ_EINVAL);
        if (!strstr(err.text, cases[i][1]) && strcmp(cases[i][1], "line") != 0)
            fail_msg("%s: %s", cases[i][0], err.text);
        if (strcmp(cases[i][1], "line") == 0)
            assert_non_null(strstr(err.text, "t.csv:2, column 'name'"));
    }
    struct pji_str deep = {0};
    for (int i = 0; i < 500; i++)
        pji_str_add(&deep, "not ");
    bool keep[5] = {true, true, true, true, true};
    struct pj_error err = {0};
    assert_int_equal(pji_where_apply(&table, pji_str_text(&deep), keep, &err), PJ_EINVAL);
    assert_non_null(strstr(err.text, "nested"));
    pji_str_fini(&deep);
    pji_table_fini(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_algebra),         cmocka_unit_test(test_response),
        cmocka_unit_test(test_formula_refused), cmocka_unit_test(test_formula_limits),
        cmocka_unit_test(test_where),           cmocka_unit_test(test_where_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
