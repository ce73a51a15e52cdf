/* CSV: RFC 4180, positions, chunk borders, and a comparison with a second, simple reader. */
#include "core/csv.h"

#include "core/prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *file_of(const char *text, size_t len)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    rewind(file);
    return file;
}

/* The whole text as one line: fields in [], records ended by '|'; an error as !message. */
static void flatten(const char *text, size_t len, char separator, struct pji_str *out)
{
    FILE *file = file_of(text, len);
    struct pji_csv *csv = NULL;
    struct pj_error err = {0};
    struct pji_csv_row row;
    assert_int_equal(pji_csv_open(&csv, file, "t.csv", separator, &err), PJ_OK);
    pj_status status;
    pji_str_clear(out);
    while ((status = pji_csv_read(csv, &row, &err)) == PJ_OK) {
        for (size_t i = 0; i < row.n; i++) {
            assert_int_equal(strlen(row.fields[i]), row.lens[i]);
            pji_str_addf(out, "[%s]", row.fields[i]);
        }
        pji_str_addc(out, '|');
    }
    if (status < 0) {
        assert_int_equal(status, PJ_EINVAL);
        pji_str_addf(out, "!%s", err.text);
        assert_int_equal(pji_csv_read(csv, &row, NULL), PJ_ESTATE);
    } else {
        assert_int_equal(status, PJI_CSV_END);
        assert_int_equal(pji_csv_read(csv, &row, NULL), PJI_CSV_END);
    }
    pji_csv_close(csv);
    fclose(file);
}

static void check(const char *text, const char *want)
{
    struct pji_str out = {0};
    flatten(text, strlen(text), ',', &out);
    assert_string_equal(pji_str_text(&out), want);
    pji_str_fini(&out);
}

static void test_records(void **state)
{
    (void)state;
    check("", "");
    check("a,b\nc,d\n", "[a][b]|[c][d]|");
    check("a,b\r\nc,d\r\n", "[a][b]|[c][d]|");
    check("a,b\nc,d", "[a][b]|[c][d]|");
    check("a,b\r\nc,d\r", "[a][b]|[c][d]|");
    check("\xef\xbb\xbf"
          "a,b\n",
          "[a][b]|");
    check("\xef\xbb\xbf", "");
    check("\xef\xbb", "[\xef\xbb]|");
    check("a\n\xef\xbb\xbf"
          "b\n",
          "[a]|[\xef\xbb\xbf"
          "b]|");
    check("\n", "[]|");
    check("\r\n\n", "[]|[]|");
    check(",\n,", "[][]|[][]|");
    check("a,\n", "[a][]|");
    check(" a , b \n", "[ a ][ b ]|");
    check("a\rb,c\n", "[a\rb][c]|");
    check("a;b\n", "[a;b]|");
}

static void test_quotes(void **state)
{
    (void)state;
    check("\"a,b\",c\n", "[a,b][c]|");
    check("\"\"\n", "[]|");
    check("\"\",\"\"", "[][]|");
    check("\"a\"\"b\"\"\",\"\"\"\"\r\n", "[a\"b\"][\"]|");
    check("\"two\nlines\r\n\",x\ny\n", "[two\nlines\r\n][x]|[y]|");
    check("\"a\"\r", "[a]|");
    check("\"a\"", "[a]|");
    check("a,\"b\"\n\"c\"\n", "[a][b]|[c]|");
}

static void test_errors(void **state)
{
    (void)state;
    check("a,b\nc,d\"e\n",
          "[a][b]|!t.csv:2:4: a quote inside a field that does not start with one");
    check("\"a\"b\n", "!t.csv:1:4: text after a closing quote");
    check("\"a\" ,b\n", "!t.csv:1:4: text after a closing quote");
    check("\"a\"\rb\n", "!t.csv:1:5: text after a closing quote");
    check("\"a\"\r,b\n", "!t.csv:1:5: text after a closing quote");
    check("\"a\"\r\"b\n", "!t.csv:1:5: text after a closing quote");
    check("x\n\"l1\nl2\" y\n", "[x]|!t.csv:3:4: text after a closing quote");
    check("x\na,\"open\n\n", "[x]|!t.csv:2:3: this quote is never closed");
    struct pji_str out = {0};
    flatten("a,b\nc\0d\n", 8, ',', &out);
    assert_string_equal(pji_str_text(&out),
                        "[a][b]|!t.csv:2:2: a NUL byte: this is not UTF-8 text");
    flatten("\"\0\"\n", 4, ',', &out);
    assert_string_equal(pji_str_text(&out), "!t.csv:1:2: a NUL byte: this is not UTF-8 text");
    pji_str_fini(&out);
}

