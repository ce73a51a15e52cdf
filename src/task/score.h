/* task/score.h - is an answer right? By a gold label alone; no other model judges.
 *
 * First the text is cut: what a reasoning model thought (everything up to the last "</think>") is
 * left out, and with answer_after only what follows the last place that says so (ASCII letters
 * alike) counts. A thought that never ends and a text without that place are unparsable. Then:
 *   choice, binary  one of the choices (pji_choice_extract)
 *   exact           the first line with a word, normalised, is the gold label normalised
 *   f1              the same, and the F1 of its words against those of the label
 *   numeric         the last number of the text; right when it is within tolerance * |gold| of it
 * Normalised (P. Rajpurkar et al., SQuAD, 2016): ASCII letters folded, ASCII punctuation removed,
 * the words a, an, the removed (where there are others), blanks collapsed. Numbers may have
 * thousands separators ("1,234").
 */
#ifndef PJI_TASK_SCORE_H
#define PJI_TASK_SCORE_H

#include "core/str.h"

#include <stddef.h>

enum pji_scorer_kind {
    PJI_SCORER_CHOICE,
    PJI_SCORER_BINARY,
    PJI_SCORER_EXACT,
    PJI_SCORER_F1,
    PJI_SCORER_NUMERIC
};
enum { PJI_SCORERS = PJI_SCORER_NUMERIC + 1 };
const char *pji_scorer_name(enum pji_scorer_kind kind);

struct pji_scorer {
    enum pji_scorer_kind kind;
    const char *const *choices; /* choice and binary: what an answer may be */
    size_t n_choices;
    const char *answer_after; /* NULL: the whole text counts */
    double tolerance;         /* numeric: relative */
};

struct pji_scored {
    bool parsable, correct;
    double f1;    /* f1 only: 0 … 1; NaN for the others */
    char *answer; /* owned: the gold label when it is right, else what was found; "": unparsable */
};

/* text NULL: unparsable. PJ_EINVAL: numeric, and gold is no number. */
pj_status pji_score(const struct pji_scorer *scorer, const char *text, const char *gold,
                    struct pji_scored *out, struct pj_error *err);
void pji_scored_fini(struct pji_scored *score);

/* Two classes: counts over answers; unparsable ones are wrong, and neither positive nor negative.
 */
struct pji_binary {
    size_t tp, fp, tn, fn;
    size_t lost_positive, lost_negative; /* unparsable, by gold label */
};
struct pji_binary_figures {
    double precision, recall, f1, mcc, balanced_accuracy, positive_rate; /* NaN: not defined */
    double always_positive_f1; /* F1 of answering the positive class every time */
};
/* precision tp/(tp + fp); recall and specificity count unparsable answers as missed; MCC (B. W.
 * Matthews 1975) over parsable answers. */
struct pji_binary_figures pji_binary_figures(const struct pji_binary *counts);

#endif
