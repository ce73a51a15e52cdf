/* tests/stub/stub_server.c - sockets, time and HTTP of the stub; see stub.h.
 *
 * A connection reads one request at a time (what a client pipelines waits in its buffer), answers
 * it at once or when its timer is due, and is kept alive. Timers are a binary heap, so that 10 000
 * open streams cost little. GET /stub/last gives the last completion's body, /stub/counts what was
 * seen: tests check the wire with them. GET /stub/arrivals (--arrivals) gives when each completion
 * was asked for, in microseconds of CLOCK_MONOTONIC: benches hold clients against their schedule.
 */
#include "stub.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_BODY = 64 * 1024 * 1024, READ_BYTES = 64 * 1024 };

struct conn {
    int fd;
    struct stub_buf in, out;
    size_t out_at;
    bool busy, want_out, closing, resetting;
    int64_t requests, due_us; /* due_us valid while heap_at > 0 */
    size_t heap_at;
    struct stub_job job;
};

struct server {
    struct stub_options o;
    int epoll_fd, listen_fd;
    int64_t start_us, requests, in_flight, in_flight_max, open, opened, prompt_tokens, tokens;
    struct conn **heap; /* 1-based */
    size_t heap_n, heap_cap;
    struct stub_buf last;
    int64_t *arrivals_us;
    size_t n_arrivals, arrivals_cap;
};

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- timers ---- */

static void heap_put(struct server *s, struct conn *c, size_t at)
{
    s->heap[at] = c;
    c->heap_at = at;
}

static void heap_fix(struct server *s, struct conn *c, size_t at)
{
    for (; at > 1 && s->heap[at / 2]->due_us > c->due_us; at /= 2)
        heap_put(s, s->heap[at / 2], at);
    for (size_t child; (child = at * 2) <= s->heap_n; at = child) {
        child += child < s->heap_n && s->heap[child + 1]->due_us < s->heap[child]->due_us;
        if (s->heap[child]->due_us >= c->due_us)
            break;
        heap_put(s, s->heap[child], at);
    }
    heap_put(s, c, at);
}

static void timer_clear(struct server *s, struct conn *c)
{
    size_t at = c->heap_at;
    if (at == 0)
        return;
    c->heap_at = 0;
    struct conn *last = s->heap[s->heap_n--];
    if (last != c)
        heap_fix(s, last, at);
}

static void timer_set(struct server *s, struct conn *c, int64_t due_us)
{
    timer_clear(s, c);
    if (s->heap_n + 2 > s->heap_cap) {
        s->heap_cap = s->heap_cap * 2 + 64;
        s->heap = realloc(s->heap, s->heap_cap * sizeof(struct conn *));
        if (!s->heap)
            abort();
    }
    c->due_us = due_us;
    s->heap_n++;
    heap_fix(s, c, s->heap_n);
}

/* ---- connections ---- */

static void job_end(struct server *s, struct conn *c)
{
    if (!c->busy)
        return;
    s->in_flight--;
    s->tokens += c->job.sent_tokens;
    c->busy = false;
    stub_job_fini(&c->job);
    timer_clear(s, c);
}

static void conn_close(struct server *s, struct conn *c)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (c->resetting)
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    job_end(s, c);
    timer_clear(s, c);
    close(c->fd);
    free(c->in.p);
    free(c->out.p);
    free(c);
    s->open--;
}

