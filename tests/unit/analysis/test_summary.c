/* A study of known numbers: what the summary says of it, against arithmetic done by hand. */
#include "analysis/summary.h"

#include "temp.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct made {
    char dir[TEMP_PATH];
    char study[TEMP_PATH + 16];
    struct pji_store *store;
};

static bool two_meters; /* one for each treatment: nothing cancels */

/* Energy of a window with relative gain and other common uncertainty. */
static struct pj_energy energy_of(double value_j, double gain, double other, enum pj_origin origin)
{
    struct pj_energy e = {.value_j = value_j, .u_ind_j = 0.01 * value_j, .origin = origin};
    e.u_gain_j = gain * value_j;
    e.u_com_j = hypot(e.u_gain_j, other * value_j);
    snprintf(e.com_id, sizeof e.com_id, "meter");
    return e;
}

static void put_metric(struct made *m, int64_t attempt, const char *name, double value,
                       double u_com, const char *origin, const char *reason)
{
    struct pji_metric_row row = {.task = "energy",
                                 .name = name,
                                 .value = value,
                                 .u_com = u_com,
                                 .origin = origin,
                                 .reason = reason};
    assert_int_equal(pji_store_add_metric(m->store, attempt, &row, NULL), PJ_OK);
}

static void put_trial(struct made *m, int64_t id, const char *level, double energy_j, double gain,
                      double other, enum pj_origin origin, double utilisation)
{
    int64_t attempt = 0;
    struct pj_energy e = energy_of(energy_j, gain, other, origin);
    struct pji_energy_row row = {.phase = "measure",
                                 .task = "energy",
                                 .name = "total",
                                 .domain = "machine",
                                 .set = "rapl:package-0",
                                 .energy = e};
    if (two_meters)
        snprintf(e.com_id, sizeof e.com_id, "meter %s", level);
    row.energy = e;
    assert_int_equal(pji_store_start_attempt(m->store, id, "n", 1, 2, &attempt, NULL), PJ_OK);
    assert_int_equal(pji_store_add_energy(m->store, attempt, &row, NULL), PJ_OK);
    put_metric(m, attempt, "j_per_token", energy_j / 100, e.u_com_j / 100, pj_origin_name(origin),
               "");
    put_metric(m, attempt, "energy_net_j", energy_j - 45, e.u_com_j, pj_origin_name(origin), "");
    put_metric(m, attempt, "dur_s", energy_j / 10, 0, "", "");
    put_metric(m, attempt, "tpot_s", (double)NAN, 0, "", "no tokens");
    put_metric(m, attempt, "utilisation_share", utilisation, 0, "", "");
    assert_int_equal(
        pji_store_end_attempt(m->store, attempt, PJI_TRIAL_DONE, "", false, 3, 4, NULL), PJ_OK);
}

/* Two treatments, three blocks: energies[block][treatment]. */
static void make(struct made *m, double energies[3][2], double gain, double other,
                 enum pj_origin origin, double utilisation_other)
{
    static const char *const levels[] = {"1", "4"};
    struct pj_error err = {0};
    temp_open(m->dir);
    snprintf(m->study, sizeof m->study, "%s/study", m->dir);
    assert_int_equal(pji_store_create(&m->store, m->study, NULL, &err), PJ_OK);
    assert_int_equal(pji_store_put_meta(m->store, "study", "known", &err), PJ_OK);
    assert_int_equal(pji_store_add_factor(m->store, "concurrency", levels, 2, &err), PJ_OK);
    for (int64_t i = 0; i < 6; i++) {
        struct pji_trial trial = {.id = i + 1,
                                  .cell = i % 2,
                                  .block = i / 2 + 1,
                                  .repetition = i / 2 + 1,
                                  .reason = "",
                                  .levels = &levels[i % 2]};
        assert_int_equal(pji_store_add_trial(m->store, &trial, &err), PJ_OK);
    }
    for (int64_t i = 0; i < 6; i++)
        put_trial(m, i + 1, levels[i % 2], energies[i / 2][i % 2], gain, other, origin,
                  i % 2 == 0 ? 0.99 : utilisation_other);
}

static void unmake(struct made *m)
{
    assert_int_equal(pji_store_close(m->store, NULL), PJ_OK);
    temp_close(m->dir);
}