static void test_separators(void **state)
{
    (void)state;
    struct pji_str out = {0};
    flatten("a;b,c\t\n", 7, ';', &out);
    assert_string_equal(pji_str_text(&out), "[a][b,c\t]|");
    flatten("a\tb\n", 4, '\t', &out);
    assert_string_equal(pji_str_text(&out), "[a][b]|");
    pji_str_fini(&out);
    struct pji_csv *csv = NULL;
    FILE *file = file_of("", 0);
    const char bad[] = {'"', '\n', '\r', '\0'};
    for (size_t i = 0; i < sizeof bad; i++)
        assert_int_equal(pji_csv_open(&csv, file, "t", bad[i], NULL), PJ_EINVAL);
    fclose(file);
    pji_csv_close(NULL);
}

static void test_lines_and_reading_errors(void **state)
{
    (void)state;
    FILE *file = file_of("a\n\"b\n\n\"\nc\n", 11);
    struct pji_csv *csv = NULL;
    struct pji_csv_row row;
    assert_int_equal(pji_csv_open(&csv, file, "t", ',', NULL), PJ_OK);
    const size_t lines[] = {1, 2, 5};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pji_csv_read(csv, &row, NULL), PJ_OK);
        assert_int_equal(row.line, lines[i]);
    }
    pji_csv_close(csv);
    fclose(file);
    file = fopen("/", "r"); /* opens, but reading says EISDIR */
    assert_non_null(file);
    struct pj_error err = {0};
    assert_int_equal(pji_csv_open(&csv, file, "folder", ',', NULL), PJ_OK);
    assert_int_equal(pji_csv_read(csv, &row, &err), PJ_EIO);
    assert_non_null(strstr(err.text, "folder"));
    pji_csv_close(csv);
    fclose(file);
}

/* Records of every length around the size of the buffer. */
static void test_chunk_borders(void **state)
{
    (void)state;
    struct pji_str text = {0}, want = {0}, got = {0};
    for (size_t i = 0; i < 40; i++) {
        char *pad = malloc(20000 + i);
        assert_non_null(pad);
        memset(pad, 'p', 20000 + i);
        pji_str_addf(&text, "%.*s,\"q\"\"%zu\"\r\n", (int)(20000 + i), pad, i);
        pji_str_addf(&want, "[%.*s][q\"%zu]|", (int)(20000 + i), pad, i);
        free(pad);
    }
    flatten(text.text, text.len, ',', &got);
    assert_string_equal(pji_str_text(&got), pji_str_text(&want));
    /* one record longer than the buffer */
    pji_str_clear(&text);
    pji_str_addc(&text, '"');
    for (size_t i = 0; i < 300000; i++)
        pji_str_addc(&text, i % 100 ? 'x' : '\n');
    pji_str_add(&text, "\",end\n");
    flatten(text.text, text.len, ',', &got);
    assert_int_equal(got.len, 300000 + 2 + 5 + 1);
    pji_str_fini(&text);
    pji_str_fini(&want);
    pji_str_fini(&got);
}

