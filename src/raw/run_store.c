/* The records of a run: docs/greenlab.md lists the figures with their definitions. */
#include "core/num.h"
#include "core/units.h"
#include "evidence/gates.h"
#include "raw/run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct writer {
    const struct pji_raw_run *run;
    struct pji_store *store;
    int64_t attempt;
    struct pji_str *invalid_reason;
    struct pj_error *err;
};

static double dur_s(const struct pji_raw_run *run, enum pji_raw_phase phase)
{
    return pji_s_from_ns(pji_raw_run_end(run, phase) - pji_raw_run_start(run, phase));
}

/* ---- energies ---- */

static pj_status put_channels(struct writer *w, enum pji_raw_phase phase)
{
    const struct pji_raw_energies *e = &w->run->energies;
    const struct pji_raw_window *window = &w->run->windows[phase];
    pj_status status = PJ_OK;
    for (size_t i = 0; i < e->n && status == PJ_OK; i++) {
        struct pji_energy_row row = {.phase = pji_raw_phase_names[phase],
                                     .task = "",
                                     .name = e->channels[i].name,
                                     .domain = e->channels[i].domain,
                                     .set = "",
                                     .in_total = window->in_total[i],
                                     .energy = window->channels[i]};
        status = pji_store_add_energy(w->store, w->attempt, &row, w->err);
    }
    for (size_t i = 0; i < e->n_missing && status == PJ_OK; i++) {
        char name[96];
        snprintf(name, sizeof name, "energibridge:%s", e->missing[i].domain);
        struct pji_energy_row row = {.phase = pji_raw_phase_names[phase],
                                     .task = "",
                                     .name = name,
                                     .domain = e->missing[i].domain,
                                     .set = ""};
        pji_energy_missing(&row.energy, e->missing[i].reason);
        status = pji_store_add_energy(w->store, w->attempt, &row, w->err);
    }
    return status;
}

static pj_status put_total(struct writer *w, enum pji_raw_phase phase)
{
    const struct pji_raw_energies *e = &w->run->energies;
    const struct pji_raw_window *window = &w->run->windows[phase];
    struct pji_str set = {0};
    for (size_t i = 0; i < e->n; i++) {
        if (window->in_total[i])
            pji_str_addf(&set, "%s%s", set.len > 0 ? "," : "", e->channels[i].name);
    }
    struct pji_energy_row row = {.phase = pji_raw_phase_names[phase],
                                 .task = "",
                                 .name = "total",
                                 .domain = window->total.label,
                                 .set = pji_str_text(&set),
                                 .energy = window->total.energy};
    pj_status status = pji_str_ok(&set, w->err);
    if (status == PJ_OK)
        status = pji_store_add_energy(w->store, w->attempt, &row, w->err);
    pji_str_fini(&set);
    return status;
}

static pj_status put_phases(struct writer *w)
{
    pj_status status = PJ_OK;
    for (enum pji_raw_phase phase = PJI_RAW_WHOLE; phase < PJI_RAW_PHASES && !status; phase++) {
        struct pji_phase_row row = {.name = pji_raw_phase_names[phase],
                                    .task = "",
                                    .start_ns = pji_raw_run_start(w->run, phase),
                                    .end_ns = pji_raw_run_end(w->run, phase)};
        if (phase != PJI_RAW_WHOLE)
            status = pji_store_add_phase(w->store, w->attempt, &row, w->err);
        if (status == PJ_OK)
            status = put_channels(w, phase);
        if (status == PJ_OK)
            status = put_total(w, phase);
    }
    return status;
}

/* ---- requests ---- */

static pj_status put_requests(struct writer *w)
{
    const struct pji_raw_prompts *p = &w->run->prompts;
    pj_status status = PJ_OK;
    for (size_t i = 0; i < p->n && status == PJ_OK; i++) {
        char item[PJI_SHA256_HEX];
        snprintf(item, sizeof item, "%.16s", p->items[i].prompt_sha256);
        if (item[0] == '\0')
            snprintf(item, sizeof item, "%zu", i + 1);
        struct pji_request_row row = {.phase = "measure",
                                      .task = "",
                                      .sequence = (int64_t)i,
                                      .item = item,
                                      .scheduled_ns = p->items[i].start_ns,
                                      .sent_ns = p->items[i].start_ns,
                                      .last_token_ns = p->items[i].end_ns,
                                      .prompt_tokens = -1,
                                      .cached_tokens = -1,
                                      .output_tokens = p->items[i].tokens,
                                      .finish = "",
                                      .text_sha256 = p->items[i].output_sha256,
                                      .error = ""};
        status = pji_store_add_request(w->store, w->attempt, &row, w->err);
    }
    return status;
}

