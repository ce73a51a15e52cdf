/* report/protocol_plots.h - pictures of the answers of a protocol (analysis/protocol.h), in the
 * folders of its tables: plots/Descriptive_Data_Exploration/RQ1.1/RQ1.1_box and so on. For each
 * question: box and violin of the response by group; Q-Q and density; a forest of planned
 * comparisons; with a second factor the interaction of its means; with a correlation the scatter.
 */
#ifndef PJI_REPORT_PROTOCOL_PLOTS_H
#define PJI_REPORT_PROTOCOL_PLOTS_H

#include "analysis/protocol.h"
#include "report/plot.h"

/* Adds the pictures; pji_plots_draw draws them. What cannot be drawn (one value) is left out. */
pj_status pji_protocol_plots(struct pji_plots *plots, const struct pji_protocol *protocol,
                             const struct pji_protocol_data *data, const json_t *answers,
                             struct pj_error *err);

#endif
