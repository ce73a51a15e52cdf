/* Requests against the stub and against nobody: deadlines, sentences, keep-alive, proxies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/http.h"
#include "stub_process.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS INT64_C(1000000)

#define assert_contains(text, part)                                                                \
    do {                                                                                           \
        if (strstr((text), (part)) == NULL)                                                        \
            fail_msg("'%s' does not contain '%s'", (text), (part));                                \
    } while (0)

static const char body_text[] = "{\"prompt\":\"x\",\"stream\":true,\"max_tokens\":4}";

struct call {
    struct pji_http *http;
    int statuses, datas, dones, again; /* again: start so many more from on_done */
    bool refuse, start_inside;
    pj_status inside;
    long http_status;
    size_t bytes;
    int64_t last_ns, done_ns;
    char type[64], error[700];
    struct pji_http_request request;
};

static void on_status(void *context, long http_status, const char *content_type)
{
    struct call *c = context;
    assert_int_equal(c->datas, 0);
    c->statuses++;
    c->http_status = http_status;
    snprintf(c->type, sizeof c->type, "%s", content_type);
}

static int on_data(void *context, const char *bytes, size_t len, int64_t t_ns)
{
    struct call *c = context;
    assert_non_null(bytes);
    assert_true(t_ns >= c->last_ns);
    c->last_ns = t_ns;
    c->datas++;
    c->bytes += len;
    if (c->start_inside)
        c->inside = pji_http_start(c->http, &c->request, NULL, NULL);
    return c->refuse;
}

static void on_done(void *context, long http_status, const char *error, int64_t t_ns)
{
    struct call *c = context;
    c->dones++;
    c->done_ns = t_ns;
    c->http_status = http_status;
    snprintf(c->error, sizeof c->error, "%s", error);
    if (c->again-- > 0) {
        c->datas = 0;
        assert_int_equal(pji_http_start(c->http, &c->request, NULL, NULL), PJ_OK);
    }
}

static void call_open(struct call *c, const char *url)
{
    *c = (struct call){0};
    assert_int_equal(pji_http_open(&c->http, NULL), PJ_OK);
    c->request = (struct pji_http_request){.method = "POST",
                                           .url = url,
                                           .body = body_text,
                                           .body_len = sizeof body_text - 1,
                                           .timeout_ns = 10000 * MS,
                                           .context = c,
                                           .on_status = on_status,
                                           .on_data = on_data,
                                           .on_done = on_done};
}

static void call_run(struct call *c)
{
    int64_t sent_ns = 0;
    struct pj_error err = {0};
    if (pji_http_start(c->http, &c->request, &sent_ns, &err))
        fail_msg("%s", err.text);
    assert_true(sent_ns > 0);
    while (pji_http_in_flight(c->http) > 0)
        assert_true(pji_http_poll(c->http, 100 * MS, -1, &err) >= 0);
    assert_true(c->done_ns >= sent_ns);
}

static void one_post_streams(void **state)
{
    (void)state;
    struct stub stub;
    struct call c;
    char url[128];
    stub_open(&stub, (const char *const[]){"--itl-ms", "5", NULL});
    snprintf(url, sizeof url, "%s/completions", stub.base_url);
    call_open(&c, url);
    call_run(&c);
    assert_int_equal(c.http_status, 200);
    assert_int_equal(c.statuses, 1);
    assert_string_equal(c.type, "text/event-stream; charset=utf-8");
    assert_true(c.datas >= 4);
    assert_int_equal(c.dones, 1);
    assert_string_equal(c.error, "");
    pji_http_close(c.http);
    stub_close(&stub);
}

