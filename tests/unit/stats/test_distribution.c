/* The distributions against tests/golden/distributions.tsv (tests/tools/make-distribution-table.py,
 * mpmath): 1e-12 relative, tails down to 1e-300. */
#include "stats/fisher.h"
#include "stats/gammadist.h"
#include "stats/noncentral.h"
#include "stats/normal.h"
#include "stats/student.h"
#include "stats/tukey.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct row {
    char name[32];
    double value;
    double arg[4];
    int args;
};

static double call1(const char *name, const double *a)
{
    if (!strcmp(name, "normal_upper"))
        return pji_normal_upper(a[0]);
    if (!strcmp(name, "normal_quantile"))
        return pji_normal_quantile(a[0]);
    fail_msg("unknown function %s", name);
    return 0;
}

static double call2(const char *name, const double *a)
{
    if (!strcmp(name, "t_upper"))
        return pji_t_upper(a[0], a[1]);
    if (!strcmp(name, "t_quantile"))
        return pji_t_quantile(a[0], a[1]);
    if (!strcmp(name, "chisq_cdf"))
        return pji_chisq_cdf(a[0], a[1]);
    if (!strcmp(name, "chisq_upper"))
        return pji_chisq_upper(a[0], a[1]);
    if (!strcmp(name, "chisq_quantile"))
        return pji_chisq_quantile(a[0], a[1]);
    fail_msg("unknown function %s", name);
    return 0;
}

static double call3(const char *name, const double *a)
{
    if (!strcmp(name, "f_cdf"))
        return pji_f_cdf(a[0], a[1], a[2]);
    if (!strcmp(name, "f_upper"))
        return pji_f_upper(a[0], a[1], a[2]);
    if (!strcmp(name, "f_quantile"))
        return pji_f_quantile(a[0], a[1], a[2]);
    if (!strcmp(name, "beta_cdf"))
        return pji_beta_cdf(a[0], a[1], a[2]);
    if (!strcmp(name, "beta_upper"))
        return pji_beta_upper(a[0], a[1], a[2]);
    if (!strcmp(name, "nct_cdf"))
        return pji_nct_cdf(a[0], a[1], a[2]);
    if (!strcmp(name, "nct_upper"))
        return pji_nct_upper(a[0], a[1], a[2]);
    if (!strcmp(name, "tukey_upper"))
        return pji_tukey_upper(a[0], a[1], a[2]);
    fail_msg("unknown function %s", name);
    return 0;
}

static double call4(const char *name, const double *a)
{
    if (!strcmp(name, "ncf_cdf"))
        return pji_ncf_cdf(a[0], a[1], a[2], a[3]);
    if (!strcmp(name, "ncf_upper"))
        return pji_ncf_upper(a[0], a[1], a[2], a[3]);
    fail_msg("unknown function %s", name);
    return 0;
}

static double call(const struct row *row)
{
    switch (row->args) {
    case 1:
        return call1(row->name, row->arg);
    case 2:
        return call2(row->name, row->arg);
    case 3:
        return call3(row->name, row->arg);
    default:
        return call4(row->name, row->arg);
    }
}

static void parse(char *line, struct row *row)
{
    char *save = NULL;
    const char *name = strtok_r(line, "\t\n", &save);
    assert_non_null(name);
    snprintf(row->name, sizeof row->name, "%s", name);
    const char *value = strtok_r(NULL, "\t\n", &save);
    assert_non_null(value);
    row->value = strtod(value, NULL);
    row->args = 0;
    for (const char *t; row->args < 4 && (t = strtok_r(NULL, "\t\n", &save));)
        row->arg[row->args++] = strtod(t, NULL);
    assert_true(row->args >= 1);
}

static void test_table(void **state)
{
    (void)state;
    char path[4096];
    const char *root = getenv("PERJOULE_SOURCE_ROOT");
    snprintf(path, sizeof path, "%s/tests/golden/distributions.tsv", root ? root : ".");
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char line[512];
    size_t rows = 0;
    size_t bad = 0;
    while (fgets(line, sizeof line, file)) {
        struct row row;
        parse(line, &row);
        double got = call(&row);
        rows++;
        double error = got == row.value ? 0 : fabs(got / row.value - 1);
        if (!(error <= 1e-12)) {
            bad++;
            print_message("# %s(%g, %g, %g, %g): %.17g, not %.17g: off by %.2g\n", row.name,
                          row.arg[0], row.args > 1 ? row.arg[1] : 0, row.args > 2 ? row.arg[2] : 0,
                          row.args > 3 ? row.arg[3] : 0, got, row.value, error);
        }
    }
    fclose(file);
    print_message("# %zu of %zu values within 1e-12\n", rows - bad, rows);
    assert_true(rows > 300);
    assert_int_equal(bad, 0);
}

static void test_symmetry(void **state)
{
    (void)state;
    for (double t = -6; t <= 6; t += 0.75) {
        for (double df = 0.5; df < 1e9; df *= 7.3) {
            assert_true(fabs(pji_t_cdf(t, df) + pji_t_upper(t, df) - 1) < 1e-14);
            assert_true(pji_t_cdf(-t, df) == pji_t_upper(t, df));
            /* above the centre p is too coarse to come back */
            if (t <= 0) {
                double back = pji_t_quantile(pji_t_cdf(t, df), df);
                assert_true(fabs(back - t) <= 1e-12 * (1 + fabs(t)));
            }
        }
        assert_true(pji_t_upper(t, (double)INFINITY) == pji_normal_upper(t));
    }
}

