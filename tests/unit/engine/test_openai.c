/* A server that already runs: model, key, and whose energy can be measured here. */
#include "actor.h"
#include "bench.h"
#include "engine/host.h"
#include "net/http.h"
#include "stub_process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void test_url_host(void **state)
{
    (void)state;
    static const char *const good[][2] = {
        {"http://127.0.0.1:8000/v1", "127.0.0.1"},
        {"https://api.example.com/v1", "api.example.com"},
        {"http://[::1]:8000/v1", "::1"},
        {"HTTP://gpu7", "gpu7"},
        {"http://user:pa:ss@gpu7:1/v1", "gpu7"},
        {"http://gpu7?x=@evil", "gpu7"},
        {"http://gpu7/@evil", "gpu7"},
    };
    static const char *const bad[] = {"gpu7:8000", "",           "ftp://gpu7",
                                      "http://",   "http:///v1", "http://:80"};
    char host[64];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(pji_url_host(good[i][0], host, sizeof host, NULL), PJ_OK);
        assert_string_equal(host, good[i][1]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(pji_url_host(bad[i], host, sizeof host, NULL), PJ_EINVAL);
}

static void test_local_hosts(void **state)
{
    (void)state;
    static const char *const here[] = {"127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1",
                                       "localhost"};
    static const char *const there[] = {"192.0.2.7", "2001:db8::1", "::ffff:192.0.2.7"};
    bool local = false;
    for (size_t i = 0; i < sizeof here / sizeof *here; i++) {
        assert_int_equal(pji_host_is_local(here[i], &local, NULL), PJ_OK);
        assert_true(local);
    }
    for (size_t i = 0; i < sizeof there / sizeof *there; i++) {
        assert_int_equal(pji_host_is_local(there[i], &local, NULL), PJ_OK);
        assert_false(local);
    }
    struct pj_error err = {0};
    assert_int_equal(pji_host_is_local("no-such-host.invalid", &local, &err), PJ_ENOTFOUND);
    assert_non_null(strstr(err.text, "no-such-host.invalid"));
}

static void test_another_host_is_not_measured_here(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, "openai");
    bench_set(&b, "base_url", "http://192.0.2.7:9/v1"); /* TEST-NET-1: nobody answers */
    assert_int_equal(write(b.stop_pipe[1], "x", 1), 1);
    assert_int_equal(bench_start(&b), PJ_ECANCELED);
    assert_string_equal(b.ops->remote_reason(b.state), "not measured here");
    bench_close(&b);
}

static void test_model_is_chosen_or_named(void **state)
{
    (void)state;
    struct stub stub;
    struct bench b;
    stub_open(&stub, (const char *const[]){"--alias", "tiny", NULL});
    bench_open(&b, "openai");
    bench_set(&b, "base_url", stub.base_url);
    bench_must_start(&b);
    assert_string_equal(b.ops->endpoint(b.state)->model, "tiny");
    assert_null(b.ops->request_extra);
    assert_int_equal(pji_engine_alive_fd(b.ops, b.state), -1);
    bench_stop(&b);
    bench_set(&b, "model", "huge");
    assert_int_equal(bench_start(&b), PJ_ENOTFOUND);
    assert_non_null(strstr(b.err.text, "'huge'; it has: tiny"));
    bench_close(&b);
    stub_close(&stub);
}

static void test_trailing_slash(void **state)
{
    (void)state;
    struct stub stub;
    struct bench b;
    char url[80];
    stub_open(&stub, (const char *const[]){NULL});
    snprintf(url, sizeof url, "%s//", stub.base_url);
    bench_open(&b, "openai");
    bench_set(&b, "base_url", url);
    bench_must_start(&b);
    assert_string_equal(b.ops->endpoint(b.state)->base_url, stub.base_url);
    bench_facts(&b);
    assert_string_equal(bench_fact(&b, "engine.host"), "this machine");
    bench_stop(&b);
    bench_close(&b);
    stub_close(&stub);
}

static void test_key_is_used_and_never_told(void **state)
{
    (void)state;
    static const char secret[] = "sk-very-secret";
    struct stub stub;
    struct bench b;
    stub_open(&stub, (const char *const[]){"--api-key", secret, NULL});
    bench_open(&b, "openai");
    bench_set(&b, "base_url", stub.base_url);
    bench_set(&b, "api_key_env", "MY_KEY");
    assert_int_equal(bench_start(&b), PJ_EACCESS);
    assert_non_null(strstr(b.err.text, "HTTP 401"));
    b.env.api_key = secret;
    bench_must_start(&b);
    assert_string_equal(b.ops->endpoint(b.state)->bearer, secret);
    bench_facts(&b);
    assert_true(b.n_facts > 2);
    for (size_t i = 0; i < b.n_facts; i++)
        assert_null(strstr(b.fact_values[i], secret));
    assert_null(strstr(b.logged, secret));
    bench_stop(&b);
    bench_close(&b);
    stub_close(&stub);
}

/* A server that names its model after what it was sent. */
static void test_key_that_the_server_tells_is_hidden(void **state)
{
    (void)state;
    struct stub stub;
    struct bench b;
    char key[64];
    stub_open(&stub, (const char *const[]){NULL});
    bench_open(&b, "openai");
    bench_set(&b, "base_url", stub.base_url);
    bench_must_start(&b);
    snprintf(key, sizeof key, "%s", b.ops->endpoint(b.state)->model);
    bench_stop(&b);
    b.env.api_key = key;
    bench_must_start(&b);
    assert_string_equal(b.ops->endpoint(b.state)->model, key); /* what is asked for stays */
    bench_facts(&b);
    assert_int_equal(strspn(bench_fact(&b, "model.id"), "*"), strlen(key));
    bench_stop(&b);
    bench_close(&b);
    stub_close(&stub);
}

static void test_bad_settings(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"gpu7:8000/v1", "is not a URL"},
        {"http://me:secret@gpu7/v1", "would be stored"},
        {"http://gpu7/v1?key=secret", "query"},
    };
    struct bench b;
    bench_open(&b, "openai");
    assert_int_equal(bench_check(&b), PJ_EINVAL);
    assert_non_null(strstr(b.err.text, "base_url"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        b.n = 0;
        bench_set(&b, "base_url", bad[i][0]);
        assert_int_equal(bench_check(&b), PJ_EINVAL);
        assert_non_null(strstr(b.err.text, bad[i][1]));
        assert_null(strstr(b.err.text, "secret"));
    }
    b.n = 0;
    bench_set(&b, "base_url", "http://gpu7/v1");
    bench_set(&b, "api_key_env", "A");
    bench_set(&b, "api_key_file", "b");
    assert_int_equal(bench_check(&b), PJ_EINVAL);
    assert_non_null(strstr(b.err.text, "not both"));
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_url_host),
        cmocka_unit_test(test_local_hosts),
        cmocka_unit_test(test_another_host_is_not_measured_here),
        cmocka_unit_test(test_model_is_chosen_or_named),
        cmocka_unit_test(test_trailing_slash),
        cmocka_unit_test(test_key_is_used_and_never_told),
        cmocka_unit_test(test_key_that_the_server_tells_is_hidden),
        cmocka_unit_test(test_bad_settings),
    };
    return cmocka_run_group_tests_name("openai", tests, NULL, NULL);
}