static void watch_out(struct server *s, struct conn *c, bool want)
{
    if (want == c->want_out)
        return;
    struct epoll_event e = {.events = EPOLLIN | (want ? (uint32_t)EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
    c->want_out = want;
}

/* Writes what is ready; false: the connection is gone. */
static bool conn_flush(struct server *s, struct conn *c)
{
    while (c->out_at < c->out.n) {
        size_t n = c->out.n - c->out_at;
        if (s->o.split > 0 && n > (size_t)s->o.split)
            n = (size_t)s->o.split;
        ssize_t sent = send(c->fd, c->out.p + c->out_at, n, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
            watch_out(s, c, true);
            return true;
        }
        if (sent < 0) {
            conn_close(s, c);
            return false;
        }
        c->out_at += (size_t)sent;
        if (s->o.dribble_us > 0 && c->out_at < c->out.n) {
            timer_set(s, c, now_us() + s->o.dribble_us);
            return true;
        }
    }
    c->out.n = c->out_at = 0;
    watch_out(s, c, false);
    if (!c->closing || c->busy)
        return true;
    conn_close(s, c);
    return false;
}

/* ---- answers ---- */

/* Writes every event that is due; false: the connection is gone. */
static bool stream_on(struct server *s, struct conn *c)
{
    const struct stub_options *o = &s->o;
    while (!c->job.ended) {
        if (c->job.fault == FAULT_HANG && c->job.sent_tokens >= c->job.n_tokens / 2)
            return conn_flush(s, c);
        if (!stub_job_event(&c->job, o, &c->out)) {
            c->resetting = c->job.fault == FAULT_RESET;
            c->closing = true;
            job_end(s, c);
            return conn_flush(s, c);
        }
        if (!c->job.ended && o->itl_us > 0) {
            if (!conn_flush(s, c))
                return false;
            if (c->out.n == 0)
                timer_set(s, c, now_us() + o->itl_us);
            return true;
        }
        if (o->write_each && !conn_flush(s, c))
            return false;
    }
    job_end(s, c);
    return conn_flush(s, c);
}

static bool answer_text(struct server *s, struct conn *c, int status, const char *type,
                        const char *text)
{
    stub_respond(&c->out, status, type, text, strlen(text));
    job_end(s, c);
    return conn_flush(s, c);
}

static bool on_due(struct server *s, struct conn *c)
{
    if (c->out.n > 0) { /* a dribbled answer goes on */
        if (!conn_flush(s, c))
            return false;
        if (c->out.n > 0 || !c->busy)
            return true;
    }
    if (c->job.stream)
        return stream_on(s, c);
    stub_job_whole(&c->job, &s->o, &c->out);
    job_end(s, c);
    return conn_flush(s, c);
}

static void note_arrival(struct server *s)
{
    if (s->n_arrivals == s->arrivals_cap) {
        s->arrivals_cap = s->arrivals_cap > 0 ? 2 * s->arrivals_cap : 4096;
        s->arrivals_us = realloc(s->arrivals_us, s->arrivals_cap * sizeof *s->arrivals_us);
        if (!s->arrivals_us)
            abort();
    }
    s->arrivals_us[s->n_arrivals++] = now_us();
}

static bool arrivals(struct server *s, struct conn *c)
{
    static struct stub_buf b;
    b.n = 0;
    stub_puts(&b, "");
    for (size_t i = 0; i < s->n_arrivals; i++)
        stub_printf(&b, "%lld\n", (long long)s->arrivals_us[i]);
    return answer_text(s, c, 200, "text/plain", b.n > 0 ? b.p : "");
}

static bool completion(struct server *s, struct conn *c, bool chat, const char *body)
{
    s->requests++;
    if (s->o.arrivals)
        note_arrival(s);
    s->in_flight++;
    s->in_flight_max = s->in_flight > s->in_flight_max ? s->in_flight : s->in_flight_max;
    s->last.n = 0;
    stub_puts(&s->last, body);
    stub_job_read(&c->job, &s->o, chat, body, s->requests);
    c->busy = true;
    s->prompt_tokens += c->job.prompt_tokens;
    enum stub_fault fault = c->job.fault;
    if (fault == FAULT_DIE)
        _exit(86);
    if (fault == FAULT_STALL)
        return true;
    if (fault == FAULT_FAIL)
        return answer_text(
            s, c, 500, "application/json",
            "{\"error\":{\"message\":\"planned failure\",\"type\":\"server_error\"}}");
    if (fault == FAULT_HTML)
        return answer_text(s, c, 200, "text/html", "<html><body>It works!</body></html>");
    if (fault == FAULT_NO_STREAM)
        c->job.stream = false;
    int64_t wait_us = s->o.ttft_us;
    if (!c->job.stream && c->job.n_tokens > 1)
        wait_us += s->o.itl_us * (c->job.n_tokens - 1);
    if (wait_us <= 0)
        return on_due(s, c);
    timer_set(s, c, now_us() + wait_us);
    return true;
}

static bool metrics(struct server *s, struct conn *c)
{
    static struct stub_buf b;
    b.n = 0;
    stub_printf(&b,
                "# HELP llamacpp:prompt_tokens_total Number of prompt tokens processed.\n"
                "# TYPE llamacpp:prompt_tokens_total counter\n"
                "llamacpp:prompt_tokens_total %lld\n"
                "# TYPE llamacpp:tokens_predicted_total counter\n"
                "llamacpp:tokens_predicted_total %lld\n"
                "# TYPE llamacpp:requests_processing gauge\n"
                "llamacpp:requests_processing %lld\n",
                (long long)s->prompt_tokens, (long long)s->tokens, (long long)s->in_flight);
    return answer_text(s, c, 200, "text/plain; version=0.0.4", b.p);
}

static bool facts(struct server *s, struct conn *c, const char *path)
{
    static struct stub_buf b;
    const char *name = s->o.alias ? s->o.alias : s->o.model ? s->o.model : "stub";
    b.n = 0;
    if (strcmp(path, "/props") == 0)
        stub_printf(&b,
                    "{\"model_path\":\"%s\",\"total_slots\":%lld,\"build_info\":\"stub\","
                    "\"default_generation_settings\":{\"n_ctx\":%lld},\"chat_template\":\"\"}",
                    s->o.model ? s->o.model : "stub", (long long)s->o.parallel,
                    (long long)(s->o.ctx_size / (s->o.parallel > 0 ? s->o.parallel : 1)));
    else if (strcmp(path, "/v1/models") == 0)
        stub_printf(&b,
                    "{\"object\":\"list\",\"data\":[{\"id\":\"%s\",\"object\":\"model\","
                    "\"root\":\"%s\",\"owned_by\":\"stub\"}]}",
                    name, s->o.model ? s->o.model : "model.gguf");
    else if (strcmp(path, "/stub/counts") == 0)
        stub_printf(&b,
                    "{\"requests\":%lld,\"in_flight\":%lld,\"in_flight_max\":%lld,\"open\":%lld,"
                    "\"opened\":%lld}",
                    (long long)s->requests, (long long)s->in_flight, (long long)s->in_flight_max,
                    (long long)s->open, (long long)s->opened);
    else if (strcmp(path, "/stub/last") == 0)
        stub_add(&b, s->last.p ? s->last.p : "", s->last.n);
    else
        return answer_text(s, c, 404, "application/json",
                           "{\"error\":{\"message\":\"no such page\",\"code\":404}}");
    return answer_text(s, c, 200, "application/json", b.p);
}

static bool get(struct server *s, struct conn *c, const char *path)
{
    if (strcmp(path, "/health") == 0) {
        if (s->o.health_hang)
            return true;
        if (now_us() < s->start_us + s->o.health_delay_ms * 1000)
            return answer_text(s, c, 503, "application/json",
                               "{\"error\":{\"message\":\"Loading model\",\"code\":503}}");
        return answer_text(s, c, 200, "application/json", "{\"status\":\"ok\"}");
    }
    if (strcmp(path, "/stub/arrivals") == 0)
        return arrivals(s, c);
    if (strcmp(path, "/metrics") == 0)
        return metrics(s, c);
    if (strcmp(path, "/version") == 0)
        return answer_text(s, c, 200, "application/json", "{\"version\":\"stub-1\"}");
    return facts(s, c, path);
}

/* ---- HTTP ---- */

/* Value of a header in head (which is NUL-terminated), or NULL. */
static const char *header(const char *head, const char *name)
{
    size_t n = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, name, n) == 0 && line[2 + n] == ':')
            return line + 3 + n + strspn(line + 3 + n, " \t");
    return NULL;
}

