/* Answers as odd servers send them, byte for byte: what is right is taken as it is meant, what is
 * wrong becomes a failed request. A child of the test plays the server; its answers are scripts of
 * pieces, each one write(2).
 */
#include "fixture.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
#define CHUNKED                                                                                    \
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
#define SAYS(t) "data: {\"choices\":[{\"text\":\"" t "\"}]}\n\n"
#define END     "data: [DONE]\n\n"
#define USAGE(n)                                                                                   \
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":" n "}}\n\n"

enum { PIECES = 8, PAUSE_US = 20000 };

struct answer {
    const char *what;
    const char *pieces[PIECES]; /* with a pause between; the connection is closed then */
    const char *text;           /* of the record */
    int64_t output_tokens;
    size_t chunks;      /* time stamps */
    const char *error;  /* part of the sentence; NULL: it succeeds */
    bool whole;         /* one JSON object is asked for */
    const char *reason; /* reasoning text; NULL: none */
};

static const struct answer answers[] = {
    /* ---- right, in odd ways ---- */
    {"plain", {HEAD SAYS("a") SAYS("b") USAGE("2") END}, "ab", 2, 2, NULL, false, NULL},
    {"CRLF",
     {HEAD "data: {\"choices\":[{\"text\":\"a\"}]}\r\n\r\ndata: [DONE]\r\n\r\n"},
     "a",
     -1,
     1,
     NULL,
     false,
     NULL},
    {"CR alone",
     {HEAD "data: {\"choices\":[{\"text\":\"a\"}]}\r\rdata: [DONE]\r\r"},
     "a",
     -1,
     1,
     NULL,
     false,
     NULL},
    {"CR LF split between reads",
     {HEAD "data: {\"choices\":[{\"text\":\"a\"}]}\r", "\n\r", "\ndata: [DONE]\r\n\r\n"},
     "a",
     -1,
     1,
     NULL,
     false,
     NULL},
    {"comments, ids, retries, other types",
     {HEAD ": hello\n\n:\nid: 7\nretry: 10\nevent: message\n" SAYS("a") ": ping\n\n" END},
     "a",
     -1,
     1,
     NULL,
     false,
     NULL},
    {"no blank after the colon, a byte order mark",
     {HEAD "\xef\xbb\xbf"
           "data:{\"choices\":[{\"text\":\"a\"}]}\n\ndata:[DONE]\n\n"},
     "a",
     -1,
     1,
     NULL,
     false,
     NULL},
    {"an object over two data lines",
     {HEAD "data: {\"choices\":[{\ndata: \"text\":\"a\"}]}\n\n" END},
     "a",
     -1,
     1,
     NULL,
     false,
     NULL},
    {"UTF-8 split between reads",
     {HEAD "data: {\"choices\":[{\"text\":\"\xf0\x9f", "\x98", "\x80\"}]}\n\n" END},
     "\xf0\x9f\x98\x80",
     -1,
     1,
     NULL,
     false,
     NULL},
    {"one byte of the head at a time",
     {"H", "TTP/1.1 200 OK\r\nContent-Type: TEXT/EVENT-STREAM; charset=utf-8\r", "\n\r",
      "\n" SAYS("a") END},
     "a",
     -1,
     1,
     NULL,
     false,
     NULL},
    {"empty first chunks have no time",
     {HEAD "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
      "data: {\"choices\":[{\"delta\":{\"content\":null}}]}\n\n",
      "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n" END},
     "a",
     -1,
     1,
     NULL,
     false,
     NULL},
    {"usage on every chunk: the last counts",
     {HEAD "data: {\"choices\":[{\"text\":\"a\"}],\"usage\":{\"completion_tokens\":1}}\n\n"
           "data: {\"choices\":[{\"text\":\"b c\"}],\"usage\":{\"completion_tokens\":4}}\n\n" END},
     "ab c",
     4,
     2,
     NULL,
     false,
     NULL},
    {"usage null on all but the last",
     {HEAD "data: {\"choices\":[{\"text\":\"a\"}],\"usage\":null}\n\n" USAGE("9") END},
     "a",
     9,
     1,
     NULL,
     false,
     NULL},
    {"usage before the text", {HEAD USAGE("5") SAYS("a") END}, "a", 5, 1, NULL, false, NULL},
    {"zeros in usage are no counts where there is text",
     {HEAD SAYS(
         "a") "data: "
              "{\"choices\":[],\"usage\":{\"prompt_tokens\":0,\"completion_tokens\":0}}\n\n" END},
     "a",
     -1,
     1,
     NULL,
     false,
     NULL},
    {"nonsense in usage is no count",
     {HEAD SAYS("a") "data: {\"choices\":[],\"usage\":{\"completion_tokens\":\"many\"}}\n\n" END},
     "a",
     -1,
     1,
     NULL,
     false,
     NULL},
    {"reasoning is text for times, and no answer",
     {HEAD "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n",
      "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n" USAGE("6") END},
     "a",
     6,
     2,
     NULL,
     false,
     "hm"},
    {"reasoning alone",
     {HEAD "data: {\"choices\":[{\"delta\":{\"reasoning\":\"hm\"}}]}\n\n" END},
     NULL,
     -1,
     1,
     NULL,
     false,
     "hm"},
    {"another choice has no say",
     {HEAD "data: {\"choices\":[{\"index\":1,\"text\":\"no\"}]}\n\n" SAYS("a") END},
     "a",
     -1,
     1,
     NULL,
     false,
     NULL},
    {"text after [DONE] is none",
     {HEAD SAYS("a") END SAYS("b") "data: oops\n\n"},
     "a",
     -1,
     1,
     NULL,
     false,
     NULL},
    {"chunks with extensions, and a trailer",
     {CHUNKED "Trailer: X-Time\r\n\r\n21;a=b\r\ndata: {\"choices\":[{\"text\":\"a\"}",
      "]}\n\r\n"
      "F\r\n\ndata: [DONE]\n\n\r\n0\r\nX-Time: 3\r\n\r\n"},
     "a",
     -1,
     1,
     NULL,
     false,
     NULL},
    {"100 Continue first",
     {"HTTP/1.1 100 Continue\r\n\r\n", HEAD SAYS("a") END},
     "a",
     -1,
     1,
     NULL,
     false,
     NULL},
    {"HTTP/1.0",
     {"HTTP/1.0 200 OK\r\nContent-type: text/event-stream\r\n\r\n" SAYS("a") END},
     "a",
     -1,
     1,
     NULL,
     false,
     NULL},
    {"201 is success too",
     {"HTTP/1.1 201 Created\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" SAYS(
         "a") END},
     "a",
     -1,
     1,
     NULL,
     false,
     NULL},
    {"one JSON object",
     {"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nConnection: "
      "close\r\n\r\n",
      "{\"choices\":[{\"text\":\"a\xc3", "\xa4\"}],\"usage\":{\"completion_tokens\":2}}"},
     "a\xc3\xa4",
     2,
     0,
     NULL,
     true,
     NULL},
    /* ---- wrong ---- */
    {"no [DONE]", {HEAD SAYS("a") USAGE("1")}, "a", 1, 1, "without [DONE]", false, NULL},
    {"[DONE] without its blank line",
     {HEAD SAYS("a") "data: [DONE]"},
     "a",
     -1,
     1,
     "without [DONE]",
     false,
     NULL},
    {"an error inside the stream",
     {HEAD SAYS("a") "data: {\"error\":{\"message\":\"out of memory\",\"code\":500}}\n\n" END},
     "a",
     -1,
     1,
     "an error inside its answer: out of memory",
     false,
     NULL},
    {"an event of type error",
     {HEAD SAYS("a") "event: error\ndata: {\"message\":\"worker lost\"}\n\n" END},
     "a",
     -1,
     1,
     "an error inside its answer: worker lost",
     false,
     NULL},
    {"an event of type error with any text",
     {HEAD SAYS("a") "event:error\r\ndata: gone\r\n\r\n" END},
     "a",
     -1,
     1,
     "inside its answer: gone",
     false,
     NULL},
    {"a field of the name error, as older llama.cpp sends it before [DONE]",
     {HEAD SAYS("a") "error: {\"code\":500,\"message\":\"slot gone\"}\n\n" END},
     "a",
     -1,
     1,
     "an error inside its answer: slot gone",
     false,
     NULL},
    {"the same in pieces",
     {HEAD SAYS("a") "err", "or: {\"code\":500,\"mess", "age\":\"slot gone\"}\n", "\n" END},
     "a",
     -1,
     1,
     "an error inside its answer: slot gone",
     false,
     NULL},
    {"given up",
     {HEAD SAYS("a") "data: {\"choices\":[{\"text\":\"\",\"finish_reason\":\"abort\"}]}\n\n" END},
     "a",
     -1,
     1,
     "finish_reason \"abort\"",
     false,
     NULL},
    {"200 with an error object",
     {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{\"error\":{"
      "\"message\":\"no such model\"}}"},
     NULL,
     -1,
     0,
     "no such model",
     false,
     NULL},
    {"the same where one object was asked for",
     {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{\"error\":{"
      "\"message\":\"no such model\"}}"},
     NULL,
     -1,
     0,
     "no such model",
     true,
     NULL},
    {"an error object under the name of a stream",
     {HEAD "{\"error\":{\"message\":\"no such model\"}}\n"},
     NULL,
     -1,
     0,
     "without [DONE]",
     false,
     NULL},
    {"[DONE] and nothing else", {HEAD END}, NULL, -1, 0, "without any text", false, NULL},
    {"white space and empty text only",
     {HEAD SAYS("") USAGE("0") END},
     NULL,
     0,
     0,
     "without any text",
     false,
     NULL},
    {"text that is not UTF-8",
     {HEAD "data: {\"choices\":[{\"text\":\"\xff\"}]}\n\n" END},
     NULL,
     -1,
     0,
     "not UTF-8",
     false,
     NULL},
    {"half a character in an object",
     {HEAD SAYS("\xc3") SAYS("\xa4") END},
     NULL,
     -1,
     0,
     "not UTF-8",
     false,
     NULL},
    {"compressed although nobody asked",
     {"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\nConnection: "
      "close\r\n\r\n\x1f\x8b\x08\x00\x00\n\n\x01\x02\x03"},
     NULL,
     -1,
     0,
     "compressed (gzip)",
     false,
     NULL},
    {"a length that promises more",
     {"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 5000\r\n\r\n" SAYS("a")
          END},
     "a",
     -1,
     1,
     "broke before the answer was complete",
     false,
     NULL},
    {"a chunk that is cut off",
     {CHUNKED "\r\n40\r\ndata: {\"choices\":[{\"text\":\"a\"}]}\n\n"},
     "a",
     -1,
     1,
     "broke before",
     false,
     NULL},
    {"a redirection",
     {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: "
      "0\r\nConnection: close\r\n\r\n"},
     NULL,
     -1,
     0,
     "HTTP 302",
     false,
     NULL},
    {"no HTTP at all", {"hello\r\n\r\n"}, NULL, -1, 0, "", false, NULL},
    {"nothing", {""}, NULL, -1, 0, "", false, NULL},
    {"503 with a page",
     {"HTTP/1.1 503 Busy\r\nConnection: close\r\n\r\ntry later"},
     NULL,
     -1,
     0,
     "HTTP 503: try later",
     false,
     NULL},
    {"a stream where one object was asked for",
     {HEAD SAYS("a") END},
     NULL,
     -1,
     0,
     "no JSON object although one was asked for",
     true,
     NULL},
};

enum { N_ANSWERS = sizeof answers / sizeof answers[0] };

/* ---- the server ---- */

/* Until the whole request is here; it is not answered early, or the client would see a reset. */
static void read_request(int fd)
{
    char bytes[8192];
    size_t n = 0, want = sizeof bytes - 1;
    while (n < want) {
        ssize_t got = recv(fd, bytes + n, sizeof bytes - 1 - n, 0);
        if (got <= 0)
            return;
        n += (size_t)got;
        bytes[n] = '\0';
        const char *end = strstr(bytes, "\r\n\r\n"), *length = strcasestr(bytes, "content-length:");
        if (end)
            want = (size_t)(end - bytes) + 4 + (length ? strtoul(length + 15, NULL, 10) : 0);
    }
}

static _Noreturn void play(int listener)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    alarm(120);
    for (size_t i = 0; i < N_ANSWERS; i++) {
        int one = 1, fd = accept(listener, NULL, NULL);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        read_request(fd);
        for (size_t p = 0; p < PIECES && answers[i].pieces[p]; p++) {
            if (p > 0)
                usleep(PAUSE_US);
            const char *piece = answers[i].pieces[p];
            if (send(fd, piece, strlen(piece), 0) < 0)
                break;
        }
        shutdown(fd, SHUT_WR);
        close(fd);
    }
    _exit(0);
}

static pid_t serve(char *base_url, size_t size)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof name;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&name, sizeof name) == 0 &&
                listen(fd, 16) == 0 && getsockname(fd, (struct sockaddr *)&name, &len) == 0);
    snprintf(base_url, size, "http://127.0.0.1:%d/v1", ntohs(name.sin_port));
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        play(fd);
    close(fd);
    return pid;
}

