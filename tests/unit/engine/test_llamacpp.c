/* What only the llamacpp kind promises: its command line, its log in messages, digests. */
#include "actor.h"
#include "bench.h"
#include "core/digest.h"
#include "engine/digest_cache.h"
#include "engine/probe.h"
#include "engine/server.h"
#include "stub_process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char stub[512];

static void set_up(struct bench *b, const char *const *args)
{
    stub_path(stub, sizeof stub);
    bench_open(b, "llamacpp");
    bench_set(b, "server", stub);
    bench_set(b, "model", "model.gguf");
    if (args != NULL)
        bench_set_list(b, "args", args);
}

static void tear_down(struct bench *b)
{
    assert_int_equal(bench_stop(b), PJ_OK);
    assert_int_equal(actor_left(b->mark), 0);
    bench_close(b);
}

static void test_early_exit_shows_the_log(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, (const char *const[]){"--start-fail", NULL});
    /* what an earlier attempt left in the log is not shown */
    temp_write(b.dir, "engine.log", "words of an earlier attempt\n");
    assert_int_equal(bench_start(&b), PJ_EPEER);
    assert_non_null(strstr(b.err.text, "ended with exit code 1 before it was ready"));
    assert_non_null(strstr(b.err.text, "stub_server"));
    assert_null(strstr(b.err.text, "earlier attempt"));
    assert_non_null(strstr(b.logged, "stub_server"));
    assert_null(strstr(b.logged, "earlier attempt"));
    tear_down(&b);
}

static void test_log_tail_is_whole_lines(void **state)
{
    (void)state;
    struct pji_server server = {.used = true};
    char dir[TEMP_PATH];
    char path[96];
    char tail[24];
    temp_open(dir);
    snprintf(path, sizeof path, "%s/log", dir);
    server.env.log_path = path;
    pji_server_log_tail(&server, tail, sizeof tail);
    assert_string_equal(tail, ""); /* no file */
    temp_write(dir, "log", "a long first line that is cut\nsecond line\nthird\n\n");
    pji_server_log_tail(&server, tail, sizeof tail);
    assert_string_equal(tail, "second line\nthird");
    server.log_start = 42;
    pji_server_log_tail(&server, tail, sizeof tail);
    assert_string_equal(tail, "third");
    temp_close(dir);
}

static void test_program_that_cannot_run(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, NULL);
    bench_stop(&b);
    b.n = 0;
    bench_set(&b, "server", "./no-such-server");
    bench_set(&b, "model", b.model);
    assert_int_equal(b.ops->preflight(b.settings, b.n, &b.env, &b.err), PJ_ENOTFOUND);
    assert_non_null(strstr(b.err.text, "no-such-server"));
    assert_int_equal(bench_start(&b), PJ_ENOTFOUND);
    assert_non_null(strstr(b.err.text, "no-such-server"));
    tear_down(&b);
}

static void test_missing_model(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, "llamacpp");
    bench_set(&b, "model", "nowhere.gguf");
    assert_int_equal(bench_check(&b), PJ_OK);
    assert_int_equal(b.ops->preflight(b.settings, b.n, &b.env, &b.err), PJ_ENOTFOUND);
    assert_non_null(strstr(b.err.text, "nowhere.gguf"));
    assert_non_null(strstr(b.err.text, b.dir)); /* relative to the study's folder */
    tear_down(&b);
}