static bool has_key(const struct server *s, const char *head)
{
    const char *value = header(head, "Authorization");
    size_t n = s->o.api_key ? strlen(s->o.api_key) : 0;
    return !s->o.api_key || (value && strncmp(value, "Bearer ", 7) == 0 &&
                             strncmp(value + 7, s->o.api_key, n) == 0 && value[7 + n] == '\r');
}

/* What a chat template makes of the messages, as llama.cpp and vLLM tell it. */
static bool rendered(struct server *s, struct conn *c, const char *path, const char *body)
{
    static struct stub_buf b;
    const char *text = strcmp(path, "/tokenize") == 0 ? s->o.tokenizer : s->o.chat_template;
    const char *messages = strstr(body, "\"messages\"");
    b.n = 0;
    if (!text || !messages)
        return answer_text(s, c, 404, "application/json",
                           "{\"error\":{\"message\":\"no such page\",\"code\":404}}");
    if (strcmp(path, "/tokenize") == 0) {
        stub_printf(&b, "{\"tokens\":[%s]}", text);
    } else {
        stub_printf(&b, "{\"prompt\":\"%s ", text);
        for (const char *p = messages; *p; p++) /* of JSON, so that no quote is left alone */
            if (*p != '"' && *p != '\\')
                stub_add(&b, p, 1);
        stub_puts(&b, "\"}");
    }
    return answer_text(s, c, 200, "application/json", b.p);
}