static void assert_near(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%.17g is not %.17g within %g", value, expected, tolerance);
}

static const struct pji_comparison *find(const struct pji_summary *s, const char *name)
{
    for (size_t i = 0; i < s->n_comparisons; i++) {
        if (strcmp(s->comparisons[i].name, name) == 0)
            return &s->comparisons[i];
    }
    fail_msg("there is no comparison of %s", name);
    return s->comparisons;
}

static const struct pji_figure *figure(const struct pji_treatment *treatment, const char *task,
                                       const char *name)
{
    const struct pji_figure *f = pji_summary_figure(treatment, task, name);
    if (f == NULL)
        fail_msg("there is no figure %s", name);
    return f != NULL ? f : treatment->figures;
}

static void ratio_within_blocks(void **state)
{
    (void)state;
    struct made m;
    struct pji_summary s;
    double energies[3][2] = {{100, 50}, {110, 54}, {90, 46}};
    make(&m, energies, 0.02, 0, PJ_ORIGIN_COUNTER, 0.5);
    assert_int_equal(pji_summary_make(&s, m.store, NULL), PJ_OK);
    const struct pji_comparison *c = find(&s, "j_per_token");
    double logs[3] = {log(0.5), log(54.0 / 110), log(46.0 / 90)};
    double mean = (logs[0] + logs[1] + logs[2]) / 3;
    double ss = 0;
    for (int i = 0; i < 3; i++)
        ss += (logs[i] - mean) * (logs[i] - mean);
    double half = 4.302652729749464 * sqrt(ss / 2 / 3); /* t(0.975; 2), tables */
    assert_near(c->ratio, exp(mean), 1e-12);
    assert_near(c->lo, exp(mean - half), 1e-9);
    assert_near(c->hi, exp(mean + half), 1e-9);
    assert_int_equal(c->n_blocks, 3);
    assert_int_equal(c->verdict, PJI_VERDICT_LOWER);
    assert_true(c->cancelled); /* one instrument: its gain leaves the ratio */
    assert_near(c->u_rest, 0, 1e-12);
    assert_false(c->ratio_of_times);
    pji_summary_fini(&s);
    unmake(&m);
}

static void absolute_interval_keeps_the_common_part(void **state)
{
    (void)state;
    struct made m;
    struct pji_summary s;
    double energies[3][2] = {{100, 50}, {100, 50}, {100, 50}};
    make(&m, energies, 0.03, 0.04, PJ_ORIGIN_COUNTER, 0.5);
    assert_int_equal(pji_summary_make(&s, m.store, NULL), PJ_OK);
    const struct pji_figure *f = figure(&s.treatments[0], "energy", "j_per_token");
    /* repetitions agree exactly, yet the mean is no better known than its instrument: 5 % */
    assert_near(f->mean, 1, 1e-12);
    assert_near(f->sd, 0, 1e-12);
    assert_near(f->u_com, 0.05, 1e-12);
    assert_near(f->hi - f->mean, 1.959963984540054 * 0.05, 1e-9);
    pji_summary_fini(&s);
    unmake(&m);
}

static void undecided_contains_one(void **state)
{
    (void)state;
    struct made m;
    struct pji_summary s;
    double energies[3][2] = {{100, 103}, {110, 105}, {90, 91}};
    make(&m, energies, 0.02, 0, PJ_ORIGIN_COUNTER, 0.5);
    assert_int_equal(pji_summary_make(&s, m.store, NULL), PJ_OK);
    const struct pji_comparison *c = find(&s, "j_per_token");
    assert_true(c->lo < 1 && c->hi > 1);
    assert_int_equal(c->verdict, PJI_VERDICT_UNDECIDED);
    pji_summary_fini(&s);
    unmake(&m);
}

static void a_model_with_equal_utilisation_gives_a_ratio_of_times(void **state)
{
    (void)state;
    struct made m;
    struct pji_summary s;
    double energies[3][2] = {{100, 50}, {110, 54}, {90, 46}};
    make(&m, energies, 0, 0.3, PJ_ORIGIN_MODELLED, 0.98);
    assert_int_equal(pji_summary_make(&s, m.store, NULL), PJ_OK);
    assert_true(find(&s, "j_per_token")->ratio_of_times);
    assert_string_equal(figure(&s.treatments[1], "energy", "j_per_token")->origin, "modelled");
    pji_summary_fini(&s);
    unmake(&m);
    make(&m, energies, 0, 0.3, PJ_ORIGIN_MODELLED, 0.6); /* another utilisation: more than times */
    assert_int_equal(pji_summary_make(&s, m.store, NULL), PJ_OK);
    assert_false(find(&s, "j_per_token")->ratio_of_times);
    pji_summary_fini(&s);
    unmake(&m);
}

