/* Errors, strings, arrays, UTF-8 and logging. */
#include "core/array.h"
#include "core/log.h"
#include "core/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pj_status fails(struct pj_error *err)
{
    return pji_fail(err, PJ_EBUSY, "the %s is busy", "disk");
}

static void test_error(void **state)
{
    (void)state;
    struct pj_error err = {0};
    assert_int_equal(fails(NULL), PJ_EBUSY);
    assert_int_equal(fails(&err), PJ_EBUSY);
    assert_string_equal(err.text, "the disk is busy");
    assert_int_equal(err.code, PJ_EBUSY);
    assert_int_equal(err.sys_errno, 0);
    assert_int_equal(pji_fail(&err, PJ_EINVAL, "second"), PJ_EINVAL); /* first message wins */
    assert_string_equal(err.text, "the disk is busy");
    pji_error_prefix(&err, "trial %d", 3);
    assert_string_equal(err.text, "trial 3: the disk is busy");
    pji_error_prefix(NULL, "x");
    pji_error_clear(&err);
    assert_int_equal(err.code, 0);
    assert_string_equal(err.text, "");
    pji_error_prefix(&err, "nothing to prefix");
    assert_string_equal(err.text, "");
    pji_error_clear(NULL);
    assert_int_equal(pji_fail_errno(&err, ENOENT, "cannot open %s", "/x"), PJ_ENOTFOUND);
    assert_string_equal(err.text, "cannot open /x: No such file or directory");
    assert_int_equal(err.sys_errno, ENOENT);
    pji_error_clear(&err);
    assert_int_equal(pji_fail_errno(&err, 99999, "odd"), PJ_EIO);
    assert_string_equal(err.text, "odd: errno 99999");
    pji_error_clear(&err);
    (void)pji_fail(&err, PJ_EIO, "two\nlines\tand \x1b[31m");
    assert_string_equal(err.text, "two lines and  [31m");
}

static void test_long_error(void **state)
{
    (void)state;
    char text[2000];
    for (size_t shift = 0; shift < 4; shift++) {
        struct pj_error err = {0};
        memset(text, 'a', shift);
        for (size_t i = shift; i + 2 < sizeof text; i += 2)
            memcpy(text + i, "\xc3\xa9", 3); /* é, so that the cut falls inside one */
        (void)pji_fail(&err, PJ_EINVAL, "%s", text);
        size_t len = strlen(err.text);
        assert_true(len >= sizeof err.text - 3 && len < sizeof err.text);
        assert_int_equal(pji_utf8_span(err.text, len), len);
        pji_error_prefix(&err, "%s", text + shift);
        len = strlen(err.text);
        assert_int_equal(pji_utf8_span(err.text, len), len);
    }
}

static void test_status_names(void **state)
{
    (void)state;
    for (int a = PJ_ECANCELED; a <= PJ_OK; a++) {
        for (int b = PJ_ECANCELED; b < a; b++)
            assert_string_not_equal(pj_status_name(a), pj_status_name(b));
    }
    assert_string_equal(pj_status_name(PJ_EINVAL), "invalid input");
    assert_string_equal(pj_status_name(-1000), "unknown status");
    assert_non_null(pj_status_name(5));
    assert_int_equal(pji_status_from_errno(EACCES), PJ_EACCESS);
    assert_int_equal(pji_status_from_errno(EPERM), PJ_EACCESS);
    assert_int_equal(pji_status_from_errno(ENOSPC), PJ_ENOSPC);
    assert_int_equal(pji_status_from_errno(EDQUOT), PJ_ENOSPC);
    assert_int_equal(pji_status_from_errno(ENOMEM), PJ_ENOMEM);
    assert_int_equal(pji_status_from_errno(EIO), PJ_EIO);
}

