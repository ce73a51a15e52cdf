/* What every kind of engine promises (engine/engine.h), checked on each: servers with the stub
 * server, a program that answers items with a small shell script. A new kind that serves requests
 * adds a row to `served`.
 */
#include "actor.h"
#include "bench.h"
#include "load/load.h"
#include "net/http.h"
#include "stub_process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MS_NS INT64_C(1000000)

struct stage {
    struct bench bench;
    struct stub stub;
    bool has_stub;
    char path[512];
};

/* How a kind is given a server with these options; `none`: a server that never serves. */
struct served {
    const char *kind, *protocol; /* protocol NULL: none */
    void (*give)(struct stage *stage, const char *const *options);
    void (*give_none)(struct stage *stage);
    bool ours;                        /* we start and stop it */
    const char *misspelt, *suggested; /* a setting that it does not know, and the one meant */
};

static void give_llamacpp(struct stage *s, const char *const *options)
{
    stub_path(s->path, sizeof s->path);
    bench_set(&s->bench, "server", s->path);
    bench_set(&s->bench, "model", "model.gguf");
    if (options[0] != NULL)
        bench_set_list(&s->bench, "args", options);
}

static void give_llamacpp_none(struct stage *s)
{
    give_llamacpp(s, (const char *const[]){"--health-delay-ms", "600000", NULL});
}

/* A program of the name and with the arguments of vLLM that becomes the stub. */
static void give_vllm(struct stage *s, const char *const *options)
{
    char stub[512], script[1024];
    stub_path(stub, sizeof stub);
    snprintf(script, sizeof script,
             "#!/bin/sh\n[ \"$1\" = serve ] || exit 2\nshift 2\nkeep=\nfor a; do\n"
             "[ \"$a\" = --no-enable-prefix-caching ] || keep=\"$keep $a\"\ndone\nexec %s $keep\n",
             stub);
    temp_write(s->bench.dir, "vllm", script);
    snprintf(s->path, sizeof s->path, "%s/vllm", s->bench.dir);
    assert_int_equal(chmod(s->path, 0755), 0);
    bench_set(&s->bench, "server", s->path);
    bench_set(&s->bench, "model", "model.gguf");
    if (options[0] != NULL)
        bench_set_list(&s->bench, "args", options);
}

static void give_vllm_none(struct stage *s)
{
    give_vllm(s, (const char *const[]){"--health-delay-ms", "600000", NULL});
}

static void give_openai(struct stage *s, const char *const *options)
{
    stub_open(&s->stub, options);
    s->has_stub = true;
    bench_set(&s->bench, "base_url", s->stub.base_url);
}

static void give_openai_none(struct stage *s)
{
    stub_open(&s->stub, (const char *const[]){NULL});
    bench_set(&s->bench, "base_url", s->stub.base_url);
    stub_close(&s->stub); /* now nobody listens there */
}

/* Ids are counted from 1, so a shell can answer without reading JSON. */
static void give_program(struct stage *s, const char *const *options)
{
    (void)options;
    bench_set_list(
        &s->bench, "run",
        (const char *const[]){"sh", "-c",
                              "echo '{\"ready\":true,\"model\":\"counter\"}'; i=0; while "
                              "read -r l; do i=$((i+1)); echo "
                              "\"{\\\"id\\\":$i,\\\"output\\\":\\\"yes\\\"}\"; done",
                              NULL});
    bench_set(&s->bench, "protocol", "jsonl");
}

static void give_program_none(struct stage *s)
{
    bench_set_list(&s->bench, "run", (const char *const[]){"sleep", "1000", NULL});
    bench_set(&s->bench, "protocol", "jsonl");
}

static const struct served served[] = {
    {"llamacpp", NULL, give_llamacpp, give_llamacpp_none, true, "modle", "model"},
    {"vllm", NULL, give_vllm, give_vllm_none, true, "modle", "model"},
    {"openai", NULL, give_openai, give_openai_none, false, "modle", "model"},
    {"command", "jsonl", give_program, give_program_none, true, "protocoll", "protocol"},
};

static void set_up(struct stage *s, const struct served *kind)
{
    *s = (struct stage){0};
    bench_open(&s->bench, kind->kind);
    if (kind->protocol != NULL) {
        free(s->bench.state);
        s->bench.ops = pji_engine_speaking(kind->kind, kind->protocol);
        s->bench.state = calloc(1, s->bench.ops->state_size);
    }
}