/* A record without end is refused instead of filling the memory. */
static void test_endless_record(void **state)
{
    (void)state;
    FILE *file = fopen("/dev/zero", "r");
    FILE *quoted = tmpfile();
    assert_true(file && quoted);
    struct pji_csv *csv = NULL;
    struct pji_csv_row row;
    assert_int_equal(pji_csv_open(&csv, file, "zero", ',', NULL), PJ_OK);
    assert_int_equal(pji_csv_read(csv, &row, NULL), PJ_EINVAL);
    pji_csv_close(csv);
    fclose(file);
    char *block = malloc(1 << 20);
    assert_non_null(block);
    memset(block, 'x', 1 << 20);
    block[0] = '"';
    for (int i = 0; i < 66; i++, block[0] = 'x')
        assert_int_equal(fwrite(block, 1, 1 << 20, quoted), 1 << 20);
    free(block);
    rewind(quoted);
    struct pj_error err = {0};
    assert_int_equal(pji_csv_open(&csv, quoted, "open", ',', NULL), PJ_OK);
    assert_int_equal(pji_csv_read(csv, &row, &err), PJ_EINVAL);
    assert_non_null(strstr(err.text, "closing quote missing"));
    pji_csv_close(csv);
    fclose(quoted);
}

static void test_writer(void **state)
{
    (void)state;
    const char *const fields[] = {"plain", "",      "a,b",  "q\"q", "two\nlines",
                                  " edge", "edge ", "cr\r", "\"",   "é"};
    struct pji_str text = {0}, got = {0}, want = {0};
    for (size_t i = 0; i < 10; i++) {
        pji_csv_add(&text, fields[i], ',', i == 0);
        pji_str_addf(&want, "[%s]", fields[i]);
    }
    assert_string_equal(pji_str_text(&text),
                        "plain,,\"a,b\",\"q\"\"q\",\"two\nlines\",\" edge\",\"edge \",\"cr\r\","
                        "\"\"\"\",é");
    pji_str_addc(&text, '\n');
    pji_str_addc(&want, '|');
    flatten(text.text, text.len, ',', &got);
    assert_string_equal(pji_str_text(&got), pji_str_text(&want));
    pji_str_clear(&text);
    pji_csv_add(&text, "a,b", ';', true);
    pji_csv_add(&text, "a;b", ';', false);
    assert_string_equal(pji_str_text(&text), "a,b;\"a;b\"");
    pji_str_fini(&text);
    pji_str_fini(&want);
    pji_str_fini(&got);
}

/* Random tables survive writing and reading; random bytes never crash. */
static void test_random(void **state)
{
    (void)state;
    static const char alphabet[] = "ab,\"\n\r ;x";
    struct pji_prng prng;
    struct pji_str text = {0}, want = {0}, got = {0};
    pji_prng_init(&prng, 1, "csv");
    for (int round = 0; round < 3000; round++) {
        pji_str_clear(&text);
        pji_str_clear(&want);
        for (size_t r = pji_prng_below(&prng, 4); r > 0; r--) {
            for (size_t f = pji_prng_below(&prng, 4) + 1, first = 1; f > 0; f--, first = 0) {
                char field[12] = "";
                size_t len = pji_prng_below(&prng, sizeof field - 1);
                for (size_t i = 0; i < len; i++)
                    field[i] = alphabet[pji_prng_below(&prng, sizeof alphabet - 1)];
                pji_csv_add(&text, field, ',', first);
                pji_str_addf(&want, "[%s]", field);
            }
            pji_str_add(&text, "\r\n");
            pji_str_addc(&want, '|');
        }
        flatten(pji_str_text(&text), text.len, ',', &got);
        assert_string_equal(pji_str_text(&got), pji_str_text(&want));
        pji_str_clear(&text);
        for (size_t n = pji_prng_below(&prng, 60); n > 0; n--)
            pji_str_addc(&text, alphabet[pji_prng_below(&prng, sizeof alphabet)]); /* NUL too */
        flatten(pji_str_text(&text), text.len, ',', &got);
    }
    pji_str_fini(&text);
    pji_str_fini(&want);
    pji_str_fini(&got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_separators),
        cmocka_unit_test(test_lines_and_reading_errors),
        cmocka_unit_test(test_chunk_borders),
        cmocka_unit_test(test_endless_record),
        cmocka_unit_test(test_writer),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests_name("csv", tests, NULL, NULL);
}
