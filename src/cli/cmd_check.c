/* cli/cmd_check.c - perjoule check STUDY.yaml: everything that can be known before anything starts.
 * Two runs on the same files print the same bytes.
 */
#include "analysis/declared.h"
#include "cli/check_audit.h"
#include "cli/check_model.h"
#include "cli/commands_lab.h"
#include "cli/run_session.h"
#include "core/json.h"
#include "core/num.h"
#include "lab/forecast.h"
#include "lab/rest.h"
#include "lab/runner.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct pji_option options[] = {
    {"json", 0, NULL, "print the plan as JSON"},
    {"all", 0, NULL, "print every trial of a long plan"},
    {"tok-per-s", 0, "N", "generation speed of one request, for an estimate of the time"},
    {"power-w", 0, "N", "power of the machine, for an estimate of the energy"},
    {"cv", 0, "N%", "scatter of trials of one cell, for the smallest detectable difference"},
    {"pilot", 0, "DIR",
     "a study that was run: scatter, time, energy and disk from its done trials"},
    {0},
};

struct check {
    struct pji_study study;
    struct pji_workload workload;
    struct pji_plan plan;
    struct pji_forecast forecast;
    struct pji_check_audit audit;
    struct pji_check_model model;
    double tok_per_s;
    bool all;                  /* print every trial */
    struct pj_error preflight; /* what `run` would refuse here; another machine may have it */
};

/* ---- as text ---- */

static void print_level(const char *level)
{
    struct pji_str text = {0};
    pji_str_add_shown(&text, level);
    fputs(pji_str_text(&text), stdout);
    pji_str_fini(&text);
}

static void print_levels(const struct check *c, size_t cell)
{
    const struct pji_study *s = &c->study;
    for (size_t f = 0; f < s->n_factors; f++) {
        printf("%s%s=", f ? " " : "", s->factors[f].name);
        print_level(s->factors[f].levels[c->plan.cell_levels[cell * s->n_factors + f]]);
    }
}

enum { TRIALS_SHOWN = 1000 };

static size_t shown(const struct check *c)
{
    return c->all || c->plan.n_trials <= TRIALS_SHOWN ? c->plan.n_trials : TRIALS_SHOWN;
}

static void print_task(const struct check *c, size_t t)
{
    const struct pji_task_spec *task = &c->study.tasks[t];
    size_t n = c->workload.tasks[t].items.n;
    printf("task       %s: ", task->name);
    if (task->n_items > 0 && task->n_items < n)
        printf("%zu of ", task->n_items);
    printf("%zu item%s in %s\n", n, n == 1 ? "" : "s", task->items_path);
}

static void print_plan(const struct check *c)
{
    const struct pji_study *s = &c->study;
    printf("study      %s\n", s->name);
    if (s->question[0])
        printf("question   %s\n", s->question);
    printf("engine     %s\n", s->engine->kind);
    for (size_t f = 0; f < s->n_factors; f++) {
        printf("factor     %s:", s->factors[f].name);
        for (size_t l = 0; l < s->factors[f].n; l++) {
            printf("%s ", l ? "," : "");
            print_level(s->factors[f].levels[l]);
        }
        printf("\n");
    }
    for (size_t t = 0; t < c->workload.n; t++)
        print_task(c, t);
    printf("trials     %zu = %zu cell%s x %lld repetition%s, in %zu block%s\n", c->plan.n_trials,
           c->plan.n_cells, c->plan.n_cells == 1 ? "" : "s", (long long)s->repetitions,
           s->repetitions == 1 ? "" : "s", c->plan.n_blocks, c->plan.n_blocks == 1 ? "" : "s");
    printf("order      seed %llu, plan %s\n", (unsigned long long)s->seed, c->plan.sha256);
    for (size_t i = 0; i < shown(c); i++) {
        const struct pji_planned *t = &c->plan.trials[i];
        printf("%10zu block %-3lld ", i + 1, (long long)t->block);
        print_levels(c, t->cell);
        printf("\n");
    }
    if (shown(c) < c->plan.n_trials)
        printf("%10s and %zu more: --all prints them\n", "…", c->plan.n_trials - shown(c));
}

