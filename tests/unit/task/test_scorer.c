/* Scorers: what counts of an answer, when it is right, and figures of two classes against numbers
 * worked out by hand.
 */
#include "task/preset.h"
#include "task/score.h"
#include "task/task.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *const yes_no[] = {"yes", "no"};

struct row {
    enum pji_scorer_kind kind;
    const char *after, *text, *gold;
    const char *answer; /* NULL: unparsable */
    bool correct;
    double f1;
};

static const struct row rows[] = {
    {PJI_SCORER_CHOICE, NULL, " Yes.", "yes", "yes", true, 0},
    {PJI_SCORER_CHOICE, NULL, "no", "yes", "no", false, 0},
    {PJI_SCORER_CHOICE, NULL, "I would not say yes", "yes", NULL, false, 0},
    {PJI_SCORER_CHOICE, NULL, NULL, "yes", NULL, false, 0},
    {PJI_SCORER_CHOICE, NULL, "<think>no, or yes?</think>\n\nyes", "yes", "yes", true, 0},
    {PJI_SCORER_CHOICE, NULL, "no</think>yes", "yes", "yes", true, 0},
    {PJI_SCORER_CHOICE, NULL, "<think>yes yes yes", "yes", NULL, false, 0}, /* never ended */
    {PJI_SCORER_CHOICE, "answer:", "No doubt. Answer: no. The ANSWER: yes", "yes", "yes", true, 0},
    {PJI_SCORER_CHOICE, "answer:", "yes", "yes", NULL, false, 0},
    {PJI_SCORER_EXACT, NULL, "The  Eiffel-Tower!\nIt stands", "eiffeltower", "eiffeltower", true,
     0},
    {PJI_SCORER_EXACT, NULL, "\n\n  a dog ", "The dog.", "The dog.", true, 0},
    {PJI_SCORER_EXACT, NULL, "dogs", "dog", "dogs", false, 0},
    {PJI_SCORER_EXACT, NULL, "...", "dog", NULL, false, 0},
    {PJI_SCORER_EXACT, NULL, "the", "dog", "the", false, 0}, /* an article alone is a word */
    /* a label that is an article and nothing else: letters of a multiple choice */
    {PJI_SCORER_EXACT, NULL, "A.", "A", "A", true, 0},
    {PJI_SCORER_EXACT, NULL, "(a)\nbecause", "A", "A", true, 0},
    {PJI_SCORER_EXACT, NULL, "B", "A", "b", false, 0},
    {PJI_SCORER_EXACT, NULL, "A\nB", "B", "a", false, 0},
    {PJI_SCORER_F1, NULL, "the big red dog", "a red dog", "big red dog", false, 0.8},
    {PJI_SCORER_F1, NULL, "dog dog", "dog", "dog dog", false, 2.0 / 3},
    {PJI_SCORER_F1, NULL, "cat", "dog", "cat", false, 0},
    {PJI_SCORER_F1, NULL, "", "dog", NULL, false, 0},
    {PJI_SCORER_F1, NULL, "dog", "dog", "dog", true, 1},
    {PJI_SCORER_NUMERIC, NULL, "3 + 4 is 7.", "7", "7", true, 0},
    {PJI_SCORER_NUMERIC, NULL, "about 1,234.50 dollars", "1234.5", "1234.5", true, 0},
    {PJI_SCORER_NUMERIC, NULL, "#### 1,234,567", "#### 1234567", "#### 1234567", true, 0},
    {PJI_SCORER_NUMERIC, NULL, "it is -5", "-5", "-5", true, 0},
    {PJI_SCORER_NUMERIC, NULL, "10-5", "-5", "5", false, 0},
    {PJI_SCORER_NUMERIC, NULL, "12%", "12", "12", true, 0},
    {PJI_SCORER_NUMERIC, NULL, "7 (from the 3B model)", "7", "7", true, 0},
    {PJI_SCORER_NUMERIC, NULL, "1e3", "1000", "1000", true, 0},
    {PJI_SCORER_NUMERIC, NULL, "12,34", "34", "34", true, 0}, /* no thousands: two numbers */
    {PJI_SCORER_NUMERIC, NULL, "seven", "7", NULL, false, 0},
    {PJI_SCORER_NUMERIC, NULL, "it is .5", "0.5", "0.5", true, 0},
    {PJI_SCORER_NUMERIC, NULL, "-.25", "-0.25", "-0.25", true, 0},
    {PJI_SCORER_NUMERIC, NULL, "version 1.2.3", "3", "3", true, 0},
    {PJI_SCORER_NUMERIC, NULL,
     "it is \xe2\x88\x92"
     "5",
     "-5", "-5", true, 0}, /* U+2212 */
    {PJI_SCORER_NUMERIC, NULL,
     "10\xe2\x88\x92"
     "5",
     "-5", "5", false, 0},
    {PJI_SCORER_NUMERIC, NULL, "Let me see. <think>1 + 2 = 3", "3", NULL, false, 0},
    {PJI_SCORER_NUMERIC, NULL, "<think>1</think>7<think>8", "7", NULL, false, 0},
    {PJI_SCORER_NUMERIC, NULL, "7.07", "7", "7.07", false, 0},
};

static void answers_are_scored(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i];
        const struct pji_scorer scorer = {
            .kind = r->kind, .choices = yes_no, .n_choices = 2, .answer_after = r->after};
        struct pji_scored s;
        assert_int_equal(pji_score(&scorer, r->text, r->gold, &s, NULL), PJ_OK);
        if (s.parsable != (r->answer != NULL) || s.correct != r->correct ||
            strcmp(s.answer, r->answer ? r->answer : "") != 0)
            fail_msg("'%s' against '%s': '%s' %d %d", r->text, r->gold, s.answer, s.parsable,
                     s.correct);
        if (r->kind == PJI_SCORER_F1)
            assert_true(fabs(s.f1 - r->f1) < 1e-12);
        else
            assert_true(isnan(s.f1));
        pji_scored_fini(&s);
    }
}

