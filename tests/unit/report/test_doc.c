/* The renderings of one document: terminal width, escapes, CSV quoting, missing values. */
#include "report/doc.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void sample(struct pji_doc *doc)
{
    pji_doc_add(doc, PJI_BLOCK_TITLE, "A <study> & \"more\"");
    pji_doc_table(doc, "figures", "Caption");
    pji_doc_column(doc, "treatment", "treatment", false);
    pji_doc_column(doc, "J", "energy_j", true);
    pji_doc_cell(doc, "a,b \"c\"");
    pji_doc_num(doc, 0.1, 3);
    pji_doc_cell(doc, "ü");
    pji_doc_num(doc, (double)NAN, 3);
    assert_int_equal(doc->status, PJ_OK);
}

static void csv_is_rfc_4180_and_full_precision(void **state)
{
    (void)state;
    struct pji_doc doc = {0};
    struct pji_str out = {0};
    sample(&doc);
    pji_doc_csv(&doc.blocks[1], &out);
    assert_string_equal(pji_str_text(&out), "treatment,energy_j\r\n\"a,b \"\"c\"\"\",0.1\r\n"
                                            "\xc3\xbc,\r\n");
    pji_str_fini(&out);
    pji_doc_fini(&doc);
}

static void html_escapes_everything(void **state)
{
    (void)state;
    struct pji_doc doc = {0};
    struct pji_str out = {0};
    sample(&doc);
    assert_int_equal(pji_doc_html(&doc, "<script>", "/nonexistent", &out, NULL), PJ_OK);
    const char *text = pji_str_text(&out);
    assert_null(strstr(text, "<study>"));
    assert_null(strstr(text, "<title><script>"));
    assert_non_null(strstr(text, "<title>&lt;script&gt;"));
    assert_non_null(strstr(text, "A &lt;study&gt; &amp; &quot;more&quot;"));
    assert_null(strstr(text, "http://")); /* self-contained: no address outside it */
    assert_null(strstr(text, "https://"));
    pji_str_fini(&out);
    pji_doc_fini(&doc);
}

static void a_missing_picture_is_an_error_that_names_it(void **state)
{
    (void)state;
    struct pji_doc doc = {0};
    struct pji_str out = {0};
    struct pj_error err = {0};
    pji_doc_figure(&doc, "trace", "caption");
    assert_true(pji_doc_html(&doc, "t", "/nonexistent", &out, &err) < 0);
    assert_non_null(strstr(err.text, "/nonexistent/trace.svg"));
    pji_str_fini(&out);
    pji_doc_fini(&doc);
}

static size_t longest_line(const char *text)
{
    size_t longest = 0;
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        char line[512];
        assert_true(len < sizeof line);
        memcpy(line, text, len);
        line[len] = '\0';
        size_t width = pji_text_width(line);
        longest = width > longest ? width : longest;
        text += len + (text[len] == '\n' ? 1 : 0);
    }
    return longest;
}

static void text_keeps_to_the_width(void **state)
{
    (void)state;
    struct pji_doc doc = {0};
    struct pji_str out = {0};
    pji_doc_add(&doc, PJI_BLOCK_PARAGRAPH, "%s",
                "many words that have to be wrapped because the terminal is narrow, äöü too, and "
                "some more of them so that there are several lines");
    pji_doc_table(&doc, "wide", "A table that is too wide for this terminal");
    for (int i = 0; i < 6; i++)
        pji_doc_column(&doc, "a rather long title", "c", true);
    for (int i = 0; i < 12; i++)
        pji_doc_cell(&doc, "0.123 [0.120, 0.127]");
    for (int width = 40; width < 140; width += 7) {
        pji_str_clear(&out);
        pji_doc_text(&doc, width, false, &out);
        assert_true(longest_line(pji_str_text(&out)) <= (size_t)width);
    }
    pji_str_fini(&out);
    pji_doc_fini(&doc);
}

static void numbers_align_on_the_right(void **state)
{
    (void)state;
    struct pji_doc doc = {0};
    struct pji_str out = {0};
    sample(&doc);
    pji_doc_text(&doc, 80, false, &out);
    assert_non_null(strstr(pji_str_text(&out), "  a,b \"c\"    0.100\n"));
    pji_str_fini(&out);
    pji_doc_fini(&doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_is_rfc_4180_and_full_precision),
        cmocka_unit_test(html_escapes_everything),
        cmocka_unit_test(a_missing_picture_is_an_error_that_names_it),
        cmocka_unit_test(text_keeps_to_the_width),
        cmocka_unit_test(numbers_align_on_the_right),
    };
    return cmocka_run_group_tests_name("doc", tests, NULL, NULL);
}
