/* The causes of a difference add up to it exactly, whatever was published; what was published by a
 * known scheme is explained by it, and what was not stays unexplained. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/prng.h"
#include "fake_tree.h"
#include "raw/audit.h"
#include "raw/published.h"
#include "temp.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS = 6 };

struct fixture {
    char dir[TEMP_PATH], table[TEMP_PATH + 16];
    struct pji_terms terms[RUNS];
    struct pji_audit audit;
    struct pji_runs_table published;
};

/* Run 3 has a wrap. */
static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    temp_open(f->dir);
    snprintf(f->table, sizeof f->table, "%s/published.csv", f->dir);
    for (int i = 0; i < RUNS; i++) {
        struct fake_run run = fake_plain();
        char name[32], path[256];
        struct pji_raw_run *raw = calloc(1, sizeof *raw);
        run.cpu_w += i;
        run.start_j = i == 3 ? 261300 : 1000;
        snprintf(name, sizeof name, "run_0_repetition_%d", i);
        snprintf(path, sizeof path, "%s/%s", f->dir, name);
        fake_write(f->dir, name, &run);
        assert_int_equal(pji_raw_run_read(raw, path, path, false, NULL, NULL), 0);
        pji_terms_take(&f->terms[i], raw);
        pji_raw_run_fini(raw);
        free(raw);
    }
    *state = f;
    return 0;
}

static void forget(struct fixture *f)
{
    pji_audit_fini(&f->audit);
    pji_runs_table_fini(&f->published);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    forget(f);
    temp_close(f->dir);
    free(f);
    return 0;
}

static pj_status audit(struct fixture *f, const char *text, bool comma, struct pj_error *err)
{
    forget(f);
    temp_write(f->dir, "published.csv", text);
    f->audit.runs = calloc(RUNS, sizeof *f->audit.runs);
    f->audit.n_runs = RUNS;
    for (int i = 0; i < RUNS; i++) {
        char name[32];
        snprintf(name, sizeof name, "run_0_repetition_%d", i);
        f->audit.runs[i] =
            (struct pji_audit_run){.name = strdup(name), .repetition = i, .terms = f->terms[i]};
    }
    pj_status status = pji_runs_table_read(&f->published, f->table, err);
    if (status == PJ_OK)
        status = pji_audit_match(&f->audit, &f->published, err);
    return status == PJ_OK ? pji_audit_make(&f->audit, &f->published, NULL, comma, err) : status;
}

static void must_audit(struct fixture *f, const struct pji_str *text, bool comma)
{
    struct pj_error err = {0};
    if (audit(f, pji_str_text(text), comma, &err))
        fail_msg("%s", err.text);
    for (size_t c = 0; c < f->audit.n_columns; c++) {
        for (size_t i = 0; i < f->audit.columns[c].n_rows; i++) {
            const struct pji_audit_row *row = &f->audit.columns[c].rows[i];
            int64_t sum = 0;
            for (size_t k = 0; k < PJI_CAUSES; k++)
                sum += row->cause_u6[k];
            assert_true(sum == row->difference_u6);
            assert_true(row->difference_u6 == row->published_u6 - row->recomputed_u6);
        }
    }
}

/* What some program would have published for a run. */
typedef double scheme_fn(const struct pji_terms *t);

static double study(const struct pji_terms *t)
{
    return 2 * t->cpu_j[PJI_TERMS_PROMPTS][PJI_TERMS_ALL][PJI_TERMS_RAW_COUNTER] +
           t->gpu_j[PJI_TERMS_PROMPTS][PJI_TERMS_ROWS_NOMINAL];
}

static double with_loading(const struct pji_terms *t)
{
    return t->cpu_j[PJI_TERMS_WHOLE][PJI_TERMS_ALL][PJI_TERMS_REPAIRED] +
           t->gpu_j[PJI_TERMS_WHOLE][PJI_TERMS_TRAPEZOID];
}

static double gpu_alone(const struct pji_terms *t)
{
    return t->gpu_j[PJI_TERMS_PROMPTS][PJI_TERMS_HOLD];
}

static double summary(const struct pji_terms *t)
{
    double lost = t->cpu_j[PJI_TERMS_WHOLE][PJI_TERMS_ALL][PJI_TERMS_SIGNED];
    return lost < 0 ? -lost : t->cpu_j[PJI_TERMS_WHOLE][PJI_TERMS_SHORT][PJI_TERMS_REPAIRED];
}

static double right(const struct pji_terms *t)
{
    return t->energy_j;
}

