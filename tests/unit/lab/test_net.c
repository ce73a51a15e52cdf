/* Net energy: the line between two baselines and its uncertainty, what voids it, what a negative
 * one means, and how it gets into the records of trials that have ended.
 */
#include "lab/net.h"

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

#define S PJI_NS_PER_S

static struct pj_energy energy(double value_j, double u_ind_j, double u_com_j)
{
    return (struct pj_energy){.value_j = value_j,
                              .u_ind_j = u_ind_j,
                              .u_com_j = u_com_j,
                              .u_gain_j = u_com_j,
                              .origin = PJ_ORIGIN_COUNTER,
                              .com_id = "rapl"};
}

static struct pji_idle_power idle(int64_t start_s, double power_w, double u_w)
{
    return (struct pji_idle_power){.start_ns = start_s * S,
                                   .end_ns = (start_s + 10) * S,
                                   .per_s = energy(power_w, u_w, 0.01 * power_w)};
}

/* Window from 100 to 200 s; baselines from 50 to 60 s and from 240 to 250 s: the middle of the
 * window is 95/190 of the way. */
static struct pji_net net_of(struct pj_energy gross, double before_w, double after_w, double u_w)
{
    struct pji_idle_power before = idle(50, before_w, u_w), after = idle(240, after_w, u_w);
    struct pji_net net;
    pji_net_compute(&net, &gross, NULL, 100 * S, 200 * S, &before, &after);
    return net;
}

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fmax(1, fabs(b));
}

static void the_line_between_two_baselines(void **state)
{
    (void)state;
    struct pji_net net = net_of(energy(5000, 3, 50), 10, 10, 0.02);
    assert_int_equal(net.verdict, PJI_NET_GOOD);
    assert_true(near(net.energy.value_j, 4000) && near(net.idle_w, 10));
    assert_true(near(net.drift_share, 0));
    /* half of each baseline: 100 s times 0.02 / sqrt(2) W */
    assert_true(near(net.energy.u_ind_j, hypot(3, 100 * 0.02 / sqrt(2))));
    /* one instrument, 1 % too high in both: 50 - 10 J */
    assert_true(near(net.energy.u_com_j, 40) && near(net.energy.u_gain_j, 40));
    assert_int_equal(net.energy.origin, PJ_ORIGIN_COUNTER);
    net = net_of(energy(5000, 3, 50), 9.6, 10.4, 0.02);
    assert_true(near(net.idle_w, 10) && near(net.drift_share, 0.016));
    /* the window nearer to the first baseline: middle 85 s of a line from 55 to 245 s */
    struct pji_idle_power before = idle(50, 9.6, 0), after = idle(240, 10.4, 0);
    struct pj_energy gross = energy(5000, 3, 50);
    pji_net_compute(&net, &gross, NULL, 60 * S, 110 * S, &before, &after);
    assert_true(near(net.idle_w, 9.6 + 0.8 * (85.0 - 55) / 190));
    assert_true(near(net.energy.value_j, 5000 - 50 * net.idle_w));
}

static void what_voids_it(void **state)
{
    (void)state;
    struct pj_energy gross = energy(5000, 3, 50);
    struct pji_net net = net_of(gross, 10, 11.0, 0.02); /* 100 J of 5000: exactly 2 % */
    assert_int_equal(net.verdict, PJI_NET_GOOD);
    net = net_of(gross, 10, 8.99, 0.02);
    assert_int_equal(net.verdict, PJI_NET_DRIFT);
    assert_int_equal(net.energy.origin, PJ_ORIGIN_MISSING);
    assert_true(near(net.drift_share, 0.0202) && strlen(net.energy.reason) > 10);
    struct pji_idle_power before = idle(50, 10, 0.02), after = idle(240, 10, 0.02);
    before.end_ns = 100 * S - PJI_NET_OLD_NS;
    before.start_ns = before.end_ns - 10 * S;
    pji_net_compute(&net, &gross, NULL, 100 * S, 200 * S, &before, &after);
    assert_int_equal(net.verdict, PJI_NET_GOOD);
    before.end_ns--;
    pji_net_compute(&net, &gross, NULL, 100 * S, 200 * S, &before, &after);
    assert_int_equal(net.verdict, PJI_NET_OLD);
    assert_int_equal(net.energy.origin, PJ_ORIGIN_MISSING);
    assert_non_null(strstr(net.detail, "30.0 min before"));
    before = idle(50, 10, 0.02);
    after.start_ns = 200 * S + PJI_NET_OLD_NS + 1;
    after.end_ns = after.start_ns + 10 * S;
    pji_net_compute(&net, &gross, NULL, 100 * S, 200 * S, &before, &after);
    assert_int_equal(net.verdict, PJI_NET_OLD);
}