static void test_str(void **state)
{
    (void)state;
    struct pji_str s = {0};
    assert_string_equal(pji_str_text(&s), "");
    pji_str_add(&s, "a");
    pji_str_addc(&s, 'b');
    pji_str_addn(&s, "cdX", 2);
    pji_str_addn(&s, NULL, 0);
    pji_str_addf(&s, "%d%%", 7);
    pji_str_add_num(&s, 0.1);
    assert_string_equal(pji_str_text(&s), "abcd7%0.1");
    assert_int_equal(s.len, 9);
    for (int i = 0; i < 1000; i++)
        pji_str_addf(&s, "%0*d", 100, i); /* grows inside addf */
    assert_int_equal(s.len, 9 + 100000);
    assert_int_equal(strlen(s.text), s.len);
    assert_int_equal(pji_str_ok(&s, NULL), PJ_OK);
    pji_str_clear(&s);
    assert_string_equal(pji_str_text(&s), "");
    char *taken = pji_str_take(&s);
    assert_string_equal(taken, "");
    free(taken);
    assert_null(s.text);
    taken = pji_str_take(&s); /* of an empty string: "" too */
    assert_string_equal(taken, "");
    free(taken);
    pji_str_fini(&s);
}

static void test_str_failure_sticks(void **state)
{
    (void)state;
    struct pji_str s = {0};
    struct pj_error err = {0};
    pji_str_add(&s, "kept");
    pji_str_addn(&s, "x", SIZE_MAX - 2); /* never allocated, never copied */
    assert_true(s.failed);
    pji_str_add(&s, "more");
    pji_str_addf(&s, "%d", 1);
    assert_string_equal(pji_str_text(&s), "kept");
    assert_int_equal(pji_str_ok(&s, &err), PJ_ENOMEM);
    assert_null(pji_str_take(&s));
    assert_null(s.text);
    assert_int_equal(pji_str_ok(&s, NULL), PJ_OK);
}