static void tear_down(struct stage *s)
{
    assert_int_equal(bench_stop(&s->bench), PJ_OK);
    assert_int_equal(bench_stop(&s->bench), PJ_OK); /* harmless */
    if (s->has_stub)
        stub_close(&s->stub);
    assert_int_equal(actor_left(s->bench.mark), 0);
    bench_close(&s->bench);
}

/* Three requests, two at a time, through whatever way this engine is asked. */
static void assert_works(struct stage *s)
{
    const struct pji_engine_ops *ops = s->bench.ops;
    struct pji_request_spec specs[3] = {{.item = "a", .prompt = "one"},
                                        {.item = "b", .prompt = "two"},
                                        {.item = "c", .prompt = "three"}};
    struct pji_load_result result;
    struct pj_error err = {0};
    for (size_t i = 0; i < 3; i++)
        specs[i].max_tokens = 4;
    struct pji_load_plan plan = {.endpoint =
                                     ops->endpoint != NULL ? ops->endpoint(s->bench.state) : NULL,
                                 .lines = ops->lines != NULL ? ops->lines(s->bench.state) : NULL,
                                 .specs = specs,
                                 .n = 3,
                                 .concurrency = 2,
                                 .stop_fd = -1};
    if (pji_load_run(&plan, &result, &err))
        fail_msg("%s: %s", ops->kind, err.text);
    for (size_t i = 0; i < 3; i++) {
        assert_null(result.records[i].error);
        assert_non_null(result.records[i].text);
        assert_true(result.records[i].last_token_ns >= result.records[i].sent_ns);
    }
    pji_load_result_fini(&result);
}

static bool answers(const char *base_url)
{
    char url[200];
    char *body = NULL;
    long status = 0;
    snprintf(url, sizeof url, "%s/models", base_url);
    pj_status rc = pji_http_get(url, NULL, 2000 * MS_NS, 100000, &body, &status, NULL);
    free(body);
    return rc == PJ_OK && status == 200;
}

#define FOR_EACH_KIND(kind)                                                                        \
    for (const struct served *kind = served; kind < served + sizeof served / sizeof *served; kind++)

static void test_serves_and_stops(void **state)
{
    (void)state;
    FOR_EACH_KIND(kind)
    {
        struct stage s;
        char base_url[128];
        set_up(&s, kind);
        kind->give(&s, (const char *const[]){NULL});
        assert_int_equal(bench_check(&s.bench), PJ_OK);
        bench_must_start(&s.bench);
        assert_works(&s);
        base_url[0] = '\0';
        if (s.bench.ops->endpoint != NULL) {
            const struct pji_endpoint *endpoint = s.bench.ops->endpoint(s.bench.state);
            snprintf(base_url, sizeof base_url, "%s", endpoint->base_url);
            assert_non_null(endpoint->model);
            assert_true(answers(base_url));
        }
        assert_true(s.bench.ops->remote_reason == NULL ||
                    s.bench.ops->remote_reason(s.bench.state) == NULL);
        assert_int_equal(s.bench.processes, kind->ours ? 2 : 0);
        assert_int_equal(pji_engine_alive_fd(s.bench.ops, s.bench.state) >= 0, kind->ours);
        assert_int_equal(bench_stop(&s.bench), PJ_OK);
        if (base_url[0] != '\0')
            assert_int_equal(answers(base_url), !kind->ours);
        tear_down(&s);
    }
}

static void test_says_what_it_is(void **state)
{
    (void)state;
    FOR_EACH_KIND(kind)
    {
        struct stage s;
        char *text = NULL;
        set_up(&s, kind);
        kind->give(&s, (const char *const[]){NULL});
        bench_must_start(&s.bench);
        bench_facts(&s.bench);
        assert_string_equal(bench_fact(&s.bench, "engine.kind"), kind->kind);
        assert_string_not_equal(bench_fact(&s.bench, "model.id"), "");
        assert_int_equal(s.bench.ops->scrape == NULL, s.bench.ops->lines != NULL);
        if (s.bench.ops->scrape != NULL) {
            assert_int_equal(s.bench.ops->scrape(s.bench.state, &text, &s.bench.err), PJ_OK);
            assert_non_null(strstr(text, "# TYPE"));
        }
        free(text);
        tear_down(&s);
    }
}

