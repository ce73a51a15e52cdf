#include "lab/client.h"

#include "core/array.h"
#include "core/units.h"
#include "stats/quantile.h"

#include <math.h>
#include <stdlib.h>

static int by_start(const void *a, const void *b)
{
    const struct pji_stretch *p = a, *q = b;
    return (p->start_ns > q->start_ns) - (p->start_ns < q->start_ns);
}

/* When at least one request waited for an answer: the union of all of theirs. */
static pj_status waits_of(const struct pji_load_result *load, struct pji_stretch **out, size_t *n,
                          struct pj_error *err)
{
    struct pji_stretch *waits = pji_zalloc(load->n + 1, sizeof *waits, err);
    *out = waits;
    *n = 0;
    if (waits == NULL)
        return PJ_ENOMEM;
    size_t all = 0;
    for (size_t i = 0; i < load->n; i++) {
        const struct pji_request_record *r = &load->records[i];
        if (r->sent_ns != 0 && r->last_token_ns > r->sent_ns)
            waits[all++] = (struct pji_stretch){r->sent_ns, r->last_token_ns};
    }
    qsort(waits, all, sizeof *waits, by_start);
    for (size_t i = 0; i < all; i++) {
        if (*n > 0 && waits[i].start_ns <= waits[*n - 1].end_ns) {
            if (waits[i].end_ns > waits[*n - 1].end_ns)
                waits[*n - 1].end_ns = waits[i].end_ns;
        } else {
            waits[(*n)++] = waits[i];
        }
    }
    return PJ_OK;
}

/* A process of ours is on a GPU: the engine is not one of the processors. */
static bool on_gpu(const struct pji_circumstances *around)
{
    for (size_t i = 0; i < around->n_gpus; i++)
        if (around->gpus[i].ours > 0)
            return true;
    return false;
}

/* A request waits for its time and, where the load allows so many in flight, for the end of one of
 * those before it: the k-th may leave when k - cap + 1 of them have ended. That wait is the load's
 * own; what comes on top is the client's. */
static pj_status own_lags(struct pji_sample *lags, const struct pji_load_result *load, size_t cap,
                          struct pj_error *err)
{
    int64_t *ends = pji_zalloc(load->n + 1, sizeof *ends, err);
    size_t n_ends = 0, k = 0;
    lags->values = pji_zalloc(load->n + 1, sizeof *lags->values, err);
    if (ends == NULL || lags->values == NULL) {
        free(ends);
        return PJ_ENOMEM;
    }
    for (size_t i = 0; i < load->n; i++)
        if (load->records[i].end_ns != 0)
            ends[n_ends++] = load->records[i].end_ns;
    qsort(ends, n_ends, sizeof *ends, pji_i64_order);
    for (size_t i = 0; i < load->n; i++) {
        const struct pji_request_record *r = &load->records[i];
        int64_t from_ns = r->scheduled_ns;
        if (r->sent_ns == 0)
            continue;
        if (k >= cap && k - cap < n_ends && ends[k - cap] > from_ns)
            from_ns = ends[k - cap];
        k++;
        lags->values[lags->n++] = r->sent_ns > from_ns ? pji_s_from_ns(r->sent_ns - from_ns) : 0;
    }
    free(ends);
    return PJ_OK;
}

static double median(const struct pji_sample *sample, pj_status *status, struct pj_error *err)
{
    double value = (double)NAN;
    if (sample->n > 0 && *status == PJ_OK)
        *status = pji_quantile(sample->values, sample->n, 0.5, &value, err);
    return value;
}

pj_status pji_client_of(struct pji_client_state *client, struct pji_sample *lags,
                        const struct pji_phase_data *phase, const struct pji_trial_data *data,
                        const struct pji_latency *latency, struct pj_error *err)
{
    int64_t cap = phase->run.load.concurrency;
    const struct pji_circumstances *around = &phase->around;
    struct pji_stretch *waits = NULL;
    size_t n_waits = 0;
    pj_status status = PJ_OK;
    *client = (struct pji_client_state){.busiest = around->busiest,
                                        .stopped_share = around->stopped_share,
                                        .lag_s = latency->lag_s.values,
                                        .n_lags = latency->lag_s.n,
                                        .ttft_p50_s = median(&latency->ttft_s, &status, err),
                                        .answer_p50_s = median(&latency->e2e_s, &status, err),
                                        .gpu = {.dip_share = (double)NAN, .use = (double)NAN},
                                        .shared_cores = data->shared_cores && !on_gpu(around)};
    if (status == PJ_OK && cap > 0 && phase->run.load.arrival.kind != PJI_ARRIVAL_CLOSED) {
        status = own_lags(lags, &phase->load, (size_t)cap, err);
        client->lag_s = lags->values;
        client->n_lags = lags->n;
    }
    if (status != PJ_OK || around->n_gpus == 0 || !data->has_trace)
        return status;
    status = waits_of(&phase->load, &waits, &n_waits, err);
    if (status == PJ_OK)
        status = pji_gpu_idle_find(&client->gpu, &data->trace, around->gpus, around->n_gpus, waits,
                                   n_waits, phase->start_ns, phase->end_ns, err);
    free(waits);
    return status;
}
