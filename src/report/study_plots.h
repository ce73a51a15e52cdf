/* report/study_plots.h - the pictures of a study's report (room-internal). */
#ifndef PJI_REPORT_STUDY_PLOTS_H
#define PJI_REPORT_STUDY_PLOTS_H

#include "report/compose.h"
#include "report/plot.h"

/* Draws what the records carry into `dir` and says which pictures there are. A picture that cannot
 * be drawn is left out; with no gnuplot there are none and drawn->why_none says it. Negative only
 * when memory is short. `undrawn`: only says which there would be. */
pj_status pji_study_plots(const struct pji_summary *summary, struct pji_store *store,
                          const char *dir, bool undrawn, struct pji_drawn *drawn,
                          struct pj_error *err);

#endif