static void test_vllm_command_line(void **state)
{
    (void)state;
    static const struct served *const kind = &served[1];
    for (int cache = 0; cache < 2; cache++) {
        struct stage s;
        char model[128];
        set_up(&s, kind);
        kind->give(&s, (const char *const[]){"--ttft-ms", "1", NULL});
        bench_set(&s.bench, "prompt_cache", cache ? "on" : "off");
        bench_must_start(&s.bench);
        bench_facts(&s.bench);
        const char *command = bench_fact(&s.bench, "engine.command");
        snprintf(model, sizeof model, "serve %s/model.gguf --host 127.0.0.1 --port * ",
                 s.bench.dir);
        assert_non_null(strstr(command, model));
        assert_int_equal(strstr(command, "--no-enable-prefix-caching") == NULL, cache);
        assert_non_null(strstr(command, " --ttft-ms 1"));
        assert_string_equal(bench_fact(&s.bench, "engine.version"), "stub-1");
        assert_string_equal(bench_fact(&s.bench, "engine.prompt_cache"), cache ? "on" : "off");
        tear_down(&s);
    }
}

static void test_vllm_refuses(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, "vllm");
    bench_set(&bench, "model", "./none");
    assert_int_equal(bench_check(&bench), PJ_OK);
    assert_true(bench_start(&bench) < 0);
    assert_non_null(strstr(bench.err.text, "cannot read the model"));
    assert_int_equal(bench_stop(&bench), PJ_OK);
    bench_close(&bench);
    struct stage s; /* healthy, but not the model that it was to serve */
    set_up(&s, &served[1]);
    give_vllm(&s, (const char *const[]){"--model", "/data/other.gguf", NULL});
    assert_true(bench_start(&s.bench) < 0);
    assert_non_null(strstr(s.bench.err.text, "serves /data/other.gguf instead of "));
    tear_down(&s);
    set_up(&s, &served[1]); /* a key in its environment */
    give_vllm(&s, (const char *const[]){"--api-key", "k", NULL});
    assert_int_equal(bench_start(&s.bench), PJ_EACCESS);
    assert_non_null(strstr(s.bench.err.text, "VLLM_API_KEY"));
    tear_down(&s);
}

/* The last --port wins, and the server would be waited for at another. */
static void test_where_a_server_listens_is_no_argument(void **state)
{
    (void)state;
    static const char *const args[][3] = {
        {"--port", "9"}, {"--port=9"}, {"--x", "--host=::"}, {"--host", "::"}};
    for (size_t i = 0; i < 2 * sizeof args / sizeof args[0]; i++) {
        struct bench bench;
        bench_open(&bench, i % 2 ? "vllm" : "llamacpp");
        bench_set(&bench, "model", "model.gguf");
        bench_set_list(&bench, "args", args[i / 2]);
        assert_int_equal(bench_check(&bench), PJ_EINVAL);
        assert_non_null(strstr(bench.err.text, "beside args"));
        bench_close(&bench);
    }
}

static void test_gives_up_at_the_deadline(void **state)
{
    (void)state;
    FOR_EACH_KIND(kind)
    {
        struct stage s;
        set_up(&s, kind);
        kind->give_none(&s);
        s.bench.env.start_deadline_ns = 150 * MS_NS;
        assert_true(bench_start(&s.bench) < 0);
        assert_non_null(strstr(s.bench.err.text, "not ready after 0.1 s"));
        assert_int_equal(actor_left(s.bench.mark), 0);
        tear_down(&s);
    }
}

static void test_gives_up_when_told(void **state)
{
    (void)state;
    FOR_EACH_KIND(kind)
    {
        struct stage s;
        set_up(&s, kind);
        kind->give_none(&s);
        assert_int_equal(write(s.bench.stop_pipe[1], "x", 1), 1);
        assert_int_equal(bench_start(&s.bench), PJ_ECANCELED);
        assert_int_equal(actor_left(s.bench.mark), 0);
        tear_down(&s);
    }
}

static void test_refuses_an_unknown_setting(void **state)
{
    (void)state;
    FOR_EACH_KIND(kind)
    {
        struct stage s;
        set_up(&s, kind);
        kind->give(&s, (const char *const[]){NULL});
        char unknown[80], meant[80];
        snprintf(unknown, sizeof unknown, "unknown engine setting '%s'", kind->misspelt);
        snprintf(meant, sizeof meant, "did you mean '%s'?", kind->suggested);
        bench_set(&s.bench, kind->misspelt, "x");
        assert_int_equal(bench_check(&s.bench), PJ_EINVAL);
        assert_non_null(strstr(s.bench.err.text, unknown));
        assert_non_null(strstr(s.bench.err.text, meant));
        assert_int_equal(bench_start(&s.bench), PJ_EINVAL);
        tear_down(&s);
    }
}