static void on_done_may_start_the_next(void **state)
{
    (void)state;
    struct stub stub;
    struct call c;
    char url[128];
    stub_open(&stub, NULL);
    snprintf(url, sizeof url, "%s/completions", stub.base_url);
    call_open(&c, url);
    c.again = 200;
    call_run(&c);
    assert_int_equal(c.dones, 201);
    assert_string_equal(c.error, "");
    pji_http_close(c.http);

    char *body = NULL;
    long status = 0;
    snprintf(url, sizeof url, "%s/stub/counts", stub.root_url);
    assert_int_equal(pji_http_get(url, NULL, 5000 * MS, 1000, &body, &status, NULL), PJ_OK);
    assert_contains(body, "\"requests\":201");
    assert_contains(body, "\"opened\":2"); /* all on one connection */
    free(body);
    stub_close(&stub);
}

static void on_data_may_not_start_or_goes_on(void **state)
{
    (void)state;
    struct stub stub;
    struct call c;
    char url[128];
    stub_open(&stub, NULL);
    snprintf(url, sizeof url, "%s/completions", stub.base_url);
    call_open(&c, url);
    c.start_inside = true;
    call_run(&c);
    assert_int_equal(c.inside, PJ_ESTATE);
    assert_string_equal(c.error, "");
    c.start_inside = false;
    c.refuse = true;
    c.datas = 0;
    call_run(&c);
    assert_contains(c.error, "refused by its reader");
    c.refuse = false;
    c.datas = 0;
    call_run(&c); /* the object is as good as before */
    assert_string_equal(c.error, "");
    pji_http_close(c.http);
    stub_close(&stub);
}

static void a_server_that_closes_is_met_again(void **state)
{
    (void)state;
    struct stub stub;
    struct call c;
    char url[128];
    stub_open(&stub, (const char *const[]){"--keep-alive", "3", NULL});
    snprintf(url, sizeof url, "%s/completions", stub.base_url);
    call_open(&c, url);
    c.again = 20;
    call_run(&c);
    assert_int_equal(c.dones, 21);
    assert_string_equal(c.error, "");
    pji_http_close(c.http);
    stub_close(&stub);
}

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/* A server in a child process that answers the first request of a connection and closes at the
 * second: what a client sees of one that closes a moment after its answer. When torn, connection i
 * gets the first i bytes of the answer, and its end. */
static pid_t fork_closing_server(int *port, bool torn)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof name;
    char bytes[4096];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &len), 0);
    *port = ntohs(name.sin_port);
    pid_t pid = fork();
    if (pid != 0) {
        close(fd);
        return pid;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    for (size_t len_b = torn ? 1 : sizeof answer - 1;; len_b += torn) {
        int peer = accept(fd, NULL, NULL);
        size_t got = 0;
        while (got < sizeof body_text - 1 || memmem(bytes, got, body_text, 10) == NULL) {
            ssize_t n = recv(peer, bytes + got, sizeof bytes - got, 0);
            if (n <= 0)
                break;
            got += (size_t)n;
        }
        (void)!write(peer, answer, len_b);
        if (!torn)
            (void)!recv(peer, bytes, 1, 0);
        close(peer);
    }
}

