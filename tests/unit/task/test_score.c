/* From an answer's text to a choice, and from answers to an accuracy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared.h"
#include "stats/interval.h"
#include "task/task.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void choices_after_normalisation(void **state)
{
    (void)state;
    static const char *const yes_no[] = {"yes", "no"};
    static const struct {
        const char *text;
        int choice;
    } cases[] = {
        {"yes", 0},
        {" Yes.", 0},
        {"\n\n  \"YES\"\nbecause it is so", 0},
        {"**No**, it is not", 1},
        {"no, never", 1},
        {"(no)", 1},
        {"\xe2\x80\x9cyes\xe2\x80\x9d", 0},
        {"\xe2\x80\x94 no", 1},
        {"- yes", 0},
        {"...\nno", 1}, /* the first line that has a word */
        {"yes/no", -1},
        {"yesterday", -1},
        {"Answer: yes", -1},
        {"I would not say yes", -1},
        {"", -1},
        {"   \n\t", -1},
        {"?!", -1},
        {"ye s", -1},
        {"y\xc3\xa9s", -1},
        {NULL, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (pji_choice_extract(cases[i].text, yes_no, 2) != cases[i].choice)
            fail_msg("'%s'", cases[i].text);
    assert_int_equal(pji_choice_extract("yes", yes_no, 0), -1);
}

static void choices_of_several_words_and_numbers(void **state)
{
    (void)state;
    static const char *const mixed[] = {"not", "not sure", "not_entailment", "entailment"};
    assert_int_equal(pji_choice_extract("Not sure.", mixed, 4), 1);
    assert_int_equal(pji_choice_extract("not \t sure\nreally", mixed, 4), 1);
    assert_int_equal(pji_choice_extract("not sure really", mixed, 4), 0); /* line differs: word */
    assert_int_equal(pji_choice_extract("not_entailment", mixed, 4), 2);
    assert_int_equal(pji_choice_extract("Entailment: the premise says so", mixed, 4), 3);
    static const char *const numbers[] = {"1", "-1", "A)", "  "};
    assert_int_equal(pji_choice_extract("-1", numbers, 4), 1);
    assert_int_equal(pji_choice_extract("1.", numbers, 4), 0);
    assert_int_equal(pji_choice_extract("(a) the first", numbers, 4), 2);
    assert_int_equal(pji_choice_extract("- 1", numbers, 4), 0);
}

static void items_count_once(void **state)
{
    (void)state;
    static const struct pji_answer answers[] = {
        {"a", "yes", "yes"}, {"b", "no", "no"},   {"c", "yes", NULL},  {"a", "yes", "no"},
        {"b", "no", "no"},   {"c", "yes", NULL},  {"a", "yes", "yes"}, {"b", "no", "no"},
        {"c", "yes", NULL},  {"d", "yes", "yes"}, {"d", "yes", "no"},
    };
    struct pji_accuracy out;
    assert_int_equal(pji_accuracy_compute(&out, answers, 11, NULL), PJ_OK);
    assert_int_equal(out.items, 4);
    assert_int_equal(out.answers, 11);
    assert_int_equal(out.correct_items, 2); /* a by majority, b always; d is a tie */
    assert_int_equal(out.unparsable, 3);
    assert_int_equal(out.disagreeing_items, 2); /* a and d; c never parses but agrees */
    assert_true(out.accuracy == 0.5);
    assert_true(out.majority_baseline == 0.75);
    double lo = 0, hi = 0;
    pji_wilson(2, 4, 0.95, &lo, &hi); /* over items, not over answers */
    assert_true(out.wilson_lo == lo && out.wilson_hi == hi);
    assert_true(lo < 0.16 && hi > 0.84);
}

static void repetitions_do_not_narrow_the_interval(void **state)
{
    (void)state;
    struct pji_answer answers[300];
    struct pji_accuracy once, often;
    char ids[10][8];
    for (size_t i = 0; i < 300; i++) {
        snprintf(ids[i % 10], sizeof ids[0], "%zu", i % 10);
        answers[i] = (struct pji_answer){ids[i % 10], "1", i % 10 < 7 ? "1" : "0"};
    }
    assert_int_equal(pji_accuracy_compute(&once, answers, 10, NULL), PJ_OK);
    assert_int_equal(pji_accuracy_compute(&often, answers, 300, NULL), PJ_OK);
    assert_true(once.wilson_lo == often.wilson_lo && once.wilson_hi == often.wilson_hi);
    assert_true(once.accuracy == 0.7 && often.accuracy == 0.7);
}

static void nothing_is_missing_not_zero(void **state)
{
    (void)state;
    struct pji_accuracy out;
    assert_int_equal(pji_accuracy_compute(&out, NULL, 0, NULL), PJ_OK);
    assert_true(isnan(out.accuracy) && isnan(out.wilson_lo) && isnan(out.majority_baseline));
    assert_int_equal(out.items, 0);
}

static void two_labels_for_one_item_are_refused(void **state)
{
    (void)state;
    static const struct pji_answer answers[] = {{"a", "yes", "yes"}, {"a", "no", "yes"}};
    struct pji_accuracy out;
    struct pj_error err = {0};
    assert_int_equal(pji_accuracy_compute(&out, answers, 2, &err), PJ_EINVAL);
    assert_non_null(strstr(err.text, "item 'a' has two gold labels"));
}

/* Label counts of the six files as the reference report gives them: BoolQ 52/28, CB 57/20/3,
 * COPA 40/40, RTE 40/40, WSC 34/46, WiC 39/41. */
static void superglue_baselines(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double most;
    } tasks[] = {{"BoolQ", 52}, {"CB", 57}, {"COPA", 40}, {"RTE", 40}, {"WSC", 46}, {"WiC", 41}};
    for (size_t t = 0; t < sizeof tasks / sizeof tasks[0]; t++) {
        char name[64], path[4096];
        struct pji_items items;
        struct pji_answer answers[80];
        struct pji_accuracy out;
        snprintf(name, sizeof name, "data/superglue/%s.jsonl", tasks[t].name);
        if (!pjt_shared(path, sizeof path, name)) {
            print_message("# skipped: %s is not here\n", path);
            skip();
        }
        assert_int_equal(pji_items_read(&items, path, "label", 0, NULL), PJ_OK);
        for (size_t i = 0; i < 80; i++)
            answers[i] =
                (struct pji_answer){items.items[i].id, items.items[i].gold, items.items[0].gold};
        assert_int_equal(pji_accuracy_compute(&out, answers, 80, NULL), PJ_OK);
        assert_int_equal(out.items, 80);
        if (out.majority_baseline != tasks[t].most / 80)
            fail_msg("%s: %f", tasks[t].name, out.majority_baseline);
        pji_items_fini(&items);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(choices_after_normalisation),
        cmocka_unit_test(choices_of_several_words_and_numbers),
        cmocka_unit_test(items_count_once),
        cmocka_unit_test(repetitions_do_not_narrow_the_interval),
        cmocka_unit_test(nothing_is_missing_not_zero),
        cmocka_unit_test(two_labels_for_one_item_are_refused),
        cmocka_unit_test(superglue_baselines),
    };
    return cmocka_run_group_tests_name("task/score", tests, NULL, NULL);
}