static void test_dup_and_excerpt(void **state)
{
    (void)state;
    char *copy = pji_dupn("abc", 2, NULL);
    assert_string_equal(copy, "ab");
    free(copy);
    copy = pji_dup("", NULL);
    assert_string_equal(copy, "");
    free(copy);
    struct pj_error err = {0};
    assert_null(pji_dupn("x", SIZE_MAX, &err));
    assert_int_equal(err.code, PJ_ENOMEM);
    char shown[PJI_EXCERPT];
    assert_string_equal(pji_excerpt("a\nb\x01", 4, shown), "a?b?");
    assert_string_equal(pji_excerpt("abc", 0, shown), "");
    assert_string_equal(pji_excerpt("\xff"
                                    "a\xc3\xa9\xc3"
                                    "b\xfe",
                                    7, shown),
                        "?a\xc3\xa9?b?");
    /* a sentence about them is text too, and none for the terminal's own ears */
    struct pj_error said = {0};
    assert_int_equal(pji_fail(&said, PJ_EPEER, "%s",
                              "\xff"
                              "a\xc3\xa9\x1b[2J\xc2\x9b"
                              "2J\xe2"),
                     PJ_EPEER);
    assert_string_equal(said.text, "?a\xc3\xa9 [2J  2J?");
    char text[200];
    for (size_t i = 0; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa9", 3);
    pji_excerpt(text + 1, 150, shown);
    pji_excerpt(text, 150, shown);
    size_t len = strlen(shown);
    assert_true(len < PJI_EXCERPT && len > PJI_EXCERPT - 8);
    assert_int_equal(pji_utf8_span(shown, len), len);
    assert_string_equal(shown + len - 3, "...");
}

static void test_shown(void **state)
{
    (void)state;
    struct pji_str s = {0};
    pji_str_add_shown(&s, "a\tb\nc\r\x1b[2J\x7f\xc2\x9b"
                          "1m \xc3\xbc \xe6\x97\xa5 \\n");
    assert_string_equal(pji_str_text(&s),
                        "a\\tb\\nc\\r\\x1b[2J\\x7f\\u009b1m \xc3\xbc \xe6\x97\xa5 \\n");
    pji_str_clear(&s);
    pji_str_add_shown(&s, "\xc2"); /* half a character at the end */
    assert_string_equal(pji_str_text(&s), "\xc2");
    pji_str_fini(&s);
}

static void test_nearest(void **state)
{
    (void)state;
    const char *const keys[] = {"repetitions", "factors", "question", "load", "", NULL};
    assert_string_equal(pji_str_nearest("repetition", keys), "repetitions");
    assert_string_equal(pji_str_nearest("repetitoins", keys), "repetitions"); /* a swap is one */
    assert_string_equal(pji_str_nearest("laod", keys), "load");
    assert_string_equal(pji_str_nearest("load", keys), "load");
    assert_string_equal(pji_str_nearest("fctors", keys), "factors");
    assert_null(pji_str_nearest("energy", keys));
    assert_null(pji_str_nearest("", keys));
    assert_null(pji_str_nearest("abcd", keys));
    char longest[100];
    memset(longest, 'x', 99);
    longest[99] = '\0';
    assert_null(pji_str_nearest(longest, keys));
    const char *const long_keys[] = {longest, NULL};
    assert_null(pji_str_nearest("xxxx", long_keys));
}

static void test_array(void **state)
{
    (void)state;
    int *items = NULL;
    size_t cap = 0;
    struct pj_error err = {0};
    for (size_t n = 0; n < 1000; n++) {
        assert_int_equal(pji_array_reserve(&items, &cap, n + 1, sizeof *items, &err), PJ_OK);
        assert_int_equal(items[n], 0);
        items[n] = (int)n;
    }
    assert_int_equal(items[500], 500);
    int *before = items;
    size_t cap_before = cap;
    assert_int_equal(pji_array_reserve(&items, &cap, SIZE_MAX, sizeof *items, &err), PJ_ENOMEM);
    assert_int_equal(pji_array_reserve(&items, &cap, SIZE_MAX / 4, 4, NULL), PJ_ENOMEM);
    assert_ptr_equal(items, before);
    assert_int_equal(cap, cap_before);
    free(items);
    char *zeroed = pji_zalloc(0, 0, NULL);
    assert_non_null(zeroed);
    free(zeroed);
    assert_null(pji_zalloc(SIZE_MAX, 16, NULL));
}

static void test_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t good;
    } cases[] = {{"abc", 3},
                 {"\xc3\xa9z", 3},
                 {"\xe2\x82\xac", 3},
                 {"\xf0\x9f\x94\x8b", 4},
                 {"a\x80", 1},             /* continuation alone */
                 {"a\xc3", 1},             /* cut */
                 {"a\xc0\xaf", 1},         /* overlong */
                 {"a\xe0\x80\xaf", 1},     /* overlong */
                 {"a\xf0\x80\x80\xaf", 1}, /* overlong */
                 {"a\xed\xa0\x80", 1},     /* surrogate */
                 {"a\xf4\x90\x80\x80", 1}, /* beyond U+10FFFF */
                 {"a\xf5\x80\x80\x80", 1},
                 {"\xf0\x9f\x94", 0},
                 {"\xe2\x82z", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(pji_utf8_span(cases[i].text, strlen(cases[i].text)), cases[i].good);
    assert_int_equal(pji_utf8_span("a\0b", 3), 3);
}

static void test_hide(void **state)
{
    (void)state;
    char text[] = "key keykey\0key, ke";
    pji_hide(text, sizeof text - 1, NULL);
    pji_hide(text, sizeof text - 1, "");
    pji_hide(text, sizeof text - 1, "a longer secret than the whole text is");
    assert_memory_equal(text, "key keykey\0key, ke", sizeof text);
    pji_hide(text, sizeof text - 1, "key");
    assert_memory_equal(text, "*** ******\0***, ke", sizeof text);
    pji_hide(text, 0, "*");
}

static void keep(void *context, enum pji_log_level level, const char *text)
{
    (void)snprintf(context, 32, "%d %s", (int)level, text);
}

static void test_log(void **state)
{
    (void)state;
    char seen[32] = "";
    struct pji_log log = {.write = keep, .context = seen};
    pji_log(&log, PJI_LOG_WARNING, "n = %d", 3);
    assert_string_equal(seen, "1 n = 3");
    pji_log(NULL, PJI_LOG_ERROR, "silent");
    log.write = NULL;
    pji_log(&log, PJI_LOG_ERROR, "silent");
    assert_string_equal(seen, "1 n = 3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error),
        cmocka_unit_test(test_long_error),
        cmocka_unit_test(test_status_names),
        cmocka_unit_test(test_str),
        cmocka_unit_test(test_str_failure_sticks),
        cmocka_unit_test(test_dup_and_excerpt),
        cmocka_unit_test(test_shown),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_array),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_hide),
        cmocka_unit_test(test_log),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
