/* report/plot.h - pictures by gnuplot, which only draws coordinates that analysis/ computed: no
 * boxplot, stats, fit or smooth. Colours are those of Okabe and Ito (2008), distinguishable with
 * every common colour blindness.
 */
#ifndef PJI_REPORT_PLOT_H
#define PJI_REPORT_PLOT_H

#include "analysis/curve.h"
#include "analysis/summary.h"

/* All values of one figure by treatment with mean and 95 % interval, as DIR/<id>.svg and .png. */
pj_status pji_plot_distribution(const struct pji_summary *summary, const char *task,
                                const char *name, const char *axis, const char *dir, const char *id,
                                struct pj_error *err);
/* Power of one trial with its phases shaded. */
pj_status pji_plot_curve(const struct pji_curve *curve, const char *dir, const char *id,
                         struct pj_error *err);
/* PJ_ENOTFOUND with what to install where there is no gnuplot. */

#endif
