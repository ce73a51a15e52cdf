/* Items and templates, from files that mean well and files that do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared.h"
#include "task/task.h"
#include "temp.h"

#include <stdlib.h>
#include <string.h>

#define assert_contains(text, part)                                                                \
    do {                                                                                           \
        if (strstr((text), (part)) == NULL)                                                        \
            fail_msg("'%s' does not contain '%s'", (text), (part));                                \
    } while (0)

struct folder {
    char dir[TEMP_PATH], path[TEMP_PATH + 32];
    struct pji_items items;
    struct pj_error err;
};

static pj_status read_text(struct folder *f, const char *text, const char *gold, size_t limit)
{
    *f = (struct folder){0};
    temp_open(f->dir);
    temp_write(f->dir, "items.jsonl", text);
    snprintf(f->path, sizeof f->path, "%s/items.jsonl", f->dir);
    return pji_items_read(&f->items, f->path, gold, limit, &f->err);
}

static void done(struct folder *f)
{
    pji_items_fini(&f->items);
    temp_close(f->dir);
}

static void ids_golds_and_lines(void **state)
{
    (void)state;
    struct folder f;
    const char *text = "\xef\xbb\xbf{\"id\": \"a\", \"label\": true}\r\n"
                       "\n"
                       "{\"idx\": 7, \"label\": \"yes\"}\n"
                       "{\"label\": 0}";
    assert_int_equal(read_text(&f, text, "label", 0), PJ_OK);
    assert_int_equal(f.items.n, 3);
    assert_string_equal(f.items.items[0].id, "a");
    assert_string_equal(f.items.items[0].gold, "true");
    assert_string_equal(f.items.items[1].id, "7");
    assert_string_equal(f.items.items[1].gold, "yes");
    assert_int_equal(f.items.items[1].line, 3);
    assert_string_equal(f.items.items[2].id, "4"); /* its line number */
    assert_string_equal(f.items.items[2].gold, "0");
    assert_int_equal(strlen(f.items.sha256), 64);
    done(&f);
    assert_int_equal(read_text(&f, text, NULL, 2), PJ_OK);
    assert_int_equal(f.items.n, 2);
    assert_null(f.items.items[0].gold);
    done(&f);
}

static void bad_files_name_the_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *gold, *says;
    } cases[] = {
        {"{\"id\": 1}\n{\"id\": 1}\n", NULL,
         "items.jsonl:2: the id '1' is there already on line 1"},
        {"{\"id\": \"2\"}\n\n{\"x\": 1}\n{\"id\": \"3\"}\n", NULL,
         ":4: the id '3' is there already on line 3"},
        {"{\"id\": 1, \"label\": 1}\n{\"id\": 2}\n", "label",
         "items.jsonl:2: the item lacks 'label'"},
        {"{\"id\": 1, \"label\": null}\n", "label", ":1: 'label' must be"},
        {"{\"id\": 1, \"label\": 0.5}\n", "label", ":1: 'label' must be"},
        {"{\"id\": 1, \"label\": []}\n", "label", ":1: 'label' must be"},
        {"{\"id\": \"\"}\n", NULL, ":1: 'id' must be"},
        {"{\"id\": {}}\n", NULL, ":1: 'id' must be"},
        {"{\"id\": 1}\n{\"id\": \n", NULL, ":2:"},
        {"[1, 2]\n", NULL, ":1: an item must be a JSON object"},
        {"{\"a\": 1, \"a\": 2}\n", NULL, ":1:"},
        {"{\"a\": \"\xff\"}\n", NULL, ":1:"},
        {"{\"a\": \"x\\u0000y\"}\n", NULL, ":1:"},
        {"", NULL, "holds no items"},
        {"\n \r\n", NULL, "holds no items"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct folder f;
        assert_int_equal(read_text(&f, cases[i].text, cases[i].gold, 0), PJ_EINVAL);
        assert_contains(f.err.text, cases[i].says);
        assert_int_equal(f.items.n, 0);
        assert_null(f.items.items);
        done(&f);
    }
    struct pji_items items;
    assert_int_equal(pji_items_read(&items, "/nonexistent/x", NULL, 0, NULL), PJ_ENOTFOUND);
    pji_items_fini(&items);
}

