/* The carbon room: look-up by country, cloud region and given figure, what is missing and why, and
 * the propagation of uncertainty, held against figures worked out by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "carbon/carbon.h"
#include "carbon/carbon_table.h"

#include <math.h>
#include <string.h>

static void assert_near(double got, double want)
{
    if (!(fabs(got - want) <= 1e-9 * fmax(1, fabs(want))))
        fail_msg("%.17g is not %.17g", got, want);
}

static const struct pj_energy one_kwh = {
    .value_j = 3.6e6, .u_ind_j = 3e4, .u_com_j = 4e4, .origin = PJ_ORIGIN_COUNTER};
static const struct pji_site bare = {.pue = 1};

static void tables_are_sorted_and_sane(void **state)
{
    (void)state;
    assert_true(pji_carbon_country_count > 200 && pji_carbon_region_count == 40);
    for (size_t i = 0; i < pji_carbon_country_count; i++) {
        const struct pji_carbon_country *row = &pji_carbon_countries[i];

        assert_true(i == 0 || strcmp(row[-1].iso3, row->iso3) < 0);
        assert_int_equal(strlen(row->iso3), 3);
        assert_true(row->year >= 2000 && row->year <= 2030);
        assert_true(row->g_per_kwh < 0 || (row->g_per_kwh > 0 && row->g_per_kwh < 2000));
    }
    for (size_t i = 1; i < pji_carbon_region_count; i++)
        assert_true(strcmp(pji_carbon_regions[i - 1].region, pji_carbon_regions[i].region) < 0);
}

static void a_country_is_found_in_any_case(void **state)
{
    struct pji_grid grid;
    struct pj_error err = {0};

    (void)state;
    assert_int_equal(pji_grid_country(&grid, "deu", 2023, &err), PJ_OK);
    assert_int_equal(grid.basis, PJI_GRID_COUNTRY);
    assert_string_equal(grid.iso3, "DEU");
    assert_string_equal(grid.place, "Germany");
    assert_int_equal(grid.year, 2023);
    assert_near(grid.g_per_kwh, 380.95);
    assert_non_null(strstr(grid.source, "Our World in Data"));
    assert_near(grid.u_g_per_kwh, sqrt(pow(0.25 * 380.95, 2) + 625));
}

static void what_is_no_code_or_has_no_figure_is_missing(void **state)
{
    static const struct {
        const char *code;
        pj_status status;
    } cases[] = {{"DE", PJ_EINVAL},   {"", PJ_EINVAL},       {"D1U", PJ_EINVAL},
                 {"DEUX", PJ_EINVAL}, {"XXX", PJ_ENOTFOUND}, {NULL, PJ_EINVAL}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pji_grid grid;
        struct pj_error err = {0};

        assert_int_equal(pji_grid_country(&grid, cases[i].code, 2023, &err), cases[i].status);
        assert_int_equal(grid.basis, PJI_GRID_MISSING);
        assert_true(grid.reason[0] && err.text[0]);
    }
}

/* The source says 0 g for the Central African Republic: no grid emits nothing. */
static void a_bare_zero_of_the_source_is_missing(void **state)
{
    struct pji_grid grid;
    struct pj_error err = {0};

    (void)state;
    assert_int_equal(pji_grid_country(&grid, "CAF", 2023, &err), PJ_ENOTFOUND);
    assert_int_equal(grid.basis, PJI_GRID_MISSING);
    assert_non_null(strstr(grid.reason, "credible"));
}

static void a_cloud_region_is_found(void **state)
{
    struct pji_grid grid;
    struct pj_error err = {0};

    (void)state;
    assert_int_equal(pji_grid_cloud_word(&grid, "GCP:europe-west9", 2024, &err), PJ_OK);
    assert_int_equal(grid.basis, PJI_GRID_CLOUD);
    assert_near(grid.g_per_kwh, 34);
    assert_string_equal(grid.iso3, "FRA");
    assert_string_equal(grid.provider, "gcp");
    assert_string_equal(grid.region, "europe-west9");
    assert_near(grid.u_g_per_kwh, sqrt(pow(0.25 * 34, 2) + pow(0.13 * 34, 2) + 625));
    /* misspelt in the tabulation that the table is made from */
    assert_int_equal(pji_grid_cloud(&grid, "gcp", "me-central1", 0, &err), PJ_OK);
}

static void an_unknown_cloud_says_what_to_do(void **state)
{
    struct pji_grid grid;
    struct pj_error err = {0};

    (void)state;
    assert_int_equal(pji_grid_cloud_word(&grid, "gcp:europe-west33", 0, &err), PJ_ENOTFOUND);
    assert_non_null(strstr(err.text, "did you mean europe-west3"));
    pji_error_clear(&err);
    assert_int_equal(pji_grid_cloud_word(&grid, "aws:us-east-1", 0, &err), PJ_ENOTFOUND);
    assert_non_null(strstr(err.text, "aws"));
    assert_int_equal(grid.basis, PJI_GRID_MISSING);
    for (size_t i = 0; i < 4; i++) {
        static const char *const words[] = {"gcp", ":x", "gcp:", "averyveryverylongname:x"};

        assert_int_equal(pji_grid_cloud_word(&grid, words[i], 0, NULL), PJ_EINVAL);
        assert_int_equal(grid.basis, PJI_GRID_MISSING);
    }
}