/* ---- the test ---- */

static void say(const struct answer *a, const struct pji_request_record *r)
{
    fail_msg("%s: text '%s', reasoning '%s', %lld tokens, %zu chunks, error: %s", a->what,
             r->text ? r->text : "(none)", r->reasoning ? r->reasoning : "(none)",
             (long long)r->output_tokens, r->n_tokens, r->error ? r->error : "(none)");
}

static bool same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void check(const struct answer *a, const struct pji_request_record *r)
{
    if (!same(a->text, r->text) || !same(a->reason, r->reasoning) ||
        a->output_tokens != r->output_tokens || r->prompt_tokens == 0 || a->chunks != r->n_tokens ||
        (a->error == NULL) != (r->error == NULL) || (a->error && !strstr(r->error, a->error)))
        say(a, r);
    /* times are those of text, in order, and never before the send */
    assert_true(r->sent_ns > 0);
    for (size_t i = 0; i < r->n_tokens; i++)
        assert_true(r->token_ns[i] >= (i > 0 ? r->token_ns[i - 1] : r->sent_ns));
    if (r->n_tokens > 0) {
        assert_int_equal(r->first_token_ns, r->token_ns[0]);
        assert_int_equal(r->last_token_ns, r->token_ns[r->n_tokens - 1]);
    } else {
        assert_int_equal(r->first_token_ns, 0);
    }
}

