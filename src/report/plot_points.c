/* report/plot_points.c - two quantities against each other: scatter with trend and band, and the
 * front of accuracy against cost.
 */
#include "report/groups.h"

#include "core/array.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { HEIGHT = 330, AXES = 44 };

static struct pji_frame frame_below(const struct pji_picture *p, double key,
                                    const struct pji_axis *y)
{
    return (struct pji_frame){.left = pji_axis_room(y, HEIGHT - AXES - 4),
                              .right = PJI_PICTURE_WIDTH - 18,
                              .top = p->top + key + 4,
                              .bottom = p->top + key + HEIGHT - AXES};
}

/* ---- scatter ---- */

struct cloud {
    struct pji_span xs, ys;
    struct pji_axis x, y;
    size_t n, missing;
    size_t *counts;
    const char **labels;
};

static pj_status cloud_make(struct cloud *c, const struct pji_plot *plot,
                            const struct pji_plot_points *groups, size_t n, struct pj_error *err)
{
    *c = (struct cloud){.x = {.title = plot->x_axis}, .y = {.title = plot->y_axis}};
    pji_span_init(&c->xs);
    pji_span_init(&c->ys);
    c->counts = pji_zalloc(n + 1, sizeof *c->counts, err);
    c->labels = pji_zalloc(n + 1, sizeof *c->labels, err);
    if (c->counts == NULL || c->labels == NULL)
        return PJ_ENOMEM;
    for (size_t g = 0; g < n; g++) {
        c->labels[g] = groups[g].label != NULL ? groups[g].label : "";
        for (size_t i = 0; i < groups[g].n; i++) {
            if (!isfinite(groups[g].x[i]) || !isfinite(groups[g].y[i])) {
                c->missing++;
                continue;
            }
            pji_span_add(&c->xs, groups[g].x[i]);
            pji_span_add(&c->ys, groups[g].y[i]);
            c->counts[g]++;
            c->n++;
        }
    }
    if (c->n == 0)
        return pji_fail(err, PJ_EINVAL, "there is nothing to draw for %s: no pair of values",
                        plot->id);
    pji_span_axis(&c->xs, plot->log_x, &c->x);
    pji_span_axis(&c->ys, plot->log_y, &c->y);
    return PJ_OK;
}

static double scaled(double value, bool log_axis)
{
    return log_axis ? log10(value) : value;
}

static double unscaled(double value, bool log_axis)
{
    return log_axis ? pow(10, value) : value;
}

/* All pairs on the scales of the axes, then the line and its band back again. */
static pj_status trend_of(const struct cloud *c, const struct pji_plot_points *groups, size_t n,
                          struct pji_trend *trend, struct pj_error *err)
{
    double *x = pji_zalloc(2 * c->n + 1, sizeof *x, err);
    size_t kept = 0;
    if (x == NULL)
        return PJ_ENOMEM;
    double *y = x + c->n;
    for (size_t g = 0; g < n; g++) {
        for (size_t i = 0; i < groups[g].n; i++) {
            if (!isfinite(groups[g].x[i]) || !isfinite(groups[g].y[i]))
                continue;
            x[kept] = scaled(groups[g].x[i], c->x.log);
            y[kept++] = scaled(groups[g].y[i], c->y.log);
        }
    }
    pj_status status = pji_coords_trend(x, y, kept, trend, err);
    for (size_t k = 0; status == PJ_OK && k < trend->n_at; k++) {
        struct pji_trend_at *at = &trend->at[k];
        *at = (struct pji_trend_at){unscaled(at->x, c->x.log), unscaled(at->y, c->y.log),
                                    unscaled(at->lo, c->y.log), unscaled(at->hi, c->y.log)};
    }
    free(x);
    return status;
}

/* The band may leave the values' range: it is cut at the axes, the line too. */
static void plot_trend(struct pji_picture *p, const struct pji_trend *trend, size_t band,
                       size_t line, bool below)
{
    bool has_band = trend->n_at > 0 && isfinite(trend->at[0].lo);
    if (below && has_band)
        pji_picture_plot(p,
                         "$d%zu using 1:2:3 with filledcurves fs solid 1 noborder fc rgb '#dddddd' "
                         "notitle",
                         band);
    if (!below && trend->n_at > 0)
        pji_picture_plot(p, "$d%zu using 1:2 with lines lw 1.8 lc rgb '#333333' notitle", line);
}

static size_t trend_rows(struct pji_picture *p, const struct pji_trend *trend,
                         const struct pji_axis *y, size_t *line)
{
    size_t band = pji_picture_data(p);
    for (size_t k = 0; k < trend->n_at; k++)
        pji_picture_row(p,
                        (const double[]){trend->at[k].x, fmax(trend->at[k].lo, y->lo),
                                         fmin(trend->at[k].hi, y->hi)},
                        3);
    pji_picture_data_end(p);
    *line = pji_picture_data(p);
    for (size_t k = 0; k < trend->n_at; k++)
        pji_picture_row(p, (const double[]){trend->at[k].x, trend->at[k].y}, 2);
    pji_picture_data_end(p);
    return band;
}