static void a_server_that_closes_late_is_met_again(void **state)
{
    (void)state;
    struct call c;
    char url[128];
    int port = 0;
    pid_t pid = fork_closing_server(&port, false);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", port);
    call_open(&c, url);
    for (int i = 0; i < 20; i++) {
        c.datas = 0;
        call_run(&c);
        assert_string_equal(c.error, "");
    }
    pji_http_close(c.http);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void an_answer_that_breaks_off_is_none(void **state)
{
    (void)state;
    struct call c;
    char url[128];
    int port = 0;
    pid_t pid = fork_closing_server(&port, true);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", port);
    call_open(&c, url);
    for (size_t i = 1; i < sizeof answer; i++) {
        c.datas = 0;
        call_run(&c);
        if (i < sizeof answer - 1)
            assert_contains(c.error, "broke before the answer was complete");
        else
            assert_string_equal(c.error, "");
    }
    pji_http_close(c.http);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void deadlines_are_absolute(void **state)
{
    (void)state;
    struct stub stub;
    struct call c;
    char url[128];
    /* a byte now and then keeps no request alive */
    stub_open(&stub, (const char *const[]){"--split", "1", "--dribble-ms", "3", NULL});
    snprintf(url, sizeof url, "%s/completions", stub.base_url);
    call_open(&c, url);
    c.request.timeout_ns = 1500 * MS;
    int64_t start_ns = pji_http_now_ns(c.http);
    call_run(&c);
    assert_contains(c.error, "not complete within 1.500 s");
    assert_true(c.done_ns - start_ns >= 1499 * MS);
    assert_true(c.done_ns - start_ns < 9000 * MS);
    pji_http_close(c.http);
    stub_close(&stub);
    stub_open(&stub, (const char *const[]){"--stall-every", "1", NULL});
    snprintf(url, sizeof url, "%s/completions", stub.base_url);
    call_open(&c, url);
    c.request.timeout_ns = 100 * MS;
    call_run(&c);
    assert_contains(c.error, "no answer from http://127.0.0.1:");
    assert_int_equal(c.http_status, 0);
    pji_http_close(c.http);
    stub_close(&stub);
}

/* A port that was just free. */
static int closed_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    close(fd);
    return ntohs(a.sin_port);
}

static void sentences_name_the_cause_not_the_key(void **state)
{
    (void)state;
    struct call c;
    char url[128];
    snprintf(url, sizeof url, "http://user:secret@127.0.0.1:%d/v1?key=secret", closed_port());
    call_open(&c, url);
    c.request.bearer = "sk-secret";
    call_run(&c);
    assert_contains(c.error, "cannot connect to http://127.0.0.1:");
    assert_contains(c.error, "is the server running?");
    assert_null(strstr(c.error, "secret"));
    c.request.url = "ftp://127.0.0.1/x";
    call_run(&c);
    assert_contains(c.error, "ftp://127.0.0.1/x is not an http:// or https:// URL");
    c.request.url = "http://127.0.0.1:99999/";
    call_run(&c);
    assert_contains(c.error, "is not an http:// or https:// URL");
    c.request.url = "file:///etc/passwd";
    call_run(&c);
    assert_int_equal(c.bytes, 0);
    assert_contains(c.error, "is not an http");
    c.request.bearer = "a\r\nX-Evil: 1";
    struct pj_error err = {0};
    assert_int_equal(pji_http_start(c.http, &c.request, NULL, &err), PJ_EINVAL);
    assert_contains(err.text, "API key");
    assert_null(strstr(err.text, "Evil"));
    assert_int_equal(pji_http_in_flight(c.http), 0);
    pji_http_close(c.http);
}

static void urls_are_shown_without_secrets(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"http://h:1/v1", "http://h:1/v1"},
        {"http://u:p@h/v1?k=s#f", "http://h/v1"},
        {"https://u:p@w@h/a@b", "https://h/a@b"},
        {"nonsense", "nonsense"},
        {"u:p@h", "h"},
        {"http://h?k=u@s", "http://h"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[64];
        pji_url_show(cases[i][0], out, sizeof out);
        assert_string_equal(out, cases[i][1]);
    }
    char small[8];
    pji_url_show("http://host/path", small, sizeof small);
    assert_string_equal(small, "http://");
}

static void the_environment_has_no_say(void **state)
{
    (void)state;
    struct stub stub;
    char url[128], proxy[64];
    char *body = NULL;
    long status = 0;
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", closed_port());
    setenv("http_proxy", proxy, 1);
    setenv("all_proxy", proxy, 1);
    stub_open(&stub, NULL);
    snprintf(url, sizeof url, "%s/health", stub.root_url);
    assert_int_equal(pji_http_get(url, NULL, 5000 * MS, 1000, &body, &status, NULL), PJ_OK);
    assert_int_equal(status, 200);
    assert_string_equal(body, "{\"status\":\"ok\"}");
    free(body);
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    stub_close(&stub);
}

