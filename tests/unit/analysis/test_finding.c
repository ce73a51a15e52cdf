/* Findings: each is provoked by data made for it, is silent on the clean data it was made from, and
 * says "not checkable" without the columns it needs; then how often all of them together raise a
 * false alarm on clean data sets. */
#include "analysis/analyse.h"
#include "analysis/finding.h"
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

/* What a made data set has. Zero: clean. */
struct world {
    uint64_t seed;
    size_t repetitions;
    double effect; /* of factor a, relative */
    double noise;  /* relative sd */
    bool lognormal;
    bool one_task; /* no second factor */
    bool alias;    /* a column 'vendor' that goes with a */
    bool units;    /* units within a with their own level (column run) */
    bool same_output;
    bool windows; /* some rows are of a steady part, some of a whole task */
    bool modelled;
    bool failed;  /* some rows are not DONE and far off */
    bool ordered; /* a after a */
    double drift; /* relative, first to last */
    double per_degree;
    double u_rel; /* of the meter, relative; two instruments when `two_meters` */
    bool two_meters;
    size_t outliers;
    double baseline;
    bool bare; /* only a, b and y */
};

struct point {
    size_t a, b, rep, run;
    double at, y, temp;
};

static const char *const names[] = {"fast", "slow", "mixed"};

static double value(const struct world *w, struct pji_prng *g, const struct point *p, size_t n)
{
    double y = 100 * (1 + w->effect * (double)p->a) * (w->one_task ? 1 : 1 + 0.3 * (double)p->b);
    double z = pji_prng_normal(g);
    y *= w->lognormal ? exp(w->noise * z) : 1 + w->noise * z;
    if (w->units)
        y *= 1 + 0.1 * sin(7 * (double)p->run);
    y *= 1 + w->drift * (p->at / (double)n - 0.5) + w->per_degree * (p->temp - 35);
    return y;
}

static void write_row(FILE *out, const struct world *w, const struct point *p, size_t i)
{
    bool bad = w->failed && i % 9 == 4;
    bool far = i < w->outliers;
    double y = p->y * (bad ? 2 : 1) * (far ? 20 : 1);
    const char *meter = w->two_meters && p->a > 0 ? "clamp" : "rapl";
    fprintf(out, "%s,%s,%.17g", names[p->a], w->one_task ? "CB" : p->b ? "RTE" : "CB", y);
    if (!w->bare)
        fprintf(out, ",%zu,%zu,%s,%.0f,%.2f,%zu,%s,%.17g,%s,%.4f,%.2f,%s,%s", p->run, p->rep,
                w->alias ? (p->a ? "north" : "south") : (i % 2 ? "north" : "south"), p->at, p->temp,
                w->same_output ? p->a : i, w->modelled ? "modelled" : "counter", w->u_rel * y,
                meter, 0.8 + 0.01 * (double)(i % 5), w->baseline, bad ? "TODO" : "DONE",
                w->windows && i % 4 < 2 ? "steady" : "");
    fprintf(out, "\n");
}

/* CSV text; caller frees */
static char *make(const struct world *w)
{
    struct pji_prng g;
    char *text = NULL;
    size_t len = 0;
    size_t tasks = w->one_task ? 1 : 2;
    size_t n = 2 * tasks * w->repetitions;
    size_t *at = calloc(n, sizeof *at);
    FILE *out = open_memstream(&text, &len);
    assert_true(at && out);
    pji_prng_init(&g, w->seed, "world");
    for (size_t i = 0; i < n; i++)
        at[i] = i;
    if (!w->ordered)
        pji_prng_shuffle(&g, at, n);
    fprintf(out, "a,b,y%s\n",
            w->bare ? ""
                    : ",run,repetition,vendor,order,temp_c,output_sha256,y_origin,y_u_com,"
                      "y_com_id,accuracy,majority_baseline,__done,window");
    for (size_t i = 0; i < n; i++) {
        struct point p = {.a = i / (n / 2), .b = i / w->repetitions % tasks, .at = (double)at[i]};
        p.rep = i % w->repetitions;
        p.run = w->units ? i / 5 : 2 * p.a + p.b;
        p.temp = 35 + 2 * pji_prng_normal(&g);
        p.y = value(w, &g, &p, n);
        write_row(out, w, &p, i);
    }
    fclose(out);
    free(at);
    return text;
}

static json_t *analyse(const struct world *w, bool model, bool *conclusive)
{
    struct pji_table table;
    struct pj_error err = {0};
    json_t *out = NULL;
    char *text = make(w);
    FILE *file = fmemopen(text, strlen(text), "r");
    struct pji_analysis by = {.response = "y", .by = "a", .tests = "oneway,wilcoxon"};
    struct pji_analysis formula = {.model = w->one_task ? "y ~ a" : "y ~ a * b", .tests = "lm"};
    assert_non_null(file);
    if (pji_table_read(&table, file, "t.csv", ',', &err) ||
        pji_analyse(&table, model ? &formula : &by, &out, conclusive, &err))
        fail_msg("%s", err.text);
    fclose(file);
    pji_table_fini(&table);
    free(text);
    return out;
}