/* ---- figures ---- */

static pj_status put(struct writer *w, const char *name, double value, const char *reason)
{
    struct pji_metric_row row = {
        .task = "", .name = name, .value = value, .origin = "", .reason = reason};
    return pji_store_add_metric(w->store, w->attempt, &row, w->err);
}

/* energy / count; a count that is not known leaves the figure missing with `no_count`. */
static pj_status put_energy(struct writer *w, const char *name, const struct pj_energy *energy,
                            double count, const char *no_count)
{
    struct pji_metric_row row = pji_metric_per("", name, energy, count, no_count);
    return pji_store_add_metric(w->store, w->attempt, &row, w->err);
}

/* The whole recording, under the names that its readers know. */
static pj_status put_recording(struct writer *w)
{
    const struct pji_raw_run *run = w->run;
    const struct pji_raw_window *whole = &run->windows[PJI_RAW_WHOLE];
    struct pj_energy hold = whole->gpu;
    double hold_j = pji_raw_gpu_hold_j(run, 0, run->samples.n - 1);
    if (!isfinite(hold_j))
        pji_energy_missing(&hold, "no power of a GPU was recorded without a gap");
    hold.value_j = hold_j;
    pj_status status = put(w, "n_samples", (double)run->samples.n, "");
    if (status == PJ_OK)
        status = put(w, "duration_s", dur_s(run, PJI_RAW_WHOLE), "");
    if (status == PJ_OK)
        status = put(w, "counter_wraps", (double)run->energies.wraps, "");
    if (status == PJ_OK)
        status = put_energy(w, "cpu_package_j", &whole->cpu, 1, "");
    if (status == PJ_OK)
        status = put_energy(w, "gpu_j_trapezoid", &whole->gpu, 1, "");
    if (status == PJ_OK)
        status = put_energy(w, "gpu_j_left_hold", &hold, 1, "");
    if (status == PJ_OK)
        status = put(w, "gpu_start_temp_c", run->samples.gpu_start_temp_c,
                     isnan(run->samples.gpu_start_temp_c) ? "no column GPU0_TEMPERATURE" : "");
    return status;
}

static pj_status put_window(struct writer *w)
{
    const struct pji_raw_run *run = w->run;
    const struct pji_raw_window *measure = &run->windows[PJI_RAW_MEASURE];
    const struct pj_energy *total = &measure->total.energy;
    double window_s = dur_s(run, PJI_RAW_MEASURE);
    pj_status status = put_energy(w, "energy_j", total, 1, "");
    if (status == PJ_OK)
        status = put_energy(w, "cpu_energy_j", &measure->cpu, 1, "");
    if (status == PJ_OK)
        status = put_energy(w, "gpu_energy_j", &measure->gpu, 1, "");
    if (status == PJ_OK)
        status = put(w, "dur_s", window_s, "");
    if (status == PJ_OK)
        status = put_energy(w, "power_w", total, window_s, "the window is empty");
    if (status == PJ_OK)
        status = put_energy(w, "load_energy_j", &run->windows[PJI_RAW_LOAD].total.energy, 1, "");
    if (status == PJ_OK)
        status = put(w, "load_dur_s", dur_s(run, PJI_RAW_LOAD), "");
    return status;
}

struct counts {
    double tokens;
    size_t uncounted, judged;
    double judge_sum;
};

static struct counts count(const struct pji_raw_prompts *p)
{
    struct counts c = {0};
    for (size_t i = 0; i < p->n; i++) {
        if (p->items[i].tokens >= 0)
            c.tokens += (double)p->items[i].tokens;
        else
            c.uncounted++;
        if (!isnan(p->items[i].judge_score)) {
            c.judged++;
            c.judge_sum += p->items[i].judge_score;
        }
    }
    return c;
}

static pj_status put_answers(struct writer *w)
{
    static const char no_tokens[] = "prompts_out.tsv does not count the tokens of every response";
    const struct pji_raw_run *run = w->run;
    const struct pj_energy *total = &run->windows[PJI_RAW_MEASURE].total.energy;
    struct counts c = count(&run->prompts);
    double n = (double)run->prompts.n, judged = (double)c.judged;
    double tokens = c.uncounted == 0 ? c.tokens : (double)NAN;
    pj_status status = put(w, "requests", n, "");
    if (status == PJ_OK)
        status = put(w, "output_tokens", tokens, c.uncounted == 0 ? "" : no_tokens);
    if (status == PJ_OK)
        status = put(w, "output_tok_per_s", tokens / dur_s(run, PJI_RAW_MEASURE),
                     c.uncounted == 0 ? "" : no_tokens);
    if (status == PJ_OK)
        status = put_energy(w, "j_per_token", total, tokens,
                            c.uncounted == 0 ? "no token was given back" : no_tokens);
    if (status == PJ_OK)
        status = put_energy(w, "j_per_request", total, n, "");
    if (status == PJ_OK)
        status = put(w, "judged_answers", judged, "");
    if (status == PJ_OK)
        status = put(w, "judge_score", c.judged > 0 ? c.judge_sum / judged : (double)NAN,
                     c.judged > 0 ? "" : "no answer was judged");
    return status;
}

