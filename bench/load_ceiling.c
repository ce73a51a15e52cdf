/* bench/load_ceiling.c - how fast the request loop is, beside what the stub itself can give.
 *
 *     load_ceiling [PATH-OF-STUB_SERVER]
 *
 * The client has CPU 0 and the stub CPU 1 (on one CPU they share it). Each line is one run with
 * full records and a spool, then the same bytes fetched by wrk, where it is installed: wrk only
 * counts, so it shows the stub's ceiling. Then 10 000 open streams, and how late requests of an
 * open loop are sent. Nothing here passes or fails; a reader compares the ratios.
 */
#include "load/load.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS = 3, STREAMS = 64, MOST = 600000, ARGS = 16 };

struct server {
    pid_t pid;
    int port;
    char base_url[64];
};

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu % (size_t)sysconf(_SC_NPROCESSORS_ONLN), &set);
    sched_setaffinity(0, sizeof set, &set);
}

static void give_up(const char *what)
{
    perror(what);
    exit(1);
}

static FILE *spawn(char *const *argv, int cpu, pid_t *pid)
{
    int ends[2];
    if (pipe(ends) < 0)
        give_up("pipe");
    *pid = fork();
    if (*pid < 0)
        give_up("fork");
    if (*pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pin(cpu);
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execvp(argv[0], argv);
        _exit(127);
    }
    close(ends[1]);
    FILE *out = fdopen(ends[0], "r");
    if (!out)
        give_up("fdopen");
    return out;
}

static struct server start(const char *path, const char *const *args)
{
    struct server s = {0};
    char line[64] = "", *argv[ARGS];
    int n = 0;
    argv[n++] = strdup(path);
    argv[n++] = strdup("--port");
    argv[n++] = strdup("0");
    for (; *args && n < ARGS - 1; args++)
        argv[n++] = strdup(*args);
    argv[n] = NULL;
    FILE *out = spawn(argv, 1, &s.pid);
    if (!fgets(line, sizeof line, out) || sscanf(line, "port %d", &s.port) != 1) {
        fprintf(stderr, "%s does not start: give the path of stub_server\n", path);
        exit(1);
    }
    fclose(out);
    while (n > 0)
        free(argv[--n]);
    snprintf(s.base_url, sizeof s.base_url, "http://127.0.0.1:%d/v1", s.port);
    return s;
}

static void stop(const struct server *s)
{
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
}

static int stop_after(int seconds)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    struct itimerspec when = {.it_value.tv_sec = seconds};
    if (fd < 0 || timerfd_settime(fd, 0, &when, NULL) < 0)
        give_up("timerfd");
    return fd;
}

/* Requests per second that wrk gets for the same body; 0: no wrk. */
static double ceiling(const struct server *s, const char *dir, bool whole, int tokens)
{
    char script[128], url[96], line[256];
    double rate = 0;
    snprintf(script, sizeof script, "%s/post.lua", dir);
    FILE *lua = fopen(script, "w");
    if (!lua)
        give_up(script);
    fprintf(lua,
            "wrk.method = 'POST'\nwrk.headers['Content-Type'] = 'application/json'\n"
            "wrk.body = '{\"prompt\":\"x\",\"stream\":%s,\"max_tokens\":%d}'\n",
            whole ? "false" : "true", tokens);
    fclose(lua);
    snprintf(url, sizeof url, "%s/completions", s->base_url);
    char words[][8] = {"wrk", "-t1", "-c64", "-d3s", "-s"};
    char *argv[] = {words[0], words[1], words[2], words[3], words[4], script, url, NULL};
    pid_t pid = 0;
    FILE *out = spawn(argv, 0, &pid);
    while (fgets(line, sizeof line, out))
        if (strncmp(line, "Requests/sec:", 13) == 0)
            rate = strtod(line + 13, NULL);
    fclose(out);
    waitpid(pid, NULL, 0);
    unlink(script);
    return rate;
}

static long own_rss_mib(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%*d %ld", &pages) != 1)
        pages = 0;
    if (f)
        fclose(f);
    return pages * sysconf(_SC_PAGESIZE) / (1024 * 1024);
}

struct bench {
    const char *stub, *dir;
    char spool[128];
    struct pji_request_spec *specs;
    int64_t *due_ns;
};

static void run(struct bench *b, struct pji_load_plan *plan, struct pji_load_result *result)
{
    struct pj_error err = {0};
    plan->specs = b->specs;
    plan->spool_path = b->spool;
    pj_status status = pji_load_run(plan, result, &err);
    unlink(b->spool);
    if (status && status != PJ_ECANCELED) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    if (result->n_failed > 0)
        for (size_t i = 0; i < result->n; i++)
            if (result->records[i].error) {
                printf("  %zu requests FAILED: %s\n", result->n_failed, result->records[i].error);
                break;
            }
}

