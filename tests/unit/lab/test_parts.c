/* The parts of a window on a scripted device and scripted requests: 30 s of two streams whose
 * requests take 1 s and bring 10 chunks, with a known ramp, a known end, and what never settles.
 */
#include "lab/parts.h"
#include "lab/records.h"

#include "core/prng.h"
#include "core/str.h"
#include "core/units.h"

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

enum { STREAMS = 2, EACH = 30, CHUNKS = 10, N = STREAMS * EACH, TICKS = 320 };

#define TENTH_NS (PJI_NS_PER_S / 10)
#define START_NS (10 * PJI_NS_PER_S)
#define WINDOW_S 30.5 /* the second stream is half a second behind */

struct world {
    struct pji_request_record records[N];
    int64_t token_ns[N][CHUNKS];
    struct pji_load_result load;
    struct pji_trace trace;
    struct pji_parts_input in;
};

/* Stream s sends request k at k + s / 2 seconds. */
static void make_requests(struct world *w)
{
    for (size_t i = 0; i < N; i++) {
        struct pji_request_record *r = &w->records[i];
        int64_t sent_ns = START_NS + (int64_t)(i / STREAMS) * PJI_NS_PER_S +
                          (int64_t)(i % STREAMS) * PJI_NS_PER_S / 2;
        *r = (struct pji_request_record){.spec = i,
                                         .stream = (int64_t)(i % STREAMS),
                                         .scheduled_ns = sent_ns,
                                         .sent_ns = sent_ns,
                                         .prompt_tokens = 3,
                                         .cached_tokens = 0,
                                         .output_tokens = CHUNKS,
                                         .token_ns = w->token_ns[i],
                                         .n_tokens = CHUNKS};
        for (size_t k = 0; k < CHUNKS; k++)
            w->token_ns[i][k] = sent_ns + (int64_t)(k + 1) * TENTH_NS;
        r->first_token_ns = w->token_ns[i][0];
        r->last_token_ns = w->token_ns[i][CHUNKS - 1];
    }
    w->load = (struct pji_load_result){.records = w->records,
                                       .n = N,
                                       .n_done = N,
                                       .start_ns = START_NS,
                                       .end_ns = START_NS + (int64_t)(WINDOW_S * 1e9)};
}

typedef double power_fn(double t_s, struct pji_prng *prng);

static void make_trace(struct world *w, power_fn *power)
{
    struct pji_str text = {0};
    struct pji_prng prng;
    struct pji_trace_reader *reader = NULL;
    double energy_uj = 0;
    pji_prng_init(&prng, 8, "parts");
    pji_str_add(
        &text,
        "{\"type\":\"header\",\"format\":\"perjoule-trace\",\"version\":1,\"tool\":\"test\","
        "\"t_ns\":9500000000,\"wall_ns\":0,\"interval_ns\":100000000,\"channels\":[{\"name\":"
        "\"rapl:package-0\",\"source\":\"rapl_powercap\",\"domain\":\"package-0\",\"parent\":"
        "\"machine\",\"domain_kind\":\"package\",\"kind\":\"counter\",\"role\":\"energy\",\"unit\":"
        "\"uJ\",\"origin\":\"counter\",\"modulus\":0,\"refresh_ns\":0,\"quantum\":1,"
        "\"companion\":-1,\"com_id\":\"rapl\"}],\"missing\":[]}\n");
    for (size_t i = 0; i < TICKS; i++) {
        pji_str_addf(&text, "{\"t_ns\":%lld,\"r\":[[0,%lld]]}\n",
                     (long long)(9500000000 + (int64_t)i * TENTH_NS), (long long)energy_uj);
        energy_uj += 1e5 * power(-0.5 + (double)i / 10, &prng);
    }
    pji_str_addf(&text,
                 "{\"type\":\"footer\",\"t_ns\":%lld,\"samples\":%d,\"late_ticks\":0,"
                 "\"own_cpu_s\":0}\n",
                 (long long)(9500000000 + (TICKS - 1) * TENTH_NS), TICKS);
    struct pji_trace_visitor visitor = pji_trace_builder(&w->trace);
    assert_int_equal(pji_trace_reader_new(&reader, "t", &visitor, NULL), PJ_OK);
    assert_int_equal(pji_trace_reader_feed(reader, text.text, text.len, NULL), PJ_OK);
    assert_int_equal(pji_trace_reader_end(reader, NULL, NULL, NULL), PJ_OK);
    pji_trace_reader_free(reader);
    pji_str_fini(&text);
}

