/* report/plot_rows.c - groups below each other: box with points, violin, forest, stack. */
#include "report/groups.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_POINTS = 3000 /* of a picture; beyond, only those outside the whiskers */ };

/* Where a value stands beside the middle of its row: a sequence that fills the row evenly. */
static double beside(size_t i)
{
    double part = (double)(i + 1) * 0.6180339887498949;
    return (part - floor(part) - 0.5) * 0.44;
}

static double row_of(const struct pji_ready *r, size_t group)
{
    return (double)(r->n - group);
}

static void add_box(struct pji_picture *p, double middle_x, double y, double lo, double hi,
                    double half)
{
    pji_picture_row(p, (const double[]){middle_x, y, lo, hi, y - half, y + half}, 6);
}

static size_t box_rows(struct pji_picture *p, const struct pji_ready *r, double half)
{
    struct pji_box box;
    size_t block = pji_picture_data(p);
    for (size_t g = 0; g < r->n; g++) {
        pji_coords_box(r->values[g], r->counts[g], &box);
        if (box.n > 0)
            add_box(p, box.median, row_of(r, g), box.q1, box.q3, half);
    }
    pji_picture_data_end(p);
    return block;
}

static void segment(struct pji_picture *p, double x1, double y1, double x2, double y2)
{
    pji_picture_row(p, (const double[]){x1, y1}, 2);
    pji_picture_row(p, (const double[]){x2, y2}, 2);
    pji_picture_blank(p);
}

static size_t whisker_rows(struct pji_picture *p, const struct pji_ready *r)
{
    struct pji_box box;
    size_t block = pji_picture_data(p);
    for (size_t g = 0; g < r->n; g++) {
        double y = row_of(r, g);
        pji_coords_box(r->values[g], r->counts[g], &box);
        if (box.n == 0)
            continue;
        segment(p, box.whisker_lo, y, box.q1, y);
        segment(p, box.q3, y, box.whisker_hi, y);
        segment(p, box.whisker_lo, y - 0.12, box.whisker_lo, y + 0.12);
        segment(p, box.whisker_hi, y - 0.12, box.whisker_hi, y + 0.12);
    }
    pji_picture_data_end(p);
    return block;
}

static size_t median_rows(struct pji_picture *p, const struct pji_ready *r, double half)
{
    struct pji_box box;
    size_t block = pji_picture_data(p);
    for (size_t g = 0; g < r->n; g++) {
        pji_coords_box(r->values[g], r->counts[g], &box);
        if (box.n > 0)
            segment(p, box.median, row_of(r, g) - half, box.median, row_of(r, g) + half);
    }
    pji_picture_data_end(p);
    return block;
}

static size_t all_values(const struct pji_ready *r)
{
    size_t n = 0;
    for (size_t g = 0; g < r->n; g++)
        n += r->counts[g];
    return n;
}

/* The values as points; *drawn: is there any? */
static size_t point_rows(struct pji_picture *p, const struct pji_ready *r, bool only_far,
                         bool *drawn)
{
    struct pji_box box;
    size_t block = pji_picture_data(p);
    *drawn = false;
    for (size_t g = 0; g < r->n; g++) {
        pji_coords_box(r->values[g], r->counts[g], &box);
        for (size_t i = 0; i < r->counts[g]; i++) {
            double x = r->values[g][i];
            if (only_far && x >= box.whisker_lo && x <= box.whisker_hi)
                continue;
            double off = r->counts[g] > 1 ? beside(i) : 0;
            pji_picture_row(p, (const double[]){x, row_of(r, g) + off}, 2);
            *drawn = true;
        }
    }
    pji_picture_data_end(p);
    return block;
}

/* Means with intervals; *drawn: is there any? */
static size_t mean_rows(struct pji_picture *p, const struct pji_sample *groups, size_t n,
                        bool *drawn)
{
    size_t block = pji_picture_data(p);
    *drawn = false;
    for (size_t g = 0; g < n; g++) {
        const struct pji_sample *s = &groups[g];
        if (!s->has_mean || !isfinite(s->mean))
            continue;
        pji_picture_row(p,
                        (const double[]){s->mean, (double)(n - g),
                                         isfinite(s->lo) ? s->lo : s->mean,
                                         isfinite(s->hi) ? s->hi : s->mean},
                        4);
        *drawn = true;
    }
    pji_picture_data_end(p);
    return block;
}

