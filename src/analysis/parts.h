/* analysis/parts.h - the pieces of a summary, one file each (room-internal). */
#ifndef PJI_ANALYSIS_PARTS_H
#define PJI_ANALYSIS_PARTS_H

#include "analysis/gather.h"

/* Accuracy of a treatment for every scored task, over distinct items (task/task.h). */
pj_status pji_summary_scores(struct pji_treatment *treatment, const struct pji_gathered *g,
                             struct pj_error *err);
/* Answers of every treatment against those of the first one. */
pj_status pji_summary_answers(struct pji_summary *summary, const struct pji_gathered *g,
                              struct pj_error *err);
/* Every treatment against the first one. */
pj_status pji_summary_compare(struct pji_summary *summary, const struct pji_gathered *g,
                              struct pj_error *err);
/* What the study rests on: gates, facts, sensors, failures, identical outputs, texts. */
pj_status pji_summary_basis(struct pji_summary *summary, const struct pji_gathered *g,
                            struct pji_store *store, struct pj_error *err);

/* Trials, their values and the energy by domain, for the tables and pictures of all records. */
pj_status pji_summary_records(struct pji_summary *summary, const struct pji_gathered *g,
                              struct pj_error *err);
void pji_summary_records_fini(struct pji_summary *summary);

#endif
