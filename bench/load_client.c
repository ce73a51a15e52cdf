/* bench/load_client.c - one run of the request loop with full records and a spool, or of what it is
 * compared with. bench/load starts it on a core of its own and makes the table.
 *
 *     load_client whole|stream PORT TOKENS STREAMS SECONDS   our loop, closed
 *     load_client hold PORT TOKENS STREAMS SECONDS           our loop, STREAMS open at once, one
 * each load_client lag PORT RATE STREAMS SECONDS              our loop, RATE requests a second
 *     load_client reader PORT TOKENS STREAMS SECONDS         raw sockets: counts answers, reads
 * nothing load_client timer 0 RATE 0 SECONDS                     clock_nanosleep(2) at RATE a
 * second
 *
 * Each prints one JSON object. `reader` sends one request over and over and looks for the end of
 * each answer in the last bytes of what it read: as little as a client can do.
 */
#include "load/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 600000, TAIL = 7, READ_BYTES = 64 * 1024 };

struct job {
    const char *mode;
    int port, tokens, streams, seconds;
};

static _Noreturn void give_up(const char *what)
{
    perror(what);
    exit(1);
}

static int64_t now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void print_lags(int64_t *lags_ns, size_t n)
{
    qsort(lags_ns, n, sizeof *lags_ns, compare);
    printf(", \"lag_p50_us\": %.1f, \"lag_p99_us\": %.1f, \"lag_max_us\": %.1f",
           (double)lags_ns[n / 2] / 1e3, (double)lags_ns[n * 99 / 100] / 1e3,
           (double)lags_ns[n - 1] / 1e3);
}

static void print_end(double requests, double dur_s, double cpu_s)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf(", \"requests\": %.0f, \"dur_s\": %.4f, \"cpu_s\": %.4f, \"rss_mib\": %.1f}\n", requests,
           dur_s, cpu_s, (double)usage.ru_maxrss / 1024);
}

/* ---- our loop ---- */

static int stop_after(int seconds)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    struct itimerspec when = {.it_value.tv_sec = seconds};
    if (fd < 0 || timerfd_settime(fd, 0, &when, NULL) < 0)
        give_up("timerfd");
    return fd;
}

static size_t count_of(const struct job *j)
{
    if (strcmp(j->mode, "hold") == 0)
        return (size_t)j->streams;
    return strcmp(j->mode, "lag") == 0 ? (size_t)j->tokens * (size_t)j->seconds : MOST;
}

static void ours(const struct job *j)
{
    char base_url[64], spool[] = "/tmp/perjoule-load-XXXXXX";
    bool lag = strcmp(j->mode, "lag") == 0, hold = strcmp(j->mode, "hold") == 0;
    size_t n = count_of(j);
    struct pji_request_spec *specs = calloc(n, sizeof *specs);
    int64_t *due_ns = calloc(n, sizeof *due_ns);
    struct pji_load_result result;
    struct pj_error err = {0};
    int spool_fd = mkstemp(spool);
    if (!specs || !due_ns || spool_fd < 0)
        give_up("setting up");
    close(spool_fd);
    for (size_t i = 0; i < n; i++) {
        specs[i] = (struct pji_request_spec){.item = "x",
                                             .prompt = "x",
                                             .max_tokens = lag ? 1 : j->tokens,
                                             .whole = lag || strcmp(j->mode, "whole") == 0};
        due_ns[i] = lag ? (int64_t)i * 1000000000 / j->tokens : 0;
    }
    snprintf(base_url, sizeof base_url, "http://127.0.0.1:%d/v1", j->port);
    struct pji_endpoint endpoint = {.base_url = base_url};
    struct pji_load_plan plan = {.endpoint = &endpoint,
                                 .specs = specs,
                                 .n = n,
                                 .concurrency = j->streams,
                                 .due_ns = lag ? due_ns : NULL,
                                 .stop_fd = lag || hold ? -1 : stop_after(j->seconds),
                                 .spool_path = spool};
    pj_status status = pji_load_run(&plan, &result, &err);
    unlink(spool);
    if (status && status != PJ_ECANCELED) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    for (size_t i = 0; i < result.n; i++)
        if (result.records[i].error) {
            fprintf(stderr, "%zu requests failed: %s\n", result.n_failed, result.records[i].error);
            exit(1);
        }
    double chunks = 0;
    for (size_t i = 0; i < result.n; i++) {
        chunks += (double)result.records[i].n_tokens;
        due_ns[i] = result.records[i].sent_ns - result.records[i].scheduled_ns;
    }
    printf("{\"chunks\": %.0f", chunks);
    if (lag)
        print_lags(due_ns, n);
    print_end((double)result.n_done, (double)(result.end_ns - result.start_ns) / 1e9,
              (double)result.client_cpu_ns / 1e9);
    pji_load_result_fini(&result);
    free(specs);
    free(due_ns);
}