static void plot_groups(struct pji_picture *p, const struct pji_plot_points *groups, size_t n,
                        const size_t *counts, bool coloured)
{
    for (size_t g = 0; g < n; g++) {
        if (counts[g] == 0)
            continue;
        size_t block = pji_picture_data(p);
        for (size_t i = 0; i < groups[g].n; i++) {
            if (isfinite(groups[g].x[i]) && isfinite(groups[g].y[i]))
                pji_picture_row(p, (const double[]){groups[g].x[i], groups[g].y[i]}, 2);
        }
        pji_picture_data_end(p);
        pji_picture_plot(p, "$d%zu using 1:2 with points pt %d ps 0.6 lw 0.8 lc rgb '%s' notitle",
                         block, coloured ? pji_key_shape(g) : 6,
                         coloured ? pji_picture_colour(g) : "#555555");
    }
}

pj_status pji_plot_scatter(struct pji_plots *plots, const struct pji_plot *plot,
                           const struct pji_plot_points *groups, size_t n, bool trend,
                           struct pj_error *err)
{
    struct cloud c;
    struct pji_trend t = {0};
    struct pji_picture *p = NULL;
    char more[200] = "";
    size_t line = 0;
    pj_status status = cloud_make(&c, plot, groups, n, err);
    if (status == PJ_OK && trend)
        status = trend_of(&c, groups, n, &t, err);
    bool coloured = n > 1 && n <= PJI_PICTURE_COLOURS;
    double key = coloured ? pji_key_height(c.labels, n) : 0;
    if (status == PJ_OK) {
        if (t.n_at > 0)
            snprintf(more, sizeof more, "Line: least squares%s%s",
                     c.x.log || c.y.log ? " of the logarithms on logarithmic axes" : "",
                     isfinite(t.at[0].lo) ? "; band: 95 % interval of the mean" : "");
        pji_picture_n(plots, c.counts, n, c.missing);
        p = pji_picture_start(plots, plot, more, HEIGHT + key, err);
        status = p != NULL ? PJ_OK : PJ_ENOMEM;
    }
    if (p != NULL) {
        struct pji_frame frame = frame_below(p, key, &c.y);
        size_t band = trend_rows(p, &t, &c.y, &line);
        pji_picture_panel(p, &frame, &c.x, &c.y);
        pji_picture_grid(p, true, true);
        if (coloured)
            pji_key_put(p, c.labels, n, PJI_KEY_POINT);
        plot_trend(p, &t, band, line, true);
        plot_groups(p, groups, n, c.counts, coloured);
        plot_trend(p, &t, band, line, false);
        pji_picture_panel_end(p);
        pji_picture_end(p);
    }
    pji_trend_fini(&t);
    free(c.counts);
    free(c.labels);
    return status;
}

/* ---- Pareto ---- */

struct front {
    double *cost, *worth;
    bool *on;
    size_t *order; /* the front by ascending cost */
    size_t n_order;
    size_t *counts;
    struct pji_axis x, y;
};

static void front_fini(struct front *f)
{
    free(f->cost);
    free(f->worth);
    free(f->on);
    free(f->order);
    free(f->counts);
}

static pj_status front_make(struct front *f, const struct pji_plot *plot,
                            const struct pji_plot_choice *choices, size_t n, struct pj_error *err)
{
    struct pji_span xs;
    struct pji_span ys;
    *f = (struct front){.x = {.title = plot->x_axis}, .y = {.title = plot->y_axis}};
    f->cost = pji_zalloc(n + 1, sizeof *f->cost, err);
    f->worth = pji_zalloc(n + 1, sizeof *f->worth, err);
    f->on = pji_zalloc(n + 1, sizeof *f->on, err);
    f->order = pji_zalloc(n + 1, sizeof *f->order, err);
    f->counts = pji_zalloc(n + 1, sizeof *f->counts, err);
    if (f->cost == NULL || f->worth == NULL || f->on == NULL || f->order == NULL ||
        f->counts == NULL)
        return PJ_ENOMEM;
    pji_span_init(&xs);
    pji_span_init(&ys);
    for (size_t i = 0; i < n; i++) {
        f->cost[i] = choices[i].cost;
        f->worth[i] = choices[i].worth;
        f->counts[i] = choices[i].n;
        if (!isfinite(f->cost[i]) || !isfinite(f->worth[i]))
            continue;
        const double ends_x[] = {choices[i].cost, choices[i].cost_lo, choices[i].cost_hi};
        const double ends_y[] = {choices[i].worth, choices[i].worth_lo, choices[i].worth_hi};
        for (size_t k = 0; k < 3; k++) {
            pji_span_add(&xs, ends_x[k]);
            pji_span_add(&ys, ends_y[k]);
        }
    }
    if (!xs.any)
        return pji_fail(err, PJ_EINVAL, "there is nothing to draw for %s: no choice has both",
                        plot->id);
    pji_coords_front(f->cost, f->worth, n, f->on);
    pji_span_axis(&xs, plot->log_x, &f->x);
    pji_span_axis(&ys, plot->log_y, &f->y);
    return PJ_OK;
}