static const json_t *finding(const json_t *o, const char *code)
{
    size_t i;
    json_t *f;
    json_array_foreach(json_object_get(o, "findings"), i, f)
    {
        if (strcmp(json_string_value(json_object_get(f, "code")), code) == 0)
            return f;
    }
    return NULL;
}

static const char *state_of(const json_t *o, const char *code)
{
    return json_string_value(
        json_object_get(json_object_get(json_object_get(o, "checks"), code), "state"));
}

static const struct world clean = {
    .seed = 5, .repetitions = 15, .effect = 0.1, .noise = 0.01, .u_rel = 0.02, .baseline = 0.5};

/* words: the reason; so: what follows from it */
static void expect(const struct world *w, bool model, const char *code, const char *consequence,
                   const char *words, const char *so)
{
    bool conclusive;
    json_t *o = analyse(w, model, &conclusive);
    const json_t *f = finding(o, code);
    if (!f)
        fail_msg("%s does not fire", code);
    assert_string_equal(state_of(o, code), "fires");
    assert_string_equal(json_string_value(json_object_get(f, "consequence")), consequence);
    if (!strstr(json_string_value(json_object_get(f, "finding")), words))
        fail_msg("'%s' does not say '%s'", json_string_value(json_object_get(f, "finding")), words);
    if (!strstr(json_string_value(json_object_get(f, "finding")), so))
        fail_msg("'%s' does not say '%s'", json_string_value(json_object_get(f, "finding")), so);
    if (strcmp(consequence, "forbid") == 0)
        assert_false(conclusive);
    json_decref(o);
    /* the same world without the fault */
    struct world without = clean;
    without.one_task = w->one_task;
    o = analyse(&without, model, &conclusive);
    if (finding(o, code))
        fail_msg("%s fires on clean data: %s", code,
                 json_string_value(json_object_get(finding(o, code), "finding")));
    assert_string_equal(state_of(o, code), "clean");
    assert_true(conclusive);
    json_decref(o);
}

static void test_design(void **state)
{
    (void)state;
    struct world w = clean;
    w.alias = true;
    expect(&w, true, "aliased", "forbid", "'a' is aliased with 'vendor'",
           "no difference can be ascribed to either");
    w = clean;
    w.one_task = w.units = true;
    w.repetitions = 20;
    expect(&w, false, "pseudo_replication", "forbid", "40 rows are",
           "residual degrees of freedom between units, not 38");
    bool conclusive;
    json_t *o = analyse(&w, false, &conclusive);
    const json_t *figures = json_object_get(finding(o, "pseudo_replication"), "figures");
    /* 8 runs in 2 levels of a, crossed with an irrelevant vendor */
    assert_int_equal(json_integer_value(json_object_get(figures, "groups")), 2);
    assert_true(json_number_value(json_object_get(figures, "icc")) > 0.8);
    json_decref(o);
}

static void test_records(void **state)
{
    (void)state;
    struct world w = clean;
    w.same_output = true;
    expect(&w, true, "identical_outputs", "warn", "the same output", "not the sampling of answers");
    w = clean;
    w.modelled = true;
    expect(&w, true, "modelled", "warn", "60 of 60 energies are modelled",
           "one of time and utilisation");
    w = clean;
    w.failed = true;
    expect(&w, true, "invalid_trials", "warn", "7 rows are not done or not valid",
           "changes the mean of");
    w = clean;
    w.windows = true;
    expect(&w, true, "mixed_windows", "forbid", "30 rows are over the steady part",
           "analyse the two apart");
    w.one_task = true;
    expect(&w, false, "mixed_windows", "forbid", "over the whole of it", "--where");
    w = clean;
    w.baseline = 0.9;
    expect(&w, true, "below_baseline", "forbid", "< 0.9 (surely)",
           "below that of always giving the commonest answer: '");
}

static void test_noise(void **state)
{
    (void)state;
    struct world w = clean;
    w.drift = 0.1;
    expect(&w, true, "drift", "warn", "drifts over time", "in the scatter of every cell");
    w.ordered = true;
    w.one_task = true;
    w.repetitions = 30;
    expect(&w, true, "drift", "forbid", "the levels were measured one after the other",
           "cannot be told apart");
    w.drift = 0;
    expect(&w, true, "drift", "warn", "not in random order", "a drift would look like an effect");
    w = clean;
    w.per_degree = 0.01;
    expect(&w, true, "temperature", "warn", "per degree",
           "levels that were measured at different temperatures differ");
    w = clean;
    w.outliers = 2;
    expect(&w, true, "heavy_tails", "warn", "2 of 60 values", "prefer medians and rank tests");
    w = clean;
    w.u_rel = 0.2;
    w.two_meters = true;
    w.one_task = true;
    expect(&w, true, "meter_uncertainty", "forbid", "repetitions do not reduce",
           "cannot be told from 0");
}

