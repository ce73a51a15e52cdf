#include "evidence/threads.h"

#include "core/array.h"
#include "core/num.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    struct pji_threads *threads;
    const struct pji_platform *platform;
    int64_t pid;
    struct pj_error *err;
    pj_status status;
};

static int visit_thread(void *arg, const char *name)
{
    struct reading *r = arg;
    struct pji_threads *t = r->threads;
    char path[96], text[128];
    int64_t tid = 0, cpu_ns = 0;
    if (!isdigit((unsigned char)name[0]) ||
        pji_num_parse_i64(name, strlen(name), &tid, NULL) != PJ_OK)
        return 0;
    snprintf(path, sizeof path, "/proc/%lld/task/%lld/schedstat", (long long)r->pid,
             (long long)tid);
    if (pji_read_text(r->platform, path, text, sizeof text, NULL, NULL) != PJ_OK ||
        pji_num_parse_i64(text, strcspn(text, " "), &cpu_ns, NULL) != PJ_OK)
        return 0;
    r->status = pji_array_reserve(&t->times, &t->cap, t->n + 1, sizeof *t->times, r->err);
    if (r->status != PJ_OK)
        return 1;
    t->times[t->n++] = (struct pji_thread_time){r->pid, tid, cpu_ns};
    return 0;
}

static int by_tid(const void *a, const void *b)
{
    const struct pji_thread_time *p = a, *q = b;
    return (p->tid > q->tid) - (p->tid < q->tid);
}

pj_status pji_threads_read(struct pji_threads *threads, const struct pji_platform *platform,
                           const struct pji_host_state *host, int64_t own, struct pj_error *err)
{
    struct reading r = {.threads = threads, .platform = platform, .err = err};
    char path[64], name[16];
    threads->n = 0;
    threads->t_ns = pji_now_ns(platform);
    for (size_t i = 0; i < host->n && r.status == PJ_OK; i++) {
        r.pid = host->processes[i].pid;
        if (pji_host_owner(host, own, r.pid, name) != PJI_OWNER_US)
            continue;
        snprintf(path, sizeof path, "/proc/%lld/task", (long long)r.pid);
        (void)platform->ops->list(platform->context, path, visit_thread, &r);
    }
    if (threads->n > 1)
        qsort(threads->times, threads->n, sizeof *threads->times, by_tid);
    return r.status;
}

void pji_threads_fini(struct pji_threads *threads)
{
    free(threads->times);
    *threads = (struct pji_threads){0};
}

static void read_name(const struct pji_platform *platform, const struct pji_thread_time *thread,
                      char name[16])
{
    char path[96], text[64];
    if (thread == NULL)
        return;
    snprintf(path, sizeof path, "/proc/%lld/task/%lld/comm", (long long)thread->pid,
             (long long)thread->tid);
    if (pji_read_text(platform, path, text, sizeof text, NULL, NULL) == PJ_OK)
        snprintf(name, 16, "%.15s", text);
}

void pji_threads_compare(const struct pji_threads *before, const struct pji_threads *after,
                         int64_t own, const struct pji_platform *platform,
                         struct pji_busiest *busiest)
{
    const struct pji_thread_time *client = NULL, *server = NULL;
    double dur_ns = (double)(after->t_ns - before->t_ns);
    *busiest = (struct pji_busiest){
        .known = true, .client_share = (double)NAN, .server_share = (double)NAN};
    for (size_t i = 0; i < after->n && before->n > 0 && dur_ns > 0; i++) {
        const struct pji_thread_time *now = &after->times[i];
        const struct pji_thread_time *old =
            bsearch(now, before->times, before->n, sizeof *now, by_tid);
        if (old == NULL || old->pid != now->pid || now->cpu_ns < old->cpu_ns)
            continue;
        double share = (double)(now->cpu_ns - old->cpu_ns) / dur_ns;
        bool ours = now->pid == own;
        double *most = ours ? &busiest->client_share : &busiest->server_share;
        if (share <= *most) /* not where it is NaN */
            continue;
        *most = share;
        *(ours ? &client : &server) = now;
    }
    read_name(platform, client, busiest->client_name);
    read_name(platform, server, busiest->server_name);
}
