/* Every moment of an attempt belongs to a phase or to `between`, and the sum is held against the
 * whole: it must be right for any cut, and must be found wrong when phases overlap or lack energy.
 */
#include "lab/phase_sum.h"

#include "core/prng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS INT64_C(1000000)

static void add(struct pji_trace *trace, int32_t channel, int64_t t_ns, int64_t value)
{
    struct pji_reading r = {.channel = channel, .t_ns = t_ns, .value = value};
    assert_int_equal(pji_series_add(&trace->series[channel], &r, NULL), PJ_OK);
}

static void fail_read(struct pji_trace *trace, int64_t t_ns)
{
    struct pji_reading r = {.t_ns = t_ns, .value = 5, .status = PJI_READ_FAILED};
    assert_int_equal(pji_series_add(&trace->series[0], &r, NULL), PJ_OK);
}

static void channel(struct pji_channel *c, const char *name, enum pji_domain_kind kind)
{
    *c = (struct pji_channel){.domain_kind = kind,
                              .kind = kind == PJI_DOMAIN_GPU ? PJI_GAUGE : PJI_COUNTER,
                              .role = kind == PJI_DOMAIN_GPU ? PJI_ROLE_POWER : PJI_ROLE_ENERGY,
                              .origin =
                                  kind == PJI_DOMAIN_GPU ? PJ_ORIGIN_INTEGRATED : PJ_ORIGIN_COUNTER,
                              .refresh_ns = kind == PJI_DOMAIN_GPU ? 20 * MS : MS,
                              .quantum = 1,
                              .companion = -1};
    snprintf(c->name, sizeof c->name, "%s", name);
    snprintf(c->domain, sizeof c->domain, "%s", name);
    snprintf(c->parent, sizeof c->parent, "machine");
    snprintf(c->com_id, sizeof c->com_id, "%s", name);
}

/* A package counter read every 100 ms that wraps some twenty times, and a GPU's power every 20 ms
 * with a lag, 20 s, both with a course of their own; some readings do not happen or fail. */
static void make(struct pji_trial_data *data, uint64_t seed)
{
    struct pji_prng rng;
    struct pji_trace *trace = &data->trace;
    *data = (struct pji_trial_data){.has_trace = true, .start_ns = 1, .end_ns = 30000 * MS};
    pji_prng_init(&rng, seed, "phases");
    trace->header.t_ns = 1000 * MS;
    trace->footer.t_ns = 21000 * MS;
    trace->header.n_channels = 2;
    trace->header.channels = calloc(2, sizeof *trace->header.channels);
    trace->series = calloc(2, sizeof *trace->series);
    trace->fold_at = calloc(2, sizeof *trace->fold_at);
    assert_true(trace->header.channels && trace->series && trace->fold_at);
    channel(&trace->header.channels[0], "package-0", PJI_DOMAIN_PACKAGE);
    channel(&trace->header.channels[1], "gpu-0", PJI_DOMAIN_GPU);
    trace->header.channels[0].modulus = 100000000;
    trace->header.channels[1].lag_ns = 20 * MS;
    trace->header.channels[1].edge_u_ns = 10 * MS;
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pji_series_init(&trace->series[i], &trace->header.channels[i], true, NULL),
                         PJ_OK);
    int64_t uj = 1000;
    for (int64_t t = 1000 * MS; t <= 21000 * MS; t += 100 * MS) {
        if (t == 1000 * MS || t == 21000 * MS || pji_prng_unit(&rng) > 0.05)
            add(trace, 0, t, uj % trace->header.channels[0].modulus);
        else if (pji_prng_unit(&rng) < 0.5)
            fail_read(trace, t);
        uj += (int64_t)(pji_prng_unit(&rng) * 20e6);
    }
    for (int64_t t = 1000 * MS; t <= 21040 * MS; t += 20 * MS)
        add(trace, 1, t, (int64_t)(pji_prng_unit(&rng) * 700e3));
}

static void phase(struct pji_trial_data *data, const char *name, int64_t start_ns, int64_t end_ns)
{
    struct pji_phase_data *p = pji_trial_data_phase(data, name, NULL);
    assert_non_null(p);
    if (p != NULL) {
        p->start_ns = start_ns;
        p->end_ns = end_ns;
    }
}

