/* raw/plan.h - which treatment each run is: generation, model_size and task.
 *
 * The folders do not say. From the best that there is:
 *   1. a table of runs (--runs FILE; else the one CSV file in the folder, or beside it, whose
 * header has the keys of raw/runs_table.h and all three factors; run_table.csv before others)
 *   2. the plan of the GreenLab study: run I of run_I_repetition_J is its I-th treatment. Only when
 *      no run's prompts contradict it
 *   3. neither: generation and model size are "unknown: NAME", one for each folder, so that nothing
 *      is pooled that may differ; the task is what the prompts ask
 * A level that reads as a number is named by it ("2.0" is "2").
 */
#ifndef PJI_RAW_PLAN_H
#define PJI_RAW_PLAN_H

#include "raw/runs_table.h"
#include "raw/tree.h"

enum pji_raw_factor { PJI_RAW_GENERATION, PJI_RAW_MODEL_SIZE, PJI_RAW_TASK, PJI_RAW_FACTORS };
extern const char *const pji_raw_factor_names[PJI_RAW_FACTORS];

struct pji_raw_planned {
    const struct pji_raw_folder *folder;
    size_t level[PJI_RAW_FACTORS]; /* index into the factor's levels */
    int64_t cell, repetition;      /* as the store has them: from 0, from 1 */
    bool known;                    /* generation and model size are */
};

struct pji_raw_plan {
    char **levels[PJI_RAW_FACTORS]; /* in natural order */
    size_t n_levels[PJI_RAW_FACTORS];
    struct pji_raw_planned *runs; /* by cell, then repetition */
    size_t n;
    char *origin; /* where the treatments come from: the table's path, or words */
    bool from_table;
    size_t n_unplaced; /* rows of the table whose run has no folder */
    char first_unplaced[96];
};

/* table_path NULL: looked for. */
pj_status pji_raw_plan_make(struct pji_raw_plan *plan, const struct pji_raw_tree *tree,
                            const char *table_path, struct pj_error *err);
void pji_raw_plan_fini(struct pji_raw_plan *plan);

#endif
