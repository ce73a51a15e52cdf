#include "cli/check_audit.h"

#include "cli/run_session.h"
#include "core/array.h"
#include "core/num.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALPHA 0.05
#define POWER 0.8

enum { CELLS_SHOWN = 40, LEVELS_SHOWN = 64 };

pj_status pji_check_cv_parse(const char *text, double *cv, struct pj_error *err)
{
    size_t len = strlen(text);
    bool percent = len > 0 && text[len - 1] == '%';
    if (pji_num_parse(text, percent ? len - 1 : len, cv, NULL) == PJ_OK && *cv > 0) {
        *cv = percent ? *cv / 100 : *cv;
        if (percent ? *cv <= 10 : *cv < 1) /* a bare 2 is more likely 2 % than 200 % */
            return PJ_OK;
    }
    return pji_fail(err, PJ_EINVAL,
                    "--cv takes the scatter of trials of one cell, such as 2%% or 0.02, not '%s'",
                    text);
}

static pj_status read_pilot(struct pji_check_audit *c, struct pj_error *err)
{
    struct pji_store *store = NULL;
    pj_status st = pji_store_open(&store, c->pilot_dir, PJI_STORE_READ, &pji_cli_log, err);
    if (st == PJ_OK)
        st = pji_pilot_read(&c->pilot, store, err);
    (void)pji_store_close(store, NULL);
    if (st == PJ_OK)
        st = pji_pilot_estimate(&c->pilot, c->study, c->plan, &c->estimate, err);
    return st;
}

pj_status pji_check_audit_make(struct pji_check_audit *c, struct pj_error *err)
{
    pj_status st = pji_plan_audit_make(&c->audit, c->study, c->plan, err);
    return st == PJ_OK && c->pilot_dir ? read_pilot(c, err) : st;
}

void pji_check_audit_fini(struct pji_check_audit *c)
{
    pji_plan_audit_fini(&c->audit);
    pji_pilot_fini(&c->pilot);
}

/* ---- cells of an alias: the distinct combinations of its factors' levels ---- */

struct cells {
    const struct pji_check_audit *c;
    const bool *factors;
    struct pji_str text;
    json_t *list; /* NULL: text is wanted */
    size_t n;
};

static pj_status on_cell(void *context, const char *const *levels, struct pj_error *err)
{
    struct cells *cells = context;
    json_t *row = cells->list ? json_array() : NULL;
    const char *between = "";
    (void)err;
    if (!cells->list && cells->n++ >= CELLS_SHOWN)
        return PJ_OK;
    if (!cells->list)
        pji_str_add(&cells->text, cells->n > 1 ? ", " : "");
    for (size_t f = 0; f < cells->c->study->n_factors; f++) {
        if (!cells->factors[f])
            continue;
        if (row) {
            json_array_append_new(row, json_string(levels[f]));
            continue;
        }
        pji_str_add(&cells->text, between);
        pji_str_add_shown(&cells->text, levels[f]);
        between = "+";
    }
    if (row)
        json_array_append_new(cells->list, row);
    return PJ_OK;
}

static void each_cell(struct cells *cells)
{
    (void)pji_study_each_combination(cells->c->study, cells->factors, on_cell, cells, NULL);
    if (!cells->list && cells->n > CELLS_SHOWN)
        pji_str_addf(&cells->text, " and %zu more", cells->n - CELLS_SHOWN);
}

/* ---- text ---- */

void pji_check_print_duration(double s)
{
    if (s < 100)
        printf("%.3g s", s);
    else if (s < 5400)
        printf("%.0f min", s / 60);
    else if (s < 48 * 3600.0)
        printf("%.1f h", s / 3600);
    else
        printf("%.1f days", s / 86400);
}

static void print_energy(double j)
{
    if (j < 3.6e5)
        printf("%.4g J", j);
    else
        printf("%.4g kWh", j / 3.6e6);
}

/* The scatter that a detectable difference rests on, or a reason why there is none. */
static double scatter_of(const struct pji_check_audit *c, size_t i, const char **task)
{
    *task = NULL;
    if (c->cv > 0)
        return i == 0 ? c->cv : (double)NAN;
    if (i >= c->pilot.n_scatter)
        return (double)NAN;
    *task = c->pilot.scatter[i].task;
    return c->pilot.scatter[i].cv;
}

static size_t n_scatters(const struct pji_check_audit *c)
{
    return c->cv > 0 ? 1 : c->pilot.n_scatter;
}

/* Has this study the pilot's task? A stated scatter (NULL) and a trial without tasks ("": a
 * program, an import) count. */
static bool is_asked(const struct pji_check_audit *c, const char *task)
{
    bool found = !task || !task[0];
    for (size_t t = 0; t < c->study->n_tasks && !found; t++)
        found = strcmp(c->study->tasks[t].name, task) == 0;
    return found;
}