static void a_given_figure_may_carry_its_uncertainty(void **state)
{
    static const char *const wrong[] = {"", ":", "1:", ":1", "1,5", "-1", "1:-1", "nan", "1e999"};
    struct pji_grid grid;
    struct pj_error err = {0};

    (void)state;
    assert_int_equal(pji_grid_given_text(&grid, "120.5", &err), PJ_OK);
    assert_near(grid.g_per_kwh, 120.5);
    assert_near(grid.u_g_per_kwh, 0);
    assert_int_equal(pji_grid_given_text(&grid, "120.5:7", &err), PJ_OK);
    assert_near(grid.u_g_per_kwh, 7);
    assert_int_equal(grid.basis, PJI_GRID_GIVEN);
    /* a certified 0 is a figure: the user said so */
    assert_int_equal(pji_grid_given_text(&grid, "0", &err), PJ_OK);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        pji_error_clear(&err);
        assert_int_equal(pji_grid_given_text(&grid, wrong[i], &err), PJ_EINVAL);
        assert_int_equal(grid.basis, PJI_GRID_MISSING);
    }
}

static void an_older_figure_is_less_certain(void **state)
{
    struct pji_grid now, later;

    (void)state;
    assert_int_equal(pji_grid_country(&now, "FRA", 2023, NULL), PJ_OK);
    assert_int_equal(pji_grid_country(&later, "FRA", 2027, NULL), PJ_OK);
    assert_true(later.u_g_per_kwh > now.u_g_per_kwh);
    /* energy from before the figure, or of an unknown year, does not make it better */
    assert_int_equal(pji_grid_country(&later, "FRA", 2020, NULL), PJ_OK);
    assert_near(later.u_g_per_kwh, now.u_g_per_kwh);
    assert_near(pji_grid_u(0, 0), 25);
}

static void parts_of_the_uncertainty_add_in_quadrature(void **state)
{
    struct pji_site site = {
        .pue = 1.5, .u_pue = 0.1, .has_wue = true, .wue_l_per_kwh = 2, .u_wue_l_per_kwh = 0.5};
    struct pji_emission out;
    struct pji_grid grid;

    (void)state;
    assert_int_equal(pji_grid_given(&grid, 200, 30, NULL), PJ_OK);
    assert_int_equal(pji_site_check(&site, NULL), PJ_OK);
    pji_emission_of(&out, &one_kwh, &grid, &site);
    assert_true(out.known);
    assert_near(out.value_g, 300);
    assert_near(out.u_energy_g, 5e4 / 3.6e6 * 300);
    assert_near(out.u_grid_g, 45);
    assert_near(out.u_site_g, 20);
    assert_near(out.u_g, sqrt(pow(out.u_energy_g, 2) + 45.0 * 45 + 20.0 * 20));
    assert_int_equal(out.origin, PJ_ORIGIN_COUNTER);
    assert_true(out.has_water);
    assert_near(out.water_l, 2); /* of the computers' energy: no PUE in it */
    assert_near(out.u_water_l, hypot(5e4 / 3.6e6 * 2, 0.5));
}

static void missing_stays_missing(void **state)
{
    struct pj_energy lost = {.origin = PJ_ORIGIN_MISSING, .reason = "no counter"};
    struct pji_emission out;
    struct pji_grid grid;

    (void)state;
    pji_grid_missing(&grid, "no region was given");
    pji_emission_of(&out, &one_kwh, &grid, &bare);
    assert_false(out.known);
    assert_string_equal(out.reason, "no region was given");
    assert_false(out.has_water);
    assert_true(out.no_water[0]);
    assert_int_equal(pji_grid_given(&grid, 100, 0, NULL), PJ_OK);
    pji_emission_of(&out, &lost, &grid, &bare);
    assert_false(out.known);
    assert_string_equal(out.reason, "no counter");
    /* zero energy that was measured is a value */
    lost.origin = PJ_ORIGIN_COUNTER;
    pji_emission_of(&out, &lost, &grid, &bare);
    assert_true(out.known);
    assert_near(out.value_g, 0);
}

static void a_wrong_site_is_refused(void **state)
{
    static const struct pji_site wrong[] = {
        {.pue = 0.99},
        {.pue = (double)NAN},
        {.pue = (double)INFINITY},
        {.pue = 0},
        {.pue = 1, .u_pue = -1},
        {.pue = 1, .has_wue = true, .wue_l_per_kwh = -1},
        {.pue = 1, .has_wue = true, .u_wue_l_per_kwh = (double)NAN},
    };

    (void)state;
    assert_int_equal(pji_site_check(&bare, NULL), PJ_OK);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(pji_site_check(&wrong[i], NULL), PJ_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_sorted_and_sane),
        cmocka_unit_test(a_country_is_found_in_any_case),
        cmocka_unit_test(what_is_no_code_or_has_no_figure_is_missing),
        cmocka_unit_test(a_bare_zero_of_the_source_is_missing),
        cmocka_unit_test(a_cloud_region_is_found),
        cmocka_unit_test(an_unknown_cloud_says_what_to_do),
        cmocka_unit_test(a_given_figure_may_carry_its_uncertainty),
        cmocka_unit_test(an_older_figure_is_less_certain),
        cmocka_unit_test(parts_of_the_uncertainty_add_in_quadrature),
        cmocka_unit_test(missing_stays_missing),
        cmocka_unit_test(a_wrong_site_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