/* ---- gates and facts ---- */

static pj_status fired(void *context, const struct pji_gate_def *gate, const char *detail,
                       struct pj_error *err)
{
    struct writer *w = context;
    struct pji_gate_row row = {gate->code, pji_gate_consequence_name(gate->consequence), detail};
    if (gate->consequence == PJI_GATE_INVALID)
        pji_str_addf(w->invalid_reason, "%s%s", w->invalid_reason->len > 0 ? "," : "", gate->code);
    return pji_store_add_gate(w->store, w->attempt, &row, err);
}

/* Fields without a value in the columns that energies come from: gaps that were bridged. */
static pj_status put_unread(struct writer *w)
{
    const struct pji_raw_samples *s = &w->run->samples;
    struct pji_str detail = {0};
    for (size_t c = 0; c < s->n_columns; c++) {
        if (s->columns[c].unread > 0 && !s->columns[c].all_zero)
            pji_str_addf(&detail, "%s%zu of %zu readings of '%s' are no number",
                         detail.len > 0 ? "; " : "", s->columns[c].unread, s->n,
                         s->columns[c].name);
    }
    pj_status status = pji_str_ok(&detail, w->err);
    struct pji_gate_row row = {"cells_unread", "flag", pji_str_text(&detail)};
    if (status == PJ_OK && detail.len > 0)
        status = pji_store_add_gate(w->store, w->attempt, &row, w->err);
    pji_str_fini(&detail);
    return status;
}

static pj_status put_gates(struct writer *w)
{
    const struct pji_raw_run *run = w->run;
    struct pji_gate_limits limits = pji_gate_limits_default();
    struct pji_gate_inputs inputs = {.task = "",
                                     .window_ns = pji_raw_run_end(run, PJI_RAW_MEASURE) -
                                                  pji_raw_run_start(run, PJI_RAW_MEASURE),
                                     .interval_ns = (int64_t)(run->samples.interval_s * 1e9),
                                     .max_gap_ns = run->max_gap_ns,
                                     .requests = run->prompts.n,
                                     .uncounted = count(&run->prompts).uncounted,
                                     .total = &run->windows[PJI_RAW_MEASURE].total.energy};
    pj_status status = pji_gates_apply(&inputs, &limits, fired, w, w->err);
    if (status == PJ_OK)
        status = put_unread(w);
    if (status == PJ_OK)
        status = pji_str_ok(w->invalid_reason, w->err);
    return status;
}

static pj_status put_facts(struct writer *w)
{
    const struct pji_raw_run *run = w->run;
    char number[PJI_NUM_TEXT];
    (void)pji_num_format(run->summary.energy_j, number);
    pj_status status =
        pji_store_put_fact(w->store, w->attempt, "energibridge_summary_j", number, w->err);
    (void)pji_num_format(run->samples.interval_s, number);
    if (status == PJ_OK)
        status = pji_store_put_fact(w->store, w->attempt, "sample_interval_s", number, w->err);
    for (size_t i = 0; i < run->energies.n && status == PJ_OK; i++) {
        const struct pji_raw_modulus *modulus = &run->energies.modulus[i];
        char key[96];
        if (modulus->wraps == 0)
            continue;
        snprintf(key, sizeof key, "modulus_j.%s", run->energies.channels[i].domain);
        (void)pji_num_format(modulus->modulus_j, number);
        status = pji_store_put_fact(w->store, w->attempt, key, number, w->err);
    }
    return status;
}

pj_status pji_raw_run_store(const struct pji_raw_run *run, struct pji_store *store, int64_t attempt,
                            struct pji_str *invalid_reason, struct pj_error *err)
{
    struct writer w = {run, store, attempt, invalid_reason, err};
    pj_status status = put_phases(&w);
    if (status == PJ_OK)
        status = put_requests(&w);
    if (status == PJ_OK)
        status = put_recording(&w);
    if (status == PJ_OK)
        status = put_window(&w);
    if (status == PJ_OK)
        status = put_answers(&w);
    if (status == PJ_OK)
        status = put_gates(&w);
    if (status == PJ_OK)
        status = put_facts(&w);
    return status;
}
