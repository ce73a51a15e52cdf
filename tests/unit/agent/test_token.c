/* The token: made once, kept from others, and nothing but itself matches. */
#include "agent/token.h"

#include "temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void test_made_once_with_mode_0600(void **state)
{
    (void)state;
    char dir[TEMP_PATH], path[TEMP_PATH + 16];
    struct pji_token one, two;
    struct pj_error err = {0};
    struct stat info;
    bool created = false;
    temp_open(dir);
    snprintf(path, sizeof path, "%s/token", dir);
    mode_t mask = umask(0777);
    assert_int_equal(pji_token_open(&one, path, &created, &err), PJ_OK);
    assert_int_equal(unlink(path), 0);
    umask(0);
    assert_int_equal(pji_token_open(&one, path, &created, &err), PJ_OK);
    umask(mask);
    assert_true(created);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(info.st_size, 65);
    assert_int_equal(pji_token_open(&two, path, &created, &err), PJ_OK);
    assert_false(created);
    assert_string_equal(one.sha256, two.sha256);
    temp_close(dir);
}

static void test_bad_files_are_refused(void **state)
{
    (void)state;
    char dir[TEMP_PATH], path[TEMP_PATH + 16], link[TEMP_PATH + 16];
    struct pji_token token;
    bool created = false;
    temp_open(dir);
    snprintf(path, sizeof path, "%s/token", dir);
    snprintf(link, sizeof link, "%s/link", dir);
    temp_write(dir, "token", "0123456789abcdef0123456789abcdef\n");
    static const mode_t modes[] = {0604, 0640, 0644, 0660, 0666, 0601};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        struct pj_error err = {0};
        assert_int_equal(chmod(path, modes[i]), 0);
        assert_int_equal(pji_token_open(&token, path, &created, &err), PJ_EACCESS);
    }
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(pji_token_open(&token, path, &created, NULL), PJ_OK);
    assert_int_equal(symlink(path, link), 0);
    assert_true(pji_token_open(&token, link, &created, NULL) < 0);
    /* its other owner knows it (only root can give a file away) */
    if (geteuid() == 0) {
        struct pj_error err = {0};
        assert_int_equal(chown(path, 65534, 0), 0);
        assert_int_equal(pji_token_open(&token, path, &created, &err), PJ_EACCESS);
        assert_non_null(strstr(err.text, "another user"));
        assert_int_equal(chown(path, 0, 0), 0);
    }
    /* a pipe has no writer: nobody waits for one */
    snprintf(link, sizeof link, "%s/pipe", dir);
    assert_int_equal(mkfifo(link, 0600), 0);
    assert_int_equal(pji_token_open(&token, link, &created, NULL), PJ_EACCESS);
    temp_write(dir, "token", "short\n");
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(pji_token_open(&token, path, &created, NULL), PJ_EINVAL);
    temp_close(dir);
}

static void test_only_itself_matches(void **state)
{
    (void)state;
    char dir[TEMP_PATH], path[TEMP_PATH + 16];
    struct pji_token token;
    bool created = false;
    temp_open(dir);
    snprintf(path, sizeof path, "%s/token", dir);
    temp_write(dir, "token", "0123456789abcdef0123456789abcdef\n");
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(pji_token_open(&token, path, &created, NULL), PJ_OK);
    assert_true(pji_token_matches(&token, "Bearer 0123456789abcdef0123456789abcdef"));
    assert_true(pji_token_matches(&token, "bearer 0123456789abcdef0123456789abcdef"));
    static const char *const bad[] = {
        "",
        "Bearer",
        "Bearer ",
        "0123456789abcdef0123456789abcdef",
        "Basic 0123456789abcdef0123456789abcdef",
        "Bearer  0123456789abcdef0123456789abcdef",
        "Bearer 0123456789abcdef0123456789abcdef ",
        "Bearer 0123456789abcdef0123456789abcde",
        "Bearer 0123456789abcdef0123456789abcdeF",
        "Bearer 1123456789abcdef0123456789abcdef",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(pji_token_matches(&token, bad[i]));
    assert_false(pji_token_matches(&token, NULL));
    temp_close(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_made_once_with_mode_0600),
        cmocka_unit_test(test_bad_files_are_refused),
        cmocka_unit_test(test_only_itself_matches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
