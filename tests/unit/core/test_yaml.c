/* YAML: text as written, positions, and everything a hostile file may try. */
#include "core/yaml.h"

#include "core/str.h"
#include "temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct pji_yaml_doc parse(const char *text)
{
    struct pji_yaml_doc doc;
    struct pj_error err = {0};
    pj_status status = pji_yaml_parse(&doc, text, strlen(text), "s.yaml", &err);
    if (status)
        print_message("%s\n", err.text);
    assert_int_equal(status, PJ_OK);
    return doc;
}

/* The text is refused with a message that contains `message`. */
static void refuse(const char *text, size_t len, const char *message)
{
    struct pji_yaml_doc doc;
    struct pj_error err = {0};
    pj_status status = pji_yaml_parse(&doc, text, len, "s.yaml", &err);
    if (status != PJ_EINVAL || !strstr(err.text, message))
        fail_msg("'%.60s' gave %d '%s' instead of '%s'", text, status, err.text, message);
    assert_int_equal(doc.root.n, 0);
    assert_int_equal(pji_yaml_parse(&doc, text, len, "s.yaml", NULL), PJ_EINVAL);
}

static void refuse_text(const char *text, const char *message)
{
    refuse(text, strlen(text), message);
}

static void test_scalars_stay_text(void **state)
{
    (void)state;
    struct pji_yaml_doc doc = parse("a: 2\nb: 2.0\nc: '2'\nd: \"x\\ny\"\ne: yes\nf:\ng: ''\n"
                                    "h: 0x10\ni: |\n  l1\n  l2\nj: 1e3\nk: ~\n");
    const char *const want[] = {"2", "2.0",  "2",        "x\ny", "yes", "",
                                "",  "0x10", "l1\nl2\n", "1e3",  "~"};
    const bool quoted[] = {0, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0};
    assert_int_equal(doc.root.kind, PJI_YAML_MAPPING);
    assert_int_equal(doc.root.n, 11);
    for (size_t i = 0; i < doc.root.n; i++) {
        const char key[] = {(char)('a' + i), '\0'};
        const struct pji_yaml *value = pji_yaml_get(&doc.root, key);
        assert_non_null(value);
        assert_int_equal(value->kind, PJI_YAML_SCALAR);
        assert_string_equal(value->text, want[i]);
        assert_int_equal(value->quoted, quoted[i]);
    }
    assert_null(pji_yaml_get(&doc.root, "z"));
    assert_null(pji_yaml_get(pji_yaml_get(&doc.root, "a"), "a"));
    assert_null(pji_yaml_get(NULL, "a"));
    assert_string_equal(doc.name, "s.yaml");
    pji_yaml_fini(&doc);
    pji_yaml_fini(&doc); /* twice is fine */
}

/* Many escapes in one text: libfyaml cuts it into many pieces. */
static void test_escapes(void **state)
{
    (void)state;
    struct pji_str text = {0}, want = {0};
    pji_str_add(&text, "a: \"");
    for (int i = 0; i < 200; i++) {
        pji_str_add(&text, "x\\n\\u00e9\\\"");
        pji_str_add(&want, "x\né\"");
    }
    pji_str_add(&text, "\"\nb: 'it''s'\nc: >\n  one\n  two\n\n  three\n");
    struct pji_yaml_doc doc = parse(pji_str_text(&text));
    assert_string_equal(pji_yaml_get(&doc.root, "a")->text, pji_str_text(&want));
    assert_string_equal(pji_yaml_get(&doc.root, "b")->text, "it's");
    assert_string_equal(pji_yaml_get(&doc.root, "c")->text, "one two\nthree\n");
    pji_yaml_fini(&doc);
    pji_str_fini(&text);
    pji_str_fini(&want);
}

static void assert_at(const struct pji_yaml *node, size_t line, size_t column)
{
    assert_non_null(node);
    assert_int_equal(node->line, line);
    assert_int_equal(node->column, column);
}

