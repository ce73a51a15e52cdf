/* raw/runner_table.h - the output folder of an Experiment Runner experiment becomes a study.
 *
 * Read are run_table.csv and, as artefacts, the files of each run_I_repetition_J folder. The table
 * does not say which columns are factors: they are the fewest columns behind __done, from the left,
 * that tell all combinations I apart and are the same in all repetitions of each; the caller may
 * name them. Every other column is a result: a number, or a missing one with the reason. Levels
 * stay text. A comma inside a number is refused unless it was declared to be the decimal mark. A
 * row that is DONE without its folder, or with an empty one, is flagged (`run_folder_missing`).
 *
 * A column without a name (Experiment Runner writes one for a result that its configuration does
 * not declare) is called column_N; a factor whose name is a column of every export factor_NAME.
 */
#ifndef PJI_RAW_RUNNER_TABLE_H
#define PJI_RAW_RUNNER_TABLE_H

#include "core/error.h"
#include "core/log.h"

#include <stdbool.h>
#include <stddef.h>

struct pji_runner_options {
    const char *dir, *out;
    const char *factors; /* "a,b"; NULL: found */
    bool decimal_comma;
    const struct pji_log *log;
};

struct pji_runner_result {
    size_t rows, done, todo, without_folder;
    size_t nameless;   /* columns */
    size_t left_out;   /* entries of run folders that are no plain file with a plain name */
    char renamed[256]; /* factors that have another name here, "a as factor_a" */
    char factors[256]; /* that were taken, comma-separated */
};

/* PJ_EINVAL for a table that breaks the rules above, PJ_EBUSY when `out` exists. */
pj_status pji_import_runner(const struct pji_runner_options *options,
                            struct pji_runner_result *result, struct pj_error *err);

#endif
