/* When a machine has come to rest, on scripted series of temperature and power: a clock that only
 * these tests move.
 */
#include "lab/settling.h"

#include "core/units.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef double series_fn(double t_s);

struct script {
    series_fn *temp_c, *power_w; /* NULL: there is none */
};

static struct pji_settling settling;
static char text[200];

static struct pji_rest_reference reference_of(double temp_c, double power_w)
{
    struct pji_rest_reference reference = {.known = true, .power_w = power_w};
    if (!isnan(temp_c))
        pji_temps_put(&reference.temps, "package", temp_c);
    return reference;
}

/* Looks every second, looking back on 60 s; the second in which it is at rest, -1: not in an hour.
 */
static int settles_at_s(struct script script, struct pji_rest_reference reference)
{
    double energy_j = 0;
    settling = (struct pji_settling){.over_ns = 60 * PJI_NS_PER_S};
    for (int t_s = 0; t_s <= 3600; t_s++) {
        struct pji_rest_sample sample = {.t_ns = 5 * PJI_NS_PER_S + t_s * PJI_NS_PER_S,
                                         .energy_j = (double)NAN};
        if (script.temp_c != NULL)
            pji_temps_put(&sample.temps, "package", script.temp_c(t_s));
        if (script.power_w != NULL) {
            energy_j += t_s > 0 ? script.power_w(t_s) : 0;
            sample.energy_j = energy_j;
        }
        pji_settling_add(&settling, &sample);
        if (pji_settling_judge(&settling, &reference, text, sizeof text) == PJI_SETTLED)
            return t_s;
    }
    return -1;
}

static double at_rest(double t_s)
{
    (void)t_s;
    return 45;
}

/* From 65 degrees to 45 with a time constant of 100 s. */
static double cooling(double t_s)
{
    return 45 + 20 * exp(-t_s / 100);
}

static double in_steps(double t_s)
{
    return floor(cooling(t_s)); /* what coretemp shows */
}

static double creeping(double t_s)
{
    return 44.2 + 0.3 * t_s / 60; /* 0.3 degrees a minute, all the time */
}

static double slow(double t_s)
{
    return 44.9 + 0.1 * t_s / 60;
}

static double ten_w(double t_s)
{
    (void)t_s;
    return 10;
}

static double busy_for_200_s(double t_s)
{
    return t_s < 200 ? 10.5 : 10;
}

static void a_machine_at_rest_takes_one_span(void **state)
{
    (void)state;
    assert_int_equal(settles_at_s((struct script){at_rest, ten_w}, reference_of(45, 10)), 60);
    assert_int_equal(settles_at_s((struct script){at_rest, NULL}, reference_of(45, (double)NAN)),
                     60);
    assert_int_equal(settles_at_s((struct script){NULL, ten_w}, reference_of((double)NAN, 10)), 60);
    /* within the limits at both ends */
    assert_int_equal(settles_at_s((struct script){at_rest, ten_w}, reference_of(45.9, 10.19)), 60);
    assert_int_equal(settles_at_s((struct script){at_rest, ten_w}, reference_of(44.1, 9.81)), 60);
}

static void a_hot_machine_is_waited_for(void **state)
{
    (void)state;
    int t_s = settles_at_s((struct script){cooling, ten_w}, reference_of(45, 10));
    /* The straight line over the last 60 s falls by about 12 exp(-(t - 30) / 100) degrees a
     * minute, which is 0.2 at t = 440. */
    assert_true(t_s > 400 && t_s < 480);
    /* in whole degrees, within one of the reference, it is at rest once a span has no step */
    int steps_s = settles_at_s((struct script){in_steps, ten_w}, reference_of(45, 10));
    assert_true(steps_s > 270 && steps_s < 480);
}

static void each_criterion_holds_it_up(void **state)
{
    (void)state;
    assert_int_equal(settles_at_s((struct script){at_rest, ten_w}, reference_of(46.1, 10)), -1);
    assert_non_null(strstr(text, "package 45.0 C (46.1 +- 1)"));
    assert_int_equal(settles_at_s((struct script){at_rest, ten_w}, reference_of(43.9, 10)), -1);
    assert_int_equal(settles_at_s((struct script){creeping, ten_w}, reference_of(45, 10)), -1);
    assert_int_equal(settles_at_s((struct script){slow, ten_w}, reference_of(45, 10)), 60);
    assert_int_equal(settles_at_s((struct script){at_rest, ten_w}, reference_of(45, 10.3)), -1);
    assert_non_null(strstr(text, "10.0 W (10.3"));
    assert_int_equal(settles_at_s((struct script){at_rest, ten_w}, reference_of(45, 9.7)), -1);
    /* 5 % too much until 200 s: 40 % of a span at that is within 2 % again */
    int t_s = settles_at_s((struct script){at_rest, busy_for_200_s}, reference_of(45, 10));
    assert_true(t_s > 225 && t_s < 245);
}