static bool dispatch(struct server *s, struct conn *c, char *head, const char *body)
{
    char method[8], path[128];
    if (sscanf(head, "%7s %127s", method, path) != 2)
        return answer_text(s, c, 400, "text/plain", "not HTTP\n");
    bool known = has_key(s, head);
    if (strncmp(path, "/v1/", 4) == 0 && !known)
        return answer_text(s, c, 401, "application/json",
                           "{\"error\":{\"message\":\"Invalid API Key\",\"code\":401}}");
    if (strcmp(method, "GET") == 0)
        return get(s, c, path);
    if (strcmp(path, "/v1/completions") == 0)
        return completion(s, c, false, body);
    if (strcmp(path, "/v1/chat/completions") == 0)
        return completion(s, c, true, body);
    return rendered(s, c, path, body);
}

/* Answers the requests that are complete in the buffer; false: the connection is gone. */
static bool serve(struct server *s, struct conn *c)
{
    while (!c->busy && c->out.n == 0 && c->in.n > 0) {
        char *end = memmem(c->in.p, c->in.n, "\r\n\r\n", 4);
        if (!end)
            return true;
        size_t head_n = (size_t)(end - c->in.p) + 4;
        end[2] = '\0';
        const char *length = header(c->in.p, "Content-Length");
        size_t body_n = length ? (size_t)strtoul(length, NULL, 10) : 0;
        end[2] = '\r';
        if (body_n > MAX_BODY) {
            conn_close(s, c);
            return false;
        }
        if (c->in.n < head_n + body_n)
            return true;
        end[2] = '\0';
        char after = c->in.p[head_n + body_n];
        c->in.p[head_n + body_n] = '\0';
        c->requests++;
        if (s->o.keep_alive > 0 && c->requests >= s->o.keep_alive)
            c->closing = true;
        struct stub_buf in = c->in; /* the answer may end the connection */
        c->in = (struct stub_buf){0};
        bool alive = dispatch(s, c, in.p, in.p + head_n);
        in.p[head_n + body_n] = after;
        if (alive) {
            in.n -= head_n + body_n;
            memmove(in.p, in.p + head_n + body_n, in.n + 1);
            c->in = in;
        } else {
            free(in.p);
            return false;
        }
    }
    return true;
}

