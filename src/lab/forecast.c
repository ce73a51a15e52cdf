#include "lab/forecast.h"

#include "core/array.h"
#include "core/units.h"
#include "lab/rest.h"

#include <math.h>
#include <stdlib.h>

struct sums {
    const struct pji_study *study;
    const struct pji_workload *workload;
    double tok_per_s;
    double repetitions;
    double requests, tokens; /* of the whole study */
    double window_s;         /* measured windows: at the stated speed, and no less than schedules */
    bool unknown;            /* some window has neither a speed nor a schedule */
};

static const char *const *fill_levels(const struct pji_study *study, const struct pji_plan *plan,
                                      size_t cell, const char **levels)
{
    for (size_t f = 0; f < study->n_factors; f++)
        levels[f] = study->factors[f].levels[plan->cell_levels[cell * plan->n_factors + f]];
    return levels;
}

/* A window lasts as long as its schedule, and as long as its tokens take. */
static void add_window(struct sums *s, const struct pji_load_values *load,
                       const struct pji_workload_task *task, double n, double tokens)
{
    struct pji_arrival arrival = load->arrival;
    if (task->times) {
        arrival.times_ns = task->times->times_ns;
        arrival.n_times = task->times->n;
    }
    double span_s = pji_arrival_span_s(&arrival, (size_t)n);
    double most = load->concurrency > 0 ? (double)load->concurrency : n;
    double streams = most < n ? most : n;
    double decode_s = s->tok_per_s > 0 && streams > 0 ? tokens / (s->tok_per_s * streams) : 0.0;
    s->unknown = s->unknown || (isnan(span_s) && !(s->tok_per_s > 0));
    s->window_s += s->repetitions * fmax(decode_s, isnan(span_s) ? 0.0 : span_s);
}

static pj_status add_task(struct sums *s, size_t t, const struct pji_load_values *load,
                          const char *const *levels, struct pj_error *err)
{
    struct pji_task_values values;
    const struct pji_workload_task *task = &s->workload->tasks[t];
    pj_status st = pji_study_task(s->study, t, levels, &values, err);
    if (st == PJ_OK) {
        size_t items = task->items.n;
        if (values.limit > 0 && (size_t)values.limit < items)
            items = (size_t)values.limit;
        double n = (double)pji_workload_requests(task, load, items);
        double tokens = n * (double)values.max_tokens;
        s->requests += s->repetitions * n;
        s->tokens += s->repetitions * tokens;
        add_window(s, load, task, n, tokens);
    }
    pji_task_values_fini(&values);
    return st;
}

static pj_status add_cell(struct sums *s, const char *const *levels, struct pj_error *err)
{
    struct pji_load_values load = {.concurrency = 1};
    pj_status st = PJ_OK;
    if (s->study->load_node)
        st = pji_study_load(s->study, levels, &load, err);
    for (size_t t = 0; t < s->workload->n && st == PJ_OK; t++)
        st = add_task(s, t, &load, levels, err);
    return st;
}

pj_status pji_forecast_make(struct pji_forecast *out, const struct pji_study *study,
                            const struct pji_plan *plan, const struct pji_workload *workload,
                            double tok_per_s, struct pj_error *err)
{
    const struct pji_phases *p = &study->phases;
    struct sums s = {.study = study,
                     .workload = workload,
                     .tok_per_s = tok_per_s,
                     .repetitions = (double)study->repetitions};
    const char **levels = pji_zalloc(study->n_factors + 1, sizeof *levels, err);
    if (!levels)
        return PJ_ENOMEM;
    pj_status st = PJ_OK;
    for (size_t c = 0; c < plan->n_cells && st == PJ_OK; c++)
        st = add_cell(&s, fill_levels(study, plan, c, levels), err);
    free(levels);
    if (st)
        return st;
    double trials = (double)plan->n_trials;
    double stop_s = pji_s_from_ns(study->limits.trial_ns + study->limits.engine_stop_ns);
    out->requests = (int64_t)s.requests;
    out->tokens_most = (int64_t)s.tokens;
    double blocks = (double)plan->n_blocks;
    out->least_s = trials * pji_s_from_ns(p->warmup_ns + p->idle_ns + p->cooldown_ns);
    out->least_s += 2 * blocks * pji_s_from_ns(study->baseline.idle_ns);
    out->least_s += trials * pji_s_from_ns(p->settle_over_ns);
    out->most_s = trials * (stop_s + pji_s_from_ns(pji_rest_most_ns(study)));
    bool known = workload->n > 0 && !s.unknown;
    out->expected_s = known ? out->least_s + s.window_s : (double)NAN;
    double metered_s = known ? out->expected_s : out->least_s;
    double ticks = metered_s / pji_s_from_ns(study->meter_interval_ns);
    out->disk_b = s.requests * PJI_FORECAST_REQUEST_B + s.tokens * PJI_FORECAST_TOKEN_B +
                  ticks * PJI_FORECAST_TICK_B + trials * PJI_FORECAST_TRIAL_B;
    return PJ_OK;
}
