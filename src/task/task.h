/* task/task.h - items, prompts and scores.
 *
 * Items are JSON Lines; each has an id (key "id" or "idx", else its line number), the fields that a
 * template names as {field}, and for scored tasks a gold label. Text templates: {field} is
 * replaced,
 * {{ and }} are literal braces; an unknown field is an error that names file and line.
 */
#ifndef PJI_TASK_TASK_H
#define PJI_TASK_TASK_H

#include "core/json.h"

struct pji_item {
    char *id;
    json_t *fields; /* the whole object */
    char *gold;     /* NULL: unscored */
    size_t line;
};

struct pji_items {
    struct pji_item *items;
    size_t n;
    char sha256[65]; /* of the file */
};

/* gold_key: NULL for unscored tasks. limit: at most so many items (0: all). */
pj_status pji_items_read(struct pji_items *items, const char *path, const char *gold_key,
                         size_t limit, struct pj_error *err);
void pji_items_fini(struct pji_items *items);

/* Rendered prompt; caller frees. */
pj_status pji_template_render(const char *template_text, const struct pji_item *item, char **out,
                              struct pj_error *err);

/* Exact choice after normalisation: leading and trailing white space, quotes and ASCII punctuation
 * removed, case folded (ASCII), then the first word (or the first line when a choice has several
 * words) compared with the choices. Returns the index of the choice, or -1: unparsable. */
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
    double accuracy, wilson_lo, wilson_hi; /* 95 % */
    double majority_baseline;              /* share of the commonest gold label */
};
pj_status pji_accuracy_compute(struct pji_accuracy *out, const struct pji_answer *answers, size_t n,
                               struct pj_error *err);

#endif
