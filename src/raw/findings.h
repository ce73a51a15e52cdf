/* raw/findings.h - what is wrong or noteworthy with an imported study as a whole: rows of the
 * store's table `finding`. docs/greenlab.md lists the codes, their definitions and consequences.
 */
#ifndef PJI_RAW_FINDINGS_H
#define PJI_RAW_FINDINGS_H

#include "raw/import.h"
#include "raw/outcome.h"

/* outcomes: one for each run of the plan, in its order. Counts them in `result`. */
pj_status pji_raw_findings_put(struct pji_store *store, const struct pji_raw_outcome *outcomes,
                               const struct pji_raw_plan *plan,
                               const struct pji_import_options *options,
                               struct pji_import_result *result, struct pj_error *err);

#endif
