/* raw/plan_table.h - the table that says which treatment each run is (plan.h). */
#ifndef PJI_RAW_PLAN_TABLE_H
#define PJI_RAW_PLAN_TABLE_H

#include "raw/runs_table.h"

/* `path` given: that one, or an error. NULL: looked for in `top` and beside it; *found says whether
 * there was one, *origin (caller frees) names it. */
pj_status pji_plan_table_find(struct pji_runs_table *runs, const char *top, const char *path,
                              char **origin, bool *found, struct pj_error *err);

#endif
