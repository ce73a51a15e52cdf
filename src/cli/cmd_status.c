/* cli/cmd_status.c - perjoule status DIR: how far a study is, what failed and how to go on. Reads
 * only, also from a copy that cannot be written.
 */
#include "cli/commands_lab.h"
#include "cli/run_session.h"
#include "core/array.h"
#include "core/json.h"
#include "core/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct pji_option options[] = {
    {"json", 0, NULL, "print it as JSON"},
    {0},
};

enum { STATES = PJI_TRIAL_SKIPPED + 1 };

struct line {
    int64_t trial, attempts, failures;
    enum pji_trial_state state;
    char *treatment, *reason;
    char start_utc[32]; /* of the running attempt */
};

struct status {
    struct pji_store *store;
    char *study, *agent; /* agent: NULL when trials run here */
    char *imported;      /* of which format; NULL: the trials are run by perjoule */
    char **factors;
    size_t n_factors, cap_factors;
    int64_t counts[STATES], trials, attempts;
    struct line *lines; /* running, failed and invalid trials in planned order */
    size_t n, cap;
    struct pji_store_holder holder;
};

/* ---- reading ---- */

static pj_status keep_factor(void *context, const char *name, const char *const *levels, size_t n,
                             struct pj_error *err)
{
    struct status *s = context;
    (void)levels;
    (void)n;
    pj_status st =
        pji_array_reserve(&s->factors, &s->cap_factors, s->n_factors + 1, sizeof *s->factors, err);
    if (st)
        return st;
    s->factors[s->n_factors] = pji_dup(name, err);
    if (!s->factors[s->n_factors])
        return PJ_ENOMEM;
    s->n_factors++;
    return PJ_OK;
}