static void sort_front(struct front *f, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!f->on[i])
            continue;
        size_t at = f->n_order++;
        for (; at > 0 && f->cost[f->order[at - 1]] > f->cost[i]; at--)
            f->order[at] = f->order[at - 1];
        f->order[at] = i;
    }
}

static void choice_row(struct pji_picture *p, const struct pji_plot_choice *c)
{
    pji_picture_row(p,
                    (const double[]){c->cost, c->worth, isfinite(c->cost_lo) ? c->cost_lo : c->cost,
                                     isfinite(c->cost_hi) ? c->cost_hi : c->cost,
                                     isfinite(c->worth_lo) ? c->worth_lo : c->worth,
                                     isfinite(c->worth_hi) ? c->worth_hi : c->worth},
                    6);
}

static void plot_choices(struct pji_picture *p, const struct pji_plot_choice *choices, size_t n,
                         const struct front *f)
{
    size_t beaten = pji_picture_data(p);
    size_t n_beaten = 0;
    for (size_t i = 0; i < n; i++) {
        if (f->on[i] || !isfinite(f->cost[i]) || !isfinite(f->worth[i]))
            continue;
        choice_row(p, &choices[i]);
        n_beaten++;
    }
    pji_picture_data_end(p);
    size_t steps = pji_picture_data(p);
    for (size_t k = 0; k < f->n_order; k++) {
        if (k > 0)
            pji_picture_row(p, (const double[]){f->cost[f->order[k]], f->worth[f->order[k - 1]]},
                            2);
        pji_picture_row(p, (const double[]){f->cost[f->order[k]], f->worth[f->order[k]]}, 2);
    }
    pji_picture_data_end(p);
    if (n_beaten > 0)
        pji_picture_plot(p,
                         "$d%zu using 1:2:3:4:5:6 with xyerrorbars pt 6 ps 0.8 lw 0.9 lc rgb "
                         "'#888888' notitle",
                         beaten);
    pji_picture_plot(p, "$d%zu using 1:2 with lines lw 1.4 dt 2 lc rgb '#444444' notitle", steps);
}

static void plot_front(struct pji_picture *p, const struct pji_plot_choice *choices,
                       const struct front *f)
{
    for (size_t k = 0; k < f->n_order; k++) {
        const struct pji_plot_choice *c = &choices[f->order[k]];
        size_t block = pji_picture_data(p);
        choice_row(p, c);
        pji_picture_data_end(p);
        pji_picture_plot(p,
                         "$d%zu using 1:2:3:4:5:6 with xyerrorbars pt %d ps 1.1 lw 1.6 lc rgb "
                         "'%s' notitle",
                         block, k < PJI_PICTURE_COLOURS ? pji_key_shape(k) : 2,
                         k < PJI_PICTURE_COLOURS ? pji_picture_colour(k) : "#444444");
    }
}

pj_status pji_plot_pareto(struct pji_plots *plots, const struct pji_plot *plot,
                          const struct pji_plot_choice *choices, size_t n, struct pj_error *err)
{
    struct front f;
    const char *labels[PJI_PICTURE_COLOURS];
    struct pji_picture *p = NULL;
    pj_status status = front_make(&f, plot, choices, n, err);
    if (status == PJ_OK) {
        sort_front(&f, n);
        size_t named = f.n_order < PJI_PICTURE_COLOURS ? f.n_order : PJI_PICTURE_COLOURS;
        for (size_t k = 0; k < named; k++)
            labels[k] = choices[f.order[k]].label;
        double key = pji_key_height(labels, named);
        pji_picture_n(plots, f.counts, n, 0);
        p = pji_picture_start(plots, plot,
                              "Coloured, on the broken line: nothing costs less and is worth as "
                              "much. Grey: beaten by one of them. Bars: 95 % intervals.",
                              HEIGHT + key, err);
        status = p != NULL ? PJ_OK : PJ_ENOMEM;
        if (p != NULL) {
            struct pji_frame frame = frame_below(p, key, &f.y);
            pji_picture_panel(p, &frame, &f.x, &f.y);
            pji_picture_grid(p, true, true);
            pji_key_put(p, labels, named, PJI_KEY_POINT);
            plot_choices(p, choices, n, &f);
            plot_front(p, choices, &f);
            pji_picture_panel_end(p);
            pji_picture_end(p);
        }
    }
    front_fini(&f);
    return status;
}
