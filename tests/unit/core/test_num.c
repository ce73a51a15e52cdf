/* Numbers: the strict grammar, exact round trips, and independence of the host's locale. */
#include "core/num.h"

#include "comma_locale.h"
#include "core/prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double parse(const char *text)
{
    double value = -12345;
    struct pj_error err = {0};
    pj_status status = pji_num_parse(text, strlen(text), &value, &err);
    if (status)
        fail_msg("'%s': %s", text, err.text);
    return value;
}

static void refuse(const char *text, const char *message)
{
    double value = -1;
    struct pj_error err = {0};
    if (pji_num_parse(text, strlen(text), &value, &err) != PJ_EINVAL || !strstr(err.text, message))
        fail_msg("'%.40s' gave '%s' instead of '%s'", text, err.text, message);
    assert_true(value == -1); /* untouched */
}

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static void assert_same(double a, double b)
{
    if (bits_of(a) != bits_of(b))
        fail_msg("%.17g is not %.17g", a, b);
}

static void test_grammar(void **state)
{
    (void)state;
    assert_same(parse("0"), 0);
    assert_same(parse("-0"), -0.0);
    assert_same(parse("+1.5"), 1.5);
    assert_same(parse("1."), 1);
    assert_same(parse(".5"), 0.5);
    assert_same(parse("-.5e1"), -5);
    assert_same(parse("1e5"), 100000);
    assert_same(parse("1E+05"), 100000);
    assert_same(parse("000123"), 123);
    assert_same(parse("198.88"), 198.88);
    assert_same(parse("0e999999999999"), 0);
    assert_same(parse("0.000e-99999999"), 0);
    const char *const bad[] = {"0x10",  " 1", "1 ",    "nan", "inf", "-inf",     "NaN",   "1e",
                               "1e+",   "e5", ".",     "-",   "+",   "+-1",      "--1",   "1.2.3",
                               "1_000", "1f", "1e5.0", "١",   "1\n", "Infinity", "1e5e5", NULL};
    for (size_t i = 0; bad[i]; i++)
        refuse(bad[i], bad[i][0] == ' ' ? "' 1' is not a number" : "is not a number");
    refuse("", "empty text");
    /* only text[0..len) counts */
    double value;
    assert_int_equal(pji_num_parse("12345", 2, &value, NULL), PJ_OK);
    assert_same(value, 12);
    assert_int_equal(pji_num_parse("1\0002", 3, &value, NULL), PJ_EINVAL);
}

static void test_decimal_comma(void **state)
{
    (void)state;
    refuse("198,88", "'198,88' looks like a number with a decimal comma");
    refuse("198,88", "--decimal-comma");
    refuse("-1,5e3", "decimal comma");
    refuse("1,234,567", "without separators");
    refuse("1.234,5", "without separators");
    refuse("1,234.5", "without separators");
    double value = 0;
    assert_int_equal(pji_num_parse_comma("198,88", 6, &value, NULL), PJ_OK);
    assert_same(value, 198.88);
    assert_int_equal(pji_num_parse_comma("-1234567890123456789,25e-3", 26, &value, NULL), PJ_OK);
    assert_same(value, -1234567890123456789.25e-3);
    assert_int_equal(pji_num_parse_comma("42", 2, &value, NULL), PJ_OK);
    assert_same(value, 42);
    struct pj_error err = {0};
    assert_int_equal(pji_num_parse_comma("198.88", 6, &value, &err), PJ_EINVAL);
    assert_non_null(strstr(err.text, "decimal point"));
    assert_int_equal(pji_num_parse_comma("1.234,5", 7, &value, NULL), PJ_EINVAL);
}

static void test_limits(void **state)
{
    (void)state;
    refuse("1e309", "too large");
    refuse("-1e309", "too large");
    refuse("1e999999999999999999999", "too large");
    refuse("1.8e308", "too large");
    assert_same(parse("1.7976931348623157e308"), DBL_MAX);
    assert_same(parse("1.7976931348623158e308"), DBL_MAX); /* rounds down */
    assert_same(parse("4.9e-324"), 0x1p-1074);
    assert_same(parse("2.4703282292062327e-324"), 0); /* just below half of it */
    assert_same(parse("2.4703282292062328e-324"), 0x1p-1074);
    assert_same(parse("-1e-400"), -0.0);
    assert_same(parse("1e-999999999999"), 0);
    assert_same(parse("2.2250738585072011e-308"), 2.2250738585072011e-308);
    assert_same(parse("9007199254740993"), 9007199254740992.0); /* ties to even */
    assert_same(parse("9007199254740993.00000000000000000000000000000000001"), 9007199254740994.0);
    char text[3000];
    memset(text, '1', sizeof text);
    text[0] = '0';
    text[1] = '.';
    text[1199] = '\0';
    assert_same(parse(text), 1.0 / 9);
    text[1199] = '1';
    text[2999] = '\0';
    refuse(text, "more than 1199 characters");
}