static pj_status keep_start(void *context, const struct pji_attempt_row *row, struct pj_error *err)
{
    struct line *line = context;
    time_t seconds = (time_t)(row->start_wall_ns / PJI_NS_PER_S);
    struct tm utc;
    (void)err;
    if (gmtime_r(&seconds, &utc))
        strftime(line->start_utc, sizeof line->start_utc, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return PJ_OK;
}

static char *treatment(const struct status *s, const struct pji_trial *trial)
{
    struct pji_str text = {0};
    pji_str_add(&text, "");
    for (size_t f = 0; f < s->n_factors; f++) {
        pji_str_addf(&text, "%s%s=", f ? " " : "", s->factors[f]);
        pji_str_add_shown(&text, trial->levels[f]);
    }
    return pji_str_take(&text);
}

static pj_status keep_trial(void *context, const struct pji_trial *trial, struct pj_error *err)
{
    struct status *s = context;
    s->trials++;
    s->counts[trial->state]++;
    s->attempts += trial->attempts;
    if (trial->state != PJI_TRIAL_RUNNING && trial->state != PJI_TRIAL_FAILED &&
        trial->state != PJI_TRIAL_INVALID)
        return PJ_OK;
    pj_status st = pji_array_reserve(&s->lines, &s->cap, s->n + 1, sizeof *s->lines, err);
    if (st)
        return st;
    struct line *line = &s->lines[s->n++];
    *line = (struct line){.trial = trial->id,
                          .attempts = trial->attempts,
                          .failures = trial->failures,
                          .state = trial->state,
                          .treatment = treatment(s, trial),
                          .reason = pji_dup(trial->reason, err)};
    if (!line->treatment || !line->reason)
        return pji_fail(err, PJ_ENOMEM, "out of memory");
    if (trial->state != PJI_TRIAL_RUNNING)
        return PJ_OK;
    return pji_store_each_attempt(s->store, trial->id, keep_start, line, err);
}

static pj_status read_status(struct status *s, const char *dir, struct pj_error *err)
{
    pj_status st = pji_store_open(&s->store, dir, PJI_STORE_READ, &pji_cli_log, err);
    if (st == PJ_OK)
        st = pji_store_holder(dir, &s->holder, err);
    if (st == PJ_OK)
        st = pji_store_get_meta(s->store, "study", &s->study, err);
    if (st >= 0)
        st = pji_store_get_meta(s->store, "agent_id", &s->agent, err);
    if (st >= 0)
        st = pji_store_get_meta(s->store, "imported_format", &s->imported, err);
    if (st >= 0)
        st = pji_store_each_factor(s->store, keep_factor, s, err);
    if (st == PJ_OK)
        st = pji_store_each_trial(s->store, keep_trial, s, err);
    return st;
}

static void fini(struct status *s)
{
    (void)pji_store_close(s->store, NULL);
    for (size_t i = 0; i < s->n; i++) {
        free(s->lines[i].treatment);
        free(s->lines[i].reason);
    }
    free(s->lines);
    for (size_t i = 0; i < s->n_factors; i++)
        free(s->factors[i]);
    free(s->factors);
    free(s->study);
    free(s->agent);
    free(s->imported);
}

/* ---- words ---- */

/* Trials that resume will run (as far as attempts are left). */
static int64_t open_trials(const struct status *s)
{
    return s->counts[PJI_TRIAL_PLANNED] + s->counts[PJI_TRIAL_RUNNING] +
           s->counts[PJI_TRIAL_FAILED];
}

static void advice(const struct status *s, const char *dir, char *text, size_t size)
{
    if (s->holder.alive)
        snprintf(text, size, "a runner is at work: wait for it");
    else if (open_trials(s) > 0 && !s->imported)
        snprintf(text, size, "perjoule resume %s", dir);
    else
        snprintf(text, size, "perjoule report %s", dir);
}

static void print_line(const struct status *s, const struct line *line)
{
    printf("%-10s trial %lld (%s)", pji_trial_state_name(line->state), (long long)line->trial,
           line->treatment);
    if (line->state == PJI_TRIAL_RUNNING)
        printf(": attempt %lld since %s%s\n", (long long)line->attempts, line->start_utc,
               s->holder.alive ? ""
               : s->agent      ? ", cut off: its runner is gone; the testbed goes on, and resume "
                                 "takes its result over"
                               : ", cut off: its runner is gone; resume runs it again");
    else
        printf(": %s, after %lld attempt%s\n", line->reason, (long long)line->attempts,
               line->attempts == 1 ? "" : "s");
}

static void print_text(const struct status *s, const char *dir)
{
    char next[4200];
    const char *before = " ";
    advice(s, dir, next, sizeof next);
    printf("study      %s\n", s->study ? s->study : "");
    printf("trials     %lld:", (long long)s->trials);
    for (int i = 0; i < STATES; i++) {
        if (s->counts[i] == 0)
            continue;
        printf("%s%lld %s", before, (long long)s->counts[i],
               pji_trial_state_name((enum pji_trial_state)i));
        before = ", ";
    }
    printf("; %lld attempt%s so far\n", (long long)s->attempts, s->attempts == 1 ? "" : "s");
    if (s->holder.alive)
        printf("runner     process %lld on %s\n", (long long)s->holder.pid,
               s->holder.host[0] ? s->holder.host : "this host");
    else
        printf("runner     none\n");
    for (size_t i = 0; i < s->n; i++)
        print_line(s, &s->lines[i]);
    printf("next       %s\n", next);
}

/* ---- JSON ---- */

static json_t *line_json(const struct line *line)
{
    json_t *out = json_object();
    json_object_set_new(out, "trial", json_integer(line->trial));
    json_object_set_new(out, "treatment", json_string(line->treatment));
    json_object_set_new(out, "state", json_string(pji_trial_state_name(line->state)));
    json_object_set_new(out, "reason", line->reason[0] ? json_string(line->reason) : json_null());
    json_object_set_new(out, "attempts", json_integer(line->attempts));
    json_object_set_new(out, "failures", json_integer(line->failures));
    if (line->start_utc[0])
        json_object_set_new(out, "start_utc", json_string(line->start_utc));
    return out;
}

static json_t *lines_json(const struct status *s, bool running)
{
    json_t *out = json_array();
    for (size_t i = 0; i < s->n; i++)
        if ((s->lines[i].state == PJI_TRIAL_RUNNING) == running)
            json_array_append_new(out, line_json(&s->lines[i]));
    return out;
}

static json_t *runner_json(const struct pji_store_holder *holder)
{
    json_t *out = json_object();
    json_object_set_new(out, "alive", json_boolean(holder->alive));
    if (holder->alive) {
        json_object_set_new(out, "pid", json_integer(holder->pid));
        json_object_set_new(out, "start_ticks", json_integer((json_int_t)holder->start_ticks));
        json_object_set_new(out, "host", json_string(holder->host));
    }
    return out;
}

static void print_json(const struct status *s, const char *dir)
{
    char next[4200];
    struct pji_str text = {0};
    json_t *root = json_object(), *states = json_object();
    advice(s, dir, next, sizeof next);
    for (int i = 0; i < STATES; i++)
        json_object_set_new(states, pji_trial_state_name((enum pji_trial_state)i),
                            json_integer(s->counts[i]));
    json_object_set_new(root, "study", s->study ? json_string(s->study) : json_null());
    json_object_set_new(root, "trials", json_integer(s->trials));
    json_object_set_new(root, "attempts", json_integer(s->attempts));
    json_object_set_new(root, "states", states);
    json_object_set_new(root, "running", lines_json(s, true));
    json_object_set_new(root, "unsuccessful", lines_json(s, false));
    json_object_set_new(root, "runner", runner_json(&s->holder));
    json_object_set_new(root, "next", json_string(next));
    pji_json_write(&text, root, 2);
    puts(pji_str_text(&text));
    pji_str_fini(&text);
    json_decref(root);
}

static int run(const struct pji_args *args)
{
    struct status s = {0};
    struct pj_error err = {0};
    if (args->n_rest != 1) {
        fprintf(stderr, "perjoule: status takes the folder of one study\n");
        return 2;
    }
    const char *dir = args->rest[0];
    pj_status st = read_status(&s, dir, &err);
    if (st == PJ_OK && pji_args_has(args, "json"))
        print_json(&s, dir);
    else if (st == PJ_OK)
        print_text(&s, dir);
    fini(&s);
    if (st == PJ_OK && fflush(stdout) == 0)
        return 0;
    fprintf(stderr, "perjoule: %s\n",
            st ? err.text : "the status could not be written to standard output");
    return st == PJ_ENOTFOUND || st == PJ_EINVAL ? 2 : 1;
}

const struct pji_command pji_cmd_status = {
    .name = "status",
    .synopsis = "[--json] DIR",
    .about = "how far a study is, what failed, and how to go on",
    .options = options,
    .run = run,
};