static void without_anything_to_judge_by_it_is_said(void **state)
{
    (void)state;
    struct pji_rest_reference nothing = reference_of((double)NAN, (double)NAN);
    assert_int_equal(settles_at_s((struct script){NULL, NULL}, nothing), -1);
    assert_int_equal(pji_settling_judge(&settling, &nothing, NULL, 0), PJI_SETTLED_BLIND);
    assert_non_null(strstr(text, "no temperature sensor and no measured power"));
    /* a sensor that the reference does not have, and power that was not measured then */
    assert_int_equal(settles_at_s((struct script){at_rest, ten_w}, nothing), -1);
    assert_int_equal(pji_settling_judge(&settling, &nothing, NULL, 0), PJI_SETTLED_BLIND);
}

static void the_reference_is_a_mean(void **state)
{
    (void)state;
    struct pji_rest_reference mean;
    (void)settles_at_s((struct script){at_rest, ten_w}, reference_of(99, 1));
    pji_settling_mean(&settling, &mean);
    assert_true(mean.known && fabs(mean.power_w - 10) < 1e-9);
    assert_true(fabs(pji_temps_find(&mean.temps, "package")->temp_c - 45) < 1e-9);
    assert_true(settling.n <= 62); /* what is older was dropped */
    settling = (struct pji_settling){.over_ns = 60 * PJI_NS_PER_S};
    pji_settling_mean(&settling, &mean);
    assert_true(isnan(mean.power_w) && mean.temps.n == 0);
}

static void many_looks_do_not_overflow(void **state)
{
    (void)state;
    settling = (struct pji_settling){.over_ns = 3600 * PJI_NS_PER_S};
    for (int i = 0; i < 5 * PJI_REST_SAMPLES; i++) {
        struct pji_rest_sample sample = {.t_ns = i * PJI_NS_PER_S};
        pji_settling_add(&settling, &sample);
        assert_true(settling.n <= PJI_REST_SAMPLES);
    }
    assert_true(settling.samples[settling.n - 1].t_ns == (5 * PJI_REST_SAMPLES - 1) * PJI_NS_PER_S);
    assert_false(pji_settling_full(&settling));
}

static void start_temperatures_are_compared_by_name(void **state)
{
    (void)state;
    struct pji_rest_reference reference = reference_of(45, 10);
    struct pji_temps start = {0};
    double off_c = 0;
    assert_null(pji_start_off(&start, &reference, &off_c));
    pji_temps_put(&start, "other", 90);
    assert_null(pji_start_off(&start, &reference, &off_c));
    pji_temps_put(&start, "package", 41);
    pji_temps_put(&reference.temps, "gpu", 40);
    pji_temps_put(&start, "gpu", 43);
    assert_string_equal(pji_start_off(&start, &reference, &off_c)->name, "package");
    assert_true(fabs(off_c + 4) < 1e-9);
}

static void a_reference_travels_as_json(void **state)
{
    static const char *const bad[] = {"{}",
                                      "[]",
                                      "{\"temps\":[],\"power_w\":1}",
                                      "{\"temps\":{\"a\":\"hot\"},\"power_w\":1}",
                                      "{\"temps\":{\"a\":1}}",
                                      "{\"temps\":{\"a\":1},\"power_w\":\"1\"}"};
    struct pji_rest_reference reference = reference_of(45.125, (double)NAN), back;
    (void)state;
    json_t *object = pji_rest_to_json(&reference);
    assert_int_equal(pji_rest_from_json(&back, object, NULL), PJ_OK);
    assert_true(back.known && isnan(back.power_w) && back.temps.n == 1);
    assert_true(fabs(back.temps.at[0].temp_c - 45.125) < 1e-12);
    json_decref(object);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        object = pji_json_parse(bad[i], strlen(bad[i]), "t", NULL);
        assert_int_equal(pji_rest_from_json(&back, object, NULL), PJ_EINVAL);
        json_decref(object);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_machine_at_rest_takes_one_span),
        cmocka_unit_test(a_hot_machine_is_waited_for),
        cmocka_unit_test(each_criterion_holds_it_up),
        cmocka_unit_test(without_anything_to_judge_by_it_is_said),
        cmocka_unit_test(the_reference_is_a_mean),
        cmocka_unit_test(many_looks_do_not_overflow),
        cmocka_unit_test(start_temperatures_are_compared_by_name),
        cmocka_unit_test(a_reference_travels_as_json),
    };
    return cmocka_run_group_tests_name("settling", tests, NULL, NULL);
}