static void net_energies_are_compared(void **state)
{
    (void)state;
    struct made m;
    struct pji_summary s;
    double energies[3][2] = {{100, 50}, {110, 54}, {90, 46}};
    make(&m, energies, 0.02, 0, PJ_ORIGIN_COUNTER, 0.5);
    assert_int_equal(pji_summary_make(&s, m.store, NULL), PJ_OK);
    const struct pji_comparison *c = find(&s, "energy_net_j");
    assert_near(c->ratio, cbrt(5.0 / 55 * 9 / 65 * 1 / 45), 1e-12);
    assert_near(c->u_rest, 0, 1e-12);
    assert_int_equal(c->verdict, PJI_VERDICT_LOWER);
    pji_summary_fini(&s);
    unmake(&m);
    /* what does not cancel of 100 and 50 J are as many joules of 55 and 5 J */
    double others[3][2] = {{100, 50}, {100, 50}, {100, 50}};
    two_meters = true;
    make(&m, others, 0, 0.01, PJ_ORIGIN_MODELLED, 0.98);
    assert_int_equal(pji_summary_make(&s, m.store, NULL), PJ_OK);
    c = find(&s, "energy_net_j");
    two_meters = false;
    assert_near(c->u_rest, 10 * hypot(0.01, 0.01), 1e-9);
    assert_near(c->u_rest, 10 * find(&s, "j_per_token")->u_rest, 1e-9);
    assert_false(c->ratio_of_times);
    pji_summary_fini(&s);
    unmake(&m);
    double none[3][2] = {{44, 44}, {44, 44}, {44, 44}};
    make(&m, none, 0.02, 0, PJ_ORIGIN_COUNTER, 0.5);
    assert_int_equal(pji_summary_make(&s, m.store, NULL), PJ_OK);
    assert_string_equal(find(&s, "energy_net_j")->reason,
                        "in 3 of 3 blocks a net energy is not above zero");
    pji_summary_fini(&s);
    unmake(&m);
    energies[2][1] = 44; /* a negative one counts: blocks are not chosen by it */
    make(&m, energies, 0.02, 0, PJ_ORIGIN_COUNTER, 0.5);
    assert_int_equal(pji_summary_make(&s, m.store, NULL), PJ_OK);
    c = find(&s, "energy_net_j");
    assert_int_equal(c->verdict, PJI_VERDICT_NONE);
    assert_true(isnan(c->ratio));
    assert_string_equal(c->reason, "in 1 of 3 blocks a net energy is not above zero");
    pji_summary_fini(&s);
    unmake(&m);
}

static void missing_stays_missing(void **state)
{
    (void)state;
    struct made m;
    struct pji_summary s;
    double energies[3][2] = {{100, 50}, {110, 54}, {90, 46}};
    make(&m, energies, 0.02, 0, PJ_ORIGIN_COUNTER, 0.5);
    assert_int_equal(pji_summary_make(&s, m.store, NULL), PJ_OK);
    const struct pji_figure *f = figure(&s.treatments[0], "energy", "tpot_s");
    assert_int_equal(f->n, 0);
    assert_int_equal(f->n_missing, 3);
    assert_true(isnan(f->mean));
    assert_string_equal(f->reason, "no tokens");
    assert_int_equal(find(&s, "tpot_s")->verdict, PJI_VERDICT_NONE);
    pji_summary_fini(&s);
    unmake(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ratio_within_blocks),
        cmocka_unit_test(absolute_interval_keeps_the_common_part),
        cmocka_unit_test(undecided_contains_one),
        cmocka_unit_test(a_model_with_equal_utilisation_gives_a_ratio_of_times),
        cmocka_unit_test(net_energies_are_compared),
        cmocka_unit_test(missing_stays_missing),
    };
    return cmocka_run_group_tests_name("summary", tests, NULL, NULL);
}
