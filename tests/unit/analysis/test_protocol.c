/* Protocol files that are wrong: each is refused with its line, its column and what to write. */
#include "analysis/protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char whole[] = "protocol: own\n"
                            "columns:\n"
                            "  run: {number: true}\n"
                            "  y: {number: true}\n"
                            "  g: {}\n"
                            "derive:\n"
                            "  h: {copy: g}\n"
                            "levels:\n"
                            "  g: [b, a]\n"
                            "questions:\n"
                            "  - {id: Q1, title: One, response: y, unit: J, by: g}\n"
                            "runs: {by: run}\n";

static pj_status parse(const char *text, struct pj_error *err)
{
    struct pji_protocol p;
    pj_status rc = pji_protocol_parse(&p, text, strlen(text), "p.yaml", err);
    if (!rc)
        pji_protocol_fini(&p);
    return rc;
}

/* the whole protocol with `from` replaced */
static void refused(const char *from, const char *to, const char *place, const char *words)
{
    char text[4096];
    struct pj_error err = {0};
    const char *at = strstr(whole, from);
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - whole), whole, to, at + strlen(from));
    if (parse(text, &err) != PJ_EINVAL)
        fail_msg("accepted: %s", to);
    if (!strstr(err.text, words) || strncmp(err.text, place, strlen(place)) != 0)
        fail_msg("'%s' is not at %s about '%s'", err.text, place, words);
}

static void test_whole(void **state)
{
    (void)state;
    struct pj_error err = {0};
    if (parse(whole, &err))
        fail_msg("%s", err.text);
}

static void test_columns(void **state)
{
    (void)state;
    refused("run: {number: true}", "run: {number: perhaps}", "p.yaml:3:", "true or false");
    refused("run: {number: true}", "run: {number: [true]}",
            "p.yaml:3:", "'number' takes one value");
    refused("run: {number: true}", "run: {numbre: true}", "p.yaml:3:", "did you mean 'number'");
    refused("run: {number: true}", "run: 7", "p.yaml:3:", "a mapping of keys");
    refused("g: {}", "g: {aliases: x}", "p.yaml:5:", "here a list is needed");
    refused("g: {}", "g: {from: [[a]]}", "p.yaml:5:", "an entry of this list is one value");
    refused("columns:\n  run: {number: true}\n  y: {number: true}\n  g: {}\n", "columns: [run]\n",
            "p.yaml:2:", "columns is a mapping");
    refused("columns:\n  run: {number: true}\n  y: {number: true}\n  g: {}\n", "",
            "p.yaml:", "'columns' is missing");
}

static void test_derived(void **state)
{
    (void)state;
    refused("{copy: g}", "{ratio: [y]}", "p.yaml:7:", "ratio: [a, b]");
    refused("{copy: g}", "{strip: g}", "p.yaml:7:", "'suffix' is missing");
    refused("{copy: g}", "{copi: g}", "p.yaml:7:", "did you mean 'copy'");
    refused("derive:\n  h: {copy: g}\n", "derive: 5\n", "p.yaml:6:", "derive is a mapping");
    refused("levels:\n  g: [b, a]\n", "levels: [g]\n", "p.yaml:8:", "levels is a mapping");
    refused("levels:", "units: 5\nlevels:", "p.yaml:8:", "units is a mapping");
    refused("levels:", "alpha: 2\nlevels:", "p.yaml:8:", "alpha");
}

static void test_questions(void **state)
{
    (void)state;
    refused("by: g}", "by: g, tests: [kruskall]}", "p.yaml:11:", "no test is named 'kruskall'");
    refused("by: g}", "by: g, link: cube}", "p.yaml:11:", "link is log, log1p or sqrt");
    refused("by: g}", "by: g, correlate: [y]}", "p.yaml:11:", "correlate takes two columns");
    refused("by: g}", "by: g, rows: all}", "p.yaml:11:", "rows is rows or runs");
    refused("runs: {by: run}\n", "", "p.yaml:", "'runs' is missing");
    refused("runs: {by: run}", "runs: {by: run}\nadjust: holm", "p.yaml:13:", "adjust is BH");
    refused("id: Q1", "id: Q/1", "p.yaml:11:", "names files");
    refused("id: Q1, ", "", "p.yaml:11:", "'id' is missing");
    refused("by: g}", "by: g, linc: log}", "p.yaml:11:", "did you mean 'link'");
    refused("questions:\n  - {id: Q1, title: One, response: y, unit: J, by: g}\n", "questions: 3\n",
            "p.yaml:10:", "at least one entry");
    refused("questions:\n  - {id: Q1, title: One, response: y, unit: J, by: g}\n", "",
            "p.yaml:", "at least one entry");
}

/* more of everything than there is room for */
static void test_limits(void **state)
{
    (void)state;
    char text[20000];
    struct pj_error err = {0};
    size_t len = (size_t)snprintf(text, sizeof text, "protocol: own\ncolumns:\n");
    for (int i = 0; i < 300; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "  c%d: {}\n", i);
    snprintf(text + len, sizeof text - len,
             "questions:\n  - {id: Q, title: T, response: c1, unit: J, "
             "by: c2}\n");
    assert_int_equal(parse(text, &err), PJ_EINVAL);
    assert_non_null(strstr(err.text, "too many columns"));
    len = (size_t)snprintf(text, sizeof text, "protocol: own\ncolumns:\n  c: {aliases: [");
    for (int i = 0; i < 300; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "a%d, ", i);
    snprintf(text + len, sizeof text - len, "z]}\n");
    err = (struct pj_error){0};
    assert_int_equal(parse(text, &err), PJ_EINVAL);
    assert_non_null(strstr(err.text, "the list is too long"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),   cmocka_unit_test(test_columns),
        cmocka_unit_test(test_derived), cmocka_unit_test(test_questions),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
