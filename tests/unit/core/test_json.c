/* JSON: what is written, what is refused, and the typed getters. */
#include "core/json.h"

#include "comma_locale.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *parse(const char *text)
{
    struct pj_error err = {0};
    json_t *value = pji_json_parse(text, strlen(text), "t.json", &err);
    if (!value)
        fail_msg("%s", err.text);
    return value;
}

static void check(json_t *value, int indent, const char *want)
{
    struct pji_str out = {0};
    pji_json_write(&out, value, indent);
    assert_string_equal(pji_str_text(&out), want);
    if (value) {
        json_t *back = parse(pji_str_text(&out));
        assert_true(json_equal(value, back) || json_is_real(value));
        json_decref(back);
    }
    pji_str_fini(&out);
    json_decref(value);
}

static void test_write(void **state)
{
    (void)state;
    check(parse("{\"z\":1,\"a\":[true,false,null,\"x\"],\"e\":{},\"f\":[]}"), 0,
          "{\"z\": 1, \"a\": [true, false, null, \"x\"], \"e\": {}, \"f\": []}");
    check(parse("{\"z\":1,\"a\":[2,{\"k\":3}],\"e\":{}}"), 2,
          "{\n  \"z\": 1,\n  \"a\": [\n    2,\n    {\n      \"k\": 3\n    }\n  ],\n  \"e\": {}\n}");
    check(json_string("é\"\\\b\f\n\r\t\x01\x1f\x7f/€"), 0,
          "\"é\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\x7f/€\"");
    check(json_pack("{s:s}", "k\n\"", "v"), 0, "{\"k\\n\\\"\": \"v\"}");
    check(NULL, 0, "null");
}

static void test_numbers(void **state)
{
    (void)state;
    check(json_real(0.1), 0, "0.1");
    check(json_real(2), 0, "2");
    check(json_real(-0.0), 0, "-0.0");
    check(json_real(1e300), 0, "1e300");
    check(json_real(5e-324), 0, "5e-324");
    check(json_real(123456789.125), 0, "123456789.125");
    check(json_integer(INT64_MIN), 0, "-9223372036854775808");
    check(json_integer(INT64_MAX), 0, "9223372036854775807");
    check(pji_json_num(0.25), 0, "0.25");
    check(pji_json_num((double)NAN), 0, "null");
    check(pji_json_num(-(double)INFINITY), 0, "null");
    json_t *back = parse("-0.0");
    assert_true(json_is_real(back) && signbit(json_real_value(back)));
    json_decref(back);
}

static void refuse(const char *text, size_t len, const char *message)
{
    struct pj_error err = {0};
    assert_null(pji_json_parse(text, len, "t.json", &err));
    assert_int_equal(err.code, PJ_EINVAL);
    if (!strstr(err.text, message))
        fail_msg("'%s' does not say '%s'", err.text, message);
    assert_null(pji_json_parse(text, len, "t.json", NULL));
}

static void test_refused(void **state)
{
    (void)state;
    refuse("{\"a\":1,\n \"a\":2}", 15, "t.json:2:");
    refuse("{\"a\":1,\n \"a\":2}", 15, "duplicate");
    refuse("[1,\n2,\n x]", 10, "t.json:3:2: not valid JSON");
    refuse("", 0, "t.json:1:");
    refuse("{} x", 4, "end of file expected");
    refuse("[1e999]", 7, "overflow");
    refuse("[99999999999999999999]", 22, "too big");
    refuse("[NaN]", 5, "t.json:1:");
    refuse("\"\xff\"", 3, "unable to decode byte 0xff");
    refuse("\"a\\u0000b\"", 10, "\\u0000 is not allowed");
    refuse("[01]", 4, "t.json:1:");
    refuse("{\"a\0b\":1}", 9, "t.json:1:");
    char deep[5000];
    memset(deep, '[', sizeof deep);
    refuse(deep, sizeof deep, "depth");
}

static void test_getters(void **state)
{
    (void)state;
    json_t *object =
        parse("{\"s\":\"x\",\"i\":7,\"r\":1.5,\"n\":null,\"o\":{},\"l\":[],\"t\":true}");
    const char *s = NULL;
    int64_t i = 0;
    double r = 0;
    struct pj_error err = {0};
    assert_int_equal(pji_json_get_str(object, "s", "trace", &s, NULL), PJ_OK);
    assert_string_equal(s, "x");
    assert_int_equal(pji_json_get_i64(object, "i", "trace", &i, NULL), PJ_OK);
    assert_int_equal(i, 7);
    assert_int_equal(pji_json_get_num(object, "r", "trace", &r, NULL), PJ_OK);
    assert_true(r == 1.5);
    assert_int_equal(pji_json_get_num(object, "i", "trace", &r, NULL), PJ_OK);
    assert_true(r == 7);
    assert_int_equal(pji_json_get_i64(object, "r", "the header", &i, &err), PJ_EINVAL);
    assert_string_equal(err.text, "'r' of the header is a number, not a whole number");
    const char *const wrong[] = {"n", "o", "l", "t", "missing", NULL};
    for (size_t k = 0; wrong[k]; k++) {
        pji_error_clear(&err);
        assert_int_equal(pji_json_get_str(object, wrong[k], "the header", &s, &err), PJ_EINVAL);
        assert_non_null(strstr(err.text, wrong[k]));
        assert_non_null(strstr(err.text, "the header"));
        assert_int_equal(pji_json_get_i64(object, wrong[k], "x", &i, NULL), PJ_EINVAL);
        assert_int_equal(pji_json_get_num(object, wrong[k], "x", &r, NULL), PJ_EINVAL);
    }
    json_t *array = json_array();
    assert_int_equal(pji_json_get_num(array, "a", "x", &r, NULL), PJ_EINVAL);
    assert_int_equal(pji_json_get_num(NULL, "a", "x", &r, NULL), PJ_EINVAL);
    json_decref(array);
    json_decref(object);
}

static void test_comma_locale(void **state)
{
    (void)state;
    if (!comma_locale_enter()) {
        print_message("skipped: this C library takes no locale with a decimal comma\n");
        skip();
    }
    json_t *value = pji_json_parse("[1.25, 3e-3]", 12, "t.json", NULL);
    struct pji_str out = {0};
    pji_json_write(&out, value, 0);
    comma_locale_leave();
    assert_string_equal(pji_str_text(&out), "[1.25, 0.003]");
    pji_str_fini(&out);
    json_decref(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write),        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_refused),      cmocka_unit_test(test_getters),
        cmocka_unit_test(test_comma_locale),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