static void on_readable(struct server *s, struct conn *c)
{
    static char bytes[READ_BYTES];
    ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        conn_close(s, c);
        return;
    }
    stub_add(&c->in, bytes, (size_t)n);
    serve(s, c);
}

static void on_accept(struct server *s)
{
    for (;;) {
        int fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct conn *c = calloc(1, sizeof *c);
        if (!c)
            abort();
        c->fd = fd;
        s->open++;
        s->opened++;
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &e);
    }
}

static void on_event(struct server *s, const struct epoll_event *e)
{
    struct conn *c = e->data.ptr;
    if (!c) {
        on_accept(s);
        return;
    }
    if ((e->events & EPOLLOUT) && c->want_out) {
        if (!conn_flush(s, c))
            return;
        if (c->out.n == 0 && c->busy && c->heap_at == 0 && c->job.stream && c->job.head_sent &&
            !stream_on(s, c))
            return;
        if (!serve(s, c))
            return;
    }
    if (e->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        on_readable(s, c);
}

static void run(struct server *s)
{
    struct epoll_event events[256];
    for (;;) {
        int64_t now = now_us();
        while (s->heap_n > 0 && s->heap[1]->due_us <= now) {
            struct conn *c = s->heap[1];
            timer_clear(s, c);
            if (on_due(s, c))
                serve(s, c);
        }
        int64_t wait_us = s->heap_n > 0 ? s->heap[1]->due_us - now_us() : -1;
        struct timespec limit = {.tv_sec = wait_us > 0 ? wait_us / 1000000 : 0,
                                 .tv_nsec = wait_us > 0 ? wait_us % 1000000 * 1000 : 0};
        int n = epoll_pwait2(s->epoll_fd, events, 256, s->heap_n > 0 ? &limit : NULL, NULL);
        for (int i = 0; i < n; i++)
            on_event(s, &events[i]);
    }
}

/* ---- start ---- */

static void leave_grandchild(const char *file)
{
    if (fork() != 0)
        return;
    setsid();
    if (fork() != 0)
        _exit(0);
    FILE *f = fopen(file, "w");
    if (f) {
        fprintf(f, "%ld\n", (long)getpid());
        fclose(f);
    }
    alarm(900);
    for (;;)
        pause();
}

static int listen_on(const struct stub_options *o, int *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)o->port)};
    socklen_t len = sizeof a;
    const char *host = strcmp(o->host, "localhost") == 0 ? "127.0.0.1" : o->host;
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (inet_pton(AF_INET, host, &a.sin_addr) != 1 || bind(fd, (struct sockaddr *)&a, len) < 0 ||
        listen(fd, 16384) < 0 || getsockname(fd, (struct sockaddr *)&a, &len) < 0) {
        fprintf(stderr, "stub_server: cannot listen on %s:%lld: %s\n", o->host, (long long)o->port,
                strerror(errno));
        exit(1);
    }
    *port = ntohs(a.sin_port);
    return fd;
}

static void tell_port(const struct stub_options *o, int port)
{
    printf("port %d\n", port);
    fflush(stdout);
    FILE *f = o->port_file ? fopen(o->port_file, "w") : NULL;
    if (f) {
        fprintf(f, "%d\n", port);
        fclose(f);
    }
}

int main(int argc, char **argv)
{
    struct server s = {0};
    int port = 0;
    stub_options_read(&s.o, argc, argv);
    if (s.o.start_fail) {
        fputs("stub_server: told to fail at the start\n", stderr);
        return 1;
    }
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    signal(SIGPIPE, SIG_IGN);
    if (s.o.ignore_term)
        signal(SIGTERM, SIG_IGN);
    if (s.o.grandchild)
        leave_grandchild(s.o.grandchild);
    alarm((unsigned)s.o.max_life_s);
    s.start_us = now_us();
    s.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    s.listen_fd = listen_on(&s.o, &port);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(s.epoll_fd, EPOLL_CTL_ADD, s.listen_fd, &e);
    tell_port(&s.o, port);
    run(&s);
}
