/* A trial held against the first repetition of its treatment: what is the same, what differs, and
 * what is not compared. */
#include "lab/replicas.h"
#include "temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct answer {
    const char *phase, *item, *sha256;
    int64_t prompt_tokens;
    const char *error;
};

struct world {
    struct pji_store *store;
    char dir[TEMP_PATH];
    int64_t trials;
};

static void open_world(struct world *w)
{
    char study[TEMP_PATH + 8];
    w->trials = 0;
    temp_open(w->dir);
    snprintf(study, sizeof study, "%s/s", w->dir);
    assert_int_equal(pji_store_create(&w->store, study, NULL, NULL), PJ_OK);
}

static void close_world(struct world *w)
{
    assert_int_equal(pji_store_close(w->store, NULL), PJ_OK);
    temp_close(w->dir);
}

static pj_status take_code(void *context, const struct pji_gate_row *row, struct pj_error *err)
{
    char *codes = context;
    (void)err;
    strcat(codes, row->code);
    strcat(codes, ":");
    strcat(codes, row->consequence);
    strcat(codes, " ");
    assert_true(strlen(row->detail) > 20);
    return PJ_OK;
}

/* Another trial of a cell with these answers; the gates that it gets. `rendered` may be NULL. */
static void check(struct world *w, int64_t cell, enum pji_trial_state state,
                  const struct answer *answers, size_t n, const char *rendered,
                  const char *expected)
{
    char codes[200] = "";
    int64_t attempt = 0, id = ++w->trials;
    struct pji_trial trial = {.id = id, .cell = cell, .block = 1, .repetition = id, .reason = ""};
    assert_int_equal(pji_store_add_trial(w->store, &trial, NULL), PJ_OK);
    assert_int_equal(pji_store_start_attempt(w->store, id, "n", 1, 1, &attempt, NULL), PJ_OK);
    for (size_t i = 0; i < n; i++) {
        struct pji_request_row row = {.phase = answers[i].phase,
                                      .task = "t",
                                      .sequence = (int64_t)i,
                                      .item = answers[i].item,
                                      .prompt_tokens = answers[i].prompt_tokens,
                                      .finish = "stop",
                                      .text_sha256 = answers[i].sha256,
                                      .error = answers[i].error != NULL ? answers[i].error : ""};
        assert_int_equal(pji_store_add_request(w->store, attempt, &row, NULL), PJ_OK);
    }
    if (rendered != NULL) {
        assert_int_equal(
            pji_store_put_fact(w->store, attempt, "prompt.t.rendered_sha256", rendered, NULL),
            PJ_OK);
        assert_int_equal(pji_store_put_fact(w->store, attempt, "prompt.t.rendered_items_sha256",
                                            strcmp(rendered, "x") == 0 ? "others" : "ids", NULL),
                         PJ_OK);
    }
    assert_int_equal(pji_replicas_judge(w->store, id, attempt, NULL), PJ_OK);
    assert_int_equal(pji_store_each_gate(w->store, attempt, take_code, codes, NULL), PJ_OK);
    assert_string_equal(codes, expected);
    assert_int_equal(pji_store_end_attempt(w->store, attempt, state,
                                           state == PJI_TRIAL_DONE ? "" : "x", false, 2, 2, NULL),
                     PJ_OK);
}

#define DONE PJI_TRIAL_DONE

static const struct answer first[] = {{"measure", "a", "11", 7, NULL},
                                      {"measure", "b", "22", 8, NULL},
                                      {"warmup", "a", "99", 7, NULL}};

static void the_same_answers(void **state)
{
    struct world w;
    (void)state;
    open_world(&w);
    check(&w, 0, DONE, first, 3, NULL, "");
    check(&w, 0, DONE, first, 3, NULL, "identical_outputs:note ");
    const struct answer turned[] = {{"measure", "b", "22", 8, NULL},
                                    {"warmup", "a", "00", 7, NULL},
                                    {"measure", "a", "11", 7, NULL}};
    check(&w, 0, DONE, turned, 3, NULL, "identical_outputs:note ");
    const struct answer other[] = {{"measure", "a", "11", 7, NULL},
                                   {"measure", "b", "23", 8, NULL}};
    check(&w, 0, DONE, other, 2, NULL, "");
    check(&w, 1, DONE, first, 3, NULL, ""); /* another treatment */
    const struct answer none[] = {{"measure", "a", "", 7, NULL}, {"measure", "b", "", 8, NULL}};
    check(&w, 2, DONE, none, 2, NULL, "");
    check(&w, 2, DONE, none, 2, NULL, ""); /* without text nothing is the same */
    close_world(&w);
}

static void only_what_both_have(void **state)
{
    struct world w;
    (void)state;
    open_world(&w);
    check(&w, 0, PJI_TRIAL_INVALID, first, 3, NULL, "");
    check(&w, 0, DONE, first, 3, NULL, ""); /* the one before is no reference */
    const struct answer fewer[] = {{"measure", "b", "22", 8, NULL},
                                   {"measure", "c", "33", 9, NULL},
                                   {"measure", "a", "55", 9, "timeout"}};
    check(&w, 0, DONE, fewer, 3, NULL, "identical_outputs:note ");
    const struct answer strangers[] = {{"measure", "d", "44", 7, NULL}};
    check(&w, 0, DONE, strangers, 1, NULL, "");
    check(&w, 0, DONE, NULL, 0, NULL, ""); /* a command has no requests */
    close_world(&w);
}

static void another_number_of_prompt_tokens(void **state)
{
    struct world w;
    (void)state;
    open_world(&w);
    check(&w, 0, DONE, first, 3, NULL, "");
    const struct answer more[] = {{"measure", "a", "11", 7, NULL}, {"measure", "b", "23", 9, NULL}};
    check(&w, 0, DONE, more, 2, NULL, "prompt_changed:flag ");
    const struct answer untold[] = {{"measure", "a", "12", -1, NULL},
                                    {"measure", "b", "22", 8, NULL}};
    check(&w, 0, DONE, untold, 2, NULL, "");
    close_world(&w);
}

static void prompts_that_were_rendered_otherwise(void **state)
{
    struct world w;
    (void)state;
    open_world(&w);
    check(&w, 0, DONE, first, 3, "r1", "");
    check(&w, 0, DONE, first, 3, "r1", "identical_outputs:note ");
    check(&w, 0, DONE, first, 3, "r2", "identical_outputs:note prompt_changed:flag ");
    check(&w, 0, DONE, first, 3, NULL, "identical_outputs:note "); /* the server did not tell */
    check(&w, 0, DONE, first, 3, "x", "identical_outputs:note ");  /* of other items */
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_answers),
        cmocka_unit_test(only_what_both_have),
        cmocka_unit_test(another_number_of_prompt_tokens),
        cmocka_unit_test(prompts_that_were_rendered_otherwise),
    };
    return cmocka_run_group_tests_name("replicas", tests, NULL, NULL);
}