/* The fast path and strtod must agree, and Clinger's limits are where they should be. */
static void test_against_strtod(void **state)
{
    (void)state;
    struct pji_prng prng;
    pji_prng_init(&prng, 1, "num");
    for (int i = 0; i < 200000; i++) {
        char text[64];
        unsigned long long digits = pji_prng_u64(&prng) >> pji_prng_below(&prng, 64);
        (void)snprintf(text, sizeof text, "%llu.%03llue%d", digits,
                       (unsigned long long)pji_prng_below(&prng, 1000),
                       (int)pji_prng_below(&prng, 60) - 30);
        if (bits_of(parse(text)) != bits_of(strtod(text, NULL)))
            fail_msg("%s: %.17g", text, parse(text));
    }
}

static void check_format(double value)
{
    char text[PJI_NUM_TEXT];
    size_t len = pji_num_format(value, text);
    assert_true(len < sizeof text && len == strlen(text));
    double back;
    if (pji_num_parse(text, len, &back, NULL) || bits_of(back) != bits_of(value))
        fail_msg("%.17g was written as %s", value, text);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct pji_prng prng;
    pji_prng_init(&prng, 2, "num");
    for (int i = 0; i < 1000000; i++) {
        uint64_t bits = pji_prng_u64(&prng);
        double value;
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value))
            check_format(value);
    }
    for (int i = 0; i < 100000; i++) { /* what people write */
        check_format((double)pji_prng_below(&prng, 100000000) / 1000);
        check_format((double)(int64_t)pji_prng_u64(&prng));
        check_format(0x1p-1074 * (double)pji_prng_below(&prng, 1000000)); /* denormals */
    }
}

static void assert_format(double value, const char *want)
{
    char text[PJI_NUM_TEXT];
    assert_int_equal(pji_num_format(value, text), strlen(want));
    assert_string_equal(text, want);
}

static void test_shortest(void **state)
{
    (void)state;
    assert_format(0.1, "0.1");
    assert_format(0.1 + 0.2, "0.30000000000000004");
    assert_format(1.0 / 3, "0.3333333333333333");
    assert_format(2, "2");
    assert_format(-2.5, "-2.5");
    assert_format(0, "0");
    assert_format(-0.0, "-0");
    assert_format(1e14, "100000000000000");
    assert_format(999999999999999, "999999999999999");
    assert_format(1e15, "1e15");
    assert_format(-1.5e22, "-1.5e22");
    assert_format(1e-5, "0.00001");
    assert_format(0.0000123, "0.0000123");
    assert_format(9.99e-6, "9.99e-6");
    assert_format(5e-324, "5e-324");
    assert_format(DBL_MAX, "1.7976931348623157e308");
    assert_format(DBL_MIN, "2.2250738585072014e-308");
    assert_format(-1.7976931348623157e-300, "-1.7976931348623157e-300");
    assert_format((double)NAN, "null");
    assert_format((double)INFINITY, "null");
}