static double off(struct pji_trial_data *data, double *between_j)
{
    struct pji_phase_sum sum;
    assert_int_equal(pji_phase_sum_make(&sum, data, NULL), PJ_OK);
    double share = sum.off_share;
    if (isnan(share))
        assert_true(sum.reason[0] != '\0');
    *between_j = sum.total.energy.origin != PJ_ORIGIN_MISSING ? sum.total.energy.value_j : 0;
    pji_phase_sum_fini(&sum);
    return share;
}

static double window_j(const struct pji_trial_data *data, int64_t start_ns, int64_t end_ns)
{
    struct pj_energy e[2];
    bool in[2];
    struct pji_total total;
    pji_trace_window(&data->trace, start_ns, end_ns, false, e, in, &total);
    assert_int_not_equal(total.energy.origin, PJ_ORIGIN_MISSING);
    return total.energy.value_j;
}

static void any_cut_adds_up(void **state)
{
    (void)state;
    static const char *const names[] = {"load", "warmup", "idle", "measure", "cooldown"};
    struct pji_prng rng;
    pji_prng_init(&rng, 7, "cuts");
    for (uint64_t round = 0; round < 200; round++) {
        struct pji_trial_data data;
        double between_j = 0, gaps_j = 0;
        int64_t t = 1000 * MS;
        make(&data, round);
        for (size_t i = 0; i < 5; i++) {
            int64_t start_ns = t + (int64_t)(pji_prng_unit(&rng) * 1e9);
            /* one is empty, one shorter than a reading */
            double most_ns = i == round % 5 ? 0 : i == round % 7 ? 1e6 : 2.9e9;
            t = start_ns + (int64_t)(pji_prng_unit(&rng) * most_ns);
            phase(&data, names[i], start_ns, t);
        }
        assert_true(off(&data, &between_j) < 1e-9);
        for (size_t i = 0; i <= 5; i++)
            gaps_j += window_j(&data, i == 0 ? 1000 * MS : data.phases[i - 1].end_ns,
                               i == 5 ? 21000 * MS : data.phases[i].start_ns);
        assert_true(fabs(between_j - gaps_j) < 1e-6 && gaps_j > 0);
        pji_trial_data_fini(&data);
    }
}

static void phases_that_overlap_are_found(void **state)
{
    (void)state;
    struct pji_trial_data data;
    double between_j = 0;
    make(&data, 1);
    phase(&data, "load", 1100 * MS, 5000 * MS);
    phase(&data, "measure", 4900 * MS, 20000 * MS);
    assert_true(off(&data, &between_j) > 0.001);
    pji_trial_data_fini(&data);
}

static void a_phase_beyond_the_readings_is_found(void **state)
{
    (void)state;
    struct pji_trial_data data;
    double between_j = 0;
    make(&data, 1);
    phase(&data, "measure", 2000 * MS, 20000 * MS);
    phase(&data, "cooldown", 20000 * MS, 29000 * MS);
    assert_true(isnan(off(&data, &between_j)));
    pji_trial_data_fini(&data);
}

static void a_channel_that_ended_still_adds_up(void **state)
{
    (void)state;
    struct pji_trial_data data;
    double between_j = 0;
    make(&data, 1);
    struct pji_reading gone = {
        .channel = 0, .t_ns = 21100 * MS, .value = 19, .status = PJI_READ_GONE};
    assert_int_equal(pji_series_add(&data.trace.series[0], &gone, NULL), PJ_OK);
    phase(&data, "measure", 1500 * MS, 20500 * MS);
    assert_true(off(&data, &between_j) < 0.001);
    pji_trial_data_fini(&data);
}

static void without_gaps_there_is_no_between(void **state)
{
    (void)state;
    struct pji_trial_data data;
    struct pji_phase_sum sum;
    make(&data, 1);
    phase(&data, "measure", 1000 * MS, 21000 * MS);
    assert_int_equal(pji_phase_sum_make(&sum, &data, NULL), PJ_OK);
    assert_true(sum.off_share < 1e-12);
    assert_int_equal(sum.total.energy.origin, PJ_ORIGIN_MISSING);
    assert_non_null(strstr(sum.between[0].reason, "belongs to a phase"));
    pji_phase_sum_fini(&sum);
    pji_trial_data_fini(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_cut_adds_up),
        cmocka_unit_test(phases_that_overlap_are_found),
        cmocka_unit_test(a_phase_beyond_the_readings_is_found),
        cmocka_unit_test(a_channel_that_ended_still_adds_up),
        cmocka_unit_test(without_gaps_there_is_no_between),
    };
    return cmocka_run_group_tests_name("phase_sum", tests, NULL, NULL);
}