static void odd_answers(void **state)
{
    (void)state;
    struct fixture f = {0};
    char base_url[64];
    pid_t server = serve(base_url, sizeof base_url);
    f.endpoint.base_url = base_url;
    f.plan = (struct pji_load_plan){.endpoint = &f.endpoint,
                                    .specs = f.specs,
                                    .n = N_ANSWERS,
                                    .concurrency = 1,
                                    .request_timeout_ns = INT64_C(20000000000),
                                    .stop_fd = -1};
    for (size_t i = 0; i < N_ANSWERS; i++)
        f.specs[i] = (struct pji_request_spec){
            .item = answers[i].what, .prompt = "x", .max_tokens = 8, .whole = answers[i].whole};
    if (fixture_run(&f))
        fail_msg("%s", f.err.text);
    for (size_t i = 0; i < N_ANSWERS; i++)
        check(&answers[i], &f.result.records[i]);
    /* pieces of the third kind of empty chunk came 40 ms before the text */
    for (size_t i = 0; i < N_ANSWERS; i++)
        if (strstr(answers[i].what, "empty first chunks"))
            assert_true(f.result.records[i].first_token_ns - f.result.records[i].sent_ns >=
                        2 * PAUSE_US * INT64_C(1000));
    pji_load_result_fini(&f.result);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(odd_answers)};
    return cmocka_run_group_tests_name("load/odd", tests, NULL, NULL);
}