static void print_forecast(const struct check *c)
{
    const struct pji_forecast *f = &c->forecast;
    printf("time       at least ");
    pji_check_print_duration(f->least_s);
    printf(" (warm-up, idle and cool-down of each trial, idle baselines), at most ");
    pji_check_print_duration(f->most_s);
    printf(" (limits.trial and limits.engine_stop of each trial, one attempt)\n");
    if (!isnan(f->expected_s)) {
        printf("           about ");
        pji_check_print_duration(f->expected_s);
        if (c->tok_per_s > 0)
            printf(" without engine starts, if every answer is as long as it may be and each "
                   "request gets %g tokens a second as stated\n",
                   c->tok_per_s);
        else
            printf(" without engine starts, if answers keep up with the schedule of the load\n");
    } else if (c->workload.n > 0) {
        printf("           no estimate of the measured time: state a speed with --tok-per-s\n");
    } else {
        printf("           no estimate of the measured time: the program decides it\n");
    }
    if (f->expected_s > f->most_s)
        printf("           that is more than the limits allow: trials will fail with 'timeout'; "
               "raise limits.trial or ask for fewer requests\n");
    if (c->workload.n > 0 && f->tokens_most == 0)
        printf("requests   %lld, warm-up apart\n", (long long)f->requests);
    else if (c->workload.n > 0)
        printf("requests   %lld, at most %lld output tokens, warm-up apart\n",
               (long long)f->requests, (long long)f->tokens_most);
    printf("disk       about %.1f MB (%d B a request, %d B an output token, %d B a meter tick of "
           "the time above, %d kB a trial)\n",
           f->disk_b / 1e6, (int)PJI_FORECAST_REQUEST_B, (int)PJI_FORECAST_TOKEN_B,
           (int)PJI_FORECAST_TICK_B, (int)PJI_FORECAST_TRIAL_B / 1000);
}

/* ---- as JSON ---- */

static json_t *problems_json(const struct pji_problems *problems)
{
    json_t *out = json_array();
    for (size_t i = 0; i < problems->n; i++) {
        json_t *item = json_object();
        json_object_set_new(item, "line", json_integer((json_int_t)problems->items[i].line));
        json_object_set_new(item, "column", json_integer((json_int_t)problems->items[i].column));
        json_object_set_new(item, "text", json_string(problems->items[i].text));
        json_array_append_new(out, item);
    }
    return out;
}

static json_t *factors_json(const struct pji_study *s)
{
    json_t *out = json_object();
    for (size_t f = 0; f < s->n_factors; f++) {
        json_t *levels = json_array();
        for (size_t l = 0; l < s->factors[f].n; l++)
            json_array_append_new(levels, json_string(s->factors[f].levels[l]));
        json_object_set_new(out, s->factors[f].name, levels);
    }
    return out;
}

static json_t *trial_json(const struct check *c, size_t i)
{
    const struct pji_study *s = &c->study;
    const struct pji_planned *t = &c->plan.trials[i];
    json_t *row = json_object(), *levels = json_object();
    for (size_t f = 0; f < s->n_factors; f++)
        json_object_set_new(
            levels, s->factors[f].name,
            json_string(s->factors[f].levels[c->plan.cell_levels[t->cell * s->n_factors + f]]));
    json_object_set_new(row, "trial", json_integer((json_int_t)i + 1));
    json_object_set_new(row, "block", json_integer(t->block));
    json_object_set_new(row, "repetition", json_integer(t->repetition));
    json_object_set_new(row, "cell", json_integer((json_int_t)t->cell));
    json_object_set_new(row, "factors", levels);
    return row;
}