/* Are the pilot's tasks this study's, so that trials of both are of one kind? */
static bool same_tasks(const struct pji_check_audit *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->pilot.n_scatter; i++) {
        if (!is_asked(c, c->pilot.scatter[i].task))
            return false;
        n += c->pilot.scatter[i].task[0] ? 1 : 0;
    }
    return n == 0 || c->study->n_tasks == 0 || n == c->study->n_tasks;
}

void pji_check_audit_print_estimate(const struct pji_check_audit *c)
{
    double s = c->forecast->expected_s;
    if (c->power_w > 0 && !isnan(s)) {
        printf("energy     about ");
        print_energy(s * c->power_w);
        printf(" at %g W as stated over the time above\n", c->power_w);
    }
    if (!c->pilot_dir)
        return;
    printf("pilot      %.0f done trials of %s: about ", c->pilot.all.trials, c->pilot_dir);
    pji_check_print_duration(c->estimate.dur_s);
    if (isfinite(c->estimate.energy_j)) {
        printf(", ");
        print_energy(c->estimate.energy_j);
    } else {
        printf(", energy unknown (the pilot has none)");
    }
    printf(", %.1f MB; %zu of %zu cells were in it, the others are taken as its mean trial\n",
           c->estimate.disk_b / 1e6, c->estimate.matched, c->plan->n_cells);
    if (!same_tasks(c))
        printf("           a trial of the pilot has other tasks than one of this study: it takes "
               "another time and energy\n");
}

static void print_alias(const struct pji_check_audit *c, const struct pji_alias *alias)
{
    struct cells cells = {.c = c, .factors = alias->factors};
    const char *between = "";
    printf("alias: ");
    for (size_t f = 0; f < c->study->n_factors; f++) {
        if (!alias->factors[f])
            continue;
        printf("%s%s", between, c->study->factors[f].name);
        between = " ~ ";
    }
    each_cell(&cells);
    printf(" (rank %zu of %zu: %zu contrast%s cannot be told apart; cells %s)\n", alias->rank,
           alias->of, alias->of - alias->rank, alias->of - alias->rank == 1 ? "" : "s",
           pji_str_text(&cells.text));
    pji_str_fini(&cells.text);
}

static void print_test(const struct pji_check_audit *c, size_t f)
{
    const struct pji_plan_audit *a = &c->audit;
    const struct pji_factor_test *test = &a->tests[f];
    printf("test       %s: ", c->study->factors[f].name);
    if (test->levels < 2) {
        printf("one level, nothing to compare\n");
        return;
    }
    if (test->df == SIZE_MAX)
        printf("%zu df at most (too many levels to search for joint aliases)", test->levels - 1);
    else
        printf("%zu of %zu df apart from the other factors", test->df, test->levels - 1);
    if (a->residual_df > 0)
        printf(", residual df %lld", (long long)a->residual_df);
    else
        printf(", no residual df: one trial of each cell is no estimate of their scatter");
    if (a->cell_residual_df >= 0)
        printf(" (%lld with one value for each cell)", (long long)a->cell_residual_df);
    printf("\n");
}

static void print_detectable(const struct pji_check_audit *c, double cv, const char *task)
{
    double pair = pji_plan_audit_detect_pair(&c->audit, cv, ALPHA, POWER);
    printf("detect     80 %% power at alpha 0.05, scatter %.3g %% of %s%s\n", 100 * cv,
           !task     ? "energy as stated"
           : task[0] ? "the pilot's task "
                     : "the pilot's energy",
           task ? task : "");
    if (isfinite(pair))
        printf("           two treatments within %lld blocks: %.3g %%\n",
               (long long)c->audit.pair_df + 1, 100 * pair);
    else if (c->plan->n_cells < 2)
        printf("           two treatments: not available, there is one\n");
    else
        printf("           two treatments: not available with fewer than two blocks\n");
    for (size_t f = 0; f < c->study->n_factors; f++) {
        const struct pji_factor_test *test = &c->audit.tests[f];
        double least = pji_plan_audit_detect_factor(&c->audit, f, cv, ALPHA, POWER);
        if (!isfinite(least))
            continue;
        bool aliased = test->df != SIZE_MAX && test->df + 1 < test->levels;
        printf("           two levels of %s: %.3g %%%s\n", c->study->factors[f].name, 100 * least,
               aliased           ? " at best, and only together with what it is aliased with"
               : !test->balanced ? " at best: its levels do not meet the others equally often"
                                 : "");
    }
}

