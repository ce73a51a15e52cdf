#include "lab/forecast.h"

#include "core/array.h"
#include "core/units.h"

#include <math.h>
#include <stdlib.h>

struct sums {
    const struct pji_study *study;
    const struct pji_workload *workload;
    double tok_per_s;
    double repetitions;
    double requests, tokens; /* of the whole study */
    double decode_s;         /* measured windows at the stated speed */
};

static const char *const *fill_levels(const struct pji_study *study, const struct pji_plan *plan,
                                      size_t cell, const char **levels)
{
    for (size_t f = 0; f < study->n_factors; f++)
        levels[f] = study->factors[f].levels[plan->cell_levels[cell * plan->n_factors + f]];
    return levels;
}

static pj_status add_task(struct sums *s, size_t task, double concurrency,
                          const char *const *levels, struct pj_error *err)
{
    struct pji_task_values values;
    pj_status st = pji_study_task(s->study, task, levels, &values, err);
    if (st == PJ_OK) {
        double n = (double)s->workload->tasks[task].items.n;
        if (values.limit > 0 && (double)values.limit < n)
            n = (double)values.limit;
        double tokens = n * (double)values.max_tokens;
        double streams = concurrency < n ? concurrency : n;
        s->requests += s->repetitions * n;
        s->tokens += s->repetitions * tokens;
        if (s->tok_per_s > 0 && streams > 0)
            s->decode_s += s->repetitions * tokens / (s->tok_per_s * streams);
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
        st = add_task(s, t, (double)load.concurrency, levels, err);
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
    out->least_s = trials * pji_s_from_ns(p->warmup_ns + p->idle_ns + p->cooldown_ns);
    out->most_s = trials * stop_s;
    out->expected_s = tok_per_s > 0 ? out->least_s + s.decode_s : (double)NAN;
    double metered_s = tok_per_s > 0 ? out->expected_s : out->least_s;
    double ticks = metered_s / pji_s_from_ns(study->meter_interval_ns);
    out->disk_b = s.requests * PJI_FORECAST_REQUEST_B + s.tokens * PJI_FORECAST_TOKEN_B +
                  ticks * PJI_FORECAST_TICK_B + trials * PJI_FORECAST_TRIAL_B;
    return PJ_OK;
}
