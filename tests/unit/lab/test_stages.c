/* Figures of prefill and decode as they are stored: what instruments measured apart from models,
 * and shares, in which the gain of one instrument cancels.
 */
#include "lab/stages.h"

#include "temp.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct pj_energy energy(double value_j, double u_ind_j, double gain, double rest_j)
{
    return (struct pj_energy){.value_j = value_j,
                              .u_ind_j = u_ind_j,
                              .u_gain_j = gain * value_j,
                              .u_com_j = hypot(gain * value_j, rest_j),
                              .origin = PJ_ORIGIN_INTEGRATED,
                              .com_id = "nvml:GPU-1"};
}

/* 1000 J of a GPU whose gain is 3 %, of which 400 J are prefill with a cut that is open by 2 J, and
 * 100 J of a model beside it. */
static struct pji_stages made(void)
{
    struct pji_stages s = {.spans = {.requests = 4, .prompt_tokens = 4000, .decode_tokens = 100},
                           .whole = energy(1100, 1, 0.05, 0),
                           .measured = energy(1000, 1, 0.03, 0),
                           .modelled = true};
    s.totals[PJI_STAGE_PREFILL].energy = energy(430, 1, 0.05, 2);
    s.totals[PJI_STAGE_PREFILL].measured = energy(400, 1, 0.03, 2);
    s.totals[PJI_STAGE_DECODE].energy = energy(660, 1, 0.05, 2);
    s.totals[PJI_STAGE_DECODE].measured = energy(590, 1, 0.03, 2);
    return s;
}

struct seen {
    size_t n;
    struct pji_metric_row rows[20];
    char names[20][48], reasons[20][PJ_REASON];
};

static pj_status on_metric(void *context, const struct pji_metric_row *row, struct pj_error *err)
{
    struct seen *s = context;
    (void)err;
    assert_true(s->n < 20);
    snprintf(s->names[s->n], sizeof s->names[0], "%s", row->name);
    snprintf(s->reasons[s->n], sizeof s->reasons[0], "%s", row->reason);
    s->rows[s->n++] = *row;
    return PJ_OK;
}

static void store(const struct pji_stages *stages, struct seen *seen)
{
    char dir[TEMP_PATH], study[TEMP_PATH + 8];
    struct pji_store *db;
    struct pji_trial trial = {.id = 1, .block = 1, .repetition = 1, .reason = ""};
    int64_t attempt = 0;
    temp_open(dir);
    snprintf(study, sizeof study, "%s/s", dir);
    assert_int_equal(pji_store_create(&db, study, NULL, NULL), PJ_OK);
    assert_int_equal(pji_store_add_trial(db, &trial, NULL), PJ_OK);
    assert_int_equal(pji_store_start_attempt(db, 1, "n", 1, 1, &attempt, NULL), PJ_OK);
    assert_int_equal(pji_stages_store_metrics(stages, db, attempt, "t", NULL), PJ_OK);
    *seen = (struct seen){0};
    assert_int_equal(pji_store_each_metric(db, attempt, on_metric, seen, NULL), PJ_OK);
    assert_int_equal(pji_store_close(db, NULL), PJ_OK);
    temp_close(dir);
}

static size_t find(const struct seen *seen, const char *name)
{
    size_t i = 0;
    while (i < seen->n && strcmp(seen->names[i], name) != 0)
        i++;
    return i;
}

static void near(double a, double b)
{
    if (!(fabs(a - b) <= 1e-9 * fabs(b) + 1e-15))
        fail_msg("%.12g is not %.12g", a, b);
}

static void shares_lack_the_gain(void **state)
{
    (void)state;
    struct pji_stages stages = made();
    struct seen seen;
    store(&stages, &seen);
    size_t i = find(&seen, "prefill_share");
    assert_true(i < seen.n);
    near(seen.rows[i].value, 0.4);
    near(seen.rows[i].u_com, 2.0 / 1000); /* the cut alone: 0.5 % of it, where the gain is 3 % */
    near(seen.rows[i].u_ind, hypot(1.0 / 1000, 0.4 / 1000));
    i = find(&seen, "prefill_j_per_token_measured");
    assert_true(i < seen.n);
    near(seen.rows[i].value, 0.1);
    near(seen.rows[i].u_com, hypot(12, 2) / 4000);
    near(seen.rows[find(&seen, "decode_j_per_token_measured")].value, 5.9);
    near(seen.rows[find(&seen, "decode_share")].value, 0.59);
}

static void without_a_model_there_is_one_figure(void **state)
{
    (void)state;
    struct pji_stages stages = made();
    struct seen seen;
    stages.modelled = false;
    store(&stages, &seen);
    assert_true(find(&seen, "prefill_share") < seen.n);
    assert_int_equal(find(&seen, "prefill_j_per_token_measured"), seen.n);
    stages.measured = stages.totals[PJI_STAGE_PREFILL].measured = (struct pj_energy){0};
    pji_energy_missing(&stages.measured, "nothing was measured");
    store(&stages, &seen); /* a model alone: the shares are its own */
    near(seen.rows[find(&seen, "prefill_share")].value, 430.0 / 1100);
}

static void what_is_missing_has_a_reason(void **state)
{
    (void)state;
    struct pji_stages stages = made();
    struct seen seen;
    pji_energy_missing(&stages.totals[PJI_STAGE_PREFILL].measured, "it is read too seldom");
    store(&stages, &seen);
    size_t i = find(&seen, "prefill_share");
    assert_true(isnan(seen.rows[i].value));
    assert_string_equal(seen.reasons[i], "it is read too seldom");
    i = find(&seen, "prefill_j_per_token_measured");
    assert_true(isnan(seen.rows[i].value));
    assert_string_equal(seen.reasons[i], "it is read too seldom");
    near(seen.rows[find(&seen, "decode_share")].value, 0.59);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_lack_the_gain),
        cmocka_unit_test(without_a_model_there_is_one_figure),
        cmocka_unit_test(what_is_missing_has_a_reason),
    };
    return cmocka_run_group_tests_name("stages", tests, NULL, NULL);
}