static void test_positions(void **state)
{
    (void)state;
    struct pji_yaml_doc doc =
        parse("# comment\nstudy: x\nfactors:\n  size: [1, 2]\n  name:\n    - a\n    - 'b'\n");
    assert_at(&doc.root.keys[0], 2, 1);
    assert_at(pji_yaml_get(&doc.root, "study"), 2, 8);
    const struct pji_yaml *factors = pji_yaml_get(&doc.root, "factors");
    assert_at(factors, 4, 3);
    assert_at(&factors->keys[1], 5, 3);
    const struct pji_yaml *size = pji_yaml_get(factors, "size");
    assert_at(size, 4, 9);
    assert_int_equal(size->kind, PJI_YAML_SEQUENCE);
    assert_int_equal(size->n, 2);
    assert_at(&size->items[1], 4, 13);
    assert_null(size->keys);
    assert_at(&pji_yaml_get(factors, "name")->items[1], 7, 7);
    pji_yaml_fini(&doc);
}

static void test_duplicate_keys(void **state)
{
    (void)state;
    refuse_text("a: 1\nb: 2\n'a': 3\n", "s.yaml:3:1: the key 'a' is given twice, first in line 1 "
                                        "column 1");
    refuse_text("x:\n  - {k: 1, k: 2}\n", "s.yaml:2:12: the key 'k' is given twice");
    struct pji_yaml_doc doc = parse("a: {k: 1}\nb: {k: 2}\n");
    pji_yaml_fini(&doc);
}

static void test_aliases(void **state)
{
    (void)state;
    struct pji_yaml_doc doc = parse("a: &x {k: [1, 2]}\nb: *x\nc: &x 3\nd: *x\n");
    const struct pji_yaml *copy = pji_yaml_get(pji_yaml_get(&doc.root, "b"), "k");
    assert_non_null(copy);
    assert_int_equal(copy->n, 2);
    assert_string_equal(copy->items[1].text, "2");
    assert_string_equal(pji_yaml_get(&doc.root, "d")->text, "3"); /* the latest anchor counts */
    pji_yaml_fini(&doc);
    refuse_text("a: *nobody\n", "s.yaml:1:4: no anchor '&nobody'");
    refuse_text("a: &x [1, *x]\n", "s.yaml:1:11: '*x' refers to itself");
    refuse_text("&x a: &y {b: *y}\n", "'*y' refers to itself");
}

static void test_bombs(void **state)
{
    (void)state;
    struct pji_str text = {0};
    pji_str_add(&text, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 12; i++) {
        pji_str_addf(&text, "a%d: &a%d [", i, i);
        for (int j = 0; j < 10; j++)
            pji_str_addf(&text, "%s*a%d", j ? ", " : "", i - 1);
        pji_str_add(&text, "]\n");
    }
    refuse(text.text, text.len, "more than 100000 values");
    pji_str_clear(&text);
    for (int i = 0; i < 70; i++) /* depth through aliases */
        i ? pji_str_addf(&text, "a%d: &a%d [*a%d]\n", i, i, i - 1)
          : pji_str_add(&text, "a0: &a0 [x]\n");
    refuse(text.text, text.len, "nested more than 64 deep");
    pji_str_clear(&text);
    for (int i = 0; i < 10000; i++)
        pji_str_addc(&text, '[');
    refuse(text.text, text.len, "s.yaml:1:");
    pji_str_clear(&text);
    for (int i = 0; i < 200; i++)
        pji_str_addf(&text, "%*s-\n", 2 * i, "");
    refuse(text.text, text.len, "nested more than 64 deep");
    pji_str_clear(&text);
    for (int i = 0; i < 100001; i++)
        pji_str_add(&text, "- a\n");
    refuse(text.text, text.len, "more than 100000 values");
    pji_str_clear(&text);
    for (int i = 0; i < 1001; i++)
        pji_str_addf(&text, "- &n%d a\n", i);
    refuse(text.text, text.len, "more than 1000 anchors");
    pji_str_fini(&text);
}

/* 49 999 distinct keys must not take quadratic time. */
static void test_many_keys(void **state)
{
    (void)state;
    struct pji_str text = {0};
    for (int i = 0; i < 49999; i++)
        pji_str_addf(&text, "key%d: x\n", i);
    struct pji_yaml_doc doc = parse(pji_str_text(&text));
    assert_int_equal(doc.root.n, 49999);
    pji_yaml_fini(&doc);
    pji_str_fini(&text);
}

