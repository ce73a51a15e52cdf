/* cli/audit_print.h - an audit as a table for people, as CSV and as JSON. */
#ifndef PJI_CLI_AUDIT_PRINT_H
#define PJI_CLI_AUDIT_PRINT_H

#include "core/json.h"
#include "raw/audit.h"

void pji_audit_text(const struct pji_audit *audit, const struct pji_runs_table *table,
                    struct pji_str *out);
/* One row for each figure: quantity, column, run, published, recomputed, u, difference, a column
 * for each cause, then what else there is to say; and one for each run or row without a partner. */
void pji_audit_csv(const struct pji_audit *audit, const struct pji_runs_table *table,
                   struct pji_str *out);
/* New reference; NULL on lack of memory. */
json_t *pji_audit_json(const struct pji_audit *audit, const struct pji_runs_table *table,
                       const char *study);

#endif