static void test_for_people(void **state)
{
    (void)state;
    char text[PJI_NUM_TEXT];
    static const struct {
        double value;
        int digits;
        const char *want;
    } cases[] = {{123.456, 3, "123"},     {2.5, 4, "2.500"},
                 {12345, 3, "12300"},     {0.0012345, 3, "0.00123"},
                 {9.999, 3, "10.0"},      {0, 3, "0"},
                 {-0.0, 3, "0"},          {1e20, 3, "1.00e20"},
                 {-1.25, 0, "-1"},        {1.0 / 3, 99, "0.33333333333333331"},
                 {(double)NAN, 3, "null"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t len = pji_num_format_digits(cases[i].value, cases[i].digits, text);
        assert_string_equal(text, cases[i].want);
        assert_int_equal(len, strlen(text));
    }
    assert_int_equal(pji_num_format_fixed(2.5, 2, text), 4);
    assert_string_equal(text, "2.50");
    pji_num_format_fixed(-0.001, 2, text);
    assert_string_equal(text, "0.00");
    pji_num_format_fixed(-0.0, 0, text);
    assert_string_equal(text, "0");
    pji_num_format_fixed(-0.01, 2, text);
    assert_string_equal(text, "-0.01");
    pji_num_format_fixed(1e15, 2, text);
    assert_string_equal(text, "1e15");
    assert_int_equal(pji_num_format_fixed(-999999999999999, 17, text), 34);
    pji_num_format_fixed(DBL_MAX, 17, text);
    assert_string_equal(text, "1.7976931348623157e308");
    pji_num_format_fixed((double)INFINITY, 1, text);
    assert_string_equal(text, "null");
}

static void test_integers(void **state)
{
    (void)state;
    int64_t i = 7;
    uint64_t u = 7;
    assert_int_equal(pji_num_parse_i64("-9223372036854775808", 20, &i, NULL), PJ_OK);
    assert_true(i == INT64_MIN);
    assert_int_equal(pji_num_parse_i64("9223372036854775807", 19, &i, NULL), PJ_OK);
    assert_true(i == INT64_MAX);
    assert_int_equal(pji_num_parse_i64("9223372036854775808", 19, &i, NULL), PJ_EINVAL);
    assert_int_equal(pji_num_parse_i64("-9223372036854775809", 20, &i, NULL), PJ_EINVAL);
    assert_int_equal(pji_num_parse_i64("+0012", 5, &i, NULL), PJ_OK);
    assert_int_equal(i, 12);
    assert_int_equal(pji_num_parse_u64("18446744073709551615", 20, &u, NULL), PJ_OK);
    assert_true(u == UINT64_MAX);
    assert_int_equal(pji_num_parse_u64("18446744073709551616", 20, &u, NULL), PJ_EINVAL);
    assert_int_equal(pji_num_parse_u64("99999999999999999999999", 23, &u, NULL), PJ_EINVAL);
    assert_int_equal(pji_num_parse_u64("-1", 2, &u, NULL), PJ_EINVAL);
    const char *const bad[] = {"", "-", "+", "1.0", "1e3", " 1", "1 ", "0x1", "a", "1-", NULL};
    for (size_t k = 0; bad[k]; k++) {
        struct pj_error err = {0};
        assert_int_equal(pji_num_parse_i64(bad[k], strlen(bad[k]), &i, &err), PJ_EINVAL);
        assert_true(err.text[0] != '\0');
        assert_int_equal(pji_num_parse_u64(bad[k], strlen(bad[k]), &u, NULL), PJ_EINVAL);
    }
    assert_int_equal(i, 12);
}

static void test_comma_locale(void **state)
{
    (void)state;
    char text[PJI_NUM_TEXT];
    if (!comma_locale_enter()) {
        print_message("skipped: this C library takes no locale with a decimal comma\n");
        skip();
    }
    double slow = parse("123456789012345678.25e-3"); /* not the fast path */
    pj_status comma = pji_num_parse("198,88", 6, &slow, NULL);
    double back = parse("0.30000000000000004");
    pji_num_format(0.1 + 0.2, text);
    char fixed[PJI_NUM_TEXT], digits[PJI_NUM_TEXT], after[8];
    pji_num_format_fixed(1234567.25, 2, fixed);
    pji_num_format_digits(1234.5, 5, digits);
    (void)snprintf(after, sizeof after, "%.1f", 1.5);
    comma_locale_leave();
    assert_string_equal(text, "0.30000000000000004");
    assert_string_equal(fixed, "1234567.25");
    assert_string_equal(digits, "1234.5");
    assert_string_equal(after, "1,5"); /* the host keeps its locale */
    assert_same(slow, 123456789012345678.25e-3);
    assert_same(back, 0.1 + 0.2);
    assert_int_equal(comma, PJ_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grammar),      cmocka_unit_test(test_decimal_comma),
        cmocka_unit_test(test_limits),       cmocka_unit_test(test_against_strtod),
        cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_shortest),
        cmocka_unit_test(test_for_people),   cmocka_unit_test(test_integers),
        cmocka_unit_test(test_comma_locale),
    };
    return cmocka_run_group_tests_name("num", tests, NULL, NULL);
}
