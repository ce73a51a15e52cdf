/* What do pj_window_begin and pj_window_end take? Each call between two readings of the clock, in
 * turns with nothing between them (the floor), while the session samples every 10 ms: first in one
 * thread, then with a thousand further windows open, then in several threads at once.
 *
 *     window_latency [CALLS]
 *
 * Prints p50, p99 and the largest in nanoseconds; exit code 1 when a p99 misses the target of 5 us.
 */
#include <perjoule/perjoule.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { OPEN = 1000, THREADS = 4, KINDS = 3 };

static const char *const kinds[KINDS] = {"floor", "begin", "end"};
static const long long target_ns = 5000;

struct worker {
    struct pj_session *session;
    long long *took_ns[KINDS];
    size_t calls;
};

static long long now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    long long x = *(const long long *)a, y = *(const long long *)b;

    return (x > y) - (x < y);
}

static void must(pj_status status, const struct pj_error *err)
{
    if (status < 0) {
        (void)fprintf(stderr, "window_latency: %s\n", err->text);
        exit(2);
    }
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    struct pj_error err = {0};

    for (size_t i = 0; i < worker->calls; i++) {
        pj_window window;
        long long t0 = now_ns(), t1 = now_ns(), t2, t3;
        pj_status began = pj_window_begin(worker->session, "latency", &window, &err), ended;

        t2 = now_ns();
        must(began, &err);
        t3 = now_ns();
        ended = pj_window_end(worker->session, window, &err);
        worker->took_ns[2][i] = now_ns() - t3;
        worker->took_ns[0][i] = t1 - t0;
        worker->took_ns[1][i] = t2 - t1;
        must(ended, &err);
        must(pj_window_free(worker->session, window, &err), &err);
    }
    return NULL;
}

/* true: the target is met. */
static int print(const char *what, long long *took_ns[KINDS], size_t n)
{
    int good = 1;

    for (int k = 0; k < KINDS; k++) {
        qsort(took_ns[k], n, sizeof *took_ns[k], compare);
        (void)printf("%-22s %-6s p50 %6lld ns   p99 %6lld ns   max %9lld ns\n", what, kinds[k],
                     took_ns[k][n / 2], took_ns[k][n * 99 / 100], took_ns[k][n - 1]);
        good &= took_ns[k][n * 99 / 100] <= target_ns;
    }
    return good;
}

static int in_threads(struct pj_session *session, long long *took_ns[KINDS], size_t calls)
{
    struct worker workers[THREADS];
    pthread_t threads[THREADS];

    for (size_t i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.session = session, .calls = calls / THREADS};
        for (int k = 0; k < KINDS; k++)
            workers[i].took_ns[k] = took_ns[k] + i * (calls / THREADS);
        if (pthread_create(&threads[i], NULL, work, &workers[i]))
            exit(2);
    }
    for (size_t i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    return print("4 threads", took_ns, calls / THREADS * THREADS);
}

int main(int argc, char **argv)
{
    long wanted = argc > 1 ? strtol(argv[1], NULL, 10) : 100000;
    size_t calls = wanted >= 100 && wanted <= 10000000 ? (size_t)wanted : 100000;
    struct pj_session_options options = {.size = sizeof options, .interval_ns = 10000000};
    struct pj_error err = {0};
    struct worker worker = {.calls = calls};
    pj_window window;
    int good;

    for (int k = 0; k < KINDS; k++) {
        worker.took_ns[k] = calloc(calls, sizeof *worker.took_ns[k]);
        if (!worker.took_ns[k])
            exit(2);
    }
    must(pj_session_open(&worker.session, &options, &err), &err);
    (void)work(&worker);
    good = print("1 thread", worker.took_ns, calls);
    for (int i = 0; i < OPEN; i++)
        must(pj_window_begin(worker.session, "open", &window, &err), &err);
    (void)work(&worker);
    good &= print("1 thread, 1000 open", worker.took_ns, calls);
    good &= in_threads(worker.session, worker.took_ns, calls);
    pj_session_close(worker.session);
    for (int k = 0; k < KINDS; k++)
        free(worker.took_ns[k]);
    return good ? 0 : 1;
}
