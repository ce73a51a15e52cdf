/* lab/design.h - factors -> cells -> planned order. Pure; the same study and seed give the same
 * plan on every platform (core/prng.h, stream "order").
 */
#ifndef PJI_LAB_DESIGN_H
#define PJI_LAB_DESIGN_H

#include "lab/study.h"

struct pji_planned {
    size_t cell;        /* 0-based, in product order after exclusions */
    int64_t block;      /* 1-based */
    int64_t repetition; /* 1-based within the cell */
};

struct pji_plan {
    size_t *cell_levels; /* n_cells rows of n_factors level indices */
    size_t n_cells, n_factors;
    struct pji_planned *trials; /* n_trials in planned order */
    size_t n_trials, n_blocks;
    char sha256[65]; /* over the canonical text of the plan (docs/study-file.md) */
};

enum { PJI_PLAN_TRIALS_MAX = 1000000 };

/* Cells only: rows of level indices in product order (the last factor moves fastest), exclusions
 * removed; caller frees. No cells at all is PJ_EINVAL. */
pj_status pji_design_cells(const struct pji_study *study, size_t **cell_levels, size_t *n_cells,
                           struct pj_error *err);

/* Exclusions are sets: the union of all excluded products is removed. Randomised complete blocks:
 * each block holds every cell once, shuffled; blocks = "none": one shuffle of all trials. With
 * interleaved factors a block is shuffled in two steps: the combinations of the other factors, and
 * within each the levels of the interleaved ones, so that what is compared is close in time. */
/* Everything that pji_plan_make would refuse, without making the trials. */
pj_status pji_plan_check(const struct pji_study *study, struct pj_error *err);
pj_status pji_plan_make(struct pji_plan *plan, const struct pji_study *study, struct pj_error *err);
/* Into a plan that has its cells: so many blocks of all of them, repetition k in block k, drawn
 * from the given stream. */
pj_status pji_plan_rounds(struct pji_plan *plan, const struct pji_study *study, const char *stream,
                          int64_t rounds, struct pj_error *err);
void pji_plan_fini(struct pji_plan *plan);

#endif