void pji_check_audit_print(const struct pji_check_audit *c)
{
    const struct pji_plan_audit *a = &c->audit;
    for (size_t i = 0; i < a->n_aliases; i++)
        print_alias(c, &a->aliases[i]);
    for (size_t f = 0; f < c->study->n_factors; f++)
        print_test(c, f);
    if (a->pair_df > 0)
        printf("test       two treatments within blocks: residual df %lld\n",
               (long long)a->pair_df);
    size_t n_asked = 0;
    for (size_t i = 0; i < n_scatters(c); i++) {
        const char *task = NULL;
        double cv = scatter_of(c, i, &task);
        if (!is_asked(c, task))
            continue;
        n_asked++;
        if (isfinite(cv))
            print_detectable(c, cv, task);
        else
            printf("detect     power: not available: no cell of the pilot has two done trials\n");
    }
    if (n_scatters(c) > 0 && n_asked == 0)
        printf("detect     power: not available: the pilot has none of this study's tasks\n");
    if (n_scatters(c) == 0)
        printf("detect     power: not available: state the scatter of trials of one cell with "
               "--cv, or a study that was run with --pilot\n");
}

/* ---- JSON ---- */

static json_t *alias_json(const struct pji_check_audit *c, const struct pji_alias *alias)
{
    json_t *out = json_object(), *names = json_array();
    struct cells cells = {.c = c, .factors = alias->factors, .list = json_array()};
    for (size_t f = 0; f < c->study->n_factors; f++)
        if (alias->factors[f])
            json_array_append_new(names, json_string(c->study->factors[f].name));
    each_cell(&cells);
    json_object_set_new(out, "factors", names);
    json_object_set_new(out, "rank", json_integer((json_int_t)alias->rank));
    json_object_set_new(out, "of", json_integer((json_int_t)alias->of));
    json_object_set_new(out, "cells", cells.list);
    return out;
}

static json_t *test_json(const struct pji_check_audit *c, size_t f)
{
    const struct pji_factor_test *test = &c->audit.tests[f];
    json_t *out = json_object();
    json_object_set_new(out, "factor", json_string(c->study->factors[f].name));
    json_object_set_new(out, "levels", json_integer((json_int_t)test->levels));
    json_object_set_new(out, "df",
                        test->df == SIZE_MAX ? json_null() : json_integer((json_int_t)test->df));
    json_object_set_new(out, "residual_df", json_integer(c->audit.residual_df));
    json_object_set_new(out, "cell_residual_df",
                        c->audit.cell_residual_df < 0 ? json_null()
                                                      : json_integer(c->audit.cell_residual_df));
    return out;
}

static json_t *detect_json(const struct pji_check_audit *c, double cv, const char *task)
{
    json_t *out = json_object(), *factors = json_object();
    for (size_t f = 0; f < c->study->n_factors; f++)
        json_object_set_new(
            factors, c->study->factors[f].name,
            pji_json_num(pji_plan_audit_detect_factor(&c->audit, f, cv, ALPHA, POWER)));
    json_object_set_new(out, "task", task ? json_string(task) : json_null());
    json_object_set_new(out, "cv", pji_json_num(cv));
    json_object_set_new(out, "alpha", pji_json_num(ALPHA));
    json_object_set_new(out, "power_share", pji_json_num(POWER));
    json_object_set_new(out, "pair",
                        pji_json_num(pji_plan_audit_detect_pair(&c->audit, cv, ALPHA, POWER)));
    json_object_set_new(out, "factors", factors);
    return out;
}

void pji_check_audit_json(const struct pji_check_audit *c, json_t *root)
{
    json_t *aliases = json_array(), *tests = json_array(), *detect = json_array();
    for (size_t i = 0; i < c->audit.n_aliases; i++)
        json_array_append_new(aliases, alias_json(c, &c->audit.aliases[i]));
    for (size_t f = 0; f < c->study->n_factors; f++)
        json_array_append_new(tests, test_json(c, f));
    for (size_t i = 0; i < n_scatters(c); i++) {
        const char *task = NULL;
        double cv = scatter_of(c, i, &task);
        if (isfinite(cv) && is_asked(c, task))
            json_array_append_new(detect, detect_json(c, cv, task));
    }
    json_object_set_new(root, "aliases", aliases);
    json_object_set_new(root, "tests", tests);
    json_object_set_new(root, "pair_df", json_integer(c->audit.pair_df));
    json_object_set_new(root, "detectable", detect);
    if (c->power_w > 0)
        json_object_set_new(root, "energy_j", pji_json_num(c->forecast->expected_s * c->power_w));
    if (!c->pilot_dir)
        return;
    json_t *pilot = json_object();
    json_object_set_new(pilot, "dir", json_string(c->pilot_dir));
    json_object_set_new(pilot, "trials", pji_json_num(c->pilot.all.trials));
    json_object_set_new(pilot, "dur_s", pji_json_num(c->estimate.dur_s));
    json_object_set_new(pilot, "energy_j", pji_json_num(c->estimate.energy_j));
    json_object_set_new(pilot, "disk_b", pji_json_num(c->estimate.disk_b));
    json_object_set_new(pilot, "cells_matched", json_integer((json_int_t)c->estimate.matched));
    json_object_set_new(pilot, "same_tasks", json_boolean(same_tasks(c)));
    json_object_set_new(root, "pilot", pilot);
}