static void numbers_have_a_tolerance(void **state)
{
    struct pji_scorer scorer = {.kind = PJI_SCORER_NUMERIC, .tolerance = 0.01};
    struct pji_scored s;
    (void)state;
    assert_int_equal(pji_score(&scorer, "7.06", "7", &s, NULL), PJ_OK);
    assert_true(s.correct);
    pji_scored_fini(&s);
    assert_int_equal(pji_score(&scorer, "7.08", "7", &s, NULL), PJ_OK);
    assert_false(s.correct);
    pji_scored_fini(&s);
    struct pj_error err = {0};
    assert_int_equal(pji_score(&scorer, "7", "seven", &s, &err), PJ_EINVAL);
    assert_non_null(strstr(err.text, "'seven' is not a number"));
    pji_scored_fini(&s);
}

static void two_classes(void **state)
{
    (void)state;
    /* tp 6, fp 1, tn 3, fn 2: MCC (18 - 2)/sqrt(7 * 8 * 4 * 5) */
    struct pji_binary_figures f = pji_binary_figures(&(struct pji_binary){6, 1, 3, 2, 0, 0});
    assert_true(fabs(f.precision - 6.0 / 7) < 1e-12);
    assert_true(fabs(f.recall - 6.0 / 8) < 1e-12);
    assert_true(fabs(f.f1 - 12.0 / 15) < 1e-12);
    assert_true(fabs(f.mcc - 16 / sqrt(1120)) < 1e-12);
    assert_true(fabs(f.balanced_accuracy - 0.75) < 1e-12);
    assert_true(fabs(f.positive_rate - 7.0 / 12) < 1e-12);
    /* always yes on 193 and 193 */
    f = pji_binary_figures(&(struct pji_binary){193, 193, 0, 0, 0, 0});
    assert_true(fabs(f.f1 - 2.0 / 3) < 1e-12 && fabs(f.always_positive_f1 - 2.0 / 3) < 1e-12);
    assert_true(isnan(f.mcc)); /* never said no: not defined, and not 0 */
    assert_true(fabs(f.balanced_accuracy - 0.5) < 1e-12);
    /* unparsable answers are missed */
    f = pji_binary_figures(&(struct pji_binary){1, 0, 1, 0, 1, 1});
    assert_true(fabs(f.recall - 0.5) < 1e-12 && fabs(f.f1 - 2.0 / 3) < 1e-12);
    assert_true(fabs(f.precision - 1) < 1e-12 && fabs(f.balanced_accuracy - 0.5) < 1e-12);
    f = pji_binary_figures(&(struct pji_binary){0, 0, 0, 0, 2, 2});
    assert_true(isnan(f.precision) && isnan(f.mcc) && fabs(f.recall) < 1e-12);
}

/* 26 items against 24: joined by id whatever the order. */
static void answers_are_paired_by_item(void **state)
{
    enum { N = 60 };
    struct pji_answer a[N], b[2 * N];
    char ids[N][8];
    struct pji_answer_pair pair;
    (void)state;
    for (int i = 0; i < N; i++) {
        bool first = i < 22 || i >= 46, second = i >= 22 && i < 56;
        snprintf(ids[i], sizeof ids[i], "i%d", i);
        a[i] = (struct pji_answer){ids[i], "yes", first ? "yes" : "no"};
        /* backwards, and twice: a repetition is not another item */
        b[N - 1 - i] = b[2 * N - 1 - i] = (struct pji_answer){ids[i], "yes",
                                                              second  ? "yes"
                                                              : i % 2 ? "no"
                                                                      : NULL};
    }
    assert_int_equal(pji_answers_pair(&pair, a, N, b, 2 * N, NULL), PJ_OK);
    assert_int_equal(pair.items, N);
    assert_int_equal(pair.only_a, 22 + 4);
    assert_int_equal(pair.only_b, 24);
    assert_int_equal(pair.both, 10);
    assert_int_equal(pair.neither, 0);
    assert_int_equal(pair.alone, 0);
    assert_true(pair.p > 0.8 && pair.p < 0.95);
    assert_int_equal(pji_answers_pair(&pair, a, 22, b, N, NULL), PJ_OK);
    assert_int_equal(pair.items, 22);
    assert_int_equal(pair.alone, N - 22);
    assert_int_equal(pji_answers_pair(&pair, a, N, a, N, NULL), PJ_OK);
    assert_true(isnan(pair.p)); /* nothing differs: there is nothing to test */
    b[0].gold = "no";
    assert_int_equal(pji_answers_pair(&pair, a, N, b, N, NULL), PJ_EINVAL);
}

static void presets_are_whole(void **state)
{
    size_t n = 0;
    (void)state;
    for (const struct pji_preset *p; (p = pji_preset_at(n)) != NULL; n++) {
        bool positive = p->positive == NULL;
        assert_ptr_equal(pji_preset_find(p->name), p);
        assert_in_range(p->n_labels, 2, PJI_PRESET_LABELS);
        for (size_t i = 0; i < p->n_labels; i++)
            positive = positive || strcmp(p->labels[i].choice, p->positive) == 0;
        assert_true(positive);
    }
    assert_int_equal(n, 6);
    assert_null(pji_preset_find("BoolQ"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_scored), cmocka_unit_test(numbers_have_a_tolerance),
        cmocka_unit_test(two_classes),        cmocka_unit_test(answers_are_paired_by_item),
        cmocka_unit_test(presets_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