static void plot_means(struct pji_picture *p, size_t block)
{
    pji_picture_plot(p,
                     "$d%zu using 1:2:3:4 with xerrorbars pt 13 ps 1.1 lw 1.6 lc rgb '%s' notitle",
                     block, pji_picture_colour(1));
}

static void axis_of(const struct pji_ready *r, const struct pji_sample *groups,
                    const struct pji_plot *plot, struct pji_axis *axis)
{
    struct pji_span span = r->span;
    for (size_t g = 0; g < r->n; g++) {
        if (!groups[g].has_mean)
            continue;
        pji_span_add(&span, groups[g].mean);
        pji_span_add(&span, groups[g].lo);
        pji_span_add(&span, groups[g].hi);
    }
    *axis = (struct pji_axis){.title = plot->x_axis};
    pji_span_axis(&span, plot->log_x, axis);
}

static bool any_mean(const struct pji_sample *groups, size_t n)
{
    for (size_t g = 0; g < n; g++) {
        if (groups[g].has_mean && isfinite(groups[g].mean))
            return true;
    }
    return false;
}

pj_status pji_plot_box(struct pji_plots *plots, const struct pji_plot *plot,
                       const struct pji_sample *groups, size_t n, struct pj_error *err)
{
    struct pji_ready r;
    struct pji_rows rows;
    struct pji_axis axis;
    char more[320];
    bool points = false;
    bool means = false;
    pj_status status = pji_ready_make(&r, plots, plot, groups, n, err);
    if (status != PJ_OK)
        return status;
    bool many = all_values(&r) > MOST_POINTS;
    snprintf(more, sizeof more,
             "Box: quartiles (type 7) and median; whiskers: furthest value within 1.5 "
             "interquartile ranges; circles: %s%s.",
             many ? "values beyond the whiskers" : "every value",
             any_mean(groups, n) ? "; diamond: mean with its 95 % interval" : "");
    pji_rows_plan(&rows, r.labels, n);
    struct pji_picture *p = pji_picture_start(plots, plot, more, rows.body, err);
    if (p != NULL) {
        axis_of(&r, groups, plot, &axis);
        size_t box = box_rows(p, &r, 0.3);
        size_t whiskers = whisker_rows(p, &r);
        size_t median = median_rows(p, &r, 0.3);
        size_t values = point_rows(p, &r, many, &points);
        size_t mean = mean_rows(p, groups, n, &means);
        pji_rows_panel(p, &rows, &axis, r.labels, r.counts, 0);
        pji_picture_plot(p,
                         "$d%zu using 1:2:3:4:5:6 with boxxyerror fs solid 1 border lc rgb '%s' "
                         "fc rgb '%s' lw 1 notitle",
                         box, pji_picture_colour(0), pji_picture_tint(0));
        pji_picture_plot(p, "$d%zu using 1:2 with lines lw 1 lc rgb '%s' notitle", whiskers,
                         pji_picture_colour(0));
        pji_picture_plot(p, "$d%zu using 1:2 with lines lw 2.2 lc rgb '%s' notitle", median,
                         pji_picture_colour(0));
        if (points)
            pji_picture_plot(p,
                             "$d%zu using 1:2 with points pt 6 ps 0.45 lw 0.8 lc rgb '#333333' "
                             "notitle",
                             values);
        if (means)
            plot_means(p, mean);
        pji_picture_panel_end(p);
        pji_picture_end(p);
    }
    pji_ready_fini(&r);
    return p != NULL ? PJ_OK : PJ_ENOMEM;
}

/* ---- violin ---- */

/* Density of the values, on a logarithmic axis of their logarithms. */
static pj_status outline(const struct pji_ready *r, size_t g, bool log_axis, struct pji_path *path,
                         struct pj_error *err)
{
    for (size_t i = 0; log_axis && i < r->counts[g]; i++)
        r->values[g][i] = log(r->values[g][i]);
    pj_status status = pji_coords_density(r->values[g], r->counts[g], true, path, err);
    for (size_t i = 0; log_axis && i < r->counts[g]; i++)
        r->values[g][i] = exp(r->values[g][i]);
    for (size_t k = 0; log_axis && status == PJ_OK && k < path->n; k++)
        path->points[k].x = exp(path->points[k].x);
    return status;
}

