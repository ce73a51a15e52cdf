/* SHA-256 against the examples of FIPS 180-4 and RFC 6234. */
#include "core/digest.h"

#include "temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char of_abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
static const char of_nothing[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
static const char of_million_a[] =
    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

static void test_bytes(void **state)
{
    (void)state;
    char hex[PJI_SHA256_HEX];
    assert_int_equal(pji_sha256_bytes("abc", 3, hex, NULL), PJ_OK);
    assert_string_equal(hex, of_abc);
    assert_int_equal(pji_sha256_bytes("", 0, hex, NULL), PJ_OK);
    assert_string_equal(hex, of_nothing);
}

static void test_pieces(void **state)
{
    (void)state;
    char hex[PJI_SHA256_HEX];
    char piece[997];
    struct pji_sha256 *sha = NULL;
    memset(piece, 'a', sizeof piece);
    assert_int_equal(pji_sha256_new(&sha, NULL), PJ_OK);
    for (size_t left = 1000000; left > 0;) {
        size_t n = left < sizeof piece ? left : sizeof piece;
        assert_int_equal(pji_sha256_add(sha, piece, n, NULL), PJ_OK);
        left -= n;
    }
    assert_int_equal(pji_sha256_finish(sha, hex, NULL), PJ_OK);
    assert_string_equal(hex, of_million_a);
    assert_int_equal(pji_sha256_finish(sha, hex, NULL), PJ_ESTATE);
    assert_string_equal(hex, "");
    assert_int_equal(pji_sha256_add(sha, piece, 1, NULL), PJ_ESTATE);
    pji_sha256_free(sha);
    pji_sha256_free(NULL);
}

static void test_file(void **state)
{
    (void)state;
    char hex[PJI_SHA256_HEX];
    char dir[TEMP_PATH];
    char path[TEMP_PATH + 8];
    temp_open(dir);
    char *text = malloc(1000001);
    assert_non_null(text);
    memset(text, 'a', 1000000);
    text[1000000] = '\0';
    temp_write(dir, "a", text);
    free(text);
    (void)snprintf(path, sizeof path, "%s/a", dir);
    assert_int_equal(pji_sha256_file(path, hex, NULL), PJ_OK);
    assert_string_equal(hex, of_million_a);
    struct pj_error err = {0};
    assert_int_equal(pji_sha256_file("/no/such/file", hex, &err), PJ_ENOTFOUND);
    assert_non_null(strstr(err.text, "/no/such/file"));
    pji_error_clear(&err);
    assert_int_equal(pji_sha256_file(dir, hex, &err), PJ_EIO);
    temp_close(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_file),
    };
    return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