static void test_ends(void **state)
{
    (void)state;
    const double inf = (double)INFINITY;
    assert_true(pji_normal_quantile(0) == -inf && pji_normal_quantile(1) == inf);
    assert_true(pji_normal_quantile(0.5) == 0);
    assert_true(pji_t_quantile(0, 3) == -inf && pji_t_quantile(1, 3) == inf);
    assert_true(pji_t_quantile(0.5, 3) == 0);
    assert_true(pji_t_upper(inf, 3) == 0 && pji_t_cdf(inf, 3) == 1);
    assert_true(pji_f_upper(0, 2, 3) == 1 && pji_f_upper(-1, 2, 3) == 1);
    assert_true(pji_f_upper(inf, 2, 3) == 0 && pji_f_quantile(1, 2, 3) == inf);
    assert_true(pji_chisq_upper(inf, 2) == 0 && pji_chisq_cdf(-1, 2) == 0);
    assert_true(pji_beta_cdf(2, 1, 1) == 1 && pji_beta_cdf(-2, 1, 1) == 0);
    assert_true(pji_beta_quantile(0, 2, 3) == 0 && pji_beta_quantile(1, 2, 3) == 1);
    assert_true(pji_tukey_cdf(0, 3, 10) == 0 && pji_tukey_upper(inf, 3, 10) == 0);
    assert_true(pji_nct_upper(inf, 3, 1) == 0 && pji_nct_cdf(inf, 3, 1) == 1);
    assert_true(pji_ncf_cdf(0, 2, 3, 4) == 0 && pji_ncf_upper(inf, 2, 3, 4) == 0);
    assert_true(pji_tukey_quantile(0, 3, 10) == 0 && pji_tukey_quantile(1, 3, 10) == inf);
}

static void test_domain(void **state)
{
    (void)state;
    const double nan_value = (double)NAN;
    const double bad[] = {
        pji_t_upper(1, 0),         pji_t_upper(1, -2),
        pji_t_upper(nan_value, 2), pji_t_quantile(1.5, 2),
        pji_t_quantile(0.5, 0),    pji_normal_quantile(-0.1),
        pji_normal_quantile(1.1),  pji_f_upper(1, 0, 1),
        pji_f_upper(1, 1, -1),     pji_f_quantile(2, 1, 1),
        pji_chisq_upper(1, 0),     pji_chisq_quantile(-1, 3),
        pji_beta_cdf(0.5, 0, 1),   pji_beta_quantile(3, 1, 1),
        pji_nct_cdf(1, 0, 0),      pji_nct_cdf(1, 1, nan_value),
        pji_ncf_cdf(1, 1, 1, -1),  pji_tukey_upper(1, 1, 3),
        pji_tukey_upper(1, 3, 0),  pji_tukey_quantile(2, 3, 3),
        pji_nct_ncp(1, 3, 0),      pji_ncf_ncp(1, 3, 0, 0.5),
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_true(isnan(bad[i]));
}

static void test_large_df(void **state)
{
    (void)state;
    /* continuity where the method changes */
    assert_true(fabs(pji_t_upper(5, 0.999999e8) / pji_t_upper(5, 1.000001e8) - 1) < 1e-9);
    assert_true(fabs(pji_f_upper(3, 4, 0.99e12) / pji_f_upper(3, 4, 1.01e12) - 1) < 1e-10);
    assert_true(fabs(pji_f_upper(3, 4, (double)INFINITY) - pji_chisq_upper(12, 4)) < 1e-18);
    assert_true(fabs(pji_f_quantile(0.9, 4, (double)INFINITY) * 4 - pji_chisq_quantile(0.9, 4)) <
                1e-12);
}

static void test_noncentrality(void **state)
{
    (void)state;
    for (double t = -8; t <= 40; t += 4.7) {
        double ncp = pji_nct_ncp(t, 17, 0.975);
        assert_true(fabs(pji_nct_cdf(t, 17, ncp) - 0.975) < 1e-12);
    }
    for (double f = 1; f <= 300; f *= 3.3) {
        double ncp = pji_ncf_ncp(f, 3, 26, 0.05);
        assert_true(fabs(pji_ncf_cdf(f, 3, 26, ncp) - 0.05) < 1e-12);
    }
    assert_true(pji_ncf_ncp(0.1, 3, 26, 0.95) == 0);
}

static void test_tukey(void **state)
{
    (void)state;
    /* two means: the range of two is |difference|, q = t sqrt 2 */
    for (double t = 0.2; t < 60; t *= 1.9) {
        double tukey = pji_tukey_upper(t * sqrt(2), 2, 9);
        assert_true(fabs(tukey / pji_t_two_sided(t, 9) - 1) < 1e-12);
    }
    for (double p = 0.001; p < 1; p += 0.1) {
        double q = pji_tukey_quantile(p, 4, 20);
        assert_true(fabs(pji_tukey_cdf(q, 4, 20) / p - 1) < 1e-11);
    }
    assert_true(fabs(pji_tukey_cdf(2.2, 4, 20) + pji_tukey_upper(2.2, 4, 20) - 1) < 1e-14);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),    cmocka_unit_test(test_symmetry),
        cmocka_unit_test(test_ends),     cmocka_unit_test(test_domain),
        cmocka_unit_test(test_large_df), cmocka_unit_test(test_noncentrality),
        cmocka_unit_test(test_tukey),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