static pj_status look(struct bench *bench, const char *program)
{
    struct pji_setting settings[2] = {
        {.key = bench->ops->lines != NULL || bench->ops->is_command ? "run" : "server",
         .values = &program,
         .n = 1,
         .is_list = true},
        {.key = "model", .values = (const char *const[]){"model.gguf"}, .n = 1},
    };
    bench->err = (struct pj_error){0};
    return bench->ops->preflight(settings, 2, &bench->env, &bench->err);
}

/* Before anything is started; relative paths begin in the folder of the study. */
static void test_looks_for_its_program(void **state)
{
    (void)state;
    const struct pji_engine_ops *const *table = pji_engine_table();
    for (; *table != NULL; table++) {
        struct bench bench;
        char path[600];
        if ((*table)->starts_nothing)
            continue;
        bench_open(&bench, (*table)->kind);
        bench.ops = *table;
        temp_write(bench.dir, "tool", "#!/bin/sh\n");
        assert_int_equal(look(&bench, "./tool"), PJ_EACCESS); /* not executable */
        assert_non_null(strstr(bench.err.text, "cannot run the program"));
        snprintf(path, sizeof path, "%s/tool", bench.dir);
        assert_int_equal(chmod(path, 0755), 0);
        assert_int_equal(look(&bench, "./tool"), PJ_OK);
        assert_int_equal(look(&bench, path), PJ_OK);
        assert_int_equal(look(&bench, "sh"), PJ_OK);
        assert_int_equal(look(&bench, "tool"), PJ_ENOTFOUND);
        assert_non_null(strstr(bench.err.text, "no program tool along PATH"));
        assert_int_not_equal(look(&bench, "./none"), PJ_OK);
        assert_non_null(strstr(bench.err.text, "/none: No such file"));
        assert_int_not_equal(look(&bench, "/"), PJ_OK);
        assert_non_null(strstr(bench.err.text, "Is a directory"));
        bench_close(&bench);
    }
}

/* check needs no start, and stop is harmless before any start. */
static void test_stop_without_start(void **state)
{
    (void)state;
    const struct pji_engine_ops *const *table = pji_engine_table();
    for (; *table != NULL; table++) {
        struct bench bench;
        bench_open(&bench, (*table)->kind);
        free(bench.state);
        bench.ops = *table;
        bench.state = calloc(1, (*table)->state_size);
        assert_int_equal(bench_check(&bench), PJ_EINVAL); /* every kind needs something */
        assert_int_equal(bench_stop(&bench), PJ_OK);
        assert_int_equal(actor_left(bench.mark), 0);
        bench_close(&bench);
    }
}

static void test_table(void **state)
{
    (void)state;
    const struct pji_engine_ops *const *table = pji_engine_table();
    size_t n = 0;
    for (; table[n] != NULL; n++) {
        const struct pji_engine_ops *ops = table[n];
        if (ops->protocol == NULL)
            assert_ptr_equal(pji_engine_find(ops->kind), ops);
        else
            assert_ptr_equal(pji_engine_speaking(ops->kind, ops->protocol), ops);
        assert_true(ops->state_size > 0);
        assert_true(ops->about != NULL && ops->keys != NULL && ops->keys[0] != NULL);
        assert_true(ops->check != NULL && ops->start != NULL && ops->stop != NULL &&
                    ops->facts != NULL);
        /* exactly one way to be asked */
        assert_int_equal((ops->run != NULL) + (ops->endpoint != NULL) + (ops->lines != NULL), 1);
        assert_int_equal(ops->is_command, ops->run != NULL);
    }
    assert_true(n >= 3);
    assert_null(pji_engine_find("vllmm"));
    assert_null(pji_engine_speaking("command", "xml"));
    assert_null(pji_engine_speaking("vllm", "jsonl"));
}

int main(int argc, char **argv)
{
    int code = 0;
    if (actor_play(argc, argv, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_serves_and_stops),
        cmocka_unit_test(test_says_what_it_is),
        cmocka_unit_test(test_vllm_command_line),
        cmocka_unit_test(test_vllm_refuses),
        cmocka_unit_test(test_where_a_server_listens_is_no_argument),
        cmocka_unit_test(test_gives_up_at_the_deadline),
        cmocka_unit_test(test_gives_up_when_told),
        cmocka_unit_test(test_refuses_an_unknown_setting),
        cmocka_unit_test(test_looks_for_its_program),
        cmocka_unit_test(test_stop_without_start),
        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests_name("engines", tests, NULL, NULL);
}
