/* Windows in several threads: one around everything, one for each request, and inside each request
 * its two phases. They overlap as they like; a window may end in another thread than it began in.
 *
 *     cc threads.c $(pkg-config --cflags --libs perjoule) -pthread -o threads && ./threads
 *     ./threads trace.jsonl        keep every reading, for perjoule replay
 *
 * A second argument is a folder to read instead of the machine, for tests. Prints CSV: name,
 * start_ns, end_ns, energy_j, u_j (k=1), origin; the first three columns are what
 * `perjoule replay trace.jsonl --windows FILE` takes.
 */
#include <perjoule/perjoule.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 3, REQUESTS = 4, KEPT = THREADS * REQUESTS * 3 + 1 };

static pj_window kept[KEPT];

struct worker {
    struct pj_session *session;
    size_t first; /* place in kept */
    struct pj_error err;
};

static double work(int amount)
{
    volatile double sum = 0;

    for (int i = 1; i < amount; i++)
        sum += 1.0 / i;
    return sum;
}

/* The library is quiet; a program decides what a failure means. Here the first one ends the work.
 */
static void request(struct worker *worker, pj_window windows[3])
{
    struct pj_session *session = worker->session;

    pj_window_begin(session, "request", &windows[0], &worker->err);
    pj_window_begin(session, "prefill", &windows[1], &worker->err);
    (void)work(4000000);
    pj_window_end(session, windows[1], &worker->err);
    pj_window_begin(session, "decode", &windows[2], &worker->err);
    (void)work(8000000);
    pj_window_end(session, windows[2], &worker->err);
    pj_window_end(session, windows[0], &worker->err);
}

static void *run(void *arg)
{
    struct worker *worker = arg;

    for (size_t i = 0; i < REQUESTS && !worker->err.code; i++)
        request(worker, &kept[worker->first + 3 * i]);
    return NULL;
}

static int print(struct pj_session *session, pj_window window, struct pj_error *err)
{
    struct pj_result *result = NULL;

    if (pj_window_read(session, window, -1, &result, err) < 0)
        return 1;
    printf("%s,%lld,%lld,", result->name, (long long)result->start_ns, (long long)result->end_ns);
    if (pj_energy_valid(&result->total))
        printf("%.17g,%.17g,%s\n", result->total.value_j, pj_energy_u(&result->total),
               pj_origin_name(result->total.origin));
    else
        printf(",,missing: %s\n", result->total.reason);
    pj_result_free(result);
    return 0;
}

static int measure(struct pj_session *session, struct pj_error *err)
{
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    size_t started = 0;
    int bad = pj_window_begin(session, "all", &kept[KEPT - 1], err) != PJ_OK;

    for (; started < THREADS && !bad; started++) {
        workers[started] = (struct worker){.session = session, .first = started * REQUESTS * 3};
        if (pthread_create(&threads[started], NULL, run, &workers[started]))
            break;
    }
    for (size_t i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
        if (workers[i].err.code && !err->code)
            *err = workers[i].err;
    }
    if (!bad)
        pj_window_end(session, kept[KEPT - 1], err);
    return err->code || started < THREADS;
}

int main(int argc, char **argv)
{
    struct pj_session_options options = {.size = sizeof options,
                                         .interval_ns = 5000000,
                                         .trace_path = argc > 1 ? argv[1] : NULL,
                                         .root = argc > 2 ? argv[2] : NULL,
                                         .cuda_visible_devices = getenv("CUDA_VISIBLE_DEVICES"),
                                         .cuda_device_order = getenv("CUDA_DEVICE_ORDER")};
    struct pj_error err = {0};
    struct pj_session *session = NULL;
    int bad = pj_session_open(&session, &options, &err) != PJ_OK;

    if (!bad)
        bad = measure(session, &err);
    /* with the last reading taken, the windows are what a replay of the trace gives */
    if (!bad)
        bad = pj_session_stop(session, &err) != PJ_OK;
    if (!bad)
        printf("name,start_ns,end_ns,energy_j,u_j,origin\n");
    for (size_t i = 0; i < KEPT && !bad; i++)
        bad = print(session, kept[i], &err);
    if (bad)
        fprintf(stderr, "threads: %s\n", err.code ? err.text : "cannot start a thread");
    pj_session_close(session);
    return bad;
}