static const struct pji_audit_column *publish(struct fixture *f, scheme_fn *scheme, double odd_j)
{
    struct pji_str text = {0};
    pji_str_add(&text, "run,repetition,energy\n");
    for (int i = 0; i < RUNS; i++) {
        pji_str_addf(&text, "0,%d,", i);
        pji_str_add_num(&text, scheme(&f->terms[i]) + (i == 1 ? odd_j : 0));
        pji_str_addc(&text, '\n');
    }
    must_audit(f, &text, false);
    pji_str_fini(&text);
    assert_int_equal(f->audit.n_columns, 1);
    return &f->audit.columns[0];
}

static int64_t u6(double value)
{
    return (int64_t)llround(value * 1e6);
}

static bool near(int64_t a, int64_t b)
{
    return llabs(a - b) <= 5;
}

static void test_schemes(void **state)
{
    struct fixture *f = *state;
    const struct pji_terms *t = &f->terms[3];
    const double(*cpu)[PJI_TERMS_WRAPS] = t->cpu_j[PJI_TERMS_PROMPTS];
    const struct pji_audit_column *column = publish(f, study, 0);
    assert_int_equal(column->n_unexplained, 0);
    assert_true(column->fits);
    assert_int_equal(column->n_cause[PJI_CAUSE_CPU_TWICE], RUNS);
    assert_int_equal(column->n_cause[PJI_CAUSE_WRAP], 1);
    assert_int_equal(column->n_cause[PJI_CAUSE_LOADING], 0);
    assert_true(near(column->rows[3].cause_u6[PJI_CAUSE_CPU_TWICE],
                     u6(cpu[PJI_TERMS_ALL][PJI_TERMS_REPAIRED])));
    assert_true(near(column->rows[3].cause_u6[PJI_CAUSE_WRAP],
                     u6(2 * (cpu[PJI_TERMS_ALL][PJI_TERMS_RAW_COUNTER] -
                             cpu[PJI_TERMS_ALL][PJI_TERMS_REPAIRED]))));
    column = publish(f, with_loading, 0);
    assert_int_equal(column->n_unexplained, 0);
    assert_int_equal(column->n_cause[PJI_CAUSE_LOADING], RUNS);
    assert_int_equal(column->n_cause[PJI_CAUSE_CPU_TWICE] + column->n_cause[PJI_CAUSE_WRAP], 0);
    column = publish(f, gpu_alone, 0);
    assert_int_equal(column->n_unexplained, 0);
    assert_int_equal(column->n_cause[PJI_CAUSE_CPU_MISSING], RUNS);
    column = publish(f, summary, 0);
    assert_int_equal(column->n_unexplained, 0);
    assert_int_equal(column->n_cause[PJI_CAUSE_GPU_MISSING], RUNS);
    assert_int_equal(column->n_cause[PJI_CAUSE_LAST_SAMPLE], RUNS - 1);
    assert_int_equal(column->n_cause[PJI_CAUSE_WRAP], 1);
    column = publish(f, right, 0);
    for (size_t c = 0; c < PJI_CAUSES; c++)
        assert_true(llabs(column->sum_u6[c]) < 10 && column->n_unexplained == 0);
}

/* One row has something of its own: it is not hidden in another cause. */
static void test_unexplained_is_said(void **state)
{
    struct fixture *f = *state;
    const struct pji_audit_column *column = publish(f, study, 123.456);
    assert_int_equal(column->n_unexplained, 1);
    assert_true(near(column->rows[1].cause_u6[PJI_CAUSE_UNEXPLAINED], u6(123.456)));
    assert_true(near(column->sum_u6[PJI_CAUSE_UNEXPLAINED], u6(123.456)));
}

/* Energies that nobody computed: the causes add up, and nothing is claimed. */
static void test_any_numbers(void **state)
{
    struct fixture *f = *state;
    struct pji_prng prng;
    pji_prng_init(&prng, 7, "published");
    for (int round = 0; round < 50; round++) {
        struct pji_str text = {0};
        pji_str_add(&text, "__run_id,energy_j,time(s),tokens\n");
        for (int i = 0; i < RUNS; i++)
            pji_str_addf(&text, "run_0_repetition_%d,%.7g,%.6g,%d\n", i,
                         pow(10, 12 * pji_prng_unit(&prng) - 3), pow(10, 6 * pji_prng_unit(&prng)),
                         (int)(pji_prng_unit(&prng) * 1e5));
        must_audit(f, &text, false);
        assert_int_equal(f->audit.n_columns, 4);
        assert_false(f->audit.columns[0].fits);
        assert_int_equal(f->audit.columns[0].n_cause[PJI_CAUSE_CPU_TWICE], 0);
        assert_int_equal(f->audit.columns[0].n_unexplained, RUNS);
        pji_str_fini(&text);
    }
}