static void test_documents(void **state)
{
    (void)state;
    refuse_text("", "holds no YAML value");
    refuse_text("# only a comment\n", "holds no YAML value");
    refuse_text("---\n", "holds no YAML value");
    refuse_text("---\n...\n", "holds no YAML value");
    refuse_text("a: 1\n---\nb: 2\n", "s.yaml:2:1: a second document starts here");
    struct pji_yaml_doc doc = parse("%YAML 1.2\n---\na: 1\n...\n");
    assert_int_equal(doc.root.n, 1);
    pji_yaml_fini(&doc);
    doc = parse("\xef\xbb\xbf"
                "a: 1\r\nb: 2\r\n");
    assert_string_equal(pji_yaml_get(&doc.root, "a")->text, "1");
    pji_yaml_fini(&doc);
    doc = parse("''");
    assert_true(doc.root.quoted);
    pji_yaml_fini(&doc);
}

static void test_errors_have_positions(void **state)
{
    (void)state;
    refuse_text("a: [1, 2\nb: 3\n", "s.yaml:3:1: not valid YAML: flow sequence without");
    refuse_text("a: 1\n b: 2\n", "s.yaml:1:4: not valid YAML: invalid multiline");
    refuse_text("a: 'open\n", "s.yaml:");
    refuse_text("\tb: 1\n", "s.yaml:1:");
    refuse_text("a: !!int 3\n", "s.yaml:1:4: tags");
    refuse_text("? [a, b]\n: c\n", "a key must be plain text");
    refuse_text("a: \"x\\0y\"\n", "s.yaml:1:4: text must not contain a NUL");
    refuse("a:\n b\0c", 6, "s.yaml:2:3: the byte 0x00");
    refuse_text("a: \xff\xfe\n", "s.yaml:1:4: the byte 0xff has no place in UTF-8 text");
    refuse_text("a: x\xed\xa0\x80\n", "s.yaml:1:5: the byte 0xed");
    refuse_text("a: x\x1b[31m\n", "s.yaml:1:5: the byte 0x1b");
    refuse_text("a: @x\n", "s.yaml:1:4");
}

/* Nothing may appear on standard error. */
static void test_silence(void **state)
{
    (void)state;
    char dir[TEMP_PATH];
    char path[TEMP_PATH + 16];
    temp_open(dir);
    (void)snprintf(path, sizeof path, "%s/err", dir);
    fflush(stderr);
    int saved = dup(2);
    FILE *file = fopen(path, "w+");
    assert_non_null(file);
    assert_int_equal(dup2(fileno(file), 2), 2);
    struct pji_yaml_doc doc;
    const char *const bad[] = {"a: [1, 2\nb: 3\n", "a: 'x", "\t", "a: *b", "%TAG x\n---\n", NULL};
    for (size_t i = 0; bad[i]; i++)
        (void)pji_yaml_parse(&doc, bad[i], strlen(bad[i]), "s.yaml", NULL);
    fflush(stderr);
    long size = lseek(2, 0, SEEK_END);
    assert_int_equal(dup2(saved, 2), 2);
    close(saved);
    fclose(file);
    assert_int_equal(size, 0);
    temp_close(dir);
}

static void test_file(void **state)
{
    (void)state;
    char dir[TEMP_PATH];
    char path[TEMP_PATH + 16];
    temp_open(dir);
    temp_write(dir, "s.yaml", "a: 1\na: 2\n");
    (void)snprintf(path, sizeof path, "%s/s.yaml", dir);
    struct pji_yaml_doc doc;
    struct pj_error err = {0};
    assert_int_equal(pji_yaml_read(&doc, path, &err), PJ_EINVAL);
    assert_memory_equal(err.text, path, strlen(path));
    temp_write(dir, "s.yaml", "a: 1\n");
    assert_int_equal(pji_yaml_read(&doc, path, NULL), PJ_OK);
    assert_string_equal(doc.name, path);
    pji_yaml_fini(&doc);
    assert_int_equal(pji_yaml_read(&doc, dir, NULL), PJ_EIO);
    assert_int_equal(pji_yaml_read(&doc, "/no/such/file", NULL), PJ_ENOTFOUND);
    temp_close(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars_stay_text),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_duplicate_keys),
        cmocka_unit_test(test_aliases),
        cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_many_keys),
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_errors_have_positions),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_file),
    };
    return cmocka_run_group_tests_name("yaml", tests, NULL, NULL);
}
