/* report/plot.h - pictures by gnuplot, which only draws coordinates that analysis/ computed: no
 * boxplot, stats, fit or smooth, no arithmetic in a script (tools/check-plots looks).
 *
 * Colours are those of Okabe and Ito (2008), distinguishable with every common colour blindness;
 * beside colour, series differ by shape or place. A picture is 160 mm wide (the text width of a
 * page) with letters of about 8 points, as tall as its content needs: groups stand below each
 * other, so that thirty of them with long names stay readable, and where curves would pile up each
 * group gets a panel of its own. Each picture says its n below.
 *
 *     struct pji_plots *plots = NULL;
 *     struct pji_plots_how how = {.dir = "out", .formats = PJI_PLOT_SVG | PJI_PLOT_PNG};
 *     pji_plots_open(&plots, &how, err);
 *     pji_plot_box(plots, &(struct pji_plot){.id = "energy", .x_axis = "energy, J"}, groups, n,
 * err); …                               // more pictures: they are drawn together, in one gnuplot
 *     st = pji_plots_draw(plots, err); // PJ_ENOTFOUND with what to install: no gnuplot
 *     pji_plots_close(plots);
 *
 * Texts may hold any characters: nothing in them is markup or command. The same input gives the
 * same bytes in every folder, time zone and locale (one version of gnuplot and its fonts); the
 * dates in a PDF are `stamp_wall_ns`.
 */
#ifndef PJI_REPORT_PLOT_H
#define PJI_REPORT_PLOT_H

#include "analysis/coords.h"
#include "analysis/curve.h"

enum { PJI_PLOT_SVG = 1, PJI_PLOT_PNG = 2, PJI_PLOT_PDF = 4 };

struct pji_plots_how {
    const char *dir;  /* must exist when pji_plots_draw is called; folders in ids are created */
    unsigned formats; /* of each picture */
    int dpi;          /* of PNG, 150 … 300; 0: 200 */
    int64_t stamp_wall_ns; /* creation date of PDFs: the study's, so that no clock gets in */
};

/* What every picture has. Axes are texts with unit: "energy per token, J". */
struct pji_plot {
    const char *id;      /* file name without suffix, may hold folders: "plots/RQ1.1/box" */
    const char *title;   /* NULL: none */
    const char *caption; /* before the n below the picture; NULL: none */
    const char *x_axis, *y_axis;
    bool log_x, log_y; /* ignored (and the caption does not say so) when a value is not positive */
};

struct pji_plots;

pj_status pji_plots_open(struct pji_plots **out, const struct pji_plots_how *how,
                         struct pj_error *err);
/* Draws everything added so far and forgets it. Nothing added: PJ_OK. */
pj_status pji_plots_draw(struct pji_plots *plots, struct pj_error *err);
void pji_plots_close(struct pji_plots *plots);
/* The n of the picture added last as its caption says it ("n = 12 in each of 2 groups"). */
const char *pji_plots_n_text(const struct pji_plots *plots);
/* "5.4 patchlevel 4"; PJ_ENOTFOUND with what to install. */
pj_status pji_plots_version(char *text, size_t size, struct pj_error *err);

/* The functions below add one picture. PJ_EINVAL: there is nothing to draw (err says what). */

/* Values on the x axis (x_axis), one row for each group. */
pj_status pji_plot_box(struct pji_plots *plots, const struct pji_plot *plot,
                       const struct pji_sample *groups, size_t n, struct pj_error *err);
pj_status pji_plot_violin(struct pji_plots *plots, const struct pji_plot *plot,
                          const struct pji_sample *groups, size_t n, struct pj_error *err);
/* Curves over the values (x_axis); up to eight groups share one panel. */
pj_status pji_plot_density(struct pji_plots *plots, const struct pji_plot *plot,
                           const struct pji_sample *groups, size_t n, struct pj_error *err);
pj_status pji_plot_ecdf(struct pji_plots *plots, const struct pji_plot *plot,
                        const struct pji_sample *groups, size_t n, struct pj_error *err);
/* A panel for each group: values (y_axis) against quantiles of the standard normal. */
pj_status pji_plot_qq(struct pji_plots *plots, const struct pji_plot *plot,
                      const struct pji_sample *groups, size_t n, struct pj_error *err);

/* Points of groups in one panel; up to eight groups by colour and shape, more in grey only. */
struct pji_plot_points {
    const char *label; /* NULL when there is one group */
    const double *x, *y;
    size_t n;
};
/* `trend`: one line with its 95 % band through all points (on log axes: of the logarithms). */
pj_status pji_plot_scatter(struct pji_plots *plots, const struct pji_plot *plot,
                           const struct pji_plot_points *groups, size_t n, bool trend,
                           struct pj_error *err);

/* Means of the cells of factor A (along x) and factor B (a line each): index a * n_b + b. */
struct pji_plot_cells {
    const char *const *a_levels;
    const char *const *b_levels;
    size_t n_a, n_b;
    const char *b_name; /* title of the key */
    const struct pji_plot_cell {
        double mean, lo, hi; /* NaN: not there */
        size_t n;
    } * cells;
};
pj_status pji_plot_interaction(struct pji_plots *plots, const struct pji_plot *plot,
                               const struct pji_plot_cells *cells, struct pj_error *err);

/* Effects with intervals, one row each, and a line at `reference` (0 for differences, 1 for
 * ratios). A row whose value is not finite is shown as "no conclusion". */
struct pji_plot_effect {
    const char *label;
    double value, lo, hi;
    size_t n;
};
pj_status pji_plot_forest(struct pji_plots *plots, const struct pji_plot *plot,
                          const struct pji_plot_effect *effects, size_t n, double reference,
                          struct pj_error *err);

/* Power over time with the phases shaded by kind. x_axis and y_axis NULL: "time, s", "power, W". */
pj_status pji_plot_trace(struct pji_plots *plots, const struct pji_plot *plot,
                         const struct pji_curve *curve, struct pj_error *err);

/* Energy of each group, stacked by domain; value index group * n_domains + domain; a missing one
 * (NaN) is left out of the stack and marked. At most eight domains. */
struct pji_plot_stack {
    const char *const *groups;
    const size_t *group_n; /* trials in each group; NULL: 1 */
    const char *const *domains;
    size_t n_groups, n_domains;
    const double *energy_j;
};
pj_status pji_plot_stack(struct pji_plots *plots, const struct pji_plot *plot,
                         const struct pji_plot_stack *stack, struct pj_error *err);

/* Worth (y: accuracy) against cost (x: J) with intervals (NaN: none) and the front of those that
 * nothing beats in both. */
struct pji_plot_choice {
    const char *label;
    double cost, cost_lo, cost_hi;
    double worth, worth_lo, worth_hi;
    size_t n;
};
pj_status pji_plot_pareto(struct pji_plots *plots, const struct pji_plot *plot,
                          const struct pji_plot_choice *choices, size_t n, struct pj_error *err);

#endif
