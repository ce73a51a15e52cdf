/* What one attempt leaves in the store: energies of an engine elsewhere, cut-off phases, scored
 * requests that failed.
 */
#include "lab/records.h"

#include "temp.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* One package counter, 10 W for 4 s. */
static const char trace_text[] =
    "{\"type\":\"header\",\"format\":\"perjoule-trace\",\"version\":1,\"tool\":\"test\",\"t_ns\":0,"
    "\"wall_ns\":0,\"interval_ns\":1000000000,\"channels\":[{\"name\":\"rapl:package-0\","
    "\"source\":\"rapl_powercap\",\"domain\":\"package-0\",\"parent\":\"machine\","
    "\"domain_kind\":\"package\",\"kind\":\"counter\",\"role\":\"energy\",\"unit\":\"uJ\","
    "\"origin\":\"counter\",\"modulus\":0,\"refresh_ns\":1000000,\"quantum\":1,\"companion\":-1,"
    "\"com_id\":\"rapl\"}],\"missing\":[]}\n"
    "{\"t_ns\":1000000000,\"r\":[[0,1000000]]}\n{\"t_ns\":2000000000,\"r\":[[0,11000000]]}\n"
    "{\"t_ns\":3000000000,\"r\":[[0,21000000]]}\n{\"t_ns\":4000000000,\"r\":[[0,31000000]]}\n"
    "{\"t_ns\":5000000000,\"r\":[[0,41000000]]}\n"
    "{\"type\":\"footer\",\"t_ns\":5000000000,\"samples\":5,\"late_ticks\":0,\"own_cpu_s\":0}\n";

struct seen {
    struct pj_energy total;
    char total_label[64], channel_domain[64];
    bool channel_in_total;
    double energy_j, j_per_token;
    char reason[PJ_REASON];
    char gates[256];
    size_t phases, answers, correct, unparsable;
};

static pj_status on_energy(void *context, const struct pji_energy_row *row, struct pj_error *err)
{
    struct seen *s = context;
    (void)err;
    if (strcmp(row->phase, "measure") != 0)
        return PJ_OK;
    if (strcmp(row->name, "total") == 0) {
        s->total = row->energy;
        snprintf(s->total_label, sizeof s->total_label, "%s", row->domain);
    } else {
        snprintf(s->channel_domain, sizeof s->channel_domain, "%s", row->domain);
        s->channel_in_total = row->in_total;
    }
    return PJ_OK;
}

static pj_status on_metric(void *context, const struct pji_metric_row *row, struct pj_error *err)
{
    struct seen *s = context;
    (void)err;
    if (strcmp(row->name, "energy_j") == 0) {
        s->energy_j = row->value;
        snprintf(s->reason, sizeof s->reason, "%s", row->reason);
    }
    if (strcmp(row->name, "j_per_token") == 0)
        s->j_per_token = row->value;
    return PJ_OK;
}

static pj_status on_gate(void *context, const struct pji_gate_row *row, struct pj_error *err)
{
    struct seen *s = context;
    (void)err;
    strcat(s->gates, row->code);
    strcat(s->gates, " ");
    return PJ_OK;
}

static pj_status on_phase(void *context, const struct pji_phase_row *row, struct pj_error *err)
{
    (void)row;
    (void)err;
    ((struct seen *)context)->phases++;
    return PJ_OK;
}

static void store_and_see(struct pji_trial_data *data, struct seen *seen)
{
    char dir[TEMP_PATH];
    char study[TEMP_PATH + 8];
    struct pji_store *store = NULL;
    struct pji_str gates = {0};
    struct pji_trial trial = {.id = 1, .block = 1, .repetition = 1, .reason = ""};
    int64_t attempt = 0;
    double energy_j = 0;
    struct pj_error err = {0};
    memset(seen, 0, sizeof *seen);
    temp_open(dir);
    snprintf(study, sizeof study, "%s/s", dir);
    assert_int_equal(pji_store_create(&store, study, NULL, &err), PJ_OK);
    assert_int_equal(pji_store_add_trial(store, &trial, &err), PJ_OK);
    assert_int_equal(pji_store_start_attempt(store, 1, "n", 1, 1, &attempt, &err), PJ_OK);
    if (pji_records_store(store, attempt, data, &gates, &energy_j, &err) != PJ_OK)
        fail_msg("%s", err.text);
    assert_int_equal(pji_store_each_energy(store, attempt, on_energy, seen, &err), PJ_OK);
    assert_int_equal(pji_store_each_metric(store, attempt, on_metric, seen, &err), PJ_OK);
    assert_int_equal(pji_store_each_gate(store, attempt, on_gate, seen, &err), PJ_OK);
    assert_int_equal(pji_store_each_phase(store, attempt, on_phase, seen, &err), PJ_OK);
    assert_int_equal(pji_store_close(store, &err), PJ_OK);
    pji_str_fini(&gates);
    temp_close(dir);
}