static void what_is_missing_has_a_reason(void **state)
{
    (void)state;
    struct pj_energy gross = energy(5000, 3, 50), none = {.reason = "no instrument"};
    struct pji_idle_power before = idle(50, 10, 0.02), after = idle(240, 10, 0.02);
    struct pji_net net;
    pji_net_compute(&net, &none, NULL, 100 * S, 200 * S, &before, &after);
    assert_string_equal(net.energy.reason, "no instrument");
    pji_net_compute(&net, &gross, NULL, 100 * S, 200 * S, NULL, &after);
    assert_non_null(strstr(net.energy.reason, "before the window"));
    pji_net_compute(&net, &gross, NULL, 100 * S, 200 * S, &before, NULL);
    assert_non_null(strstr(net.energy.reason, "after the window"));
    pji_net_compute(&net, &gross, NULL, 100 * S, 100 * S, &before, &after);
    assert_non_null(strstr(net.energy.reason, "empty"));
    snprintf(after.per_s.com_id, sizeof after.per_s.com_id, "clamp");
    pji_net_compute(&net, &gross, NULL, 100 * S, 200 * S, &before, &after);
    assert_non_null(strstr(net.energy.reason, "instruments"));
    assert_int_equal(net.verdict, PJI_NET_MISSING);
    assert_int_equal(net.energy.origin, PJ_ORIGIN_MISSING);
}

static void a_negative_one_is_kept_within_2u(void **state)
{
    (void)state;
    /* u_ind: hypot(2, 100 * 0.03 / sqrt(2)); u_com: 0 (the same gain on the same energy) */
    double u_j = hypot(2, 3 / sqrt(2));
    struct pji_net net = net_of(energy(1000 - 1.9 * u_j, 2, 10), 10, 10, 0.03);
    assert_int_equal(net.verdict, PJI_NET_GOOD);
    assert_true(near(net.energy.value_j, -1.9 * u_j)); /* never clipped */
    net = net_of(energy(1000 - 2.2 * u_j, 2, 10), 10, 10, 0.03);
    assert_int_equal(net.verdict, PJI_NET_NEGATIVE);
    assert_true(net.energy.value_j < 0);
    assert_non_null(strstr(net.detail, "idle machine"));
}

/* Two instruments whose shares of the total differ between load and rest. */
static void common_errors_cancel_channel_by_channel(void **state)
{
    (void)state;
    struct pji_net_part gross_parts[2] = {{"a", energy(4000, 1, 400)}, {"b", energy(1000, 1, 10)}};
    struct pji_net_part idle_parts[2] = {{"b", energy(4, 0, 0.04)}, {"a", energy(6, 0, 0.6)}};
    struct pj_energy gross = energy(5000, 2, hypot(400, 10));
    struct pji_idle_power before = idle(50, 10, 0), after = idle(240, 10, 0);
    struct pji_net_parts parts = {.items = gross_parts, .n = 2};
    struct pji_net net;
    snprintf(gross_parts[1].energy.com_id, PJ_COM_ID, "clamp");
    snprintf(idle_parts[0].energy.com_id, PJ_COM_ID, "clamp");
    snprintf(gross.com_id, sizeof gross.com_id, "clamp+rapl");
    before.parts = after.parts = (struct pji_net_parts){.items = idle_parts, .n = 2};
    before.per_s.com_id[0] = after.per_s.com_id[0] = '\0';
    snprintf(before.per_s.com_id, PJ_COM_ID, "clamp+rapl");
    snprintf(after.per_s.com_id, PJ_COM_ID, "clamp+rapl");
    pji_net_compute(&net, &gross, &parts, 100 * S, 200 * S, &before, &after);
    assert_true(near(net.energy.value_j, 4000));
    assert_true(near(net.energy.u_com_j, hypot(400 - 60, 10 - 4)));
    idle_parts[1].name[0] = 'c'; /* a channel is missing in the baselines: nothing is claimed */
    pji_net_compute(&net, &gross, &parts, 100 * S, 200 * S, &before, &after);
    assert_true(net.energy.u_com_j > hypot(400, 10));
}

