/* analysis/stored.h - findings that were recorded with a study when its records came in (an import
 * of raw files, for one), beside those of its analysis.
 *
 * One that is about the study as a whole, the response or a tested factor keeps its consequence;
 * those about single runs or other columns become one note that counts them.
 */
#ifndef PJI_ANALYSIS_STORED_H
#define PJI_ANALYSIS_STORED_H

#include "analysis/analyse.h"
#include "store/store.h"

/* *out: array of {"code", "subject", "consequence", "finding"}; empty when there are none. */
pj_status pji_stored_findings(struct pji_store *store, json_t **out, struct pj_error *err);

/* Adds them to the findings of an analysis; *conclusive becomes false when one forbids. */
void pji_stored_add(json_t *analysis, const json_t *stored, const struct pji_analysis *request,
                    bool *conclusive);
/* The same for the answers of a protocol; the codes that forbid are added to the rows. */
void pji_stored_add_answers(json_t *answers, const json_t *stored, bool *conclusive);

#endif
