#include "lab/rest_records.h"

#include "core/array.h"
#include "core/units.h"
#include "lab/observe.h"
#include "stats/steady.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char reference_key[] = "rest.reference";

enum { BATCHES = 10 };

/* ---- baselines ---- */

/* How far the mean power of an idle machine is from that of another span as long: its batch means.
 */
static pj_status scatter_w(const struct pji_trial_data *data, const struct pji_phase_data *phase,
                           double *u_w, struct pj_error *err)
{
    int64_t dur_ns = phase->end_ns - phase->start_ns;
    size_t n = data->interval_ns > 0 ? (size_t)(dur_ns / data->interval_ns) : 0;
    *u_w = 0;
    if (n < 2 * (size_t)BATCHES)
        return PJ_OK;
    double *values = pji_zalloc(n, sizeof *values, err);
    if (values == NULL)
        return PJ_ENOMEM;
    pj_status status =
        pji_observe_energy(&data->trace, phase->start_ns, data->interval_ns, n, values, err);
    if (status == PJ_OK)
        *u_w = pji_batch_means_u(values, n, BATCHES) / pji_s_from_ns(data->interval_ns);
    free(values);
    return status == PJI_UNOBSERVED ? PJ_OK : status;
}

static pj_status total_of(const struct pji_trial_data *data, const struct pji_phase_data *phase,
                          struct pj_energy *out, struct pj_error *err)
{
    size_t n = data->has_trace ? data->trace.header.n_channels : 0;
    struct pj_energy *each = pji_zalloc(n + 1, sizeof *each, err);
    bool *in_total = pji_zalloc(n + 1, sizeof *in_total, err);
    struct pji_total total = {0};
    pj_status status = each != NULL && in_total != NULL ? PJ_OK : PJ_ENOMEM;
    if (status == PJ_OK && data->has_trace)
        pji_trace_window(&data->trace, phase->start_ns, phase->end_ns, false, each, in_total,
                         &total);
    *out = total.energy;
    if (status == PJ_OK && !data->has_trace)
        pji_energy_missing(out, "the meter's trace is not complete");
    if (data->remote_reason[0] != '\0')
        pji_energy_missing(out, data->remote_reason);
    free(each);
    free(in_total);
    return status;
}

static pj_status store_baseline(struct pji_store *store, int64_t attempt,
                                const struct pji_trial_data *data,
                                const struct pji_phase_data *phase, struct pj_error *err)
{
    char name[64];
    struct pj_energy total;
    double u_w = 0, dur_s = pji_s_from_ns(phase->end_ns - phase->start_ns);
    pj_status status = total_of(data, phase, &total, err);
    if (status == PJ_OK && total.origin != PJ_ORIGIN_MISSING)
        status = scatter_w(data, phase, &u_w, err);
    if (status != PJ_OK)
        return status;
    snprintf(name, sizeof name, "%s_power_w", phase->name);
    struct pji_metric_row row = pji_metric_per("", name, &total, dur_s, "the baseline is empty");
    row.u_ind = isnan(row.value) ? row.u_ind : hypot(row.u_ind, u_w);
    return pji_store_add_metric(store, attempt, &row, err);
}

/* ---- temperatures ---- */

static pj_status store_temps(struct pji_store *store, int64_t attempt,
                             const struct pji_trial_data *data, struct pj_error *err)
{
    pj_status status = PJ_OK;
    double hottest_c = (double)NAN;
    char key[96], value[32];
    for (size_t i = 0; i < data->start_temps.n && status == PJ_OK; i++) {
        const struct pji_temp *temp = &data->start_temps.at[i];
        snprintf(key, sizeof key, "start_temp.%s", temp->name);
        snprintf(value, sizeof value, "%.3f", temp->temp_c);
        hottest_c = fmax(hottest_c, temp->temp_c);
        status = pji_store_put_fact(store, attempt, key, value, err);
    }
    if (status == PJ_OK && data->start_temps.n == 0)
        return pji_store_put_fact(store, attempt, "start_temp", "no temperature sensor was found",
                                  err);
    struct pji_metric_row row = {
        .task = "", .name = "start_temp_c", .value = hottest_c, .origin = "", .reason = ""};
    return status == PJ_OK ? pji_store_add_metric(store, attempt, &row, err) : status;
}

bool pji_rest_start_off(const struct pji_trial_data *data, char *text, size_t size)
{
    double off_c = 0;
    const struct pji_temp *temp = data->looked && !data->took_reference && data->reference.known
                                      ? pji_start_off(&data->start_temps, &data->reference, &off_c)
                                      : NULL;
    if (temp == NULL || fabs(off_c) <= PJI_START_OFF_C)
        return false;
    snprintf(text, size, "%s was at %.1f C when the trial began, %.1f C %s the first trial",
             temp->name, temp->temp_c, fabs(off_c), off_c > 0 ? "above" : "below");
    return true;
}

/* ---- the reference ---- */

pj_status pji_rest_store_reference(struct pji_store *store, int64_t attempt,
                                   const struct pji_rest_reference *reference, struct pj_error *err)
{
    struct pji_str text = {0};
    json_t *object = pji_rest_to_json(reference);
    pji_json_write(&text, object, 0);
    pj_status status = pji_str_ok(&text, err);
    if (status == PJ_OK)
        status = pji_store_put_fact(store, attempt, reference_key, pji_str_text(&text), err);
    json_decref(object);
    pji_str_fini(&text);
    return status;
}

struct search {
    struct pji_store *store;
    struct pji_rest_reference *reference;
};

static pj_status on_fact(void *context, const char *key, const char *value, struct pj_error *err)
{
    struct search *s = context;
    if (strcmp(key, reference_key) != 0)
        return PJ_OK;
    json_t *object = pji_json_parse(value, strlen(value), "the fact rest.reference", err);
    pj_status status = object != NULL ? pji_rest_from_json(s->reference, object, err) : PJ_ECORRUPT;
    json_decref(object);
    return status;
}

static pj_status on_attempt(void *context, const struct pji_attempt_row *row, struct pj_error *err)
{
    struct search *s = context;
    return s->reference->known ? PJ_OK : pji_store_each_fact(s->store, row->id, on_fact, s, err);
}

pj_status pji_rest_load_reference(struct pji_store *store, struct pji_rest_reference *reference,
                                  struct pj_error *err)
{
    struct search s = {store, reference};
    *reference = (struct pji_rest_reference){.power_w = (double)NAN};
    return pji_store_each_attempt(store, 0, on_attempt, &s, err);
}

/* ---- all of it ---- */

pj_status pji_rest_store(struct pji_store *store, int64_t attempt,
                         const struct pji_trial_data *data, struct pj_error *err)
{
    pj_status status = data->looked ? store_temps(store, attempt, data, err) : PJ_OK;
    bool any = false;
    for (size_t i = 0; i < data->n && status == PJ_OK; i++) {
        const struct pji_phase_data *phase = &data->phases[i];
        if (strncmp(phase->name, "baseline_", 9) != 0 || !pji_phase_began(phase))
            continue;
        any = true;
        status = store_baseline(store, attempt, data, phase, err);
    }
    /* times of another boot are on another clock */
    if (status == PJ_OK && (any || data->wants_net) && data->boot_id[0] != '\0')
        status = pji_store_put_fact(store, attempt, "boot_id", data->boot_id, err);
    return status;
}
