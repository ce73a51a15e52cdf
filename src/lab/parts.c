#include "lab/parts.h"

#include "core/array.h"
#include "core/units.h"
#include "lab/observe.h"
#include "stats/steady.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* A window of days is cut more coarsely: the search is then still done in a moment. */
enum { OBSERVATIONS_MOST = 20000 };

/* By what the records keep, so that it can be found again from them. */
static int64_t end_of(const struct pji_request_record *r)
{
    return r->error == NULL && r->last_token_ns > 0 ? r->last_token_ns : r->sent_ns;
}

static int64_t drain_start(const struct pji_parts_input *in)
{
    int64_t last_ns = in->start_ns;
    for (size_t i = 0; i < in->load->n; i++) {
        if (in->load->records[i].sent_ns > last_ns)
            last_ns = in->load->records[i].sent_ns;
    }
    if (in->open_loop)
        return last_ns;
    int64_t first_ns = in->end_ns;
    for (size_t i = 0; i < in->load->n; i++) {
        int64_t t_ns = end_of(&in->load->records[i]);
        if (t_ns > last_ns && t_ns < first_ns)
            first_ns = t_ns;
    }
    return first_ns;
}

/* ---- observations ---- */

struct grid {
    int64_t start_ns, step_ns;
    size_t n;
    double *values;
};

static pj_status grid_init(struct grid *grid, const struct pji_parts_input *in, int64_t end_ns,
                           struct pj_error *err)
{
    int64_t dur_ns = end_ns - in->start_ns;
    *grid = (struct grid){.start_ns = in->start_ns, .step_ns = in->interval_ns};
    if (grid->step_ns < dur_ns / OBSERVATIONS_MOST)
        grid->step_ns = dur_ns / OBSERVATIONS_MOST;
    grid->n = grid->step_ns > 0 && dur_ns > 0 ? (size_t)(dur_ns / grid->step_ns) : 0;
    grid->values = pji_zalloc(grid->n + 1, sizeof *grid->values, err);
    return grid->values != NULL ? PJ_OK : PJ_ENOMEM;
}

static double tokens_of_chunk(const struct pji_request_record *r)
{
    return r->output_tokens > 0 ? (double)r->output_tokens / (double)r->n_tokens : 1;
}

/* Tokens (chunks, where nobody counted) that arrived in each step; false: none did. */
static bool output_series(struct grid *grid, const struct pji_load_result *load)
{
    bool any = false;
    for (size_t i = 0; i < load->n; i++) {
        const struct pji_request_record *r = &load->records[i];
        for (size_t k = 0; k < r->n_tokens; k++) {
            int64_t at = (r->token_ns[k] - grid->start_ns) / grid->step_ns;
            if (r->token_ns[k] < grid->start_ns || (size_t)at >= grid->n)
                continue;
            grid->values[at] += tokens_of_chunk(r);
            any = true;
        }
    }
    return any;
}

/* ---- the search ---- */

static pj_status judge(struct pji_parts *parts, const struct grid *grid, const char *what,
                       struct pj_error *err)
{
    struct pji_steady found;
    double step_s = pji_s_from_ns(grid->step_ns);
    pj_status status = pji_steady_find(&found, grid->values, grid->n, err);
    if (status != PJ_OK)
        return status;
    double cut_s = (double)found.cut * step_s, all_s = (double)grid->n * step_s;
    switch (found.verdict) {
    case PJI_STEADY_SHORT:
        parts->settled = false;
        snprintf(parts->detail, sizeof parts->detail,
                 "%.3g s before the drain are %zu intervals of %.3g s and it takes %d to tell: "
                 "send more requests",
                 all_s, grid->n, step_s, (int)PJI_STEADY_LEAST);
        return PJ_OK;
    case PJI_STEADY_RAMPING:
        parts->settled = false;
        snprintf(parts->detail, sizeof parts->detail,
                 "the %s still moves after %.3g of %.3g s (MSER-5)", what, cut_s, all_s);
        return PJ_OK;
    case PJI_STEADY_CORRELATED:
        parts->settled = false;
        snprintf(parts->detail, sizeof parts->detail,
                 "the %s drifts or swings over the %.3g s that MSER-5 leaves (z of batch means: "
                 "%.1f of 20, %.1f of 10)",
                 what, all_s - cut_s, found.z20, found.z10);
        return PJ_OK;
    case PJI_STEADY_FOUND:
        break;
    }
    int64_t from_ns = grid->start_ns + (int64_t)found.cut * grid->step_ns;
    if (from_ns > parts->steady_ns[0])
        parts->steady_ns[0] = from_ns;
    return PJ_OK;
}

static pj_status judge_power(struct pji_parts *parts, struct grid *grid,
                             const struct pji_trace *trace, struct pj_error *err)
{
    pj_status status =
        pji_observe_energy(trace, grid->start_ns, grid->step_ns, grid->n, grid->values, err);
    if (status == PJI_UNOBSERVED)
        return PJ_OK;
    return status == PJ_OK ? judge(parts, grid, "power", err) : status;
}

pj_status pji_parts_find(struct pji_parts *parts, const struct pji_parts_input *in,
                         struct pj_error *err)
{
    struct grid grid;
    *parts = (struct pji_parts){.asked = true, .settled = true};
    parts->steady_ns[0] = in->start_ns;
    parts->steady_ns[1] = drain_start(in);
    pj_status status = grid_init(&grid, in, parts->steady_ns[1], err);
    if (status == PJ_OK && (grid.n < PJI_STEADY_LEAST || output_series(&grid, in->load)))
        status = judge(parts, &grid, "output", err);
    if (status == PJ_OK && parts->settled && in->trace != NULL)
        status = judge_power(parts, &grid, in->trace, err);
    free(grid.values);
    return status;
}

enum pji_part pji_parts_of(const struct pji_parts *parts, const struct pji_request_record *record)
{
    int64_t t_ns = end_of(record);
    if (t_ns < parts->steady_ns[0])
        return PJI_PART_RAMP;
    return t_ns <= parts->steady_ns[1] ? PJI_PART_STEADY : PJI_PART_DRAIN;
}

double pji_parts_tokens(const struct pji_parts *parts, const struct pji_load_result *load,
                        uint64_t *uncounted)
{
    double sum = 0;
    for (size_t i = 0; i < load->n; i++) {
        const struct pji_request_record *r = &load->records[i];
        size_t inside = 0;
        for (size_t k = 0; r->error == NULL && k < r->n_tokens; k++) {
            if (r->token_ns[k] >= parts->steady_ns[0] && r->token_ns[k] < parts->steady_ns[1])
                inside++;
        }
        if (inside > 0 && r->output_tokens < 0)
            *uncounted += 1;
        else if (inside > 0)
            sum += (double)inside * (double)r->output_tokens / (double)r->n_tokens;
    }
    return sum;
}
