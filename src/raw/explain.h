/* raw/explain.h - the schemes by which published energies may have been computed, and the causes
 * that lead from the recomputed figure to the published one. Used by raw/audit.c alone.
 */
#ifndef PJI_RAW_EXPLAIN_H
#define PJI_RAW_EXPLAIN_H

#include "raw/published.h"

/* Fills rows, scheme and words of a column of energies, times or tokens. cells[i] belongs to
 * runs[i]. */
pj_status pji_explain_column(struct pji_audit_column *column, const struct pji_audit_run *runs,
                             const struct pji_published *cells, size_t n, struct pj_error *err);
/* Published energy over published time. `energy`: its column, already explained. */
void pji_explain_power(struct pji_audit_column *power, const struct pji_audit_column *energy,
                       const struct pji_audit_run *runs, const struct pji_published *energies,
                       const struct pji_published *times, size_t n);

#endif
