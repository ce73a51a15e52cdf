/* Coordinates of pictures against values computed by hand and by R 4.2 formulas. */
#include "analysis/coords.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_near(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%.17g is not %.17g within %g", value, expected, tolerance);
}

static void quartiles_are_type_7_and_whiskers_are_data(void **state)
{
    (void)state;
    const double x[] = {1, 2, 3, 4, 5, 6, 7, 30};
    struct pji_box box;
    pji_coords_box(x, 8, &box);
    assert_near(box.q1, 2.75, 1e-15); /* h = 7/4: 2 + 0.75 */
    assert_near(box.median, 4.5, 1e-15);
    assert_near(box.q3, 6.25, 1e-15);
    assert_near(box.whisker_lo, 1, 0);
    assert_near(box.whisker_hi, 7, 0); /* 30 > 6.25 + 1.5 * 3.5 */
    pji_coords_box(x, 1, &box);
    assert_near(box.q1, 1, 0);
    assert_near(box.whisker_hi, 1, 0);
    pji_coords_box(x, 0, &box);
    assert_int_equal(box.n, 0);
}

static void samples_lose_what_is_not_finite(void **state)
{
    (void)state;
    const double x[] = {3, (double)NAN, 1, (double)INFINITY, 2};
    struct pji_sample sample = {.values = x, .n = 5};
    double *sorted = NULL;
    size_t n = 0;
    assert_int_equal(pji_coords_sorted(&sample, &sorted, &n, NULL), PJ_OK);
    assert_int_equal(n, 3);
    assert_near(sorted[0], 1, 0);
    assert_near(sorted[2], 3, 0);
    free(sorted);
}

static void a_density_integrates_to_one(void **state)
{
    (void)state;
    const double x[] = {1, 2, 2.5, 3, 7};
    struct pji_path path;
    double area = 0;
    assert_int_equal(pji_coords_density(x, 5, false, &path, NULL), PJ_OK);
    for (size_t i = 1; i < path.n; i++)
        area += (path.points[i].x - path.points[i - 1].x) *
                (path.points[i].y + path.points[i - 1].y) / 2;
    assert_near(area, 1, 0.003); /* 3 bandwidths on each side */
    /* bw.nrd0 = 0.9 min(sd, IQR/1.34) n^-0.2 with IQR 1: 0.9/1.34 5^-0.2 */
    double width = 0.9 * (1 / 1.34) * pow(5, -0.2);
    assert_near(path.points[0].x, 1 - 3 * width, 1e-12);
    assert_near(path.points[path.n - 1].x, 7 + 3 * width, 1e-12);
    double at = path.points[40].x;
    double sum = 0;
    for (size_t i = 0; i < 5; i++)
        sum += exp(-(at - x[i]) * (at - x[i]) / (2 * width * width));
    assert_near(path.points[40].y, sum / (5 * width * sqrt(2 * 3.14159265358979323846)), 1e-12);
    pji_path_fini(&path);
    const double same[] = {4, 4};
    assert_int_equal(pji_coords_density(same, 2, false, &path, NULL), PJ_OK);
    assert_int_equal(path.n, 0);
}

static void steps_join_equal_values(void **state)
{
    (void)state;
    const double x[] = {1, 2, 2, 5};
    const struct pji_xy expected[] = {{1, 0}, {1, 0.25}, {2, 0.25}, {2, 0.75}, {5, 0.75}, {5, 1}};
    struct pji_path path;
    assert_int_equal(pji_coords_ecdf(x, 4, &path, NULL), PJ_OK);
    assert_int_equal(path.n, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_near(path.points[i].x, expected[i].x, 0);
        assert_near(path.points[i].y, expected[i].y, 0);
    }
    pji_path_fini(&path);
}

static void plotting_positions_are_those_of_ppoints(void **state)
{
    (void)state;
    const double x[] = {1, 2, 3, 4, 6};
    struct pji_qq qq;
    assert_int_equal(pji_coords_qq(x, 5, &qq, NULL), PJ_OK);
    /* qnorm(ppoints(5)): (1 - 3/8)/(5 + 1/4) = 0.11904761904761904 */
    assert_near(qq.points.points[0].x, -1.1797611176118612, 1e-12);
    assert_near(qq.points.points[2].x, 0, 1e-15);
    /* the line through (±0.6744897501960817, 2 and 4) */
    assert_near((qq.to.y - qq.from.y) / (qq.to.x - qq.from.x), 1 / 0.6744897501960817, 1e-12);
    pji_qq_fini(&qq);
}

static void a_trend_has_the_band_of_its_mean(void **state)
{
    (void)state;
    const double x[] = {1, 2, 3, 4, (double)NAN};
    const double y[] = {1, 3, 2, 5, 9};
    struct pji_trend t;
    assert_int_equal(pji_coords_trend(x, y, 5, &t, NULL), PJ_OK);
    assert_int_equal(t.n, 4);
    assert_near(t.slope, 1.1, 1e-12); /* Sxy 5.5, Sxx 5 */
    assert_near(t.intercept, 0, 1e-12);
    /* residual ss 2.7, s = sqrt 1.35, t(0.975; 2) = 4.302652729749464, at x = 1: 1/4 + 2.25/5 */
    double half = 4.302652729749464 * sqrt(1.35) * sqrt(0.25 + 0.45);
    assert_near(t.at[0].hi - t.at[0].y, half, 1e-9);
    assert_near(t.at[0].lo, 1.1 - half, 1e-9);
    assert_near(t.at[t.n_at - 1].x, 4, 0);
    pji_trend_fini(&t);
    assert_int_equal(pji_coords_trend(x, y, 2, &t, NULL), PJ_OK);
    assert_true(t.n_at > 0 && isnan(t.at[0].lo)); /* two points: a line, no interval */
    pji_trend_fini(&t);
    const double flat[] = {2, 2, 2};
    assert_int_equal(pji_coords_trend(flat, y, 3, &t, NULL), PJ_OK);
    assert_int_equal(t.n_at, 0);
    pji_trend_fini(&t);
}

static void the_front_keeps_what_nothing_beats(void **state)
{
    (void)state;
    const double cost[] = {1, 2, 3, 2, 4, (double)NAN, 1};
    const double worth[] = {0.5, 0.7, 0.7, 0.6, 0.9, 1, 0.5};
    const bool expected[] = {true, true, false, false, true, false, true};
    bool on[7];
    pji_coords_front(cost, worth, 7, on);
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(on[i], expected[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quartiles_are_type_7_and_whiskers_are_data),
        cmocka_unit_test(samples_lose_what_is_not_finite),
        cmocka_unit_test(a_density_integrates_to_one),
        cmocka_unit_test(steps_join_equal_values),
        cmocka_unit_test(plotting_positions_are_those_of_ppoints),
        cmocka_unit_test(a_trend_has_the_band_of_its_mean),
        cmocka_unit_test(the_front_keeps_what_nothing_beats),
    };
    return cmocka_run_group_tests_name("coords", tests, NULL, NULL);
}