static json_t *forecast_json(const struct check *c)
{
    const struct pji_forecast *f = &c->forecast;
    json_t *out = json_object(), *rests = json_object();
    json_object_set_new(out, "least_s", pji_json_num(f->least_s));
    json_object_set_new(out, "most_s", pji_json_num(f->most_s));
    json_object_set_new(out, "expected_s", pji_json_num(f->expected_s));
    json_object_set_new(out, "requests", json_integer(f->requests));
    json_object_set_new(out, "tokens_most", json_integer(f->tokens_most));
    json_object_set_new(out, "disk_b", pji_json_num(f->disk_b));
    json_object_set_new(rests, "least_s", json_string("warm-up, idle and cool-down of each trial"));
    json_object_set_new(
        rests, "most_s",
        json_string("limits.trial and limits.engine_stop of each trial, one attempt"));
    json_object_set_new(
        rests, "expected_s",
        json_string(isnan(f->expected_s) ? "not available: no generation speed was stated"
                    : c->tok_per_s > 0   ? "least_s and every answer at its full length at the "
                                           "stated speed of a request; no engine starts"
                                         : "least_s and the schedule of the load; no engine "
                                           "starts"));
    json_object_set_new(rests, "tok_per_s",
                        c->tok_per_s > 0 ? pji_json_num(c->tok_per_s) : json_null());
    json_object_set_new(rests, "request_b", json_integer(PJI_FORECAST_REQUEST_B));
    json_object_set_new(rests, "token_b", json_integer(PJI_FORECAST_TOKEN_B));
    json_object_set_new(rests, "tick_b", json_integer(PJI_FORECAST_TICK_B));
    json_object_set_new(rests, "trial_b", json_integer(PJI_FORECAST_TRIAL_B));
    json_object_set_new(out, "rests_on", rests);
    return out;
}

static void print_json(json_t *root)
{
    struct pji_str text = {0};
    pji_json_write(&text, root, 2);
    puts(pji_str_text(&text));
    pji_str_fini(&text);
    json_decref(root);
}

/* The object with the trials as its last member, one at a time: a plan may have a million. */
static void print_json_with_order(const struct check *c, json_t *root)
{
    struct pji_str text = {0};
    pji_json_write(&text, root, 2);
    while (text.len > 0 && (text.text[text.len - 1] == '}' || text.text[text.len - 1] == '\n'))
        text.text[--text.len] = '\0';
    printf("%s,\n  \"order\": [", pji_str_text(&text));
    for (size_t i = 0; i < c->plan.n_trials; i++) {
        json_t *row = trial_json(c, i);
        pji_str_clear(&text);
        pji_json_write(&text, row, 0);
        printf("%s\n    %s", i ? "," : "", pji_str_text(&text));
        json_decref(row);
    }
    puts("\n  ]\n}");
    pji_str_fini(&text);
    json_decref(root);
}

static json_t *plan_json(const struct check *c)
{
    json_t *root = json_object();
    json_object_set_new(root, "study", json_string(c->study.name));
    json_object_set_new(root, "question", json_string(c->study.question));
    json_object_set_new(root, "engine", json_string(c->study.engine->kind));
    json_object_set_new(root, "factors", factors_json(&c->study));
    json_object_set_new(root, "repetitions", json_integer(c->study.repetitions));
    json_object_set_new(root, "cells", json_integer((json_int_t)c->plan.n_cells));
    json_object_set_new(root, "blocks", json_integer((json_int_t)c->plan.n_blocks));
    /* a seed may exceed what a JSON reader keeps exactly: text */
    char seed[32];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)c->study.seed);
    json_object_set_new(root, "seed", json_string(seed));
    json_object_set_new(root, "plan_sha256", json_string(c->plan.sha256));
    json_object_set_new(root, "trials", json_integer((json_int_t)c->plan.n_trials));
    json_object_set_new(root, "estimate", forecast_json(c));
    pji_check_audit_json(&c->audit, root);
    pji_check_model_json(&c->model, &c->audit, root);
    json_object_set_new(root, "errors", problems_json(&c->study.errors));
    json_t *warnings = problems_json(&c->study.warnings);
    if (c->preflight.code) {
        json_t *item = json_object();
        json_object_set_new(item, "text", json_string(c->preflight.text));
        json_array_append_new(warnings, item);
    }
    json_object_set_new(root, "warnings", warnings);
    return root;
}

/* ---- the command ---- */

static void say_failure(const struct check *c, const struct pj_error *err, bool json)
{
    if (!json) {
        pji_cli_say_problems(&c->study);
        if (c->study.errors.n == 0)
            fprintf(stderr, "perjoule: %s\n", err->text);
        return;
    }
    json_t *root = json_object(), *errors = problems_json(&c->study.errors);
    if (json_array_size(errors) == 0) {
        json_t *item = json_object();
        json_object_set_new(item, "text", json_string(err->text));
        json_array_append_new(errors, item);
    }
    json_object_set_new(root, "errors", errors);
    json_object_set_new(root, "warnings", problems_json(&c->study.warnings));
    print_json(root);
}

