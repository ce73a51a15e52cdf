/* task/preset.h - tasks that many studies share, ready made: prompt, gold label, answers, scorer.
 *
 * The six SuperGLUE tasks (A. Wang et al., SuperGLUE, 2019) that a gold label scores with a word;
 * their files have the fields that the prompts name. The prompts are ours. No data comes with them.
 */
#ifndef PJI_TASK_PRESET_H
#define PJI_TASK_PRESET_H

#include "task/score.h"

enum { PJI_PRESET_LABELS = 3 };

struct pji_preset {
    const char *name; /* "boolq" */
    const char *prompt, *gold;
    struct {
        const char *label, *choice; /* gold label in the file, answer in words */
    } labels[PJI_PRESET_LABELS];
    size_t n_labels;
    enum pji_scorer_kind scorer;
    const char *positive; /* binary: which choice; NULL: none */
};

/* The i-th preset, NULL past the last. */
const struct pji_preset *pji_preset_at(size_t i);
const struct pji_preset *pji_preset_find(const char *name); /* NULL: unknown */

#endif
