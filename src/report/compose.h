/* report/compose.h - from a summary to the blocks of a report (room-internal). */
#ifndef PJI_REPORT_COMPOSE_H
#define PJI_REPORT_COMPOSE_H

#include "analysis/summary.h"
#include "report/doc.h"

/* The answer first, then what it rests on. `has_pictures`: the figures below exist. */
void pji_report_compose(struct pji_doc *doc, const struct pji_summary *summary, bool has_trace_plot,
                        bool has_distribution);

/* The task whose energy is the study's headline: the first one with a per-token figure, else the
 * first with an energy; NULL: none. *name gets the figure. */
const char *pji_report_headline(const struct pji_summary *summary, const char **name);

#endif
