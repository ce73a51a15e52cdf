/* raw/runs_table.h - a table with a row for each run: finds the row of a run.
 *
 * Keys, in this order: a column `__run_id`, `run_id` or `run` that holds the run's folder (its path
 * below the imported folder, or the last part of that); else a column `run` (also `run_nr`) and a
 * column `repetition` with the two numbers of run_I_repetition_J.
 */
#ifndef PJI_RAW_RUNS_TABLE_H
#define PJI_RAW_RUNS_TABLE_H

#include "analysis/table.h"

#include <stdint.h>

struct pji_runs_table {
    struct pji_table table;
    int key, run, repetition; /* columns; -1: none */
};

/* Reads `path`; the separator is found in the header. PJ_EINVAL where no column tells the run. */
pj_status pji_runs_table_read(struct pji_runs_table *runs, const char *path, struct pj_error *err);
void pji_runs_table_fini(struct pji_runs_table *runs);

/* Row of a run from row `from` on, table.rows when there is none. */
size_t pji_runs_table_row(const struct pji_runs_table *runs, size_t from, const char *name,
                          int64_t run, int64_t repetition);
/* How the row names its run: "run_3_repetition_4" or what its key says; a buffer of the caller. */
const char *pji_runs_table_name(const struct pji_runs_table *runs, size_t row, char *text,
                                size_t size);
/* Column by name without regard to case; -1: none. */
int pji_runs_table_find(const struct pji_runs_table *runs, const char *name);

#endif