static void make(struct world *w, power_fn *power)
{
    memset(w, 0, sizeof *w);
    make_requests(w);
    make_trace(w, power);
    w->in = (struct pji_parts_input){.load = &w->load,
                                     .trace = &w->trace,
                                     .interval_ns = TENTH_NS,
                                     .start_ns = w->load.start_ns,
                                     .end_ns = w->load.end_ns};
}

static double clean(double t_s, struct pji_prng *prng)
{
    (void)t_s;
    return 100 + pji_prng_normal(prng);
}

/* 5 s until the device is at 100 W. */
static double ramping(double t_s, struct pji_prng *prng)
{
    return clean(t_s, prng) - (t_s < 5 ? 12 * (5 - t_s) : 0);
}

static double drifting(double t_s, struct pji_prng *prng)
{
    return clean(t_s, prng) + t_s;
}

static struct pji_parts find(const struct world *w)
{
    struct pji_parts parts;
    struct pj_error err = {0};
    if (pji_parts_find(&parts, &w->in, &err) != PJ_OK)
        fail_msg("%s", err.text);
    assert_true(parts.asked);
    return parts;
}

static double after_start_s(int64_t t_ns)
{
    return pji_s_from_ns(t_ns - START_NS);
}

static void ramp_and_drain_are_cut(void **state)
{
    struct world w;
    (void)state;
    make(&w, ramping);
    struct pji_parts parts = find(&w);
    assert_true(parts.settled);
    assert_true(after_start_s(parts.steady_ns[0]) >= 4 && after_start_s(parts.steady_ns[0]) <= 7);
    /* the last request is sent at 29.5 s; at 30 s the other stream ends and is not used again */
    assert_true(fabs(after_start_s(parts.steady_ns[1]) - 30) < 1e-9);
    assert_int_equal(pji_parts_of(&parts, &w.records[0]), PJI_PART_RAMP);
    assert_int_equal(pji_parts_of(&parts, &w.records[N / 2]), PJI_PART_STEADY);
    assert_int_equal(pji_parts_of(&parts, &w.records[N - 1]), PJI_PART_DRAIN);
    w.records[N - 1].error = (char[]){"lost"}; /* it has no end: where it was sent */
    assert_int_equal(pji_parts_of(&parts, &w.records[N - 1]), PJI_PART_STEADY);
    pji_trace_fini(&w.trace);
}

static void tokens_are_those_that_arrived_inside(void **state)
{
    struct world w;
    (void)state;
    make(&w, ramping);
    struct pji_parts parts = {.asked = true, .settled = true};
    uint64_t uncounted = 0;
    parts.steady_ns[0] = START_NS + 7 * PJI_NS_PER_S;
    parts.steady_ns[1] = START_NS + 9 * PJI_NS_PER_S;
    /* 20 chunks a second of both streams; the chunk at exactly 9 s is outside, at 7 s inside */
    assert_true(fabs(pji_parts_tokens(&parts, &w.load, &uncounted) - 40) < 1e-9);
    for (size_t i = 0; i < N; i++)
        w.records[i].output_tokens = 2 * CHUNKS; /* two tokens a chunk */
    assert_true(fabs(pji_parts_tokens(&parts, &w.load, &uncounted) - 80) < 1e-9);
    assert_int_equal(uncounted, 0);
    w.records[15].output_tokens = -1; /* in flight from 7.5 to 8.5 s */
    w.records[0].output_tokens = -1;  /* long before */
    (void)pji_parts_tokens(&parts, &w.load, &uncounted);
    assert_int_equal(uncounted, 1);
    pji_trace_fini(&w.trace);
}