static void test_bad_values(void **state)
{
    (void)state;
    static const char *const bad[][3] = {
        {"slots", "0", "1 to 4096"},
        {"slots", "two", "'two'"},
        {"context", "-5", "'-5'"},
        {"threads", "1.5", "'1.5'"},
        {"port", "70000", "65535"},
        {"prompt_cache", "maybe", "on or off"},
        {"slots", "99999999999999999999", "whole number"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct bench b;
        set_up(&b, NULL);
        bench_set(&b, bad[i][0], bad[i][1]);
        assert_int_equal(bench_check(&b), PJ_EINVAL);
        assert_non_null(strstr(b.err.text, bad[i][0]));
        assert_non_null(strstr(b.err.text, bad[i][2]));
        tear_down(&b);
    }
    struct bench b;
    set_up(&b, NULL);
    bench_set_list(&b, "slots", (const char *const[]){"1", "2", NULL});
    assert_int_equal(bench_check(&b), PJ_EINVAL);
    assert_non_null(strstr(b.err.text, "not a list"));
    tear_down(&b);
}

static void test_facts(void **state)
{
    (void)state;
    struct bench b;
    char hex[PJI_SHA256_HEX];
    set_up(&b, NULL);
    bench_set(&b, "slots", "3");
    bench_set(&b, "context", "512");
    bench_set(&b, "threads", "2");
    bench_must_start(&b);
    bench_facts(&b);
    assert_int_equal(pji_sha256_file(b.model, hex, NULL), PJ_OK);
    assert_string_equal(bench_fact(&b, "model.sha256"), hex);
    assert_string_equal(bench_fact(&b, "model.size_b"), "18");
    assert_string_equal(bench_fact(&b, "model.path"), b.model);
    assert_string_equal(bench_fact(&b, "engine.slots"), "3");
    assert_string_equal(bench_fact(&b, "engine.slot_context_tokens"), "512");
    assert_string_equal(bench_fact(&b, "engine.threads"), "2");
    assert_string_equal(bench_fact(&b, "engine.prompt_cache"), "off");
    assert_int_equal(pji_sha256_file(stub, hex, NULL), PJ_OK);
    assert_string_equal(bench_fact(&b, "engine.program.sha256"), hex);
    const char *command = bench_fact(&b, "engine.command");
    assert_non_null(strstr(command, "--parallel 3 --ctx-size 1536 --threads 2 --threads-batch 2"));
    assert_non_null(strstr(command, "--no-cache-prompt --cache-ram 0"));
    assert_non_null(strstr(command, "--port * ")); /* no difference between trials */
    assert_string_equal(b.ops->request_extra(b.state), "{\"cache_prompt\": false}");
    tear_down(&b);
}

static void test_prompt_cache_on(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, NULL);
    bench_set(&b, "prompt_cache", "on");
    bench_must_start(&b);
    bench_facts(&b);
    assert_string_equal(bench_fact(&b, "engine.prompt_cache"), "on");
    assert_null(strstr(bench_fact(&b, "engine.command"), "cache"));
    assert_string_equal(b.ops->request_extra(b.state), "{\"cache_prompt\": true}");
    tear_down(&b);
}

/* The server says something else than what was asked for: no silent confound. */
static void test_other_slots_than_asked(void **state)
{
    (void)state;
    static const char *const args[][3] = {{"--parallel", "7", NULL}, {"--ctx-size", "10", NULL}};
    static const char *const says[] = {"runs 7 slots, 2 were asked for", "context"};
    for (size_t i = 0; i < 2; i++) {
        struct bench b;
        set_up(&b, args[i]); /* args come last and win */
        bench_set(&b, "slots", "2");
        assert_int_equal(bench_start(&b), PJ_EPEER);
        assert_non_null(strstr(b.err.text, says[i]));
        assert_int_equal(actor_left(b.mark), 0);
        tear_down(&b);
    }
}

static void test_port_in_use(void **state)
{
    (void)state;
    struct bench b;
    char text[16];
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof name;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &len), 0);
    snprintf(text, sizeof text, "%d", ntohs(name.sin_port));
    set_up(&b, NULL);
    bench_set(&b, "port", text);
    assert_int_equal(bench_start(&b), PJ_EBUSY);
    assert_non_null(strstr(b.err.text, text));
    tear_down(&b);
    close(fd);
}

static void test_its_death_is_seen(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, (const char *const[]){"--max-life-s", "1", NULL});
    bench_must_start(&b);
    struct pollfd ended = {.fd = b.ops->alive_fd(b.state), .events = POLLIN};
    assert_int_equal(poll(&ended, 1, 0), 0);
    assert_int_equal(poll(&ended, 1, 60000), 1);
    tear_down(&b);
}

