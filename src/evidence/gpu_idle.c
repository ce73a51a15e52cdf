#include "evidence/gpu_idle.h"

#include "core/array.h"
#include "stats/quantile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Above its idle power by less than a tenth, a GPU serves nothing. */
static const double serves_rel = 0.1;
static const double near_idle = 0.25;
static const int64_t least_outside_ns = 1000000000;
/* A sample of the utilisation counts when requests waited for nearly all of its time, and so many
 * of them are needed (NVML's are a sixth to a fifth of a second long). */
static const double waited_share = 0.95;
enum { LEAST_USES = 5 };

struct powers {
    double *mw;
    size_t n, cap;
    int64_t dur_ns;
};

static double power_mw(const struct pji_series *s, size_t i)
{
    double dur_ns = (double)(s->points[i].t_ns - s->points[i - 1].t_ns);
    return (s->points[i].energy_uj - s->points[i - 1].energy_uj) * 1e6 / dur_ns;
}

static pj_status push(struct powers *p, const struct pji_series *s, size_t i, struct pj_error *err)
{
    pj_status status = pji_array_reserve(&p->mw, &p->cap, p->n + 1, sizeof *p->mw, err);
    if (status != PJ_OK)
        return status;
    p->mw[p->n++] = power_mw(s, i);
    p->dur_ns += s->points[i].t_ns - s->points[i - 1].t_ns;
    return PJ_OK;
}

/* How much of [start, end) lies in the stretches; *from is where to begin looking. */
static int64_t overlap(const struct pji_stretch *waits, size_t n, size_t *from, int64_t start_ns,
                       int64_t end_ns)
{
    int64_t sum_ns = 0;
    while (*from < n && waits[*from].end_ns <= start_ns)
        (*from)++;
    for (size_t i = *from; i < n && waits[i].start_ns < end_ns; i++) {
        int64_t a = waits[i].start_ns > start_ns ? waits[i].start_ns : start_ns;
        int64_t b = waits[i].end_ns < end_ns ? waits[i].end_ns : end_ns;
        sum_ns += b > a ? b - a : 0;
    }
    return sum_ns;
}

/* The series whose power it is: the sample buffer, or PowerUsage where there is none. */
static const struct pji_series *power_of(const struct pji_trace *trace, const char *gpu)
{
    for (size_t c = 0; c < trace->header.n_channels; c++) {
        const struct pji_channel *channel = &trace->header.channels[c];
        if (channel->role == PJI_ROLE_POWER && channel->companion < 0 &&
            strcmp(channel->domain, gpu) == 0)
            return &trace->series[c];
    }
    return NULL;
}

static double dips(const struct pji_series *s, double level_mw, const struct pji_stretch *waits,
                   size_t n_waits)
{
    int64_t low_ns = 0, all_ns = 0;
    size_t from = 0;
    for (size_t i = 1; i < s->n; i++) {
        int64_t waited_ns =
            overlap(waits, n_waits, &from, s->points[i - 1].t_ns, s->points[i].t_ns);
        all_ns += waited_ns;
        low_ns += power_mw(s, i) < level_mw ? waited_ns : 0;
    }
    return all_ns > 0 ? (double)low_ns / (double)all_ns : (double)NAN;
}

static pj_status dip_share(double *share, const struct pji_series *s,
                           const struct pji_stretch *waits, size_t n_waits, int64_t start_ns,
                           int64_t end_ns, struct pj_error *err)
{
    struct powers inside = {0}, outside = {0};
    double idle_mw = 0, top_mw = 0;
    pj_status status = PJ_OK;
    *share = (double)NAN;
    for (size_t i = 1; i < s->n && status == PJ_OK; i++) {
        if (s->points[i - 1].t_ns >= start_ns && s->points[i].t_ns <= end_ns)
            status = push(&inside, s, i, err);
        else if (s->points[i].t_ns <= start_ns || s->points[i - 1].t_ns >= end_ns)
            status = push(&outside, s, i, err);
    }
    if (status == PJ_OK && inside.n > 0 && outside.dur_ns >= least_outside_ns) {
        status = pji_quantile(outside.mw, outside.n, 0.05, &idle_mw, err);
        if (status == PJ_OK)
            status = pji_quantile(inside.mw, inside.n, 0.95, &top_mw, err);
        if (status == PJ_OK && top_mw > (1 + serves_rel) * idle_mw)
            *share = dips(s, idle_mw + near_idle * (top_mw - idle_mw), waits, n_waits);
    }
    free(inside.mw);
    free(outside.mw);
    return status;
}

/* A sample is of the time before it; one that reaches over the edge of a window is of the idle
 * time there too. */
static double mean_use(const struct pji_gpu_change *gpu, const struct pji_stretch *waits,
                       size_t n_waits)
{
    double sum = 0, weight_ns = 0;
    size_t from = 0;
    int n = 0;
    for (int i = 1; i < gpu->n_uses; i++) {
        int64_t start_ns = gpu->uses[i - 1].t_ns, end_ns = gpu->uses[i].t_ns;
        double dur_ns = (double)(end_ns - start_ns);
        if ((double)overlap(waits, n_waits, &from, start_ns, end_ns) < waited_share * dur_ns)
            continue;
        sum += dur_ns * gpu->uses[i].percent / 100;
        weight_ns += dur_ns;
        n++;
    }
    return n >= LEAST_USES ? sum / weight_ns : (double)NAN;
}

pj_status pji_gpu_idle_find(struct pji_gpu_idle *idle, const struct pji_trace *trace,
                            const struct pji_gpu_change *gpus, size_t n_gpus,
                            const struct pji_stretch *waits, size_t n_waits, int64_t start_ns,
                            int64_t end_ns, struct pj_error *err)
{
    pj_status status = PJ_OK;
    *idle = (struct pji_gpu_idle){.dip_share = (double)NAN, .use = (double)NAN};
    for (size_t g = 0; g < n_gpus && status == PJ_OK; g++) {
        const struct pji_series *series = power_of(trace, gpus[g].gpu);
        double share = (double)NAN;
        if (series != NULL)
            status = dip_share(&share, series, waits, n_waits, start_ns, end_ns, err);
        /* one that serves nothing may idle: engines on the processors, GPUs of others */
        if (isnan(share) || (!isnan(idle->dip_share) && share <= idle->dip_share))
            continue;
        idle->dip_share = share;
        idle->use = mean_use(&gpus[g], waits, n_waits);
        memcpy(idle->gpu, gpus[g].gpu, sizeof idle->gpu);
    }
    return status;
}
