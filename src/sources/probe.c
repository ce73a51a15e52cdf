/* Any instrument, through its own contract: see probe.h. */
#include "sources/probe.h"

#include "core/array.h"
#include "core/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_READS = 8192, MOST_STEPS = 2048 };

static const struct timespec pause_between = {.tv_nsec = 200000};

/* One channel while it is probed. */
struct watch {
    bool seen, burst;
    int64_t value, t_ns; /* last reading */
    int64_t step_t_ns;   /* of the last new value, 0: none yet */
    size_t changes, readings, n;
    int64_t steps_ns[MOST_STEPS];
};

void pji_call_cost_of(struct pji_call_cost *out, int64_t *durs_ns, size_t n)
{
    *out = (struct pji_call_cost){.calls = n};
    if (n == 0)
        return;
    qsort(durs_ns, n, sizeof *durs_ns, pji_i64_order);
    out->p50_ns = durs_ns[n / 2];
    out->p99_ns = durs_ns[n - 1 < n * 99 / 100 ? n - 1 : n * 99 / 100];
}

static void step(struct watch *w, int64_t t_ns)
{
    if (w->step_t_ns != 0 && w->n < MOST_STEPS && t_ns > w->step_t_ns)
        w->steps_ns[w->n++] = t_ns - w->step_t_ns;
    w->step_t_ns = t_ns;
    w->changes++;
}

/* A buffer gives many readings at once: each of them is a value of its own. */
static void take(struct watch *w, const struct pji_reading *r, bool burst)
{
    if (r->status != PJI_READ_OK)
        return;
    w->burst = w->burst || burst;
    w->readings++;
    if (w->seen && (w->burst || r->value != w->value))
        step(w, r->t_ns);
    w->seen = true;
    w->value = r->value;
    w->t_ns = r->t_ns;
}

static void take_all(struct watch *watches, const struct pji_reading_sink *sink)
{
    for (size_t i = 0; i < sink->n; i++) {
        bool burst = false;

        for (size_t k = 0; k < sink->n && !burst; k++)
            burst = k != i && sink->readings[k].channel == sink->readings[i].channel;
        take(&watches[sink->readings[i].channel], &sink->readings[i], burst);
    }
}

struct run {
    void *state;
    struct pji_channel_table table;
    struct pji_reading_sink sink;
    struct watch *watches;
    int64_t *durs_ns;
    size_t reads;
};

static pj_status read_often(struct run *run, const struct pji_source_ops *ops,
                            const struct pji_platform *platform, int64_t dur_ns,
                            struct pj_error *err)
{
    int64_t end_ns = pji_now_ns(platform) + dur_ns, now_ns;
    pj_status status = PJ_OK;

    run->sink.edge = true;
    do {
        int64_t before_ns = pji_now_ns(platform);

        run->sink.n = 0;
        status = ops->read(run->state, &run->sink, err);
        now_ns = pji_now_ns(platform);
        run->durs_ns[run->reads++] = now_ns - before_ns;
        take_all(run->watches, &run->sink);
        (void)nanosleep(&pause_between, NULL);
    } while (!status && now_ns < end_ns && run->reads < MOST_READS);
    return status;
}

static pj_status add_rows(struct pji_probe *probe, struct run *run, struct pj_error *err)
{
    struct pji_call_cost cost;
    pj_status status = pji_array_reserve(&probe->rows, &probe->cap, probe->n + run->table.n,
                                         sizeof *probe->rows, err);

    pji_call_cost_of(&cost, run->durs_ns, run->reads);
    for (size_t i = 0; i < run->table.n && !status; i++) {
        struct watch *w = &run->watches[i];
        struct pji_probe_row *row = &probe->rows[probe->n++];
        struct pji_call_cost steps;

        pji_call_cost_of(&steps, w->steps_ns, w->n);
        *row = (struct pji_probe_row){.read = cost,
                                      .changes = w->changes,
                                      .refresh_ns = steps.p50_ns,
                                      .at_most = !w->burst && w->readings > 2 &&
                                                 w->changes + 1 >= w->readings};
        memcpy(row->channel, run->table.channels[i].name, sizeof row->channel);
        memcpy(row->source, run->table.channels[i].source, sizeof row->source);
    }
    return status;
}

pj_status pji_probe_source(struct pji_probe *probe, const struct pji_source_ops *ops,
                           const struct pji_source_env *env, int64_t dur_ns, struct pj_error *err)
{
    struct run run = {.state = pji_zalloc(1, ops->state_size, err)};
    bool open = false;
    pj_status status = run.state ? ops->open(run.state, env, &run.table, err) : PJ_ENOMEM;

    open = !status;
    if (status || run.table.n == 0)
        goto out;
    run.sink.cap = run.table.n * ops->burst;
    run.sink.readings = pji_zalloc(run.sink.cap, sizeof *run.sink.readings, err);
    run.watches = pji_zalloc(run.table.n, sizeof *run.watches, err);
    run.durs_ns = pji_zalloc(MOST_READS, sizeof *run.durs_ns, err);
    status = run.sink.readings && run.watches && run.durs_ns
                 ? read_often(&run, ops, env->platform, dur_ns, err)
                 : PJ_ENOMEM;
    if (!status)
        status = add_rows(probe, &run, err);
out:
    if (open)
        ops->close(run.state);
    free(run.state);
    free(run.sink.readings);
    free(run.watches);
    free(run.durs_ns);
    pji_channel_table_fini(&run.table);
    return status;
}

void pji_probe_fini(struct pji_probe *probe)
{
    free(probe->rows);
    *probe = (struct pji_probe){.rows = NULL};
}