static pj_status prepare(struct check *c, const char *path, struct pj_error *err)
{
    pj_status st = pji_study_read(&c->study, path, err);
    if (st == PJ_OK) {
        st = pji_declared_check_tests(c->study.analysis, err);
        if (st != PJ_OK)
            pji_error_prefix(err, "%s, analysis tests", path);
    }
    if (st == PJ_OK)
        st = pji_workload_read(&c->workload, &c->study, err);
    if (st == PJ_OK)
        st = pji_plan_make(&c->plan, &c->study, err);
    if (st == PJ_OK)
        st = pji_forecast_make(&c->forecast, &c->study, &c->plan, &c->workload, c->tok_per_s, err);
    c->audit.study = &c->study;
    c->audit.plan = &c->plan;
    c->audit.forecast = &c->forecast;
    if (st == PJ_OK)
        st = pji_check_audit_make(&c->audit, err);
    if (st == PJ_OK)
        st = pji_check_model_make(&c->model, &c->audit, err);
    if (st == PJ_OK)
        (void)pji_study_preflight(&c->study, &c->preflight);
    if (st == PJ_OK)
        pji_rest_warn(&c->study, getenv("PERJOULE_ROOT"));
    return st;
}

static int check(struct check *c, const char *path, bool json)
{
    struct pj_error err = {0};
    if (prepare(c, path, &err) != PJ_OK) {
        say_failure(c, &err, json);
        return err.code == PJ_ENOMEM ? 1 : 2;
    }
    if (json) {
        print_json_with_order(c, plan_json(c));
    } else {
        pji_cli_say_problems(&c->study);
        if (c->preflight.code)
            fprintf(stderr, "perjoule: warning: run would refuse here: %s\n", c->preflight.text);
        print_plan(c);
        print_forecast(c);
        pji_check_audit_print_estimate(&c->audit);
        pji_check_model_print(&c->model, &c->audit);
        pji_check_audit_print(&c->audit);
    }
    if (fflush(stdout) == 0)
        return 0;
    fprintf(stderr, "perjoule: the plan could not be written to standard output\n");
    return 1;
}

/* A number above 0, when the option was given. */
static bool read_number(const struct pji_args *args, const char *name, double *out)
{
    const char *text = pji_args_get(args, name);
    if (!text || (pji_num_parse(text, strlen(text), out, NULL) == PJ_OK && *out > 0))
        return true;
    fprintf(stderr, "perjoule: --%s takes a number above 0, not '%s'\n", name, text);
    return false;
}

static bool read_options(struct check *c, const struct pji_args *args)
{
    struct pj_error err = {0};
    const char *cv = pji_args_get(args, "cv");
    c->all = pji_args_has(args, "all");
    c->audit.pilot_dir = pji_args_get(args, "pilot");
    if (args->n_rest != 1) {
        fprintf(stderr,
                "perjoule: check takes one study file; `perjoule check --help` says more\n");
        return false;
    }
    if (cv && pji_check_cv_parse(cv, &c->audit.cv, &err) != PJ_OK) {
        fprintf(stderr, "perjoule: %s\n", err.text);
        return false;
    }
    return read_number(args, "tok-per-s", &c->tok_per_s) &&
           read_number(args, "power-w", &c->audit.power_w);
}

static int run(const struct pji_args *args)
{
    struct check c = {0};
    if (!read_options(&c, args))
        return 2;
    int code = check(&c, args->rest[0], pji_args_has(args, "json"));
    pji_check_model_fini(&c.model);
    pji_check_audit_fini(&c.audit);
    pji_plan_fini(&c.plan);
    pji_workload_fini(&c.workload);
    pji_study_fini(&c.study);
    return code;
}

const struct pji_command pji_cmd_check = {
    .name = "check",
    .synopsis = "[--json] [--all] [--tok-per-s N] [--power-w N] [--cv N%] [--pilot DIR] STUDY.yaml",
    .about = "check a study file and print its plan; nothing is started",
    .options = options,
    .run = run,
};