static void one_template(const struct pji_item *item, const char *text, const char *expected)
{
    char *out = NULL;
    struct pj_error err = {0};
    pj_status status = pji_template_render(text, item, &out, &err);
    if (status)
        fail_msg("%s: %s", text, err.text);
    assert_string_equal(out, expected);
    free(out);
}

static void no_template(const struct pji_item *item, const char *text, const char *says)
{
    char *out = NULL;
    struct pj_error err = {0};
    assert_int_equal(pji_template_render(text, item, &out, &err), PJ_EINVAL);
    assert_null(out);
    assert_contains(err.text, says);
}

static void templates(void **state)
{
    (void)state;
    struct folder f;
    assert_int_equal(read_text(&f,
                               "{\"q\": \"a {q} b\", \"n\": 3, \"x\": 0.1, \"yes\": true, \"o\": "
                               "{\"p\": {\"z\": \"deep\"}, \"k.l\": 1}, \"o.q\": \"flat\", \"v\": "
                               "null, \"l\": [1]}\n",
                               NULL, 0),
                     PJ_OK);
    const struct pji_item *item = &f.items.items[0];
    one_template(item, "", "");
    one_template(item, "plain\n", "plain\n");
    one_template(item, "Q: {q}\nA:", "Q: a {q} b\nA:"); /* what went in is not expanded again */
    one_template(item, "{n}{x}{yes}", "30.1true");
    one_template(item, "{{{n}}} {{}}", "{3} {}");
    one_template(item, "{o.p.z} {o.k.l} {o.q}", "deep 1 flat");
    no_template(item, "{nope}", "items.jsonl:1: the item has no field 'nope'");
    no_template(item, "{o.p.y}", "'o.p.y'");
    no_template(item, "{v}", "is null");
    no_template(item, "{l}", "is a list");
    no_template(item, "{o}", "is an object");
    no_template(item, "{}", "without a name");
    no_template(item, "{n", "single '{' at byte 1");
    no_template(item, "ab}", "single '}' at byte 3");
    no_template(item, "{a{n}}", "single '{'");
    done(&f);
}

static void superglue_files_are_items(void **state)
{
    (void)state;
    static const struct {
        const char *name, *prompt;
    } tasks[] = {
        {"BoolQ", "{passage}\nQuestion: {question}?"},
        {"CB", "{premise}\n{hypothesis}"},
        {"COPA", "{premise} {question} 1) {choice1} 2) {choice2}"},
        {"RTE", "{premise}\n{hypothesis}"},
        {"WSC", "{text} {target.span1_text} {target.span2_text} {target.span2_index}"},
        {"WiC", "{word}: {sentence1} {sentence2}"},
    };
    for (size_t t = 0; t < sizeof tasks / sizeof tasks[0]; t++) {
        char name[64], path[4096];
        struct pji_items items;
        struct pj_error err = {0};
        snprintf(name, sizeof name, "data/superglue/%s.jsonl", tasks[t].name);
        if (!pjt_shared(path, sizeof path, name)) {
            print_message("# skipped: %s is not here\n", path);
            skip();
        }
        if (pji_items_read(&items, path, "label", 0, &err))
            fail_msg("%s", err.text);
        assert_int_equal(items.n, 80);
        for (size_t i = 0; i < items.n; i++) {
            char *prompt = NULL;
            if (pji_template_render(tasks[t].prompt, &items.items[i], &prompt, &err))
                fail_msg("%s", err.text);
            assert_true(strlen(prompt) > 10);
            free(prompt);
        }
        pji_items_fini(&items);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_golds_and_lines),
        cmocka_unit_test(bad_files_name_the_line),
        cmocka_unit_test(templates),
        cmocka_unit_test(superglue_files_are_items),
    };
    return cmocka_run_group_tests_name("task/items", tests, NULL, NULL);
}