static void an_open_loop_drains_from_its_last_send(void **state)
{
    struct world w;
    (void)state;
    make(&w, clean);
    w.in.open_loop = true;
    struct pji_parts parts = find(&w);
    assert_true(parts.settled);
    assert_true(fabs(after_start_s(parts.steady_ns[1]) - 29.5) < 1e-9);
    pji_trace_fini(&w.trace);
}

static void what_never_settles_says_why(void **state)
{
    struct world w;
    (void)state;
    make(&w, drifting);
    struct pji_parts parts = find(&w);
    assert_false(parts.settled);
    assert_non_null(strstr(parts.detail, "power"));
    w.in.trace = NULL; /* nothing was measured: the output alone is steady */
    assert_true(find(&w).settled);
    for (size_t i = 0; i < N; i++) /* ever more output */
        w.records[i].output_tokens = 10 * (int64_t)(i + 1);
    parts = find(&w);
    assert_false(parts.settled);
    assert_non_null(strstr(parts.detail, "output"));
    w.in.interval_ns = PJI_NS_PER_S; /* 30 observations */
    parts = find(&w);
    assert_false(parts.settled);
    assert_non_null(strstr(parts.detail, "send more requests"));
    w.load.n = 0;
    assert_false(find(&w).settled);
    pji_trace_fini(&w.trace);
}

/* ---- what is stored ---- */

struct figures {
    double energy_j, dur_s, tokens, j_per_token, requests, ramp_energy_j, drain_requests;
    char missing[PJ_REASON], gates[200], phases[100];
};

static pj_status on_metric(void *context, const struct pji_metric_row *row, struct pj_error *err)
{
    struct figures *f = context;
    struct {
        const char *name;
        double *value;
    } wanted[] = {{"energy_j", &f->energy_j},
                  {"dur_s", &f->dur_s},
                  {"output_tokens", &f->tokens},
                  {"j_per_token", &f->j_per_token},
                  {"requests", &f->requests},
                  {"ramp_energy_j", &f->ramp_energy_j},
                  {"drain_requests", &f->drain_requests}};
    (void)err;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (strcmp(wanted[i].name, row->name) == 0)
            *wanted[i].value = row->value;
    if (strcmp(row->name, "energy_j") == 0)
        snprintf(f->missing, sizeof f->missing, "%s", row->reason);
    return PJ_OK;
}

static pj_status on_gate(void *context, const struct pji_gate_row *row, struct pj_error *err)
{
    struct figures *f = context;
    size_t len = strlen(f->gates);
    (void)err;
    snprintf(f->gates + len, sizeof f->gates - len, "%s:%s ", row->code, row->consequence);
    return PJ_OK;
}

static pj_status on_phase(void *context, const struct pji_phase_row *row, struct pj_error *err)
{
    struct figures *f = context;
    size_t len = strlen(f->phases);
    (void)err;
    snprintf(f->phases + len, sizeof f->phases - len, "%s ", row->name);
    return PJ_OK;
}