static void set_specs(struct bench *b, bool whole, int tokens)
{
    for (size_t i = 0; i < MOST; i++)
        b->specs[i] = (struct pji_request_spec){
            .item = "x", .prompt = "x", .max_tokens = tokens, .whole = whole};
}

static void throughput(struct bench *b, const char *title, bool whole, int tokens,
                       const char *const *args)
{
    struct server s = start(b->stub, args);
    struct pji_endpoint endpoint = {.base_url = s.base_url};
    struct pji_load_result result;
    int fd = stop_after(SECONDS);
    set_specs(b, whole, tokens);
    struct pji_load_plan plan = {
        .endpoint = &endpoint, .n = MOST, .concurrency = STREAMS, .stop_fd = fd};
    run(b, &plan, &result);
    close(fd);
    double dur_s = (double)(result.end_ns - result.start_ns) / 1e9;
    double rate = (double)result.n_done / dur_s;
    double most = ceiling(&s, b->dir, whole, tokens);
    printf("%-34s %9.0f req/s", title, rate);
    if (!whole)
        printf(" %10.0f events/s", rate * (tokens + 2));
    printf("  client CPU %3.0f %%", 100.0 * (double)result.client_cpu_ns / 1e9 / dur_s);
    if (most > 0)
        printf("  wrk %9.0f req/s  ratio %.2f", most, rate / most);
    printf("\n");
    pji_load_result_fini(&result);
    stop(&s);
}

static void many_streams(struct bench *b, size_t n)
{
    struct server s =
        start(b->stub, (const char *const[]){"--ttft-ms", "3000", "--itl-ms", "300", NULL});
    struct pji_endpoint endpoint = {.base_url = s.base_url};
    struct pji_load_result result;
    long before_mib = own_rss_mib();
    set_specs(b, false, 16);
    struct pji_load_plan plan = {
        .endpoint = &endpoint, .n = n, .concurrency = (int64_t)n, .stop_fd = -1};
    run(b, &plan, &result);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    int64_t all_sent_ns = 0;
    for (size_t i = 0; i < result.n; i++)
        if (result.records[i].sent_ns > all_sent_ns)
            all_sent_ns = result.records[i].sent_ns;
    printf("%zu open streams: all sent within %.2f s, %zu failed, %.2f s of CPU, peak %ld MiB more "
           "than before\n",
           n, (double)(all_sent_ns - result.start_ns) / 1e9, result.n_failed,
           (double)result.client_cpu_ns / 1e9, usage.ru_maxrss / 1024 - before_mib);
    pji_load_result_fini(&result);
    stop(&s);
}

static int compare(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void lag(struct bench *b, int rate)
{
    struct server s = start(b->stub, (const char *const[]){NULL});
    struct pji_endpoint endpoint = {.base_url = s.base_url};
    struct pji_load_result result;
    size_t n = (size_t)rate * SECONDS;
    set_specs(b, true, 1);
    for (size_t i = 0; i < n; i++)
        b->due_ns[i] = (int64_t)i * 1000000000 / rate;
    struct pji_load_plan plan = {.endpoint = &endpoint, .n = n, .due_ns = b->due_ns, .stop_fd = -1};
    run(b, &plan, &result);
    int64_t *lags_ns = calloc(n, sizeof *lags_ns);
    if (!lags_ns)
        give_up("calloc");
    for (size_t i = 0; i < n; i++)
        lags_ns[i] = result.records[i].sent_ns - result.records[i].scheduled_ns;
    qsort(lags_ns, n, sizeof *lags_ns, compare);
    printf("%6d req/s on schedule: sent late by median %.0f us, p99 %.0f us, at most %.0f us\n",
           rate, (double)lags_ns[n / 2] / 1e3, (double)lags_ns[n * 99 / 100] / 1e3,
           (double)lags_ns[n - 1] / 1e3);
    free(lags_ns);
    pji_load_result_fini(&result);
    stop(&s);
}

int main(int argc, char **argv)
{
    char dir[] = "/tmp/perjoule-bench-XXXXXX";
    struct rlimit files;
    struct bench b = {.stub = argc > 1 ? argv[1] : "tests/stub/stub_server"};
    b.specs = calloc(MOST, sizeof *b.specs);
    b.due_ns = calloc(MOST, sizeof *b.due_ns);
    b.dir = mkdtemp(dir);
    if (!b.specs || !b.due_ns || !b.dir)
        give_up("setting up");
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    snprintf(b.spool, sizeof b.spool, "%s/spool.jsonl", dir);
    pin(0);
    many_streams(&b, 10000); /* first: peak memory is of the whole process */
    throughput(&b, "one JSON answer of 16 tokens", true, 16, (const char *const[]){NULL});
    throughput(&b, "200 events, written together", false, 200, (const char *const[]){NULL});
    throughput(&b, "200 events, one write each", false, 200,
               (const char *const[]){"--write-each", NULL});
    lag(&b, 200);
    lag(&b, 10000);
    free(b.specs);
    free(b.due_ns);
    rmdir(dir);
    return 0;
}