/* The same beside a GPU whose driver goes away at 2 s. */
static const char torn_text[] =
    "{\"type\":\"header\",\"format\":\"perjoule-trace\",\"version\":1,\"tool\":\"test\",\"t_ns\":0,"
    "\"wall_ns\":0,\"interval_ns\":1000000000,\"channels\":[{\"name\":\"rapl:package-0\","
    "\"source\":\"rapl_powercap\",\"domain\":\"package-0\",\"parent\":\"machine\","
    "\"domain_kind\":\"package\",\"kind\":\"counter\",\"role\":\"energy\",\"unit\":\"uJ\","
    "\"origin\":\"counter\",\"modulus\":0,\"refresh_ns\":1000000,\"quantum\":1,\"companion\":-1,"
    "\"com_id\":\"rapl\"},{\"name\":\"nvml:0:energy\",\"source\":\"nvml\",\"domain\":\"gpu-0\","
    "\"parent\":\"machine\",\"domain_kind\":\"gpu\",\"kind\":\"counter\",\"role\":\"energy\","
    "\"unit\":\"uJ\",\"origin\":\"counter\",\"modulus\":0,\"refresh_ns\":1000000,\"quantum\":1,"
    "\"companion\":-1,\"com_id\":\"nvml\"}],\"missing\":[]}\n"
    "{\"t_ns\":500000000,\"r\":[[0,0],[1,0]]}\n{\"t_ns\":900000000,\"r\":[[0,1000000],[1,90000000]]"
    "}\n"
    "{\"t_ns\":2000000000,\"r\":[[0,11000000]]}\n"
    "{\"t_ns\":3000000000,\"r\":[[0,21000000]]}\n{\"t_ns\":4000000000,\"r\":[[0,31000000]]}\n"
    "{\"t_ns\":5000000000,\"r\":[[0,41000000]]}\n"
    "{\"type\":\"footer\",\"t_ns\":5000000000,\"samples\":6,\"late_ticks\":0,\"own_cpu_s\":0}\n";

static void make_of(struct pji_trial_data *data, const char *text)
{
    struct pji_trace_reader *reader = NULL;
    *data = (struct pji_trial_data){.interval_ns = 1000000000,
                                    .gates = pji_gate_limits_default(),
                                    .start_ns = 1,
                                    .end_ns = 5000000000};
    struct pji_trace_visitor visitor = pji_trace_builder(&data->trace);
    assert_int_equal(pji_trace_reader_new(&reader, "t", &visitor, NULL), PJ_OK);
    assert_int_equal(pji_trace_reader_feed(reader, text, strlen(text), NULL), PJ_OK);
    assert_int_equal(pji_trace_reader_end(reader, NULL, NULL, NULL), PJ_OK);
    pji_trace_reader_free(reader);
    data->has_trace = true;
    struct pji_phase_data *phase = pji_trial_data_phase(data, "measure", NULL);
    assert_non_null(phase);
    if (phase != NULL) {
        phase->start_ns = 2000000000;
        phase->end_ns = 4000000000;
    }
}

static void make(struct pji_trial_data *data)
{
    make_of(data, trace_text);
}

/* What the processors drew alone is no figure beside trials that have the GPU's part. */
static void a_total_that_lost_an_instrument_is_invalid(void **state)
{
    (void)state;
    struct pji_trial_data data;
    struct seen seen;
    make_of(&data, torn_text);
    store_and_see(&data, &seen);
    assert_non_null(strstr(seen.gates, "instrument_lost"));
    pji_trial_data_fini(&data);
}

static void a_window_has_its_energy(void **state)
{
    (void)state;
    struct pji_trial_data data;
    struct seen seen;
    make(&data);
    store_and_see(&data, &seen);
    assert_true(fabs(seen.energy_j - 20) < 1e-9);
    assert_true(fabs(seen.total.value_j - 20) < 1e-9);
    assert_int_equal(seen.total.origin, PJ_ORIGIN_COUNTER);
    assert_string_equal(seen.channel_domain, "package-0");
    assert_true(seen.channel_in_total);
    assert_string_equal(seen.gates, "short_window ");
    pji_trial_data_fini(&data);
}

static void an_engine_elsewhere_is_not_measured_here(void **state)
{
    (void)state;
    struct pji_trial_data data;
    struct seen seen;
    make(&data);
    snprintf(data.remote_reason, sizeof data.remote_reason, "not measured here: gpu.example");
    store_and_see(&data, &seen);
    assert_int_equal(seen.total.origin, PJ_ORIGIN_MISSING);
    assert_string_equal(seen.total.reason, "not measured here: gpu.example");
    assert_string_equal(seen.total_label, "engine on another host");
    assert_string_equal(seen.channel_domain,
                        "client/package-0"); /* what is local is the client's */
    assert_false(seen.channel_in_total);
    assert_true(isnan(seen.energy_j));
    assert_string_equal(seen.reason, "not measured here: gpu.example");
    assert_string_equal(seen.gates, "short_window energy_remote ");
    pji_trial_data_fini(&data);
}

static void without_a_trace_energies_are_missing(void **state)
{
    (void)state;
    struct pji_trial_data data;
    struct seen seen;
    make(&data);
    pji_trace_fini(&data.trace);
    memset(&data.trace, 0, sizeof data.trace);
    data.has_trace = false;
    store_and_see(&data, &seen);
    assert_int_equal(seen.total.origin, PJ_ORIGIN_MISSING);
    assert_true(isnan(seen.energy_j));
    assert_true(strlen(seen.reason) > 0);
    assert_non_null(strstr(seen.gates, "energy_missing"));
    pji_trial_data_fini(&data);
}

static void a_phase_that_never_began_leaves_nothing(void **state)
{
    (void)state;
    struct pji_trial_data data;
    struct seen seen;
    make(&data);
    assert_non_null(pji_trial_data_phase(&data, "measure", NULL));
    store_and_see(&data, &seen);
    assert_int_equal(seen.phases, 1);
    pji_trial_data_fini(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_has_its_energy),
        cmocka_unit_test(a_total_that_lost_an_instrument_is_invalid),
        cmocka_unit_test(an_engine_elsewhere_is_not_measured_here),
        cmocka_unit_test(without_a_trace_energies_are_missing),
        cmocka_unit_test(a_phase_that_never_began_leaves_nothing),
    };
    return cmocka_run_group_tests_name("records", tests, NULL, NULL);
}
