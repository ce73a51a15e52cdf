/* What a testbed's owner allows, against studies that ask for more. */
#include "agent/policy.h"

#include "core/array.h"
#include "temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char text[] = "engines:\n"
                           "  - kind: llamacpp\n"
                           "    server: {default: [/opt/llama, --x], plain: /opt/plain}\n"
                           "    model: [/m/a.gguf, b.gguf]\n"
                           "    slots: number\n"
                           "    prompt_cache: number\n"
                           "  - kind: command\n"
                           "    run: [[sort, /data/words], [true]]\n"
                           "  - kind: command\n"
                           "    run: {sorted: [sort, -n]}\n"
                           "  - kind: command\n"
                           "    run: [[segment, --fast]]\n"
                           "    protocol: [jsonl]\n"
                           "tasks: {boolq: /data/boolq.jsonl, near: near.jsonl}\n";

struct world {
    char dir[TEMP_PATH];
    struct pji_policy policy;
};

static void open_world(struct world *w, const char *yaml)
{
    char path[TEMP_PATH + 16];
    struct pj_error err = {0};
    temp_open(w->dir);
    temp_write(w->dir, "agent.yaml", yaml);
    snprintf(path, sizeof path, "%s/agent.yaml", w->dir);
    assert_int_equal(pji_policy_read(&w->policy, path, &err), PJ_OK);
}

static void close_world(struct world *w)
{
    pji_policy_fini(&w->policy);
    temp_close(w->dir);
}

/* "key=value,value"; a setting without a comma is a scalar. */
static struct pji_setting setting(const char *key, const char *first, const char *second)
{
    char **values = pji_zalloc(3, sizeof *values, NULL);
    values[0] = pji_dup(first, NULL);
    if (second != NULL)
        values[1] = pji_dup(second, NULL);
    return (struct pji_setting){.key = key,
                                .values = (const char *const *)values,
                                .n = second != NULL ? 2 : 1,
                                .is_list = second != NULL};
}

static void drop(struct pji_setting *s)
{
    char **values = (char **)(uintptr_t)s->values;
    for (size_t i = 0; i < s->n; i++)
        free(values[i]);
    free(values);
}

static pj_status allow(const struct world *w, const char *kind, struct pji_setting *s,
                       struct pj_error *err)
{
    *err = (struct pj_error){0};
    return pji_policy_allow(&w->policy, kind, s, 1, err);
}

static void assert_refused(const struct world *w, const char *kind, struct pji_setting s,
                           const char *words)
{
    struct pj_error err;
    assert_int_equal(allow(w, kind, &s, &err), PJ_EACCESS);
    assert_non_null(strstr(err.text, words));
    drop(&s);
}

static void test_names_are_looked_up(void **state)
{
    (void)state;
    struct world w;
    struct pj_error err;
    open_world(&w, text);
    struct pji_setting s = setting("server", "default", NULL);
    assert_int_equal(allow(&w, "llamacpp", &s, &err), PJ_OK);
    assert_int_equal(s.n, 2);
    assert_true(s.is_list);
    assert_string_equal(s.values[0], "/opt/llama");
    assert_string_equal(s.values[1], "--x");
    drop(&s);
    s = setting("server", "plain", NULL);
    assert_int_equal(allow(&w, "llamacpp", &s, &err), PJ_OK);
    assert_false(s.is_list);
    assert_string_equal(s.values[0], "/opt/plain");
    drop(&s);
    s = setting("run", "sorted", NULL); /* the second entry of its kind */
    assert_int_equal(allow(&w, "command", &s, &err), PJ_OK);
    assert_string_equal(s.values[1], "-n");
    drop(&s);
    close_world(&w);
}

static void test_other_words_are_refused(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, text);
    static const char *const models[] = {"/m/a.gguf ",  "/m/../m/a.gguf", "a.gguf", "",
                                         "/etc/passwd", "/m/a.gguf\n",    "B.GGUF", "c.gguf"};
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++)
        assert_refused(&w, "llamacpp", setting("model", models[i], NULL), "model");
    assert_refused(&w, "llamacpp", setting("server", "/opt/llama", "--x"), "server");
    assert_refused(&w, "llamacpp", setting("server", "default", "--log-file=/x"), "server");
    assert_refused(&w, "llamacpp", setting("args", "--log-file", "/x"), "args");
    assert_refused(&w, "llamacpp", setting("host", "0.0.0.0", NULL), "host");
    assert_refused(&w, "llamacpp", setting("kind", "llamacpp", NULL), "kind");
    assert_refused(&w, "command", setting("run", "sort", NULL), "run");
    assert_refused(&w, "command", setting("run", "true", "-x"), "run");
    assert_refused(&w, "openai", setting("base_url", "http://x", NULL), "kind 'openai'");
    assert_refused(&w, "", setting("run", "true", NULL), "kind ''");
    close_world(&w);
}

static void test_numbers_name_no_file(void **state)
{
    (void)state;
    struct world w;
    struct pj_error err;
    static const char *const good[] = {"0", "4", "123456789012345678", "on", "off", "yes", "false"};
    static const char *const bad[] = {"",   "4 ",   "-4", "4.0", "0x4",
                                      "4;", "../4", "ON", "4\n", "1234567890123456789"};
    open_world(&w, text);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct pji_setting s = setting("slots", good[i], NULL);
        assert_int_equal(allow(&w, "llamacpp", &s, &err), PJ_OK);
        assert_string_equal(s.values[0], good[i]);
        drop(&s);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(&w, "llamacpp", setting("slots", bad[i], NULL), "slots");
    assert_refused(&w, "llamacpp", setting("slots", "4", "5"), "slots");
    close_world(&w);
}