static void test_decimal_comma_and_power(void **state)
{
    struct fixture *f = *state;
    struct pji_str text = {0};
    double dur_s = f->terms[0].dur_s[PJI_TERMS_PROMPTS];
    pji_str_add(&text, "run,repetition,energy,time(s)\n");
    for (int i = 0; i < RUNS; i++) {
        pji_str_addf(&text, "0,%d,", i);
        pji_str_add_num(&text, right(&f->terms[i]));
        pji_str_addf(&text, ",\"%d,%02d\"\n", (int)dur_s, (int)round(dur_s * 100) % 100);
    }
    must_audit(f, &text, false);
    const struct pji_audit_column *time = &f->audit.columns[1], *power = &f->audit.columns[2];
    assert_int_equal(time->n_commas, RUNS);
    assert_true(near(time->rows[0].cause_u6[PJI_CAUSE_DECIMAL_COMMA], u6(99 * dur_s)));
    assert_int_equal(power->quantity, PJI_QUANTITY_POWER);
    assert_int_equal(power->n_implausible, RUNS);
    assert_true(
        near(power->rows[0].cause_u6[PJI_CAUSE_DECIMAL_COMMA], power->rows[0].difference_u6));
    must_audit(f, &text, true);
    assert_int_equal(f->audit.columns[1].n_commas, 0);
    assert_int_equal(f->audit.columns[2].n_implausible, 0);
    pji_str_fini(&text);
}

static void test_keys(void **state)
{
    struct fixture *f = *state;
    struct pj_error err = {0};
    assert_int_equal(audit(f, "run,repetition,energy\n0,2,1\n0,9,1\n7,0,1\n", false, &err), 0);
    assert_int_equal(f->audit.n_matched, 1);
    assert_int_equal(f->audit.n_unmatched_rows, 2);
    assert_string_equal(f->audit.runs[0].name, "run_0_repetition_2");
    assert_int_equal(audit(f, "run,repetition,energy\n0,2,1\n0,2,1\n", false, &err), PJ_EINVAL);
    assert_non_null(strstr(err.text, "lines 2 and 3"));
    const char *const bad[] = {"run,repetition,energy\n8,8,1\n", "repetition,energy\n1,1\n",
                               "run,repetition,joy\n0,1,1\n", "run,repetition,energy\n0,1,x\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        pji_error_clear(&err);
        assert_int_equal(audit(f, bad[i], false, &err), PJ_EINVAL);
        assert_true(err.text[0] != '\0');
    }
    /* nothing published for a run is no difference */
    assert_int_equal(audit(f, "run,repetition,energy\n0,1,NA\n0,2,5\n", false, NULL), 0);
    assert_int_equal(f->audit.columns[0].n_compared, 1);
}

/* names that others give to the same figures, with their units; what is no figure */
static void test_names(void **state)
{
    static const struct {
        const char *name;
        int quantity; /* -1: none */
        double factor;
    } names[] = {{"Total Energy [J]", PJI_QUANTITY_ENERGY, 1},
                 {"energy_kj", PJI_QUANTITY_ENERGY, 1e3},
                 {"energy (kJ)", PJI_QUANTITY_ENERGY, 1e3},
                 {"Energy Consumption (Wh)", PJI_QUANTITY_ENERGY, 3600},
                 {"energy (mJ)", PJI_QUANTITY_ENERGY, 1e-3},
                 {"energy (MJ)", PJI_QUANTITY_ENERGY, 1e6},
                 {"energy_mj", -1, 0}, /* milli or mega? */
                 {"duration (min)", PJI_QUANTITY_TIME, 60},
                 {"runtime_s", PJI_QUANTITY_TIME, 1},
                 {"energy (s)", -1, 0},
                 {"energy (J) corrected", -1, 0},
                 {"baseline_energy_j", -1, 0},
                 {"energy_", -1, 0},
                 {"(J)", -1, 0},
                 {"", -1, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        enum pji_quantity quantity = PJI_QUANTITY_TOKENS;
        double factor = 0;
        bool is = pji_published_column(names[i].name, &quantity, &factor);
        if (is != (names[i].quantity >= 0) ||
            (is && ((int)quantity != names[i].quantity || factor != names[i].factor)))
            fail_msg("'%s' is taken as %d x %g", names[i].name, is ? (int)quantity : -1, factor);
    }
    assert_true(pji_published_overlooked("Energy of it all"));
    assert_true(pji_published_overlooked("gpu_power"));
    assert_false(pji_published_overlooked("accuracy"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_schemes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unexplained_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(test_any_numbers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_decimal_comma_and_power, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keys, setup, teardown),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