/* ---- in the records ---- */

static struct pji_store *store;
static char dir[TEMP_PATH];

static int open_store(void **state)
{
    char study[TEMP_PATH + 8];
    (void)state;
    temp_open(dir);
    snprintf(study, sizeof study, "%s/s", dir);
    assert_int_equal(pji_store_create(&store, study, NULL, NULL), PJ_OK);
    for (int64_t i = 1; i <= 4; i++) {
        struct pji_trial trial = {.id = i, .cell = i - 1, .block = 1, .repetition = 1};
        trial.reason = "";
        assert_int_equal(pji_store_add_trial(store, &trial, NULL), PJ_OK);
    }
    return 0;
}

static int close_store(void **state)
{
    (void)state;
    assert_int_equal(pji_store_close(store, NULL), PJ_OK);
    temp_close(dir);
    return 0;
}

static void put_window(int64_t attempt, const char *phase, int64_t start_s, int64_t end_s,
                       double value_j)
{
    struct pji_phase_row row = {phase, "", start_s * S, end_s * S};
    struct pji_energy_row total = {.phase = phase,
                                   .task = "",
                                   .name = "total",
                                   .domain = "package-0",
                                   .set = "",
                                   .energy = energy(value_j, 0.1, 0)};
    assert_int_equal(pji_store_add_phase(store, attempt, &row, NULL), PJ_OK);
    assert_int_equal(pji_store_add_energy(store, attempt, &total, NULL), PJ_OK);
}

/* A trial that ran from start_s: 20 s at gross_w, with a baseline of 10 W before or after it. */
static int64_t run(int64_t trial, int64_t start_s, double gross_w, bool before, bool after,
                   const char *boot)
{
    int64_t attempt = 0;
    assert_int_equal(pji_store_start_attempt(store, trial, "n", 1, 1, &attempt, NULL), PJ_OK);
    if (before)
        put_window(attempt, "baseline_before", start_s, start_s + 10, 100);
    put_window(attempt, "measure", start_s + 20, start_s + 40, 20 * gross_w);
    if (after)
        put_window(attempt, "baseline_after", start_s + 50, start_s + 60, 100);
    assert_int_equal(pji_store_put_fact(store, attempt, "boot_id", boot, NULL), PJ_OK);
    assert_int_equal(pji_store_end_attempt(store, attempt, PJI_TRIAL_DONE, "", false, 2, 2, NULL),
                     PJ_OK);
    return attempt;
}

struct seen {
    size_t nets;
    double net_j;
    char reason[PJ_REASON], gates[100];
};

static pj_status on_metric(void *context, const struct pji_metric_row *row, struct pj_error *err)
{
    struct seen *s = context;
    (void)err;
    if (strcmp(row->name, "energy_net_j") == 0) {
        s->nets++;
        s->net_j = row->value;
        snprintf(s->reason, sizeof s->reason, "%s", row->reason);
    }
    return PJ_OK;
}

static pj_status on_gate(void *context, const struct pji_gate_row *row, struct pj_error *err)
{
    struct seen *s = context;
    size_t len = strlen(s->gates);
    (void)err;
    snprintf(s->gates + len, sizeof s->gates - len, "%s:%s ", row->code, row->consequence);
    return PJ_OK;
}

static struct seen seen(int64_t attempt)
{
    struct seen s = {0};
    assert_int_equal(pji_store_each_metric(store, attempt, on_metric, &s, NULL), PJ_OK);
    assert_int_equal(pji_store_each_gate(store, attempt, on_gate, &s, NULL), PJ_OK);
    return s;
}

static void settle(bool last)
{
    struct pj_error err = {0};
    if (pji_net_store(store, last, &err) != PJ_OK)
        fail_msg("%s", err.text);
}

static void a_net_energy_comes_with_the_baseline_after_it(void **state)
{
    (void)state;
    int64_t first = run(1, 0, 60, true, false, "a");
    settle(false);
    assert_int_equal(seen(first).nets, 0); /* it may still come */
    int64_t second = run(2, 100, 30, false, true, "a");
    settle(false);
    assert_true(near(seen(first).net_j, 20 * 50) && near(seen(second).net_j, 20 * 20));
    settle(false);
    settle(true); /* once is enough */
    assert_int_equal(seen(first).nets, 1);
    assert_string_equal(seen(first).gates, "");
}