static void test_one_refused_setting_refuses_all(void **state)
{
    (void)state;
    struct world w;
    struct pj_error err = {0};
    open_world(&w, text);
    struct pji_setting s[2] = {setting("server", "default", NULL), setting("model", "x", NULL)};
    assert_int_equal(pji_policy_allow(&w.policy, "llamacpp", s, 2, &err), PJ_EACCESS);
    assert_string_equal(s[0].values[0], "default"); /* untouched */
    drop(&s[0]);
    drop(&s[1]);
    close_world(&w);
}

/* A program that answers items is another thing to allow than one that runs once. */
static void test_protocol(void **state)
{
    (void)state;
    struct world w;
    struct pj_error err = {0};
    open_world(&w, text);
    struct pji_setting s[2] = {setting("run", "segment", "--fast"),
                               setting("protocol", "jsonl", NULL)};
    assert_int_equal(pji_policy_allow(&w.policy, "command", s, 2, &err), PJ_OK);
    assert_string_equal(s[0].values[0], "segment");
    drop(&s[0]);
    s[0] = setting("run", "segment", "--slow");
    assert_int_equal(pji_policy_allow(&w.policy, "command", s, 2, &err), PJ_EACCESS);
    drop(&s[0]);
    s[0] = setting("run", "sort", "/data/words"); /* allowed without the protocol only */
    assert_int_equal(pji_policy_allow(&w.policy, "command", s, 2, &err), PJ_EACCESS);
    assert_int_equal(pji_policy_allow(&w.policy, "command", s, 1, &err), PJ_OK);
    drop(&s[0]);
    drop(&s[1]);
    close_world(&w);
}

static pj_status items(const struct world *w, const char *path, char **out)
{
    struct pj_error err = {0};
    struct pji_task_spec spec = {.items_path = pji_dup(path, NULL)};
    struct pji_study study = {.tasks = &spec, .n_tasks = 1};
    pj_status status = pji_policy_files(&w->policy, &study, &err);
    *out = spec.items_path;
    return status;
}

static void test_items_are_ours(void **state)
{
    (void)state;
    struct world w;
    char *path = NULL;
    char near[TEMP_PATH + 16];
    open_world(&w, text);
    assert_int_equal(items(&w, "boolq", &path), PJ_OK);
    assert_string_equal(path, "/data/boolq.jsonl");
    free(path);
    assert_int_equal(items(&w, "near", &path), PJ_OK);
    snprintf(near, sizeof near, "%s/near.jsonl", w.dir);
    assert_string_equal(path, near);
    free(path);
    static const char *const bad[] = {"/data/boolq.jsonl", "../boolq", "/etc/passwd", "BOOLQ", ""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(items(&w, bad[i], &path), PJ_EACCESS);
        free(path);
    }
    close_world(&w);
}

/* What is shown with its answer is a file too. */
static void test_examples_are_ours(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, text);
    static const char *const names[] = {"near", "/data/boolq.jsonl", "/etc/passwd", "../near", ""};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct pj_error err = {0};
        struct pji_task_spec spec = {.items_path = pji_dup("boolq", NULL),
                                     .examples_path = pji_dup(names[i], NULL)};
        struct pji_study study = {.tasks = &spec, .n_tasks = 1};
        pj_status status = pji_policy_files(&w.policy, &study, &err);
        assert_int_equal(status, i == 0 ? PJ_OK : PJ_EACCESS);
        assert_int_equal(strcmp(spec.examples_path, names[i]) == 0, i > 0);
        free(spec.items_path);
        free(spec.examples_path);
    }
    close_world(&w);
}

/* What the configuration holds gets into the records of whoever asks. */
static void test_a_secret_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "engines:\n  - {kind: command, run: [[find, --api-key, geheim]]}\n",
        "engines:\n  - kind: llamacpp\n    server: {x: [env, HF_TOKEN=geheim, llama-server]}\n",
        "engines:\n  - {kind: openai, base_url: ['http://me:geheim@h/v1']}\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct world w;
        char path[TEMP_PATH + 16];
        struct pj_error err = {0};
        temp_open(w.dir);
        temp_write(w.dir, "agent.yaml", bad[i]);
        snprintf(path, sizeof path, "%s/agent.yaml", w.dir);
        assert_int_equal(pji_policy_read(&w.policy, path, &err), PJ_EINVAL);
        assert_non_null(strstr(err.text, "environment of the agent"));
        assert_non_null(strstr(err.text, i == 1 ? "agent.yaml:3:" : "agent.yaml:2:"));
        assert_null(strstr(err.text, "geheim"));
        temp_close(w.dir);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_looked_up),
        cmocka_unit_test(test_other_words_are_refused),
        cmocka_unit_test(test_numbers_name_no_file),
        cmocka_unit_test(test_one_refused_setting_refuses_all),
        cmocka_unit_test(test_protocol),
        cmocka_unit_test(test_items_are_ours),
        cmocka_unit_test(test_examples_are_ours),
        cmocka_unit_test(test_a_secret_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