static void store(struct world *w, struct figures *f, struct pji_str *gates)
{
    char dir[TEMP_PATH], study[TEMP_PATH + 8];
    struct pji_task_spec spec = {.name = (char[]){"t"}, .steady = true};
    struct pji_workload_task task = {.spec = &spec};
    struct pji_request_spec specs[N];
    struct pji_trial_data data = {.interval_ns = TENTH_NS,
                                  .gates = pji_gate_limits_default(),
                                  .trace = w->trace,
                                  .has_trace = true,
                                  .end_ns = 1};
    struct pji_trial trial = {.id = 1, .block = 1, .repetition = 1, .reason = ""};
    struct pji_store *store = NULL;
    struct pj_error err = {0};
    int64_t attempt = 0;
    double energy_j = 0;
    for (size_t i = 0; i < N; i++)
        specs[i] = (struct pji_request_spec){.item = "i"};
    *f = (struct figures){.energy_j = (double)NAN};
    struct pji_phase_data phase = {.name = "measure",
                                   .run = {.task = &task, .specs = specs, .n = N},
                                   .load = w->load,
                                   .start_ns = w->load.start_ns,
                                   .end_ns = w->load.end_ns};
    data.phases = &phase;
    data.n = 1;
    temp_open(dir);
    snprintf(study, sizeof study, "%s/s", dir);
    assert_int_equal(pji_store_create(&store, study, NULL, &err), PJ_OK);
    assert_int_equal(pji_store_add_trial(store, &trial, &err), PJ_OK);
    assert_int_equal(pji_store_start_attempt(store, 1, "n", 1, 1, &attempt, &err), PJ_OK);
    if (pji_records_store(store, attempt, &data, gates, &energy_j, &err) != PJ_OK)
        fail_msg("%s", err.text);
    assert_int_equal(pji_store_each_metric(store, attempt, on_metric, f, &err), PJ_OK);
    assert_int_equal(pji_store_each_gate(store, attempt, on_gate, f, &err), PJ_OK);
    assert_int_equal(pji_store_each_phase(store, attempt, on_phase, f, &err), PJ_OK);
    assert_int_equal(pji_store_close(store, &err), PJ_OK);
    temp_close(dir);
}

static void figures_are_of_the_steady_part(void **state)
{
    struct world w;
    struct figures f;
    struct pji_str gates = {0};
    (void)state;
    make(&w, ramping);
    double ramp_s = after_start_s(find(&w).steady_ns[0]);
    store(&w, &f, &gates);
    assert_string_equal(f.phases, "ramp measure drain ");
    assert_int_equal(gates.len, 0);
    assert_true(fabs(f.dur_s - (30 - ramp_s)) < 1e-9);
    assert_true(fabs(f.energy_j / f.dur_s - 100) < 0.5);
    assert_true(fabs(f.tokens - 20 * f.dur_s) < 1);
    assert_true(fabs(f.j_per_token - 5) < 0.05); /* 100 W for 20 tokens a second */
    assert_true(fabs(f.requests - 2 * f.dur_s) < 3 && f.drain_requests > 0 && f.drain_requests < 3);
    /* 100 W less the triangle of 5 s and 60 W */
    assert_true(fabs(f.ramp_energy_j - (100 * ramp_s - 150)) < 10);
    pji_trace_fini(&w.trace);
    pji_str_fini(&gates);
}

static void figures_without_a_steady_part_are_missing(void **state)
{
    struct world w;
    struct figures f;
    struct pji_str gates = {0};
    (void)state;
    make(&w, drifting);
    store(&w, &f, &gates);
    assert_string_equal(pji_str_text(&gates), "never_settles");
    assert_non_null(strstr(f.gates, "never_settles:invalid"));
    assert_true(isnan(f.energy_j));
    assert_string_equal(f.missing, "the task never became steady");
    assert_string_equal(f.phases, "measure ");
    pji_trace_fini(&w.trace);
    pji_str_fini(&gates);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ramp_and_drain_are_cut),
        cmocka_unit_test(tokens_are_those_that_arrived_inside),
        cmocka_unit_test(an_open_loop_drains_from_its_last_send),
        cmocka_unit_test(what_never_settles_says_why),
        cmocka_unit_test(figures_are_of_the_steady_part),
        cmocka_unit_test(figures_without_a_steady_part_are_missing),
    };
    return cmocka_run_group_tests_name("parts", tests, NULL, NULL);
}