static void test_daemon_of_the_server_is_gone(void **state)
{
    (void)state;
    struct bench b;
    char file[96];
    set_up(&b, NULL);
    snprintf(file, sizeof file, "%s/grandchild", b.dir);
    bench_set_list(&b, "args", (const char *const[]){"--grandchild", file, "--ignore-term", NULL});
    bench_must_start(&b);
    /* on a busy machine the daemon comes late, and a fork on its way to exec counts for a moment */
    int lasting = 0;
    for (int i = 0; i < 6000 && lasting < 5; i++, poll(NULL, 0, 10))
        lasting = actor_count(b.mark) >= 3 && access(file, F_OK) == 0 ? lasting + 1 : 0;
    assert_int_equal(lasting, 5); /* keeper, server, its daemon */
    tear_down(&b);
}

static void test_digest_is_kept_until_the_file_changes(void **state)
{
    (void)state;
    struct bench b;
    char first[PJI_SHA256_HEX];
    char again[PJI_SHA256_HEX];
    int64_t size_b = 0;
    set_up(&b, NULL);
    assert_int_equal(pji_digest_cached(&b.digests, b.model, first, &size_b, NULL), PJ_OK);
    assert_int_equal(pji_digest_cached(&b.digests, b.model, again, NULL, NULL), PJ_OK);
    assert_string_equal(first, again);
    assert_int_equal(b.digests.n, 1);
    struct stat st;
    assert_int_equal(stat(b.model, &st), 0);
    temp_write(b.dir, "model.gguf", "NOT REALLY A MODEL"); /* the same size and mtime */
    assert_int_equal(
        utimensat(AT_FDCWD, b.model, (const struct timespec[]){st.st_atim, st.st_mtim}, 0), 0);
    assert_int_equal(pji_digest_cached(&b.digests, b.model, again, NULL, NULL), PJ_OK);
    assert_string_not_equal(first, again);
    assert_int_equal(b.digests.n, 1);
    tear_down(&b);
}

static void test_probe(void **state)
{
    (void)state;
    char *text = NULL;
    struct pj_error err = {0};
    assert_true(pji_probe_has("  -cram, --cache-ram N  words", "--cache-ram"));
    assert_true(pji_probe_has("--metrics", "--metrics"));
    assert_true(pji_probe_has("--ctx-size-x, --ctx-size=N", "--ctx-size"));
    assert_false(pji_probe_has("--cache-ram-mib N", "--cache-ram"));
    assert_false(pji_probe_has("--no--cache-ram", "--cache-ram"));
    assert_int_equal(pji_probe((const char *const[]){"sh", "-c", "echo out; echo err >&2", NULL},
                               INT64_C(30000000000), &text, &err),
                     PJ_OK);
    assert_string_equal(text, "out\nerr\n");
    free(text);
    assert_int_equal(pji_probe((const char *const[]){"sleep", "100", NULL}, 50000000, &text, &err),
                     PJ_ETIMEOUT);
    assert_null(text);
    assert_non_null(strstr(err.text, "sleep"));
    /* what it leaves behind does not outlive the question */
    assert_int_equal(pji_probe((const char *const[]){"sh", "-c",
                                                     ACTOR_MARK "=probe sleep 100 & "
                                                                "sleep 0.2; echo out",
                                                     NULL},
                               INT64_C(30000000000), &text, &err),
                     PJ_OK);
    assert_string_equal(text, "out\n");
    free(text);
    assert_int_equal(actor_await_count("probe", 0), 0);
}

int main(int argc, char **argv)
{
    int code = 0;
    if (actor_play(argc, argv, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_early_exit_shows_the_log),
        cmocka_unit_test(test_log_tail_is_whole_lines),
        cmocka_unit_test(test_program_that_cannot_run),
        cmocka_unit_test(test_missing_model),
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_prompt_cache_on),
        cmocka_unit_test(test_other_slots_than_asked),
        cmocka_unit_test(test_port_in_use),
        cmocka_unit_test(test_its_death_is_seen),
        cmocka_unit_test(test_daemon_of_the_server_is_gone),
        cmocka_unit_test(test_digest_is_kept_until_the_file_changes),
        cmocka_unit_test(test_probe),
    };
    return cmocka_run_group_tests_name("llamacpp", tests, NULL, NULL);
}