static void violin_rows(struct pji_picture *p, const struct pji_path *path, double y)
{
    double highest = 0;
    for (size_t k = 0; k < path->n; k++)
        highest = fmax(highest, path->points[k].y);
    for (size_t k = 0; k < 2 * path->n; k++) {
        const struct pji_xy *at = &path->points[k < path->n ? k : 2 * path->n - 1 - k];
        double half = 0.42 * at->y / highest;
        pji_picture_row(p, (const double[]){at->x, k < path->n ? y + half : y - half}, 2);
    }
    pji_picture_blank(p);
    pji_picture_blank(p); /* two: the next block of curves */
}

static pj_status violins(struct pji_picture *p, const struct pji_ready *r, bool log_axis,
                         size_t *block, size_t *drawn, struct pj_error *err)
{
    pj_status status = PJ_OK;
    *block = pji_picture_data(p);
    *drawn = 0;
    for (size_t g = 0; g < r->n && status == PJ_OK; g++) {
        struct pji_path path = {0};
        status = outline(r, g, log_axis, &path, err);
        if (status == PJ_OK && path.n > 0) {
            violin_rows(p, &path, row_of(r, g));
            (*drawn)++;
        }
        pji_path_fini(&path);
    }
    pji_picture_data_end(p);
    return status;
}

static void plot_violin(struct pji_picture *p, const struct pji_ready *r, size_t block,
                        size_t drawn, bool few)
{
    bool points = false;
    size_t box = box_rows(p, r, 0.05);
    size_t whiskers = whisker_rows(p, r);
    size_t median = median_rows(p, r, 0.16);
    size_t values = point_rows(p, r, !few, &points);
    for (size_t k = 0; k < drawn; k++)
        pji_picture_plot(p,
                         "$d%zu index %zu using 1:2 with filledcurves closed fs solid 1 border lc "
                         "rgb '%s' fc rgb '%s' lw 1 notitle",
                         block, k, pji_picture_colour(0), pji_picture_tint(0));
    pji_picture_plot(p, "$d%zu using 1:2 with lines lw 1 lc rgb '%s' notitle", whiskers,
                     pji_picture_colour(0));
    pji_picture_plot(p,
                     "$d%zu using 1:2:3:4:5:6 with boxxyerror fs solid 1 border lc rgb '%s' fc rgb "
                     "'%s' lw 1 notitle",
                     box, pji_picture_colour(0), pji_picture_colour(0));
    if (points)
        pji_picture_plot(p,
                         "$d%zu using 1:2 with points pt 6 ps 0.4 lw 0.8 lc rgb '#333333' "
                         "notitle",
                         values);
    pji_picture_plot(p, "$d%zu using 1:2 with lines lw 2.4 lc rgb '%s' notitle", median,
                     pji_picture_colour(1));
}

pj_status pji_plot_violin(struct pji_plots *plots, const struct pji_plot *plot,
                          const struct pji_sample *groups, size_t n, struct pj_error *err)
{
    struct pji_ready r;
    struct pji_rows rows;
    struct pji_axis axis = {.title = plot->x_axis};
    char more[320];
    size_t block = 0;
    size_t drawn = 0;
    pj_status status = pji_ready_make(&r, plots, plot, groups, n, err);
    if (status != PJ_OK)
        return status;
    bool few = all_values(&r) <= 25 * n;
    snprintf(more, sizeof more,
             "Outline: density (Gaussian kernel, Silverman's bandwidth) between the extremes, each "
             "scaled to the row; bar: quartiles (type 7); stroke: median; circles: %s.",
             few ? "every value" : "values beyond 1.5 interquartile ranges");
    pji_rows_plan(&rows, r.labels, n);
    pji_span_axis(&r.span, plot->log_x, &axis);
    struct pji_picture *p = pji_picture_start(plots, plot, more, rows.body, err);
    status = p != NULL ? violins(p, &r, axis.log, &block, &drawn, err) : PJ_ENOMEM;
    if (status == PJ_OK) {
        pji_rows_panel(p, &rows, &axis, r.labels, r.counts, 0);
        plot_violin(p, &r, block, drawn, few);
        pji_picture_panel_end(p);
        pji_picture_end(p);
    } else if (p != NULL) {
        pji_picture_drop(plots);
    }
    pji_ready_fini(&r);
    return status;
}