static void get_has_limits(void **state)
{
    (void)state;
    struct stub stub;
    struct pj_error err = {0};
    char url[128];
    char *body = NULL;
    long status = 0;
    stub_open(&stub, (const char *const[]){"--health-hang", "--api-key", "k", NULL});
    snprintf(url, sizeof url, "%s/health", stub.root_url);
    assert_int_equal(pji_http_get(url, NULL, 150 * MS, 1000, &body, &status, &err), PJ_ETIMEOUT);
    assert_contains(err.text, "no complete answer from http://127.0.0.1:");
    assert_null(body);
    err = (struct pj_error){0};
    snprintf(url, sizeof url, "%s/metrics", stub.root_url);
    assert_int_equal(pji_http_get(url, NULL, 5000 * MS, 50, &body, &status, &err), PJ_EPEER);
    assert_contains(err.text, "longer than 50 bytes");
    snprintf(url, sizeof url, "%s/models", stub.base_url);
    assert_int_equal(pji_http_get(url, NULL, 5000 * MS, 1000, &body, &status, NULL), PJ_OK);
    assert_int_equal(status, 401);
    free(body);
    assert_int_equal(pji_http_get(url, "k", 5000 * MS, 1000, &body, &status, NULL), PJ_OK);
    assert_int_equal(status, 200);
    free(body);
    stub_close(&stub);
    err = (struct pj_error){0};
    assert_int_equal(pji_http_get(url, NULL, 5000 * MS, 1000, &body, &status, &err), PJ_EPEER);
    assert_contains(err.text, "cannot connect");
}

static void another_descriptor_wakes(void **state)
{
    (void)state;
    struct pji_http *http = NULL;
    int ends[2];
    assert_int_equal(pji_http_open(&http, NULL), PJ_OK);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(pji_http_poll(http, 5 * MS, ends[0], NULL), PJ_OK);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(pji_http_poll(http, -1, ends[0], NULL), PJI_HTTP_WOKEN);
    int64_t start_ns = pji_http_now_ns(http);
    assert_int_equal(pji_http_poll(http, 20 * MS, -1, NULL), PJ_OK);
    assert_true(pji_http_now_ns(http) - start_ns >= 19 * MS);
    close(ends[0]);
    close(ends[1]);
    pji_http_close(http);
}

static void close_aborts_quietly(void **state)
{
    (void)state;
    struct stub stub;
    struct call c;
    char url[128];
    stub_open(&stub, (const char *const[]){"--stall-every", "1", NULL});
    snprintf(url, sizeof url, "%s/completions", stub.base_url);
    call_open(&c, url);
    for (int i = 0; i < 10; i++)
        assert_int_equal(pji_http_start(c.http, &c.request, NULL, NULL), PJ_OK);
    assert_true(pji_http_poll(c.http, 20 * MS, -1, NULL) >= 0);
    assert_int_equal(pji_http_in_flight(c.http), 10);
    pji_http_close(c.http);
    assert_int_equal(c.dones, 0);
    stub_close(&stub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_post_streams),
        cmocka_unit_test(on_done_may_start_the_next),
        cmocka_unit_test(on_data_may_not_start_or_goes_on),
        cmocka_unit_test(a_server_that_closes_is_met_again),
        cmocka_unit_test(a_server_that_closes_late_is_met_again),
        cmocka_unit_test(an_answer_that_breaks_off_is_none),
        cmocka_unit_test(deadlines_are_absolute),
        cmocka_unit_test(sentences_name_the_cause_not_the_key),
        cmocka_unit_test(urls_are_shown_without_secrets),
        cmocka_unit_test(the_environment_has_no_say),
        cmocka_unit_test(get_has_limits),
        cmocka_unit_test(another_descriptor_wakes),
        cmocka_unit_test(close_aborts_quietly),
    };
    return cmocka_run_group_tests_name("net/http", tests, NULL, NULL);
}