/* ---- what it is compared with ---- */

static void timer(const struct job *j)
{
    size_t n = (size_t)j->tokens * (size_t)j->seconds;
    int64_t *lags_ns = calloc(n, sizeof *lags_ns);
    if (!lags_ns)
        give_up("calloc");
    int64_t zero_ns = now_ns(CLOCK_MONOTONIC), cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
    for (size_t i = 0; i < n; i++) {
        int64_t due_ns = zero_ns + (int64_t)i * 1000000000 / j->tokens;
        struct timespec due = {.tv_sec = (time_t)(due_ns / 1000000000),
                               .tv_nsec = (long)(due_ns % 1000000000)};
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR) {
        }
        lags_ns[i] = now_ns(CLOCK_MONOTONIC) - due_ns;
    }
    double dur_s = (double)(now_ns(CLOCK_MONOTONIC) - zero_ns) / 1e9;
    printf("{\"chunks\": 0");
    print_lags(lags_ns, n);
    print_end((double)n, dur_s, (double)(now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns) / 1e9);
    free(lags_ns);
}

struct line {
    int fd;
    size_t seen;     /* of the tail of the answer so far */
    char tail[TAIL]; /* its last bytes */
};

static int dial(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        give_up("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

/* A chunked answer ends with an empty chunk. */
static bool at_end(struct line *l, const char *bytes, size_t n)
{
    static const char end[TAIL] = "\r\n0\r\n\r\n";
    size_t keep = n >= TAIL ? 0 : TAIL - n;
    memmove(l->tail, l->tail + TAIL - keep, keep);
    memcpy(l->tail + keep, bytes + (n >= TAIL ? n - TAIL : 0), TAIL - keep);
    return memcmp(l->tail, end, TAIL) == 0;
}

static void ask(const struct line *l, const char *request, size_t n)
{
    if (send(l->fd, request, n, MSG_NOSIGNAL) != (ssize_t)n)
        give_up("send");
}

static double read_on(struct line *l, const char *request, size_t request_n)
{
    static char bytes[READ_BYTES];
    ssize_t n = recv(l->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n <= 0)
        give_up("recv");
    if (!at_end(l, bytes, (size_t)n))
        return 0;
    memset(l->tail, 0, sizeof l->tail);
    ask(l, request, request_n);
    return 1;
}

static void reader(const struct job *j)
{
    struct line *lines = calloc((size_t)j->streams, sizeof *lines);
    struct epoll_event events[256];
    char body[128], request[400];
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    double done = 0;
    if (!lines || epoll_fd < 0)
        give_up("setting up");
    snprintf(body, sizeof body, "{\"prompt\":\"x\",\"stream\":true,\"max_tokens\":%d}", j->tokens);
    int request_n = snprintf(request, sizeof request,
                             "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: "
                             "application/json\r\nContent-Length: %zu\r\n\r\n%s",
                             strlen(body), body);
    for (int i = 0; i < j->streams; i++) {
        lines[i].fd = dial(j->port);
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = &lines[i]};
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, lines[i].fd, &e);
        ask(&lines[i], request, (size_t)request_n);
    }
    int64_t start_ns = now_ns(CLOCK_MONOTONIC), cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
    int64_t end_ns = start_ns + (int64_t)j->seconds * 1000000000, t_ns = start_ns;
    for (; t_ns < end_ns; t_ns = now_ns(CLOCK_MONOTONIC)) {
        int n = epoll_wait(epoll_fd, events, 256, 100);
        for (int i = 0; i < n; i++)
            done += read_on(events[i].data.ptr, request, (size_t)request_n);
    }
    printf("{\"chunks\": %.0f", done * j->tokens);
    print_end(done, (double)(t_ns - start_ns) / 1e9,
              (double)(now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns) / 1e9);
    free(lines);
}

int main(int argc, char **argv)
{
    struct rlimit files;
    if (argc != 6) {
        fprintf(stderr, "load_client is started by bench/load\n");
        return 2;
    }
    struct job j = {argv[1], atoi(argv[2]), atoi(argv[3]), atoi(argv[4]), atoi(argv[5])};
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    if (strcmp(j.mode, "reader") == 0)
        reader(&j);
    else if (strcmp(j.mode, "timer") == 0)
        timer(&j);
    else
        ours(&j);
    return 0;
}
