/* task/task.h - items, prompts and scores.
 *
 * Items are JSON Lines; each has an id (key "id" or "idx", else its line number), the fields that a
 * template names as {field}, and for scored tasks a gold label. Text templates: {field} is
 * replaced, {a.b} reaches into an object, {{ and }} are literal braces; an unknown field is an
 * error that names file and line.
 */
#ifndef PJI_TASK_TASK_H
#define PJI_TASK_TASK_H

#include "core/json.h"

struct pji_item {
    char *id;
    json_t *fields; /* the whole object */
    char *gold;     /* NULL: unscored */
    size_t line;
    const char *file; /* for messages; borrowed from the items */
};

struct pji_items {
    struct pji_item *items;
    size_t n;
    char *path;
    char sha256[65]; /* of the file */
};

/* gold_key (may be "a.b"): NULL for unscored tasks. limit: at most so many items (0: all). Labels
 * and ids are strings, whole numbers, true or false. Refused with file and line: what is not a JSON
 * object, an id that was there before, a missing gold label, a file without items. */
pj_status pji_items_read(struct pji_items *items, const char *path, const char *gold_key,
                         size_t limit, struct pj_error *err);
void pji_items_fini(struct pji_items *items);

/* Rendered prompt; caller frees. Strings go in as they are, numbers, true and false as in JSON;
 * null, lists and objects are refused. */
pj_status pji_template_render(const char *template_text, const struct pji_item *item, char **out,
                              struct pj_error *err);

/* Exact choice after normalisation. Text and choices are treated alike: ASCII letters are folded,
 * and white space, ASCII punctuation and the quotes and dashes of U+2013…U+201E are removed from
 * both ends (a '-' or '+' before a digit stays). Choices of several words are compared first, with
 * the first line of the text that has a word (each run of blanks counts as one); then choices of
 * one word with its first word. Returns the index of the choice, or -1: unparsable. NULL text is
 * unparsable. */
int pji_choice_extract(const char *text, const char *const *choices, size_t n);

/* Accuracy over distinct items with repeated answers. Each item counts once: it is correct when
 * the majority of its answers is (a tie counts as wrong); Wilson interval beside the majority
 * baseline; disagreement between repetitions apart; unparsable answers are wrong and counted. */
struct pji_answer {
    const char *item, *gold;
    const char *answer; /* NULL: unparsable */
};
struct pji_accuracy {
    size_t items, answers, correct_items, unparsable, disagreeing_items;
    double accuracy, wilson_lo, wilson_hi; /* 95 %; NaN without answers */
    double majority_baseline;              /* share of the commonest gold label; NaN likewise */
};
/* PJ_EINVAL: an item with two different gold labels. */
pj_status pji_accuracy_compute(struct pji_accuracy *out, const struct pji_answer *answers, size_t n,
                               struct pj_error *err);
/* Two treatments on the items that both answered, joined by item: each counts once, right when the
 * majority of its answers is. Exact McNemar test of the items that only one got right. */
struct pji_answer_pair {
    size_t items, both, only_a, only_b, neither;
    size_t alone; /* items that only one of the two answered: in no other count */
    double p;     /* exact, two-sided; NaN: no item that only one got right */
};
/* PJ_EINVAL: an item with two different gold labels. */
pj_status pji_answers_pair(struct pji_answer_pair *out, const struct pji_answer *a, size_t n_a,
                           const struct pji_answer *b, size_t n_b, struct pj_error *err);

#endif