static void without_a_baseline_after_it_is_missing_at_the_end(void **state)
{
    (void)state;
    int64_t first = run(1, 0, 60, true, false, "a");
    int64_t other = run(2, 100, 60, true, true, "b"); /* after a reboot: another clock */
    settle(false);
    assert_int_equal(seen(first).nets, 0);
    settle(true);
    assert_true(isnan(seen(first).net_j));
    assert_non_null(strstr(seen(first).reason, "after the window"));
    assert_true(near(seen(other).net_j, 1000));
}

static void flags_and_the_invalid_one(void **state)
{
    (void)state;
    int64_t far = run(1, 0, 60, true, false, "a");
    int64_t below = run(2, 100 + 4000, 9, true, true, "a"); /* less than at rest */
    settle(true);
    assert_string_equal(seen(far).gates, "baseline_old:flag ");
    assert_string_equal(seen(below).gates, "net_negative:invalid ");
    assert_true(near(seen(below).net_j, -20));
}

static pj_status on_trial(void *context, const struct pji_trial *trial, struct pj_error *err)
{
    char *text = context;
    size_t len = strlen(text);
    (void)err;
    snprintf(text + len, 200 - len, "%s(%s) ", pji_trial_state_name(trial->state), trial->reason);
    return PJ_OK;
}

static void only_the_trial_itself_becomes_invalid(void **state)
{
    char text[200] = "";
    (void)state;
    (void)run(1, 0, 9, true, true, "a");
    (void)run(2, 100, 60, true, true, "a");
    settle(true);
    settle(true);
    assert_int_equal(pji_store_each_trial(store, on_trial, text, NULL), PJ_OK);
    assert_string_equal(text, "invalid(net_negative) done() planned() planned() ");
    assert_int_equal(pji_store_invalidate(store, 1, "", NULL), PJ_EINVAL);
    assert_int_equal(pji_store_invalidate(store, 1, "net_negative", NULL), PJ_OK);
    assert_int_equal(pji_store_invalidate(store, 1, "other", NULL), PJ_OK);
    text[0] = '\0';
    assert_int_equal(pji_store_each_trial(store, on_trial, text, NULL), PJ_OK);
    assert_string_equal(text, "invalid(net_negative,other) done() planned() planned() ");
}

static void a_trial_that_failed_has_no_net_but_its_baseline_counts(void **state)
{
    int64_t attempt = 0;
    (void)state;
    int64_t first = run(1, 0, 60, true, false, "a");
    assert_int_equal(pji_store_start_attempt(store, 2, "n", 1, 1, &attempt, NULL), PJ_OK);
    put_window(attempt, "measure", 100, 120, 1200);
    put_window(attempt, "baseline_after", 130, 140, 100);
    assert_int_equal(pji_store_put_fact(store, attempt, "boot_id", "a", NULL), PJ_OK);
    assert_int_equal(
        pji_store_end_attempt(store, attempt, PJI_TRIAL_FAILED, "engine_died", false, 2, 2, NULL),
        PJ_OK);
    settle(false);
    assert_true(near(seen(first).net_j, 1000));
    assert_int_equal(seen(attempt).nets, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_line_between_two_baselines),
        cmocka_unit_test(what_voids_it),
        cmocka_unit_test(what_is_missing_has_a_reason),
        cmocka_unit_test(a_negative_one_is_kept_within_2u),
        cmocka_unit_test(common_errors_cancel_channel_by_channel),
        cmocka_unit_test_setup_teardown(a_net_energy_comes_with_the_baseline_after_it, open_store,
                                        close_store),
        cmocka_unit_test_setup_teardown(without_a_baseline_after_it_is_missing_at_the_end,
                                        open_store, close_store),
        cmocka_unit_test_setup_teardown(flags_and_the_invalid_one, open_store, close_store),
        cmocka_unit_test_setup_teardown(only_the_trial_itself_becomes_invalid, open_store,
                                        close_store),
        cmocka_unit_test_setup_teardown(a_trial_that_failed_has_no_net_but_its_baseline_counts,
                                        open_store, close_store),
    };
    return cmocka_run_group_tests_name("net", tests, NULL, NULL);
}