/* u_com of one instrument subtracts, of two it adds in quadrature, and n does not help */
static void test_meter(void **state)
{
    (void)state;
    bool conclusive;
    struct world w = clean;
    w.one_task = true;
    w.u_rel = 0.06; /* the difference is 10 % */
    json_t *o = analyse(&w, false, &conclusive);
    assert_null(finding(o, "meter_uncertainty"));
    json_decref(o);
    w.two_meters = true; /* 2 sqrt(6^2 + 6.6^2) = 17.8 % */
    for (size_t n = 5; n <= 500; n *= 10) {
        w.repetitions = n;
        o = analyse(&w, false, &conclusive);
        assert_non_null(finding(o, "meter_uncertainty"));
        assert_false(conclusive);
        json_decref(o);
    }
    w.u_rel = 0.03;
    w.repetitions = 15;
    o = analyse(&w, false, &conclusive);
    assert_null(finding(o, "meter_uncertainty"));
    json_decref(o);
}

static void test_not_checkable(void **state)
{
    (void)state;
    bool conclusive;
    struct world w = clean;
    w.bare = true;
    json_t *o = analyse(&w, true, &conclusive);
    static const char *const codes[] = {
        "identical_outputs", "modelled",          "invalid_trials", "drift",
        "temperature",       "meter_uncertainty", "below_baseline"};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        assert_string_equal(state_of(o, codes[i]), "not checkable");
        assert_non_null(
            json_object_get(json_object_get(json_object_get(o, "checks"), codes[i]), "reason"));
    }
    assert_true(conclusive);
    assert_null(json_object_get(o, "findings"));
    json_decref(o);
    for (size_t i = 0; pji_check_at(i); i++)
        assert_non_null(pji_check_at(i)->meaning);
}

/* first character of the line of p */
static char p_line(const char *text)
{
    const char *p = strstr(text, "\n  p  ");
    assert_non_null(p);
    p += 4;
    return p[strspn(p, " ")];
}

/* text: the code stands where the p-value was, force prints both */
static void test_text(void **state)
{
    (void)state;
    bool conclusive;
    struct world w = clean;
    w.alias = true;
    w.one_task = true;
    json_t *o = analyse(&w, false, &conclusive);
    struct pji_str text = {0};
    pji_analysis_text(o, 100, false, &text);
    assert_int_equal(p_line(pji_str_text(&text)), '[');
    assert_non_null(strstr(pji_str_text(&text), "--force"));
    pji_str_clear(&text);
    pji_analysis_text(o, 100, true, &text);
    assert_int_not_equal(p_line(pji_str_text(&text)), '[');
    assert_non_null(strstr(pji_str_text(&text), " [aliased]"));
    pji_str_fini(&text);
    json_decref(o);
}

/* clean worlds of several sizes, noises and shapes: warnings and prohibitions are false alarms */
static void test_false_alarms(void **state)
{
    (void)state;
    enum { WORLDS = 250 };
    size_t alarms = 0;
    for (uint64_t seed = 1; seed <= WORLDS; seed++) {
        struct world w = clean;
        w.seed = seed * 7919;
        w.repetitions = 5 + seed % 26;
        w.noise = 0.002 * (double)(1 + seed % 20);
        w.lognormal = seed % 3 == 0;
        w.one_task = seed % 4 == 0;
        w.effect = 0.05 * (double)(seed % 5);
        bool conclusive;
        json_t *o = analyse(&w, !w.one_task || seed % 8 == 0, &conclusive);
        size_t i;
        json_t *f;
        json_array_foreach(json_object_get(o, "findings"), i, f)
        {
            const char *how = json_string_value(json_object_get(f, "consequence"));
            if (strcmp(how, "note") == 0)
                continue;
            alarms++;
            print_message("world %d: %s\n", (int)seed,
                          json_string_value(json_object_get(f, "finding")));
        }
        json_decref(o);
    }
    print_message("%zu false alarms in %d clean data sets\n", alarms, WORLDS);
    assert_true(alarms <= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_design),        cmocka_unit_test(test_records),
        cmocka_unit_test(test_noise),         cmocka_unit_test(test_meter),
        cmocka_unit_test(test_not_checkable), cmocka_unit_test(test_text),
        cmocka_unit_test(test_false_alarms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
